//! What can be asked of the store, as values: carried out on a database, each answers with a text to compare.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use app::model::{
    Actor, CandidateId, ConfigSetId, EventFilter, LinkId, PageRequest, PlatformRole, Process, RepositoryId, Role, RolloutId, RolloutState,
    RouteId, RunFilter, RunId, RunState, Scope, Service, ServiceId, ServiceName, Shape, StageKind, TargetId, TeamId, Timestamp, Token,
    TokenId, UserId,
};
use server::{
    args,
    claim::Hands,
    clock,
    rollout::plan::Progress,
    store::{
        Db, StoreError, Tx, backends, board, candidates,
        candidates::NewCandidate,
        environments, events,
        events::{NewEvent, Of},
        idempotency, leases, links,
        links::{LinkRow, Purpose},
        logs,
        logs::NewLine,
        releases,
        releases::Content,
        repositories,
        repositories::RefChange,
        rollouts, routes,
        routes::RouteRow,
        runs,
        runs::{NewRun, NewStage, RunRow, StageRow, TakenUp},
        services, sessions, settings, targets,
        targets::NewTarget,
        teams, tokens,
        tokens::TokenRow,
        users,
        users::UserRow,
    },
};

use crate::support::queue::new_run;

/// All the services of a team, whatever their names.
pub(super) fn every(team: &TeamId) -> board::Look<'_> {
    static ENDS: LazyLock<[ServiceName; 2]> = LazyLock::new(|| ["a".parse().unwrap(), "z".repeat(30).parse().unwrap()]);
    board::Look { team, from: &ENDS[0], to: &ENDS[1] }
}

/// One operation: its kind, and numbers that say upon what. A number means "the n-th of those there are".
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) c: usize,
}

/// The kinds; a change and what it shows afterwards are one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AddUser,
    SuspendUser,
    AddTeam,
    PutMember,
    RemoveMember,
    AddToken,
    RevokeToken,
    AddService,
    DeleteService,
    PurgeService,
    AddTarget,
    SetConfig,
    Release,
    ClaimRollout,
    RecordRollout,
    FinishRollout,
    CancelRollout,
    PutBackend,
    DrainBackends,
    AddRoute,
    RemoveRoute,
    Push,
    ClaimRun,
    WorkOnRun,
    RenewRun,
    FinishRun,
    CancelRun,
    Hold,
    Session,
    Link,
    Idempotent,
    Event,
    PassTime,
    ListServices,
    ListReleases,
    ListRuns,
    ListPeople,
    Board,
    Account,
    MoveClock,
    Refs,
    MoveService,
    Schedule,
    Secret,
    Setting,
    Policy,
    Step,
    LeaveFiles,
    Together,
    Keep,
    SayRollout,
    TakeDown,
    AddEnvironment,
    LetGo,
    ReadLog,
    Search,
    Lights,
    Counts,
    Candidates,
    Configs,
}

impl Kind {
    pub(super) const ALL: &'static [Self] = &[
        Self::AddUser,
        Self::SuspendUser,
        Self::AddTeam,
        Self::PutMember,
        Self::RemoveMember,
        Self::AddToken,
        Self::RevokeToken,
        Self::AddService,
        Self::DeleteService,
        Self::PurgeService,
        Self::AddTarget,
        Self::SetConfig,
        Self::Release,
        Self::ClaimRollout,
        Self::RecordRollout,
        Self::FinishRollout,
        Self::CancelRollout,
        Self::PutBackend,
        Self::DrainBackends,
        Self::AddRoute,
        Self::RemoveRoute,
        Self::Push,
        Self::ClaimRun,
        Self::WorkOnRun,
        Self::RenewRun,
        Self::FinishRun,
        Self::CancelRun,
        Self::Hold,
        Self::Session,
        Self::Link,
        Self::Idempotent,
        Self::Event,
        Self::PassTime,
        Self::ListServices,
        Self::ListReleases,
        Self::ListRuns,
        Self::ListPeople,
        Self::Board,
        Self::Account,
        Self::MoveClock,
        Self::Refs,
        Self::MoveService,
        Self::Schedule,
        Self::Secret,
        Self::Setting,
        Self::Policy,
        Self::Step,
        Self::LeaveFiles,
        Self::Together,
        Self::Keep,
        Self::SayRollout,
        Self::TakeDown,
        Self::AddEnvironment,
        Self::LetGo,
        Self::ReadLog,
        Self::Search,
        Self::Lights,
        Self::Counts,
        Self::Candidates,
        Self::Configs,
    ];
}

