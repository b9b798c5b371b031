//! Hosted repositories: who may fetch and push, and what a push leaves in the store.

use app::{
    error::{Error, Result},
    model::{Actor, RepositoryName, ServiceName, TeamName},
};

use super::Control;
use crate::{
    auth::rights::Action,
    git,
    pipelines::{intake, pushed::says},
    store::{
        events,
        repositories::{self, RefChange, RepositoryRow},
        services,
    },
    wake::Duty,
};

impl Control {
    /// The repository of this name, if the actor may do this with it.
    ///
    /// # Errors
    /// As [`super::authorize`]; `unknown_repository`.
    pub async fn repository(&self, actor: &Actor, team: &TeamName, name: &RepositoryName, action: Action) -> Result<RepositoryRow> {
        let id = self.team(actor, team, action).await?;
        repositories::find(&self.db, &id, name).await?.ok_or_else(|| {
            Error::not_found(
                "unknown_repository",
                format!(
                    "The team `{team}` has no repository `{name}`. `berth service create {name} --team {team}` makes a service with one."
                ),
            )
        })
    }

    /// Where a repository lives.
    pub fn repository_folder(&self, repository: &RepositoryRow) -> std::path::PathBuf {
        self.config.repository(&repository.id)
    }

    /// Writes down what a push moved; the runs follow from it.
    ///
    /// # Errors
    /// Where the refs cannot be read or the store does not answer. The comparison of refs finds the push then.
    pub async fn pushed(&self, actor: &Actor, repository: &RepositoryRow) -> Result<Vec<RefChange>> {
        let changes = self.write_down(actor, repository).await.inspect_err(|_| self.wake.duty(Duty::Refs))?;
        if !changes.is_empty() {
            self.wake.duty(Duty::Pushes);
            self.wake.changed(Some(&repository.team_id), "events");
        }
        Ok(changes)
    }

    async fn write_down(&self, actor: &Actor, repository: &RepositoryRow) -> Result<Vec<RefChange>> {
        let refs = git::refs(&self.repository_folder(repository)).await.map_err(Error::internal)?;
        let mut tx = self.db.begin().await?;
        let changes = repositories::record_refs(&mut tx, repository, &refs, &actor.name).await?;
        for change in &changes {
            events::insert(&mut tx, actor, intake::moved(repository, change)).await?;
        }
        tx.commit().await?;
        Ok(changes)
    }

    /// What is to be said of the pipeline file of a commit: everything wrong with it; else the services it describes that are
    /// not built from the repository, each with the command that mends it.
    ///
    /// # Errors
    /// Where the commit cannot be read.
    pub async fn file_warnings(&self, repository: &RepositoryRow, commit: &str) -> Result<Warnings> {
        let (problems, described) = says(&self.repository_folder(repository), commit).await.map_err(Error::internal)?;
        let mut sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let known = |name: &String| repository.services.iter().any(|service| service.name.as_str() == name);
        // Where none is known, the run of each service says so.
        if described.iter().any(known) {
            for name in described.iter().filter(|name| !known(name)) {
                sentences.push(self.not_built_here(repository, name).await?);
            }
        }
        Ok(Warnings { sentences, bad: !problems.is_empty() })
    }

    async fn not_built_here(&self, repository: &RepositoryRow, name: &str) -> Result<String> {
        let there = match name.parse::<ServiceName>() {
            Ok(name) => services::by_name(&self.db, &self.config.url, &repository.team_id, &name).await?,
            Err(_) => None,
        };
        let to = format!("--repository {}", repository.name);
        Ok(match there {
            Some(service) => format!(
                "berth.yaml describes `{name}`, which is built from the repository `{}`. `berth service move {name} {to}` has it built from here.",
                service.repository
            ),
            None => format!("berth.yaml describes `{name}`, which is no service yet. `berth service create {name} {to}` makes it."),
        })
    }

    /// The address of a run's page.
    pub fn run_url(&self, team: &TeamName, service: &ServiceName, number: u64) -> String {
        format!("{}{}", self.config.url, intake::run_path(team.as_str(), service.as_str(), number))
    }
}

/// What is to be said of a pipeline file.
#[derive(Debug, Default)]
pub struct Warnings {
    /// In sentences.
    pub sentences: Vec<String>,
    /// Whether it does not read.
    pub bad: bool,
}
