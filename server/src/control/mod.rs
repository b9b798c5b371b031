//! Implements the seam: rights, then validation, then one transaction (state and event), then a wake-up.

mod accounts;
mod bases;
mod caches;
mod candidates;
mod ci;
mod figures;
pub mod git;
mod health;
mod hosts;
mod lights;
pub mod local;
mod mirrors;
pub mod once;
mod pipelines;
pub mod platform;
mod policies;
pub mod relay;
pub mod releases;
mod runs;
mod search;
mod secrets;
mod services;
mod teams;
mod tokens;
mod view;

pub use self::figures::{Life, Part};
pub use crate::pipelines::file as pipeline_file;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use app::{
    backend::Backend,
    error::{Error, Kind, Result},
    model::{Actor, Environment, EnvironmentName, Service, ServiceName, TeamId, TeamName},
};

use crate::{
    auth::{
        limits::Limits,
        password::Passwords,
        rights::{self, Action, Verdict},
    },
    config::Config,
    platform::Platform,
    secrets::Secrets,
    store::{self, Db, targets::TargetRow},
    wake::Wake,
};

/// Everything that answers a request. One per process, shared.
pub struct Control {
    /// The settings of this Berth.
    pub config: Arc<Config>,
    /// The database.
    pub db: Db,
    /// Wake-ups.
    pub wake: Wake,
    /// The engines, to look at only.
    pub platform: Arc<dyn Platform>,
    /// Sealed values.
    pub secrets: Secrets,
    passwords: Passwords,
    limits: Limits,
    life: OnceLock<Life>,
    engine_seen: figures::EngineSeen,
    lit: lights::Kept,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control(…)")
    }
}

/// The one place that says yes or no. `team` is the team the thing belongs to; none for the platform and oneself.
///
/// # Errors
/// `unknown_team` where the team is not to be known of, `forbidden` where a role or a scope is missing (the sentence says
/// which), `not_signed_in`.
pub fn authorize(actor: &Actor, action: Action, team: Option<&TeamId>) -> Result<()> {
    match rights::judge(actor, action, team) {
        Verdict::Yes => Ok(()),
        Verdict::Unknown => Err(unknown_team()),
        Verdict::NeedsRole(role) => {
            Err(Error::forbidden("forbidden", format!("This takes the role `{}` in the team. Ask one of its owners for it.", role.name())))
        }
        Verdict::NeedsAdmin => {
            Err(Error::forbidden("forbidden", "This is for administrators of the platform. Ask one of them to do it, or to make you one."))
        }
        Verdict::NeedsScope(scope) => Err(Error::forbidden(
            "missing_scope",
            format!("This token has not the scope `{}`. Make one that has it, and use that.", scope.name()),
        )),
        Verdict::Bound => {
            Err(Error::forbidden("token_bound", "This token is bound to one team, and this goes beyond it. Use a token that is not bound."))
        }
    }
}

/// As [`authorize`], for a thing found by its id: one of a team that is not to be known of is `unknown`, in the same words as
/// one that is not there.
pub(crate) fn authorize_by_id(actor: &Actor, action: Action, team: &TeamId, unknown: impl FnOnce() -> Error) -> Result<()> {
    authorize(actor, action, Some(team)).map_err(|error| if error.kind == Kind::NotFound { unknown() } else { error })
}

/// The same words for a team that is not there and one that is not to be known of.
pub fn unknown_team() -> Error {
    Error::not_found("unknown_team", "There is no such team, or you are not in it. `berth team list` shows yours.")
}

/// Nobody asks, or nobody that Berth knows any more.
pub(crate) fn not_signed_in() -> Error {
    Error::unauthenticated("not_signed_in", "Sign in first, or send a token: `Authorization: Bearer berth_…`.")
}

/// There is no environment of this name; says which of these was meant, where one is near.
fn unknown_environment<'a>(name: &EnvironmentName, there: impl Iterator<Item = &'a str>) -> Error {
    let hint = hint(name.as_str(), there, || "`berth env list` shows which there are.".to_owned());
    Error::not_found("unknown_environment", format!("There is no environment `{name}`. {hint}"))
}

/// Which of these names was meant, where one is near what was typed; else how to see them all.
fn hint<'a>(typed: &str, names: impl Iterator<Item = &'a str>, all: impl FnOnce() -> String) -> String {
    nearest(typed, names).map_or_else(all, |meant| format!("Did you mean `{meant}`?"))
}

/// The name that was most likely meant: one or two slips away, no more than a third of it.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |name: &str| strsim::damerau_levenshtein(typed, name);
    names.map(|name| (slips(name), name)).filter(|(slips, name)| *slips <= 2 && slips * 3 <= name.len()).min().map(|(_, name)| name)
}

