//! The command line: a client of the REST API, and the verbs that run on the server itself (`serve`, `doctor`, `admin`).
//!
//! Exit codes: 0 done · 1 it could not be done, the sentence says why · 2 wrong usage · 3 it was done, and the run or
//! rollout that followed did not succeed.

mod account;
mod admin;
mod args;
mod backup;
mod base;
mod cache;
mod candidates;
mod change;
mod ci;
mod client;
mod contexts;
mod doctor;
mod events;
mod examples;
mod failure;
mod git;
mod lint;
mod logs;
mod man;
mod mirror;
mod output;
mod place;
mod progress;
mod push;
mod pushes;
mod results;
mod rollout;
mod routes;
mod runs;
mod search;
mod secret;
mod serve;
mod service;
mod session;
mod ship;
mod status;
mod support;
mod team;
mod token;
mod touched;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use self::args::Cli;
use self::{args::Command, failure::Done, session::Session};

/// Everything that can be typed, with examples.
pub fn command() -> clap::Command {
    examples::with_examples(named_alone(Cli::command()))
}

/// The help names the variables of the environment; what they hold now is no part of it.
fn named_alone(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(named_alone)
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // What does not fit ends the process here, with 2 and a sentence.
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit());
    let json = cli.everywhere.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("berth: the program cannot start its threads: {error}.");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    }
}

async fn run(cli: Cli) -> Done<ExitCode> {
    let everywhere = cli.everywhere;
    match cli.command {
        Command::Serve(serve) => return serve::run(serve).await,
        Command::Doctor(doctor) => return doctor::run(doctor, everywhere.json).await,
        Command::Backup(backup) => return backup::make(backup, everywhere.json).await,
        Command::Restore(restore) => return backup::restore(restore, everywhere.json).await,
        Command::Admin(admin) => return admin::run(admin, everywhere.json).await,
        Command::Lint(lint) => return lint::run(&lint, everywhere.json),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut command(), "berth", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Man { folder } => man::write(&folder)?,
        Command::Login(login) => account::login(login, &everywhere).await?,
        Command::Context(context) => account::context(context, everywhere.json)?,
        Command::GitCredential { operation } => git::credential(&operation)?,
        command => return ask(command, Session::open(everywhere)?).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that ask a server.
async fn ask(command: Command, session: Session) -> Done<ExitCode> {
    let session = &session;
    match command {
        Command::Push(push) => return push::run(push, session).await,
        Command::Base(base) => return base::run(base, session).await,
        Command::Deploy(deploy) => return ship::deploy(deploy, session).await,
        Command::Promote(promote) => return ship::promote(promote, session).await,
        Command::Rollback(rollback) => return ship::rollback(rollback, session).await,
        Command::Scale(scale) => return change::scale(scale, session).await,
        Command::Config(config) => return change::config(config, session).await,
        Command::Runs(runs) => return runs::run(runs, session).await,
        Command::Ci(ci) => ci::run(ci, session).await?,
        Command::Flaky(flaky) => results::flaky(flaky, session).await?,
        Command::Rollout(rollout) => return rollout::run(rollout, session).await,
        Command::Logout => account::logout(session).await?,
        Command::Whoami => account::whoami(session).await?,
        Command::Token(token) => token::run(token, session).await?,
        Command::Team(team) => team::run(team, session).await?,
        Command::Service(service) => service::run(service, session).await?,
        Command::Env(environment) => status::environments(environment, session).await?,
        Command::Releases(of) => ship::releases(of, session).await?,
        Command::Candidates(candidates) => return candidates::run(candidates, session).await,
        Command::Status(status) => status::run(status, session).await?,
        Command::Open(open) => status::open(open, session).await?,
        Command::Logs(logs) => logs::run(logs, session).await?,
        Command::Events(events) => events::run(events, session).await?,
        Command::Search(search) => search::run(search, session).await?,
        Command::Cache(cache) => cache::run(cache, session).await?,
        Command::Secret(secret) => secret::run(secret, session).await?,
        Command::Mirror(mirror) => mirror::run(mirror, session).await?,
        Command::Route(route) => routes::run(route, session).await?,
        // Handled before a session was opened.
        Command::Serve(_)
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Admin(_)
        | Command::Lint(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Login(_)
        | Command::Context(_)
        | Command::GitCredential { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
