//! What else can be asked of the store, beside what [`super::operations`] has: accounts, refs, schedules, secrets, what steps
//! leave, runs that come to one version, what is kept of candidates; and what is only read.

use std::{collections::BTreeMap, time::Duration};

use app::model::{Environment, EnvironmentId, LineKind, Profile, PushPolicy, RepositoryId, RunState, TestCounts, TestReport, Timestamp};
use server::{
    clock,
    store::{
        StoreError, Tx,
        artifacts::{self, NewArtifact},
        backends, candidates, ci, counts, environments,
        events::Of,
        groups, leases,
        links::{self, Purpose},
        logs::{self, NewLine},
        policies, releases, repositories,
        results::{self, Flipped, NewResults},
        rollouts, routes,
        runs::{self, NewRun, NewStage},
        schedules,
        search::{self, Wanted},
        secrets::{self, Sealed},
        selection, services, sessions, settings,
        statements::{self, StatementRow},
        targets, teams, together, tokens, users,
    },
};

use super::operations::{Kind, Operation, Subject, page, pick};
use crate::support::queue::new_run;

/// In an order of their own, where the database has none that both keep: of what was written within one millisecond.
fn sorted<T: std::fmt::Debug>(all: Vec<T>, by: impl Fn(&T) -> String) -> Vec<T> {
    let mut all = all;
    all.sort_by_key(by);
    all
}

impl Subject {
    /// What keeps or lets go of claims, each a change of its own.
    pub(super) async fn hold_on(&self, op: Operation) -> Result<String, StoreError> {
        let (holder, db) = (["a", "b"][op.a % 2], &self.db);
        if op.kind == Kind::MoveClock {
            leases::renew_all(db, holder, clock::now()).await?;
            return Ok(format!("{:?}", leases::all(db).await?));
        }
        if op.b.is_multiple_of(2) {
            let run = pick(&self.runs, op.a)?;
            runs::let_go(db, &run.id, run.fence).await?;
            return Ok(format!("{:?}", runs::standing(db, &run.id, run.fence).await?));
        }
        let (_, id, fence) = pick(&self.rollouts, op.a)?;
        let renewed = rollouts::renew(db, id, *fence).await?;
        rollouts::let_go(db, id, *fence).await?;
        Ok(format!("{renewed}"))
    }

    pub(super) async fn further(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        self.made += 1;
        match op.kind {
            Kind::Account => self.account(tx, op).await,
            Kind::Refs => self.refs(tx, op).await,
            Kind::MoveService => self.move_service(tx, op).await,
            Kind::Schedule => self.schedule(tx, op).await,
            Kind::Secret => {
                let service = pick(&self.services, op.a)?;
                let name = ["KEY", "TOKEN"][op.b % 2].to_owned();
                let forgot = if op.c.is_multiple_of(3) {
                    secrets::unset(tx, &service.id, &name).await?
                } else {
                    let new = Sealed { id: clock::new_id(), name, variables: format!("sealed {}", op.c) };
                    secrets::set(tx, &service.team_id, &service.id, &new, "ann").await?;
                    false
                };
                let sealed = sorted(secrets::sealed(&mut *tx, &service.id).await?.into_iter().map(|one| one.name).collect(), String::clone);
                Ok(format!("{forgot} {sealed:?} {:?}", secrets::list(tx, &service.id).await?))
            }
            Kind::Policy => self.policy(tx, op).await,
            Kind::Step => self.step(tx, op).await,
            Kind::LeaveFiles => self.leave_files(tx, op).await,
            Kind::Together => self.together(tx, op).await,
            Kind::Keep => self.keep(tx, op).await,
            Kind::SayRollout => self.say_rollout(tx, op).await,
            Kind::TakeDown => self.take_down(tx, op).await,
            _ => {
                let environment = Environment {
                    id: EnvironmentId::from_text(clock::new_id()),
                    name: format!("more{}", op.a % 4).parse().unwrap(),
                    position: 10 + u32::try_from(op.a % 4).unwrap(),
                    pool: String::new(),
                    default_replicas: 1,
                    auto_deploy: op.b.is_multiple_of(2),
                    stabilisation_ms: 1,
                    deadline_ms: 2,
                    profile: [Profile::Baseline, Profile::Restricted][op.c % 2],
                };
                environments::insert(tx, &environment, clock::now()).await?;
                Ok(format!("{:?}", environments::by_name(tx, &environment.name).await?))
            }
        }
    }

