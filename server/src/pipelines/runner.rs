//! Carries a run out: preflight, workspace, stages in order, the image, and one transaction that makes the candidate and
//! its deploys. Begins where a former holder was interrupted.

mod afterwards;
mod beside;
mod finish;
mod listening;
mod prepare;
mod together;
mod watch;

use std::time::{Duration, Instant};

use app::{
    model::{RunEvent, RunState, StageKind, StepId},
    said,
};
use futures::future::{BoxFuture, FutureExt, join_all, ready};
use tokio::time::{Instant as Moment, timeout};
use tokio_util::sync::CancellationToken;

pub(super) use self::listening::note_wait;
use self::watch::Halt;
use super::{
    Context, build,
    caches::leaves_whole,
    collect::Found,
    file::{Pipeline, PlannedStage, say, types::Builder},
    rerun,
    room::{OfRun, Place},
    secrets, step,
    vouch::Baked,
};
use crate::{
    claim::{Claim, LEASE},
    store::{
        StoreError, caches,
        runs::{self, RunRow, StageRow, TakenUp},
    },
    wake::Duty,
};

/// How long until a run is taken up again after the engine went away, or the store did not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// How long it is tried to let go of a run; then its claim has run out by itself.
const LET_GO_WITHIN: Duration = LEASE;

/// How a run ends.
#[derive(Debug)]
struct Outcome {
    state: RunState,
    failure: Option<String>,
    /// The stage of the image and what it made; its end is written with the run's.
    image: Option<(StageRow, Baked)>,
}

impl Outcome {
    fn not(state: RunState, failure: impl Into<String>) -> Self {
        Self { state, failure: Some(failure.into()), image: None }
    }

    /// Good, and to make no image.
    const fn without_image() -> Self {
        Self { state: RunState::Passed, failure: None, image: None }
    }

    /// Left off, since another run that was to come to the same version did not pass.
    const fn left_off() -> Self {
        Self { state: RunState::Skipped, failure: None, image: None }
    }
}

