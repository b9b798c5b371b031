//! What a pusher sees after a push: the run's address first, then the run as it goes, until its candidate is live or it is
//! known why not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use app::model::{LineKind, Rollout, RolloutId, RolloutState, Run, RunId, RunState, Stage, Step, StepId, Timestamp};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, timeout},
};

use super::Control;
use crate::store::{
    logs,
    repositories::RepositoryRow,
    rollouts::{self, address_of},
    runs,
};

/// How long a push waits for its run to be written down.
const RUN_WAIT: Duration = Duration::from_secs(30);
/// How long a run and its rollouts are relayed at most.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);
/// Without a wake-up it is looked again after this long.
const LOOK: Duration = Duration::from_secs(2);
/// A step that wrote more than this many lines since the last look has the older ones left out.
const BURST: u64 = 1_000;

/// A branch that a push moved.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// The commit it names now.
    pub commit: String,
    /// When the push began.
    pub since: Timestamp,
    /// Whether to stop once the run's address was said.
    pub no_wait: bool,
}

/// Relays until the end, or until nobody listens any more.
pub async fn relay(control: Arc<Control>, repository: RepositoryRow, pushed: Pushed, out: mpsc::Sender<String>) {
    let mut relay = Relay {
        changes: control.wake.listen(),
        control,
        repository,
        out,
        begun: BTreeSet::new(),
        done: BTreeSet::new(),
        lines: BTreeMap::new(),
        rollouts: BTreeMap::new(),
        ended: BTreeSet::new(),
        quiet: false,
    };
    // An error means that nobody listens.
    let _ = relay.all(&pushed).await;
}

/// Nobody listens any more.
struct Gone;

struct Relay {
    control: Arc<Control>,
    repository: RepositoryRow,
    changes: broadcast::Receiver<app::backend::Changed>,
    out: mpsc::Sender<String>,
    /// The stages whose beginning was told, by their place in the listing.
    begun: BTreeSet<usize>,
    /// The stages whose end was told; the last place there is stands for the run.
    done: BTreeSet<usize>,
    /// The lines told of each step.
    lines: BTreeMap<StepId, u64>,
    /// The evidence told of each rollout.
    rollouts: BTreeMap<RolloutId, usize>,
    ended: BTreeSet<RolloutId>,
    quiet: bool,
}

impl Relay {
    async fn say(&self, line: impl Into<String>) -> Result<(), Gone> {
        self.out.send(line.into()).await.map_err(|_| Gone)
    }

