//! From what a push moved to the runs it makes; and the comparison of refs, so that a crash loses no push.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

use app::{
    model::{Actor, RepositoryId, RunEvent, RunId, RunState, ServiceId, StageKind, change_of, tag_of},
    said,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    file::{Pipeline, inputs::defaults},
    pushed::{Outcome, Pushed, outcomes, proposed, tagged},
    rerun::Begin,
    schedules,
    select::{Decision, Supersedes, branch, decide, skipped, supersedes},
};
use crate::{
    clock, git,
    store::{
        StoreError, Tx,
        events::{self, NewEvent},
        files, policies,
        repositories::{self, BuiltHere, RefChange, RepositoryRow},
        runs::{self, NewRun, NewStage, RunRow, Trust},
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
/// So many tags pushed at once make runs; of more none does: they are a history that came along, and no releases.
pub const MOST_TAGS: u64 = 10;

/// Runs until stopped. `started`: before this Berth took its first push.
pub async fn run(ctx: Context, started: SystemTime, stop: CancellationToken) {
    let folder = ctx.config.repositories();
    // What the one before had under way when it was killed; before the refs are compared, which this moves.
    let _ = tokio::task::spawn_blocking(move || git::clear_all(&folder, started)).await;
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
    // Nobody pushes to a mirror: who fetches it writes down what moved.
    if repository.mirrors.is_some() {
        return Ok(());
    }
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
    /// The branch; of a tag or a proposed change its ref.
    branch: String,
    event: RunEvent,
    commit: git::Commit,
    outcomes: Vec<Outcome>,
    /// Whether anybody may have made the commit.
    untrusted: bool,
}

async fn handle(ctx: &Context, change: &RefChange) -> Result<(), IntakeError> {
    // One that is being deleted makes no runs any more.
    let repository = repositories::by_id(&ctx.db, &change.repository_id).await?;
    let (intake, asked) = match &repository {
        Some(repository) => (take_in(ctx, repository, change).await?, schedules::of_push(ctx, repository, change).await?),
        None => (None, None),
    };
    let mut tx = ctx.db.begin().await?;
    if !repositories::handled(&mut tx, &change.id).await? {
        return Ok(());
    }
    if let (Some(asked), Some(repository)) = (&asked, &repository) {
        asked.write(&mut tx, repository).await?;
    }
    let changed = match (&intake, &repository) {
        (Some(intake), Some(repository)) => write_all(&mut tx, repository, change, intake).await?,
        _ => Vec::new(),
    };
    tx.commit().await?;
    if asked.is_some() {
        ctx.wake.duty(Duty::Schedules);
    }
    if let Some(repository) = repository {
        // Whoever pushed may wait for what came to nothing.
        ctx.wake.changed(Some(&repository.team_id), format!("push:{}", change.id));
        if let Some(intake) = intake {
            told(ctx, &repository, &intake, &changed);
        }
    }
    Ok(())
}

/// Writes what a push comes to; answers with the runs that changed.
async fn write_all(tx: &mut Tx, repository: &RepositoryRow, change: &RefChange, intake: &Intake) -> Result<Vec<RunId>, StoreError> {
    let (mut changed, mut as_one) = (Vec::new(), Vec::new());
    for outcome in &intake.outcomes {
        let (run, number) = write(tx, repository, change, intake, outcome).await?;
        // What runs nothing takes nobody's place.
        if outcome.state == RunState::Queued {
            changed.extend(take_place(tx, repository, &outcome.service, intake, number).await?);
        }
        as_one.extend(outcome.together.then(|| run.clone()));
        changed.push(run);
    }
    changed.extend(together::end_rest(tx, &changed).await?);
    together::bind(tx, &as_one).await?;
    Ok(changed)
}

/// Tells of the runs that a push made and changed.
fn told(ctx: &Context, repository: &RepositoryRow, intake: &Intake, changed: &[RunId]) {
    let queued = intake.outcomes.iter().filter(|outcome| outcome.state == RunState::Queued).count();
    tracing::info!(repository = %repository.id, services = intake.outcomes.len(), queued, "a push made runs");
    for run in changed {
        ctx.run_changed(&repository.team_id, run);
    }
    for outcome in &intake.outcomes {
        ctx.wake.changed(Some(&repository.team_id), format!("service:{}", outcome.service.id));
    }
    ctx.wake.duty(Duty::Runs);
}

/// Ends what a run takes the place of.
async fn take_place(
    tx: &mut Tx,
    repository: &RepositoryRow,
    service: &BuiltHere,
    intake: &Intake,
    number: u64,
) -> Result<Vec<RunId>, StoreError> {
    let (team, service, branch) = (&repository.team_id, &service.id, intake.branch.as_str());
    let takes = supersedes(intake.event, branch, &repository.default_branch, policies::of(&mut *tx, team, service).await?);
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
    intake: &Intake,
    outcome: &Outcome,
) -> Result<(RunId, u64), StoreError> {
    let commit = &intake.commit;
    let inputs = outcome.pipeline.as_ref().map(|pipeline| defaults(&pipeline.inputs)).unwrap_or_default();
    let new = NewRun {
        team: &repository.team_id,
        service: &outcome.service.id,
        state: outcome.state,
        failure: outcome.failure.as_deref(),
        commit: &commit.id,
        title: &commit.title(),
        author: &commit.author,
        branch: &intake.branch,
        pushed_by: &change.pushed_by,
        reason: &outcome.reason,
        pipeline: &as_json(&outcome.pipeline),
        repository: Some(&repository.id),
        push: Some(&change.id),
        plan: &outcome.plan,
        kept: outcome.kept.as_ref(),
        group: outcome.pipeline.as_ref().and_then(|pipeline| pipeline.terms.group()),
        event: intake.event,
        inputs: &as_json(&inputs),
        trust: if intake.untrusted { Trust::Held } else { Trust::Trusted },
    };
    let (run, number) = runs::insert(tx, &new, &stages(outcome.pipeline.as_ref(), intake.event)).await?;
    if let Some(failure) = &outcome.failure {
        tell_failure(tx, repository, &outcome.service, number, failure).await?;
    }
    Ok((run, number))
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

/// What the activity says of a ref that moved.
pub fn moved<'a>(repository: &'a RepositoryRow, change: &RefChange) -> NewEvent<'a> {
    let short = |commit: &Option<String>| commit.as_deref().and_then(|commit| commit.get(..8)).map_or_else(said::nothing, str::to_owned);
    let subject = branch(&change.reference).map_or_else(
        || said::subject_reference(change.reference.trim_start_matches("refs/"), &repository.name),
        |branch| said::subject_branch(branch, &repository.name),
    );
    NewEvent {
        team: Some(&repository.team_id),
        service: repository.only().map(|service| &service.id),
        action: if change.new.is_some() { "git.pushed" } else { "git.deleted" },
        subject,
        path: Some(repository.only().map_or_else(
            || format!("/teams/{}", repository.team),
            |service| format!("/teams/{}/services/{}", repository.team, service.name),
        )),
        detail: said::detail_from(short(&change.old), short(&change.new)),
    }
}

/// The page of a run.
pub fn run_path(team: &str, service: &str, number: u64) -> String {
    format!("/teams/{team}/services/{service}/runs/{number}")
}

/// Reads the commit. None: it makes no run.
async fn take_in(ctx: &Context, repository: &RepositoryRow, change: &RefChange) -> Result<Option<Intake>, IntakeError> {
    let Some(new) = &change.new else { return Ok(None) };
    match (branch(&change.reference), tag_of(&change.reference)) {
        (Some(branch), _) => {
            let commit = git::commit(&ctx.repository(&repository.id), new).await?;
            let outcomes = match decide(&change.reference, Some(&commit.message), change.old.is_some(), &change.pushed_by) {
                Decision::Nothing => return Ok(None),
                Decision::Skip(reason) => repository.services.iter().map(|service| Outcome::skipped(service, reason.as_str())).collect(),
                Decision::Run(reason) => {
                    outcomes(ctx, Pushed { repository, branch, commit: new, reason: &reason, event: RunEvent::Push }).await?
                }
            };
            Ok(Some(Intake { branch: branch.to_owned(), event: RunEvent::Push, commit, outcomes, untrusted: false }))
        }
        (None, Some(tag)) => take_in_tag(ctx, repository, change, (tag, new)).await,
        (None, None) => match change_of(&change.reference) {
            // Whoever pushes here may push what is called so; it proposes nothing.
            Some(number) if repository.mirrors.is_some() => take_in_change(ctx, repository, change, (number, new)).await,
            _ => Ok(None),
        },
    }
}

/// The same of a proposed change. It is trusted where its commit is in a branch of the repository itself: somebody who may push has
/// put it there. Any other may be anybody's: what is run is then said by the default branch, and run when somebody has read it.
async fn take_in_change(
    ctx: &Context,
    repository: &RepositoryRow,
    change: &RefChange,
    (number, new): (u64, &str),
) -> Result<Option<Intake>, IntakeError> {
    let folder = ctx.repository(&repository.id);
    let Some(commit) = git::of_tag(&folder, new).await? else { return Ok(None) };
    let trusted = git::in_a_branch(&folder, &commit.id).await?;
    let (file_of, reason) = if trusted {
        (Some(commit.id.clone()), said::reason_change(number))
    } else {
        let head = format!("refs/heads/{}", repository.default_branch);
        (repositories::last_commit(&ctx.db, &repository.id, &head).await?, said::reason_change_untrusted(number))
    };
    let Some(file_of) = file_of else { return Ok(None) };
    let pushed = Pushed { repository, branch: &change.reference, commit: &commit.id, reason: &reason, event: RunEvent::PullRequest };
    let outcomes = proposed(ctx, &file_of, pushed, skipped(&commit.message).as_deref()).await?;
    let branch = change.reference.clone();
    Ok((!outcomes.is_empty()).then_some(Intake { branch, event: RunEvent::PullRequest, commit, outcomes, untrusted: !trusted }))
}

/// The same of a tag, which may lead to its commit by way of an object of its own, or to none.
async fn take_in_tag(
    ctx: &Context,
    repository: &RepositoryRow,
    change: &RefChange,
    (tag, new): (&str, &str),
) -> Result<Option<Intake>, IntakeError> {
    if repositories::tags_with(&ctx.db, change).await? > MOST_TAGS {
        tracing::info!(repository = %repository.id, tag, "it makes no run: too many tags came at once");
        return Ok(None);
    }
    let Some(commit) = git::of_tag(&ctx.repository(&repository.id), new).await? else { return Ok(None) };
    let (reason, skip) = match decide(&change.reference, Some(&commit.message), change.old.is_some(), &change.pushed_by) {
        Decision::Nothing => return Ok(None),
        Decision::Skip(why) => (String::new(), Some(why)),
        Decision::Run(reason) => (reason, None),
    };
    let pushed = Pushed { repository, branch: &change.reference, commit: &commit.id, reason: &reason, event: RunEvent::Tag };
    let outcomes = tagged(ctx, tag, pushed, skip.as_deref()).await?;
    let branch = change.reference.clone();
    Ok((!outcomes.is_empty()).then_some(Intake { branch, event: RunEvent::Tag, commit, outcomes, untrusted: false }))
}

/// The stages of a run as they are written when it is queued: the image is the last. A proposed change makes none.
fn stages(pipeline: Option<&Pipeline>, event: RunEvent) -> Vec<NewStage> {
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
    if event == RunEvent::PullRequest {
        return stages;
    }
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

/// Queues a run of a branch's head that somebody, or something, asked for, for each service that comes to one version with it.
/// For [`crate::control`] and [`schedules`].
///
/// # Errors
/// Those of the store.
pub async fn queue_head(tx: &mut Tx, repository: &RepositoryRow, head: &Head, by: &str, reason: &str) -> Result<Vec<Queued>, StoreError> {
    let (mut queued, title) = (Vec::new(), head.commit.title());
    for part in &head.parts {
        let new = NewRun {
            state: RunState::Queued,
            failure: None,
            pipeline: &as_json(&Some(&part.pipeline)),
            plan: &part.pipeline.order(),
            group: part.pipeline.terms.group(),
            inputs: &as_json(&part.inputs),
            ..of_head(repository, head, &part.service, (by, reason, &title))
        };
        let (run, number) = runs::insert(tx, &new, &stages(Some(&part.pipeline), head.event)).await?;
        queued.push(Queued { service: part.service.id.clone(), run, number });
    }
    bound(tx, queued).await
}

/// Writes a run of a branch's head that failed at once.
pub(super) async fn fail_head(
    tx: &mut Tx,
    repository: &RepositoryRow,
    head: &Head,
    service: &BuiltHere,
    (by, reason, failure): (&str, &str, &str),
) -> Result<Queued, StoreError> {
    let title = head.commit.title();
    let new = NewRun { state: RunState::Failed, failure: Some(failure), ..of_head(repository, head, service, (by, reason, &title)) };
    let (run, number) = runs::insert(tx, &new, &[]).await?;
    tell_failure(tx, repository, service, number, failure).await?;
    Ok(Queued { service: service.id.clone(), run, number })
}

/// What is the same for every run of a branch's head.
fn of_head<'a>(
    repository: &'a RepositoryRow,
    head: &'a Head,
    service: &'a BuiltHere,
    (by, reason, title): (&'a str, &'a str, &'a str),
) -> NewRun<'a> {
    NewRun {
        team: &repository.team_id,
        service: &service.id,
        state: RunState::Queued,
        failure: None,
        commit: &head.commit.id,
        title,
        author: &head.commit.author,
        branch: &head.branch,
        pushed_by: by,
        reason,
        pipeline: "null",
        repository: Some(&repository.id),
        push: None,
        plan: "",
        kept: None,
        group: None,
        event: head.event,
        inputs: "{}",
        trust: Trust::Trusted,
    }
}

/// As it is kept in a row.
fn as_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
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
    /// What makes its runs begin.
    pub event: RunEvent,
    /// What the commit's file has the service do, and those that come to one version with it.
    pub parts: Vec<Part>,
}

