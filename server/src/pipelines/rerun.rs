//! Whether a new run can go on where another failed, and what it takes over from it: decided from what is written down of that
//! run, and from nothing else. What a run goes on with are the files as the other left them: also those that the failed stage
//! had made or changed by then.

use std::{collections::BTreeMap, time::Duration};

use app::model::{RetryFrom, RunState, StageKind, Timestamp};

use super::file::{Pipeline, PlannedStage};
use crate::store::runs::StageRow;

/// How long the files of a run that failed are kept, and for how long again once a run goes on from it.
pub const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Whether a run that ends like this keeps its files: it said no itself. Where an engine or Berth could not carry it out, nobody
/// knows what is in them.
pub const fn keeps(state: RunState) -> bool {
    matches!(state, RunState::Failed | RunState::TimedOut)
}

/// A run, as far as going on from it goes.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// How it is.
    pub state: RunState,
    /// What it was to do.
    pub pipeline: Option<&'a Pipeline>,
    /// Its stages with all their attempts, in order.
    pub stages: &'a [StageRow],
    /// Until when its files are kept.
    pub files_until: Option<Timestamp>,
}

/// How a new run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the commit's files.
    Anew,
    /// Where the other failed: of each stage, by its place, these steps are taken over.
    GoesOn {
        /// The stage it begins at.
        at: String,
        /// The names of the steps.
        taken: Vec<Vec<String>>,
        /// Whether it needs the other's files.
        files: bool,
    },
}

/// Why a run cannot go on from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It did not fail.
    NotFailed,
    /// Nothing of it was ever run.
    NothingRan,
    /// What it was to do is not what its stages are.
    Changed,
    /// Its files are not there any more.
    FilesGone,
}

/// How a new run begins that is asked to begin there.
///
/// # Errors
/// Why it cannot.
pub fn decide(from: RetryFrom, before: Before<'_>, now: Timestamp) -> Result<Begin, Refusal> {
    if from == RetryFrom::Start {
        return Ok(Begin::Anew);
    }
    if !matches!(before.state, RunState::Failed | RunState::TimedOut | RunState::Errored | RunState::Lost) {
        return Err(Refusal::NotFailed);
    }
    let pipeline = before.pipeline.filter(|_| !before.stages.is_empty()).ok_or(Refusal::NothingRan)?;
    let newest: BTreeMap<u32, &StageRow> = before.stages.iter().map(|stage| (stage.position, stage)).collect();
    let newest: Vec<&StageRow> = newest.into_values().collect();
    if !same(pipeline, &newest) {
        return Err(Refusal::Changed);
    }
    let done = |(stage, planned): &(&StageRow, &PlannedStage)| stage.state == RunState::Passed || planned.is_skipped();
    let next = newest.iter().copied().zip(&pipeline.stages).take_while(done).count();
    let mut taken: Vec<Vec<String>> = newest[..next].iter().map(|stage| passed(stage)).collect();
    if from == RetryFrom::Steps && next < pipeline.stages.len() {
        let some = passed(newest[next]);
        // Where each of them passed it was something else that failed: they are tried again.
        let all = newest[next].steps.iter().all(|(_, _, state)| matches!(state, RunState::Passed | RunState::Skipped));
        taken.push(if all { Vec::new() } else { some });
    }
    if taken.iter().all(Vec::is_empty) {
        return Ok(Begin::Anew);
    }
    let files = needs_files(pipeline, newest[next].kind);
    if files && before.files_until.is_none_or(|until| until < now) {
        return Err(Refusal::FilesGone);
    }
    Ok(Begin::GoesOn { at: newest[next].name.clone(), taken, files })
}

/// Whether what begins with a stage of this kind needs what the stages before it left.
pub fn needs_files(pipeline: &Pipeline, next: StageKind) -> bool {
    next == StageKind::Steps || pipeline.recipe.is_some() || !pipeline.on_failure.is_empty()
}

/// The names of the steps of a stage that passed.
fn passed(stage: &StageRow) -> Vec<String> {
    stage.steps.iter().filter(|(_, _, state)| *state == RunState::Passed).map(|(_, name, _)| name.clone()).collect()
}

