//! Fills a store as years of use would: teams, people, services in every environment with releases, and runs by the million
//! with stages, steps, logs, candidates, pushes and events. What is few goes through the store's own functions, what is many
//! through SQL that makes its rows itself. SQLite only. Shared by the tests and `make bench`.

use std::{collections::BTreeMap, path::Path};

use app::model::{
    ConfigSetId, Environment, Evidence, PlatformRole, RepositoryId, RepositoryName, Role, RouteId, Service, ServiceId, Shape, TargetId,
    TeamId, TeamName, Timestamp, UserId,
};
use server::{
    args,
    auth::password::Passwords,
    candidates::retain::POLICY,
    clock,
    control::platform::seed,
    pipelines::file,
    secrets::Secrets,
    store::{
        Db, Tx, Value, environments,
        routes::{self, RouteRow},
        services,
        targets::{self, NewTarget},
        teams,
        users::{self, UserRow},
    },
};

/// The administrator, who is in every team.
pub(crate) const ADMIN: &str = "admin@example.com";
/// The administrator's password; nobody else has one that is known.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// A run every so many milliseconds: a million of them fill a year.
const RUN_EVERY: i64 = 31_000;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Teams.
    pub(crate) teams: usize,
    /// Services, the same number in each team.
    pub(crate) services: usize,
    /// Runs: a tenth of them of the first service, the others spread evenly.
    pub(crate) runs: usize,
    /// How many services have an instance in production; the others are scaled to nothing.
    pub(crate) running: usize,
}

/// The name of a team, from 0.
pub(crate) fn team(number: usize) -> String {
    format!("team{number}")
}

/// The name of a service, from 0; the first is in the first team and the busiest.
pub(crate) fn service(number: usize) -> String {
    format!("service{number}")
}

