//! `berth admin`: people, links and tokens in the server's own database, also while it runs. Who may read the data folder
//! may do this; nobody else can.

use std::{path::PathBuf, process::ExitCode};

use app::model::{Scope, TeamName};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{args, args::Configured, failure::Done, output, support};
use crate::{
    auth::links,
    control::local::{self, Newcomer},
    store::Db,
};

/// `berth admin`.
#[derive(Args)]
pub(super) struct Admin {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Create a person
    CreateUser {
        /// Their address
        email: String,
        /// Their name
        #[arg(long)]
        name: String,
        /// Make them an administrator of the platform
        #[arg(long)]
        admin: bool,
        /// Read the password from the standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        configured: Configured,
    },
    /// Set a new password and end every session of the person
    ResetPassword {
        /// Their address
        email: String,
        /// Read the password from the standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        configured: Configured,
    },
    /// Print a link that signs a person in, once, within 15 minutes
    LoginLink {
        /// Their address
        email: String,
        #[command(flatten)]
        configured: Configured,
    },
    /// Write what somebody who helps needs to know into one file, without a secret in it
    SupportBundle {
        /// The file to write, a .tar.gz
        file: PathBuf,
        #[command(flatten)]
        configured: Configured,
    },
    /// Make an API token for a person and print it, once
    CreateToken {
        /// Their address
        email: String,
        /// What it is for
        name: String,
        /// What it may be used for; several times for several
        #[arg(long = "scope", short, value_parser = args::scope, required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Good for this team alone
        #[arg(long, value_name = "TEAM")]
        only_team: Option<TeamName>,
        /// Days until it ends [default: it ends when revoked]
        #[arg(long)]
        days: Option<u32>,
        #[command(flatten)]
        configured: Configured,
    },
}

impl AdminCommand {
    const fn configured(&self) -> &Configured {
        match self {
            Self::CreateUser { configured, .. }
            | Self::ResetPassword { configured, .. }
            | Self::LoginLink { configured, .. }
            | Self::SupportBundle { configured, .. }
            | Self::CreateToken { configured, .. } => configured,
        }
    }
}

/// Runs it.
pub(super) async fn run(admin: Admin, json: bool) -> Done<ExitCode> {
    let config = admin.command.configured().clone().load()?;
    // It needs no database that answers: often that is what it is about.
    if let AdminCommand::SupportBundle { file, .. } = &admin.command {
        let pieces = support::make(&config, file).await?;
        if json {
            output::json(&json!({ "file": file, "pieces": pieces }))?;
        } else {
            output::line(&format!("{} holds {}. Look through it before you hand it on.", file.display(), pieces.join(", ")));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let db = Db::open(&config.database).await.map_err(app::error::Error::from)?;
    let done = carry_out(admin.command, &db, &config.url, json).await;
    db.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn carry_out(command: AdminCommand, db: &Db, url: &str, json: bool) -> Done<()> {
    let say = |key: &str, value: &str, sentence: &str| {
        if json {
            return output::json(&json!({ key: value }));
        }
        // What a script wants stands alone on the standard output.
        eprintln!("{sentence}");
        output::line(value);
        Ok(())
    };
    match command {
        AdminCommand::CreateUser { email, name, admin, password_stdin, .. } => {
            let password = output::ask_secret("Password: ", password_stdin)?;
            let id = local::create_user(db, &Newcomer { email: &email, name: &name, password: &password }, admin).await?;
            say("id", id.as_str(), &format!("{email} may sign in now. Their id:"))
        }
        AdminCommand::ResetPassword { email, password_stdin, .. } => {
            let password = output::ask_secret("New password: ", password_stdin)?;
            local::reset_password(db, &email, &password).await?;
            if json {
                return output::json(&json!({ "email": email }));
            }
            output::line(&format!("{email} has a new password, and is signed out everywhere."));
            Ok(())
        }
        AdminCommand::LoginLink { email, .. } => {
            let link = links::sign_in(db, url, &email).await?;
            say("link", &link, &format!("This link signs {email} in, once, within 15 minutes:"))
        }
        // Done before a database was opened.
        AdminCommand::SupportBundle { .. } => Ok(()),
        AdminCommand::CreateToken { email, name, scopes, only_team, days, .. } => {
            let token = local::create_token(db, &email, &app::model::NewToken { name, scopes, team: only_team, days }).await?;
            say("token", &token.secret, "The token is not shown again:")
        }
    }
}
