//! Secrets of a service that its steps are given by name.

use std::io::{self, IsTerminal as _, Read as _};

use app::model::StepSecret;
use clap::Subcommand;
use serde_json::json;

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    output,
    session::Session,
    token::path_part,
};

/// `berth secret …`.
#[derive(Subcommand)]
pub(super) enum SecretCommand {
    /// Keep a secret; its value is typed, or piped in, and never shown again
    Set {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
        /// The name of the variable in the step
        name: String,
    },
    /// Forget a secret
    Unset {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
        /// Its name
        name: String,
    },
    /// List the names of the secrets of a service
    List(OfService),
}

/// Runs it.
pub(super) async fn run(command: SecretCommand, session: &Session) -> Done<()> {
    match command {
        SecretCommand::Set { service, name } => {
            let path = session.service_path(&OfService { service: Some(service) }).await?;
            session.client.put(&format!("{path}/secrets/{}", path_part(&name)), &json!({ "value": value()? })).await?;
            done(session, &format!("{name} is kept. A step gets it with `secrets: [{name}]`."));
        }
        SecretCommand::Unset { service, name } => {
            let path = session.service_path(&OfService { service: Some(service) }).await?;
            session.client.delete(&format!("{path}/secrets/{}", path_part(&name))).await?;
            done(session, &format!("{name} is forgotten."));
        }
        SecretCommand::List(of) => {
            let path = session.service_path(&of).await?;
            return session.show(session.client.get(&format!("{path}/secrets")).await?, |answer| {
                let secrets: Vec<StepSecret> = client::rows(answer)?;
                let row = |secret: &StepSecret| vec![secret.name.clone(), output::ago(secret.changed_at), secret.by.clone()];
                output::listing(
                    &["NAME", "SET", "BY"],
                    &secrets.iter().map(row).collect::<Vec<_>>(),
                    "No secret is kept. `berth secret set` keeps one.",
                );
                Ok(())
            });
        }
    }
    Ok(())
}

fn done(session: &Session, sentence: &str) {
    if !session.json {
        output::line(sentence);
    }
}

/// The value: from the standard input, so that it is in no list of processes.
fn value() -> Done<String> {
    if io::stdin().is_terminal() {
        return output::ask_secret("Value: ", false);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(|error| Failure::new(format!("The standard input cannot be read: {error}.")))?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}
