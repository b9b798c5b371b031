//! The seam: what can be asked of Berth, one small trait per family of screens.
//!
//! Pages and REST handlers call these; `server::control` implements them. Every method takes the [`Actor`] first and
//! checks its right before anything else. A thing of a team one is not in answers `not_found`, never `forbidden`: its
//! existence is not to be guessed.
//!
//! A method that changes something changes rows only. What happens in the world follows from the rows, in the background.

mod bases;
mod ci;
mod mirrors;
mod pipelines;

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures::Stream;

use crate::{
    error::Result,
    model::{
        Actor, Board, Cache, Candidate, CandidateShown, Change, Comparison, ConfigChange, ConfigSet, CreatedToken, Envelope, Environment,
        EnvironmentName, Event, EventFilter, Found, Host, Invitation, LinkId, LogFound, LogLine, LogRange, Me, Member, Move, NewInvitation,
        NewPerson, NewService, NewToken, Page, PageRequest, Person, PushPolicy, Release, RetryFrom, Role, Rollout, RolloutId, Route,
        RouteId, Run, RunBrief, RunFilter, Service, ServiceName, ServiceOverview, SigningKey, Source, StartRun, StepId, StepSecret, Target,
        Team, TeamId, TeamName, Timestamp, Token, TokenId, Triggers, UserId,
    },
};

pub use self::{
    bases::{BaseSource, Bases, Upload},
    ci::Ci,
    mirrors::Mirrors,
    pipelines::Pipelines,
};

/// A stream that ends when its listener goes away.
pub type Live<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Everything that can be asked, as one object to hand around.
#[derive(Clone)]
pub struct Backend {
    /// Signing in, oneself, the first run.
    pub accounts: Arc<dyn Accounts>,
    /// Teams and who is in them.
    pub teams: Arc<dyn Teams>,
    /// API tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Services, targets, routes.
    pub services: Arc<dyn Services>,
    /// Releases, config, scale, rollouts.
    pub releases: Arc<dyn Releases>,
    /// Runs, logs, candidates.
    pub runs: Arc<dyn Runs>,
    /// Repositories that live elsewhere.
    pub mirrors: Arc<dyn Mirrors>,
    /// The `berth.yaml` of a service's repository.
    pub pipelines: Arc<dyn Pipelines>,
    /// Candidates one by one.
    pub candidates: Arc<dyn Candidates>,
    /// What tests said, files of runs, whether a team really integrates continuously.
    pub ci: Arc<dyn Ci>,
    /// Base images.
    pub bases: Arc<dyn Bases>,
    /// Activity, hosts, environments, changes as they happen.
    pub platform: Arc<dyn Platform>,
}

/// Signing in, oneself, the first run.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Whether the first administrator is still missing.
    async fn needs_first_admin(&self) -> Result<bool>;

    /// Creates the first administrator from the one-time link of the first start.
    ///
    /// # Errors
    /// `link_spent` where the token is unknown, used or expired, `invalid_email`, `weak_password`.
    async fn create_first_admin(&self, person: NewPerson, peer: Option<&str>) -> Result<UserId>;

    /// What an invitation says, for the page that takes it up.
    async fn invitation(&self, token: &str) -> Result<(TeamName, Invitation)>;

    /// Takes up an invitation: creates the person, or (signed in as its address) joins the team.
    async fn accept_invitation(&self, person: NewPerson, peer: Option<&str>) -> Result<UserId>;

    /// Spends a one-time sign-in link made on the server's own machine (`berth admin login-link`).
    ///
    /// # Errors
    /// `link_spent`.
    async fn sign_in_by_link(&self, token: &str, peer: Option<&str>) -> Result<UserId>;

    /// Checks an address and a password, in the same time whether or not the address is known.
    ///
    /// # Errors
    /// `wrong_credentials` (unknown, wrong or suspended alike), `too_many_attempts` with the wait in the sentence.
    async fn sign_in(&self, email: &str, password: &str, peer: Option<&str>) -> Result<UserId>;

    /// The actor of a signed-in person, as of now; none where they are suspended or signed out everywhere since
    /// (`epoch` is what [`Accounts::session_epoch`] said at login).
    async fn actor(&self, user: &UserId, epoch: i64, request: &str, peer: Option<&str>) -> Result<Option<Actor>>;

    /// The number a session of this person must carry to be good.
    async fn session_epoch(&self, user: &UserId) -> Result<i64>;

    /// The actor of an API token.
    ///
    /// # Errors
    /// `bad_token` where it is unknown, revoked or expired, or its owner suspended.
    async fn actor_of_token(&self, token: &str, request: &str, peer: Option<&str>) -> Result<Actor>;

    /// Oneself.
    async fn me(&self, actor: &Actor) -> Result<Me>;

    /// Ends every session of the actor.
    async fn sign_out_everywhere(&self, actor: &Actor) -> Result<()>;

    /// Sets the language of the console: `en`, `ko`, or none for the browser's.
    async fn set_language(&self, actor: &Actor, language: Option<&str>) -> Result<()>;

    /// Changes one's password and ends every other session.
    async fn change_password(&self, actor: &Actor, old: &str, new: &str) -> Result<()>;

    /// Everybody; for administrators.
    async fn people(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Person>>;

    /// Suspends (or lets back in) a person; for administrators.
    async fn suspend(&self, actor: &Actor, user: &UserId, suspended: bool) -> Result<()>;
}

