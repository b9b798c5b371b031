//! API tokens.

use app::model::{CreatedToken, Scope, TeamName, Token};
use clap::Subcommand;
use serde_json::json;

use super::{
    args, client,
    failure::{Done, Failure},
    output,
    session::Session,
};

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
        /// Its name, its beginning as `berth token list` shows it, or its id
        #[arg(value_name = "TOKEN")]
        token: String,
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
                &["TOKEN", "SCOPES", "LAST USED", "NAME"],
                &tokens.iter().map(row).collect::<Vec<_>>(),
                "You have no token that is still good. `berth token create NAME` makes one.",
            );
            Ok(())
        }),
        TokenCommand::Revoke { token } => {
            let all: Vec<Token> = client::rows(session.client.get("/tokens").await?)?;
            let found = named(&all, &token)?;
            session.client.delete(&format!("/tokens/{}", path_part(found.id.as_str()))).await?;
            if !session.json {
                output::line(&format!("{} ({}…) is revoked.", found.name, found.prefix));
            }
            Ok(())
        }
    }
}

/// The one token that is meant.
fn named<'t>(all: &'t [Token], text: &str) -> Done<&'t Token> {
    let beginning = text.trim_end_matches('…');
    let exact = all.iter().find(|token| token.id.as_str() == text || token.prefix == beginning);
    let of_name: Vec<&Token> = all.iter().filter(|token| token.name == text).collect();
    match (exact, of_name.as_slice()) {
        (Some(token), _) => Ok(token),
        (None, [token]) => Ok(*token),
        (None, []) => Err(Failure::new(format!("You have no such token as {text}. See `berth token list`."))),
        (None, several) => {
            Err(Failure::new(format!("{} of your tokens are named {text}. Say which by its beginning: `berth token list`.", several.len())))
        }
    }
}

fn row(token: &Token) -> Vec<String> {
    let mut scopes = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
    if let Some(team) = &token.team {
        scopes.push_str(&format!(" in {team}"));
    }
    let used = token.last_used_at.map_or_else(|| "never".to_owned(), output::ago);
    vec![format!("{}…", token.prefix), scopes, used, token.name.clone()]
}

/// Typed text as one part of a path.
pub(super) fn path_part(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
