//! What can be typed.

use std::path::PathBuf;

use app::model::{EnvironmentName, Role, Scope, ServiceName, TeamName};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::{
    account::{ContextCommand, Login},
    admin::Admin,
    backup::{Backup, Restore},
    base::BaseCommand,
    cache::CacheCommand,
    candidates::Candidates,
    change::{ConfigCommand, Scale},
    ci::Ci,
    doctor::Doctor,
    events::Events,
    lint::Lint,
    logs::Logs,
    mirror::MirrorCommand,
    push::Push,
    results::FlakyCommand,
    rollout::RolloutCommand,
    routes::RouteCommand,
    runs::RunsCommand,
    search::Search,
    secret::SecretCommand,
    serve::Serve,
    service::ServiceCommand,
    ship::{Deploy, Promote, Rollback},
    status::{EnvCommand, Open, Status},
    team::TeamCommand,
    token::TokenCommand,
};

/// Push code; Berth tests it, makes one image of it and runs that image, proven, in one environment after another.
#[derive(Parser)]
#[command(
    name = "berth",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "First steps:\n  \
                  berth serve                        a Berth of your own, on this machine\n  \
                  berth login http://127.0.0.1:8080  who you are, on this machine\n  \
                  berth service create hello --remote\n  \
                  berth push                         tests, builds and runs the commit you are on\n\n\
                  Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 the run or rollout did not succeed.\n\
                  Team and service are taken from the Git remote or the berth.yaml of the folder you stand in."
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) everywhere: Everywhere,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Everywhere {
    /// Print JSON with stable field names
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Do not ask whether one is sure
    #[arg(long, short, global = true)]
    pub(super) yes: bool,
    /// The team [default: from the Git remote; else one's only team]
    #[arg(long, short, global = true, env = "BERTH_TEAM", value_name = "TEAM")]
    pub(super) team: Option<TeamName>,
    /// Which of the servers one is signed in to [default: the current one]
    #[arg(long, global = true, env = "BERTH_CONTEXT", value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// The verbs.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Run Berth: console, API, Git and edge
    Serve(Serve),
    /// Check this machine for what Berth needs, and say how to mend each
    Doctor(Doctor),
    /// Write everything this Berth holds into one file, while it serves
    Backup(Backup),
    /// Put a backup back, where nothing is yet
    Restore(Restore),
    /// Work on the server's own database: people, links, tokens
    Admin(Admin),

    /// Sign in to a Berth
    Login(Login),
    /// Sign out: revoke the token of this machine
    Logout,
    /// Say who one is
    Whoami,
    /// The servers one is signed in to
    #[command(subcommand)]
    Context(ContextCommand),
    /// API tokens
    #[command(subcommand)]
    Token(TokenCommand),

    /// Teams and who is in them
    #[command(subcommand)]
    Team(TeamCommand),
    /// Services
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Environments
    #[command(subcommand)]
    Env(EnvCommand),

    /// Base images, which services are built on
    #[command(subcommand)]
    Base(BaseCommand),

    /// Push the current commit and follow its run and rollout
    Push(Push),
    /// Deploy a candidate or an image
    Deploy(Deploy),
    /// Bring what runs in the environment before to the next one
    Promote(Promote),
    /// Go back to an earlier release
    Rollback(Rollback),
    /// List the releases of a target
    Releases(InEnvironment),
    /// The release candidates of a service: list them, or look at one
    Candidates(Candidates),

    /// Show what runs where
    Status(Status),
    /// Show the output of a service
    Logs(Logs),
    /// Runs of the pipeline
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Say whether a service is really integrated continuously, with the evidence
    Ci(Ci),
    /// Tests that pass and fail for one commit
    #[command(subcommand)]
    Flaky(FlakyCommand),
    /// Rollouts
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Show who did what
    Events(Events),
    /// Find teams, services, targets and runs
    Search(Search),
    /// Open a service, or the console, in the browser
    Open(Open),

    /// Set how many instances run
    Scale(Scale),
    /// Variables of a service in an environment
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What steps of a service left for those of the next runs
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Secrets that steps of a service are given by name
    #[command(subcommand)]
    Secret(SecretCommand),
    /// The repository of a service, where it lives elsewhere and is mirrored here
    #[command(subcommand)]
    Mirror(MirrorCommand),
    /// Host names that lead to a service
    #[command(subcommand)]
    Route(RouteCommand),
    /// Check a berth.yaml, offline
    Lint(Lint),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write manual pages into a folder
    Man {
        /// The folder, for example /usr/local/share/man/man1
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Answer Git's question for a password (see git-credential)
    #[command(hide = true)]
    GitCredential {
        /// `get`, `store` or `erase`
        operation: String,
    },
}

/// Names a service.
#[derive(Args, Clone)]
pub(super) struct OfService {
    /// The service, or TEAM/SERVICE [default: that of this folder]
    pub(super) service: Option<ServiceRef>,
}

/// Names a service in an environment.
#[derive(Args, Clone)]
pub(super) struct InEnvironment {
    #[command(flatten)]
    pub(super) of: OfService,
    /// The environment
    #[arg(long, short, env = "BERTH_ENV", value_name = "ENV")]
    pub(super) env: EnvironmentName,
}

/// A service as people type it: `SERVICE` or `TEAM/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceRef {
    /// The team, where it was typed.
    pub(super) team: Option<TeamName>,
    /// The service.
    pub(super) service: ServiceName,
}