/// Fills the fresh store of a Berth whose data are in this folder.
pub(crate) async fn fill(data: &Path, size: Size) {
    let db = Db::open(&format!("sqlite:{}", data.join("berth.db").display())).await.unwrap();
    let secrets = Secrets::open(&data.join("root.key")).unwrap();
    seed(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("PRAGMA cache_size = -400000", args![]).await.unwrap();
    let people = people(&mut tx, 10 * size.teams).await;
    let environments = environments::list(&mut tx).await.unwrap();
    for number in 0..size.teams {
        let id = TeamId::from_text(clock::new_id());
        let name: TeamName = team(number).parse().unwrap();
        teams::insert(&mut tx, &id, &name, clock::now()).await.unwrap();
        for person in people.iter().take(1).chain(&people[10 * number + 1..][..9]) {
            let role = if person == &people[0] { Role::Owner } else { Role::Developer };
            teams::put_member(&mut tx, &id, person, role, clock::now()).await.unwrap();
        }
        for place in (0..size.services).filter(|place| place * size.teams / size.services == number) {
            provision(&mut tx, &secrets, (&id, &name), place, &environments).await;
        }
    }
    tx.commit().await.unwrap();
    history(&db, size).await;
    db.close().await;
}

/// Everybody; the first is the administrator.
async fn people(tx: &mut Tx, count: usize) -> Vec<UserId> {
    let hash = Passwords::default().hash(PASSWORD).await.unwrap();
    let mut people = Vec::new();
    for number in 0..=count {
        let first = number == 0;
        let user = UserRow {
            id: UserId::from_text(clock::new_id()),
            email: if first { ADMIN.to_owned() } else { format!("person{number}@example.com") },
            name: format!("Person {number}"),
            password_hash: if first { hash.clone() } else { "*".to_owned() },
            language: None,
            platform: if first { PlatformRole::Admin } else { PlatformRole::None },
            session_epoch: 1,
            suspended_at: None,
            created_at: clock::now(),
        };
        users::insert(tx, &user).await.unwrap();
        people.push(user.id);
    }
    people
}

/// A service in every environment, as asking for one makes it.
async fn provision(tx: &mut Tx, secrets: &Secrets, (team_id, team): (&TeamId, &TeamName), place: usize, environments: &[Environment]) {
    let (now, repository) = (clock::now(), service(place).parse::<RepositoryName>().unwrap());
    let service = Service {
        id: ServiceId::from_text(clock::new_id()),
        team: team.clone(),
        team_id: team_id.clone(),
        clone_url: String::new(),
        description: "One of many that share this Berth.".to_owned(),
        name: service(place).parse().unwrap(),
        repository,
        repository_id: RepositoryId::from_text(clock::new_id()),
        created_at: now,
    };
    services::insert(tx, &service).await.unwrap();
    for environment in environments {
        let (id, config_set) = (TargetId::from_text(clock::new_id()), ConfigSetId::from_text(clock::new_id()));
        let target = NewTarget {
            id: &id,
            team: team_id,
            service: &service.id,
            environment: &environment.id,
            replicas: &BTreeMap::from([("web".to_owned(), 0)]),
            config_set: &config_set,
            variables: &secrets.seal(team_id, config_set.as_str(), "variables", b"{}").unwrap(),
            by: "Person 0",
            now,
        };
        targets::insert(tx, &target).await.unwrap();
        let host = format!("{}-{team}.{}.localhost", service.name, environment.name);
        let route = RouteRow { id: RouteId::from_text(clock::new_id()), target: id, host, path: "/".into(), default: true };
        routes::insert(tx, team_id, &route, now).await.unwrap();
    }
}

/// What happened since.
async fn history(db: &Db, size: Size) {
    let began = clock::now().0 - i64::try_from(size.runs).unwrap() * RUN_EVERY - RUN_EVERY;
    let sample = include_str!("../fixtures/hello/berth.yaml");
    let pipeline = serde_json::to_string(&file::resolve(Some(sample), true, "hello").unwrap()).unwrap();
    let shape = serde_json::to_string(&Shape { processes: BTreeMap::from([("web".into(), Default::default())]), release: None }).unwrap();
    let evidence = serde_json::to_string(&evidence()).unwrap();
    let steps: [(&str, Vec<Value>); 18] = [
        (RUNS, args![size.runs, size.services, began, RUN_EVERY, pipeline]),
        (STAGES, args![]),
        (STEPS, args![]),
        (LOGS, args![]),
        (PUSHES, args![]),
        (EVENTS, args![]),
        (CANDIDATES, args![shape]),
        (STATEMENTS, args![]),
        (BASES, args![]),
        (VERSIONS, args![]),
        (ON_BASES, args![]),
        (ROLLS, args![]),
        (NEXT, args![]),
        (RETAINED, args![clock::now().minus(POLICY.age)]),
        (RELEASES, args![size.running]),
        (SERVING, args![]),
        (ROLLOUTS, args![evidence]),
        (BACKENDS, args![]),
    ];
    for (sql, values) in steps {
        let mut tx = db.begin().await.unwrap();
        tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn evidence() -> Vec<Evidence> {
    use app::model::Phase;
    let fact = |phase, fact: &str| Evidence { phase, fact: fact.to_owned(), at: Timestamp(1) };
    vec![
        fact(Phase::Started, "Instance web.0 was started from the image."),
        fact(Phase::Healthy, "Healthy for 10 s without a break."),
        fact(Phase::Routed, "The edge sends requests to it."),
        fact(Phase::FirstRequest, "A first request came back with 200 in 4 ms."),
    ]
}

/// `$1` runs of `$2` services from `$3` on, one every `$4` ms. Ids sort by time, as those Berth makes do.
const RUNS: &str = "
INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, failure, stage,
  candidate_id, fence, created_at, started_at, finished_at)
WITH RECURSIVE seq (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM seq WHERE n + 1 < $1),
 placed AS (SELECT n, $3 + n * $4 AS at,
   CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + (n - n / 10 - 1) % ($2 - 1) END AS place,
   CASE WHEN n % 10 = 0 THEN n / 10 + 1 ELSE (n - n / 10 - 1) / ($2 - 1) + 1 END AS number FROM seq),
 made AS (SELECT n, place, number, at, n % 9 <> 5 AS passed, CASE WHEN n % 4 = 3 THEN 'feature-' || (n % 7) ELSE 'main' END AS branch,
   substr(printf('%012x', at), 1, 8) || '-' || substr(printf('%012x', at), 9, 4) || '-7' || printf('%03x', n % 4096) || '-8'
     || printf('%03x', n % 1777) || '-' || printf('%012x', n) AS id FROM placed)
SELECT m.id, s.team_id, s.id, number, CASE WHEN passed THEN 'passed' ELSE 'failed' END, printf('%08x%032x', n * 40503 % 4294967296, n),
  'Say in a line what change ' || n || ' is for', 'Person ' || (n % 40), branch, 'Person ' || (n % 40), 'push to ' || branch, $5,
  CASE WHEN passed THEN NULL ELSE 'The step unit ended with exit code 1.' END, CASE WHEN passed THEN 'image' ELSE 'fast' END,
  CASE WHEN passed AND branch = 'main' THEN m.id END, 1, at, at + 40, at + 60000 + n % 90000
FROM made m JOIN services s ON s.rowid = m.place";

/// Two stages a run; what follows a failed one is skipped.
const STAGES: &str = "
INSERT INTO stages (id, run_id, position, name, kind, state, attempt, started_at, finished_at)
SELECT substr(r.id, 1, 19) || k.mark || substr(r.id, 21), r.id, k.position, k.name, k.kind,
  CASE WHEN r.state = 'passed' THEN 'passed' WHEN k.position = 0 THEN 'failed' ELSE 'skipped' END, 1, r.started_at, r.finished_at
FROM runs r CROSS JOIN (SELECT 0 AS position, 'fast' AS name, 'steps' AS kind, '9' AS mark UNION ALL SELECT 1, 'image', 'image', 'a') k";

/// A step a stage.
const STEPS: &str = "
INSERT INTO steps (id, team_id, run_id, stage_id, position, name, image, state, exit_code, lines, started_at, finished_at)
SELECT g.id, r.team_id, r.id, g.id, 0, CASE g.position WHEN 0 THEN 'unit' ELSE 'build' END, 'rust:1.95', g.state,
  CASE g.state WHEN 'passed' THEN 0 WHEN 'failed' THEN 1 END, CASE WHEN r.number % 20 = 0 THEN 12 ELSE 0 END, g.started_at, g.finished_at
FROM stages g JOIN runs r ON r.id = g.run_id";

/// The lines of each service's every twentieth run; older logs were not kept.
const LOGS: &str = "
INSERT INTO log_chunks (step_id, first_line, line_count, lines)
SELECT t.id, 1, 12, (SELECT json_group_array(json_array(t.started_at, 'out', 'test number ' || n.n || ' of the suite ... ok'))
  FROM (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 12) SELECT n FROM c) n)
FROM steps t WHERE t.lines > 0";

/// The push before each run.
const PUSHES: &str = "
INSERT INTO ref_changes (id, team_id, repository_id, ref, old_commit, new_commit, pushed_by, created_at, handled_at)
SELECT r.id, r.team_id, s.repository_id, 'refs/heads/' || r.branch, r.commit_id, r.commit_id, r.pushed_by, r.created_at, r.created_at
FROM runs r JOIN services s ON s.id = r.service_id";

/// An event a run.
const EVENTS: &str = "
INSERT INTO events (id, team_id, service_id, at, actor, action, subject, path, detail, origin, hash)
SELECT r.id, r.team_id, r.service_id, r.finished_at, r.pushed_by, 'run.' || r.state, 'run ' || r.number, '/teams', '', 'berth',
  r.commit_id || r.commit_id FROM runs r";

/// What green runs of the main branch made.
const CANDIDATES: &str = "
INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at)
SELECT r.id, r.team_id, r.service_id, ROW_NUMBER() OVER (PARTITION BY r.service_id ORDER BY r.number),
  'sha256:' || printf('%064x', r.rowid), 80000000, r.commit_id, r.title, r.branch, r.id, r.number, $1, r.finished_at
