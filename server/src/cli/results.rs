//! What the tests of a run said, and the files it left.

use std::path::{Component, Path, PathBuf};

use app::model::{Artifact, FlakyTest, TestCase, TestChange, TestReport};
use clap::Subcommand;
use futures::StreamExt as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    logs, output,
    session::Session,
};

/// Shows what the tests of a run said.
pub(super) async fn tests(session: &Session, run: &str) -> Done<()> {
    session.show(session.client.get(&format!("{run}/tests")).await?, |answer| {
        show(&client::read(answer)?);
        Ok(())
    })
}

fn show(report: &TestReport) {
    let counts = &report.counts;
    if let Some(nothing) = &report.nothing {
        output::line(nothing);
    }
    if counts.executed() + counts.skipped == 0 {
        return;
    }
    let tone = if counts.failed > 0 { output::Tone::Bad } else { output::Tone::Good };
    let word = format!("{} failed, {} passed, {} left out", counts.failed, counts.passed, counts.skipped);
    output::line(&output::mark(tone, &word));
    if let Some(run) = report.compared_with {
        let (new, still, fixed, added) = (counts.new, counts.still, counts.fixed, counts.added);
        output::line(&format!(
            "against run {run} of the default branch: {new} new failures, {still} as there, {fixed} fixed, {added} new tests"
        ));
    }
    for case in &report.failing {
        output::line(&format!("\n{}", title(case)));
        case.message.iter().chain(&case.output).for_each(|line| output::line(&format!("  {}", logs::clean(line))));
    }
    for (head, cases) in [("\nfixed", &report.fixed), ("\nslowest", &report.slowest)] {
        if !cases.is_empty() {
            output::line(head);
            cases.iter().for_each(|case| output::line(&format!("  {}  {}", took(case), named(case))));
        }
    }
}

fn named(case: &TestCase) -> String {
    let suite = if case.suite.is_empty() { String::new() } else { format!("{} › ", case.suite) };
    logs::clean(&format!("{suite}{}", case.name))
}

fn title(case: &TestCase) -> String {
    let marks = [
        (case.change == Some(TestChange::New)).then(|| "new".to_owned()),
        case.flaky.then(|| "flaky".to_owned()),
        case.muted_until.map(|until| format!("muted until {}", day(&until.to_string()))),
    ];
    let marks: Vec<String> = marks.into_iter().flatten().collect();
    let marks = if marks.is_empty() { String::new() } else { format!("  ({})", marks.join(", ")) };
    format!("{}{marks}  {}", output::mark(output::Tone::Bad, &named(case)), case.id)
}

fn took(case: &TestCase) -> String {
    output::lasting(std::time::Duration::from_millis(case.took_ms))
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// Lists the files of a run, or stores them in a folder.
pub(super) async fn artifacts(session: &Session, run: &str, into: Option<PathBuf>) -> Done<()> {
    let answer = session.client.get(&format!("{run}/artifacts")).await?;
    let files: Vec<Artifact> = client::rows(answer.clone())?;
    if let Some(into) = into {
        for file in &files {
            let to = inside(&into, &file.path)?;
            store(session, &format!("{run}/artifacts/{}", file.id), &to).await?;
            if !session.json {
                output::line(&to.display().to_string());
            }
        }
        if !session.json {
            return Ok(());
        }
    }
    session.show(answer, |_| {
        let row =
            |file: &Artifact| vec![file.path.clone(), output::size(file.size), file.step.clone(), output::short(&file.sha256).to_owned()];
        output::listing(
            &["PATH", "SIZE", "STEP", "SHA-256"],
            &files.iter().map(row).collect::<Vec<_>>(),
            "The run left no file that is kept. Steps name theirs under `artifacts` in berth.yaml.",
        );
        Ok(())
    })
}

/// Where a file goes. What a server says of its path is not believed: it stays below the folder.
fn inside(folder: &Path, path: &str) -> Done<PathBuf> {
    let path = Path::new(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) && path.file_name().is_some() {
        return Ok(folder.join(path));
    }
    Err(Failure::new(format!("The server names the file `{}`, which leads out of the folder. Nothing more is stored.", path.display())))
}

async fn store(session: &Session, path: &str, to: &Path) -> Done<()> {
    let cannot = |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}.", to.display()));
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(cannot)?;
    }
    let mut pieces = session.client.bytes(path).await?;
    let mut file = tokio::fs::File::create(to).await.map_err(cannot)?;
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece?).await.map_err(cannot)?;
    }
    file.flush().await.map_err(cannot)
}

/// `berth flaky …`.
#[derive(Subcommand)]
pub(super) enum FlakyCommand {
    /// List the tests that passed and failed for one commit
    List(OfService),
    /// Show a test's failures as muted until a day; whether they fail their step is up to its commands
    Mute {
        /// The test, as `berth flaky list` calls it
        test: String,
        /// The last day, in UTC, for example 2027-01-31; 90 days ahead at most
        #[arg(long, value_name = "DAY")]
        until: String,
        /// The service, or TEAM/SERVICE [default: that of this folder]
        #[arg(long, value_name = "SERVICE")]
        service: Option<ServiceRef>,
    },
    /// Hear a test's failures again
    Unmute {
        /// The test, as `berth flaky list` calls it
        test: String,
        /// The service, or TEAM/SERVICE [default: that of this folder]
        #[arg(long, value_name = "SERVICE")]
        service: Option<ServiceRef>,
    },
}

/// Runs it.
pub(super) async fn flaky(command: FlakyCommand, session: &Session) -> Done<()> {
    match command {
        FlakyCommand::List(of) => {
            let service = session.service_path(&of).await?;
            session.show(session.client.get(&format!("{service}/flaky-tests")).await?, |answer| {
                let tests: Vec<FlakyTest> = client::rows(answer)?;
                output::listing(
                    &["TEST", "TIMES", "LAST RUN", "MUTED UNTIL", "NAME"],
                    &tests.iter().map(row).collect::<Vec<_>>(),
                    "No test was caught giving both results for one commit.",
                );
                Ok(())
            })
        }
        FlakyCommand::Mute { test, until, service } => mute(session, service, &test, Some(&until)).await,
        FlakyCommand::Unmute { test, service } => mute(session, service, &test, None).await,
    }
}

fn row(test: &FlakyTest) -> Vec<String> {
    let muted = test.muted_until.map(|until| day(&until.to_string()).to_owned()).unwrap_or_default();
    let name = logs::clean(&format!("{} › {}", test.suite, test.name));
    vec![test.id.clone(), test.times.to_string(), test.last_run.to_string(), muted, name]
}

async fn mute(session: &Session, service: Option<ServiceRef>, test: &str, until: Option<&str>) -> Done<()> {
    let service = session.service_path(&OfService { service }).await?;
    if !test.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::new(format!("`{test}` is no test. `berth flaky list` shows what they are called.")));
    }
    session.show(session.client.put(&format!("{service}/flaky-tests/{test}/mute"), &json!({ "until": until })).await?, |answer| {
        let test: FlakyTest = client::read(answer)?;
        let says = if test.muted_until.is_some() { "Its failures are shown as muted." } else { "Its failures are heard again." };
        output::line(&format!("{}: {says}", logs::clean(&test.name)));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_folder() {
        let folder = Path::new("out");
        assert_eq!(inside(folder, "a/b.txt").ok().as_deref(), Some(Path::new("out/a/b.txt")));
        for bad in ["../x", "/etc/passwd", "a/../../x", "", "."] {
            assert!(inside(folder, bad).is_err(), "{bad}");
        }
    }
}