impl std::str::FromStr for ServiceRef {
    type Err = app::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((team, service)) => Ok(Self { team: Some(team.parse()?), service: service.parse()? }),
            None => Ok(Self { team: None, service: text.parse()? }),
        }
    }
}

/// Whether to wait for what a command set off.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Wait {
    /// Follow to the end; the exit code is 3 where it did not succeed (this is the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Return as soon as the server has taken it
    #[arg(long)]
    no_wait: bool,
}

impl Wait {
    /// The answer.
    pub(super) const fn asked(self) -> bool {
        !self.no_wait || self.wait
    }
}

/// How a change is made.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) wait: Wait,
    /// Only say what would happen
    #[arg(long)]
    pub(super) plan: bool,
}

/// Reads a role's name.
pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| format!("a role is one of {}", Role::ALL.map(Role::name).join(", ")))
}

/// Reads a scope's name.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| format!("a scope is one of {}", Scope::ALL.map(Scope::name).join(", ")))
}

/// Where the server's settings come from, for the commands that run beside it.
#[derive(Args, Clone, Debug)]
pub(super) struct Configured {
    /// The file of settings [default: /etc/berth.toml, if it is there]
    #[arg(long, env = "BERTH_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) settings: crate::config::Settings,
}

impl Configured {
    /// The settings with file and defaults.
    pub(super) fn load(self) -> Result<crate::config::Config, app::error::Error> {
        self.settings.with_file(self.config.as_deref())?.resolve()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_service_may_carry_its_team() {
        assert_eq!("hello".parse::<ServiceRef>().unwrap().team, None);
        assert_eq!("demo/hello".parse::<ServiceRef>().unwrap().team.unwrap().as_str(), "demo");
        assert!("demo/".parse::<ServiceRef>().is_err());
        assert!("../x".parse::<ServiceRef>().is_err());
    }

    #[test]
    fn waiting_is_the_default_and_the_last_word_counts() {
        let wait = |arguments: &[&str]| {
            let all = ["berth", "scale", "--env", "dev", "2"].into_iter().chain(arguments.iter().copied());
            match Cli::try_parse_from(all).unwrap().command {
                Command::Scale(scale) => scale.how.wait.asked(),
                _ => unreachable!(),
            }
        };
        assert!(wait(&[]));
        assert!(wait(&["--wait"]));
        assert!(!wait(&["--no-wait"]));
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl Switch {
    /// Whether it is on.
    pub(super) fn is_on(self) -> bool {
        self == Self::On
    }
}