impl Control {
    /// Puts one together.
    pub fn new(config: Arc<Config>, db: Db, wake: Wake, platform: Arc<dyn Platform>, secrets: Secrets) -> Arc<Self> {
        Arc::new(Self {
            config,
            db,
            wake,
            platform,
            secrets,
            passwords: Passwords::default(),
            limits: Limits::default(),
            life: OnceLock::new(),
            engine_seen: figures::EngineSeen::default(),
            lit: lights::Kept::default(),
        })
    }

    /// The whole seam, as one object to hand around.
    pub fn backend(self: &Arc<Self>) -> Backend {
        Backend {
            accounts: self.clone(),
            teams: self.clone(),
            tokens: self.clone(),
            services: self.clone(),
            releases: self.clone(),
            runs: self.clone(),
            mirrors: self.clone(),
            pipelines: self.clone(),
            candidates: self.clone(),
            ci: self.clone(),
            bases: self.clone(),
            platform: self.clone(),
        }
    }

    /// The team of this name, if the actor may do this there.
    ///
    /// # Errors
    /// As [`authorize`].
    pub async fn team(&self, actor: &Actor, team: &TeamName, action: Action) -> Result<TeamId> {
        let id = store::teams::id_of(&self.db, team).await?;
        let may = id.as_ref().map_or_else(|| Err(unknown_team()), |id| authorize(actor, action, Some(id)));
        match (id, may) {
            (Some(id), Ok(())) => Ok(id),
            (_, Err(error)) if error.kind != Kind::NotFound => Err(error),
            _ => Err(self.no_such_team(actor, team).await),
        }
    }

    /// As [`unknown_team`]; says which of their own teams the actor meant, where one is near.
    async fn no_such_team(&self, actor: &Actor, team: &TeamName) -> Error {
        let all = match &actor.user {
            Some(user) => store::teams::of_user(&self.db, user).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let seen = all.iter().filter(|mine| authorize(actor, Action::ViewTeam, Some(&mine.id)).is_ok());
        let error = unknown_team();
        match nearest(team.as_str(), seen.map(|mine| mine.name.as_str())) {
            Some(meant) => Error::not_found(error.code, format!("{} Did you mean `{meant}`?", error.sentence)),
            None => error,
        }
    }

    /// The environment of this name.
    ///
    /// # Errors
    /// `unknown_environment`.
    pub async fn environment_named(&self, name: &EnvironmentName) -> Result<Environment> {
        if let Some(found) = store::environments::by_name(&self.db, name).await? {
            return Ok(found);
        }
        let all = store::environments::list(&self.db).await?;
        Err(unknown_environment(name, all.iter().map(|one| one.name.as_str())))
    }

    /// The service of this name, if the actor may do this to it.
    ///
    /// # Errors
    /// As [`authorize`]; `unknown_service`.
    pub async fn service(&self, actor: &Actor, team: &TeamName, service: &ServiceName, action: Action) -> Result<Service> {
        let team_id = self.team(actor, team, action).await?;
        match store::services::by_name(&self.db, &self.config.url, &team_id, service).await? {
            Some(found) => Ok(found),
            None => Err(self.unknown_service(&team_id, team, service).await),
        }
    }

    /// There is no service of this name; says which one was meant, where one is near. Only for who may see the team.
    async fn unknown_service(&self, team_id: &TeamId, team: &TeamName, service: &ServiceName) -> Error {
        let all = store::services::list(&self.db, &self.config.url, team_id).await.unwrap_or_default();
        let names = all.iter().map(|service| service.name.as_str());
        let hint = hint(service.as_str(), names, || format!("`berth service list --team {team}` shows what it has."));
        Error::not_found("unknown_service", format!("The team `{team}` has no service `{service}`. {hint}"))
    }

    /// The target of this service in this environment, if the actor may do this to it.
    ///
    /// # Errors
    /// As [`Control::service`]; `unknown_target`.
    pub async fn target(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        action: Action,
    ) -> Result<TargetRow> {
        let team_id = self.team(actor, team, action).await?;
        if let Some(target) = store::targets::find(&self.db, &team_id, service, environment).await? {
            return Ok(target);
        }
        self.service(actor, team, service, action).await?;
        self.environment_named(environment).await?;
        Err(Error::not_found(
            "unknown_target",
            format!(
                "The service `{service}` is not in the environment `{environment}`. `berth service add-env {service} {environment}` adds it."
            ),
        ))
    }

    /// The team's name, for a row that carries its id.
    pub async fn team_name(&self, team: &TeamId) -> Result<TeamName> {
        store::teams::name_of(&self.db, team).await?.ok_or_else(unknown_team)
    }
}