    async fn account(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let now = clock::now();
        match op.c % 5 {
            0 => {
                let user = pick(&self.users, op.a)?;
                users::set_language(tx, user, [None, Some("ko"), Some("en")][op.b % 3]).await?;
                users::set_password(tx, user, &format!("hash {}", op.b)).await?;
                let email = format!("p{}@example.com", op.a % 40);
                Ok(format!(
                    "{} {:?} {:?}",
                    users::any(&mut *tx).await?,
                    users::by_id(&mut *tx, user).await?,
                    users::by_email(tx, &email).await?
                ))
            }
            1 => {
                let (team, user) = (pick(&self.teams, op.a)?, pick(&self.users, op.b)?);
                let id = teams::id_of(&mut *tx, &format!("team{}", op.a % 6).parse().unwrap()).await?;
                Ok(format!("{id:?} {:?}", teams::role_of(tx, team, user).await?))
            }
            2 => {
                let id = format!("session {}", op.a % 3);
                if op.b.is_multiple_of(2) {
                    sessions::update(tx, &id, "{\"a\":1}", now.plus(Duration::from_secs(1_000))).await?;
                } else {
                    sessions::delete(tx, &id).await?;
                }
                Ok(format!("{:?}", sessions::load(tx, &id, now).await?))
            }
            3 => {
                let hash = format!("hash {}", op.a);
                let token = tokens::by_hash(&mut *tx, &hash).await?;
                let link = links::good(tx, [Purpose::Invitation, Purpose::SignIn][op.b % 2], &hash, now).await?;
                Ok(format!("{token:?} {link:?}"))
            }
            _ => {
                let (team, id) = (pick(&self.teams, op.a)?, pick(&self.links, op.b)?);
                if op.a.is_multiple_of(7) {
                    links::spend_all(tx, Purpose::Invitation, now).await?;
                }
                Ok(format!("{:?}", links::withdraw(tx, team, id, now).await?))
            }
        }
    }

