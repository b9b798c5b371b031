//! What runs where; environments; the browser.

use std::process::{Command, Stdio};

use app::model::{Board, BoardRow, Environment, EnvironmentName, Target, TeamName};
use clap::{Args, Subcommand};

use super::{
    args::OfService,
    client,
    failure::{Done, Failure},
    output, service,
    session::Session,
};

/// `berth status`.
#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    of: OfService,
}

/// Shows the team's board, or one service.
pub(super) async fn run(status: Status, session: &Session) -> Done<()> {
    if status.of.service.is_some() {
        let path = session.service_path(&status.of).await?;
        return session.show(session.client.get(&format!("{path}/overview")).await?, |answer| {
            service::show(&client::read(answer)?);
            Ok(())
        });
    }
    let team = session.team().await?;
    let mut board: Board = page(session, &team, "").await?;
    while let Some(next) = board.next.take() {
        let more = page(session, &team, &format!("&cursor={next}")).await?;
        board.rows.extend(more.rows);
        board.next = more.next;
    }
    session.show(serde_json::to_value(&board).unwrap_or_default(), |_| {
        if board.rows.is_empty() {
            output::line(&format!("{team} has no service yet. Create one: berth service create NAME --team {team}"));
            return Ok(());
        }
        let columns: Vec<String> = board.environments.iter().map(|name| name.as_str().to_uppercase()).collect();
        let head: Vec<&str> = std::iter::once("SERVICE").chain(columns.iter().map(String::as_str)).chain(["LAST RUN"]).collect();
        output::table(&head, &board.rows.iter().map(|row| board_row(&board, row)).collect::<Vec<_>>());
        Ok(())
    })
}

/// As much of the board as is given at once.
async fn page(session: &Session, team: &TeamName, cursor: &str) -> Done<Board> {
    client::read(session.client.get(&format!("/teams/{team}/targets?limit=200{cursor}")).await?)
}

fn board_row(board: &Board, row: &BoardRow) -> Vec<String> {
    let run = row.run.as_ref().map(|run| output::mark(output::of_run(run.state), &format!("{} {}", run.number, run.title)));
    let cells = board.environments.iter().map(|environment| row.cells.get(environment).map_or_else(String::new, cell));
    std::iter::once(row.service.to_string()).chain(cells).chain(run).collect()
}

fn cell(target: &Target) -> String {
    let release = target.release.as_ref().map(|release| format!("{} ", release.number)).unwrap_or_default();
    format!("{release}{} {}", service::serving(target), output::health(target.health))
}

/// `berth env …`.
#[derive(Subcommand)]
pub(super) enum EnvCommand {
    /// List the environments in their order
    List,
    /// Show one
    Show {
        /// Its name
        name: EnvironmentName,
    },
}

/// Shows environments.
pub(super) async fn environments(command: EnvCommand, session: &Session) -> Done<()> {
    match command {
        EnvCommand::List => session.show(session.client.get("/environments").await?, |answer| {
            table(&client::rows::<Environment>(answer)?);
            Ok(())
        }),
        EnvCommand::Show { name } => session.show(session.client.get(&format!("/environments/{name}")).await?, |answer| {
            table(&[client::read::<Environment>(answer)?]);
            Ok(())
        }),
    }
}

fn table(environments: &[Environment]) {
    let row = |environment: &Environment| {
        vec![
            environment.name.to_string(),
            environment.pool.clone(),
            environment.default_replicas.to_string(),
            if environment.auto_deploy { "by itself" } else { "on request" }.to_owned(),
            format!("{} s", environment.stabilisation_ms / 1_000),
            environment.profile.name().to_owned(),
        ]
    };
    let head = ["NAME", "POOL", "INSTANCES", "NEW CANDIDATES", "HEALTHY FOR", "LEAST HARDENING"];
    output::table(&head, &environments.iter().map(row).collect::<Vec<_>>());
}

/// `berth open`.
#[derive(Args)]
pub(super) struct Open {
    #[command(flatten)]
    of: OfService,
    /// The environment whose address to open [default: the console's page of the service]
    #[arg(long, short, value_name = "ENV")]
    env: Option<EnvironmentName>,
    /// Only print the address
    #[arg(long)]
    print: bool,
}

/// Opens an address in the browser, and prints it.
pub(super) async fn open(open: Open, session: &Session) -> Done<()> {
    let url = match (&open.env, session.service(&open.of).await) {
        (Some(environment), found) => {
            let (team, name) = found?;
            let path = format!("/teams/{team}/services/{name}/targets/{environment}");
            let target: Target = client::read(session.client.get(&path).await?)?;
            target.routes.first().map(|route| route.url.clone()).ok_or_else(|| Failure::new("No address leads there yet."))?
        }
        (None, Ok((team, name))) => format!("{}/teams/{team}/services/{name}", session.client.url()),
        // A service that was named and is wrong is said; no service at all means the console.
        (None, Err(failure)) if open.of.service.is_some() => return Err(failure),
        (None, Err(_)) => session.client.url().to_owned(),
    };
    if session.json {
        return output::json(&serde_json::json!({ "url": url }));
    }
    output::line(&url);
    if !open.print && output::is_terminal() {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        // Without a browser the address is there to be read.
        let _ = Command::new(opener).arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    }
    Ok(())
}