/// What stops the work without an end of the run: the claim is lost, Berth stops, or the store does not answer.
#[derive(Debug)]
enum Left {
    /// Somebody else carries it out, or the next start will.
    Leaving,
    /// The store.
    Store(StoreError),
    /// The engine went away in the middle of a stage: the run is taken up again, as after a crash of Berth.
    Engine(String),
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Carries a claimed run out to its end, or leaves it as it is where the claim is lost or Berth stops. Says whether it came
/// to its end, and nothing of it is left.
pub async fn carry_out(ctx: Context, run: RunRow, claim: Claim, stop: CancellationToken) -> bool {
    let halt = Halt::default();
    let work = listening::aloud(&ctx, &run, work(&ctx, &run, &halt)).boxed();
    let result = watch::over(&ctx, &run, &halt, claim, &stop, work).await;
    let ended = result.is_ok() && !halt.left_something();
    match result {
        Ok(()) => {}
        Err(Left::Leaving) => tracing::info!(run = %run.id, "left for the next holder"),
        Err(Left::Store(StoreError::Unreadable { column, cause })) => {
            tracing::warn!(run = %run.id, column, cause, "what is stored of it does not read; it is ended");
            give_up(&ctx, &run, &column).await;
        }
        Err(Left::Store(error)) => {
            tracing::warn!(run = %run.id, %error, "left as it is: the store does not answer");
            if error.may_pass() {
                let_go(&ctx, &run, &stop).await;
            }
        }
        Err(Left::Engine(why)) => {
            tracing::warn!(run = %run.id, why, "left as it is; it is taken up again");
            let_go(&ctx, &run, &stop).await;
        }
    }
    ctx.run_changed(&run.team_id, &run.id);
    ended
}

/// Ends a run of which something does not read: whoever took it up again would get no further. What it left is swept.
async fn give_up(ctx: &Context, run: &RunRow, column: &str) {
    let ended = async {
        let mut tx = ctx.db.begin().await?;
        if runs::standing(&mut tx, &run.id, run.fence).await?.is_some() {
            runs::give_up(&mut tx, &run.id, column).await?;
        }
        tx.commit().await
    };
    if let Err(error) = ended.await {
        tracing::warn!(run = %run.id, %error, "its end could not be written");
    }
    ctx.wake.duty(Duty::Caches);
    ctx.wake.duty(Duty::Runs);
}

/// Lets go of a run after a while, so that it is taken up again; tries until the store takes it.
async fn let_go(ctx: &Context, run: &RunRow, stop: &CancellationToken) {
    let began = Instant::now();
    while began.elapsed() < LET_GO_WITHIN && timeout(AGAIN, stop.cancelled()).await.is_err() {
        match runs::let_go(&ctx.db, &run.id, run.fence).await {
            Ok(()) => break,
            Err(error) => tracing::warn!(run = %run.id, %error, "it cannot be let go of now"),
        }
    }
    ctx.wake.duty(Duty::Runs);
}

/// The stages, then what they left is removed, then the end is written: of a run whose image was built in one transaction
/// with that of its last stage. The end of one whose stage did not pass follows from that stage's row, and is not written
/// with it on purpose. A run that has ended gives its place away: to the next of its branch, in its concurrency group, on this
/// machine. While containers of it are there that would be too early, and its group would hold more than it may. Whatever
/// happens between, nothing is lost: who takes the run up finds the stage that ended (`TakenUp::Ended`), removes what is left,
/// and writes the same end.
async fn work(ctx: &Context, run: &RunRow, halt: &Halt) -> Result<(), Left> {
    let mut parts = together::carry_out(ctx, run, halt).await?;
    if halt.leaving() {
        return Err(Left::Leaving);
    }
    for part in &mut parts {
        let (id, keeps) = (&part.run.id, rerun::keeps(part.outcome.state));
        // The files of what failed stay: its end, which says so, is written next.
        let left = if keeps { ctx.platform.settle_run(id).await } else { ctx.platform.clean_run(id).await.map(|()| false) };
        match left {
            Ok(files) => part.files_kept = files,
            Err(error) => {
                tracing::warn!(run = %id, %error, "what it left could not be removed; the next sweep does it");
                halt.leave_something();
            }
        }
    }
    finish::finish(ctx, &mut parts).await
}

/// The stages still to do, in order, up to the first that does not pass.
async fn stages(ctx: &Context, run: &RunRow, pipeline: &Pipeline, halt: &Halt) -> Result<Outcome, Left> {
    // Counted from when it is taken up, which no moved clock changes.
    let until = Moment::now() + pipeline.terms.timeout();
    let mut tx = ctx.db.begin().await?;
    let to_do = runs::take_up(&mut tx, run, |stage| may_try_again(pipeline, stage)).await?;
    tx.commit().await?;
    let to_do = match to_do {
        None => return Err(Left::Leaving),
        Some(TakenUp::ToDo(to_do)) => {
            // What steps had that were interrupted is given up.
            if to_do.first().is_none_or(|stage| stage.attempt > 1) {
                ctx.wake.duty(Duty::Caches);
            }
            to_do
        }
        // Interrupted between the end of a stage and the run's: what stopped it then stops it now.
        Some(TakenUp::Ended(stage)) => {
            let why = runs::why(&ctx.db, &stage).await?;
            return Ok(Outcome::not(stage.state, ended_before(&stage, why)));
        }
    };
    if to_do.is_empty() && run.event == RunEvent::PullRequest && runs::is_whole(&ctx.db, &run.id).await? {
        return Ok(Outcome::without_image());
    }
    if to_do.is_empty() {
        return Ok(Outcome::not(RunState::Lost, said::interrupted()));
    }
    if let Some(refused) = pipeline.refused.first() {
        return Ok(Outcome::not(RunState::Failed, refused));
    }
    if pipeline.builder == Builder::Buildkit && !ctx.config.buildkit && run.event != RunEvent::PullRequest {
        return Ok(Outcome::not(RunState::Failed, said::buildkit_off()));
    }
    if let Some(missing) = secrets::missing(ctx, run, pipeline).await? {
        return Ok(Outcome::not(RunState::Failed, missing));
    }
    if run.cancel_asked_at.is_some() || halt.cancelled() {
        return Ok(cancelled());
    }
    if halt.spoiled() {
        return Ok(Outcome::left_off());
    }
    let mut said_first = pipeline.notes.clone();
    if let Some(outcome) = prepare::prepare(ctx, run, pipeline, &to_do, &mut said_first, halt).await? {
        return Ok(outcome);
    }
    let mut notes = said_first.as_slice();
    for stage in to_do {
        if halt.spoiled() {
            return Ok(Outcome::left_off());
        }
        if Moment::now() >= until {
            return Ok(too_long(pipeline));
        }
        let outcome = match stage.kind {
            StageKind::Steps => one_stage(ctx, run, pipeline, &stage, (notes, until), halt).await?,
            StageKind::Image => Some(image_stage(ctx, run, pipeline, stage, (notes, until), halt).await?),
        };
        match outcome {
            Some(outcome) if outcome.state == RunState::TimedOut && Moment::now() >= until => return Ok(too_long(pipeline)),
            Some(outcome) => return Ok(outcome),
            None => notes = &[],
        }
    }
    if run.event == RunEvent::PullRequest {
        return Ok(Outcome::without_image());
    }
    Ok(Outcome::not(RunState::Errored, "The run has no stage that makes an image."))
}

/// The end of a run that took longer than it may.
fn too_long(pipeline: &Pipeline) -> Outcome {
    Outcome::not(RunState::TimedOut, said::run_too_long(say(pipeline.terms.timeout())))
}

/// The sentence of a stage that had ended when Berth was interrupted: the same as without.
fn ended_before(stage: &StageRow, why: Option<(String, String, bool)>) -> String {
    match (stage.state, stage.kind, why) {
        (RunState::Cancelled, ..) => said::was_cancelled(),
        (_, StageKind::Steps, Some((sidecar, failure, true))) => said::in_sidecar(&stage.name, sidecar, failure),
        (_, StageKind::Steps, Some((step, failure, false))) => said::in_step(&stage.name, step, failure),
        (_, StageKind::Image, Some((_, failure, _))) => said::not_in_step(&stage.name, failure),
        (_, _, None) => said::not_in_step(&stage.name, said::did_not_pass()),
    }
}

fn may_try_again(pipeline: &Pipeline, stage: &StageRow) -> bool {
    let planned = pipeline.stages.iter().find(|planned| planned.name == stage.name);
    stage.attempt <= planned.map_or(2, |planned| planned.lost_retries)
}

fn cancelled() -> Outcome {
    Outcome::not(RunState::Cancelled, said::was_cancelled())
}

/// Begins a stage, but for those of its steps that wait.
async fn begin(ctx: &Context, run: &RunRow, stage: &StageRow, waiting: &[&StepId]) -> Result<(), Left> {
    let mut tx = ctx.db.begin().await?;
    let ours = runs::begin_stage(&mut tx, &run.id, run.fence, stage).await?;
    for step in waiting {
        runs::hold_back(&mut tx, step).await?;
    }
    tx.commit().await?;
    ctx.run_changed(&run.team_id, &run.id);
    if ours { Ok(()) } else { Err(Left::Leaving) }
}

/// A stage of steps, side by side. None: it passed.
async fn one_stage(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    stage: &StageRow,
    (notes, until): (&[String], Moment),
    halt: &Halt,
) -> Result<Option<Outcome>, Left> {
    let Some(planned) = pipeline.stages.iter().find(|planned| planned.name == stage.name) else {
        return Ok(Some(Outcome::not(RunState::Errored, format!("The stage {} is not in the run's pipeline.", stage.name))));
    };
    let room = ctx.room.of_run_on(ctx.platform.host_of(&run.id));
    let places = places(&room, stage);
    begin(ctx, run, stage, &waiting(stage, &places)).await?;
    let steps = async {
        let ends = all_steps(ctx, run, pipeline, (stage, planned), (notes, until), (&room, places), halt).await?;
        afterwards::steps(ctx, run, pipeline, (stage, planned), &ends, halt).await?;
        Ok::<_, Left>(ends)
    };
    let ends = match beside::with(ctx, run, stage, planned, halt, steps).await? {
        beside::Worked::Done(ends) => ends?,
        beside::Worked::NotBegun(sidecar, end) => return not_begun(ctx, (run, pipeline), (stage, planned), sidecar, end, halt).await,
    };
    if halt.leaving() {
        return Err(Left::Leaving);
    }
    if let Some(lost) = ends.iter().find(|end| end.state == RunState::Lost) {
        return Err(Left::Engine(lost.failure.clone().unwrap_or_default()));
    }
    let worst = worst(&ends);
    let state = worst.map_or(RunState::Passed, |index| ends[index].state);
    end_stage(ctx, run, stage, state).await?;
    Ok(worst.map(|index| Outcome::not(state, sentence(stage, planned, index, &ends[index]))))
}

/// Whether a step is not to be run: it is not wanted, or was taken over from another run.
const fn is_done(state: RunState) -> bool {
    matches!(state, RunState::Skipped | RunState::Passed)
}

/// The places of the steps of a stage, as far as there are some at once. One that is not to be run needs none.
fn places(room: &OfRun, stage: &StageRow) -> Vec<Option<Place>> {
    stage.steps.iter().map(|(_, _, state)| if is_done(*state) { None } else { room.at_once() }).collect()
}

/// The steps that wait for a place.
fn waiting<'s>(stage: &'s StageRow, places: &[Option<Place>]) -> Vec<&'s StepId> {
    let steps = stage.steps.iter().zip(places);
    steps.filter(|((_, _, state), place)| !is_done(*state) && place.is_none()).map(|((id, ..), _)| id).collect()
}

