//! Signing in and out, and the servers one is signed in to.

use std::env;

use app::model::{CreatedToken, Me};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    args::Everywhere,
    client::{self, Client},
    contexts::{Context, Contexts, usual_name},
    failure::{Done, Failure},
    git, output,
    session::Session,
};

/// `berth login`.
#[derive(Args)]
pub(super) struct Login {
    /// The address of the Berth
    #[arg(default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Your address
    #[arg(long, short)]
    email: Option<String>,
    /// Read the password from the standard input
    #[arg(long)]
    password_stdin: bool,
    /// Read an API token from the standard input in place of a password
    #[arg(long, conflicts_with_all = ["password_stdin", "email"])]
    token_stdin: bool,
    /// What to call this server here [default: its host and port]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Set Git up to ask berth for the password of this server
    #[arg(long, overrides_with = "no_git")]
    git: bool,
    /// Leave Git's configuration alone
    #[arg(long)]
    no_git: bool,
}

/// `berth context …`.
#[derive(Subcommand)]
pub(super) enum ContextCommand {
    /// List the servers one is signed in to
    List,
    /// Use this one from now on
    Use {
        /// Its name
        name: String,
    },
}

/// Signs in and remembers the token.
pub(super) async fn login(login: Login, everywhere: &Everywhere) -> Done<()> {
    let url = login.url.trim_end_matches('/').to_owned();
    let context = if login.token_stdin { with_token(&url).await? } else { with_password(&login, &url).await? };
    let who = context.email.clone().unwrap_or_default();
    let name = login.name.clone().or_else(|| everywhere.context.clone()).unwrap_or_else(|| usual_name(&url));
    let mut contexts = Contexts::load()?;
    contexts.contexts.insert(name.clone(), context);
    contexts.current = Some(name.clone());
    contexts.save()?;
    if everywhere.json {
        output::json(&json!({ "context": name, "url": url, "email": who }))?;
    } else {
        output::line(&format!("Signed in to {url} as {who}."));
    }
    if login.git || (!login.no_git && wants_git(everywhere)?) {
        git::set_up(&url)?;
        if !everywhere.json {
            output::line("Git asks berth for the password from now on: `git push` to this server needs none typed.");
        }
    }
    Ok(())
}

fn wants_git(everywhere: &Everywhere) -> Done<bool> {
    if everywhere.json || everywhere.yes {
        return Ok(false);
    }
    let answer = output::ask("Set Git up so that pushes to this server ask nothing? [Y/n] ")?;
    Ok(answer.is_some_and(|answer| answer.is_empty() || answer.eq_ignore_ascii_case("y")))
}

async fn with_password(login: &Login, url: &str) -> Done<Context> {
    let email = match &login.email {
        Some(email) => email.clone(),
        None => output::ask("E-mail: ")?.ok_or_else(|| Failure::new("Nobody is here to be asked. Give --email and --password-stdin."))?,
    };
    let password = output::ask_secret("Password: ", login.password_stdin)?;
    let machine = env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let name = format!("berth on {}", machine.as_deref().map_or("a machine", str::trim));
    let body = json!({ "email": email, "password": password, "name": name });
    let created: CreatedToken = client::read(Client::new(url, None)?.post("/actions/login", &body).await?)?;
    Ok(Context { url: url.to_owned(), token: created.secret, token_id: Some(created.token.id.to_string()), email: Some(email) })
}

async fn with_token(url: &str) -> Done<Context> {
    let token = output::ask_secret("Token: ", true)?;
    let me: Me = client::read(Client::new(url, Some(token.clone()))?.get("/me").await?)?;
    Ok(Context { url: url.to_owned(), token, token_id: None, email: Some(me.email) })
}

/// Revokes the token of this machine and forgets it.
pub(super) async fn logout(session: &Session) -> Done<()> {
    let Some(name) = &session.context else {
        return Err(Failure::new("The token comes from BERTH_TOKEN: unset that to sign out."));
    };
    let mut contexts = Contexts::load()?;
    let context = contexts.contexts.remove(name);
    if let Some(id) = context.as_ref().and_then(|context| context.token_id.as_ref()) {
        // One that is gone already, or a server that is, is as good.
        if let Err(failure) = session.client.delete(&format!("/tokens/{id}")).await
            && failure.status.is_none_or(|status| status >= 500)
        {
            eprintln!("berth: the token stays good on the server: {failure}");
        }
    }
    contexts.current = contexts.contexts.keys().next().cloned();
    contexts.save()?;
    if !session.json {
        output::line(&format!("Signed out of {}.", session.client.url()));
    }
    Ok(())
}

/// Says who one is.
pub(super) async fn whoami(session: &Session) -> Done<()> {
    session.show(session.client.get("/me").await?, |answer| {
        let me: Me = client::read(answer)?;
        output::line(&format!("{} <{}> on {}", me.name, me.email, session.client.url()));
        if me.platform == app::model::PlatformRole::Admin {
            output::line("administrator of the platform");
        }
        for team in &me.teams {
            output::line(&format!("{} in team {}", team.role.name(), team.name));
        }
        Ok(())
    })
}

/// Lists and picks contexts.
pub(super) fn context(command: ContextCommand, json: bool) -> Done<()> {
    let mut contexts = Contexts::load()?;
    match command {
        ContextCommand::List if json => {
            let rows: Vec<_> = contexts
                .contexts
                .iter()
                .map(|(name, context)| {
                    json!({ "name": name, "url": context.url, "email": context.email, "current": contexts.current.as_ref() == Some(name) })
                })
                .collect();
            output::json(&rows)
        }
        ContextCommand::List => {
            let rows: Vec<_> = contexts
                .contexts
                .iter()
                .map(|(name, context)| {
                    let current = if contexts.current.as_ref() == Some(name) { "*" } else { "" };
                    vec![current.to_owned(), name.clone(), context.url.clone(), context.email.clone().unwrap_or_default()]
                })
                .collect();
            output::table(&["", "NAME", "ADDRESS", "AS"], &rows);
            Ok(())
        }
        ContextCommand::Use { name } => {
            contexts.pick(Some(&name))?;
            contexts.current = Some(name);
            contexts.save()
        }
    }
}
