//! What is under way, told as it happens: a line for each fact, and on a terminal one line that says what is being done.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use app::model::{Change, Phase, Rollout, RolloutId, RolloutState, Run, RunState, Stage};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    client,
    failure::{DID_NOT_SUCCEED, Done, Failure},
    output::{self, Tone, lasting, mark},
    session::Session,
};

/// How long a server may be away before one stops waiting for it.
const AWAY: Duration = Duration::from_secs(120);

/// The line of a terminal that is written over and over.
pub(super) struct Ticker {
    on: bool,
    shown: String,
}

impl Ticker {
    /// Quiet where nobody looks.
    pub(super) fn new(json: bool) -> Self {
        Self { on: output::is_terminal() && !json, shown: String::new() }
    }

    /// Says what is being done.
    pub(super) fn now(&mut self, text: &str) {
        if self.on && self.shown != text {
            text.clone_into(&mut self.shown);
            let _ = write!(io::stdout().lock(), "\r\x1b[K  {text}").and_then(|()| io::stdout().flush());
        }
    }

    /// Says a fact for good.
    pub(super) fn fact(&mut self, text: &str) {
        self.clear();
        output::line(text);
    }

    fn clear(&mut self) {
        if self.on && !self.shown.is_empty() {
            let _ = write!(io::stdout().lock(), "\r\x1b[K");
            self.shown.clear();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Follows one thing until `look` says that it has ended. A connection that breaks is made anew; nothing is lost by it,
/// since the first message of a stream is the thing as it is.
pub(super) async fn follow<T: DeserializeOwned>(session: &Session, path: &str, mut look: impl FnMut(&T) -> bool) -> Done<Value> {
    let mut last_answer = Instant::now();
    loop {
        match session.client.get(path).await {
            Ok(document) => {
                last_answer = Instant::now();
                if look(&client::read::<T>(document.clone())?) {
                    return Ok(document);
                }
                if let Some(document) = watch(session, path, &mut look).await? {
                    return Ok(document);
                }
            }
            // A problem with a status below 500 stays one; anything else may pass.
            Err(failure) if failure.status.is_some_and(|status| status < 500) || last_answer.elapsed() > AWAY => return Err(failure),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn watch<T: DeserializeOwned>(session: &Session, path: &str, look: &mut impl FnMut(&T) -> bool) -> Done<Option<Value>> {
    let Ok(mut messages) = session.client.stream(&format!("{path}/stream")).await else { return Ok(None) };
    while let Some(Ok(message)) = messages.next().await {
        let Ok(document) = serde_json::from_str::<Value>(&message.data) else { continue };
        let Ok(thing) = serde_json::from_value::<T>(document.clone()) else { continue };
        if look(&thing) {
            return Ok(Some(document));
        }
    }
    Ok(None)
}

/// Says what a change will do, and follows its rollout if asked to.
pub(super) async fn change(session: &Session, answer: Value, wait: bool, dry_run: bool) -> Done<ExitCode> {
    let change: Change = client::read(answer.clone())?;
    let follow = wait && !dry_run;
    if session.json && !(follow && change.rollout.is_some()) {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !session.json {
        change.plan.iter().for_each(|sentence| output::line(&format!("  {sentence}")));
    }
    match (change.rollout, change.release) {
        (Some(rollout), _) if follow => self::rollout(session, &rollout).await,
        (Some(rollout), _) => {
            output::line(&format!("Follow it with: berth rollout watch {rollout}"));
            Ok(ExitCode::SUCCESS)
        }
        (None, Some(release)) if !dry_run => {
            output::line(&format!("Release {release} is recorded. It starts with the first deployment."));
            Ok(ExitCode::SUCCESS)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Follows a rollout to its end and says each piece of evidence.
pub(super) async fn rollout(session: &Session, id: &RolloutId) -> Done<ExitCode> {
    let mut teller = RolloutTeller::new(session.json);
    let document = follow(session, &format!("/rollouts/{id}"), |rollout: &Rollout| teller.look(rollout)).await?;
    drop(teller);
    if session.json {
        output::json(&document)?;
    }
    let rollout: Rollout = client::read(document)?;
    Ok(if rollout.state == RolloutState::Succeeded { ExitCode::SUCCESS } else { ExitCode::from(DID_NOT_SUCCEED) })
}

struct RolloutTeller {
    ticker: Ticker,
    quiet: bool,
    told: usize,
    ended: bool,
}

impl RolloutTeller {
    fn new(quiet: bool) -> Self {
        Self { ticker: Ticker::new(quiet), quiet, told: 0, ended: false }
    }

    fn look(&mut self, rollout: &Rollout) -> bool {
        let ended = rollout.state.ended();
        if self.quiet || self.ended {
            return ended;
        }
        for evidence in rollout.evidence.iter().skip(self.told) {
            self.ticker.fact(&format!("  {}  {}", mark(Tone::Good, phase(evidence.phase)), evidence.fact));
        }
        self.told = self.told.max(rollout.evidence.len());
        if let Some(now) = rollout.now.as_ref().or(rollout.waits.as_ref()) {
            self.ticker.now(now);
        }
        if ended {
            self.ended = true;
            tell_end(&mut self.ticker, rollout);
        }
        ended
    }
}

fn tell_end(ticker: &mut Ticker, rollout: &Rollout) {
    let took = rollout.finished_at.map(|end| lasting(end.since(rollout.created_at))).unwrap_or_default();
    let state = mark(output::of_rollout(rollout.state), rollout.state.name());
    ticker.fact(&format!("{state}  {} in {}: release {} after {took}", rollout.service, rollout.environment, rollout.to));
    if let Some(failure) = &rollout.failure {
        ticker.fact(&format!("  {failure}"));
        rollout.last_lines.iter().for_each(|line| ticker.fact(&format!("    | {line}")));
        if let Some(from) = rollout.from {
            ticker.fact(&format!("  Release {from} goes on serving."));
        }
    }
    if let (RolloutState::Succeeded, Some(url)) = (rollout.state, &rollout.url) {
        ticker.fact(&format!("  {url}"));
    }
}

/// The word for a phase.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::ReleaseCommand => "release command",
        Phase::Started => "started        ",
        Phase::Healthy => "healthy        ",
        Phase::Routed => "routed         ",
        Phase::FirstRequest => "first request  ",
        Phase::Drained => "drained        ",
        Phase::Stopped => "stopped        ",
    }
}

/// Follows a run, and the rollouts its candidate starts by itself.
pub(super) async fn run(session: &Session, service: &str, number: u64) -> Done<ExitCode> {
    let mut teller = RunTeller { ticker: Ticker::new(session.json), quiet: session.json, told: BTreeSet::new(), ended: false };
    let document = follow(session, &format!("{service}/runs/{number}"), |run: &Run| teller.look(run)).await?;
    drop(teller);
    let run: Run = client::read(document.clone())?;
    let mut good = run.state == RunState::Passed;
    if session.json {
        output::json(&document)?;
    }
    for brief in &run.rollouts {
        good &= rollout(session, &brief.id).await? == ExitCode::SUCCESS;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(DID_NOT_SUCCEED) })
}

struct RunTeller {
    ticker: Ticker,
    quiet: bool,
    told: BTreeSet<String>,
    ended: bool,
}

impl RunTeller {
    fn look(&mut self, run: &Run) -> bool {
        let ended = run.state.ended();
        if self.quiet || self.ended {
            return ended;
        }
        for (place, stage) in run.stages.iter().enumerate() {
            if stage.state.ended() && self.told.insert(format!("{place}/{}", stage.attempt)) {
                let took = stage.started_at.zip(stage.finished_at).map(|(from, to)| lasting(to.since(from))).unwrap_or_default();
                let state = mark(output::of_run(stage.state), word_of(run, stage));
                self.ticker.fact(format!("  {state}  stage {}  {took}", stage.name).trim_end());
            }
        }
        let doing = run.stages.iter().find(|stage| stage.state == RunState::Running).map(|stage| format!("stage {}", stage.name));
        if let Some(now) = doing.or_else(|| run.waits.clone()) {
            self.ticker.now(&now);
        }
        if ended {
            self.ended = true;
            let state = mark(output::of_run(run.state), run.state.name());
            self.ticker.fact(&format!("{state}  run {} of {}: {} {}", run.number, run.service, output::short(&run.commit), run.title));
            run.failure.iter().for_each(|failure| self.ticker.fact(&format!("  {failure}")));
            let failed = run.stages.iter().flat_map(|stage| &stage.steps).find(|step| step.exit_code.unwrap_or(0) != 0 && step.lines > 0);
            if let Some(step) = failed.filter(|_| run.failure.is_some()) {
                let service = format!("{}/{}", run.team, run.service);
                self.ticker.fact(&format!("  all of it: berth runs logs {} --service {service} --step {}", run.number, step.name));
            }
            run.candidate.iter().for_each(|candidate| self.ticker.fact(&format!("  candidate {candidate}")));
        }
        ended
    }
}

/// The word of a stage. What a run that did not pass never came to was skipped by nobody: where it was, its steps say why.
fn word_of(run: &Run, stage: &Stage) -> &'static str {
    let given = !stage.steps.is_empty() && stage.steps.iter().all(|step| step.failure.is_some());
    match stage.state {
        RunState::Skipped if !given && !matches!(run.state, RunState::Passed | RunState::Skipped) => "not reached",
        state => state.name(),
    }
}

/// Waits until there is a run of this commit.
pub(super) async fn run_of_commit(session: &Session, service: &str, commit: &str) -> Done<u64> {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let runs: Vec<app::model::RunBrief> = client::rows(session.client.get(&format!("{service}/runs?limit=20")).await?)?;
        if let Some(run) = runs.iter().find(|run| run.commit == commit) {
            return Ok(run.number);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(Failure::new(format!(
        "The push was taken, and no run of {} has appeared within 30 s. See `berth runs list`.",
        output::short(commit)
    )))
}
