//! Services, their targets and routes.

use std::collections::{BTreeMap, HashMap};

use app::{
    backend::Services,
    error::{Error, Result},
    model::{
        Actor, Board, BoardRow, Cache, ConfigSetId, Environment, EnvironmentName, Move, NewService, Page, PageRequest, PushPolicy,
        RepositoryId, RepositoryName, Route, RouteId, RunFilter, Service, ServiceId, ServiceName, ServiceOverview, StepSecret, Target,
        TargetId, TeamId, TeamName, Timestamp,
    },
    said,
};
use async_trait::async_trait;

use super::{Control, hosts, teams::not_reserved, unknown_environment};
use crate::{
    auth::rights::Action,
    clock,
    store::{
        StoreError, Tx,
        board::Look,
        candidates, environments,
        events::{self, NewEvent},
        mirrors, repositories,
        routes::{self, RouteRow},
        runs, schedules, services,
        targets::{self, NewTarget},
    },
    wake::Duty,
};

/// How many runs and candidates the overview shows.
const LAST: u32 = 10;

/// The path of a service's page.
fn path(service: &Service) -> Option<String> {
    Some(format!("/teams/{}/services/{}", service.team, service.name))
}

pub(super) fn event<'a>(service: &'a Service, action: &'a str, detail: String) -> NewEvent<'a> {
    NewEvent {
        team: Some(&service.team_id),
        service: Some(&service.id),
        action,
        subject: said::subject_service(&service.name),
        path: path(service),
        detail,
    }
}

fn service_taken(name: &ServiceName) -> Error {
    Error::conflict("name_taken", format!("The team has a service `{name}` already. Choose another name.")).at("name")
}

fn host_taken(host: &str) -> Error {
    Error::conflict("host_taken", format!("The host name `{host}` leads elsewhere already. Choose another name."))
}

fn taken(error: StoreError, otherwise: impl FnOnce() -> Error) -> Error {
    match error {
        StoreError::Taken(_) => otherwise(),
        error => error.into(),
    }
}

pub(super) fn description(text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Error::invalid("invalid_description", "A description is one line of up to 200 characters.").at("description"));
    }
    Ok(text.to_owned())
}

/// The environments a new service starts in: those asked for, else the first.
fn chosen(asked: Option<&[EnvironmentName]>, all: &[Environment]) -> Result<Vec<Environment>> {
    let Some(asked) = asked else { return Ok(all.first().cloned().into_iter().collect()) };
    if let Some(unknown) = asked.iter().find(|name| !all.iter().any(|environment| environment.name == **name)) {
        let sentence = unknown_environment(unknown, all.iter().map(|environment| environment.name.as_str())).sentence;
        return Err(Error::invalid("unknown_environment", sentence).at("environments"));
    }
    Ok(all.iter().filter(|environment| asked.contains(&environment.name)).cloned().collect())
}

impl Control {
    /// A target with config set 0 and its default route.
    async fn insert_target(&self, tx: &mut Tx, actor: &Actor, service: &Service, environment: &Environment, now: Timestamp) -> Result<()> {
        let (id, config_set) = (TargetId::from_text(clock::new_id()), ConfigSetId::from_text(clock::new_id()));
        let variables = self.secrets.seal(&service.team_id, config_set.as_str(), "variables", b"{}")?;
        let replicas = BTreeMap::from([("web".to_owned(), environment.default_replicas)]);
        let target = NewTarget {
            id: &id,
            team: &service.team_id,
            service: &service.id,
            environment: &environment.id,
            replicas: &replicas,
            config_set: &config_set,
            variables: &variables,
            by: &actor.name,
            now,
        };
        targets::insert(tx, &target).await.map_err(|error| {
            taken(error, || {
                let sentence = format!("The service `{}` is in the environment `{}` already.", service.name, environment.name);
                Error::conflict("already_there", sentence)
            })
        })?;
        let host = self.config.default_host(service.team.as_str(), service.name.as_str(), environment.name.as_str());
        let route = RouteRow { id: RouteId::from_text(clock::new_id()), target: id, host, path: "/".into(), default: true };
        routes::insert(tx, &service.team_id, &route, now).await.map_err(|error| taken(error, || host_taken(&route.host).at("name")))?;
        Ok(())
    }