/// A database and the ids of what was made in it, in order.
pub(super) struct Subject {
    pub(super) db: Db,
    pub(super) users: Vec<UserId>,
    pub(super) teams: Vec<TeamId>,
    pub(super) tokens: Vec<(UserId, TokenId)>,
    pub(super) services: Vec<Service>,
    pub(super) targets: Vec<(TeamId, TargetId)>,
    pub(super) routes: Vec<(TeamId, RouteId)>,
    pub(super) rollouts: Vec<(TeamId, RolloutId, i64)>,
    pub(super) runs: Vec<RunRow>,
    pub(super) links: Vec<LinkId>,
    pub(super) stages: Vec<(RunRow, StageRow)>,
    pub(super) candidates: Vec<(TeamId, ServiceId, CandidateId)>,
    pub(super) changes: Vec<RefChange>,
    pub(super) made: u64,
}

pub(super) fn page(n: usize) -> PageRequest {
    PageRequest { limit: Some(u32::try_from(n % 4 + 1).unwrap()), ..PageRequest::default() }
}

/// The n-th of what there is; nothing is an answer too.
pub(super) fn pick<T>(from: &[T], n: usize) -> Result<&T, StoreError> {
    from.get(n % from.len().max(1)).ok_or_else(|| StoreError::Address("nothing there".into()))
}

impl Subject {
    pub(super) fn new(db: Db) -> Self {
        Self {
            db,
            users: Vec::new(),
            teams: Vec::new(),
            tokens: Vec::new(),
            services: Vec::new(),
            targets: Vec::new(),
            routes: Vec::new(),
            rollouts: Vec::new(),
            runs: Vec::new(),
            links: Vec::new(),
            stages: Vec::new(),
            candidates: Vec::new(),
            changes: Vec::new(),
            made: 0,
        }
    }