/// The steps of a stage, side by side, each to its end.
async fn all_steps(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    (stage, planned): (&StageRow, &PlannedStage),
    (notes, until): (&[String], Moment),
    (room, places): (&OfRun, Vec<Option<Place>>),
    halt: &Halt,
) -> Result<Vec<step::StepEnd>, Left> {
    let until = until.min(Moment::now() + Duration::from_millis(planned.timeout_ms));
    let mut steps: Vec<BoxFuture<'_, Result<step::StepEnd, Left>>> = Vec::new();
    for (index, ((row, step), place)) in stage.steps.iter().zip(&planned.steps).zip(places).enumerate() {
        if is_done(row.2) {
            steps.push(ready(Ok(step::StepEnd::skipped())).boxed());
            continue;
        }
        let notes = if steps_begun(&stage.steps[..index]) { &[] } else { notes };
        let job = step::Job { run, stage: &stage.name, index, id: &row.0, step, folder: &pipeline.path, notes, until };
        steps.push(in_its_place(ctx, job, (room, place), halt).boxed());
    }
    join_all(steps).await.into_iter().collect()
}

/// Whether one of these steps is to be run.
fn steps_begun(steps: &[(StepId, String, RunState)]) -> bool {
    steps.iter().any(|(_, _, state)| !is_done(*state))
}

