//! Runs of the pipeline and their logs.

use std::{process::ExitCode, time::Duration};

use app::model::{
    CommitLine, LogFound, LogLine, LogRange, RetryFrom, Run, RunBrief, RunEvent, RunImage, RunState, SinceGood, StartRun, Step, change_of,
    tag_of,
};
use clap::Subcommand;
use futures::StreamExt as _;

use super::{
    args::{ServiceRef, Wait},
    client,
    failure::{DID_NOT_SUCCEED, Done, Failure},
    logs, output, progress, results,
    session::Session,
    token::path_part,
};
use crate::cli::args::OfService;

/// `berth runs …`.
#[derive(Subcommand)]
pub(super) enum RunsCommand {
    /// List runs, newest first
    List(Listed),
    /// Show a run with its stages and steps
    Show(OneRun),
    /// Print the logs of a run's steps
    Logs {
        #[command(flatten)]
        run: OneRun,
        /// Go on as lines come, to the end of the run
        #[arg(long, short)]
        follow: bool,
        /// Only this step
        #[arg(long, value_name = "STEP")]
        step: Option<String>,
        /// Only lines that hold this text, whatever the case of its letters
        #[arg(long, value_name = "TEXT", conflicts_with = "follow")]
        find: Option<String>,
        /// Only the last so many lines of each step, and those that come
        #[arg(long, value_name = "LINES", conflicts_with = "find")]
        tail: Option<u64>,
    },
    /// Show what the tests of a run said: those that failed first
    Tests(OneRun),
    /// List the files that a run left and that are kept, or store them
    Artifacts {
        #[command(flatten)]
        run: OneRun,
        /// Store them in this folder
        #[arg(long, value_name = "DIR")]
        download: Option<std::path::PathBuf>,
    },
    /// Stop a run
    Cancel(OneRun),
    /// Let a run go on that waits for somebody to have read its commit: you have
    Approve(OneRun),
    /// Run the head of a branch, whatever changed in it
    Start {
        #[command(flatten)]
        of: OfService,
        /// The branch [default: the repository's default one]
        #[arg(long, short, value_name = "BRANCH")]
        branch: Option<String>,
        /// A value for what the file takes; several times for several
        #[arg(long = "input", short, value_name = "NAME=VALUE", value_parser = input)]
        inputs: Vec<(String, String)>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Run the same commit again, from its start or going on where it failed
    Retry {
        #[command(flatten)]
        run: OneRun,
        /// Where to begin: start; stage, the one that failed, with the files as the run left them; steps, as stage but for those
        /// of its steps that passed
        #[arg(long, value_name = "WHERE", default_value = "start", value_parser = from)]
        from: RetryFrom,
        #[command(flatten)]
        wait: Wait,
    },
}

/// Which runs are listed.
#[derive(clap::Args)]
pub(super) struct Listed {
    #[command(flatten)]
    of: OfService,
    /// Only those in this state: queued, running, passed, failed …
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<RunState>,
    /// Only those on this branch
    #[arg(long, short, value_name = "BRANCH")]
    branch: Option<String>,
    /// Only those that this person pushed or asked for
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only those with this in the commit's title, or of a commit that begins like this
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// How many, 1 to 200
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Where the page before ended: its `next`, as `--json` shows it
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
}

/// A state by its name; says which there are.
fn state(text: &str) -> Result<RunState, String> {
    let names = || RunState::ALL.map(RunState::name).join(", ");
    RunState::from_name(text).ok_or_else(|| format!("a run is one of {}", names()))
}

impl Listed {
    /// The query that asks for them.
    fn query(&self) -> String {
        let mut query = format!("limit={}", self.limit);
        let state = self.state.map(|state| state.name().to_owned());
        for (name, value) in [("state", &state), ("branch", &self.branch), ("by", &self.by), ("text", &self.text), ("cursor", &self.cursor)]
        {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", path_part(value)));
            }
        }
        query
    }

    /// Whether anything narrows the list.
    fn narrows(&self) -> bool {
        self.state.is_some() || self.branch.is_some() || self.by.is_some() || self.text.is_some()
    }
}

/// Names a run.
#[derive(clap::Args)]
pub(super) struct OneRun {
    /// Its number [default: the newest]
    number: Option<u64>,
    /// The service, or TEAM/SERVICE [default: that of this folder]
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceRef>,
}

impl OneRun {
    async fn find(self, session: &Session) -> Done<(String, u64)> {
        let service = session.service_path(&OfService { service: self.service }).await?;
        if let Some(number) = self.number {
            return Ok((service, number));
        }
        let runs: Vec<RunBrief> = client::rows(session.client.get(&format!("{service}/runs?limit=1")).await?)?;
        match runs.first() {
            Some(run) => Ok((service, run.number)),
            None => Err(Failure::new("There is no run yet. Push something.")),
        }
    }
}

