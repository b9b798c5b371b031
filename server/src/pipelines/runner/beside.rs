//! What runs beside the steps of a stage: started before them, asked until it is ready, stopped after them whatever
//! happened. Each has a row and a log of its own.

use std::{sync::OnceLock, time::Duration};

use app::{
    model::{Profile, RunState, StepId},
    said,
};
use futures::future::{join_all, try_join_all};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Context, Left, watch::Halt, write_end};
use crate::{
    pipelines::{
        file::{PlannedSidecar, PlannedStage},
        log::{Log, telling},
        step::{StepEnd, WAITING},
    },
    platform::{Network, PlatformError, Task, TaskEnd},
    secrets::Masks,
    store::{
        StoreError,
        runs::{RunRow, StageRow},
    },
};

/// It is asked this often whether it is ready …
const ASK_EVERY: Duration = Duration::from_millis(200);
/// … and may take this long to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// It ends when it is told to. This is for where nobody does any more.
const LONGEST: Duration = Duration::from_secs(48 * 3_600);

/// How the work of a stage went that needs others beside it.
pub(super) enum Worked<T> {
    /// They were ready, and it was done.
    Done(T),
    /// It was not begun: this one, by its place, did not become ready.
    NotBegun(usize, StepEnd),
}

/// Does the work of a stage while its sidecars run.
pub(super) async fn with<T>(
    ctx: &Context,
    run: &RunRow,
    stage: &StageRow,
    planned: &PlannedStage,
    halt: &Halt,
    work: impl Future<Output = T>,
) -> Result<Worked<T>, Left> {
    if planned.sidecars.is_empty() {
        return Ok(Worked::Done(work.await));
    }
    let stop = halt.token().child_token();
    let rows = stage.sidecars.iter().zip(&planned.sidecars);
    let sidecars: Vec<Sidecar<'_>> = rows.map(|((id, ..), planned)| Sidecar::new(ctx, run, &stage.name, id, planned)).collect();
    let working = async {
        let done = match try_join_all(sidecars.iter().map(|sidecar| sidecar.ready(&stop))).await {
            Ok(_) => Some(work.await),
            Err(NotReady) => None,
        };
        stop.cancel();
        done
    };
    let (ends, done) = tokio::join!(join_all(sidecars.iter().map(|sidecar| sidecar.carry_out(&stop, halt))), working);
    let ends: Vec<StepEnd> = ends.into_iter().collect::<Result<_, Left>>()?;
    if halt.leaving() {
        return Err(Left::Leaving);
    }
    // What was done counts, whatever became of them while they were stopped.
    if let Some(done) = done {
        return Ok(Worked::Done(done));
    }
    if let Some(lost) = ends.iter().find(|end| end.state == RunState::Lost) {
        return Err(Left::Engine(lost.failure.clone().unwrap_or_default()));
    }
    for (step, ..) in &stage.steps {
        write_end(ctx, run, step, &StepEnd::skipped(), None).await?;
    }
    let cancelled = || StepEnd { state: RunState::Cancelled, exit_code: None, failure: Some(said::was_cancelled()), tries: 1 };
    let culprit = ends.into_iter().enumerate().find(|(_, end)| end.state != RunState::Passed);
    let (index, end) = culprit.unwrap_or_else(|| (0, cancelled()));
    Ok(Worked::NotBegun(index, end))
}

/// It did not become ready; why stands with the sidecar.
struct NotReady;

struct Sidecar<'a> {
    ctx: &'a Context,
    run: &'a RunRow,
    id: &'a StepId,
    planned: &'a PlannedSidecar,
    task: Task,
    /// It ended, by itself or not.
    ended: CancellationToken,
    /// Whether it became ready, or why it did not in time.
    readiness: OnceLock<Result<(), String>>,
}

impl<'a> Sidecar<'a> {
    fn new(ctx: &'a Context, run: &'a RunRow, stage: &str, id: &'a StepId, planned: &'a PlannedSidecar) -> Self {
        // No step's name has a dot: see there.
        let stage = stage.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
        let task = Task {
            name: format!("{}-{stage}.{}", run.id, planned.name),
            team: run.team_id.clone(),
            run: Some(run.id.clone()),
            image: planned.image.clone(),
            command: planned.command.clone().unwrap_or_default(),
            alias: Some(planned.name.clone()),
            env: planned.env.clone(),
            workspace: None,
            caches: Vec::new(),
            limits: ctx.limits(),
            profile: Profile::Baseline,
            network: Network::Run(run.id.clone()),
            writable_root: true,
            writable: Vec::new(),
            timeout: LONGEST,
        };
        Self { ctx, run, id, planned, task, ended: CancellationToken::new(), readiness: OnceLock::new() }
    }

