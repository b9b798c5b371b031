//! The `berth.yaml` of a service's repository, to be read and to be written. Nothing here changes anything.

use app::{
    backend::Pipelines,
    error::{Error, Result},
    model::{Actor, DraftElsewhere, DraftProblem, PipelineCheck, PipelineDraft, PipelineFile, Service, ServiceName, TeamName},
};
use async_trait::async_trait;

use super::Control;
use crate::{
    auth::rights::Action,
    git,
    pipelines::{
        draft::Draft,
        file::{self, FILE_NAME, MAX_BYTES},
    },
    store::{
        repositories::{self, RepositoryRow},
        services,
    },
};

impl Control {
    /// The repository a service is built from, with the file at the head of its default branch.
    async fn file_of(&self, service: &Service) -> Result<(RepositoryRow, PipelineFile)> {
        let repository = repositories::by_id(&self.db, &service.repository_id).await?;
        let repository = repository.ok_or_else(|| Error::internal("a service without a repository"))?;
        let branch = repository.default_branch.clone();
        let commit = repositories::last_commit(&self.db, &repository.id, &format!("refs/heads/{branch}")).await?;
        let (commit, text) = match commit {
            Some(commit) => match git::read_file(&self.repository_folder(&repository), &commit, FILE_NAME, MAX_BYTES).await {
                Ok(read) => (Some(commit), read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
                // What is written is checked all the same, as where nothing was pushed yet.
                Err(error) => {
                    tracing::warn!(repository = %repository.id, %error, "its berth.yaml cannot be read now");
                    (None, None)
                }
            },
            None => (None, None),
        };
        let file = PipelineFile { repository: repository.name.clone(), branch, commit, text };
        Ok((repository, file))
    }

    /// The services a draft describes that are built from elsewhere, or from nowhere.
    async fn elsewhere(&self, repository: &RepositoryRow, names: Vec<&str>) -> Result<Vec<DraftElsewhere>> {
        let mut all = Vec::new();
        for name in names {
            let there = match name.parse::<ServiceName>() {
                Ok(name) => services::by_name(&self.db, &self.config.url, &repository.team_id, &name).await?,
                Err(_) => None,
            };
            all.push(DraftElsewhere { name: name.to_owned(), repository: there.map(|service| service.repository) });
        }
        Ok(all)
    }
}

#[async_trait]
impl Pipelines for Control {
    async fn file(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<PipelineFile> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(self.file_of(&service).await?.1)
    }

    async fn check(&self, actor: &Actor, team: &TeamName, service: &ServiceName, draft: PipelineDraft) -> Result<PipelineCheck> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        if draft.text.len() > MAX_BYTES {
            let sentence = format!("A berth.yaml has at most {} KiB. Shorten it.", MAX_BYTES >> 10);
            return Err(Error::invalid("file_too_long", sentence).at("text"));
        }
        let file = match file::parse(&draft.text) {
            Ok(file) => file,
            Err(problems) => {
                let problem =
                    |problem: file::Problem| DraftProblem { line: problem.line, column: problem.column, sentence: problem.sentence };
                return Ok(PipelineCheck { problems: problems.into_iter().map(problem).collect(), ..PipelineCheck::default() });
            }
        };
        let (repository, there) = self.file_of(&service).await?;
        let changed = there.text.as_deref() != Some(draft.text.as_str());
        let draft = Draft { file: &file, services: &repository.services, branch: &repository.default_branch, changed };
        let wanted = draft.dockerfiles();
        let found = match &there.commit {
            Some(commit) => git::files(&self.repository_folder(&repository), commit, &wanted).await.map_err(Error::internal)?,
            None => wanted.clone(),
        };
        Ok(PipelineCheck {
            problems: Vec::new(),
            plan: file::plan(&file),
            push: draft.push(),
            elsewhere: self.elsewhere(&repository, draft.elsewhere()).await?,
            missing: wanted.difference(&found).cloned().collect(),
        })
    }
}
