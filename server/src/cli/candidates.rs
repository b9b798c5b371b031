//! Candidates: listed, shown, verified on this machine, compared, kept.

use std::process::ExitCode;

use app::model::{
    Candidate, CandidateShown, Comparison, ConfigCompared, Envelope, EnvironmentName, FieldChange, PackageVersion, SigningKey,
    VariableChanged, Vouched,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    output,
    session::Session,
};
use crate::{
    candidates::{
        dsse::Signed,
        judge::{Verdict, judge},
    },
    secrets::PublicKey,
};

/// `berth candidates …`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Candidates {
    #[command(subcommand)]
    command: Option<CandidatesCommand>,
    #[command(flatten)]
    of: OfService,
}

#[derive(Subcommand)]
enum CandidatesCommand {
    /// Show one: its image, what vouches for it, where it runs
    Show(OneCandidate),
    /// Print where its image came from, as a signed statement (in-toto, SLSA Provenance v1)
    Provenance(OneCandidate),
    /// Print what is in its image, as a bill of materials (CycloneDX 1.6)
    Sbom {
        #[command(flatten)]
        one: OneCandidate,
        /// With its signature
        #[arg(long)]
        signed: bool,
    },
    /// Check on this machine that its statements are signed and name its image
    Verify {
        #[command(flatten)]
        one: OneCandidate,
        /// The public key to hold them to, as base64 [default: the one the server names]
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Print the public key that candidates are signed with
    Key,
    /// Say how one differs from another
    Compare {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
        /// From which candidate
        before: u64,
        /// To which
        after: u64,
    },
    /// Keep its image for good
    Hold(OneCandidate),
    /// Let its image go when nothing needs it any more
    LetGo(OneCandidate),
}

/// Names a candidate.
#[derive(Args)]
pub(super) struct OneCandidate {
    /// The service, or TEAM/SERVICE
    service: ServiceRef,
    /// Its number
    number: u64,
}

impl OneCandidate {
    /// Its path in the API.
    async fn path(self, session: &Session) -> Done<String> {
        let service = session.service_path(&OfService { service: Some(self.service) }).await?;
        Ok(format!("{service}/candidates/{}", self.number))
    }
}

/// Runs it.
pub(super) async fn run(candidates: Candidates, session: &Session) -> Done<ExitCode> {
    match candidates.command {
        None => list(candidates.of, session).await?,
        Some(CandidatesCommand::Show(one)) => {
            let answer = session.client.get(&one.path(session).await?).await?;
            session.show(answer, |answer| {
                show(&client::read(answer)?);
                Ok(())
            })?;
        }
        Some(CandidatesCommand::Provenance(one)) => {
            output::json(&session.client.get(&format!("{}/provenance", one.path(session).await?)).await?)?;
        }
        Some(CandidatesCommand::Sbom { one, signed }) => {
            output::json(&session.client.get(&format!("{}/sbom?signed={signed}", one.path(session).await?)).await?)?;
        }
        Some(CandidatesCommand::Verify { one, key }) => return verify(one, key, session).await,
        Some(CandidatesCommand::Key) => {
            session.show(session.client.get("/signing-key").await?, |answer| {
                let key: SigningKey = client::read(answer)?;
                output::line(key.pem.trim_end());
                Ok(())
            })?;
        }
        Some(CandidatesCommand::Compare { service, before, after }) => {
            let service = session.service_path(&OfService { service: Some(service) }).await?;
            let answer = session.client.get(&format!("{service}/candidates/{before}/compare/{after}")).await?;
            session.show(answer, |answer| {
                compared(&client::read(answer)?);
                Ok(())
            })?;
        }
        Some(CandidatesCommand::Hold(one)) => hold(one, "hold", "Its image is kept for good.", session).await?,
        Some(CandidatesCommand::LetGo(one)) => hold(one, "let-go", "Its image goes when nothing needs it.", session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(of: OfService, session: &Session) -> Done<()> {
    let path = session.service_path(&of).await?;
    session.show(session.client.get(&format!("{path}/candidates")).await?, |answer| {
        let candidates: Vec<Candidate> = client::rows(answer)?;
        let row = |candidate: &Candidate| {
            vec![
                candidate.number.to_string(),
                output::short(&candidate.commit).to_owned(),
                output::short(&candidate.image).to_owned(),
                candidate.run.to_string(),
                candidate.runs_in.iter().map(EnvironmentName::as_str).collect::<Vec<_>>().join(","),
                output::ago(candidate.created_at),
                candidate.title.clone(),
            ]
        };
        output::listing(
            &["CANDIDATE", "COMMIT", "IMAGE", "RUN", "RUNS IN", "MADE", "WHAT"],
            &candidates.iter().map(row).collect::<Vec<_>>(),
            "There is no candidate yet. A run that passes makes one: push something.",
        );
        Ok(())
    })
}

fn show(shown: &CandidateShown) {
    let candidate = &shown.candidate;
    let word = match shown.vouched {
        Vouched::Verified => output::mark(output::Tone::Good, "verified"),
        Vouched::Unsigned => output::mark(output::Tone::Quiet, "from before candidates were signed"),
        Vouched::Refused => output::mark(output::Tone::Bad, "not vouched for"),
    };
    output::line(&format!("candidate {}: {}  {word}", candidate.number, candidate.title));
    shown.refusal.iter().for_each(|refusal| output::line(refusal));
    let fact = |name: &str, value: &str| output::line(&format!("{name:<10}{value}"));
    fact("commit", &format!("{} on {}, run {}", candidate.commit, super::runs::place(&candidate.branch), candidate.run));
    fact("image", &format!("{} ({} MiB)", candidate.image, candidate.size >> 20));
    if let Some(made) = &candidate.made {
        fact("built", &format!("in {}, pushed by {}", output::lasting(std::time::Duration::from_millis(made.build_ms)), made.by));
        made.bases.iter().for_each(|base| fact("on", &format!("{}  {}", base.name, output::short(&base.id))));
        if let Some(tests) = &made.tests {
            fact("tests", &format!("{} passed, {} failed, {} skipped", tests.passed, tests.failed, tests.skipped));
        }
        fact("packages", &made.packages.map_or_else(|| "not known".to_owned(), |count| count.to_string()));
    }
    shown.key.iter().for_each(|key| fact("key", key));
    if let Some(at) = candidate.gone_at {
        fact("removed", &output::ago(at));
    } else if candidate.held {
        fact("kept", "for good");
    }
    for sibling in &shown.together {
        if let Some(number) = sibling.candidate {
            fact("together", &format!("candidate {number} of {}, run {}", sibling.service, sibling.run));
        }
    }
    for place in &shown.places {
        fact("runs in", &format!("{} as release {}, {}", place.environment, place.release, output::ago(place.since)));
    }
}

/// Holds both statements to the key, here and not on the server.
async fn verify(one: OneCandidate, key: Option<String>, session: &Session) -> Done<ExitCode> {
    let number = one.number;
    let path = one.path(session).await?;
    let shown: CandidateShown = client::read(session.client.get(&path).await?)?;
    let text = match key {
        Some(key) => key,
        None => client::read::<SigningKey>(session.client.get("/signing-key").await?)?.public,
    };
    let key = PublicKey::read(&text).ok_or_else(|| Failure::new("The key is none: give the 32 bytes of an Ed25519 key as base64."))?;
    let provenance: Envelope = client::read(session.client.get(&format!("{path}/provenance")).await?)?;
    let sbom: Envelope = client::read(session.client.get(&format!("{path}/sbom?signed=true")).await?)?;
    let verdict = judge(true, Signed::open(&provenance).as_ref(), &shown.candidate.image, &key);
    let bill = Signed::open(&sbom).is_some_and(|signed| signed.key == key.id() && signed.verifies(&key));
    let good = verdict == Verdict::Verified && bill;
    let answer = json!({
        "candidate": number, "image": shown.candidate.image, "key": key.id(), "provenance": verdict == Verdict::Verified, "sbom": bill,
    });
    session.show(answer, |_| {
        let mark = |good: bool, what: &str| output::line(&output::mark(if good { output::Tone::Good } else { output::Tone::Bad }, what));
        match verdict {
            Verdict::Refused(why) => mark(false, &why.sentence(number)),
            _ => mark(true, &format!("the statement is signed with key {} and names {}", key.id(), shown.candidate.image)),
        }
        mark(
            bill,
            if bill { "the bill of materials is signed with the same key" } else { "the signature of the bill of materials does not hold" },
        );
        Ok(())
    })?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn hold(one: OneCandidate, action: &str, says: &str, session: &Session) -> Done<()> {
    let path = one.path(session).await?;
    session.client.post(&format!("{path}/actions/{action}"), &Value::Null).await?;
    if !session.json {
        output::line(says);
    }
    Ok(())
}

fn compared(found: &Comparison) {
    let (before, after) = (&found.before, &found.after);
    output::line(&format!("candidate {} → {}: {} → {} MiB", before.number, after.number, before.size >> 20, after.size >> 20));
    let tests = |candidate: &Candidate| candidate.made.as_ref().and_then(|made| made.tests);
    if let Some((old, new)) = tests(before).zip(tests(after)) {
        output::line(&format!("tests: {} → {} passed, {} → {} skipped", old.passed, new.passed, old.skipped, new.skipped));
    }
    found.commits_unread.iter().for_each(|why| output::line(why));
    for (sign, commits) in [("+", &found.commits), ("-", &found.taken_back)] {
        commits
            .iter()
            .for_each(|commit| output::line(&format!("{sign} {} {} ({})", output::short(&commit.id), commit.title, commit.author)));
    }
    match &found.packages {
        None => output::line("packages: one of them has no list"),
        Some(changes) => {
            let each = |sign: &str, package: &PackageVersion| output::line(&format!("{sign} {} {}", package.name, package.version));
            changes.added.iter().for_each(|package| each("+", package));
            changes.removed.iter().for_each(|package| each("-", package));
            changes.changed.iter().for_each(changed);
        }
    }
    found.shape.iter().for_each(changed);
    found.config.iter().for_each(variables);
}

fn variables(config: &ConfigCompared) {
    let number =
        |set: Option<u64>| set.map_or_else(|| "the newest, since it never ran there".to_owned(), |number| format!("config {number}"));
    output::line(&format!("variables in {}: {} → {}", config.environment, number(config.before), number(config.after)));
    for variable in &config.changes {
        let side = |value: &Option<String>, there: bool| match value {
            Some(value) => value.clone(),
            None if there => "(not shown)".to_owned(),
            None => "–".to_owned(),
        };
        let before = side(&variable.before, variable.change != VariableChanged::Added);
        let after = side(&variable.after, variable.change != VariableChanged::Removed);
        output::line(&format!("~ {}: {before} → {after}", variable.name));
    }
}

fn changed(change: &FieldChange) {
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    output::line(&format!("~ {}: {} → {}", change.field, side(&change.before), side(&change.after)));
}