    /// Carries an operation out in one transaction, and answers with what it showed, or how it was refused.
    pub(super) async fn carry_out(&mut self, op: Operation) -> String {
        match self.attempt(op).await {
            Ok(shown) => shown,
            Err(StoreError::Taken(_)) => "taken".to_owned(),
            Err(StoreError::Address(what)) => what,
            // What it belongs to was purged, for instance. The words are the database's own.
            Err(StoreError::Sql(_)) => "refused".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    async fn attempt(&mut self, op: Operation) -> Result<String, StoreError> {
        match op.kind {
            Kind::ClaimRollout => self.claim_rollout(op).await,
            Kind::ClaimRun => self.claim_run(op).await,
            Kind::RenewRun => {
                let run = pick(&self.runs, op.a)?;
                let standing = runs::standing(&self.db, &run.id, run.fence).await?;
                Ok(format!("{standing:?} {:?}", runs::renew(&self.db, &run.id, run.fence).await?))
            }
            Kind::Hold => {
                let until = Duration::from_secs(if op.c.is_multiple_of(2) { 150 } else { 0 });
                let fence = leases::hold(&self.db, ["keep", "sweep"][op.a % 2], ["a", "b"][op.b % 2], until).await?;
                Ok(format!("{fence:?}"))
            }
            Kind::MoveClock | Kind::LetGo => self.hold_on(op).await,
            Kind::Setting => {
                let name = ["x", "y"][op.a % 2];
                Ok(settings::once(&self.db, name, || format!("{}", op.b)).await?)
            }
            Kind::ReadLog | Kind::Search | Kind::Lights | Kind::Counts | Kind::Candidates | Kind::Configs => self.look(op).await,
            Kind::ListServices | Kind::ListReleases | Kind::ListRuns | Kind::ListPeople | Kind::Board => self.read(op).await,
            _ => {
                let db = self.db.clone();
                let mut tx = db.begin().await?;
                let shown = self.change(&mut tx, op).await?;
                tx.commit().await?;
                Ok(shown)
            }
        }
    }

    async fn change(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        match op.kind {
            Kind::AddUser
            | Kind::SuspendUser
            | Kind::AddTeam
            | Kind::PutMember
            | Kind::RemoveMember
            | Kind::AddToken
            | Kind::RevokeToken
            | Kind::Session
            | Kind::Link
            | Kind::Idempotent => self.people(tx, op).await,
            Kind::Push | Kind::WorkOnRun | Kind::FinishRun | Kind::CancelRun => self.run(tx, op).await,
            Kind::Event => {
                let team = pick(&self.teams, op.a)?;
                let new = NewEvent { team: Some(team), action: "test.done", subject: format!("thing {}", op.b % 5), ..NewEvent::default() };
                events::insert(tx, &Actor::system(["x", "y"][op.c % 2]), new).await?;
                Ok(String::new())
            }
            Kind::PassTime => {
                for table in ["runs", "rollouts"] {
                    let by = i64::try_from(op.a % 90).unwrap() * 1_000;
                    tx.execute(format!("UPDATE {table} SET lease_until = lease_until - $1 WHERE lease_until > 0"), args![by]).await?;
                }
                Ok(String::new())
            }
            Kind::Account
            | Kind::Refs
            | Kind::MoveService
            | Kind::Schedule
            | Kind::Secret
            | Kind::Policy
            | Kind::Step
            | Kind::LeaveFiles
            | Kind::Together
            | Kind::Keep
            | Kind::SayRollout
            | Kind::TakeDown
            | Kind::AddEnvironment => self.further(tx, op).await,
            _ => self.ship(tx, op).await,
        }
    }

    async fn people(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let now = clock::now();
        self.made += 1;
        match op.kind {
            Kind::AddUser => {
                let id = UserId::from_text(clock::new_id());
                let user = UserRow {
                    id: id.clone(),
                    email: format!("p{}@example.com", op.a % 40),
                    name: format!("Person {}", op.b % 3),
                    password_hash: String::new(),
                    language: op.c.is_multiple_of(2).then(|| "ko".to_owned()),
                    platform: if op.a.is_multiple_of(5) { PlatformRole::Admin } else { PlatformRole::None },
                    session_epoch: 0,
                    suspended_at: None,
                    created_at: now,
                };
                users::insert(tx, &user).await?;
                self.users.push(id);
                Ok(format!("{:?}", users::active_admins(tx).await?))
            }
            Kind::SuspendUser => {
                let user = pick(&self.users, op.a)?;
                let changed = users::set_suspended(tx, user, op.b.is_multiple_of(2).then_some(now)).await?;
                users::raise_epoch(tx, user).await?;
                let row = users::by_id(&mut *tx, user).await?;
                Ok(format!("{changed} {:?} {}", row.map(|row| row.session_epoch), users::active_admins(tx).await?))
            }
            Kind::AddTeam => {
                let id = TeamId::from_text(clock::new_id());
                teams::insert(tx, &id, &format!("team{}", op.a % 6).parse().unwrap(), now).await?;
                self.teams.push(id.clone());
                Ok(format!("{:?}", teams::show(tx, &id).await?))
            }
            Kind::PutMember => {
                let (team, user) = (pick(&self.teams, op.a)?, pick(&self.users, op.b)?);
                teams::put_member(tx, team, user, Role::ALL[op.c % Role::ALL.len()], now).await?;
                Ok(format!("{:?} {}", teams::of_user(&mut *tx, user).await?, teams::owners(tx, team).await?))
            }
            Kind::RemoveMember => {
                let (team, user) = (pick(&self.teams, op.a)?, pick(&self.users, op.b)?);
                teams::remove_member(tx, team, user).await?;
                Ok(format!("{:?}", teams::members(tx, team).await?))
            }
            Kind::AddToken => {
                let (user, id) = (pick(&self.users, op.a)?.clone(), TokenId::from_text(clock::new_id()));
                let token = Token {
                    id: id.clone(),
                    name: format!("token {}", op.b),
                    prefix: "berth_".into(),
                    scopes: Scope::ALL[..op.c % Scope::ALL.len()].to_vec(),
                    team: None,
                    created_at: now,
                    expires_at: op.c.is_multiple_of(3).then(|| now.plus(Duration::from_secs(1_000))),
                    last_used_at: None,
                };
                let team = op.b.is_multiple_of(2).then(|| self.teams.first().cloned()).flatten();
                let row = TokenRow { token, user: user.clone(), team, revoked_at: None };
                tokens::insert(tx, &row, &format!("hash {}", self.made)).await?;
                self.tokens.push((user.clone(), id));
                Ok(format!("{:?}", tokens::list(tx, &user, now).await?))
            }
            Kind::RevokeToken => {
                let (user, id) = pick(&self.tokens, op.a)?;
                tokens::touch(tx, id, now).await?;
                Ok(format!("{:?}", tokens::revoke(tx, user, id, now).await?))
            }
            Kind::Session => {
                let id = format!("session {}", op.a % 3);
                let until = if op.b.is_multiple_of(2) { now.plus(Duration::from_secs(1_000)) } else { Timestamp(1) };
                let inserted = sessions::insert(tx, &id, "{}", until).await?;
                let gone = if op.c.is_multiple_of(3) { sessions::delete_expired(tx, now).await? } else { 0 };
                Ok(format!("{inserted} {gone} {:?}", sessions::load(tx, &id, now).await?))
            }
            Kind::Link if op.a.is_multiple_of(2) => {
                let (team, id) = (pick(&self.teams, op.b)?.clone(), LinkId::from_text(clock::new_id()));
                let link = LinkRow {
                    id: id.clone(),
                    purpose: Purpose::Invitation,
                    team: Some(team.clone()),
                    role: Some(Role::ALL[op.c % Role::ALL.len()]),
                    email: Some(format!("p{}@example.com", op.c)),
                    created_by: self.users.first().cloned(),
                    created_at: now,
                    expires_at: now.plus(Duration::from_secs(1_000)),
                };
                links::insert(tx, &link, &format!("hash {}", self.made)).await?;
                self.links.push(id);
                Ok(format!("{:?}", links::invitations(tx, &team, now).await?))
            }
            Kind::Link => Ok(format!("{}", links::spend(tx, pick(&self.links, op.b)?, now).await?)),
            _ => {
                let (actor, key) = (["ann", "ben"][op.a % 2], ["1", "2", "3"][op.b % 3]);
                let before = idempotency::begin(tx, actor, key, "hash", now, Timestamp(0)).await?;
                match op.c % 3 {
                    0 => idempotency::finish(tx, actor, key, 201, "sealed").await?,
                    1 => idempotency::forget(tx, actor, key).await?,
                    _ => {}
                }
                Ok(format!("{before:?} {}", idempotency::count(tx, actor).await?))
            }
        }
    }

    async fn ship(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let now = clock::now();
        match op.kind {
            Kind::AddService => {
                let team = pick(&self.teams, op.a)?.clone();
                let name = format!("s{}", op.b % 4);
                let service = Service {
                    id: ServiceId::from_text(clock::new_id()),
                    team: teams::name_of(&mut *tx, &team).await?.expect("teams are not removed"),
                    team_id: team,
                    name: name.parse().unwrap(),
                    description: "…".into(),
                    repository: name.parse().unwrap(),
                    repository_id: RepositoryId::from_text(clock::new_id()),
                    clone_url: String::new(),
                    created_at: now,
                };
                services::insert(tx, &service).await?;
                self.services.push(service);
                Ok(String::new())
            }
            Kind::DeleteService => {
                let service = pick(&self.services, op.a)?;
                let asked = services::ask_deletion(tx, service, now).await?;
                Ok(format!("{asked} {:?}", services::to_delete(tx).await?.len()))
            }
            Kind::PurgeService => {
                let doomed = services::to_delete(&mut *tx).await?;
                let Some(id) = doomed.iter().min_by_key(|id| self.services.iter().position(|s| s.id == **id)).cloned() else {
                    return Ok("none".into());
                };
                services::withdraw(tx, &id).await?;
                let repository = services::abandoned_repositories(&mut *tx, &id).await?;
                services::purge(tx, &id).await?;
                self.services.retain(|service| service.id != id);
                Ok(format!("{repository:?}"))
            }
            Kind::AddTarget => {
                let service = pick(&self.services, op.a)?;
                let all = environments::list(&mut *tx).await?;
                let (id, config) = (TargetId::from_text(clock::new_id()), ConfigSetId::from_text(clock::new_id()));
                let new = NewTarget {
                    id: &id,
                    team: &service.team_id,
                    service: &service.id,
                    environment: &pick(&all, op.b)?.id,
                    replicas: &BTreeMap::new(),
                    config_set: &config,
                    variables: "{}",
                    by: "ann",
                    now,
                };
                targets::insert(tx, &new).await?;
                self.targets.push((service.team_id.clone(), id.clone()));
                Ok(format!("{:?}", board::targets(tx, every(&service.team_id)).await?))
            }
            Kind::SetConfig => {
                let (team, target) = pick(&self.targets, op.a)?;
                let id = ConfigSetId::from_text(clock::new_id());
                let number = releases::insert_config(tx, team, target, &id, "{\"A\":1}", "ann").await?;
                Ok(format!("{number} {:?}", releases::config_list(tx, target, &page(op.b)).await?))
            }
            Kind::Release => self.release(tx, op).await,
            Kind::RecordRollout => {
                let (_, id, fence) = pick(&self.rollouts, op.a)?;
                Ok(format!("{}", rollouts::record(tx, id, *fence, &[], &Progress::default(), Some("working")).await?))
            }
            Kind::FinishRollout => {
                let (team, id, fence) = pick(&self.rollouts, op.a)?;
                let state = [RolloutState::Succeeded, RolloutState::Failed][op.b % 2];
                let finished = rollouts::finish(tx, id, *fence, state, Some("…"), &[]).await?;
                let row = rollouts::row(&mut *tx, id).await?;
                let release = match &row {
                    Some(row) => releases::by_id(&mut *tx, team, &row.release_id).await?,
                    None => None,
                };
                match release {
                    Some(release) if finished && state == RolloutState::Succeeded => releases::serve(tx, &release).await?,
                    Some(release) if finished => releases::give_up(tx, &release).await?,
                    _ => {}
                }
                Ok(format!("{finished} {row:?} {:?}", rollouts::moving_targets(tx).await?.len()))
            }
            Kind::CancelRollout => {
                let (team, id, _) = pick(&self.rollouts, op.a)?;
                let asked = rollouts::ask_cancel(tx, team, id).await?;
                rollouts::unwant_queued(tx, id).await?;
                Ok(format!("{asked} {:?}", rollouts::show(tx, team, id).await?))
            }
            Kind::PutBackend => {
                let (_, target) = pick(&self.targets, op.a)?;
                let address = ([10, 0, 0, u8::try_from(op.c % 9).unwrap()], 80).into();
                backends::put(tx, target, (op.b % 3) as u64, "web", u32::try_from(op.c % 3).unwrap(), address, now).await?;
                Ok(format!("{:?}", backends::of_target(tx, target).await?))
            }
            Kind::DrainBackends => {
                let (_, target) = pick(&self.targets, op.a)?;
                let rows = backends::of_target(&mut *tx, target).await?;
                let drained = match rows.first() {
                    Some(row) if op.b.is_multiple_of(2) => backends::drain_one(tx, row, now).await?,
                    Some(row) => backends::remove_one(tx, target, row.release, "web", row.slot).await?,
                    None => 0,
                };
                Ok(format!("{drained} {:?}", backends::all(tx).await?.len()))
            }
            Kind::AddRoute => {
                let (team, target) = pick(&self.targets, op.a)?.clone();
                let id = RouteId::from_text(clock::new_id());
                let (host, path) = (format!("h{}.example", op.b % 4), ["/", "/api"][op.c % 2].to_owned());
                let row = RouteRow { id: id.clone(), target, host, path, default: op.c.is_multiple_of(3) };
                routes::insert(tx, &team, &row, now).await?;
                self.routes.push((team.clone(), id));
                Ok(format!("{:?} {:?}", routes::of_targets(&mut *tx, every(&team)).await?, routes::all_for_edge(tx).await?))
            }
            _ => {
                let (team, id) = pick(&self.routes, op.a)?;
                routes::remove(tx, team, id).await?;
                Ok(format!("{:?}", routes::of_targets(tx, every(team)).await?))
            }
        }
    }

    async fn release(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (_, target) = pick(&self.targets, op.a)?;
        let Some(target) = targets::by_id(&mut *tx, target).await? else { return Ok("gone".into()) };
        let serving = match &target.release_id {
            Some(id) => releases::by_id(&mut *tx, &target.team_id, id).await?,
            None => None,
        };
        let shape = Shape { processes: BTreeMap::from([("web".to_owned(), Process::default())]), release: None };
        let content = Content {
            image: format!("sha256:{}", op.b % 3),
            candidate: None,
            config: (target.config_set_id.clone(), 0),
            replicas: BTreeMap::from([("web".to_owned(), u32::try_from(op.c % 3).unwrap())]),
            shape,
        };
        let (release, id) = server::rollout::request::release(tx, &target, &content, "ann", "why")
            .await
            .map_err(|error| StoreError::Address(error.to_string()))?;
        self.rollouts.push((target.team_id.clone(), id, 0));
        let newest = board::targets(&mut *tx, every(&target.team_id)).await?;
        Ok(format!("{release:?} {serving:?} {newest:?}"))
    }

    async fn claim_rollout(&mut self, op: Operation) -> Result<String, StoreError> {
        if op.b.is_multiple_of(5) {
            return Ok(format!("{}", rollouts::release_held_by(&self.db, ["a", "b"][op.a % 2]).await?));
        }
        let claimed = rollouts::claim(&self.db, ["a", "b"][op.a % 2], clock::now(), &Hands::default()).await?;
        if let Some(row) = &claimed
            && let Some(known) = self.rollouts.iter_mut().find(|(_, id, _)| *id == row.id)
        {
            // Now and then the one before goes on with its old fence.
            if !op.c.is_multiple_of(4) {
                known.2 = row.fence;
            }
        }
        Ok(format!("{claimed:?}"))
    }

    async fn claim_run(&mut self, op: Operation) -> Result<String, StoreError> {
        if op.b.is_multiple_of(5) {
            return Ok(format!("{}", runs::release_held_by(&self.db, ["a", "b"][op.a % 2]).await?));
        }
        let claimed = runs::claim(&self.db, ["a", "b"][op.a % 2], 2, clock::now(), &Hands::default()).await?;
        let shown = format!("{claimed:?}");
        if let Some(row) = claimed {
            if !op.c.is_multiple_of(4) {
                self.runs.retain(|run| run.id != row.id);
            }
            self.runs.push(row);
        }
        Ok(shown)
    }

    async fn run(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        match op.kind {
            Kind::Push => {
                let service = pick(&self.services, op.a)?;
                let branch = ["main", "topic"][op.b % 2];
                let mut ended = runs::supersede(tx, &service.team_id, &service.id, branch, u64::MAX).await?.len();
                if op.c.is_multiple_of(5) {
                    ended += runs::cut_short(tx, &service.team_id, &service.id, branch, u64::MAX).await?.len();
                }
                let state = if op.c.is_multiple_of(7) { RunState::Skipped } else { RunState::Queued };
                let group = op.c.is_multiple_of(3).then_some(("db", 1));
                let new = NewRun { state, group, ..new_run(&service.team_id, &service.id, branch) };
                let stage = |position: u32, kind: StageKind| NewStage {
                    position,
                    name: format!("stage {position}"),
                    kind,
                    attempt: 1,
                    steps: vec![("unit".into(), "i".into()), ("lint".into(), "i".into())],
                    sidecars: vec![("db".into(), "i".into())],
                    skipped: vec![],
                };
                let stages = [stage(0, StageKind::Steps), stage(1, StageKind::Image)];
                let (_, number) = runs::insert(tx, &new, &stages).await?;
                Ok(format!("{ended} {number}"))
            }
            Kind::WorkOnRun => {
                let run = pick(&self.runs, op.a)?;
                let to_do = match runs::take_up(tx, run, |stage| stage.attempt < 3).await? {
                    Some(TakenUp::ToDo(to_do)) => to_do,
                    other => return Ok(format!("{other:?}")),
                };
                let Some(stage) = to_do.first() else { return Ok("nothing".into()) };
                self.stages.push((run.clone(), stage.clone()));
                let begun = runs::begin_stage(tx, &run.id, run.fence, stage).await?;
                let line = NewLine { at: clock::now(), kind: app::model::LineKind::Out, text: "a line".into() };
                let (step, ..) = &stage.steps[0];
                let written = logs::append(tx, step, run.fence, 1, &[line]).await?;
                if op.b.is_multiple_of(3) {
                    return Ok(format!("{begun} {written} left in the middle"));
                }
                let state = if op.b.is_multiple_of(7) { RunState::Failed } else { RunState::Passed };
                let ended = runs::end_step(tx, &run.id, run.fence, step, state, Some(0), None).await?;
                let all = runs::end_stage(tx, &run.id, run.fence, &stage.id, state).await?;
                Ok(format!("{begun} {written} {ended} {all}"))
            }
            Kind::FinishRun => {
                let run = pick(&self.runs, op.a)?;
                let candidate = Self::candidate(tx, run, op.b.is_multiple_of(2)).await?;
                let made = candidate.clone().map(|candidate| (run.team_id.clone(), run.service_id.clone(), candidate));
                let state = [RunState::Passed, RunState::Failed, RunState::Errored][op.b % 3];
                let finished = runs::finish(tx, &run.id, run.fence, state, Some("…"), candidate.as_ref()).await?;
                let shown = format!("{finished} {:?}", candidates::list(&self.db, &run.service_id, &page(op.c)).await?);
                self.candidates.extend(made);
                Ok(shown)
            }
            _ => {
                let service = pick(&self.services, op.a)?;
                let asked = runs::ask_cancel(tx, &service.team_id, &service.id, (op.b % 5) as u64).await?;
                Ok(format!("{asked:?}"))
            }
        }
    }

    async fn candidate(tx: &mut Tx, run: &RunRow, wanted: bool) -> Result<Option<CandidateId>, StoreError> {
        if !wanted {
            return Ok(None);
        }
        let new = NewCandidate {
            team: &run.team_id,
            service: &run.service_id,
            image: "sha256:0",
            size: 7,
            commit: "c",
            title: "t",
            branch: "main",
            run: &run.id,
            run_number: run.number,
            shape: &Shape { processes: BTreeMap::new(), release: None },
            made: None,
        };
        Ok(Some(candidates::insert(tx, &new).await?.id))
    }

    async fn read(&self, op: Operation) -> Result<String, StoreError> {
        let db = &self.db;
        match op.kind {
            Kind::ListServices => {
                let team = pick(&self.teams, op.a)?;
                let page = events::list(db, &Of::from([team.clone()]), &EventFilter::default(), &page(op.b)).await?;
                Ok(format!("{:?} {:?} {page:?}", teams::list(db, None).await?, services::list(db, "", team).await?))
            }
            Kind::ListReleases => {
                let (_, target) = pick(&self.targets, op.a)?;
                let list = releases::list(db, target, &page(op.b)).await?;
                let briefs = rollouts::of_releases(db, target, 1, 100).await?;
                Ok(format!("{list:?} {briefs:?} {:?}", releases::serving_after(db, &TargetId::from_text(""), 1_000).await?.releases.len()))
            }
            Kind::ListRuns => {
                let service = pick(&self.services, op.a)?;
                // Some of the time narrowed, by what the histories hold.
                let state = op.c.is_multiple_of(3).then(|| RunState::ALL[op.b % RunState::ALL.len()]);
                let text = (op.c % 4 == 1).then(|| ["A", "e_", "0", "%"][op.b % 4].to_owned());
                let filter = RunFilter { state, text, branch: (op.c % 5 == 2).then(|| "main".to_owned()), by: None };
                let list = runs::list(db, &service.team_id, &service.id, &filter, &page(op.b)).await?;
                let shown = runs::show(db, &service.team_id, &service.id, (op.c % 5) as u64).await?;
                let of: Vec<RunId> = self.runs.iter().map(|run| run.id.clone()).collect();
                Ok(format!("{list:?} {shown:?} {:?}", runs::not_under_way(db, &of).await?.len()))
            }
            Kind::ListPeople => {
                let people = users::people(db, &page(op.a)).await?;
                let repositories = repositories::compared(db).await?.len();
                Ok(format!("{people:?} {repositories}"))
            }
            _ => {
                let team = pick(&self.teams, op.a)?;
                let newest = runs::newest_of_services(db, every(team)).await?.len();
                let look = every(team);
                Ok(format!("{newest} {:?} {:?}", board::targets(db, look).await?, board::backends(db, look).await?))
            }
        }
    }
}
