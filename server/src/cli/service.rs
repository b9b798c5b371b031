//! Services.

use app::model::{
    EnvironmentName, Forge, Mirror, NewMirror, NewService, RepositoryName, RunInput, RunSchedule, Service, ServiceName, ServiceOverview,
    Target, Triggers,
};
use clap::Subcommand;
use serde_json::json;

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    git, output,
    session::Session,
    token::path_part,
};

/// `berth service …`.
#[derive(Subcommand)]
pub(super) enum ServiceCommand {
    /// Create a service, with a repository of its own or in one that is there
    Create {
        /// Its name
        name: ServiceName,
        /// One line on what it does
        #[arg(long, default_value = "")]
        description: String,
        /// An environment to run in; several times for several [default: the first]
        #[arg(long = "env", short, value_name = "ENV", value_delimiter = ',')]
        environments: Vec<EnvironmentName>,
        /// Build it from this repository of the team [default: a new one of its name]
        #[arg(long, value_name = "REPOSITORY", conflicts_with = "mirror")]
        repository: Option<RepositoryName>,
        /// Mirror a repository that lives elsewhere: https://…, ssh://… or git@host:path
        #[arg(long, value_name = "ADDRESS")]
        mirror: Option<String>,
        /// A token for that one, typed or piped in
        #[arg(long, requires = "mirror")]
        mirror_token: bool,
        /// Whose API that speaks: git, github, gitlab or gitea (Forgejo too) [default: as its host tells]
        #[arg(long, value_name = "FORGE", value_parser = super::mirror::forge, requires = "mirror")]
        forge: Option<Forge>,
        /// Add the repository to the Git folder one stands in, as the remote `berth`
        #[arg(long)]
        remote: bool,
    },
    /// List the team's services
    List,
    /// Show a service: where it runs, its last runs and candidates
    Show(OfService),
    /// Run the service in one more environment
    AddEnv {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
        /// The environment
        environment: EnvironmentName,
    },
    /// Build a service from another repository in future; its runs, candidates and releases stay
    Move {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
        /// The repository of the team
        #[arg(long, value_name = "REPOSITORY")]
        repository: RepositoryName,
        /// Make the repository, where there is none of this name
        #[arg(long)]
        create: bool,
    },
    /// Say what makes runs begin beside a push of a branch, and what a run takes
    Triggers {
        #[command(flatten)]
        of: OfService,
        /// The branch whose file is read [default: the repository's default one]
        #[arg(long, short, value_name = "BRANCH")]
        branch: Option<String>,
    },
    /// Say, or change, what a newer push does to the runs of its branch that have not ended
    Pushes(super::pushes::Pushes),
    /// Delete a service, what runs of it, and its repository unless others are built from it
    Delete {
        /// The service, or TEAM/SERVICE
        service: ServiceRef,
    },
}

/// Runs it.
pub(super) async fn run(command: ServiceCommand, session: &Session) -> Done<()> {
    match command {
        ServiceCommand::Create { name, description, environments, repository, mirror, mirror_token, forge, remote } => {
            let environments = (!environments.is_empty()).then_some(environments);
            let mirror = match mirror {
                Some(address) => {
                    let token = if mirror_token { Some(super::mirror::token()?) } else { None };
                    Some(NewMirror { address, token, forge, forge_url: None })
                }
                None => None,
            };
            create(session, NewService { name, description, environments, repository, mirror }, remote).await
        }
        ServiceCommand::List => {
            let team = session.team().await?;
            session.show(session.client.all(&format!("/teams/{team}/services")).await?, |answer| {
                let services: Vec<Service> = client::rows(answer)?;
                let row = |service: &Service| vec![service.name.to_string(), service.clone_url.clone(), service.description.clone()];
                output::listing(
                    &["NAME", "REPOSITORY", "WHAT IT DOES"],
                    &services.iter().map(row).collect::<Vec<_>>(),
                    "The team has no service yet. `berth service create NAME` makes one.",
                );
                Ok(())
            })
        }
        ServiceCommand::Show(of) => {
            let path = session.service_path(&of).await?;
            session.show(session.client.get(&format!("{path}/overview")).await?, |answer| {
                show(&client::read(answer)?);
                Ok(())
            })
        }
        ServiceCommand::AddEnv { service, environment } => {
            let path = session.service_path(&OfService { service: Some(service) }).await?;
            session.show(session.client.post(&format!("{path}/targets"), &json!({ "environment": environment })).await?, |answer| {
                let target: Target = client::read(answer)?;
                output::line(&format!("It may run in {} now.", target.environment));
                target.routes.iter().for_each(|route| output::line(&format!("  {}", route.url)));
                Ok(())
            })
        }
        ServiceCommand::Move { service, repository, create } => {
            let path = session.service_path(&OfService { service: Some(service) }).await?;
            let body = json!({ "repository": repository, "create": create });
            session.show(session.client.post(&format!("{path}/actions/move"), &body).await?, |answer| {
                let service: Service = client::read(answer)?;
                output::line(&format!("{} is built from {} now. Push to it:", service.name, service.repository));
                output::line(&format!("  {}", service.clone_url));
                Ok(())
            })
        }
        ServiceCommand::Triggers { of, branch } => {
            let path = session.service_path(&of).await?;
            let query = branch.map(|branch| format!("?branch={}", path_part(&branch))).unwrap_or_default();
            session.show(session.client.get(&format!("{path}/triggers{query}")).await?, |answer| {
                triggers(&client::read(answer)?);
                Ok(())
            })
        }
        ServiceCommand::Pushes(asked) => super::pushes::run(asked, session).await,
        ServiceCommand::Delete { service } => delete(session, service).await,
    }
}