    /// A push moves refs; what follows of it is marked as done.
    async fn refs(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let service = pick(&self.services, op.a)?;
        if op.c.is_multiple_of(4) {
            let change = pick(&self.changes, op.b)?;
            let (first, again) = (repositories::handled(tx, &change.id).await?, repositories::handled(tx, &change.id).await?);
            let tags = repositories::tags_with(&mut *tx, change).await?;
            return Ok(format!("{first} {again} {tags} {}", repositories::is_handled(tx, &change.id).await?));
        }
        let Some(repository) = repositories::by_id(&mut *tx, &service.repository_id).await? else { return Ok("gone".into()) };
        tx.lock(&repositories::lock(&repository.id)).await?;
        let names = ["refs/heads/main", "refs/heads/topic", "refs/tags/v1", "refs/tags/v2"];
        let refs: BTreeMap<String, String> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| op.b >> at & 1 == 1)
            .map(|(at, name)| ((*name).to_owned(), format!("c{}", (op.c + at) % 3)))
            .collect();
        let changes = repositories::record_refs(tx, &repository, &refs, "ann").await?;
        repositories::set_compared(tx, &repository.id, i64::try_from(op.b).unwrap()).await?;
        self.changes.extend(changes.clone());
        let main = repositories::last_commit(&mut *tx, &repository.id, "refs/heads/main").await?;
        let found = repositories::find(&mut *tx, &repository.team_id, &repository.name).await?;
        let open = repositories::open_changes(tx).await?.len();
        Ok(format!("{changes:?} {main:?} {found:?} {open}"))
    }

    /// A service is added to another's repository, or built from another one in future.
    async fn move_service(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (service, other) = (pick(&self.services, op.a)?.clone(), pick(&self.services, op.b)?.clone());
        if service.team_id != other.team_id {
            return Ok("another team's".into());
        }
        match op.c % 3 {
            0 => {
                let added = app::model::Service {
                    id: app::model::ServiceId::from_text(clock::new_id()),
                    name: format!("more{}", op.b % 4).parse().unwrap(),
                    ..other
                };
                services::insert_into(tx, &added).await?;
                self.services.push(added.clone());
                Ok(format!("{:?}", services::beside(tx, &added).await?))
            }
            1 => {
                let id = RepositoryId::from_text(clock::new_id());
                repositories::insert(tx, &id, &service.team_id, &format!("own{}", op.b % 4).parse().unwrap(), clock::now()).await?;
                services::move_to(tx, &service, &id).await?;
                Ok(format!("{:?}", services::by_name(tx, "", &service.team_id, &service.name).await?))
            }
            _ => {
                services::move_to(tx, &service, &other.repository_id).await?;
                let page = services::page(&mut *tx, "", &service.team_id, &page(op.b)).await?;
                Ok(format!("{page:?} {}", services::count(tx, &service.team_id).await?))
            }
        }
    }

    async fn schedule(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let service = pick(&self.services, op.a)?;
        let at = |n: usize| Timestamp(i64::try_from(1_000 + n).unwrap());
        match op.c % 3 {
            0 => {
                let wanted = [("0 3 * * *".to_owned(), "UTC".to_owned(), at(op.b)), ("0 4 * * *".to_owned(), "UTC".to_owned(), at(50))];
                let wanted = (!op.b.is_multiple_of(5)).then_some(&wanted[..=op.b % 2]);
                schedules::set(tx, &service.team_id, &service.id, "c", wanted).await?;
            }
            1 => {
                let due = schedules::due(&mut *tx, at(60)).await?;
                let Some(first) = due.first() else { return Ok("none".into()) };
                let (moved, again) = (schedules::move_on(tx, first, at(op.b)).await?, schedules::move_on(tx, first, at(op.b + 1)).await?);
                return Ok(format!("{due:?} {moved} {again} {}", schedules::waits(tx, &first.service).await?));
            }
            _ => {
                let all = schedules::all(&mut *tx).await?;
                if let Some(one) = all.get(op.b % all.len().max(1)) {
                    schedules::remove(tx, one).await?;
                }
            }
        }
        let (next, unread) = (schedules::next(&mut *tx).await?, schedules::unread(&mut *tx, "").await?.len());
        Ok(format!("{next:?} {unread} {:?}", schedules::of_service(tx, &service.team_id, &service.id).await?))
    }

    async fn policy(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (service, yes) = (pick(&self.services, op.a)?, op.b.is_multiple_of(2));
        match op.c % 4 {
            0 => policies::set(tx, &service.team_id, &service.id, PushPolicy { default_branch: yes, running: !yes }).await?,
            1 => ci::guard(tx, &service.team_id, &service.id, yes).await?,
            2 => ci::open_badges(tx, &service.team_id, yes).await?,
            _ => {
                settings::backed_up(tx, Timestamp(i64::try_from(op.b).unwrap())).await?;
                return Ok(format!("{:?}", settings::last_backup(tx).await?));
            }
        }
        let policy = policies::of(&mut *tx, &service.team_id, &service.id).await?;
        let looked = ci::of_service(&mut *tx, &service.team_id, &service.id).await?;
        Ok(format!("{policy:?} {looked:?} {}", ci::badges_open(tx, &service.team_id).await?))
    }

    /// What happens to the steps of a stage that was begun.
    async fn step(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (run, stage) = pick(&self.stages, op.a)?;
        let (step, ..) = &stage.steps[op.b % stage.steps.len()];
        match op.c % 6 {
            0 => {
                runs::hold_back(tx, step).await?;
                Ok(format!("{}", runs::begin_step(tx, &run.id, run.fence, step).await?))
            }
            1 => {
                runs::hold_back(tx, step).await?;
                runs::set_tries(tx, step, 2).await?;
                Ok(String::new())
            }
            2 => {
                runs::say(tx, &run.id, run.fence, Some("It waits.")).await?;
                let by = runs::superseded_by(&mut *tx, &run.id).await?;
                Ok(format!("{by:?} {:?}", runs::row(tx, &run.id).await?))
            }
            3 => {
                let begun = runs::begin_after(tx, run, stage, RunState::Failed, &[("after", "i")]).await?;
                Ok(format!("{begun:?} {:?}", runs::why(tx, stage).await?))
            }
            4 => {
                let ended = runs::end_step(tx, &run.id, run.fence, step, RunState::Failed, Some(1), Some("It failed.")).await?;
                Ok(format!("{ended} {:?}", runs::why(tx, stage).await?))
            }
            _ => {
                let line = |n: usize| NewLine { at: clock::now(), kind: LineKind::Err, text: format!("line {n}\0\u{1b}[1m") };
                let lines: Vec<NewLine> = (0..=op.b % 9).map(line).collect();
                let Some((_, _, total)) = logs::head(&mut *tx, step).await? else { return Ok("gone".into()) };
                Ok(format!("{total} {}", logs::append(tx, step, run.fence, total + 1, &lines).await?))
            }
        }
    }

    /// A step leaves files and what its tests said.
    async fn leave_files(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (run, stage) = pick(&self.stages, op.a)?;
        let (step, name, _) = &stage.steps[op.b % stage.steps.len()];
        match op.c % 4 {
            0 => {
                let file = |n| NewArtifact { id: clock::new_id(), path: format!("out/{n}"), size: n as u64 + 1, sha256: "a".repeat(64) };
                let files: Vec<NewArtifact> = (0..op.b % 3).map(file).collect();
                artifacts::insert(tx, run, step, name, &files).await?;
                let so_far = artifacts::so_far(&mut *tx, &run.id).await?;
                let all = artifacts::of_run(&mut *tx, &run.team_id, &run.id).await?;
                let first = match all.first() {
                    Some(first) => artifacts::find(&mut *tx, &run.team_id, &run.id, &first.id).await?,
                    None => None,
                };
                let of_service = artifacts::of_service(tx, &run.service_id).await?.len();
                Ok(format!("{so_far:?} {first:?} {all:?} {of_service}"))
            }
            1 => {
                let forgotten = artifacts::forget(tx, clock::now().plus(Duration::from_secs(60)), 1).await?;
                Ok(format!("{}", forgotten.len()))
            }
            2 => {
                let flipped =
                    (op.b.is_multiple_of(2)).then(|| Flipped { id: format!("t{}", op.a % 3), suite: "s".into(), name: "n".into() });
                let new = NewResults {
                    step: format!("unit/{name}"),
                    on_default: op.b.is_multiple_of(3),
                    counts: TestCounts { passed: op.b as u64, failed: 1, ..TestCounts::default() },
                    bytes: 9,
                    sources: vec![format!("digest {}", op.b)],
                    report: serde_json::to_string(&TestReport::default()).unwrap(),
                    cases: format!("packed {}", op.b),
                    flipped: flipped.into_iter().collect(),
                };
                results::insert(tx, run, step, &new).await?;
                let so_far = results::so_far(&mut *tx, &run.id).await?;
                let sources = sorted(so_far.sources, String::clone);
                Ok(format!("{sources:?} {} {} {:?}", so_far.tests, so_far.bytes, results::of_run(tx, &run.team_id, &run.id).await?.len()))
            }
            _ => {
                let until = op.b.is_multiple_of(2).then_some(Timestamp(5));
                let muted = results::mute(tx, &run.team_id, &run.service_id, &format!("t{}", op.a % 3), until, "ann").await?;
                let flaky = results::flaky(&mut *tx, &run.team_id, &run.service_id).await?;
                let before = results::before(&mut *tx, &run.service_id, &format!("unit/{name}"), 100).await?;
                let of_commit = results::of_commit(tx, &run.service_id, &run.commit, &format!("unit/{name}")).await?.len();
                Ok(format!("{muted:?} {:?} {before:?} {of_commit}", sorted(flaky, |test| test.id.clone())))
            }
        }
    }

    /// A push makes runs that come to one version, or one of them is taken the place of.
    async fn together(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (one, other) = (pick(&self.services, op.a)?, pick(&self.services, op.b)?);
        if one.team_id != other.team_id || one.id == other.id {
            return Ok("not these".into());
        }
        let push = self.changes.last().map(|change| change.id.clone());
        let mut bound = Vec::new();
        let mut taken = Vec::new();
        for service in [one, other] {
            let group = op.c.is_multiple_of(3).then_some(("db", 1 + u32::try_from(op.c % 2).unwrap()));
            let new = NewRun { push: push.as_deref(), group, plan: "…", ..new_run(&service.team_id, &service.id, "main") };
            let stage = NewStage {
                position: 0,
                name: "unit".into(),
                kind: app::model::StageKind::Steps,
                attempt: 1,
                steps: vec![("unit".into(), "i".into())],
                sidecars: vec![],
                skipped: vec![],
            };
            let (id, number) = runs::insert(tx, &new, &[stage]).await?;
            taken.extend(runs::supersede(tx, &service.team_id, &service.id, "main", number).await?);
            bound.push(id);
        }
        together::bind(tx, &bound).await?;
        let rest = together::end_rest(tx, &taken).await?.len();
        let members: Vec<u64> = together::members(&mut *tx, &bound[0]).await?.iter().map(|run| run.number).collect();
        let of_push = match &push {
            Some(push) => selection::of_push(&mut *tx, &one.team_id, push).await?,
            None => Vec::new(),
        };
        let same = together::of_same_push(&mut *tx, &bound[1]).await?.len();
        Ok(format!("{rest} {members:?} {of_push:?} {same} {:?}", together::siblings(tx, bound[0].as_str()).await?))
    }

    /// What is kept of a candidate, and what is said of it.
    async fn keep(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (team, service, id) = pick(&self.candidates, op.a)?;
        let Some(candidate) = candidates::by_id(&mut *tx, team, id).await? else { return Ok("gone".into()) };
        let kind = [statements::Kind::Provenance, statements::Kind::Sbom][op.b % 2];
        match op.c % 5 {
            0 => {
                let said = StatementRow { payload: vec![7; op.b], key: "key".into(), signature: vec![1, 2] };
                statements::insert(tx, id, kind, &said).await?;
                Ok(format!("{:?}", statements::find(tx, id, kind).await?))
            }
            1 => {
                let held = candidates::hold(tx, service, candidate.number, op.b.is_multiple_of(2)).await?;
                Ok(format!("{held} {:?}", candidates::by_number(tx, service, candidate.number).await?))
            }
            2 => {
                candidates::give_up(tx, id, clock::now()).await?;
                Ok(format!("{}", candidates::going(tx, None, 1_000).await?.len()))
            }
            3 => {
                candidates::removed(tx, id, clock::now()).await?;
                let needed = candidates::needed(&mut *tx, service, 1).await?;
                let shared = candidates::shared(&mut *tx, service).await?;
                Ok(format!("{needed:?} {shared:?} {:?}", candidates::there(tx, service).await?))
            }
            _ => {
                let others: Vec<_> = self.services.iter().filter(|other| other.team_id == *team).map(|other| &other.id).collect();
                candidates::align(tx, &others).await?;
                Ok(String::new())
            }
        }
    }

    async fn say_rollout(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (team, id, fence) = pick(&self.rollouts, op.a)?;
        rollouts::say(tx, id, *fence, op.b.is_multiple_of(2).then_some("It works.")).await?;
        let doing = rollouts::doing(&mut *tx, id).await?;
        let of = (rollouts::team_of(&mut *tx, id).await?, rollouts::address_of(&mut *tx, team, id).await?);
        if op.c.is_multiple_of(4)
            && let Some(row) = rollouts::row(&mut *tx, id).await?
        {
            releases::resolve_image(tx, &row.release_id, &format!("sha256:{}", op.b % 3)).await?;
            return Ok(format!("{doing:?} {of:?} {:?}", releases::by_id(tx, team, &row.release_id).await?));
        }
        Ok(format!("{doing:?} {of:?}"))
    }

    /// Whole releases and targets leave the edge.
    async fn take_down(&mut self, tx: &mut Tx, op: Operation) -> Result<String, StoreError> {
        let (now, release) = (clock::now(), (op.b % 3) as u64);
        if op.c.is_multiple_of(7) {
            let service = pick(&self.services, op.a)?;
            return Ok(format!("{}", routes::remove_of_service(tx, &service.id).await?));
        }
        let (_, target) = pick(&self.targets, op.a)?;
        let changed = match op.c % 4 {
            0 => backends::drain(tx, target, release, now).await?,
            1 => backends::drain_others(tx, target, release, now).await?,
            2 => backends::remove(tx, target, release).await?,
            _ => backends::remove_target(tx, target).await?,
        };
        Ok(format!("{changed} {:?}", routes::of_target_for_edge(tx, target).await?))
    }

    /// What is only read.
    pub(super) async fn look(&self, op: Operation) -> Result<String, StoreError> {
        let db = &self.db;
        match op.kind {
            Kind::ReadLog => {
                let (run, stage) = pick(&self.stages, op.a)?;
                let (step, ..) = &stage.steps[op.b % stage.steps.len()];
                let read = logs::read(db, &run.team_id, step, op.c as u64 % 9, 4).await?;
                let found = logs::find(db, &run.team_id, step, (1, 3), |text| text.contains('2')).await?;
                Ok(format!("{read:?} {found:?} {:?}", logs::tail(db, &run.team_id, step, 3).await?))
            }
            Kind::Search => self.search(op).await,
            Kind::Lights => self.lights(op).await,
            Kind::Counts => {
                let open = (counts::open_runs(db).await?, counts::open_rollouts(db).await?, counts::instances(db).await?);
                Ok(format!("{open:?} {:?} {}", counts::things(db).await?, counts::oldest_open(db).await?.is_some()))
            }
            Kind::Candidates => self.candidates_read(op).await,
            _ => {
                let (team, target) = pick(&self.targets, op.a)?;
                let number = (op.b % 4) as u64;
                let of = releases::by_number(db, target, number).await?;
                let config = releases::config_by_number(db, target, number).await?;
                let again = match &config {
                    Some(config) => releases::config_by_id(db, team, &config.id).await?,
                    None => None,
                };
                let all: Vec<_> = self.targets.iter().map(|(_, target)| target.clone()).collect();
                Ok(format!("{of:?} {config:?} {again:?} {}", releases::serving(db, &all).await?.releases.len()))
            }
        }
    }

    async fn search(&self, op: Operation) -> Result<String, StoreError> {
        let db = &self.db;
        let of = if op.a.is_multiple_of(3) { Of::Everything } else { Of::from([pick(&self.teams, op.a)?.clone()]) };
        let words = [["t", "s"], ["team1", "s0"], ["%", "_"], ["T", "…"]][op.b % 4];
        let wanted = Wanted { of: &of, words: &words[..op.c % 3] };
        let within = environments::list(db).await?;
        let within: Vec<_> = within.iter().take(2).map(|environment| &environment.name).collect();
        let found = (search::teams(db, &wanted).await?, search::services(db, &wanted).await?, search::targets(db, &wanted, &within).await?);
        let runs = sorted(search::runs(db, &wanted, (op.c % 4) as u64).await?, |run| format!("{run:?}"));
        let commits = sorted(search::commits(db, &wanted, "c").await?, |run| format!("{run:?}")).len();
        Ok(format!("{found:?} {runs:?} {commits}"))
    }

    async fn lights(&self, op: Operation) -> Result<String, StoreError> {
        let (db, service, long_ago) = (&self.db, pick(&self.services, op.a)?, Timestamp(0));
        let newest = ci::newest(db, &service.repository_id, &service.id, "main").await?;
        let of_team = ci::newest_of_team(db, &service.team_id, 200).await?;
        let fits = |looked: &ci::Looked| looked.branch == "main" && looked.repository == service.repository_id;
        let same = of_team.iter().find(|(id, _, looked, _)| *id == service.id && fits(looked));
        assert!(same.is_none_or(|(.., of_team)| *of_team == newest), "{of_team:?} and {newest:?}");
        let pushes = sorted(ci::pushes(db, &service.repository_id, long_ago).await?, |(by, _, reference)| format!("{by} {reference}"));
        let begun = ci::begun(db, &service.repository_id, "refs/heads/main").await?;
        let runs = ci::runs(db, &service.id, "main", long_ago).await?;
        let verdict = ci::verdict(db, &service.id, "main").await?;
        let last = ci::last_environment(db, &service.id).await?;
        let deployments = match &last {
            Some((target, _)) => sorted(ci::deployments(db, target, long_ago).await?, |one| format!("{} {}", one.good, one.reason)),
            None => Vec::new(),
        };
        Ok(format!("{newest:?} {pushes:?} {begun:?} {runs:?} {verdict:?} {last:?} {deployments:?}"))
    }

    async fn candidates_read(&self, op: Operation) -> Result<String, StoreError> {
        let db = &self.db;
        let (_, service, id) = pick(&self.candidates, op.a)?;
        let before = candidates::before(db, service, (op.b % 5) as u64).await?;
        let places = candidates::places(db, service, id).await?;
        let images = sorted(candidates::images_of(db, service).await?, String::clone);
        let named = candidates::is_named(db, &format!("sha256:{}", op.b % 3)).await?;
        let old = candidates::services_with_old(db, clock::now().plus(Duration::from_secs(60))).await?.len();
        let siblings = together::siblings_of(db, id).await?;
        let passed = runs::last_passed(db, service, "main", 100).await?;
        let shown = (before, places, images, named, old, siblings, passed);
        let mut more = String::new();
        if let Some(service) = self.services.iter().find(|one| one.id == *service) {
            let good =
                sorted(selection::last_good(db, &service.repository_id, "main").await?, |one| format!("{} {}", one.number, one.commit));
            let run = runs::by_number(db, &service.team_id, &service.id, (op.c % 5) as u64).await?;
            let full = match &run {
                Some(run) => groups::full(db, &service.team_id, &run.id).await?,
                None => None,
            };
            let waits = match run.as_ref().and_then(|run| run.lead.as_ref()) {
                Some(lead) => together::waits(db, &service.team_id, lead.as_str(), "main").await?,
                None => String::new(),
            };
            let of_service = targets::of_service(db, &service.id).await?;
            let dev = targets::find(db, &service.team_id, &service.name, &"dev".parse().unwrap()).await?;
            let ran_with = match of_service.first() {
                Some(target) => releases::config_ran_with(db, &target.id, id).await?,
                None => None,
            };
            more = format!("{:?} {run:?} {full:?} {waits} {of_service:?} {dev:?} {ran_with:?}", good.len());
        }
        Ok(format!("{shown:?} {more}"))
    }
}