    async fn all(&mut self, pushed: &Pushed) -> Result<(), Gone> {
        let Some((_, number)) = self.run_of(pushed).await else {
            return self.say("The push is taken. Its run is not written down yet; the service's page will show it.").await;
        };
        self.say("").await?;
        self.say(format!("Run {number} of {}: {}", self.repository.service, self.control.run_url(&self.repository, number))).await?;
        self.problems(&pushed.commit).await?;
        if pushed.no_wait {
            return self.say("").await;
        }
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            if let Ok(Some(run)) = runs::show(&self.control.db, &self.repository.team_id, &self.repository.service_id, number).await
                && self.look(&run).await?
            {
                return self.say("").await;
            }
            self.woken().await;
            if self.out.is_closed() {
                return Err(Gone);
            }
        }
        Ok(())
    }

    async fn run_of(&mut self, pushed: &Pushed) -> Option<(RunId, u64)> {
        let began = Instant::now();
        while began.elapsed() < RUN_WAIT && !self.out.is_closed() {
            let found = runs::of_commit(&self.control.db, &self.repository.service_id, &pushed.branch, &pushed.commit, pushed.since).await;
            if let Ok(Some(run)) = found {
                return Some(run);
            }
            self.woken().await;
        }
        None
    }

    async fn problems(&mut self, commit: &str) -> Result<(), Gone> {
        let problems = self.control.file_problems(&self.repository, commit).await.unwrap_or_default();
        for problem in &problems {
            self.say(format!("warning: {problem}")).await?;
        }
        self.quiet = !problems.is_empty();
        Ok(())
    }

    /// Tells what is new. True: all has ended.
    async fn look(&mut self, run: &Run) -> Result<bool, Gone> {
        for (index, stage) in run.stages.iter().enumerate() {
            self.stage(index, stage).await?;
        }
        if !run.state.ended() {
            return Ok(false);
        }
        if self.done.insert(usize::MAX) {
            self.end(run).await?;
        }
        let mut open = false;
        for brief in &run.rollouts {
            open |= !self.rollout(&brief.id).await?;
        }
        Ok(!open)
    }

    async fn end(&self, run: &Run) -> Result<(), Gone> {
        let failure = run.failure.as_deref().unwrap_or_default();
        match (run.state, run.candidate) {
            (RunState::Passed, Some(candidate)) => self.say(format!("✓ candidate {candidate}")).await?,
            (RunState::Skipped, _) => self.say(format!("– skipped. {}", run.reason)).await?,
            _ if self.quiet => self.say("✗ failed: the pipeline file has problems.").await?,
            (state, _) => self.say(format!("✗ {}. {failure}", words(state))).await?,
        }
        if run.candidate.is_some() && run.rollouts.is_empty() {
            let how = format!("berth deploy {} --env ENV --candidate {}", run.service, run.candidate.unwrap_or_default());
            self.say(format!("It is deployed nowhere by itself. `{how}` does it.")).await?;
        }
        Ok(())
    }

    async fn stage(&mut self, index: usize, stage: &Stage) -> Result<(), Gone> {
        if stage.state == RunState::Queued || stage.state == RunState::Skipped {
            return Ok(());
        }
        if self.begun.insert(index) {
            let attempt = if stage.attempt > 1 { format!(" (attempt {})", stage.attempt) } else { String::new() };
            self.say(format!("▸ {}{attempt}", stage.name)).await?;
        }
        for step in &stage.steps {
            self.step(step, stage.steps.len() > 1).await?;
        }
        if stage.state.ended() && self.done.insert(index) {
            let mark = if stage.state == RunState::Passed { "✓" } else { "✗" };
            self.say(format!("{mark} {} {}{}", stage.name, words(stage.state), took(stage.started_at, stage.finished_at))).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, named: bool) -> Result<(), Gone> {
        let mut from = self.lines.get(&step.id).copied().unwrap_or(0) + 1;
        let prefix = if named { format!("  {} | ", step.name) } else { "  ".to_owned() };
        if step.lines > from + BURST {
            let skipped = step.lines - BURST - from;
            self.say(format!("{prefix}… {skipped} lines left out here; the run's page has them")).await?;
            from += skipped;
        }
        while from <= step.lines {
            let range = logs::read(&self.control.db, &self.repository.team_id, &step.id, from, 500).await.ok().flatten();
            let lines = range.map(|range| range.lines).unwrap_or_default();
            let Some(last) = lines.last().map(|line| line.number) else { return Ok(()) };
            for line in lines {
                let sign = if line.kind == LineKind::Command { "$ " } else { "" };
                self.say(format!("{prefix}{sign}{}", line.text)).await?;
            }
            self.lines.insert(step.id.clone(), last);
            from = last + 1;
        }
        Ok(())
    }

    /// Tells what is new of a rollout. True: it has ended.
    async fn rollout(&mut self, id: &RolloutId) -> Result<bool, Gone> {
        let Ok(Some(rollout)) = rollouts::show(&self.control.db, &self.repository.team_id, id).await else { return Ok(false) };
        let told = match self.rollouts.get(id) {
            Some(told) => *told,
            None => {
                self.say(format!("▸ {}: release {}", rollout.environment, rollout.to)).await?;
                0
            }
        };
        for evidence in rollout.evidence.iter().skip(told) {
            self.say(format!("  {}", evidence.fact)).await?;
        }
        self.rollouts.insert(id.clone(), rollout.evidence.len());
        if rollout.state.ended() && self.ended.insert(id.clone()) {
            self.rolled_out(&rollout).await?;
        }
        Ok(rollout.state.ended())
    }

    async fn rolled_out(&self, rollout: &Rollout) -> Result<(), Gone> {
        let place = &rollout.environment;
        if rollout.state != RolloutState::Succeeded {
            let failure = rollout.failure.as_deref().unwrap_or("The release before it goes on serving.");
            for line in &rollout.last_lines {
                self.say(format!("  {line}")).await?;
            }
            return self.say(format!("✗ {place}: {}. {failure}", rollout.state.name())).await;
        }
        let address = address_of(&self.control.db, &self.repository.team_id, &rollout.id).await.ok().flatten();
        let line = match address {
            Some((host, path)) => format!("✓ {place}: live at {}", self.control.config.url_of(&host, &path)),
            None => format!("✓ {place}: live"),
        };
        self.say(line).await
    }

    async fn woken(&mut self) {
        let topics = ["run:", "step:", "rollout:"];
        let _ = timeout(LOOK, async {
            loop {
                match self.changes.recv().await {
                    Ok(changed)
                        if changed.team.as_ref() == Some(&self.repository.team_id)
                            && topics.iter().any(|topic| changed.topic.starts_with(topic)) =>
                    {
                        return;
                    }
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        })
        .await;
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
