//! A Berth that always says the same: every screen has something to show.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream};

use crate::{
    backend::{
        Accounts, Backend, BaseSource, Bases, Candidates, Changed, Ci, Live, Mirrors, Pipelines, Platform, Releases, Runs, Services, Teams,
        Tokens,
    },
    components::holds,
    error::{Error, Result},
    model::*,
};

pub(super) const NOW: Timestamp = Timestamp(1_795_000_000_000);
const IMAGE: &str = "sha256:3f9a1c0d5be24478a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718";
const COMMIT: &str = "9f3c2e1b7a6d5c4e3f2a1b0c9d8e7f6a5b4c3d2e";

/// What is varied between screens.
#[derive(Clone, Default)]
pub(super) struct Fake {
    pub(super) first_run: bool,
    pub(super) empty: bool,
}

pub(super) fn backend(fake: &Fake) -> Backend {
    let it = Arc::new(fake.clone());
    Backend {
        accounts: it.clone(),
        teams: it.clone(),
        tokens: it.clone(),
        services: it.clone(),
        releases: it.clone(),
        runs: it.clone(),
        mirrors: it.clone(),
        pipelines: it.clone(),
        candidates: it.clone(),
        ci: it.clone(),
        bases: it.clone(),
        platform: it,
    }
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 - i64::try_from(seconds * 1_000).unwrap())
}

fn name<T: std::str::FromStr<Err = Error>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(super) fn me(language: Option<&str>) -> Me {
    Me {
        id: UserId::from_text("u1"),
        email: "ana@example.org".into(),
        name: "Ana".into(),
        language: language.map(str::to_owned),
        platform: PlatformRole::Admin,
        teams: vec![
            TeamOfMine { id: TeamId::from_text("t1"), name: name("shop"), role: Role::Owner },
            TeamOfMine { id: TeamId::from_text("t2"), name: name("search"), role: Role::Developer },
        ],
    }
}

fn rollout_brief(id: &str, state: RolloutState, from: u64, to: u64, candidate: u64, failure: Option<&str>) -> RolloutBrief {
    RolloutBrief {
        id: RolloutId::from_text(id),
        state,
        from: Some(from),
        to,
        candidate: Some(candidate),
        failure: failure.map(str::to_owned),
        created_at: ago(240),
        finished_at: state.ended().then(|| ago(225)),
    }
}

fn instances(release: u64, count: u32, state: InstanceState) -> Vec<Instance> {
    (0..count).map(|slot| Instance { release, process: "web".into(), slot, state, since: Some(ago(7_000)) }).collect()
}

fn target(service: &str, environment: &str, health: TargetHealth, release: u64, candidate: u64, replicas: u32, age: u64) -> Target {
    let mut running = instances(release, replicas, InstanceState::Serving);
    let rollout = match health {
        TargetHealth::Moving => {
            running.insert(
                0,
                Instance { release: release + 1, process: "web".into(), slot: 0, state: InstanceState::Starting, since: Some(ago(4)) },
            );
            rollout_brief("r-moving", RolloutState::Running, release, release + 1, candidate + 3, None)
        }
        TargetHealth::FailedServing => {
            let why = "It answers on port 3000 and not on 8080, the port its web process names.";
            rollout_brief("r-failed", RolloutState::Failed, release, release + 1, candidate + 1, Some(why))
        }
        _ => rollout_brief("r-done", RolloutState::Succeeded, release.saturating_sub(1), release, candidate, None),
    };
    let host = format!("{service}-shop.{environment}.localhost");
    let mut routes =
        vec![Route { id: RouteId::from_text("x1"), url: format!("http://{host}:8000/"), host, path: "/".into(), default: true }];
    if environment == "production" {
        let host = format!("{service}.example.org");
        routes.push(Route { id: RouteId::from_text("x2"), url: format!("http://{host}/"), host, path: "/".into(), default: false });
    }
    Target {
        id: TargetId::from_text(format!("{service}-{environment}")),
        environment_id: EnvironmentId::from_text(environment),
        environment: name(environment),
        replicas,
        release: Some(ReleaseBrief { id: ReleaseId::from_text("rel"), number: release, candidate: Some(candidate), created_at: ago(age) }),
        rollout: Some(rollout),
        instances: running,
        routes,
        health,
    }
}

fn run_brief(number: u64, state: RunState, stage: Option<&str>, title: &str, age: u64, took: u64) -> RunBrief {
    RunBrief {
        number,
        state,
        commit: COMMIT.into(),
        title: title.into(),
        branch: "main".into(),
        event: RunEvent::Push,
        tag: None,
        by: "Ana".into(),
        stage: stage.map(str::to_owned),
        kept: false,
        held: false,
        together: vec![name("catalog"), name("orders")],
        created_at: ago(age),
        started_at: Some(ago(age - 1)),
        finished_at: state.ended().then(|| ago(age - 1 - took)),
    }
}

fn schedule() -> RunSchedule {
    RunSchedule { cron: "0 3 * * *".into(), time_zone: "Asia/Seoul".into(), next: NOW }
}

fn input(name: &str, options: &[&str], required: bool) -> RunInput {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    RunInput { name: name.into(), description: format!("What {name} <is>."), default: options.first().cloned(), options, required }
}

fn candidate(number: u64, title: &str, runs_in: &[&str], age: u64) -> Candidate {
    Candidate {
        id: CandidateId::from_text(format!("c{number}")),
        number,
        image: IMAGE.into(),
        commit: COMMIT.into(),
        title: title.into(),
        branch: "main".into(),
        run: number + 1,
        shape: Shape::default(),
        size: 81_000_000,
        created_at: ago(age),
        runs_in: runs_in.iter().map(|one| name(one)).collect(),
        made: Some(Made {
            build_ms: 12_400,
            bases: vec![BaseImage { name: "rust:1.95".into(), id: IMAGE.into() }],
            packages: Some(112),
            by: "Ana".into(),
            tests: Some(TestCounts { passed: 212, failed: 0, skipped: 3, took_ms: 9_000, ..TestCounts::default() }),
        }),
        held: false,
        gone_at: None,
    }
}

