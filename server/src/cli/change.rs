//! Scale and variables. Each change makes a release.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    process::ExitCode,
};

use app::model::{ConfigChange, ConfigSet};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    args::{How, InEnvironment},
    client,
    failure::{Done, Failure},
    output, progress,
    session::Session,
};

/// `berth scale`.
#[derive(Args)]
pub(super) struct Scale {
    /// How many instances: `3` for the process web, `worker=2` for another
    #[arg(required = true, value_name = "[PROCESS=]N", value_parser = replicas)]
    replicas: Vec<(String, u32)>,
    /// The service, or TEAM/SERVICE [default: that of this folder]
    #[arg(long, value_name = "SERVICE")]
    service: Option<super::args::ServiceRef>,
    /// The environment
    #[arg(long, short, env = "BERTH_ENV", value_name = "ENV")]
    env: app::model::EnvironmentName,
    #[command(flatten)]
    pub(super) how: How,
}

fn replicas(text: &str) -> Result<(String, u32), String> {
    let (process, number) = text.split_once('=').unwrap_or(("web", text));
    let number = number.parse().map_err(|_| "give a number, or PROCESS=NUMBER like worker=2".to_owned())?;
    Ok((process.to_owned(), number))
}

/// Sets how many instances run.
pub(super) async fn scale(scale: Scale, session: &Session) -> Done<ExitCode> {
    let path = session.service_path(&super::args::OfService { service: scale.service }).await?;
    let replicas: BTreeMap<_, _> = scale.replicas.into_iter().collect();
    let path = format!("{path}/targets/{}/actions/scale?dry_run={}", scale.env, scale.how.plan);
    let answer = session.client.post(&path, &json!({ "replicas": replicas })).await?;
    progress::change(session, answer, scale.how.wait.asked(), scale.how.plan).await
}

/// `berth config …`.
#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Set variables
    Set {
        /// `NAME=VALUE`; `NAME=-` reads the value from the standard input
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = assignment)]
        variables: Vec<(String, String)>,
        #[command(flatten)]
        on: On,
    },
    /// Remove variables
    Unset {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        on: On,
    },
    /// List the variables
    List {
        #[command(flatten)]
        of: InEnvironment,
        /// An earlier version [default: the newest]
        #[arg(long, value_name = "N")]
        set: Option<u64>,
    },
}

/// Where variables are changed, and how.
#[derive(Args)]
pub(super) struct On {
    /// The service, or TEAM/SERVICE [default: that of this folder]
    #[arg(long, value_name = "SERVICE")]
    service: Option<super::args::ServiceRef>,
    /// The environment
    #[arg(long, short, env = "BERTH_ENV", value_name = "ENV")]
    env: app::model::EnvironmentName,
    #[command(flatten)]
    how: How,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "give NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Shows and changes variables.
pub(super) async fn config(command: ConfigCommand, session: &Session) -> Done<ExitCode> {
    match command {
        ConfigCommand::Set { variables, on } => {
            let set = variables.into_iter().map(from_stdin).collect::<Done<_>>()?;
            change(session, on, &ConfigChange { set, unset: Vec::new() }).await
        }
        ConfigCommand::Unset { names, on } => change(session, on, &ConfigChange { set: BTreeMap::new(), unset: names }).await,
        ConfigCommand::List { of, set } => {
            let path = session.service_path(&of.of).await?;
            let which = set.map(|set| format!("?set={set}")).unwrap_or_default();
            let answer = session.client.get(&format!("{path}/targets/{}/config{which}", of.env)).await?;
            session.show(answer, |answer| {
                let config: ConfigSet = client::read(answer)?;
                eprintln!("Config {} of {}, by {}, {}", config.number, of.env, config.by, output::ago(config.created_at));
                config.variables.iter().for_each(|(name, value)| output::line(&format!("{name}={value}")));
                Ok(())
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A value of `-` stands for the standard input, so that it appears in no list of processes.
fn from_stdin((name, value): (String, String)) -> Done<(String, String)> {
    if value != "-" {
        return Ok((name, value));
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(|error| Failure::new(format!("The standard input cannot be read: {error}.")))?;
    Ok((name, text.trim_end_matches('\n').to_owned()))
}

async fn change(session: &Session, on: On, change: &ConfigChange) -> Done<ExitCode> {
    let path = session.service_path(&super::args::OfService { service: on.service }).await?;
    let path = format!("{path}/targets/{}/config?dry_run={}", on.env, on.how.plan);
    let answer = session.client.patch(&path, change).await?;
    progress::change(session, answer, on.how.wait.asked(), on.how.plan).await
}
