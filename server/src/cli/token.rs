//! API tokens.

use app::model::{CreatedToken, Scope, TeamName, Token};
use clap::Subcommand;
use serde_json::json;

use super::{args, client, failure::Done, output, session::Session};

/// `berth token …`.
#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token; it is shown once
    Create {
        /// What it is for
        name: String,
        /// What it may be used for: read, git, deploy, write, admin; several times for several
        #[arg(long = "scope", short, value_parser = args::scope, required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Good for this team alone
        #[arg(long, value_name = "TEAM")]
        only_team: Option<TeamName>,
        /// Days until it ends [default: it ends when revoked]
        #[arg(long)]
        days: Option<u32>,
    },
    /// List one's tokens
    List,
    /// End a token at once
    Revoke {
        /// Its id
        id: String,
    },
}

/// Runs it.
pub(super) async fn run(command: TokenCommand, session: &Session) -> Done<()> {
    match command {
        TokenCommand::Create { name, scopes, only_team, days } => {
            let body = json!({ "name": name, "scopes": scopes, "team": only_team, "days": days });
            session.show(session.client.post("/tokens", &body).await?, |answer| {
                let created: CreatedToken = client::read(answer)?;
                // Alone on the standard output, so that it can be piped.
                eprintln!("Token {} ({}). It is not shown again:", created.token.name, created.token.id);
                output::line(&created.secret);
                Ok(())
            })
        }
        TokenCommand::List => session.show(session.client.get("/tokens").await?, |answer| {
            let tokens: Vec<Token> = client::rows(answer)?;
            output::listing(
                &["ID", "TOKEN", "SCOPES", "LAST USED", "NAME"],
                &tokens.iter().map(row).collect::<Vec<_>>(),
                "You have no token that is still good. `berth token create NAME` makes one.",
            );
            Ok(())
        }),
        TokenCommand::Revoke { id } => {
            session.client.delete(&format!("/tokens/{}", path_part(&id))).await?;
            if !session.json {
                output::line("Revoked.");
            }
            Ok(())
        }
    }
}

fn row(token: &Token) -> Vec<String> {
    let mut scopes = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
    if let Some(team) = &token.team {
        scopes.push_str(&format!(" in {team}"));
    }
    let used = token.last_used_at.map_or_else(|| "never".to_owned(), output::ago);
    vec![token.id.to_string(), format!("{}…", token.prefix), scopes, used, token.name.clone()]
}

/// Typed text as one part of a path.
pub(super) fn path_part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