fn service(team: &TeamName, service: &ServiceName) -> Service {
    Service {
        id: ServiceId::from_text("s1"),
        team: team.clone(),
        team_id: TeamId::from_text("t1"),
        name: service.clone(),
        description: "checkout and payment".into(),
        repository: name(service.as_str()),
        repository_id: RepositoryId::from_text("p1"),
        clone_url: format!("http://localhost:8080/git/{team}/{service}.git"),
        created_at: ago(9_000_000),
    }
}

fn targets(service: &str) -> Vec<Target> {
    vec![
        target(service, "dev", TargetHealth::Healthy, 48, 41, 1, 240),
        target(service, "staging", TargetHealth::Moving, 31, 38, 2, 190_000),
        target(service, "production", TargetHealth::Healthy, 19, 38, 4, 200_000),
    ]
}

fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: Some("more".into()) }
}

fn run(number: u64) -> Run {
    let step = |id: &str, name: &str, image: &str, state, exit_code, lines, began: u64, ended: u64| Step {
        id: StepId::from_text(id),
        name: name.into(),
        image: image.into(),
        state,
        exit_code,
        failure: None,
        lines,
        tries: 1,
        taken_from: None,
        sidecar: false,
        on_failure: false,
        started_at: Some(ago(began)),
        finished_at: (ended > 0).then(|| ago(ended)),
    };
    let stage = |name: &str, kind, state, steps, began: Option<u64>, ended: Option<u64>| Stage {
        name: name.into(),
        kind,
        state,
        attempt: 1,
        steps,
        started_at: began.map(ago),
        finished_at: ended.map(ago),
    };
    let fast = vec![
        step("st1", "unit", "rust:1.95", RunState::Passed, Some(0), 1_902, 600, 559),
        step("st2", "lint", "rust:1.95", RunState::Passed, Some(0), 40, 600, 571),
    ];
    let slow = vec![step("st3", "acceptance", "rust:1.95", RunState::Failed, Some(101), 215, 559, 359)];
    Run {
        team: name("shop"),
        service: name("catalog"),
        number,
        state: RunState::Failed,
        commit: COMMIT.into(),
        title: "Price rules per country".into(),
        author: "Ana <ana@example.org>".into(),
        branch: "main".into(),
        event: RunEvent::Manual,
        tag: None,
        inputs: BTreeMap::from([("PLACE".to_owned(), "<eu>".to_owned())]),
        by: "Ana".into(),
        reason: "main moved from 41b0c7d to 9f3c2e1.".into(),
        waits: None,
        failure: Some("Step acceptance of stage slow failed: `cargo test --test acceptance` ended with exit code 101.".into()),
        superseded_by: None,
        goes_on: None,
        files_until: None,
        again: vec![RetryFrom::Start],
        stages: vec![
            stage("fast", StageKind::Steps, RunState::Passed, fast, Some(600), Some(559)),
            stage("slow", StageKind::Steps, RunState::Failed, slow, Some(559), Some(359)),
            stage("image", StageKind::Image, RunState::Skipped, Vec::new(), None, None),
        ],
        candidate: Some(41),
        image: Some(RunImage {
            size: 81 << 20,
            build_ms: Some(12_400),
            before: Some(40),
            size_before: Some(79 << 20),
            build_ms_before: None,
        }),
        since_good: Some(SinceGood {
            run: number - 1,
            commits: vec![CommitLine { id: COMMIT.into(), author: "Ana".into(), title: "Price <rules>".into() }],
            commits_unread: None,
            failing: vec!["prices › per_country".into()],
        }),
        rollouts: Vec::new(),
        kept: false,
        held: false,
        untrusted: false,
        approved_by: None,
        push: vec![
            PushedRun { service: name("catalog"), number, state: RunState::Failed, kept: false, plan: "fast, slow, image".into() },
            PushedRun {
                service: name("orders"),
                number: 57,
                state: RunState::Passed,
                kept: true,
                plan: "unchanged since candidate 41".into(),
            },
        ],
        together: vec![
            Sibling { service: name("catalog"), run: number, state: RunState::Failed, candidate: None },
            Sibling { service: name("orders"), run: 57, state: RunState::Failed, candidate: None },
        ],
        cancelling: false,
        created_at: ago(601),
        started_at: Some(ago(600)),
        finished_at: Some(ago(359)),
    }
}

fn rollout(id: &RolloutId) -> Rollout {
    let failed = id.as_str() == "r-failed";
    let state = match id.as_str() {
        "r-failed" => RolloutState::Failed,
        "r-moving" => RolloutState::Running,
        _ => RolloutState::Succeeded,
    };
    let fact = |phase, fact: &str, age| Evidence { phase, fact: fact.into(), at: ago(age) };
    let mut evidence = vec![
        fact(Phase::Started, "2 of 2 instances run image 3f9a1c0d5be2.", 12),
        fact(Phase::Healthy, "2 of 2 answered GET /health for 3 s.", 9),
        fact(Phase::Routed, "The edge sends requests to 2 new instances.", 8),
        fact(Phase::FirstRequest, "GET / answered 200 in 4 ms.", 8),
        fact(Phase::Drained, "0 requests were left after 1.2 s.", 6),
        fact(Phase::Stopped, "2 old instances are gone.", 5),
    ];
    evidence.truncate(match state {
        RolloutState::Failed => 1,
        RolloutState::Running => 2,
        _ => 6,
    });
    Rollout {
        id: id.clone(),
        team: name("shop"),
        service: name("orders"),
        environment: name("staging"),
        state,
        from: Some(31),
        to: 32,
        candidate: Some(41),
        image: IMAGE.into(),
        by: "Ana".into(),
        reason: "candidate 41".into(),
        plan: vec![
            "Start 2 instances of release 32 beside release 31.".into(),
            "Wait until each is healthy for 3 s.".into(),
            "Send requests to them, see a first one answered.".into(),
            "Drain and stop the 2 instances of release 31. Nobody will notice.".into(),
        ],
        evidence,
        now: (!state.ended()).then(|| "Waiting for the edge to send requests to the new instances.".into()),
        waits: None,
        failure: failed.then(|| "It answers on port 3000 and not on 8080, the port its web process names.".into()),
        last_lines: if failed { vec!["> server@1.4.0 start".into(), "listening on :3000 <b>".into()] } else { Vec::new() },
        cancelling: false,
        created_at: ago(14),
        started_at: Some(ago(14)),
        finished_at: state.ended().then(|| ago(5)),
        url: Some("http://orders-shop.staging.localhost:8000/".into()),
    }
}