/// Ends a stage whose steps were never begun, because one of those beside them was not ready.
async fn not_begun(
    ctx: &Context,
    (run, pipeline): (&RunRow, &Pipeline),
    (stage, planned): (&StageRow, &PlannedStage),
    sidecar: usize,
    end: step::StepEnd,
    halt: &Halt,
) -> Result<Option<Outcome>, Left> {
    let name = planned.sidecars.get(sidecar).map(|sidecar| sidecar.name.as_str()).unwrap_or_default();
    let failed = afterwards::Failed { stage, planned: Some(planned), step: name, state: end.state };
    afterwards::carry_out(ctx, run, pipeline, failed, halt).await?;
    end_stage(ctx, run, stage, end.state).await?;
    if end.state == RunState::Cancelled {
        return Ok(Some(cancelled()));
    }
    let failure = end.failure.unwrap_or_else(said::did_not_pass);
    Ok(Some(Outcome::not(end.state, said::in_sidecar(&stage.name, name, failure))))
}

async fn end_stage(ctx: &Context, run: &RunRow, stage: &StageRow, state: RunState) -> Result<(), Left> {
    let mut tx = ctx.db.begin().await?;
    let ours = runs::end_stage(&mut tx, &run.id, run.fence, &stage.id, state).await?;
    tx.commit().await?;
    if !ours {
        return Err(Left::Leaving);
    }
    ctx.run_changed(&run.team_id, &run.id);
    Ok(())
}

/// The step that decides how its stage ends.
fn worst(ends: &[step::StepEnd]) -> Option<usize> {
    worst_of(&ends.iter().map(|end| end.state).collect::<Vec<_>>())
}

/// Which of several decides how the whole ends: a cancelled one, else one that failed, else the first that did not pass.
fn worst_of(ends: &[RunState]) -> Option<usize> {
    let find = |state: RunState| ends.iter().position(|end| *end == state);
    let good = |end: &RunState| matches!(end, RunState::Passed | RunState::Skipped);
    find(RunState::Cancelled).or_else(|| find(RunState::Failed)).or_else(|| ends.iter().position(|end| !good(end)))
}

fn sentence(stage: &StageRow, planned: &PlannedStage, step: usize, end: &step::StepEnd) -> String {
    if end.state == RunState::Cancelled {
        return said::was_cancelled();
    }
    let step = planned.steps.get(step).map(|step| step.name.as_str()).unwrap_or_default();
    said::in_step(&stage.name, step, end.failure.clone().unwrap_or_else(said::did_not_pass))
}