    /// The repository of this name, which stays as long as the transaction lasts.
    async fn repository_there(&self, tx: &mut Tx, team: &TeamId, name: &RepositoryName) -> Result<RepositoryId> {
        let unknown = || {
            let how = "`berth service list` shows the repository of each service.";
            Error::not_found("unknown_repository", format!("The team has no repository `{name}`. {how}")).at("repository")
        };
        let found = repositories::find(&mut *tx, team, name).await?.ok_or_else(unknown)?;
        tx.lock(&repositories::lock(&found.id)).await?;
        // It may have gone with its last service while this waited.
        Ok(repositories::by_id(&mut *tx, &found.id).await?.ok_or_else(unknown)?.id)
    }

    async fn new_repository(&self, tx: &mut Tx, team: &TeamId, name: &RepositoryName, now: Timestamp) -> Result<RepositoryId> {
        let id = RepositoryId::from_text(clock::new_id());
        let sentence = || {
            let how = format!("Give `--repository {name}` to build the service from it, or choose another name.");
            Error::conflict("repository_taken", format!("The team has a repository `{name}` already. {how}")).at("repository")
        };
        repositories::insert(tx, &id, team, name, now).await.map_err(|error| taken(error, sentence))?;
        Ok(id)
    }

    pub(super) fn told(&self, service: &Service) {
        self.wake.changed(Some(&service.team_id), format!("service:{}", service.id));
        self.wake.changed(Some(&service.team_id), "events");
    }
}