/// Teams and who is in them.
#[async_trait]
pub trait Teams: Send + Sync {
    /// Creates a team with the actor as its owner.
    ///
    /// # Errors
    /// `name_taken`.
    async fn create(&self, actor: &Actor, name: &TeamName) -> Result<Team>;

    /// The teams the actor may see, by name.
    async fn list(&self, actor: &Actor) -> Result<Vec<Team>>;

    /// One team.
    async fn show(&self, actor: &Actor, team: &TeamName) -> Result<Team>;

    /// Who is in it, by name.
    async fn members(&self, actor: &Actor, team: &TeamName) -> Result<Vec<Member>>;

    /// Open invitations.
    async fn invitations(&self, actor: &Actor, team: &TeamName) -> Result<Vec<Invitation>>;

    /// Invites an address; the link is in the answer, once.
    async fn invite(&self, actor: &Actor, team: &TeamName, email: &str, role: Role) -> Result<NewInvitation>;

    /// Takes an invitation back.
    async fn withdraw(&self, actor: &Actor, team: &TeamName, invitation: &LinkId) -> Result<()>;

    /// Changes a member's role.
    ///
    /// # Errors
    /// `last_owner` where the team would be left without one.
    async fn set_role(&self, actor: &Actor, team: &TeamName, user: &UserId, role: Role) -> Result<()>;

    /// Takes a person out of the team. One may always leave.
    ///
    /// # Errors
    /// `last_owner`.
    async fn remove_member(&self, actor: &Actor, team: &TeamName, user: &UserId) -> Result<()>;
}

/// API tokens. Each person has their own.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Makes a token; the secret is in the answer, once. Nobody grants more than they hold.
    async fn create(&self, actor: &Actor, token: NewToken) -> Result<CreatedToken>;

    /// One's own tokens that are still good, newest first.
    async fn list(&self, actor: &Actor) -> Result<Vec<Token>>;

    /// Ends a token at once.
    async fn revoke(&self, actor: &Actor, token: &TokenId) -> Result<()>;
}

/// Services, targets, routes.
#[async_trait]
pub trait Services: Send + Sync {
    /// Creates a service with its first targets, built from a repository that is there or from a new one.
    ///
    /// # Errors
    /// `name_taken`, `unknown_environment`, `unknown_repository`, `repository_taken`, `host_taken`, `invalid_mirror`.
    async fn create(&self, actor: &Actor, team: &TeamName, service: NewService) -> Result<Service>;

    /// The team's services, by name.
    async fn list(&self, actor: &Actor, team: &TeamName, page: &PageRequest) -> Result<Page<Service>>;

    /// One service.
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Service>;

