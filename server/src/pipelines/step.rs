//! One step: its commands in the shell inside its own container.

use std::{collections::BTreeMap, time::Duration};

use app::{
    model::{Profile, RunState, StepId, change_of, tag_of},
    said,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Context, caches,
    collect::{self, Found},
    file::PlannedStep,
    log::{Log, Marks, telling},
    retry::Tried,
    secrets,
};
use crate::{
    clock,
    platform::{CacheMount, Limits, Network, PlatformError, Task, TaskEnd, Workspace},
    secrets::Masks,
    store::runs::RunRow,
};

/// Where the workspace is mounted.
pub const WORKSPACE: &str = "/workspace";
/// How much output waits in memory between a container and its log.
pub(super) const WAITING: usize = 64;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepEnd {
    /// In which state.
    pub state: RunState,
    /// The exit code, where it has one.
    pub exit_code: Option<i64>,
    /// Why, where it did not pass.
    pub failure: Option<String>,
    /// At which try.
    pub tries: u32,
}

impl StepEnd {
    /// Of one that is not wanted.
    pub(super) const fn skipped() -> Self {
        Self { state: RunState::Skipped, exit_code: None, failure: None, tries: 1 }
    }

    fn not(state: RunState, failure: String) -> Self {
        Self { state, exit_code: None, failure: Some(failure), tries: 1 }
    }
}

/// A step of a run, with all that carrying it out needs.
pub struct Job<'a> {
    /// The run.
    pub run: &'a RunRow,
    /// The stage's name.
    pub stage: &'a str,
    /// The step's place in its stage.
    pub index: usize,
    /// The step's id: its log.
    pub id: &'a StepId,
    /// What it does.
    pub step: &'a PlannedStep,
    /// The folder of the service in the workspace; empty: its root.
    pub folder: &'a str,
    /// What is said first.
    pub notes: &'a [String],
    /// Until when it may be tried, all tries together.
    pub until: Instant,
}

impl Job<'_> {
    /// What it is called by in its pipeline: `stage/step`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.stage, self.step.name)
    }

    /// The files it works on.
    pub fn workspace(&self) -> Workspace {
        Workspace { run: self.run.id.clone(), team: self.run.team_id.clone() }
    }
}

/// Carries a step out. Its end, and what it left, is written by the caller.
///
/// # Errors
/// Those of the store.
pub async fn carry_out(ctx: &Context, job: &Job<'_>, cancel: &CancellationToken) -> Result<(StepEnd, Found), crate::store::StoreError> {
    let mut log = Log::open(ctx, &job.run.team_id, job.id, job.run.fence);
    for note in job.notes {
        log.note(note).await?;
    }
    let end = match secrets::open(ctx, job.run, &job.step.secrets).await? {
        Ok(secrets) => {
            log.mask(Masks::sealed_and_named(&secrets, &job.step.env));
            let caches = caches::take(ctx, job, &mut log, cancel).await?;
            let end = tries(ctx, job, (&secrets, &caches), &mut log, cancel).await?;
            if !caches.is_empty() && !caches::leaves_whole(end.exit_code) {
                log.note(&said::caches_cut_short()).await?;
            }
            end
        }
        Err(failure) => StepEnd::not(RunState::Failed, failure),
    };
    let found = tokio::select! {
        found = collect::found(ctx, job, &end, &mut log) => found?,
        // Whoever is in a hurry does not wait for files.
        () = cancel.cancelled() => Found::default(),
    };
    match (&end.failure, end.exit_code) {
        // A cancelled one may be carried on by the next holder: it has no last word.
        _ if end.state == RunState::Cancelled => {}
        (Some(failure), _) => log.exit(failure),
        (None, Some(code)) => log.exit(&said::exited(code)),
        (None, None) => {}
    }
    log.close().await?;
    Ok((end, found))
}

/// What a step is given beside what its file says: secrets, and what is kept from the runs before.
type Given<'a> = (&'a BTreeMap<String, String>, &'a [CacheMount]);

/// Tries it as often as its retries allow. What a try left in the workspace is there for the next.
async fn tries(
    ctx: &Context,
    job: &Job<'_>,
    given: Given<'_>,
    log: &mut Log,
    cancel: &CancellationToken,
) -> Result<StepEnd, crate::store::StoreError> {
    let mut tried = Vec::new();
    loop {
        let (class, end) = one_try(ctx, job, given, log, cancel).await?;
        tried.push(class);
        let next = job.step.retry.next(&tried).filter(|_| Instant::now() < job.until && !cancel.is_cancelled());
        let Some(next) = next else {
            return Ok(StepEnd { tries: u32::try_from(tried.len()).unwrap_or(u32::MAX), ..end });
        };
        log.note(&said::trying_again(next.number, next.of, end.failure.unwrap_or_else(said::did_not_pass))).await?;
    }
}

async fn one_try(
    ctx: &Context,
    job: &Job<'_>,
    given: Given<'_>,
    log: &mut Log,
    cancel: &CancellationToken,
) -> Result<(Tried, StepEnd), crate::store::StoreError> {
    let marks = Marks { nonce: clock::new_id(), commands: job.step.commands.clone() };
    let task = task(ctx.limits(), job, given, &marks);
    log.expect(marks);
    let (sink, output) = mpsc::channel(WAITING);
    let (end, pumped) = tokio::join!(ctx.platform.run_to_end(&task, sink, cancel.clone()), log.pump(output));
    pumped?;
    let class = class(&end);
    Ok((class, judge(end, job.step, &task, log)))
}

