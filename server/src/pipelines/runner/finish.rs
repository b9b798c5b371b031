//! The end of a run: in one transaction its state, the candidate, and the deploys that follow by themselves.

use app::{
    model::{Actor, Candidate, RunState},
    said,
};

use super::{Context, Left, Outcome};
use crate::{
    clock,
    pipelines::{build::short, file::Pipeline, intake::run_path, vouch::Baked},
    rollout::request::deploy_candidate,
    store::{
        Tx,
        candidates::{self, NewCandidate},
        db::Result,
        events::{self, NewEvent},
        runs::{self, RunRow, StageRow},
        targets,
    },
    telemetry::metrics,
    wake::Duty,
};

/// Writes the end.
pub(super) async fn finish(ctx: &Context, run: &RunRow, pipeline: Option<&Pipeline>, outcome: Outcome) -> std::result::Result<(), Left> {
    let mut tx = ctx.db.begin().await?;
    let outcome = superseded(&mut tx, run, outcome).await?;
    let candidate = match (&outcome.image, pipeline) {
        (Some((stage, image)), Some(pipeline)) => make_candidate(&mut tx, run, pipeline, stage, image).await?,
        _ => None,
    };
    let id = candidate.as_ref().map(|candidate| &candidate.id);
    let ours = runs::finish(&mut tx, &run.id, run.fence, outcome.state, outcome.failure.as_deref(), id).await?;
    if !ours {
        return Err(Left::Leaving);
    }
    let deployed = match &candidate {
        Some(candidate) => deploy(&mut tx, run, candidate).await?,
        None => Vec::new(),
    };
    tell(&mut tx, run, &outcome, candidate.as_ref()).await?;
    tx.commit().await?;
    metrics::run_ended(outcome.state.name(), clock::now().since(run.created_at));
    tracing::info!(run = %run.id, state = outcome.state.name(), deployed = deployed.len(), "ended");
    if let Some((stage, _)) = &outcome.image {
        for (step, ..) in &stage.steps {
            ctx.wake.changed(Some(&run.team_id), format!("step:{step}"));
        }
    }
    ctx.run_changed(&run.team_id, &run.id);
    ctx.wake.changed(Some(&run.team_id), format!("service:{}", run.service_id));
    ctx.wake.changed(Some(&run.team_id), "events");
    for topic in &deployed {
        ctx.wake.changed(Some(&run.team_id), topic.as_str());
        ctx.wake.duty(Duty::Rollouts);
    }
    Ok(())
}

/// One that was stopped because a newer push took its place says so, and by which.
async fn superseded(tx: &mut Tx, run: &RunRow, outcome: Outcome) -> Result<Outcome> {
    if outcome.state != RunState::Cancelled {
        return Ok(outcome);
    }
    Ok(match runs::superseded_by(tx, &run.id).await? {
        Some(by) => Outcome { state: RunState::Superseded, failure: Some(said::superseded(by)), ..outcome },
        None => outcome,
    })
}

async fn make_candidate(tx: &mut Tx, run: &RunRow, pipeline: &Pipeline, stage: &StageRow, image: &Baked) -> Result<Option<Candidate>> {
    for (step, ..) in &stage.steps {
        if !runs::end_step(tx, &run.id, run.fence, step, RunState::Passed, None, None).await? {
            return Ok(None);
        }
    }
    runs::end_stage(tx, &run.id, run.fence, &stage.id, RunState::Passed).await?;
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
    Ok(Some(candidate))
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
            asked.map_err(|error| Left::Store(crate::store::StoreError::Address(error.to_string())))?;
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