/// Whether these are the stages of a pipeline, with the image as the last.
fn same(pipeline: &Pipeline, stages: &[&StageRow]) -> bool {
    let Some((image, rest)) = stages.split_last() else { return false };
    let alike = |(stage, planned): (&&StageRow, &PlannedStage)| {
        stage.kind == StageKind::Steps
            && stage.name == planned.name
            && stage.steps.iter().map(|(_, name, _)| name).eq(planned.steps.iter().map(|step| &step.name))
    };
    image.kind == StageKind::Image && rest.len() == pipeline.stages.len() && rest.iter().zip(&pipeline.stages).all(alike)
}

#[cfg(test)]
mod tests {
    use app::model::{StageId, StepId};

    use super::{Begin::*, RunState::*, *};
    use crate::pipelines::file;

    const NOW: Timestamp = Timestamp(1_000);
    const KEPT: Option<Timestamp> = Some(Timestamp(1_001));

    fn pipeline(more: &str) -> Pipeline {
        let text = format!(
            "version: 1
services:
  hello:
    {more}
    stages:
      - name: fast
        steps: [{{ name: unit, image: a, run: [b] }}]
      - name: slow
        steps: [{{ name: one, image: a, run: [b] }}, {{ name: two, image: a, run: [b] }}]
"
        );
        file::resolve(Some(&text), true, "hello").unwrap()
    }

    fn stage(position: u32, attempt: u32, name: &str, state: RunState, steps: &[(&str, RunState)]) -> StageRow {
        StageRow {
            id: StageId::from_text(format!("{position}-{attempt}")),
            position,
            name: name.into(),
            kind: if name == "image" { StageKind::Image } else { StageKind::Steps },
            state,
            attempt,
            steps: steps.iter().map(|(name, state)| (StepId::from_text(*name), (*name).to_owned(), *state)).collect(),
            sidecars: Vec::new(),
        }
    }

    /// The stages of a run whose steps ended like this; a stage ends as its worst step.
    fn stages([unit, one, two, image]: [RunState; 4]) -> Vec<StageRow> {
        let slow = if one == Passed { two } else { one };
        vec![
            stage(0, 1, "fast", unit, &[("unit", unit)]),
            stage(1, 1, "slow", slow, &[("one", one), ("two", two)]),
            stage(2, 1, "image", image, &[("build", image)]),
        ]
    }

    fn goes_on(taken: &[&[&str]], files: bool) -> Result<Begin, Refusal> {
        let at = if taken.iter().map(|names| names.len()).sum::<usize>() == 3 { "image" } else { "slow" };
        Ok(GoesOn {
            at: at.into(),
            taken: taken.iter().map(|names| names.iter().map(|name| (*name).to_owned()).collect()).collect(),
            files,
        })
    }