/// What a service does in a run that somebody asked for.
#[derive(Clone, Debug)]
pub struct Part {
    /// The service.
    pub service: BuiltHere,
    /// What is run.
    pub pipeline: Pipeline,
    /// What its steps are given.
    pub inputs: BTreeMap<String, String>,
}

/// A run that somebody asks for again.
#[derive(Clone, Debug)]
pub struct Again {
    /// The run.
    pub run: RunRow,
    /// The pipeline that was read for it anew, where it had none.
    pub read: Option<Pipeline>,
    /// How the new one begins.
    pub begin: Begin,
}

/// Queues the commit of runs again, as new runs with the same pipelines; several come to one version. For [`crate::control`].
///
/// # Errors
/// Those of the store.
pub async fn again(tx: &mut Tx, all: &[Again], by: &str) -> Result<Vec<Queued>, StoreError> {
    let mut queued = Vec::new();
    for again in all {
        let (run, number) = one_again(tx, &again.run, again.read.clone(), by, &again.begin).await?;
        if let Begin::GoesOn { taken, .. } = &again.begin {
            files::take_over(tx, (&again.run.id, again.run.number), &run, number, taken).await?;
        }
        queued.push(Queued { service: again.run.service_id.clone(), run, number });
    }
    bound(tx, queued).await
}

