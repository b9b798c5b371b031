//! The end of a run: in one transaction its state, the candidate, and the deploys that follow by themselves.

use app::{
    model::{Actor, Candidate, RunState, ServiceId, TeamId},
    said,
};

use super::{Context, Left, Outcome, together::Part};
use crate::{
    clock,
    pipelines::{build::short, file::Pipeline, intake::run_path, rerun, vouch::Baked},
    rollout::request::deploy_candidate,
    store::{
        StoreError, Tx, bases,
        candidates::{self, NewCandidate},
        db::{Result, unreadable},
        events::{self, NewEvent},
        files,
        runs::{self, RunRow, StageRow},
        targets,
    },
    telemetry::metrics,
    wake::Duty,
};

/// Writes the end of a run; of several that come to one version that of all, or of none.
pub(super) async fn finish(ctx: &Context, parts: &mut [Part]) -> std::result::Result<(), Left> {
    let mut tx = ctx.db.begin().await?;
    superseded(&mut tx, parts).await?;
    // What one changed is another's too: they are ended in the order of their names.
    let services: Vec<&ServiceId> = parts.iter().map(|part| &part.run.service_id).collect();
    if services.len() > 1 && parts.iter().all(|part| part.outcome.state == RunState::Passed) {
        candidates::align(&mut tx, &services).await?;
    }
    let mut deployed = Vec::new();
    for part in parts.iter() {
        deployed.extend(end(&mut tx, part).await?);
    }
    tx.commit().await?;
    for part in parts.iter() {
        ended(ctx, part);
    }
    for (team, topic) in &deployed {
        ctx.wake.changed(Some(team), topic.as_str());
        ctx.wake.duty(Duty::Rollouts);
    }
    Ok(())
}

/// Writes the end of one; answers with the topics that changed with its deploys.
async fn end(tx: &mut Tx, part: &Part) -> std::result::Result<Vec<(TeamId, String)>, Left> {
    let Part { run, pipeline, outcome, files_kept } = part;
    let candidate = match (&outcome.image, pipeline) {
        (Some((stage, image)), Some(pipeline)) => {
            if !end_image(tx, run, stage).await? {
                return Err(Left::Leaving);
            }
            match outcome.state {
                RunState::Passed => Some(make_candidate(tx, run, pipeline, image).await?),
                // Another that was to come to the same version did not pass.
                _ => None,
            }
        }
        _ => None,
    };
    let id = candidate.as_ref().map(|candidate| &candidate.id);
    if !runs::finish(tx, &run.id, run.fence, outcome.state, outcome.failure.as_deref(), id).await? {
        return Err(Left::Leaving);
    }
    if *files_kept {
        files::keep(tx, &run.id, clock::now().plus(rerun::KEPT)).await?;
    }
    let deployed = match &candidate {
        Some(candidate) => deploy(tx, run, candidate).await?,
        None => Vec::new(),
    };
    tell(tx, run, outcome, candidate.as_ref()).await?;
    Ok(deployed.into_iter().map(|topic| (run.team_id.clone(), topic)).collect())
}

/// Tells of an end that was written.
fn ended(ctx: &Context, Part { run, outcome, .. }: &Part) {
    metrics::run_ended(outcome.state.name(), clock::now().since(run.created_at));
    tracing::info!(run = %run.id, state = outcome.state.name(), "ended");
    if let Some((stage, _)) = &outcome.image {
        for (step, ..) in &stage.steps {
            ctx.wake.changed(Some(&run.team_id), format!("step:{step}"));
        }
    }
    ctx.run_changed(&run.team_id, &run.id);
    ctx.wake.changed(Some(&run.team_id), format!("service:{}", run.service_id));
    ctx.wake.changed(Some(&run.team_id), "events");
}

/// What was stopped because a newer push took its place says so, and by which; and so does what was to come to one version
/// with it.
async fn superseded(tx: &mut Tx, parts: &mut [Part]) -> Result<()> {
    let mut any = false;
    for part in parts.iter_mut().filter(|part| part.outcome.state == RunState::Cancelled) {
        if let Some(by) = runs::superseded_by(&mut *tx, &part.run.id).await? {
            (part.outcome.state, part.outcome.failure) = (RunState::Superseded, Some(said::superseded(by)));
            any = true;
        }
    }
    for part in parts.iter_mut().filter(|part| any && part.outcome.state == RunState::Cancelled) {
        (part.outcome.state, part.outcome.failure) = (RunState::Superseded, Some(said::one_of_them_superseded()));
    }
    Ok(())
}

/// Ends the stage of the image. False: the claim is lost.
async fn end_image(tx: &mut Tx, run: &RunRow, stage: &StageRow) -> Result<bool> {
    for (step, ..) in &stage.steps {
        if !runs::end_step(tx, &run.id, run.fence, step, RunState::Passed, None, None).await? {
            return Ok(false);
        }
    }
    runs::end_stage(tx, &run.id, run.fence, &stage.id, RunState::Passed).await
}

async fn make_candidate(tx: &mut Tx, run: &RunRow, pipeline: &Pipeline, image: &Baked) -> Result<Candidate> {
    let new = NewCandidate {
        team: &run.team_id,
        service: &run.service_id,
        image: &image.id,
        size: image.size,
        commit: &run.commit,
        title: &run.title,
        branch: &run.branch,
        run: &run.id,
        run_number: run.number,
        shape: &pipeline.shape,
        made: Some(&image.made),
    };
    let candidate = candidates::insert(tx, &new).await?;
    image.write(tx, &candidate.id).await?;
    bases::stands_on(tx, &run.service_id, &candidate.id, &image.made.bases).await?;
    Ok(candidate)
}

/// Deploys the candidate wherever new ones of the default branch go by themselves; answers with the topics that changed.
async fn deploy(tx: &mut Tx, run: &RunRow, candidate: &Candidate) -> std::result::Result<Vec<String>, Left> {
    if run.branch != run.default_branch {
        return Ok(Vec::new());
    }
    let reason = said::reason_of_run(candidate.number, run.number);
    let mut deployed = Vec::new();
    for target in targets::of_service(&mut *tx, &run.service_id).await? {
        if target.environment.auto_deploy {
            let asked = deploy_candidate(tx, &target, candidate, &run.pushed_by, &reason).await;
            asked.map_err(|error| match error.code {
                "unreadable" => Left::Store(unreadable(target.environment.name.as_str(), error)),
                _ => Left::Store(StoreError::Address(error.to_string())),
            })?;
            deployed.push(format!("target:{}", target.id));
        }
    }
    Ok(deployed)
}

async fn tell(tx: &mut Tx, run: &RunRow, outcome: &Outcome, candidate: Option<&Candidate>) -> Result<()> {
    let path = Some(run_path(run.team.as_str(), run.service.as_str(), run.number));
    let actor = Actor::system("pipelines");
    let action = format!("run.{}", outcome.state.name());
    let event = NewEvent {
        team: Some(&run.team_id),
        service: Some(&run.service_id),
        action: &action,
        subject: said::subject_run(run.number, &run.service),
        path: path.clone(),
        detail: outcome.failure.clone().unwrap_or_default(),
    };
    events::insert(tx, &actor, event).await?;
    let Some(candidate) = candidate else { return Ok(()) };
    let event = NewEvent {
        team: Some(&run.team_id),
        service: Some(&run.service_id),
        action: "candidate.created",
        subject: said::subject_candidate(candidate.number, &run.service),
        path,
        detail: said::detail_image(short(&candidate.image), run.commit.get(..8).unwrap_or_default()),
    };
    events::insert(tx, &actor, event).await
}