    #[test]
    fn what_is_taken_over_is_what_passed_before_the_failure() {
        use RetryFrom::{Stage, Start, Steps};
        let failed_two = [Passed, Passed, Failed, Skipped];
        let failed_both = [Passed, Failed, TimedOut, Skipped];
        let failed_first = [Failed, Skipped, Skipped, Skipped];
        let failed_image = [Passed, Passed, Passed, Failed];
        type Case = (RetryFrom, RunState, [RunState; 4], Option<Timestamp>, Result<Begin, Refusal>);
        let cases: [Case; 19] = [
            (Start, Failed, failed_two, None, Ok(Anew)),
            (Start, Passed, [Passed; 4], None, Ok(Anew)),
            (Stage, Passed, [Passed; 4], KEPT, Err(Refusal::NotFailed)),
            (Stage, Cancelled, failed_two, KEPT, Err(Refusal::NotFailed)),
            (Steps, Superseded, failed_two, KEPT, Err(Refusal::NotFailed)),
            (Stage, Running, failed_two, KEPT, Err(Refusal::NotFailed)),
            (Stage, Failed, failed_two, KEPT, goes_on(&[&["unit"]], true)),
            (Steps, Failed, failed_two, KEPT, goes_on(&[&["unit"], &["one"]], true)),
            (Steps, Failed, failed_both, KEPT, goes_on(&[&["unit"], &[]], true)),
            (Stage, TimedOut, failed_both, Some(NOW), goes_on(&[&["unit"]], true)),
            (Stage, Failed, failed_two, None, Err(Refusal::FilesGone)),
            (Steps, Failed, failed_two, Some(Timestamp(999)), Err(Refusal::FilesGone)),
            // Nothing is there to be taken over: no files are needed either.
            (Stage, Failed, failed_first, None, Ok(Anew)),
            (Steps, Failed, failed_first, None, Ok(Anew)),
            // The image is built from the commit's files.
            (Stage, Errored, failed_image, None, goes_on(&[&["unit"], &["one", "two"]], false)),
            (Steps, Failed, failed_image, KEPT, goes_on(&[&["unit"], &["one", "two"]], false)),
            // It did not fail itself, but what it was to come to one version with.
            (Stage, Failed, [Passed; 4], None, goes_on(&[&["unit"], &["one", "two"]], false)),
            (Stage, Failed, [Passed, Skipped, Skipped, Skipped], KEPT, goes_on(&[&["unit"]], true)),
            (Stage, Lost, failed_two, None, Err(Refusal::FilesGone)),
        ];
        let plain = pipeline("watch: []");
        for (from, state, ends, files_until, expected) in cases {
            let before = Before { state, pipeline: Some(&plain), stages: &stages(ends), files_until };
            assert_eq!(decide(from, before, NOW), expected, "{from:?} of a run that {state:?} with {ends:?}");
        }
        println!("proof: going on from a failed run: 19 cases decided");
    }

    #[test]
    fn the_newest_attempt_counts_and_what_runs_after_a_failure_needs_the_files() {
        let mut rows = stages([Lost, Skipped, Skipped, Skipped]);
        rows.insert(1, stage(0, 2, "fast", Passed, &[("unit", Passed)]));
        rows.push(stage(1, 2, "slow", Failed, &[("one", Failed), ("two", Failed)]));
        let plain = pipeline("watch: []");
        let before = Before { state: Failed, pipeline: Some(&plain), stages: &rows, files_until: KEPT };
        assert_eq!(decide(RetryFrom::Stage, before, NOW), goes_on(&[&["unit"]], true));
        let tells = pipeline("on_failure: [{ name: tell, image: a, run: [b] }]");
        let rows = stages([Passed, Passed, Passed, Failed]);
        let before = Before { state: Failed, pipeline: Some(&tells), stages: &rows, files_until: None };
        assert_eq!(decide(RetryFrom::Stage, before, NOW), Err(Refusal::FilesGone));
    }

    #[test]
    fn a_pipeline_of_other_stages_is_not_gone_on_with() {
        let plain = pipeline("watch: []");
        let whole = stages([Passed, Failed, Passed, Skipped]);
        let mut renamed = whole.clone();
        renamed[0].name = "quick".into();
        let mut fewer = whole.clone();
        fewer[1].steps.pop();
        for (stages, expected) in [
            (&whole[..], goes_on(&[&["unit"], &["two"]], true)),
            (&renamed[..], Err(Refusal::Changed)),
            (&fewer[..], Err(Refusal::Changed)),
            (&whole[..2], Err(Refusal::Changed)),
            (&[][..], Err(Refusal::NothingRan)),
        ] {
            let before = Before { state: Failed, pipeline: Some(&plain), stages, files_until: KEPT };
            assert_eq!(decide(RetryFrom::Steps, before, NOW), expected);
        }
        let before = Before { state: Failed, pipeline: None, stages: &whole, files_until: KEPT };
        assert_eq!(decide(RetryFrom::Stage, before, NOW), Err(Refusal::NothingRan));
    }

    #[test]
    fn files_are_kept_where_the_run_itself_said_no() {
        let kept: Vec<RunState> = RunState::ALL.into_iter().filter(|state| keeps(*state)).collect();
        assert_eq!(kept, [Failed, TimedOut]);
    }
}