FROM runs r WHERE r.candidate_id IS NOT NULL";

/// What is said of those that were never released, signed by nobody.
const STATEMENTS: &str = "
INSERT INTO statements (candidate_id, kind, payload, key_id, signature)
SELECT c.id, k.kind, 'H4sIAAAAAAACA6tWKihKTclMTixJVbKqVkrKz3XLL8pNLFGyUnKuTM7Jz0t1iVCqrQUAxlXkJScAAAA=', 'k', '' FROM candidates c CROSS JOIN (SELECT 'provenance' AS kind UNION ALL SELECT 'sbom') k WHERE c.number > 3";

/// Two base images, of which one has many versions.
const BASES: &str = "
INSERT INTO bases (id, name, description, dockerfile, next_version, created_by, created_at)
VALUES ('b0', 'debian', 'What most stand on.', 'FROM debian:12', 41, 'Person 0', 1), ('b1', 'tools', '', NULL, 1, 'Person 0', 1)";

/// Its versions.
const VERSIONS: &str = "
INSERT INTO base_versions (id, base_id, number, state, dockerfile, rolls, holder, image, size, created_by, created_at, started_at, finished_at)
WITH RECURSIVE seq (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 40)
SELECT 'v' || n, 'b0', n, 'ready', 'FROM debian:12', n > 1, 'filled', 'sha256:' || printf('%064x', n), 120000000, 'Person 0', n, n, n FROM seq";