    /// One service with its targets, last runs and candidates.
    async fn overview(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<ServiceOverview>;

    /// Has a service built from another repository in future. Its runs, candidates and releases stay as they are.
    ///
    /// # Errors
    /// `unknown_repository`, `already_there`.
    async fn move_to(&self, actor: &Actor, team: &TeamName, service: &ServiceName, to: Move) -> Result<Service>;

    /// Deletes a service: stops what runs, then removes its rows, and its repository unless others are built from it.
    /// `confirm` repeats its name.
    ///
    /// # Errors
    /// `confirm_name`.
    async fn delete(&self, actor: &Actor, team: &TeamName, service: &ServiceName, confirm: &str) -> Result<()>;

    /// The home grid of a team, by name.
    async fn board(&self, actor: &Actor, team: &TeamName, page: &PageRequest) -> Result<Board>;

    /// Adds the service to an environment.
    ///
    /// # Errors
    /// `unknown_environment`, `already_there`.
    async fn add_environment(&self, actor: &Actor, team: &TeamName, service: &ServiceName, environment: &EnvironmentName)
    -> Result<Target>;

    /// One target.
    async fn target(&self, actor: &Actor, team: &TeamName, service: &ServiceName, environment: &EnvironmentName) -> Result<Target>;

    /// Leads a further host name to a target.
    ///
    /// # Errors
    /// `host_taken` (whoever has it), `invalid_host`, `reserved_host`.
    async fn add_route(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        host: &str,
        path: &str,
    ) -> Result<Route>;

    /// Takes a host name back.
    async fn remove_route(&self, actor: &Actor, team: &TeamName, service: &ServiceName, route: &RouteId) -> Result<()>;

    /// The names of the secrets that steps may ask for.
    async fn secrets(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<StepSecret>>;

    /// Keeps a secret, in the place of the one of this name.
    ///
    /// # Errors
    /// `invalid_secret`, `too_many_secrets`.
    async fn set_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str, value: &str) -> Result<()>;

    /// Forgets a secret. One that is not there is fine.
    async fn unset_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str) -> Result<()>;

    /// What steps left for those of the next runs, the one used last first; for a while also what was given up.
    async fn caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<Cache>>;

    /// Gives all of it up: what steps have now, once they end.
    async fn clear_caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<()>;

    /// What a newer push does to the runs of its branch that have not ended.
    async fn push_policy(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<PushPolicy>;

    /// Changes that.
    async fn set_push_policy(&self, actor: &Actor, team: &TeamName, service: &ServiceName, policy: PushPolicy) -> Result<PushPolicy>;
}

/// Releases, config, scale, rollouts. Everything here that changes something makes a release; `dry_run` only says what
/// would happen.
#[async_trait]
pub trait Releases: Send + Sync {
    /// Deploys.
    ///
    /// # Errors
    /// `unknown_candidate`, `unknown_release`, `invalid_image`, `nothing_to_promote`.
    async fn deploy(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        source: Source,
        dry_run: bool,
    ) -> Result<Change>;

    /// Sets the number of instances of a process, 0 to 100.
    async fn scale(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        replicas: BTreeMap<String, u32>,
        dry_run: bool,
    ) -> Result<Change>;

    /// The variables of a target: the newest set, or number `set`.
    async fn config(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        set: Option<u64>,
    ) -> Result<ConfigSet>;

    /// The versions of a target's variables, newest first.
    async fn config_sets(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        page: &PageRequest,
    ) -> Result<Page<ConfigSet>>;

    /// Changes variables.
    ///
    /// # Errors
    /// `invalid_variable`; `changed_meanwhile` where `base` is given and no longer the newest set's number.
    #[allow(clippy::too_many_arguments)]
    async fn change_config(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        change: ConfigChange,
        base: Option<u64>,
        dry_run: bool,
    ) -> Result<Change>;

    /// The releases of a target, newest first.
    async fn releases(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        page: &PageRequest,
    ) -> Result<Page<Release>>;

    /// One rollout.
    async fn rollout(&self, actor: &Actor, rollout: &RolloutId) -> Result<Rollout>;

    /// Asks for a rollout to be stopped; the old release goes on serving.
    ///
    /// # Errors
    /// `already_ended`.
    async fn cancel_rollout(&self, actor: &Actor, rollout: &RolloutId) -> Result<()>;

