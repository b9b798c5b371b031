//! From what a push moved to the runs it makes; and the comparison of refs, so that a crash loses no push.

use std::{collections::HashMap, time::Duration};

use app::{
    model::{Actor, RepositoryId, RunEvent, RunId, RunState, ServiceId, StageKind},
    said,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    file::Pipeline,
    pushed::{Outcome, Pushed, outcomes},
    select::{Decision, Supersedes, branch, decide, supersedes},
};
use crate::{
    clock, git,
    store::{
        StoreError, Tx,
        events::{self, NewEvent},
        policies,
        repositories::{self, BuiltHere, RefChange, RepositoryRow},
        runs::{self, NewRun, NewStage, RunRow},
        together,
    },
    telemetry::metrics,
    wake::Duty,
};

/// Refs are compared with what is known this often, beside at the start and when a push could not be written down.
const COMPARE: Duration = Duration::from_secs(600);
/// … and again this soon where they could not be, or where a push could not be handled.
const AGAIN: Duration = Duration::from_secs(60);
/// … this soon where only the store did not answer.
const SOON: Duration = Duration::from_secs(2);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut compared = None;
    loop {
        let mut again = compare_refs(&ctx, &mut compared).await.min(handle_all(&ctx).await);
        let wait = async {
            while let Ok(()) = timeout(clock::pace(again), ctx.wake.woken(Duty::Pushes)).await {
                again = again.min(handle_all(&ctx).await);
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = ctx.wake.woken(Duty::Refs) => {}
            () = wait => {}
        }
    }
}

/// When the refs of each repository had moved last as they were compared, in nanoseconds. Kept in the store too, so that a
/// start asks `git` about those alone in which something moved since.
type Compared = HashMap<RepositoryId, i64>;

/// Compares the refs of every repository in which something moved with what is known, and writes down what nobody did. The
/// answer: when to do so again.
async fn compare_refs(ctx: &Context, compared: &mut Option<Compared>) -> Duration {
    let compared = match compared {
        Some(compared) => compared,
        None => match repositories::compared(&ctx.db).await {
            Ok(before) => compared.insert(before.into_iter().collect()),
            Err(error) => {
                tracing::warn!(%error, "the repositories cannot be listed now");
                return SOON;
            }
        },
    };
    let mut again = COMPARE;
    let folder = ctx.config.repositories();
    let moved = tokio::task::spawn_blocking(move || git::all_moved_at(&folder)).await.unwrap_or_default();
    for (name, moved) in moved {
        let id = RepositoryId::from_text(name);
        if compared.get(&id) == Some(&moved) {
            continue;
        }
        match compare(ctx, &id, moved).await {
            Ok(()) => drop(compared.insert(id, moved)),
            Err(error) => {
                again = again.min(error.again());
                tracing::warn!(repository = %id, %error, "the refs cannot be compared now");
            }
        }
    }
    again
}

async fn compare(ctx: &Context, id: &RepositoryId, moved: i64) -> Result<(), IntakeError> {
    // One that is being deleted.
    let Some(repository) = repositories::by_id(&ctx.db, id).await? else { return Ok(()) };
    let refs = git::refs(&ctx.repository(id)).await?;
    let mut tx = ctx.db.begin().await?;
    let changes = repositories::record_refs(&mut tx, &repository, &refs, "somebody").await?;
    repositories::set_compared(&mut tx, id, moved).await?;
    tx.commit().await?;
    if !changes.is_empty() {
        tracing::info!(repository = %id, changes = changes.len(), "found a push nobody had written down");
        ctx.wake.duty(Duty::Pushes);
    }
    Ok(())
}

/// What can go wrong on the way; tried again with the next look.
#[derive(Debug, thiserror::Error)]
pub(super) enum IntakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Git(#[from] git::GitError),
}

impl IntakeError {
    /// When to try again.
    const fn again(&self) -> Duration {
        match self {
            Self::Store(error) if error.may_pass() => SOON,
            Self::Store(_) | Self::Git(_) => AGAIN,
        }
    }
}

/// Makes the runs of every change not handled yet. The answer: when to look again without being woken.
pub async fn handle_all(ctx: &Context) -> Duration {
    let changes = repositories::open_changes(&ctx.db).await;
    metrics::passed("pushes", changes.is_ok());
    let changes = match changes {
        Ok(changes) => changes,
        Err(error) => {
            tracing::warn!(%error, "the pushes cannot be read now");
            return SOON;
        }
    };
    let mut again = COMPARE;
    for change in changes {
        if let Err(error) = handle(ctx, &change).await {
            again = again.min(error.again());
            tracing::warn!(change = %change.id, %error, "a push cannot be handled now");
        }
    }
    again
}

/// What a push comes down to.
struct Intake {
    commit: git::Commit,
    outcomes: Vec<Outcome>,
}