/// A step, once there is a place for it; how long it waited is said in its log.
async fn in_its_place(
    ctx: &Context,
    job: step::Job<'_>,
    (room, place): (&OfRun, Option<Place>),
    halt: &Halt,
) -> Result<step::StepEnd, Left> {
    let mut notes = job.notes.to_vec();
    let _place = match place {
        Some(place) => Some(place),
        None => {
            let since = Instant::now();
            let place = room.wait(halt.token()).await;
            let (each, all) = ctx.room.limits();
            notes.push(said::waited_for_room(since.elapsed().as_secs(), each, all));
            begin_step(ctx, job.run, job.id, halt).await?;
            place
        }
    };
    one_step(ctx, step::Job { notes: &notes, ..job }, halt).await
}

async fn begin_step(ctx: &Context, run: &RunRow, step: &StepId, halt: &Halt) -> Result<(), Left> {
    // Whoever is cancelled is not begun: the end that follows says so.
    if halt.cancelled() {
        return Ok(());
    }
    let mut tx = ctx.db.begin().await?;
    let ours = runs::begin_step(&mut tx, &run.id, run.fence, step).await?;
    tx.commit().await?;
    ctx.run_changed(&run.team_id, &run.id);
    if ours { Ok(()) } else { Err(Left::Leaving) }
}

async fn one_step(ctx: &Context, job: step::Job<'_>, halt: &Halt) -> Result<step::StepEnd, Left> {
    let (end, found) = step::carry_out(ctx, &job, halt.token()).await?;
    if halt.leaving() {
        return Err(Left::Leaving);
    }
    write_end(ctx, job.run, job.id, &end, Some(&found)).await?;
    Ok(end)
}

/// Writes the end of a step with what it left, or of what ran beside one.
async fn write_end(ctx: &Context, run: &RunRow, id: &StepId, end: &step::StepEnd, found: Option<&Found>) -> Result<(), Left> {
    let mut tx = ctx.db.begin().await?;
    let ours = runs::end_step(&mut tx, &run.id, run.fence, id, end.state, end.exit_code, end.failure.as_deref()).await?;
    if ours && end.tries > 1 {
        runs::set_tries(&mut tx, id, end.tries).await?;
    }
    if let Some(found) = found.filter(|_| ours) {
        found.keep(&mut tx, run, id).await?;
    }
    let left_caches = ours && caches::give_back(&mut tx, id, leaves_whole(end.exit_code)).await?;
    tx.commit().await?;
    if left_caches {
        ctx.wake.duty(Duty::Caches);
    }
    ctx.wake.changed(Some(&run.team_id), format!("step:{id}"));
    ctx.run_changed(&run.team_id, &run.id);
    if ours { Ok(()) } else { Err(Left::Leaving) }
}

async fn image_stage(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    stage: StageRow,
    (notes, until): (&[String], Moment),
    halt: &Halt,
) -> Result<Outcome, Left> {
    let Some((step, name, _)) = stage.steps.first().cloned() else {
        return Ok(Outcome::not(RunState::Errored, "The stage image has no step."));
    };
    begin(ctx, run, &stage, &[]).await?;
    let (end, image) = build::carry_out(ctx, run, pipeline, &step, (notes, until), halt.token()).await?;
    if halt.leaving() {
        return Err(Left::Leaving);
    }
    if end.state == RunState::Lost {
        return Err(Left::Engine(end.failure.unwrap_or_default()));
    }
    if let Some(image) = image {
        return Ok(Outcome { state: RunState::Passed, failure: None, image: Some((stage, image)) });
    }
    let mut tx = ctx.db.begin().await?;
    runs::end_step(&mut tx, &run.id, run.fence, &step, end.state, end.exit_code, end.failure.as_deref()).await?;
    let ours = runs::end_stage(&mut tx, &run.id, run.fence, &stage.id, end.state).await?;
    tx.commit().await?;
    ctx.wake.changed(Some(&run.team_id), format!("step:{step}"));
    if !ours {
        return Err(Left::Leaving);
    }
    let failed = afterwards::Failed { stage: &stage, planned: None, step: &name, state: end.state };
    afterwards::carry_out(ctx, run, pipeline, failed, halt).await?;
    let failure = end.failure.unwrap_or_default();
    Ok(Outcome::not(end.state, if end.state == RunState::Cancelled { failure } else { said::in_image(failure) }))
}