    /// The last lines of the instances' logs and what follows, oldest first.
    async fn logs(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        tail: u32,
        follow: bool,
    ) -> Result<Live<LogLine>>;
}

/// Runs, logs, candidates.
#[async_trait]
pub trait Runs: Send + Sync {
    /// The runs of a service that fit, newest first.
    async fn list(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunBrief>>;

    /// One run.
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Run>;

    /// Asks for a run to be stopped.
    ///
    /// # Errors
    /// `already_ended`.
    async fn cancel(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<()>;

    /// What makes runs begin beside a push of a branch, and what a run of this one (the default one where absent) takes.
    ///
    /// # Errors
    /// `unknown_branch`.
    async fn triggers(&self, actor: &Actor, team: &TeamName, service: &ServiceName, branch: Option<&str>) -> Result<Triggers>;

    /// Runs the head of a branch, whatever changed in it.
    ///
    /// # Errors
    /// `unknown_branch`, `unknown_input`, `missing_input`, `invalid_input`.
    async fn start(&self, actor: &Actor, team: &TeamName, service: &ServiceName, start: StartRun) -> Result<RunBrief>;

    /// Runs the commit of an ended run again, as a new run: from its start, or going on where it failed.
    ///
    /// # Errors
    /// `not_ended`; `not_failed`, `nothing_ran`, `pipeline_changed` and `files_gone` where a run cannot go on from it.
    async fn retry(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, from: RetryFrom) -> Result<RunBrief>;

    /// Lets a run go on that waits for its commit to be read: the actor has read it. Another commit needs another approval.
    ///
    /// # Errors
    /// `not_held` where it waits for that no more.
    async fn approve(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<()>;

    /// Lines of a step's log, from line `from` (counted from 1), at most `limit` (1 to 5,000).
    async fn log(&self, actor: &Actor, step: &StepId, from: u64, limit: u32) -> Result<LogRange>;

    /// The lines of a step's log that hold a text, from line `from` on, at most `limit` (1 to 5,000). The case of the letters A to
    /// Z is the same to it, and colours are no text. A long log is looked through piece by piece: `next` goes on.
    ///
    /// # Errors
    /// `nothing_to_find` where there is no text to look for.
    async fn find_in_log(&self, actor: &Actor, step: &StepId, text: &str, from: u64, limit: u32) -> Result<LogFound>;

    /// The lines of a step's log from line `from` on, as they come; ends when the log is complete.
    async fn follow(&self, actor: &Actor, step: &StepId, from: u64) -> Result<Live<LogLine>>;

    /// The candidates of a service, newest first.
    async fn candidates(&self, actor: &Actor, team: &TeamName, service: &ServiceName, page: &PageRequest) -> Result<Page<Candidate>>;
}

/// Candidates one by one: what is known of them, what vouches for them, how they differ, whether they are kept.
#[async_trait]
pub trait Candidates: Send + Sync {
    /// One candidate.
    ///
    /// # Errors
    /// `unknown_candidate`.
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<CandidateShown>;

    /// Where its image came from, signed.
    ///
    /// # Errors
    /// `no_statement` where it is from before that was written down.
    async fn provenance(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Envelope>;

    /// What is in its image: a document of CycloneDX.
    ///
    /// # Errors
    /// `no_statement`.
    async fn sbom(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<serde_json::Value>;

    /// As [`Candidates::sbom`], signed.
    ///
    /// # Errors
    /// `no_statement`.
    async fn signed_sbom(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Envelope>;

    /// How candidate `after` differs from candidate `before`.
    async fn compare(&self, actor: &Actor, team: &TeamName, service: &ServiceName, before: u64, after: u64) -> Result<Comparison>;

    /// Asks to keep a candidate's image for good, or takes that back.
    ///
    /// # Errors
    /// `candidate_gone`.
    async fn hold(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, held: bool) -> Result<()>;

    /// The public half of the key that candidates are signed with. Everybody may know it.
    async fn signing_key(&self) -> Result<SigningKey>;
}

/// Something changed; who shows it looks again. Carries no content, so that it needs no right of its own beyond the team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The team it belongs to; none: the platform's.
    pub team: Option<TeamId>,
    /// What it is about: `run:<id>`, `rollout:<id>`, `target:<id>`, `service:<id>`, `events`.
    pub topic: String,
}

/// Activity, hosts, environments, and changes as they happen.
#[async_trait]
pub trait Platform: Send + Sync {
    /// The environments, in order.
    async fn environments(&self, actor: &Actor) -> Result<Vec<Environment>>;

    /// One environment.
    async fn environment(&self, actor: &Actor, name: &EnvironmentName) -> Result<Environment>;

    /// The hosts; for administrators.
    async fn hosts(&self, actor: &Actor) -> Result<Vec<Host>>;

    /// The activity, newest first.
    async fn events(&self, actor: &Actor, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>>;

    /// What fits these words among the teams, services, targets and runs that the actor may see, best first, at most
    /// `limit` (1 to 50). Words may be parts of names, or letters of them in their order; a number is that of a run.
    async fn search(&self, actor: &Actor, query: &str, limit: u32) -> Result<Vec<Found>>;

    /// Changes in the teams the actor sees, as they happen. A slow listener loses some and should look again.
    async fn changes(&self, actor: &Actor) -> Result<Live<Changed>>;

    /// The clock, so that pages and tests agree on it.
    fn now(&self) -> Timestamp;
}