async fn handle(ctx: &Context, change: &RefChange) -> Result<(), IntakeError> {
    let Some(repository) = repositories::by_id(&ctx.db, &change.repository_id).await? else {
        return done(ctx, change).await;
    };
    let (Some(branch), Some(intake)) = (branch(&change.reference), take_in(ctx, &repository, change).await?) else {
        return done(ctx, change).await;
    };
    let mut tx = ctx.db.begin().await?;
    if !repositories::handled(&mut tx, &change.id).await? {
        return Ok(());
    }
    let (mut changed, mut as_one) = (Vec::new(), Vec::new());
    for outcome in &intake.outcomes {
        let (run, number) = write(&mut tx, &repository, change, branch, &intake.commit, outcome).await?;
        // What runs nothing takes nobody's place.
        if outcome.state == RunState::Queued {
            changed.extend(take_place(&mut tx, &repository, &outcome.service, branch, number).await?);
        }
        as_one.extend(outcome.together.then(|| run.clone()));
        changed.push(run);
    }
    changed.extend(together::end_rest(&mut tx, &changed).await?);
    together::bind(&mut tx, &as_one).await?;
    tx.commit().await?;
    let queued = intake.outcomes.iter().filter(|outcome| outcome.state == RunState::Queued).count();
    tracing::info!(repository = %repository.id, services = intake.outcomes.len(), queued, "a push made runs");
    for run in &changed {
        ctx.run_changed(&repository.team_id, run);
    }
    for outcome in &intake.outcomes {
        ctx.wake.changed(Some(&repository.team_id), format!("service:{}", outcome.service.id));
    }
    ctx.wake.duty(Duty::Runs);
    Ok(())
}

/// Ends what a run takes the place of.
async fn take_place(
    tx: &mut Tx,
    repository: &RepositoryRow,
    service: &BuiltHere,
    branch: &str,
    number: u64,
) -> Result<Vec<RunId>, StoreError> {
    let (team, service) = (&repository.team_id, &service.id);
    let takes = supersedes(branch, &repository.default_branch, policies::of(&mut *tx, team, service).await?);
    let mut ended = Vec::new();
    if takes != Supersedes::None {
        ended = runs::supersede(tx, team, service, branch, number).await?;
    }
    if takes == Supersedes::Running {
        ended.extend(runs::cut_short(tx, team, service, branch, number).await?);
    }
    Ok(ended)
}

/// Writes the run of a service.
async fn write(
    tx: &mut Tx,
    repository: &RepositoryRow,
    change: &RefChange,
    branch: &str,
    commit: &git::Commit,
    outcome: &Outcome,
) -> Result<(RunId, u64), StoreError> {
    let new = NewRun {
        team: &repository.team_id,
        service: &outcome.service.id,
        state: outcome.state,
        failure: outcome.failure.as_deref(),
        commit: &commit.id,
        title: &commit.title(),
        author: &commit.author,
        branch,
        pushed_by: &change.pushed_by,
        reason: &outcome.reason,
        pipeline: &serde_json::to_string(&outcome.pipeline).unwrap_or_else(|_| "null".to_owned()),
        repository: Some(&repository.id),
        push: Some(&change.id),
        plan: &outcome.plan,
        kept: outcome.kept.as_ref(),
        group: outcome.pipeline.as_ref().and_then(|pipeline| pipeline.terms.group()),
    };
    let (run, number) = runs::insert(tx, &new, &stages(outcome.pipeline.as_ref())).await?;
    if let Some(failure) = &outcome.failure {
        tell_failure(tx, repository, &outcome.service, number, failure).await?;
    }
    Ok((run, number))
}

async fn done(ctx: &Context, change: &RefChange) -> Result<(), IntakeError> {
    let mut tx = ctx.db.begin().await?;
    repositories::handled(&mut tx, &change.id).await?;
    tx.commit().await?;
    Ok(())
}

async fn tell_failure(tx: &mut Tx, repository: &RepositoryRow, service: &BuiltHere, number: u64, detail: &str) -> Result<(), StoreError> {
    let event = NewEvent {
        team: Some(&repository.team_id),
        service: Some(&service.id),
        action: "run.failed",
        subject: said::subject_run(number, &service.name),
        path: Some(run_path(repository.team.as_str(), service.name.as_str(), number)),
        detail: detail.to_owned(),
    };
    events::insert(tx, &Actor::system("pipelines"), event).await
}

/// The page of a run.
pub fn run_path(team: &str, service: &str, number: u64) -> String {
    format!("/teams/{team}/services/{service}/runs/{number}")
}

/// Reads the commit. None: it makes no run.
async fn take_in(ctx: &Context, repository: &RepositoryRow, change: &RefChange) -> Result<Option<Intake>, IntakeError> {
    let (Some(new), Some(branch)) = (&change.new, branch(&change.reference)) else { return Ok(None) };
    let commit = git::commit(&ctx.repository(&repository.id), new).await?;
    let outcomes = match decide(&change.reference, Some(&commit.message), change.old.is_some(), &change.pushed_by) {
        Decision::Nothing => return Ok(None),
        Decision::Skip(reason) => repository.services.iter().map(|service| Outcome::skipped(service, reason.as_str())).collect(),
        Decision::Run(reason) => outcomes(ctx, Pushed { repository, branch, commit: new, reason: &reason, event: RunEvent::Push }).await?,
    };
    Ok(Some(Intake { commit, outcomes }))
}