    /// Runs it until it ends or is stopped, and writes its end.
    async fn carry_out(&self, stop: &CancellationToken, halt: &Halt) -> Result<StepEnd, Left> {
        let mut log = Log::open(self.ctx, &self.run.team_id, self.id, self.run.fence);
        log.mask(Masks::named(&self.planned.env));
        let (sink, output) = mpsc::channel(WAITING);
        let running = async {
            let end = self.ctx.platform.run_to_end(&self.task, sink, stop.clone()).await;
            self.ended.cancel();
            end
        };
        let (end, pumped) = tokio::join!(running, log.pump(output));
        pumped?;
        let end = self.judge(end, &log, halt.cancelled());
        self.last_word(&mut log, &end).await?;
        if halt.leaving() {
            return Err(Left::Leaving);
        }
        write_end(self.ctx, self.run, self.id, &end, None).await?;
        Ok(end)
    }

    async fn last_word(&self, log: &mut Log, end: &StepEnd) -> Result<(), StoreError> {
        if let Some(failure) = end.failure.as_ref().filter(|_| end.state != RunState::Cancelled) {
            log.exit(failure);
        }
        log.close().await
    }

    /// Waits until it is ready: until its command inside of it exits 0, or where it has none, until it runs.
    async fn ready(&self, stop: &CancellationToken) -> Result<(), NotReady> {
        let deadline = Instant::now() + Duration::from_millis(self.planned.ready_within_ms);
        let mut why = None;
        while Instant::now() < deadline {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(NotReady),
                () = self.ended.cancelled() => return Err(NotReady),
                asked = self.ctx.platform.exec_task(&self.task.name, self.planned.ready.as_deref(), ANSWER_WITHIN) => match asked {
                    Ok(Some(0)) => {
                        let _ = self.readiness.set(Ok(()));
                        return Ok(());
                    }
                    Ok(Some(code)) => why = Some(said::ended(self.planned.ready.clone().unwrap_or_default().join(" "), code)),
                    Ok(None) => {}
                    Err(error) => why = Some(error.to_string()),
                },
            }
            tokio::select! {
                () = stop.cancelled() => return Err(NotReady),
                () = self.ended.cancelled() => return Err(NotReady),
                () = sleep(ASK_EVERY) => {}
            }
        }
        let _ = self.readiness.set(Err(why.unwrap_or_else(said::not_started)));
        Err(NotReady)
    }

    fn judge(&self, end: Result<TaskEnd, PlatformError>, log: &Log, cancelled: bool) -> StepEnd {
        let not = |state, failure| StepEnd { state, exit_code: None, failure: Some(failure), tries: 1 };
        let line = telling(&log.last_lines());
        match end {
            Ok(TaskEnd::Exited { code, out_of_memory }) => {
                let failure = match (self.readiness.get(), line) {
                    _ if out_of_memory => said::step_memory(self.task.limits.memory >> 20),
                    (Some(Ok(())), _) if code == 0 => {
                        return StepEnd { state: RunState::Passed, exit_code: Some(0), failure: None, tries: 1 };
                    }
                    (Some(Ok(())), Some(line)) => said::sidecar_left_line(code, line),
                    (Some(Ok(())), None) => said::sidecar_left(code),
                    (_, Some(line)) => said::sidecar_ended_line(code, line),
                    (_, None) => said::sidecar_ended(code),
                };
                StepEnd { exit_code: Some(code), ..not(RunState::Failed, failure) }
            }
            _ if cancelled => not(RunState::Cancelled, said::was_cancelled()),
            Ok(TaskEnd::Cancelled | TaskEnd::TimedOut) | Err(PlatformError::Cancelled) => match (self.readiness.get(), line) {
                (Some(Err(why)), Some(line)) => {
                    not(RunState::Failed, said::not_ready_line(self.planned.ready_within_ms / 1_000, why, line))
                }
                (Some(Err(why)), None) => not(RunState::Failed, said::not_ready(self.planned.ready_within_ms / 1_000, why)),
                // Nobody needs it any more: that is how it should end.
                _ => StepEnd { state: RunState::Passed, exit_code: None, failure: None, tries: 1 },
            },
            Err(PlatformError::CannotStart(cause)) => not(RunState::Failed, said::sidecar_not_startable(&self.planned.image, cause)),
            Err(error @ PlatformError::ImageNotFound { .. }) => not(RunState::Failed, error.to_string()),
            Err(error) if error.passing() => not(RunState::Lost, error.to_string()),
            Err(error) => not(RunState::Errored, error.to_string()),
        }
    }
}
