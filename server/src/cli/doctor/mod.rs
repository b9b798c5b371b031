//! `berth doctor`: looks at what Berth needs on this machine, changes nothing, and says how to mend each thing.

mod engine;
mod machine;
mod ports;
mod state;
mod wall;

pub(super) use self::{machine::without_password, ports::readiness};

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{
    args::Configured,
    failure::Done,
    output::{self, Tone, mark},
};
use crate::config::Config;

/// `berth doctor`.
#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    configured: Configured,
}

/// What was found about one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    what: &'static str,
    /// Whether Berth can work with it.
    good: bool,
    /// What was found.
    found: String,
    /// What to do about it; empty where there is nothing to do.
    mend: String,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, good: true, found: found.into(), mend: String::new() }
    }

    /// Berth works with it; it is worth a look all the same.
    fn note(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what, good: true, found: found.into(), mend: mend.into() }
    }

    fn bad(what: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what, good: false, found: found.into(), mend: mend.into() }
    }

    /// The same of the engine of a builder.
    fn of_builder(self, name: &str) -> Self {
        let mend = self.mend.replace("--docker", "--builders");
        Self { what: "builder", found: format!("{name}: {}", self.found), mend, ..self }
    }
}

/// Says a line for each thing; the exit code is 1 where something is wrong.
pub(super) async fn run(doctor: Doctor, json: bool) -> Done<ExitCode> {
    let findings = match doctor.configured.load() {
        Ok(config) => examine(&config).await,
        Err(error) => vec![Finding::bad("settings", error.sentence, "Nothing else was looked at until the settings read.")],
    };
    let good = findings.iter().all(|finding| finding.good);
    if json {
        output::json(&findings)?;
    } else {
        findings.iter().for_each(tell);
        output::line(if good { "Everything Berth needs is here." } else { "Berth cannot work as it should here." });
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(finding: &Finding) {
    let tone = match (finding.good, finding.mend.is_empty()) {
        (true, true) => Tone::Good,
        (true, false) => Tone::Quiet,
        (false, _) => Tone::Bad,
    };
    let what = mark(tone, &format!("{:<9}", finding.what));
    let mend = if finding.mend.is_empty() { String::new() } else { format!(" {}", finding.mend) };
    output::line(&format!("{what}  {}{mend}", finding.found));
}

/// Looks at everything. A Berth that serves on this data may go on meanwhile.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("settings", "read.")];
    findings.extend(engine::examine(config.docker.as_deref()).await);
    for (name, address) in &config.builders {
        findings.extend(engine::examine(Some(address)).await.into_iter().map(|finding| finding.of_builder(name)));
    }
    findings.extend(wall::examine(config).await);
    findings.extend(wall::of_builds(config).await);
    findings.push(machine::data(&config.data));
    findings.extend(state::rights(&config.data));
    findings.push(machine::disk(&config.data));
    findings.push(machine::database(config).await);
    findings.extend(state::stored(config).await);
    findings.push(ports::examine("console", "listen", config.listen).await);
    findings.push(ports::examine("edge", "edge-listen", config.edge_listen).await);
    findings.extend(ports::running(config.listen).await);
    findings.push(state::addresses(config));
    findings.push(machine::git());
    findings
}