/// The stages of a run as they are written when it is queued: the image is the last.
fn stages(pipeline: Option<&Pipeline>) -> Vec<NewStage> {
    let Some(pipeline) = pipeline else { return Vec::new() };
    let mut stages: Vec<NewStage> = pipeline
        .stages
        .iter()
        .zip(0..)
        .map(|(stage, position)| NewStage {
            position,
            name: stage.name.clone(),
            kind: StageKind::Steps,
            attempt: 1,
            steps: stage.steps.iter().map(|step| (step.name.clone(), step.image.clone())).collect(),
            sidecars: stage.sidecars.iter().map(|sidecar| (sidecar.name.clone(), sidecar.image.clone())).collect(),
            skipped: stage.skipped(),
        })
        .collect();
    stages.push(NewStage {
        position: u32::try_from(stages.len()).unwrap_or(u32::MAX),
        name: "image".into(),
        kind: StageKind::Image,
        attempt: 1,
        steps: vec![("build".into(), String::new())],
        sidecars: Vec::new(),
        skipped: Vec::new(),
    });
    stages
}

/// Queues a run of a branch's head that somebody asked for, for each service that comes to one version with it. For
/// [`crate::control`].
///
/// # Errors
/// Those of the store.
pub async fn by_hand(tx: &mut Tx, repository: &RepositoryRow, head: &Head, by: &str) -> Result<Vec<Queued>, StoreError> {
    let mut queued = Vec::new();
    for (service, pipeline) in &head.pipelines {
        let new = NewRun {
            team: &repository.team_id,
            service: &service.id,
            state: RunState::Queued,
            failure: None,
            commit: &head.commit.id,
            title: &head.commit.title(),
            author: &head.commit.author,
            branch: &head.branch,
            pushed_by: by,
            reason: &said::reason_asked(by, &head.branch),
            pipeline: &serde_json::to_string(&Some(pipeline)).unwrap_or_else(|_| "null".to_owned()),
            repository: Some(&repository.id),
            push: None,
            plan: &pipeline.order(),
            kept: None,
            group: pipeline.terms.group(),
        };
        let (run, number) = runs::insert(tx, &new, &stages(Some(pipeline))).await?;
        queued.push(Queued { service: service.id.clone(), run, number });
    }
    bound(tx, queued).await
}

/// Binds what was queued at once.
async fn bound(tx: &mut Tx, queued: Vec<Queued>) -> Result<Vec<Queued>, StoreError> {
    let runs: Vec<RunId> = queued.iter().map(|queued| queued.run.clone()).collect();
    together::bind(tx, &runs).await?;
    Ok(queued)
}

/// A run that was queued because somebody asked for it.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its service.
    pub service: ServiceId,
    /// Its id.
    pub run: RunId,
    /// Its number.
    pub number: u64,
}

/// The head of a branch, read for a run that somebody asked for.
#[derive(Clone, Debug)]
pub struct Head {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: git::Commit,
    /// What the commit's file has the service do, and those that come to one version with it.
    pub pipelines: Vec<(BuiltHere, Pipeline)>,
}

/// A run that somebody asks for again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The run.
    pub run: RunRow,
    /// The pipeline that was read for it anew, where it had none.
    pub read: Option<Pipeline>,
}

/// Queues the commit of runs again, as new runs with the same pipelines; several come to one version. For [`crate::control`].
///
/// # Errors
/// Those of the store.
pub async fn again(tx: &mut Tx, all: &[Again], by: &str) -> Result<Vec<Queued>, StoreError> {
    let mut queued = Vec::new();
    for again in all {
        let (run, number) = one_again(tx, &again.run, again.read.clone(), by).await?;
        queued.push(Queued { service: again.run.service_id.clone(), run, number });
    }
    bound(tx, queued).await
}

async fn one_again(tx: &mut Tx, run: &RunRow, read: Option<Pipeline>, by: &str) -> Result<(RunId, u64), StoreError> {
    let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok().flatten().or(read);
    let state = if pipeline.is_some() { RunState::Queued } else { RunState::Failed };
    let failure =
        pipeline.is_none().then_some("The commit's pipeline was never good, so it cannot be run again. Push a commit that mends it.");
    let new = NewRun {
        team: &run.team_id,
        service: &run.service_id,
        state,
        failure,
        commit: &run.commit,
        title: &run.title,
        author: &run.author,
        branch: &run.branch,
        pushed_by: &run.pushed_by,
        reason: &said::reason_again(by, run.number),
        pipeline: &serde_json::to_string(&pipeline).unwrap_or_else(|_| "null".to_owned()),
        repository: Some(&run.repository_id),
        push: None,
        plan: &pipeline.as_ref().map(Pipeline::order).unwrap_or_default(),
        kept: None,
        group: pipeline.as_ref().and_then(|pipeline| pipeline.terms.group()),
    };
    runs::insert(tx, &new, &stages(pipeline.as_ref())).await
}