#[async_trait]
impl Services for Control {
    async fn create(&self, actor: &Actor, team: &TeamName, service: NewService) -> Result<Service> {
        let team_id = self.team(actor, team, Action::CreateService).await?;
        not_reserved(service.name.as_str())?;
        let environments = chosen(service.environments.as_deref(), &environments::list(&self.db).await?)?;
        let now = clock::now();
        let mut tx = self.db.begin().await?;
        if services::by_name(&mut tx, &self.config.url, &team_id, &service.name).await?.is_some() {
            return Err(service_taken(&service.name));
        }
        if service.repository.is_some() && service.mirror.is_some() {
            let sentence = "A mirror is a new repository. Leave out one of the two.";
            return Err(Error::invalid("invalid_mirror", sentence).at("repository"));
        }
        let (repository, repository_id) = match service.repository {
            Some(name) => (name.clone(), self.repository_there(&mut tx, &team_id, &name).await?),
            None => {
                let name = service.name.as_str().parse::<RepositoryName>()?;
                let id = self.new_repository(&mut tx, &team_id, &name, now).await?;
                if let Some(mirror) = &service.mirror {
                    self.add_mirror(&mut tx, &team_id, &id, mirror).await?;
                }
                (name, id)
            }
        };
        let service = Service {
            id: ServiceId::from_text(clock::new_id()),
            team: team.clone(),
            team_id,
            clone_url: services::clone_url(&self.config.url, team, &repository),
            description: description(&service.description)?,
            name: service.name,
            repository,
            repository_id,
            created_at: now,
        };
        let inserted = services::insert_into(&mut tx, &service).await;
        inserted.map_err(|error| taken(error, || service_taken(&service.name)))?;
        for environment in &environments {
            self.insert_target(&mut tx, actor, &service, environment, now).await?;
        }
        let names: Vec<_> = environments.iter().map(|environment| environment.name.as_str()).collect();
        let detail = if names.is_empty() { String::new() } else { said::detail_in(names.join(", ")) };
        events::insert(&mut tx, actor, event(&service, "service.created", detail)).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Edge);
        self.wake.duty(Duty::Schedules);
        self.wake.duty(Duty::Mirrors);
        self.told(&service);
        Ok(service)
    }

    async fn list(&self, actor: &Actor, team: &TeamName, page: &PageRequest) -> Result<Page<Service>> {
        let team = self.team(actor, team, Action::ViewTeam).await?;
        Ok(services::page(&self.db, &self.config.url, &team, page).await?)
    }

    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Service> {
        self.service(actor, team, service, Action::ViewTeam).await
    }

    async fn overview(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<ServiceOverview> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        let targets = self.views(Look::at(&service.team_id, &service.name)).await?;
        let all = environments::list(&self.db).await?;
        let last = PageRequest { cursor: None, limit: Some(LAST) };
        let candidates = candidates::list(&self.db, &service.id, &last).await?.items;
        let runs = runs::list(&self.db, &service.team_id, &service.id, &RunFilter::default(), &last).await?.items;
        let targets: Vec<Target> = targets.into_iter().map(|view| view.target).collect();
        let there = |name: &EnvironmentName| targets.iter().any(|target| target.environment == *name);
        let available = all.into_iter().map(|environment| environment.name).filter(|name| !there(name)).collect();
        let beside = services::beside(&self.db, &service).await?;
        let schedules = schedules::of_service(&self.db, &service.team_id, &service.id).await?;
        let mirrors = mirrors::of(&self.db, &service.team_id, &service.repository_id).await?.map(|mirror| mirror.address);
        Ok(ServiceOverview { service, targets, available, beside, mirrors, schedules, runs, candidates })
    }

    async fn delete(&self, actor: &Actor, team: &TeamName, service: &ServiceName, confirm: &str) -> Result<()> {
        let service = self.service(actor, team, service, Action::DeleteService).await?;
        if confirm != service.name.as_str() {
            let what = if services::beside(&self.db, &service).await?.is_empty() { "runs and repository" } else { "and runs" };
            let sentence = format!("This deletes the service, its releases, {what}. Repeat its name, `{}`, to go on.", service.name);
            return Err(Error::invalid("confirm_name", sentence).at("confirm"));
        }
        let mut tx = self.db.begin().await?;
        if !services::ask_deletion(&mut tx, &service, clock::now()).await? {
            return Ok(());
        }
        // Requests stop arriving at once; what runs is taken down in the background.
        routes::remove_of_service(&mut tx, &service.id).await?;
        let gone = NewEvent { path: None, ..event(&service, "service.deleted", String::new()) };
        events::insert(&mut tx, actor, gone).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Edge);
        self.wake.duty(Duty::Deletions);
        self.told(&service);
        Ok(())
    }

    async fn move_to(&self, actor: &Actor, team: &TeamName, service: &ServiceName, to: Move) -> Result<Service> {
        let found = self.service(actor, team, service, Action::ChangeService).await?;
        if found.repository == to.repository {
            let sentence = format!("`{service}` is built from the repository `{}` already.", to.repository);
            return Err(Error::conflict("already_there", sentence).at("repository"));
        }
        let mut tx = self.db.begin().await?;
        let there = match (to.create, repositories::find(&mut tx, &found.team_id, &to.repository).await?) {
            (true, None) => self.new_repository(&mut tx, &found.team_id, &to.repository, clock::now()).await?,
            _ => self.repository_there(&mut tx, &found.team_id, &to.repository).await?,
        };
        services::move_to(&mut tx, &found, &there).await?;
        let detail = said::detail_moved(&found.repository, &to.repository);
        events::insert(&mut tx, actor, event(&found, "service.moved", detail)).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Schedules);
        self.told(&found);
        Services::show(self, actor, team, service).await
    }

    async fn board(&self, actor: &Actor, team: &TeamName, page: &PageRequest) -> Result<Board> {
        let id = self.team(actor, team, Action::ViewTeam).await?;
        let environments = environments::list(&self.db).await?.into_iter().map(|environment| environment.name).collect();
        let shown = services::page(&self.db, &self.config.url, &id, page).await?;
        let (Some(first), Some(last)) = (shown.items.first(), shown.items.last()) else {
            return Ok(Board { environments, rows: Vec::new(), services: services::count(&self.db, &id).await?, next: None });
        };
        let look = Look { team: &id, from: &first.name, to: &last.name };
        let mut cells: BTreeMap<ServiceName, BTreeMap<EnvironmentName, Target>> = BTreeMap::new();
        for view in self.views(look).await? {
            cells.entry(view.service).or_default().insert(view.target.environment.clone(), view.target);
        }
        let mut runs: HashMap<_, _> = runs::newest_of_services(&self.db, look).await?.into_iter().collect();
        let row = |service: Service| BoardRow {
            cells: cells.remove(&service.name).unwrap_or_default(),
            run: runs.remove(&service.id),
            service: service.name,
            description: service.description,
        };
        // What fits on one page needs no counting.
        let whole = page.cursor.is_none() && shown.next.is_none();
        let services = if whole { shown.items.len() } else { services::count(&self.db, &id).await? };
        Ok(Board { environments, rows: shown.items.into_iter().map(row).collect(), services, next: shown.next })
    }

    async fn add_environment(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
    ) -> Result<Target> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let environment = self.environment_named(environment).await?;
        let mut tx = self.db.begin().await?;
        self.insert_target(&mut tx, actor, &service, &environment, clock::now()).await?;
        let detail = said::detail_to(&environment.name);
        events::insert(&mut tx, actor, event(&service, "service.environment_added", detail)).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Edge);
        self.told(&service);
        Services::target(self, actor, team, &service.name, &environment.name).await
    }

    async fn target(&self, actor: &Actor, team: &TeamName, service: &ServiceName, environment: &EnvironmentName) -> Result<Target> {
        let row = Control::target(self, actor, team, service, environment, Action::ViewTeam).await?;
        let views = self.views(Look::at(&row.team_id, service)).await?;
        let found = views.into_iter().map(|view| view.target).find(|target| target.id == row.id);
        found.ok_or_else(|| Error::internal("a target without a view"))
    }

    async fn add_route(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        host: &str,
        path: &str,
    ) -> Result<Route> {
        let target = Control::target(self, actor, team, service, environment, Action::ManageRoutes).await?;
        let service = self.service(actor, team, service, Action::ManageRoutes).await?;
        let (host, path) = (hosts::host(host)?, hosts::path(path)?);
        let zones: Vec<_> = environments::list(&self.db).await?.into_iter().map(|environment| environment.name.to_string()).collect();
        if hosts::reserved(&host, &self.config.url, &self.config.domain, &zones) {
            return Err(
                Error::invalid("reserved_host", format!("`{host}` is kept for Berth's own names. Choose one outside of them.")).at("host")
            );
        }
        let row = RouteRow { id: RouteId::from_text(clock::new_id()), target: target.id, host, path, default: false };
        let mut tx = self.db.begin().await?;
        if routes::of_targets(&mut tx, Look::at(&target.team_id, &service.name)).await?.len() >= MOST_ROUTES {
            return Err(Error::conflict("too_many_routes", format!("A service has at most {MOST_ROUTES} routes. Remove one first.")));
        }
        routes::insert(&mut tx, &target.team_id, &row, clock::now())
            .await
            .map_err(|error| taken(error, || host_taken(&row.host).at("host")))?;
        let detail = said::detail_leads(format!("{}{}", row.host, row.path), environment);
        events::insert(&mut tx, actor, event(&service, "route.added", detail)).await?;
        tx.commit().await?;
        self.wake.route(&row.target);
        self.told(&service);
        Ok(self.route(row))
    }

    async fn secrets(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<StepSecret>> {
        self.list_secrets(actor, team, service).await
    }

    async fn set_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str, value: &str) -> Result<()> {
        self.keep_secret(actor, team, service, name, value).await
    }

    async fn unset_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str) -> Result<()> {
        self.forget_secret(actor, team, service, name).await
    }

    async fn caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<Cache>> {
        self.list_caches(actor, team, service).await
    }

    async fn clear_caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<()> {
        self.give_up_caches(actor, team, service).await
    }

    async fn push_policy(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<PushPolicy> {
        self.policy(actor, team, service).await
    }

    async fn set_push_policy(&self, actor: &Actor, team: &TeamName, service: &ServiceName, policy: PushPolicy) -> Result<PushPolicy> {
        self.change_policy(actor, team, service, policy).await
    }

    async fn remove_route(&self, actor: &Actor, team: &TeamName, service: &ServiceName, route: &RouteId) -> Result<()> {
        let service = self.service(actor, team, service, Action::ManageRoutes).await?;
        let mut tx = self.db.begin().await?;
        let row = routes::of_targets(&mut tx, Look::at(&service.team_id, &service.name))
            .await?
            .into_iter()
            .find(|row| row.id == *route)
            .ok_or_else(|| Error::not_found("unknown_route", "The service has no such route. Its overview lists them."))?;
        if row.default {
            let sentence = "This route was made with the environment and stays with it. Only further ones can be removed.";
            return Err(Error::conflict("default_route", sentence));
        }
        routes::remove(&mut tx, &service.team_id, route).await?;
        let detail = said::detail_leads_nowhere(format!("{}{}", row.host, row.path));
        events::insert(&mut tx, actor, event(&service, "route.removed", detail)).await?;
        tx.commit().await?;
        self.wake.route(&row.target);
        self.told(&service);
        Ok(())
    }
}

/// Routes of one service, defaults included.
const MOST_ROUTES: usize = 50;
