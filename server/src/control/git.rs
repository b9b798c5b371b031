//! Hosted repositories: who may fetch and push, and what a push leaves in the store.

use app::{
    error::{Error, Result},
    model::{Actor, RepositoryName, TeamName},
    said,
};

use super::Control;
use crate::{
    auth::rights::Action,
    git,
    pipelines::{
        file::Problem,
        intake::{self, pipeline_of},
        select::branch,
    },
    store::{
        events::{self, NewEvent},
        repositories::{self, RefChange, RepositoryRow},
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
        self.config.repositories().join(format!("{}.git", repository.id))
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
            events::insert(&mut tx, actor, event(repository, change)).await?;
        }
        tx.commit().await?;
        Ok(changes)
    }

    /// Everything wrong with the pipeline file of a commit.
    ///
    /// # Errors
    /// Where the commit cannot be read.
    pub async fn file_problems(&self, repository: &RepositoryRow, commit: &str) -> Result<Vec<Problem>> {
        let folder = self.repository_folder(repository);
        let read = pipeline_of(&folder, commit, repository.service.as_str()).await.map_err(Error::internal)?;
        Ok(read.err().unwrap_or_default())
    }

    /// The address of a run's page.
    pub fn run_url(&self, repository: &RepositoryRow, number: u64) -> String {
        format!("{}{}", self.config.url, intake::run_path(repository.team.as_str(), repository.service.as_str(), number))
    }
}

fn event<'a>(repository: &'a RepositoryRow, change: &RefChange) -> NewEvent<'a> {
    let short = |commit: &Option<String>| commit.as_deref().and_then(|commit| commit.get(..8)).map_or_else(said::nothing, str::to_owned);
    let subject = branch(&change.reference).map_or_else(
        || said::subject_reference(change.reference.trim_start_matches("refs/"), &repository.name),
        |branch| said::subject_branch(branch, &repository.name),
    );
    NewEvent {
        team: Some(&repository.team_id),
        service: Some(&repository.service_id),
        action: if change.new.is_some() { "git.pushed" } else { "git.deleted" },
        subject,
        path: Some(format!("/teams/{}/services/{}", repository.team, repository.service)),
        detail: said::detail_from(short(&change.old), short(&change.new)),
    }
}
