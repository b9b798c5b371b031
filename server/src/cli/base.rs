//! Base images.

use std::{path::PathBuf, time::Duration};

use app::model::{Base, BaseName, BaseShown, BaseState, BaseVersion};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    args::Wait,
    client,
    failure::{DID_NOT_SUCCEED, Done, Failure},
    output::{self, Tone},
    session::Session,
    token::path_part,
};

/// A version that is built is looked at this often.
const LOOK: Duration = Duration::from_millis(500);

/// `berth base …`.
#[derive(Subcommand)]
pub(super) enum BaseCommand {
    /// Make a base image, which services may be built on as base/NAME
    Create {
        /// Its name
        name: BaseName,
        #[command(flatten)]
        made_of: MadeOf,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// List the base images there are
    List,
    /// Show a base image: its versions, and the services that stand on it
    Show {
        /// Its name
        name: BaseName,
        /// Print the log of this version too
        #[arg(long, value_name = "VERSION")]
        log: Option<u64>,
    },
    /// Make a new version of a base image
    Rebuild {
        /// Its name
        name: BaseName,
        #[command(flatten)]
        made_of: MadeOf,
        /// Run the services that use it once the version is there
        #[arg(long)]
        roll: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Stop the version of a base image that is under way
    Cancel {
        /// Its name
        name: BaseName,
    },
}

/// What a version is made of.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct MadeOf {
    /// A Dockerfile; no files go with it
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,
    /// A root file system: a tar archive, packed with gzip or not
    #[arg(long, value_name = "FILE")]
    root_file_system: Option<PathBuf>,
}

impl MadeOf {
    fn text(&self) -> Done<Option<String>> {
        let Some(path) = &self.dockerfile else { return Ok(None) };
        let text = std::fs::read_to_string(path);
        text.map(Some).map_err(|error| Failure::new(format!("{} cannot be read: {error}.", path.display())))
    }
}

/// Runs it.
pub(super) async fn run(command: BaseCommand, session: &Session) -> Done<std::process::ExitCode> {
    match command {
        BaseCommand::Create { name, made_of, description, wait } => {
            let answer = match (&made_of.root_file_system, made_of.text()?) {
                (Some(file), _) => {
                    let about = path_part(&description);
                    session.client.upload(&format!("/platform/bases?name={name}&description={about}"), file).await?
                }
                (None, Some(text)) => {
                    let body = json!({ "name": name, "description": description, "dockerfile": text });
                    session.client.post("/platform/bases", &body).await?
                }
                (None, None) => return Err(Failure::new("Say what it is made of: --dockerfile FILE or --root-file-system FILE.")),
            };
            follow(answer, wait, session).await
        }
        BaseCommand::Rebuild { name, made_of, roll, wait } => {
            let path = format!("/platform/bases/{name}/actions/rebuild");
            let answer = match &made_of.root_file_system {
                Some(file) => session.client.upload(&format!("{path}?roll={roll}"), file).await?,
                None => session.client.post(&path, &json!({ "dockerfile": made_of.text()?, "roll": roll })).await?,
            };
            follow(answer, wait, session).await
        }
        BaseCommand::Cancel { name } => {
            session.show(session.client.post(&format!("/platform/bases/{name}/actions/cancel"), &json!({})).await?, |answer| {
                let shown: BaseShown = client::read(answer)?;
                let newest = shown.base.newest.ok_or_else(|| Failure::new("The server did not say which version it stops."))?;
                let what = if newest.state.ended() { "is cancelled" } else { "is being stopped" };
                output::line(&format!("{} {what}.", newest.reference));
                Ok(())
            })?;
            Ok(std::process::ExitCode::SUCCESS)
        }
        BaseCommand::List => {
            session.show(session.client.get("/platform/bases").await?, |answer| {
                let bases: Vec<Base> = client::rows(answer)?;
                output::listing(
                    &["NAME", "VERSION", "SIZE", "BUILT", "SERVICES", "FOR"],
                    &bases.iter().map(row).collect::<Vec<_>>(),
                    "There is no base image yet. `berth base create NAME --dockerfile FILE` makes one.",
                );
                Ok(())
            })?;
            Ok(std::process::ExitCode::SUCCESS)
        }
        BaseCommand::Show { name, log } => {
            let asked = log.map(|version| format!("?version={version}")).unwrap_or_default();
            session.show(session.client.get(&format!("/platform/bases/{name}{asked}")).await?, |answer| show(answer, log.is_some()))?;
            Ok(std::process::ExitCode::SUCCESS)
        }
    }
}

fn state(version: &BaseVersion) -> String {
    match version.state {
        BaseState::Queued => output::mark(Tone::Busy, "queued"),
        BaseState::Building => output::mark(Tone::Busy, "building"),
        BaseState::Ready if version.gone_at.is_some() => output::mark(Tone::Quiet, "removed"),
        BaseState::Ready => output::mark(Tone::Good, "ready"),
        BaseState::Failed => output::mark(Tone::Bad, "failed"),
        BaseState::Cancelled => output::mark(Tone::Quiet, "cancelled"),
    }
}

fn size(version: Option<&BaseVersion>) -> String {
    version.and_then(|version| version.size).map_or_else(|| "–".to_owned(), |size| format!("{} MiB", size >> 20))
}

fn row(base: &Base) -> Vec<String> {
    let current = base.current.as_ref();
    let newest = base.newest.as_ref();
    let version = current.map_or_else(|| newest.map(state).unwrap_or_default(), |version| version.number.to_string());
    let built = current.map_or_else(|| "–".to_owned(), |version| output::ago(version.created_at));
    vec![base.reference.clone(), version, size(current), built, base.users.to_string(), base.description.clone()]
}

fn show(answer: Value, with_log: bool) -> Done<()> {
    let shown: BaseShown = client::read(answer)?;
    let of = if shown.base.from_dockerfile { "a Dockerfile" } else { "root file systems" };
    output::line(&format!("{}: made of {of} by {}. {}", shown.base.reference, shown.base.created_by, shown.base.description));
    let versions: Vec<Vec<String>> = shown.versions.iter().map(version_row).collect();
    output::table(&["VERSION", "STATE", "SIZE", "ASKED FOR", "BY", "IMAGE"], &versions);
    if let Some(failure) = shown.versions.first().and_then(|version| version.failure.as_deref()) {
        output::line(failure);
    }
    let users = shown.users.iter().map(|user| {
        vec![format!("{}/{}", user.team, user.service), user.candidate.to_string(), user.version.to_string(), user.written.clone()]
    });
    output::listing(&["SERVICE", "CANDIDATE", "VERSION", "AS"], &users.collect::<Vec<_>>(), "No service stands on it.");
    if shown.base.users > shown.users.len() as u64 {
        output::line(&format!("These are {} of {}.", shown.users.len(), shown.base.users));
    }
    for roll in &shown.rolls {
        let run = roll.run.map_or_else(|| "to be queued".to_owned(), |run| format!("run {run}"));
        let state = roll.state.map(|state| output::mark(output::of_run(state), state.name())).unwrap_or_default();
        output::line(&format!("version {}: {}/{} {} {state}", roll.version, roll.team, roll.service, roll.note.as_ref().unwrap_or(&run)));
    }
    if with_log {
        output::line(shown.log.trim_end());
    }
    Ok(())
}

fn version_row(version: &BaseVersion) -> Vec<String> {
    let image = version.image.as_deref().and_then(|image| image.get(7..19)).unwrap_or("–");
    vec![
        version.number.to_string(),
        state(version),
        size(Some(version)),
        output::ago(version.created_at),
        version.created_by.clone(),
        image.to_owned(),
    ]
}

/// Follows the version that was asked for to its end.
async fn follow(answer: Value, wait: Wait, session: &Session) -> Done<std::process::ExitCode> {
    let mut shown: BaseShown = client::read(answer.clone())?;
    let name = shown.base.name.clone();
    let newest = |shown: &BaseShown| shown.base.newest.clone();
    let Some(asked) = newest(&shown) else { return Err(Failure::new("The server did not say which version it builds.")) };
    if !wait.asked() {
        session.show(answer, |_| {
            output::line(&format!("{} is built. `berth base show {name}` says how far it is.", asked.reference));
            Ok(())
        })?;
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let path = format!("/platform/bases/{name}?version={}", asked.number);
    let mut printed = 0;
    let (document, version) = loop {
        let document = session.client.get(&path).await?;
        shown = client::read(document.clone())?;
        if !session.json {
            // What comes before its beginning may have been dropped of a long one.
            output::rest(shown.log.get(printed..).unwrap_or_default());
            printed = shown.log.len();
        }
        let version = shown.versions.iter().find(|version| version.number == asked.number).cloned();
        match version {
            Some(version) if version.state.ended() => break (document, version),
            Some(_) => tokio::time::sleep(LOOK).await,
            None => return Err(Failure::new(format!("{} is not there any more.", asked.reference))),
        }
    };
    session.show(document, |_| {
        let says = match (&version.failure, version.state) {
            (Some(failure), _) => failure.clone(),
            (None, BaseState::Cancelled) => version.reference.clone(),
            _ => format!("{} is there: `FROM {}`.", version.reference, shown.base.reference),
        };
        output::line(&format!("{} {says}", state(&version)));
        Ok(())
    })?;
    Ok(if version.state == BaseState::Ready { std::process::ExitCode::SUCCESS } else { DID_NOT_SUCCEED.into() })
}
