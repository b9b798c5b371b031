//! The repository of a service, where it lives elsewhere.

use std::io::{self, IsTerminal as _, Read as _};

use app::model::{Forge, ForgeStatus, Mirror, MirrorChange, MirrorState, NewHook, NewMirror};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    args::{OfService, Switch},
    client,
    failure::{Done, Failure},
    output,
    session::Session,
};

/// `berth mirror …`.
#[derive(Subcommand)]
pub(super) enum MirrorCommand {
    /// Show how the mirror is that a service is built from, and what its forge was told
    Show(OfService),
    /// Have a repository that is pushed to mirror one that lives elsewhere; what its services have stays
    Add(Add),
    /// Fetch it now
    Fetch(OfService),
    /// Change it
    Set(Set),
    /// Make a secret for its hooks, in the place of the one before, and show it once
    Hook(OfService),
    /// Forget the keys that its host showed at first sight
    ForgetHostKeys(OfService),
}

/// `berth mirror add`.
#[derive(Args)]
pub(super) struct Add {
    #[command(flatten)]
    of: OfService,
    /// The one that lives elsewhere: https://… or git@host:path
    #[arg(long, value_name = "ADDRESS")]
    address: String,
    /// A token for it, typed or piped in
    #[arg(long)]
    token: bool,
    /// Whose API it speaks: git, github, gitlab or gitea (Forgejo too) [default: as its host tells]
    #[arg(long, value_name = "FORGE", value_parser = forge)]
    forge: Option<Forge>,
    /// Where that API is, where it is not on the host of the address
    #[arg(long, value_name = "URL")]
    forge_url: Option<String>,
}

/// `berth mirror set`.
#[derive(Args)]
pub(super) struct Set {
    #[command(flatten)]
    of: OfService,
    /// Fetch it every so many seconds
    #[arg(long, value_name = "SECONDS")]
    every: Option<u32>,
    /// Another token for it, typed or piped in; an empty one takes it away
    #[arg(long)]
    token: bool,
    /// Whose API it speaks: git, github, gitlab or gitea (Forgejo too)
    #[arg(long, value_name = "FORGE", value_parser = forge)]
    forge: Option<Forge>,
    /// Where that API is, where it is not on the host of the address; empty takes it back
    #[arg(long, value_name = "URL")]
    forge_url: Option<String>,
    /// Tell it how each commit fares
    #[arg(long, value_name = "on|off")]
    statuses: Option<Switch>,
}

/// Reads the name of a forge.
pub(super) fn forge(text: &str) -> Result<Forge, String> {
    Forge::from_name(text).ok_or_else(|| "git, github, gitlab or gitea".to_owned())
}

/// A token: from the standard input, so that it is in no list of processes.
pub(super) fn token() -> Done<String> {
    if io::stdin().is_terminal() {
        return output::ask_secret("Token: ", false);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text).map_err(|error| Failure::new(format!("The standard input cannot be read: {error}.")))?;
    Ok(text.trim().to_owned())
}

/// Runs it.
pub(super) async fn run(command: MirrorCommand, session: &Session) -> Done<()> {
    let answer = match command {
        MirrorCommand::Show(of) => session.client.get(&format!("{}/mirror", session.service_path(&of).await?)).await?,
        MirrorCommand::Add(add) => {
            let path = session.service_path(&add.of).await?;
            let token = if add.token { Some(token()?) } else { None };
            let new = NewMirror { address: add.address, token, forge: add.forge, forge_url: add.forge_url };
            session.client.post(&format!("{path}/mirror"), &json!(new)).await?
        }
        MirrorCommand::Fetch(of) => act(session, of, "fetch").await?,
        MirrorCommand::ForgetHostKeys(of) => act(session, of, "forget-host-keys").await?,
        MirrorCommand::Hook(of) => {
            return session.show(act(session, of, "new-hook").await?, |answer| {
                let hook: NewHook = client::read(answer)?;
                output::line("Give this to the forge, with the content type application/json. The secret is shown this once.");
                output::line(&format!("address  {}", hook.url));
                output::line(&format!("secret   {}", hook.secret));
                Ok(())
            });
        }
        MirrorCommand::Set(set) => {
            let path = session.service_path(&set.of).await?;
            let token = if set.token { Some(token()?) } else { None };
            let change = MirrorChange {
                every_seconds: set.every,
                token,
                forge: set.forge,
                forge_url: set.forge_url,
                statuses: set.statuses.map(Switch::is_on),
            };
            session.client.patch(&format!("{path}/mirror"), &json!(change)).await?
        }
    };
    session.show(answer, |answer| {
        match client::read::<Option<Mirror>>(answer)? {
            Some(mirror) => show(&mirror),
            None => output::line("Its repository is pushed to; it mirrors none."),
        }
        Ok(())
    })
}

async fn act(session: &Session, of: OfService, verb: &str) -> Done<Value> {
    session.client.post(&format!("{}/mirror/actions/{verb}", session.service_path(&of).await?), &json!({})).await
}

/// Prints a mirror.
pub(super) fn show(mirror: &Mirror) {
    output::line(&format!("mirrors     {}", mirror.address));
    let state = match mirror.state {
        MirrorState::NeverFetched => "never fetched".to_owned(),
        MirrorState::Fetching => "being fetched".to_owned(),
        MirrorState::UpToDate => mirror.fetched_at.map_or_else(String::new, |at| format!("up to date, fetched {}", output::ago(at))),
        MirrorState::Failing => mirror.failing_since.map_or_else(String::new, |at| format!("failing since {}", output::ago(at))),
    };
    output::line(&format!("state       {state}{}", if mirror.wanted { "; about to be fetched" } else { "" }));
    if let Some(failure) = &mirror.failure {
        output::line(&format!("            {failure}"));
    }
    output::line(&format!("fetched     every {} s", mirror.every_seconds));
    output::line(&format!(
        "forge       {}{}",
        mirror.forge.name(),
        mirror.forge_url.as_ref().map_or_else(String::new, |url| format!(" at {url}"))
    ));
    output::line(&format!("token       {}", if mirror.has_token { "kept" } else { "none" }));
    if let Some(key) = &mirror.deploy_key {
        output::line("deploy key  to be added to the repository there, to read:");
        output::line(&format!("  {key}"));
        let seen = if mirror.host_keys.is_empty() { "not seen yet".to_owned() } else { mirror.host_keys.join(", ") };
        output::line(&format!("host key    {seen}"));
    }
    let believed = if mirror.has_hook_secret { "" } else { " (no secret yet: `berth mirror hook` makes one)" };
    output::line(&format!("hook        {}{believed}", mirror.hook_url));
    output::line(&format!("statuses    {}", if mirror.statuses { "told" } else { "not told" }));
    if mirror.told.is_empty() {
        return;
    }
    let row = |status: &ForgeStatus| {
        let how = match (status.told_at, &status.failure) {
            (Some(at), _) => format!("told {}", output::ago(at)),
            (None, Some(failure)) => failure.clone(),
            (None, None) => "to be told".to_owned(),
        };
        let commit = status.commit.get(..8).unwrap_or_default().to_owned();
        vec![commit, status.service.to_string(), status.run.to_string(), status.state.name().to_owned(), how]
    };
    output::line("");
    output::table(&["COMMIT", "SERVICE", "RUN", "STATE", "TOLD"], &mirror.told.iter().map(row).collect::<Vec<_>>());
}
