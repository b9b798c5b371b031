//! One run of a push, as far as it was told.

use std::collections::{BTreeMap, BTreeSet};

use app::{
    model::{LineKind, Rollout, RolloutId, RolloutState, Run, RunState, ServiceId, Stage, Step, StepId, Timestamp},
    said,
};

use super::{Gone, Listener};
use crate::store::{
    logs,
    rollouts::{self, address_of},
    selection::OfPush,
};

/// A step that wrote more than this many lines since the last look has the older ones left out.
const BURST: u64 = 1_000;

/// A run, and what was told of it.
pub(super) struct Told {
    /// Its service.
    pub(super) service: ServiceId,
    /// Its number.
    pub(super) number: u64,
    /// Stands before each line, where the push made several runs.
    prefix: String,
    /// The stages whose beginning was told, by their place in the listing.
    begun: BTreeSet<usize>,
    /// The stages whose end was told; the last place there is stands for the run.
    done: BTreeSet<usize>,
    /// The lines told of each step.
    lines: BTreeMap<StepId, u64>,
    /// The evidence told of each rollout.
    rollouts: BTreeMap<RolloutId, usize>,
    ended: BTreeSet<RolloutId>,
    /// Whether what is wrong with the pipeline file was told already.
    quiet: bool,
}

impl Told {
    /// Nothing told yet.
    pub(super) fn new(run: OfPush, several: bool, quiet: bool) -> Self {
        Self {
            prefix: if several { format!("{} · ", run.shown.service) } else { String::new() },
            service: run.service_id,
            number: run.shown.number,
            begun: BTreeSet::new(),
            done: BTreeSet::new(),
            lines: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            ended: BTreeSet::new(),
            quiet,
        }
    }

    async fn say(&self, to: &Listener, line: impl std::fmt::Display) -> Result<(), Gone> {
        to.say(format!("{}{line}", self.prefix)).await
    }

    /// Tells what is new. True: all has ended.
    pub(super) async fn look(&mut self, to: &Listener, run: &Run) -> Result<bool, Gone> {
        for (index, stage) in run.stages.iter().enumerate() {
            let reached = run.stages[..index].iter().all(|before| before.state.ended());
            self.left_out(to, index, stage, reached).await?;
            self.stage(to, index, stage).await?;
        }
        if !run.state.ended() {
            return Ok(false);
        }
        if self.done.insert(usize::MAX) {
            self.end(to, run).await?;
        }
        let mut open = false;
        for brief in &run.rollouts {
            open |= !self.rollout(to, &brief.id).await?;
        }
        Ok(!open)
    }

    async fn end(&self, to: &Listener, run: &Run) -> Result<(), Gone> {
        let failure = run.failure.as_deref().unwrap_or_default();
        match (run.state, run.candidate) {
            (RunState::Passed, Some(candidate)) if run.kept => self.say(to, format!("✓ unchanged, candidate {candidate} is kept")).await?,
            (RunState::Passed, Some(candidate)) => self.say(to, format!("✓ candidate {candidate}")).await?,
            (RunState::Skipped, _) => self.say(to, format!("– skipped. {}", run.reason)).await?,
            _ if self.quiet => self.say(to, "✗ failed: the pipeline file has problems.").await?,
            (state, _) => self.say(to, format!("✗ {}. {failure}", words(state))).await?,
        }
        if run.candidate.is_some() && run.rollouts.is_empty() && !run.kept {
            let how = format!("berth deploy {} --env ENV --candidate {}", run.service, run.candidate.unwrap_or_default());
            self.say(to, format!("It is deployed nowhere by itself. `{how}` does it.")).await?;
        }
        Ok(())
    }

    /// Says of a stage that is not wanted in this run that it is left out, and why; where it would have been its turn.
    async fn left_out(&mut self, to: &Listener, index: usize, stage: &Stage, reached: bool) -> Result<(), Gone> {
        let why = stage.steps.first().and_then(|step| step.failure.as_ref()).filter(|_| stage.state == RunState::Skipped && reached);
        match why {
            Some(why) if self.done.insert(index) => self.say(to, format!("– {} skipped, {why}", stage.name)).await,
            _ => Ok(()),
        }
    }