fn class(end: &Result<TaskEnd, PlatformError>) -> Tried {
    match end {
        Ok(TaskEnd::Exited { code, .. }) if *code != 0 => Tried::Failed(*code),
        Ok(TaskEnd::TimedOut) | Err(PlatformError::TimedOut(_)) => Tried::TooLong,
        Err(PlatformError::ImageNotFound { .. }) => Tried::NoImage,
        _ => Tried::Done,
    }
}

fn task(limits: Limits, job: &Job<'_>, (secrets, caches): Given<'_>, marks: &Marks) -> Task {
    Task {
        // The same for every attempt: what a former one left is found by it. With its place, since two names may differ in
        // nothing but what is replaced.
        name: format!("{}-{}-{}-{}", job.run.id, job.stage, job.index, job.step.name)
            .replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_"),
        team: job.run.team_id.clone(),
        run: Some(job.run.id.clone()),
        image: job.step.image.clone(),
        command: vec!["sh".into(), "-e".into(), "-c".into(), script(job.folder, marks)],
        alias: None,
        env: environment(job, secrets),
        workspace: Some((job.workspace(), WORKSPACE.into())),
        caches: caches.to_vec(),
        limits,
        profile: Profile::Baseline,
        network: if job.step.offline { Network::None } else { Network::Run(job.run.id.clone()) },
        writable_root: true,
        writable: Vec::new(),
        timeout: Duration::from_millis(job.step.timeout_ms).min(job.until.saturating_duration_since(Instant::now())),
    }
}

/// The script that runs inside the container: each command is marked, then run. One shell, so that `cd` and `export` last;
/// one stream, because an engine hands out two in no order that could be told.
fn script(folder: &str, marks: &Marks) -> String {
    let mut lines = vec!["exec 2>&1".to_owned()];
    if !folder.is_empty() {
        lines.push(format!("cd '{}'", folder.replace('\'', r"'\''")));
    }
    for (index, command) in marks.commands.iter().enumerate() {
        lines.push(marks.print(index));
        lines.push(command.clone());
    }
    lines.join("\n")
}

fn environment(job: &Job<'_>, secrets: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    // What the step says itself stays.
    let mut env = job.run.inputs.clone();
    env.extend(job.step.env.clone());
    env.extend(secrets.clone());
    let number = job.run.number.to_string();
    let own = [
        ("CI", "true"),
        ("BERTH_TEAM", job.run.team.as_str()),
        ("BERTH_SERVICE", job.run.service.as_str()),
        ("BERTH_RUN", &number),
        ("BERTH_COMMIT", &job.run.commit),
        ("BERTH_EVENT", job.run.event.name()),
        ("BERTH_STAGE", job.stage),
        ("BERTH_STEP", &job.step.name),
    ];
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (name, value) = tag_of(&job.run.branch).map_or(("BERTH_BRANCH", job.run.branch.as_str()), |tag| ("BERTH_TAG", tag));
    env.insert(name.to_owned(), value.to_owned());
    if let Some(number) = change_of(&job.run.branch) {
        env.remove("BERTH_BRANCH");
        env.insert("BERTH_CHANGE".to_owned(), number.to_string());
    }
    env
}

fn judge(end: Result<TaskEnd, PlatformError>, step: &PlannedStep, task: &Task, log: &Log) -> StepEnd {
    match end {
        Ok(TaskEnd::Exited { code: 0, .. }) => StepEnd { state: RunState::Passed, exit_code: Some(0), failure: None, tries: 1 },
        Ok(TaskEnd::Exited { code, out_of_memory }) => StepEnd {
            exit_code: Some(code),
            ..StepEnd::not(RunState::Failed, why(code, out_of_memory.then_some(task.limits.memory), step, log))
        },
        Ok(TaskEnd::TimedOut) | Err(PlatformError::TimedOut(_)) => {
            StepEnd::not(RunState::TimedOut, said::too_long(task.timeout.as_millis().div_ceil(1_000)))
        }
        Ok(TaskEnd::Cancelled) | Err(PlatformError::Cancelled) => StepEnd::not(RunState::Cancelled, said::was_cancelled()),
        Err(PlatformError::CannotStart(cause)) => StepEnd::not(RunState::Failed, said::not_startable(&step.image, cause)),
        Err(error @ PlatformError::ImageNotFound { .. }) => StepEnd::not(RunState::Failed, error.to_string()),
        // Nobody knows how it ended: its stage is tried again.
        Err(error) if error.passing() => StepEnd::not(RunState::Lost, error.to_string()),
        Err(error) => StepEnd::not(RunState::Errored, error.to_string()),
    }
}

/// Why a step failed. `exceeded`: the memory it ran out of, in bytes.
fn why(code: i64, exceeded: Option<u64>, step: &PlannedStep, log: &Log) -> String {
    if let Some(memory) = exceeded {
        return said::step_memory(memory >> 20);
    }
    let command = log.last_command().and_then(|text| text.lines().next()).map_or_else(said::the_script, str::to_owned);
    match (telling(&log.last_lines()), code == 127) {
        (Some(line), true) => said::ended_missing_line(command, code, &step.image, line),
        (Some(line), false) => said::ended_line(command, code, line),
        (None, true) => said::ended_missing(command, code, &step.image),
        (None, false) => said::ended(command, code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_marks_every_command_and_stays_in_its_folder() {
        let marks = Marks { nonce: "n".into(), commands: vec!["make".into(), "make test".into()] };
        let text = script("it's/here", &marks);
        assert_eq!(text.lines().nth(1), Some(r"cd 'it'\''s/here'"));
        assert_eq!(text.lines().filter(|line| line.starts_with("printf ")).count(), 2);
        assert!(script("", &marks).starts_with("exec 2>&1\nprintf "));
    }
}