async fn one_again(tx: &mut Tx, run: &RunRow, read: Option<Pipeline>, by: &str, begin: &Begin) -> Result<(RunId, u64), StoreError> {
    let inputs = read.as_ref().map_or_else(|| run.inputs.clone(), |read| defaults(&read.inputs));
    let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok().flatten().or(read);
    let state = if pipeline.is_some() { RunState::Queued } else { RunState::Failed };
    let reason = match begin {
        Begin::Anew => said::reason_again(by, run.number),
        Begin::GoesOn { at, .. } => said::reason_goes_on(by, run.number, at),
    };
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
        pipeline: &as_json(&pipeline),
        repository: Some(&run.repository_id),
        push: None,
        plan: &pipeline.as_ref().map(Pipeline::order).unwrap_or_default(),
        kept: None,
        group: pipeline.as_ref().and_then(|pipeline| pipeline.terms.group()),
        event: run.event,
        inputs: &as_json(&inputs),
        // Somebody read the commit, which is the same.
        trust: match (run.untrusted, run.approved_by.as_deref()) {
            (false, _) => Trust::Trusted,
            (true, Some(by)) => Trust::Approved(by),
            (true, None) => Trust::Held,
        },
    };
    runs::insert(tx, &new, &stages(pipeline.as_ref(), run.event)).await
}