    async fn stage(&mut self, to: &Listener, index: usize, stage: &Stage) -> Result<(), Gone> {
        if stage.state == RunState::Queued || stage.state == RunState::Skipped {
            return Ok(());
        }
        if self.begun.insert(index) {
            let attempt = if stage.attempt > 1 { format!(" (attempt {})", stage.attempt) } else { String::new() };
            self.say(to, format!("▸ {}{attempt}", stage.name)).await?;
        }
        // What runs beside the steps is told of where it failed; its log is on the run's page.
        for step in stage.steps.iter().filter(|step| !step.sidecar || step.state == RunState::Failed) {
            self.step(to, step, stage.steps.len() > 1).await?;
        }
        if stage.state.ended() && self.done.insert(index) {
            let mark = if stage.state == RunState::Passed { "✓" } else { "✗" };
            self.say(to, format!("{mark} {} {}{}", stage.name, words(stage.state), took(stage.started_at, stage.finished_at))).await?;
        }
        Ok(())
    }

    async fn step(&mut self, to: &Listener, step: &Step, named: bool) -> Result<(), Gone> {
        let mut from = self.lines.get(&step.id).copied().unwrap_or(0) + 1;
        let prefix = if named { format!("  {} | ", step.name) } else { "  ".to_owned() };
        if step.lines > from + BURST {
            let skipped = step.lines - BURST - from;
            self.say(to, format!("{prefix}… {skipped} lines left out here; the run's page has them")).await?;
            from += skipped;
        }
        while from <= step.lines {
            let range = logs::read(&to.control.db, &to.repository.team_id, &step.id, from, 500).await.ok().flatten();
            let lines = range.map(|range| range.lines).unwrap_or_default();
            let Some(last) = lines.last().map(|line| line.number) else { return Ok(()) };
            // That a step passed is said when its stage ends.
            for line in lines.into_iter().filter(|line| line.kind != LineKind::Exit || line.text != said::exited(0)) {
                let sign = if line.kind == LineKind::Command { "$ " } else { "" };
                self.say(to, format!("{prefix}{sign}{}", line.text)).await?;
            }
            self.lines.insert(step.id.clone(), last);
            from = last + 1;
        }
        Ok(())
    }

    /// Tells what is new of a rollout. True: it has ended.
    async fn rollout(&mut self, to: &Listener, id: &RolloutId) -> Result<bool, Gone> {
        let Ok(Some(rollout)) = rollouts::show(&to.control.db, &to.repository.team_id, id).await else { return Ok(false) };
        let told = match self.rollouts.get(id) {
            Some(told) => *told,
            None => {
                self.say(to, format!("▸ {}: release {}", rollout.environment, rollout.to)).await?;
                0
            }
        };
        for evidence in rollout.evidence.iter().skip(told) {
            self.say(to, format!("  {}", evidence.fact)).await?;
        }
        self.rollouts.insert(id.clone(), rollout.evidence.len());
        if rollout.state.ended() && self.ended.insert(id.clone()) {
            self.rolled_out(to, &rollout).await?;
        }
        Ok(rollout.state.ended())
    }

    async fn rolled_out(&self, to: &Listener, rollout: &Rollout) -> Result<(), Gone> {
        let place = &rollout.environment;
        if rollout.state != RolloutState::Succeeded {
            let failure = rollout.failure.as_deref().unwrap_or("The release before it goes on serving.");
            for line in &rollout.last_lines {
                self.say(to, format!("  {line}")).await?;
            }
            return self.say(to, format!("✗ {place}: {}. {failure}", rollout.state.name())).await;
        }
        let address = address_of(&to.control.db, &to.repository.team_id, &rollout.id).await.ok().flatten();
        let line = match address {
            Some((host, path)) => format!("✓ {place}: live at {}", to.control.config.url_of(&host, &path)),
            None => format!("✓ {place}: live"),
        };
        self.say(to, line).await
    }
}

fn words(state: RunState) -> String {
    state.name().replace('_', " ")
}

fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!(" ({:.1} s)", to.since(from).as_secs_f64()),
        _ => String::new(),
    }
}