/// Runs it.
pub(super) async fn run(command: RunsCommand, session: &Session) -> Done<ExitCode> {
    match command {
        RunsCommand::List(listed) => list(&listed, session).await?,
        RunsCommand::Show(one) => {
            let (service, number) = one.find(session).await?;
            session.show(session.client.get(&format!("{service}/runs/{number}")).await?, |answer| {
                show(&client::read(answer)?);
                Ok(())
            })?;
        }
        RunsCommand::Logs { run, follow, step, find, tail } => {
            let (service, number) = run.find(session).await?;
            let path = format!("{service}/runs/{number}");
            return match find {
                Some(text) => find_in_logs(session, &path, step.as_deref(), &text).await,
                None => print_logs(session, &path, (follow, tail), step.as_deref()).await,
            };
        }
        RunsCommand::Tests(one) => {
            let (service, number) = one.find(session).await?;
            results::tests(session, &format!("{service}/runs/{number}")).await?;
        }
        RunsCommand::Artifacts { run, download } => {
            let (service, number) = run.find(session).await?;
            results::artifacts(session, &format!("{service}/runs/{number}"), download).await?;
        }
        RunsCommand::Cancel(one) => {
            let (service, number) = one.find(session).await?;
            session.client.post(&format!("{service}/runs/{number}/actions/cancel"), &serde_json::json!({})).await?;
            if !session.json {
                output::line(&format!("Run {number} is being stopped."));
            }
        }
        RunsCommand::Approve(one) => {
            let (service, number) = one.find(session).await?;
            session.client.post(&format!("{service}/runs/{number}/actions/approve"), &serde_json::json!({})).await?;
            if !session.json {
                output::line(&format!("Run {number} goes on, without secrets. Another commit needs another approval."));
            }
        }
        RunsCommand::Start { of, branch, inputs, wait } => {
            let service = session.service_path(&of).await?;
            let answer = session
                .client
                .post(
                    &format!("{service}/runs"),
                    &serde_json::json!(StartRun { branch, inputs: inputs.into_iter().collect(), by_hand: true }),
                )
                .await?;
            let new: RunBrief = client::read(answer.clone())?;
            if wait.asked() {
                return progress::run(session, &service, new.number).await;
            }
            session.show(answer, |_| {
                output::line(&format!("Run {} of {} is queued.", new.number, place(&new.branch)));
                Ok(())
            })?;
        }
        RunsCommand::Retry { run, from, wait } => {
            let (service, number) = run.find(session).await?;
            let answer =
                session.client.post(&format!("{service}/runs/{number}/actions/retry?from={}", from.name()), &serde_json::json!({})).await?;
            let new: RunBrief = client::read(answer.clone())?;
            if wait.asked() {
                return progress::run(session, &service, new.number).await;
            }
            session.show(answer, |_| {
                let does = if from == RetryFrom::Start { "repeats" } else { "goes on from" };
                output::line(&format!("Run {} {does} run {number}.", new.number));
                Ok(())
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a run is begun again, by name; says which there are.
fn from(text: &str) -> Result<RetryFrom, String> {
    let names = || RetryFrom::ALL.map(RetryFrom::name).join(", ");
    RetryFrom::from_name(text).ok_or_else(|| format!("a run is begun again from one of {}", names()))
}

/// Reads `NAME=VALUE`.
fn input(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').filter(|(name, _)| !name.is_empty());
    split.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".to_owned())
}

/// A branch, or a tag.
pub(super) fn place(branch: &str) -> String {
    match (tag_of(branch), change_of(branch)) {
        (Some(tag), _) => format!("tag {tag}"),
        (None, Some(number)) => format!("change {number}"),
        (None, None) => branch.to_owned(),
    }
}

/// Who began a run, and how where that was no push.
fn by(event: RunEvent, by: &str) -> String {
    match event {
        RunEvent::Push | RunEvent::Tag => by.to_owned(),
        RunEvent::Schedule | RunEvent::Base => event.name().to_owned(),
        RunEvent::Manual | RunEvent::Api | RunEvent::PullRequest => format!("{by} ({})", event.name()),
    }
}

async fn list(listed: &Listed, session: &Session) -> Done<()> {
    let service = session.service_path(&listed.of).await?;
    session.show(session.client.get(&format!("{service}/runs?{}", listed.query())).await?, |answer| {
        let next = answer["next"].as_str().map(str::to_owned);
        let runs: Vec<RunBrief> = client::rows(answer)?;
        if runs.is_empty() {
            let none = if listed.narrows() {
                "No run fits all of that. Leave one of the filters out."
            } else {
                "There is no run yet. Push something."
            };
            output::line(none);
            return Ok(());
        }
        output::table(&HEAD, &runs.iter().map(row).collect::<Vec<_>>());
        if let Some(next) = next {
            output::line(&format!("There are older ones: add `--cursor {next}`."));
        }
        Ok(())
    })
}

/// The head of a listing of runs.
pub(super) const HEAD: [&str; 7] = ["RUN", "STATE", "COMMIT", "BRANCH", "BY", "WHEN", "WHAT"];

/// A run as a row.
pub(super) fn row(run: &RunBrief) -> Vec<String> {
    let stage = run.stage.as_ref().filter(|_| run.state != RunState::Passed).map(|stage| format!(" in {stage}")).unwrap_or_default();
    let names: Vec<&str> = run.together.iter().map(|name| name.as_str()).collect();
    let with = if names.is_empty() { String::new() } else { format!(" (together: {})", names.join(", ")) };
    vec![
        run.number.to_string(),
        output::mark(output::of_run(run.state), &format!("{}{stage}", run.state.name())),
        output::short(&run.commit).to_owned(),
        place(&run.branch),
        by(run.event, &run.by),
        output::ago(run.created_at),
        format!("{}{with}", run.title),
    ]
}

fn show(run: &Run) {
    output::line(&format!(
        "{}  run {} of {}: {}",
        output::mark(output::of_run(run.state), run.state.name()),
        run.number,
        run.service,
        run.title
    ));
    output::line(&format!(
        "commit {} on {} by {}, {}",
        output::short(&run.commit),
        place(&run.branch),
        run.author,
        output::ago(run.created_at)
    ));
    output::line(&format!("begun by {}: {}", run.event.name(), run.reason));
    run.inputs.iter().for_each(|(name, value)| output::line(&format!("input {name}={}", logs::clean(value))));
    run.goes_on.iter().for_each(|number| output::line(&format!("goes on from run {number}")));
    run.failure.iter().chain(&run.waits).for_each(|sentence| output::line(sentence));
    run.since_good.iter().for_each(since_good);
    let rows: Vec<_> = run.stages.iter().flat_map(|stage| stage.steps.iter().map(move |step| step_row(&stage.name, step))).collect();
    output::table(&["STAGE", "STEP", "STATE", "TOOK", "LINES"], &rows);
    run.candidate.iter().for_each(|candidate| output::line(&format!("candidate {candidate}")));
    run.image.iter().for_each(|image| output::line(&made(image)));
    run.files_until.iter().for_each(|until| output::line(&format!("its files are kept until {until}")));
    again(run);
    for sibling in run.together.iter().filter(|sibling| sibling.service != run.service) {
        output::line(&format!("together with run {} of {}: {}", sibling.run, sibling.service, sibling.state.name()));
    }
    for rollout in &run.rollouts {
        output::line(&format!("rollout {}  {}", rollout.id, output::mark(output::of_rollout(rollout.state), rollout.state.name())));
    }
}

/// Says how to go on where a run failed.
fn again(run: &Run) {
    for from in run.again.iter().filter(|from| **from != RetryFrom::Start) {
        output::line(&format!("to go on: berth runs retry {} --from {}", run.number, from.name()));
    }
}

/// The image's size and the time of its build, beside those of the candidate before: "image 124 MiB (+3 MiB than c1), built in
/// 12s (10s for c1)".
fn made(image: &RunImage) -> String {
    let mib = |bytes: u64| i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
    let took = |ms: u64| output::lasting(Duration::from_millis(ms));
    let more = image.before.zip(image.size_before).map(|(before, size)| format!(" ({:+} MiB than c{before})", mib(image.size) - mib(size)));
    let slower = image.before.zip(image.build_ms_before).map(|(before, ms)| format!(" ({} for c{before})", took(ms)));
    let built = image.build_ms.map(|ms| format!(", built in {}{}", took(ms), slower.unwrap_or_default()));
    format!("image {} MiB{}{}", mib(image.size), more.unwrap_or_default(), built.unwrap_or_default())
}

fn since_good(since: &SinceGood) {
    output::line(&format!("since run {} passed:", since.run));
    since.commits_unread.iter().for_each(|why| output::line(&format!("  {why}")));
    let commit = |commit: &CommitLine| output::line(&format!("  + {} {} ({})", output::short(&commit.id), commit.title, commit.author));
    since.commits.iter().for_each(commit);
    if since.commits.is_empty() && since.commits_unread.is_none() {
        output::line("  no new commit");
    }
    since.failing.iter().for_each(|test| output::line(&format!("  ✗ {test}")));
}

fn step_row(stage: &str, step: &Step) -> Vec<String> {
    let took = step.started_at.zip(step.finished_at).map(|(from, to)| output::lasting(to.since(from))).unwrap_or_default();
    let name = match (step.sidecar, step.on_failure) {
        (true, _) => format!("{} (sidecar)", step.name),
        (_, true) => format!("{} (after the failure)", step.name),
        _ => step.name.clone(),
    };
    let state = match (step.state, &step.failure) {
        (RunState::Skipped, Some(why)) => format!("skipped: {why}"),
        (state, _) if step.taken_from.is_some() => format!("{}, taken from run {}", state.name(), step.taken_from.unwrap_or_default()),
        (state, _) if step.tries > 1 => format!("{} at try {}", state.name(), step.tries),
        (state, _) => state.name().to_owned(),
    };
    vec![stage.to_owned(), name, output::mark(output::of_run(step.state), &state), took, step.lines.to_string()]
}

/// Prints the log of each step, one after the other in the order of the pipeline.
async fn print_logs(session: &Session, path: &str, (follow, tail): (bool, Option<u64>), only: Option<&str>) -> Done<ExitCode> {
    let mut place = (0, 0);
    loop {
        let run: Run = client::read(session.client.get(path).await?)?;
        let step = run.stages.get(place.0).and_then(|stage| stage.steps.get(place.1).map(|step| (stage, step)));
        match step {
            Some((_, step)) if step.state == RunState::Queued && !run.state.ended() && follow => {
                wait_for_change(session, path).await;
            }
            Some((stage, step)) => {
                if only.is_none_or(|only| only == step.name) {
                    one_log(session, &format!("{}/{}", stage.name, step.name), step, (follow, tail)).await?;
                }
                place.1 += 1;
            }
            None if place.0 < run.stages.len() => place = (place.0 + 1, 0),
            None if follow && !run.state.ended() => wait_for_change(session, path).await,
            None => {
                let bad = follow && run.state != RunState::Passed;
                return Ok(if bad { ExitCode::from(DID_NOT_SUCCEED) } else { ExitCode::SUCCESS });
            }
        }
    }
}

/// Prints the lines of each step that hold a text. As with `grep`: that there is none is no success.
async fn find_in_logs(session: &Session, path: &str, only: Option<&str>, text: &str) -> Done<ExitCode> {
    let run: Run = client::read(session.client.get(path).await?)?;
    let mut found = false;
    let steps = run.stages.iter().flat_map(|stage| stage.steps.iter().map(move |step| (stage, step)));
    for (stage, step) in steps.filter(|(_, step)| only.is_none_or(|only| only == step.name)) {
        let name = format!("{}/{}", stage.name, step.name);
        let mut from = Some(1);
        while let Some(next) = from {
            let asked = format!("/steps/{}/log/matches?from={next}&limit=5000&text={}", step.id, path_part(text));
            let part: LogFound = client::read(session.client.get(&asked).await?)?;
            for line in &part.lines {
                print(session, &format!("{name}:{}", line.number), line)?;
                found = true;
            }
            from = part.next;
        }
    }
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::from(DID_NOT_SUCCEED) })
}

/// Waits until the run says something new, at most a few seconds.
async fn wait_for_change(session: &Session, path: &str) {
    let wait = async {
        if let Ok(mut messages) = session.client.stream(&format!("{path}/stream")).await {
            // The first message is the run as it is.
            messages.next().await;
            messages.next().await;
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), wait).await;
}

async fn one_log(session: &Session, name: &str, step: &Step, (follow, tail): (bool, Option<u64>)) -> Done<()> {
    let mut from = tail.map_or(1, |tail| (step.lines + 1).saturating_sub(tail).max(1));
    loop {
        let range: LogRange = client::read(session.client.get(&format!("/steps/{}/log?from={from}&limit=5000", step.id)).await?)?;
        for line in &range.lines {
            print(session, name, line)?;
            from = line.number + 1;
        }
        if range.complete || (!follow && from > range.total) || (!follow && range.lines.is_empty()) {
            if range.complete && from <= range.total && !range.lines.is_empty() {
                continue;
            }
            return Ok(());
        }
        if follow && from > range.total {
            from = follow_log(session, name, step, from).await?;
        }
    }
}

async fn follow_log(session: &Session, name: &str, step: &Step, mut from: u64) -> Done<u64> {
    let mut messages = session.client.stream(&format!("/steps/{}/log/stream?from={from}", step.id)).await?;
    while let Some(Ok(message)) = messages.next().await {
        if message.event == "end" {
            break;
        }
        if let Ok(line) = serde_json::from_str::<LogLine>(&message.data) {
            print(session, name, &line)?;
            from = line.number + 1;
        }
    }
    Ok(from)
}

fn print(session: &Session, name: &str, line: &LogLine) -> Done<()> {
    if session.json {
        let mut document = serde_json::to_value(line).map_err(|error| Failure::new(error.to_string()))?;
        document["step"] = name.into();
        output::line(&document.to_string());
    } else {
        output::line(&format!("{name} | {}", logs::clean(&line.text)));
    }
    Ok(())
}