/// Every candidate stands on one of them.
const ON_BASES: &str = "
INSERT INTO candidate_bases (candidate_id, version_id, service_id, name, newest)
SELECT c.id, 'v' || (1 + c.number % 40), c.service_id, 'base/debian',
  c.number = (SELECT MAX(o.number) FROM candidates o WHERE o.service_id = c.service_id) FROM candidates c";

/// What the newest set off.
const ROLLS: &str = "
INSERT INTO base_rolls (version_id, service_id, run_id)
SELECT 'v40', c.service_id, MAX(c.run_id) FROM candidates c GROUP BY c.service_id";

/// Numbers go on from what is there.
const NEXT: &str = "
UPDATE services SET next_run = (SELECT COALESCE(MAX(r.number), 0) + 1 FROM runs r WHERE r.service_id = services.id),
  next_candidate = (SELECT COALESCE(MAX(c.number), 0) + 1 FROM candidates c WHERE c.service_id = services.id)";

/// What a Berth that was there all the time has let go of: it is not what a start finds to do.
const RETAINED: &str = "
UPDATE candidates SET gone_at = created_at, removed_at = created_at
WHERE number > 3 AND created_at < $1 AND number < (SELECT s.next_candidate - 20 FROM services s WHERE s.id = candidates.service_id)";

/// The first three candidates of each service, released everywhere.
const RELEASES: &str = "
INSERT INTO releases (id, team_id, target_id, number, generation, image, candidate_id, candidate_number, config_set_id, config_number,
  replicas, shape, created_by, reason, created_at)
SELECT substr(g.id, 1, 35) || c.number, g.team_id, g.id, c.number, c.number, c.image, c.id, c.number, g.config_set_id, 0,
  CASE WHEN e.name = 'production' AND s.rowid <= $1 THEN '{\"web\":1}' ELSE '{\"web\":0}' END, c.shape, 'Person 0',
  'candidate ' || c.number || ' of run ' || c.run_number, c.created_at
FROM targets g JOIN services s ON s.id = g.service_id JOIN environments e ON e.id = g.environment_id
  JOIN candidates c ON c.service_id = g.service_id AND c.number <= 3";

/// The newest serves.
const SERVING: &str = "
UPDATE targets SET (release_id, wanted_release_id, replicas, next_release) = (SELECT r.id, r.id, r.replicas, r.number + 1 FROM releases r
  WHERE r.target_id = targets.id ORDER BY r.number DESC LIMIT 1)
WHERE EXISTS (SELECT 1 FROM releases r WHERE r.target_id = targets.id)";

/// How each release came to be.
const ROLLOUTS: &str = "
INSERT INTO rollouts (id, team_id, service_id, target_id, release_id, release_number, from_release_id, from_number, state, plan, evidence,
  progress, created_by, fence, created_at, started_at, finished_at)
SELECT r.id, r.team_id, g.service_id, g.id, r.id, r.number, o.id, o.number, 'succeeded', '[\"Start 1 instance\",\"Route to it\"]', $1, '{}',
  r.created_by, 1, r.created_at, r.created_at, r.created_at + 15000
FROM releases r JOIN targets g ON g.id = r.target_id LEFT JOIN releases o ON o.target_id = r.target_id AND o.number = r.number - 1";

/// Where requests go.
const BACKENDS: &str = "
INSERT INTO backends (target_id, release_number, process, slot, address, since)
SELECT g.id, r.generation, 'web', 0, '10.201.' || (s.rowid / 250) || '.' || (s.rowid % 250 + 2) || ':8080', r.created_at
FROM targets g JOIN releases r ON r.id = g.release_id JOIN services s ON s.id = g.service_id WHERE r.replicas = '{\"web\":1}'";