fn log(from: u64, limit: u32) -> LogRange {
    let line = |number: u64| {
        let (kind, text) = match number {
            1 => (LineKind::Note, "Berth runs this in rust:1.95, 2 CPU, 2 GiB.".to_owned()),
            2 => (LineKind::Command, "cargo test --test acceptance".to_owned()),
            213 => (LineKind::Out, "test prices_in_korea_round_to_won ... \u{1b}[1;31mFAILED\u{1b}[0m".to_owned()),
            214 => (LineKind::Err, "  left: 12000.4, right: 12000 <script>alert(1)</script>".to_owned()),
            _ => (LineKind::Out, format!("test orders_are_priced_{number} ... \u{1b}[32mok\u{1b}[0m")),
        };
        LogLine { number, at: ago(700 - number), kind, text }
    };
    LogRange { lines: (from..=215).take(limit as usize).map(line).collect(), total: 215, complete: false }
}

#[async_trait]
impl Accounts for Fake {
    async fn needs_first_admin(&self) -> Result<bool> {
        Ok(self.first_run)
    }
    async fn create_first_admin(&self, person: NewPerson, _: Option<&str>) -> Result<UserId> {
        if person.password.len() < 10 {
            return Err(Error::invalid("weak_password", "A password has at least 10 characters.").at("password"));
        }
        Ok(UserId::from_text("u1"))
    }
    async fn invitation(&self, _: &str) -> Result<(TeamName, Invitation)> {
        Ok((name("shop"), self.invitations(&Actor::system("x"), &name("shop")).await?.remove(0)))
    }
    async fn accept_invitation(&self, _: NewPerson, _: Option<&str>) -> Result<UserId> {
        Ok(UserId::from_text("u2"))
    }
    async fn sign_in_by_link(&self, _: &str, _: Option<&str>) -> Result<UserId> {
        Err(Error::forbidden("link_spent", "This link was used already, or it is too old. Ask for a fresh one."))
    }
    async fn sign_in(&self, _: &str, _: &str, _: Option<&str>) -> Result<UserId> {
        Err(Error::unauthenticated("wrong_credentials", "The address or the password is wrong."))
    }
    async fn actor(&self, _: &UserId, _: i64, _: &str, _: Option<&str>) -> Result<Option<Actor>> {
        Ok(None)
    }
    async fn session_epoch(&self, _: &UserId) -> Result<i64> {
        Ok(0)
    }
    async fn actor_of_token(&self, _: &str, _: &str, _: Option<&str>) -> Result<Actor> {
        Ok(Actor::system("test"))
    }
    async fn me(&self, _: &Actor) -> Result<Me> {
        Ok(me(None))
    }
    async fn sign_out_everywhere(&self, _: &Actor) -> Result<()> {
        Ok(())
    }
    async fn set_language(&self, _: &Actor, _: Option<&str>) -> Result<()> {
        Ok(())
    }
    async fn change_password(&self, _: &Actor, _: &str, _: &str) -> Result<()> {
        Ok(())
    }
    async fn people(&self, _: &Actor, _: &PageRequest) -> Result<Page<Person>> {
        let person = |id: &str, name_: &str, platform, suspended_at| Person {
            id: UserId::from_text(id),
            name: name_.into(),
            email: format!("{}@example.org", name_.to_lowercase()),
            platform,
            teams: vec![name("shop")],
            suspended_at,
            created_at: ago(900_000),
        };
        Ok(Page {
            items: vec![
                person("u1", "Ana", PlatformRole::Admin, None),
                person("u2", "Bora", PlatformRole::None, None),
                person("u3", "Chris", PlatformRole::None, Some(ago(90))),
            ],
            next: None,
        })
    }
    async fn suspend(&self, _: &Actor, _: &UserId, _: bool) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Teams for Fake {
    async fn create(&self, _: &Actor, _: &TeamName) -> Result<Team> {
        Err(Error::conflict("name_taken", "There is a team of this name already. Choose another name.").at("name"))
    }
    async fn list(&self, _: &Actor) -> Result<Vec<Team>> {
        let team = |one: &str| Team { id: TeamId::from_text(one), name: name(one), created_at: ago(900_000), members: 3, services: 4 };
        Ok(vec![team("search"), team("shop")])
    }
    async fn show(&self, actor: &Actor, _: &TeamName) -> Result<Team> {
        Ok(Teams::list(self, actor).await?.remove(1))
    }
    async fn members(&self, _: &Actor, _: &TeamName) -> Result<Vec<Member>> {
        let member = |id: &str, name: &str, role| Member {
            user: UserId::from_text(id),
            name: name.into(),
            email: format!("{}@example.org", name.to_lowercase()),
            role,
            since: ago(800_000),
        };
        Ok(vec![member("u1", "Ana", Role::Owner), member("u2", "Bora", Role::Developer), member("u3", "Chris", Role::Viewer)])
    }
    async fn invitations(&self, _: &Actor, _: &TeamName) -> Result<Vec<Invitation>> {
        Ok(vec![Invitation {
            id: LinkId::from_text("l1"),
            email: "dana@example.org".into(),
            role: Role::Developer,
            by: "Ana".into(),
            expires_at: NOW.plus(Duration::from_secs(500_000)),
        }])
    }
    async fn invite(&self, actor: &Actor, team: &TeamName, email: &str, _: Role) -> Result<NewInvitation> {
        if !email.contains('@') {
            return Err(Error::invalid("invalid_email", "This is no address.").at("email"));
        }
        let invitation = self.invitations(actor, team).await?.remove(0);
        Ok(NewInvitation { invitation, link: "http://localhost:8080/invite/brth_inv_3x".into() })
    }
    async fn withdraw(&self, _: &Actor, _: &TeamName, _: &LinkId) -> Result<()> {
        Ok(())
    }
    async fn set_role(&self, _: &Actor, _: &TeamName, _: &UserId, _: Role) -> Result<()> {
        Err(Error::conflict("last_owner", "The team would be left without an owner. Make somebody else an owner first."))
    }
    async fn remove_member(&self, _: &Actor, _: &TeamName, _: &UserId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Tokens for Fake {
    async fn create(&self, actor: &Actor, _: NewToken) -> Result<CreatedToken> {
        Ok(CreatedToken { token: Tokens::list(&Self::default(), actor).await?.remove(0), secret: "brth_4h7sXk2mQ9".into() })
    }
    async fn list(&self, _: &Actor) -> Result<Vec<Token>> {
        if self.empty {
            return Ok(Vec::new());
        }
        let token = |id: &str, name_: &str, scopes: &[Scope], used, ends| Token {
            id: TokenId::from_text(id),
            name: name_.into(),
            prefix: "brth_4h7s".into(),
            scopes: scopes.to_vec(),
            team: None,
            created_at: ago(90_000),
            expires_at: ends,
            last_used_at: used,
        };
        Ok(vec![
            token("k1", "laptop", &[Scope::Read, Scope::Git], Some(ago(300)), Some(NOW.plus(Duration::from_secs(5_000_000)))),
            token("k2", "ci", &[Scope::Read, Scope::Git, Scope::Deploy], None, None),
        ])
    }
    async fn revoke(&self, _: &Actor, _: &TokenId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Services for Fake {
    async fn create(&self, _: &Actor, _: &TeamName, _: NewService) -> Result<Service> {
        Err(Error::conflict("name_taken", "The team has a service of this name already.").at("name"))
    }
    async fn list(&self, _: &Actor, team: &TeamName, _: &PageRequest) -> Result<Page<Service>> {
        Ok(page(if self.empty { Vec::new() } else { vec![service(team, &name("orders"))] }))
    }
    async fn show(&self, _: &Actor, team: &TeamName, one: &ServiceName) -> Result<Service> {
        Ok(service(team, one))
    }
    async fn secrets(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Vec<StepSecret>> {
        let one = StepSecret { name: "DEPLOY_KEY".into(), by: "Ana".into(), changed_at: ago(4_000) };
        Ok(if self.empty { Vec::new() } else { vec![one] })
    }
    async fn set_secret(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &str, _: &str) -> Result<()> {
        Err(Error::invalid("invalid_secret", "That is no name of a secret.").at("name"))
    }
    async fn unset_secret(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &str) -> Result<()> {
        Ok(())
    }
    async fn caches(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Vec<Cache>> {
        let one = |path: &str, why: Option<CacheEnd>| Cache {
            id: CacheId::from_text(path),
            path: path.into(),
            image: "rust:1.95".into(),
            made_for: None,
            size: Some(300 << 20),
            uses: 4,
            in_use: path == "/now",
            run: 41,
            used_at: ago(4_000),
            dropped_at: why.map(|_| ago(3_000)),
            why,
        };
        let all = vec![one("/usr/local/cargo/registry", None), one("/now", None), one("/old", Some(CacheEnd::OverBudget))];
        Ok(if self.empty { Vec::new() } else { all })
    }
    async fn clear_caches(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<()> {
        Ok(())
    }
    async fn push_policy(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<PushPolicy> {
        Ok(PushPolicy { default_branch: !self.empty, running: false })
    }
    async fn set_push_policy(&self, _: &Actor, _: &TeamName, _: &ServiceName, policy: PushPolicy) -> Result<PushPolicy> {
        Ok(policy)
    }
    async fn overview(&self, _: &Actor, team: &TeamName, one: &ServiceName) -> Result<ServiceOverview> {
        if one.as_str() == "nothing" {
            return Err(Error::not_found("not_found", "There is no such service, or none that you may see."));
        }
        if self.empty {
            let mut target = target(one.as_str(), "dev", TargetHealth::Empty, 0, 0, 1, 0);
            (target.release, target.rollout) = (None, None);
            target.instances.clear();
            return Ok(ServiceOverview {
                service: service(team, one),
                targets: vec![target],
                available: vec![name("staging"), name("production")],
                beside: Vec::new(),
                mirrors: None,
                schedules: Vec::new(),
                runs: Vec::new(),
                candidates: Vec::new(),
            });
        }
        Ok(ServiceOverview {
            service: service(team, one),
            targets: targets(one.as_str()),
            available: vec![name("preview")],
            beside: vec![name("catalog")],
            mirrors: Some("https://github.com/acme/shop".into()),
            schedules: vec![schedule()],
            runs: vec![
                run_brief(
                    57,
                    RunState::Running,
                    Some("slow"),
                    "Refund in one step, whatever the customer paid with and in which currency",
                    40,
                    0,
                ),
                run_brief(56, RunState::Failed, Some("slow"), "Price rules per country", 400, 200),
                run_brief(55, RunState::Passed, None, "Say the total before the last click", 7_200, 192),
                run_brief(54, RunState::Superseded, None, "Try again", 90_000, 3),
            ],
            candidates: vec![
                candidate(41, "Refund in one step", &["dev"], 240),
                candidate(38, "Say the total before the last click", &["staging", "production"], 190_000),
            ],
        })
    }
    async fn move_to(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: Move) -> Result<Service> {
        Err(Error::not_found("unknown_repository", "The team has no repository of this name.").at("repository"))
    }
    async fn delete(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &str) -> Result<()> {
        Err(Error::invalid("confirm_name", "Type the name of the service to confirm.").at("confirm"))
    }
    async fn board(&self, _: &Actor, _: &TeamName, _: &PageRequest) -> Result<Board> {
        let environments: Vec<EnvironmentName> = vec![name("dev"), name("staging"), name("production")];
        if self.empty {
            return Ok(Board { environments, rows: Vec::new(), services: 0, next: None });
        }
        let row = |one: &str, description: &str, cells: Vec<Target>, run| BoardRow {
            service: name(one),
            description: description.into(),
            cells: cells.into_iter().map(|target| (target.environment.clone(), target)).collect(),
            run,
        };
        let mut stopped = target("mailer", "dev", TargetHealth::Stopped, 5, 5, 0, 900_000);
        stopped.rollout = None;
        let rows = vec![
            row(
                "billing",
                "invoices",
                vec![
                    target("billing", "dev", TargetHealth::Healthy, 22, 17, 1, 90_000),
                    target("billing", "staging", TargetHealth::Healthy, 12, 17, 2, 90_000),
                    target("billing", "production", TargetHealth::Degraded, 8, 16, 2, 900_000),
                ],
                Some(run_brief(18, RunState::Passed, None, "Invoices in won", 90_000, 61)),
            ),
            row(
                "catalog",
                "products and prices",
                vec![
                    target("catalog", "dev", TargetHealth::FailedServing, 61, 54, 1, 300),
                    target("catalog", "staging", TargetHealth::Healthy, 40, 52, 2, 18_000),
                    target("catalog", "production", TargetHealth::Healthy, 28, 52, 6, 10_800),
                ],
                Some(run_brief(56, RunState::Failed, Some("slow"), "Price rules per country", 400, 200)),
            ),
            row("mailer", "worker", vec![stopped, target("mailer", "production", TargetHealth::Healthy, 3, 4, 2, 1_900_000)], None),
            row(
                "orders",
                "checkout and payment",
                targets("orders"),
                Some(run_brief(57, RunState::Running, Some("slow"), "Refund in one step", 40, 0)),
            ),
        ];
        Ok(Board { environments, services: rows.len(), rows, next: None })
    }
    async fn add_environment(&self, actor: &Actor, team: &TeamName, one: &ServiceName, environment: &EnvironmentName) -> Result<Target> {
        self.target(actor, team, one, environment).await
    }
    async fn target(&self, _: &Actor, _: &TeamName, one: &ServiceName, environment: &EnvironmentName) -> Result<Target> {
        let mut found = targets(one.as_str()).into_iter().filter(|target| target.environment == *environment);
        found.next().ok_or_else(|| Error::not_found("not_found", "There is no such target."))
    }
    async fn add_route(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: &str, _: &str) -> Result<Route> {
        Err(Error::conflict("host_taken", "This host name leads elsewhere already.").at("host"))
    }
    async fn remove_route(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &RouteId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Releases for Fake {
    async fn deploy(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: Source, dry_run: bool) -> Result<Change> {
        Ok(Change {
            release: Some(33),
            rollout: (!dry_run).then(|| RolloutId::from_text("r-moving")),
            plan: rollout(&RolloutId::from_text("x")).plan,
        })
    }
    async fn scale(
        &self,
        actor: &Actor,
        team: &TeamName,
        one: &ServiceName,
        environment: &EnvironmentName,
        _: BTreeMap<String, u32>,
        dry_run: bool,
    ) -> Result<Change> {
        self.deploy(actor, team, one, environment, Source::Release(1), dry_run).await
    }
    async fn config(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: Option<u64>) -> Result<ConfigSet> {
        let variables = [("CURRENCY", "KRW"), ("GREETING", "Good <morning>"), ("LOG_LEVEL", "info")];
        Ok(ConfigSet {
            id: ConfigSetId::from_text("cs"),
            number: 7,
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            by: "Bora".into(),
            created_at: ago(86_400),
        })
    }
    async fn config_sets(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: &PageRequest) -> Result<Page<ConfigSet>> {
        Ok(page(Vec::new()))
    }
    async fn change_config(
        &self,
        _: &Actor,
        _: &TeamName,
        _: &ServiceName,
        _: &EnvironmentName,
        _: ConfigChange,
        _: Option<u64>,
        _: bool,
    ) -> Result<Change> {
        Err(Error::precondition("changed_meanwhile", "Somebody changed the variables in between. Look again, then repeat."))
    }
    async fn releases(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: &PageRequest) -> Result<Page<Release>> {
        let release = |number: u64, reason: &str, state| Release {
            id: ReleaseId::from_text(format!("rel{number}")),
            number,
            image: IMAGE.into(),
            candidate: Some(number + 5),
            config: 7,
            replicas: BTreeMap::from([("web".to_owned(), 2), ("worker".to_owned(), 1)]),
            shape: Shape::default(),
            by: "Ana".into(),
            reason: reason.into(),
            created_at: ago(100 * (60 - number)),
            rollout: Some(rollout_brief("r-done", state, number - 1, number, number + 5, None)),
        };
        Ok(page(vec![
            release(32, "candidate 41", RolloutState::Running),
            release(31, "config 7", RolloutState::Succeeded),
            release(30, "scaled to 2", RolloutState::Succeeded),
            release(29, "candidate 35", RolloutState::Failed),
        ]))
    }
    async fn rollout(&self, _: &Actor, id: &RolloutId) -> Result<Rollout> {
        Ok(rollout(id))
    }
    async fn cancel_rollout(&self, _: &Actor, _: &RolloutId) -> Result<()> {
        Err(Error::conflict("already_ended", "The rollout has ended already."))
    }
    async fn logs(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &EnvironmentName, _: u32, _: bool) -> Result<Live<LogLine>> {
        Ok(stream::iter(log(190, 500).lines).boxed())
    }
}

#[async_trait]
impl Runs for Fake {
    async fn list(&self, actor: &Actor, team: &TeamName, one: &ServiceName, filter: &RunFilter, _: &PageRequest) -> Result<Page<RunBrief>> {
        let mut runs = self.overview(actor, team, one).await?.runs;
        runs.retain(|run| filter.state.is_none_or(|state| run.state == state));
        runs.retain(|run| filter.branch.as_ref().is_none_or(|branch| run.branch == *branch));
        runs.retain(|run| filter.text.as_ref().is_none_or(|text| run.title.contains(text.as_str())));
        Ok(page(runs))
    }
    async fn show(&self, _: &Actor, _: &TeamName, _: &ServiceName, number: u64) -> Result<Run> {
        Ok(run(number))
    }
    async fn cancel(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<()> {
        Ok(())
    }
    async fn triggers(&self, _: &Actor, _: &TeamName, _: &ServiceName, branch: Option<&str>) -> Result<Triggers> {
        Ok(Triggers {
            branch: branch.unwrap_or("main").to_owned(),
            tags: vec!["v*".into()],
            schedules: vec![schedule()],
            inputs: vec![input("PLACE", &["<eu>", "us"], false), input("NOTE", &[], true)],
        })
    }
    async fn start(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: StartRun) -> Result<RunBrief> {
        Err(Error::invalid("unknown_branch", "There is no such branch.").at("branch"))
    }
    async fn approve(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<()> {
        Ok(())
    }
    async fn retry(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64, _: RetryFrom) -> Result<RunBrief> {
        Ok(run_brief(58, RunState::Queued, None, "x", 3, 0))
    }
    async fn log(&self, _: &Actor, _: &StepId, from: u64, limit: u32) -> Result<LogRange> {
        Ok(log(from, limit))
    }
    async fn find_in_log(&self, _: &Actor, _: &StepId, text: &str, from: u64, limit: u32) -> Result<LogFound> {
        let all = log(from, 5_000);
        let lines = all.lines.into_iter().filter(|line| holds(&line.text, text)).take(limit as usize).collect();
        Ok(LogFound { lines, next: None, total: all.total })
    }
    async fn follow(&self, _: &Actor, _: &StepId, _: u64) -> Result<Live<LogLine>> {
        Ok(stream::empty().boxed())
    }
    async fn candidates(&self, actor: &Actor, team: &TeamName, one: &ServiceName, _: &PageRequest) -> Result<Page<Candidate>> {
        Ok(page(self.overview(actor, team, one).await?.candidates))
    }
}

fn mirror() -> Mirror {
    let status = |state, told_at, failure: Option<&str>| ForgeStatus {
        service: name("orders"),
        commit: COMMIT.into(),
        run: 57,
        state,
        told_at,
        next_try: None,
        failure: failure.map(str::to_owned),
    };
    Mirror {
        repository: name("shop"),
        address: "git@github.com:acme/shop.git".into(),
        forge: Forge::Github,
        forge_url: None,
        state: MirrorState::Failing,
        failure: Some("github.com does not answer. It is tried again.".into()),
        failing_since: Some(ago(300)),
        fetched_at: Some(ago(900)),
        wanted: false,
        every_seconds: 300,
        has_token: true,
        deploy_key: Some("ssh-ed25519 AAAA berth".into()),
        host_keys: vec!["ssh-ed25519 SHA256:abc".into()],
        hook_url: "http://berth.example/hooks/0a1b".into(),
        has_hook_secret: false,
        hooked_at: None,
        statuses: true,
        told: vec![
            status(RunState::Passed, Some(ago(60)), None),
            status(RunState::Failed, None, Some("github.com answered 500.")),
            status(RunState::Running, None, None),
        ],
    }
}

#[async_trait]
impl Mirrors for Fake {
    async fn show(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Option<Mirror>> {
        Ok((!self.empty).then(mirror))
    }
    async fn add(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: NewMirror) -> Result<Mirror> {
        Ok(mirror())
    }
    async fn change(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: MirrorChange) -> Result<Mirror> {
        Ok(mirror())
    }
    async fn fetch(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Mirror> {
        Ok(mirror())
    }
    async fn forget_host_keys(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Mirror> {
        Ok(mirror())
    }
    async fn new_hook(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<NewHook> {
        Ok(NewHook { url: mirror().hook_url, secret: "c0ffee".into() })
    }
}

#[async_trait]
impl Pipelines for Fake {
    async fn file(&self, _: &Actor, _: &TeamName, service: &ServiceName) -> Result<PipelineFile> {
        let text = (!self.empty).then(|| format!("version: 1\nservices:\n  {service}: {{}} # </textarea><script>\n"));
        let commit = (!self.empty).then(|| COMMIT.to_owned());
        Ok(PipelineFile { repository: name("shop"), branch: "main".into(), commit, text })
    }
    async fn check(&self, _: &Actor, _: &TeamName, service: &ServiceName, draft: PipelineDraft) -> Result<PipelineCheck> {
        if draft.text.len() > 1_000 {
            return Err(Error::invalid("file_too_long", "A berth.yaml has at most 256 KiB. Shorten it.").at("text"));
        }
        if let Some(at) = draft.text.lines().position(|line| line.contains("servces")) {
            let sentence = "`servces` is not known here. Did you mean `services`?".into();
            return Ok(PipelineCheck { problems: vec![DraftProblem { line: at + 1, column: 1, sentence }], ..PipelineCheck::default() });
        }
        Ok(PipelineCheck {
            problems: Vec::new(),
            plan: vec![format!("{service}: fast, image"), format!("{service}: stage fast runs unit"), "billing: image".into()],
            push: vec![DraftRun { service: service.clone(), runs: true, plan: "fast, image, because berth.yaml is changed by it".into() }],
            elsewhere: vec![DraftElsewhere { name: "billing".into(), repository: None }],
            missing: vec!["Dockerfile".into()],
        })
    }
}

#[async_trait]
impl Candidates for Fake {
    async fn show(&self, _: &Actor, _: &TeamName, _: &ServiceName, number: u64) -> Result<CandidateShown> {
        Ok(CandidateShown {
            candidate: candidate(number, "Round prices", &["dev"], 600),
            vouched: Vouched::Verified,
            refusal: None,
            key: Some("0a1b2c3d4e5f60718293a4b5c6d7e8f9".into()),
            places: vec![CandidatePlace { environment: name("dev"), release: 31, since: ago(500) }],
            together: vec![
                Sibling { service: name("catalog"), run: number + 1, state: RunState::Passed, candidate: Some(number) },
                Sibling { service: name("orders"), run: 57, state: RunState::Passed, candidate: Some(number) },
            ],
        })
    }
    async fn provenance(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<Envelope> {
        Err(Error::not_found("no_statement", "x"))
    }
    async fn sbom(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<serde_json::Value> {
        Err(Error::not_found("no_statement", "x"))
    }
    async fn signed_sbom(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<Envelope> {
        Err(Error::not_found("no_statement", "x"))
    }
    async fn compare(&self, _: &Actor, _: &TeamName, _: &ServiceName, before: u64, after: u64) -> Result<Comparison> {
        let change = |field: &str, before: &str, after: &str| FieldChange {
            field: field.into(),
            before: Some(before.into()),
            after: Some(after.into()),
        };
        Ok(Comparison {
            before: candidate(before, "Cheaper shipping", &["staging"], 6_000),
            after: candidate(after, "Round prices", &["dev"], 600),
            commits: vec![CommitLine { id: COMMIT.into(), author: "Ana".into(), title: "Round <prices>".into() }],
            taken_back: Vec::new(),
            commits_unread: None,
            packages: Some(PackageChanges {
                added: vec![PackageVersion { name: "tzdata".into(), version: "2026a-1".into() }],
                removed: Vec::new(),
                changed: vec![change("libc6", "2.36-9", "2.36-10")],
            }),
            shape: vec![change("processes.web.port", "8080", "9090")],
            config: vec![
                ConfigCompared {
                    environment: name("dev"),
                    before: Some(3),
                    after: Some(4),
                    changes: vec![
                        VariableChange { name: "API_TOKEN".into(), change: VariableChanged::Changed, before: None, after: None },
                        VariableChange { name: "GREETING".into(), change: VariableChanged::Added, before: None, after: Some("<b>".into()) },
                    ],
                },
                ConfigCompared { environment: name("staging"), before: Some(1), after: None, changes: Vec::new() },
            ],
        })
    }
    async fn hold(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64, _: bool) -> Result<()> {
        Ok(())
    }
    async fn signing_key(&self) -> Result<SigningKey> {
        Err(Error::internal("x"))
    }
}

#[async_trait]
impl Platform for Fake {
    async fn environments(&self, _: &Actor) -> Result<Vec<Environment>> {
        let environment = |position: u32, one: &str, default_replicas, auto_deploy| Environment {
            id: EnvironmentId::from_text(one),
            name: name(one),
            position,
            pool: "default".into(),
            default_replicas,
            auto_deploy,
            stabilisation_ms: 3_000,
            deadline_ms: 300_000,
            profile: Profile::Baseline,
        };
        Ok(vec![environment(0, "dev", 1, true), environment(1, "staging", 2, false), environment(2, "production", 2, false)])
    }
    async fn environment(&self, actor: &Actor, _: &EnvironmentName) -> Result<Environment> {
        Ok(self.environments(actor).await?.remove(0))
    }
    async fn hosts(&self, _: &Actor) -> Result<Vec<Host>> {
        if self.empty {
            return Ok(Vec::new());
        }
        Ok(vec![Host {
            name: "harbour-1".into(),
            pool: "default".into(),
            state: EngineState::Answers,
            engine: Some("20.10.24".into()),
            api: Some("1.41".into()),
            cpus: 2,
            memory: 25_000_000_000,
            instances: 17,
        }])
    }
    async fn search(&self, _: &Actor, query: &str, _: u32) -> Result<Vec<Found>> {
        if self.empty || query == "nothing" {
            return Ok(Vec::new());
        }
        let found = |kind, service: Option<&str>, environment: Option<&str>, run, path: &str| Found {
            kind,
            team: name("shop"),
            service: service.map(name),
            environment: environment.map(name),
            run,
            state: run.map(|_| RunState::Failed),
            detail: "takes orders <b>".into(),
            path: path.into(),
            score: 300,
        };
        Ok(vec![
            found(FoundKind::Service, Some("orders"), None, None, "/teams/shop/services/orders"),
            found(FoundKind::Target, Some("orders"), Some("staging"), None, "/teams/shop/services/orders/targets/staging"),
            found(FoundKind::Run, Some("orders"), None, Some(56), "/teams/shop/services/orders/runs/56"),
            found(FoundKind::Team, None, None, None, "/teams/shop"),
        ])
    }

    async fn events(&self, _: &Actor, _: &EventFilter, _: &PageRequest) -> Result<Page<Event>> {
        if self.empty {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let event = |id: &str, age, actor: &str, action: &str, subject: &str, path: Option<&str>, detail: &str| Event {
            id: EventId::from_text(id),
            at: ago(age),
            actor: actor.into(),
            action: action.into(),
            team: Some(name("shop")),
            subject: subject.into(),
            path: path.map(str::to_owned),
            detail: detail.into(),
            origin: Some("127.0.0.1".into()),
            request: Some("019ab".into()),
        };
        let to = Some("/rollouts/r-failed");
        Ok(page(vec![
            event("e1", 60, "rollouts", "rollout.failed", "release 62 of catalog in dev", to, "It answers on port 3000 and not on 8080."),
            event("e2", 300, "Ana", "run.started", "run 56 of catalog", Some("/teams/shop/services/catalog/runs/56"), ""),
            event("e3", 400, "Ana", "config.changed", "config 7 of orders in staging", None, "CURRENCY"),
            event("e4", 190_000, "Bora", "team.joined", "team shop", Some("/teams/shop"), ""),
        ]))
    }
    async fn changes(&self, _: &Actor) -> Result<Live<Changed>> {
        Ok(stream::pending().boxed())
    }
    fn now(&self) -> Timestamp {
        NOW
    }
}

fn case(test: &str, took_ms: u64, change: Option<TestChange>) -> TestCase {
    TestCase {
        id: "0a1b2c3d4e5f60718293".into(),
        step: "slow/acceptance".into(),
        suite: "catalog::prices".into(),
        name: test.into(),
        outcome: TestOutcome::Failed,
        took_ms,
        change,
        flaky: false,
        muted_until: None,
        message: Some("assertion `left == right` failed".into()),
        output: vec!["  left: 4".into(), " right: 5".into()],
    }
}

fn flaky() -> FlakyTest {
    FlakyTest {
        id: "0a1b2c3d4e5f60718293".into(),
        suite: "catalog::prices".into(),
        name: "rounds_in_every_country".into(),
        times: 3,
        last_run: 55,
        last_at: ago(7_200),
        muted_until: Some(Timestamp(NOW.0 + 864_000_000)),
        muted_by: Some("Ana".into()),
    }
}

#[async_trait]
impl Ci for Fake {
    async fn tests(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<TestReport> {
        let muted =
            TestCase { flaky: true, muted_until: flaky().muted_until, ..case("rounds_in_every_country", 90, Some(TestChange::Still)) };
        Ok(TestReport {
            counts: TestCounts { passed: 211, failed: 2, skipped: 1, took_ms: 48_000, new: 1, still: 1, fixed: 1, added: 4 },
            compared_with: Some(55),
            failing: vec![case("a_price_per_country", 1_200, Some(TestChange::New)), muted],
            fixed: vec![case("an_order_is_cancelled", 12, Some(TestChange::Fixed))],
            added: Vec::new(),
            slowest: vec![case("the_whole_catalogue_is_read", 21_000, None)],
            nothing: None,
        })
    }
    async fn flaky(&self, _: &Actor, _: &TeamName, _: &ServiceName) -> Result<Vec<FlakyTest>> {
        Ok(if self.empty { Vec::new() } else { vec![flaky()] })
    }
    async fn mute(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &str, _: Mute) -> Result<FlakyTest> {
        Ok(flaky())
    }
    async fn artifacts(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<Vec<Artifact>> {
        let file = |id: &str, path: &str, size| Artifact {
            id: id.into(),
            step: "slow/acceptance".into(),
            path: path.into(),
            size,
            sha256: "3f9a1c0d5be24478a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718".into(),
            created_at: ago(359),
        };
        Ok(vec![file("a1", "target/coverage.html", 41_000), file("a2", "target/logs/acceptance.log", 2_400_000)])
    }
    async fn artifact(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64, _: &str) -> Result<(Artifact, std::path::PathBuf)> {
        Err(Error::not_found("unknown_artifact", "None."))
    }
    async fn report(&self, _: &Actor, team: &TeamName, one: &ServiceName) -> Result<CiReport> {
        let answer = |question, light, why: &str, says: &str, run| Answered {
            question,
            light,
            why: why.into(),
            evidence: vec![Fact { says: says.into(), run, at: Some(ago(86_400)) }],
        };
        let measured = |measure, value, unit: &str, year| Measured {
            measure,
            value,
            unit: unit.into(),
            of: 12,
            definition:
                "Half of the changes needed no longer from the push that brought them until they were proven in the last environment."
                    .into(),
            year,
        };
        Ok(CiReport {
            team: team.clone(),
            service: one.clone(),
            branch: "main".into(),
            red_since: None,
            answers: vec![
                answer(
                    Question::Integrates,
                    Light::Green,
                    "91% of the days on which somebody pushed (20 of 22) reached main.",
                    "The last push to main was on 2026-11-17.",
                    None,
                ),
                answer(
                    Question::Validates,
                    Light::Amber,
                    "9 of 12 runs that let a change through executed tests.",
                    "Run 55 made an image and tested nothing.",
                    Some(55),
                ),
                answer(
                    Question::Fixes,
                    Light::Red,
                    "It has been red for 75 min.",
                    "Run 56 made it red 75 min ago, and nothing has mended it.",
                    Some(56),
                ),
            ],
            measures: vec![
                measured(Measure::DeploymentFrequency, Some(3.25), "per_week", 2014),
                measured(Measure::ChangeLeadTime, Some(5_400_000.0), "ms", 2014),
                measured(Measure::ChangeFailRate, Some(0.08), "share", 2014),
                measured(Measure::FailedDeploymentRecoveryTime, None, "ms", 2023),
                measured(Measure::ReworkRate, Some(0.0), "share", 2024),
            ],
            environment: Some("production".into()),
            days: 28,
            guards_red: false,
            public_badges: true,
        })
    }
    async fn digest(&self, _: &Actor, team: &TeamName) -> Result<CiDigest> {
        Ok(CiDigest { team: team.clone(), text: String::new(), services: Vec::new(), public_badges: true })
    }
    async fn guard_red(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: bool) -> Result<()> {
        Ok(())
    }
    async fn open_badges(&self, _: &Actor, _: &TeamName, _: bool) -> Result<()> {
        Ok(())
    }
    async fn badge(&self, _: Option<&Actor>, _: &TeamName, _: &ServiceName) -> Result<(String, bool)> {
        Ok((String::new(), true))
    }
}

fn base_version(number: u64, state: BaseState, failure: Option<&str>) -> BaseVersion {
    BaseVersion {
        number,
        reference: format!("base/debian:{number}"),
        state,
        image: (state == BaseState::Ready).then(|| IMAGE.to_owned()),
        size: (state == BaseState::Ready).then_some(124_000_000),
        failure: failure.map(str::to_owned),
        rolls: number > 1,
        cancelling: false,
        created_by: "Ana".into(),
        created_at: ago(90_000 / number),
        build_ms: state.ended().then_some(61_000),
        gone_at: None,
    }
}

#[async_trait]
impl Bases for Fake {
    async fn list(&self, actor: &Actor) -> Result<Vec<Base>> {
        Ok(if self.empty { Vec::new() } else { vec![Bases::show(self, actor, &name("debian"), None).await?.base] })
    }
    async fn show(&self, _: &Actor, base: &BaseName, _: Option<u64>) -> Result<BaseShown> {
        let versions = vec![
            base_version(3, BaseState::Failed, Some("The image debian:13 was not found. The engine has: debian:12.")),
            base_version(2, BaseState::Ready, None),
            base_version(1, BaseState::Ready, None),
        ];
        let user = |service: &str, written: &str, pinned| BaseUser {
            team: name("shop"),
            service: name(service),
            candidate: 41,
            version: if pinned { 1 } else { 2 },
            written: written.into(),
            pinned,
        };
        let roll = |service: &str, run: Option<u64>, note: Option<&str>| BaseRoll {
            version: 2,
            team: name("shop"),
            service: name(service),
            run,
            state: run.map(|_| RunState::Passed),
            note: note.map(str::to_owned),
        };
        Ok(BaseShown {
            base: Base {
                name: base.clone(),
                reference: format!("base/{base}"),
                description: "Debian with what services need <b>".into(),
                from_dockerfile: !self.empty,
                current: versions.get(1).cloned(),
                newest: versions.first().cloned(),
                users: 2,
                created_by: "Ana".into(),
                created_at: ago(90_000),
            },
            dockerfile: (!self.empty).then(|| "FROM debian:13\n".to_owned()),
            versions,
            users: if self.empty { Vec::new() } else { vec![user("orders", "base/debian", false), user("catalog", "base/debian:1", true)] },
            rolls: if self.empty {
                Vec::new()
            } else {
                vec![roll("orders", Some(56), None), roll("search", None, Some("None.")), roll("x", None, None)]
            },
            rolled: if self.empty { 0 } else { 120 },
            log_of: Some(3),
            log: "Step 1/1 : FROM debian:13\n".into(),
        })
    }
    async fn create(&self, actor: &Actor, base: &BaseName, _: &str, _: BaseSource) -> Result<BaseShown> {
        Bases::show(self, actor, base, None).await
    }
    async fn rebuild(&self, actor: &Actor, base: &BaseName, _: Option<BaseSource>, _: bool) -> Result<BaseShown> {
        Bases::show(self, actor, base, None).await
    }
    async fn cancel(&self, actor: &Actor, base: &BaseName) -> Result<BaseShown> {
        Bases::show(self, actor, base, None).await
    }
}
