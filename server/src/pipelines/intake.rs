//! From what a push moved to the runs it makes; and the comparison of refs, so that a crash loses no push.

use std::{collections::HashMap, time::Duration};

use app::{
    model::{Actor, RepositoryId, RunState, StageKind},
    said,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    file::{self, FILE_NAME, MAX_BYTES, Pipeline, Problem},
    select::{Decision, branch, decide, supersedes},
};
use crate::{
    clock, git,
    store::{
        StoreError,
        events::{self, NewEvent},
        repositories::{self, RefChange, RepositoryRow},
        runs::{self, NewRun, NewStage},
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
enum IntakeError {
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

/// What a commit comes down to.
struct Intake {
    commit: git::Commit,
    state: RunState,
    reason: String,
    failure: Option<String>,
    pipeline: Option<Pipeline>,
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
    let superseded = if supersedes(branch, &repository.default_branch) {
        runs::supersede(&mut tx, &repository.team_id, &repository.service_id, branch).await?
    } else {
        Vec::new()
    };
    let json = serde_json::to_string(&intake.pipeline).unwrap_or_else(|_| "null".to_owned());
    let title = intake.commit.title();
    let new = NewRun {
        team: &repository.team_id,
        service: &repository.service_id,
        state: intake.state,
        failure: intake.failure.as_deref(),
        commit: &intake.commit.id,
        title: &title,
        author: &intake.commit.author,
        branch,
        pushed_by: &change.pushed_by,
        reason: &intake.reason,
        pipeline: &json,
    };
    let (run, number) = runs::insert(&mut tx, &new, &stages(intake.pipeline.as_ref())).await?;
    if intake.state == RunState::Failed {
        tell_failure(&mut tx, &repository, number, intake.failure.as_deref().unwrap_or_default()).await?;
    }
    tx.commit().await?;
    tracing::info!(%run, service = %repository.service, number, state = intake.state.name(), "a push made a run");
    for run in superseded.iter().chain([&run]) {
        ctx.run_changed(&repository.team_id, run);
    }
    ctx.wake.changed(Some(&repository.team_id), format!("service:{}", repository.service_id));
    ctx.wake.duty(Duty::Runs);
    Ok(())
}

async fn done(ctx: &Context, change: &RefChange) -> Result<(), IntakeError> {
    let mut tx = ctx.db.begin().await?;
    repositories::handled(&mut tx, &change.id).await?;
    tx.commit().await?;
    Ok(())
}

async fn tell_failure(tx: &mut crate::store::Tx, repository: &RepositoryRow, number: u64, detail: &str) -> Result<(), StoreError> {
    let event = NewEvent {
        team: Some(&repository.team_id),
        service: Some(&repository.service_id),
        action: "run.failed",
        subject: said::subject_run(number, &repository.service),
        path: Some(run_path(repository.team.as_str(), repository.service.as_str(), number)),
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
    let Some(new) = &change.new else { return Ok(None) };
    if branch(&change.reference).is_none() {
        return Ok(None);
    }
    let folder = ctx.repository(&repository.id);
    let commit = git::commit(&folder, new).await?;
    let (state, reason) = match decide(&change.reference, Some(&commit.message), change.old.is_some(), &change.pushed_by) {
        Decision::Nothing => return Ok(None),
        Decision::Skip(reason) => (RunState::Skipped, reason),
        Decision::Run(reason) => (RunState::Queued, reason),
    };
    if state.ended() {
        return Ok(Some(Intake { commit, state, reason, failure: None, pipeline: None }));
    }
    Ok(Some(match pipeline_of(&folder, new, repository.service.as_str()).await? {
        Ok(pipeline) => Intake { commit, state, reason, failure: None, pipeline: Some(pipeline) },
        Err(problems) => Intake { commit, state: RunState::Failed, reason, failure: Some(summary(&problems)), pipeline: None },
    }))
}

/// The resolved pipeline of a commit, or everything wrong with its file.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn pipeline_of(folder: &std::path::Path, commit: &str, service: &str) -> git::Result<Result<Pipeline, Vec<Problem>>> {
    let text = git::read_file(folder, commit, FILE_NAME, MAX_BYTES).await?;
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let has_dockerfile = git::has_file(folder, commit, "Dockerfile").await?;
    let mut pipeline = match file::resolve(text.as_deref(), has_dockerfile, service) {
        Ok(pipeline) => pipeline,
        Err(problems) => return Ok(Err(problems)),
    };
    let dockerfile = pipeline.dockerfile_path();
    if pipeline.refused.is_empty() && !git::has_file(folder, commit, &dockerfile).await? {
        pipeline
            .refused
            .push(format!("There is no `{dockerfile}` at this commit, so no image can be built. Add it, or name another under `image:`."));
    }
    Ok(Ok(pipeline))
}

/// Problems in one sentence: the first, and how many more there are.
fn summary(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else { return String::new() };
    match problems.len() - 1 {
        0 => first.to_string(),
        more => format!("{first} (and {more} more; `berth lint` shows them all)"),
    }
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
        })
        .collect();
    stages.push(NewStage {
        position: u32::try_from(stages.len()).unwrap_or(u32::MAX),
        name: "image".into(),
        kind: StageKind::Image,
        attempt: 1,
        steps: vec![("build".into(), String::new())],
    });
    stages
}

/// Queues the commit of a run again, as a new run with the same pipeline file. For [`crate::control`].
///
/// # Errors
/// Those of the store.
pub async fn again(tx: &mut crate::store::Tx, run: &runs::RunRow, by: &str) -> Result<(app::model::RunId, u64), StoreError> {
    let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok().flatten();
    let state = if pipeline.is_some() { RunState::Queued } else { RunState::Failed };
    let reason = said::reason_again(by, run.number);
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
        reason: &reason,
        pipeline: &run.pipeline,
    };
    runs::insert(tx, &new, &stages(pipeline.as_ref())).await
}
