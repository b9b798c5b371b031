//! What is run after a stage failed (`on_failure`): with the same files, beside the same sidecars where they are still there.
//!
//! How the stage ended is written before any of it begins, in one transaction with its rows. So it changes nothing about that,
//! and is run at most once: whoever takes the run up after a crash finds a stage that has ended, and ends the run. Nothing of
//! it is run where somebody cancelled, where a newer push took the run's place, or where an engine was lost, since then the
//! stage is begun again.

use std::time::Duration;

use app::model::RunState;
use futures::future::join_all;
use tokio::time::Instant;

use super::{Context, Left, one_step, step, watch::Halt, worst};
use crate::{
    pipelines::file::{Pipeline, PlannedStage, PlannedStep},
    store::runs::{self, RunRow, StageRow},
};

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(600);
/// Its places in the stage begin here: none is the name of a step's container.
const FIRST: usize = 1_000;

/// What failed.
#[derive(Clone, Copy)]
pub(super) struct Failed<'a> {
    /// The stage.
    pub(super) stage: &'a StageRow,
    /// How it is in the pipeline; none: it is that of the image.
    pub(super) planned: Option<&'a PlannedStage>,
    /// The step, or what ran beside them.
    pub(super) step: &'a str,
    /// How it ended.
    pub(super) state: RunState,
}

/// Runs what is to be run after the steps of a stage, if they failed.
pub(super) async fn steps(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    (stage, planned): (&StageRow, &PlannedStage),
    ends: &[step::StepEnd],
    halt: &Halt,
) -> Result<(), Left> {
    let lost = ends.iter().any(|end| end.state == RunState::Lost);
    let Some(index) = worst(ends).filter(|_| !lost) else { return Ok(()) };
    let step = planned.steps.get(index).map(|step| step.name.as_str()).unwrap_or_default();
    carry_out(ctx, run, pipeline, Failed { stage, planned: Some(planned), step, state: ends[index].state }, halt).await
}

/// Runs what is to be run after this failure, side by side. How it ends is of no consequence.
pub(super) async fn carry_out(ctx: &Context, run: &RunRow, pipeline: &Pipeline, failed: Failed<'_>, halt: &Halt) -> Result<(), Left> {
    let planned = wanted(pipeline, failed);
    if planned.is_empty() || halt.cancelled() {
        return Ok(());
    }
    let rows: Vec<(&str, &str)> = planned.iter().map(|step| (step.name.as_str(), step.image.as_str())).collect();
    let mut tx = ctx.db.begin().await?;
    let begun = runs::begin_after(&mut tx, run, failed.stage, failed.state, &rows).await?;
    tx.commit().await?;
    let Some(ids) = begun else { return Err(Left::Leaving) };
    ctx.run_changed(&run.team_id, &run.id);
    let told: Vec<PlannedStep> = planned.into_iter().map(|step| telling(step, failed)).collect();
    let (room, until) = (ctx.room.of_run_on(ctx.platform.host_of(&run.id)), Instant::now() + LONGEST);
    let steps = told.iter().zip(&ids).zip(FIRST..).map(|((step, id), index)| {
        let job = step::Job { run, stage: &failed.stage.name, index, id, step, folder: &pipeline.path, notes: &[], until };
        let room = &room;
        async move {
            let _place = room.wait(halt.token()).await;
            one_step(ctx, job, halt).await
        }
    });
    join_all(steps).await.into_iter().try_for_each(|end| end.map(drop))
}

/// What is to be run after this failure: what the stage names, and what the service does.
fn wanted<'p>(pipeline: &'p Pipeline, failed: Failed<'p>) -> Vec<&'p PlannedStep> {
    if !matches!(failed.state, RunState::Failed | RunState::TimedOut | RunState::Errored) {
        return Vec::new();
    }
    failed.planned.into_iter().flat_map(|stage| &stage.on_failure).chain(&pipeline.on_failure).collect()
}

/// The step, told what failed.
fn telling(step: &PlannedStep, failed: Failed<'_>) -> PlannedStep {
    let mut step = step.clone();
    let told = [("BERTH_FAILED_STAGE", failed.stage.name.as_str()), ("BERTH_FAILED_STEP", failed.step)];
    step.env.extend(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
    step
}