async fn create(session: &Session, new: NewService, remote: bool) -> Done<()> {
    let team = session.team().await?;
    let answer = session.client.post(&format!("/teams/{team}/services"), &json!(new)).await?;
    let service: Service = client::read(answer.clone())?;
    if new.mirror.is_some() && !session.json {
        let mirror: Mirror = client::read(session.client.get(&format!("/teams/{team}/services/{}/mirror", service.name)).await?)?;
        output::line(&format!("Service {} of {team} is there. It is fetched now, and whenever something moves.", service.name));
        super::mirror::show(&mirror);
        return Ok(());
    }
    if remote && !git::run(&["remote", "add", "berth", &service.clone_url].map(ToOwned::to_owned))? {
        return Err(Failure::new(format!("The service is there; the remote is not. Add it: git remote add berth {}", service.clone_url)));
    }
    session.show(answer, |_| {
        output::line(&format!("Service {} of {team} is there. Push to it:", service.name));
        if !remote {
            output::line(&format!("  git remote add berth {}", service.clone_url));
        }
        output::line("  git push berth main");
        Ok(())
    })
}

async fn delete(session: &Session, service: ServiceRef) -> Done<()> {
    let name = service.service.clone();
    let path = session.service_path(&OfService { service: Some(service) }).await?;
    if !session.yes {
        let question = format!(
            "This stops every instance of {name} and removes its runs, its releases and, where no other service is built from it, its repository.\nType its name to go on: "
        );
        if output::ask(&question)?.as_deref() != Some(name.as_str()) {
            return Err(Failure::new("Nothing was deleted. Type the name, or give --yes."));
        }
    }
    session.client.delete(&format!("{path}?confirm={name}")).await?;
    if !session.json {
        output::line(&format!("{name} is being taken down; its name is free at once."));
    }
    Ok(())
}

/// Prints an overview.
pub(super) fn show(overview: &ServiceOverview) {
    let service = &overview.service;
    output::line(&format!("{}/{}  {}", service.team, service.name, service.description));
    output::line(&format!("repository  {}", service.clone_url));
    if !overview.beside.is_empty() {
        let names: Vec<&str> = overview.beside.iter().map(ServiceName::as_str).collect();
        output::line(&format!("beside      {}", names.join(", ")));
    }
    overview.schedules.iter().for_each(scheduled);
    output::line("");
    let targets: Vec<_> = overview.targets.iter().map(target_row).collect();
    output::table(&["ENVIRONMENT", "RELEASE", "INSTANCES", "HEALTH", "ADDRESS"], &targets);
    for target in &overview.targets {
        if let Some(failure) = target.rollout.as_ref().and_then(|rollout| rollout.failure.as_ref()) {
            output::line(&format!("{}: {failure}", target.environment));
        }
    }
    if !overview.runs.is_empty() {
        output::line("");
        output::table(&super::runs::HEAD, &overview.runs.iter().map(super::runs::row).collect::<Vec<_>>());
    }
}

/// A schedule, and when it is due next.
fn scheduled(schedule: &RunSchedule) {
    output::line(&format!("runs at     {} ({}), next {}", schedule.cron, schedule.time_zone, schedule.next));
}

/// Prints what makes runs begin.
fn triggers(triggers: &Triggers) {
    if triggers.tags.is_empty() && triggers.schedules.is_empty() {
        output::line("Nothing but pushes of branches, people and programs makes it run.");
    }
    if !triggers.tags.is_empty() {
        output::line(&format!("on tags     {}", triggers.tags.join(", ")));
    }
    triggers.schedules.iter().for_each(scheduled);
    if triggers.inputs.is_empty() {
        return;
    }
    output::line(&format!("A run of {} takes:", triggers.branch));
    let row = |input: &RunInput| {
        let need = if input.required { "yes" } else { "" };
        vec![
            input.name.clone(),
            need.to_owned(),
            input.default.clone().unwrap_or_default(),
            input.options.join(", "),
            input.description.clone(),
        ]
    };
    output::table(&["INPUT", "REQUIRED", "DEFAULT", "ONE OF", "WHAT FOR"], &triggers.inputs.iter().map(row).collect::<Vec<_>>());
}

/// A target as a row.
fn target_row(target: &Target) -> Vec<String> {
    let release = target.release.as_ref().map_or_else(
        || "–".to_owned(),
        |release| match release.candidate {
            Some(candidate) => format!("{} (candidate {candidate})", release.number),
            None => release.number.to_string(),
        },
    );
    let url = target.routes.first().map(|route| route.url.clone()).unwrap_or_default();
    vec![target.environment.to_string(), release, serving(target), output::health(target.health), url]
}

/// `2/2`: serving of wanted.
pub(super) fn serving(target: &Target) -> String {
    let serving = target.instances.iter().filter(|instance| instance.state == app::model::InstanceState::Serving).count();
    format!("{serving}/{}", target.replicas)
}
