//! A stored value that does not read, in every column of text in turn. Berth starts, what waits behind the broken row is
//! carried out, what is broken alone is told as unreadable, and a team beside it notices nothing.
//!
//! Several teams are broken at once, each in a column of its own; the one that is well comes last in every line.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::Scope;
use serde_json::json;
use server::{
    args,
    platform::fake::{Behaviour, Fake, Script, image_id},
    serve::{self, Engine},
    store::{Db, Open, Query as _, db::StoreError},
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    git::Copy,
    support::{
        app::{ADMIN, Answer, Client, TestApp},
        berth::{settings, within},
        proof,
        reads::Sample,
    },
};

/// What stands in the column: no JSON, no name, no state, no number, no address.
const GARBAGE: &str = "}{ \"not\nwhat it was";
/// The teams that are broken, each in its way; in every line before [`WELL`].
const BROKEN: [&str; 6] = ["a1", "a2", "a3", "a4", "a5", "a6"];
/// The team beside them.
const WELL: &str = "well";

/// A column that does not read.
#[derive(Clone, Debug)]
struct Column {
    table: String,
    name: String,
}

/// The rows of a team in a table, by a condition on it.
fn of_team(table: &str, team: &str) -> String {
    let id = format!("(SELECT id FROM teams WHERE name = '{team}')");
    let runs = format!("(SELECT id FROM runs WHERE team_id = {id} AND finished_at IS NULL)");
    match table {
        "teams" => format!("id = {id}"),
        "users" | "sessions" | "idempotency_keys" => {
            let user = format!("(SELECT id FROM users WHERE email = 'owner@{team}.test')");
            match table {
                "users" => format!("id = {user}"),
                "sessions" => format!("data LIKE '%' || {user} || '%'"),
                _ => format!("actor = {user}"),
            }
        }
        "tokens" => format!("user_id = (SELECT id FROM users WHERE email = 'owner@{team}.test')"),
        // What waits.
        "runs" => format!("id IN {runs}"),
        "rollouts" => format!("team_id = {id} AND finished_at IS NULL"),
        "stages" | "steps" => format!("run_id IN {runs}"),
        "log_chunks" => format!("step_id IN (SELECT id FROM steps WHERE team_id = {id})"),
        "candidates" => format!("team_id = {id} AND id IN (SELECT candidate_id FROM releases)"),
        "statements" => format!("candidate_id IN (SELECT id FROM candidates WHERE team_id = {id})"),
        "backends" => format!("target_id IN (SELECT id FROM targets WHERE team_id = {id})"),
        "candidate_bases" | "base_rolls" => format!("service_id IN (SELECT id FROM services WHERE team_id = {id})"),
        // Of the whole platform.
        "bases" | "base_versions" => "1 = 1".to_owned(),
        "environments" => "name = 'production'".to_owned(),
        "settings" | "leases" => "1 = 1".to_owned(),
        _ => format!("team_id = {id}"),
    }
}

/// A team with something of everything.
async fn furnish(app: &TestApp, team: &str) {
    let owner = app.client(&format!("owner@{team}.test")).await;
    let service = format!("/teams/{team}/services/hello");
    owner.post(&format!("/teams/{team}/services"), json!({"name": "hello", "environments": ["dev", "staging"]})).await.is(201);
    owner.send("PUT", &format!("{service}/secrets/TOKEN"), Some(&json!({"value": "wanted by steps"}))).await;
    owner.send("PATCH", &format!("{service}/targets/dev/config"), Some(&json!({"set": {"A": "b"}}))).await.is(200);
    owner.post(&format!("{service}/targets/dev/routes"), json!({"host": format!("{team}.example.com")})).await.is(201);
    owner.post(&format!("/teams/{team}/invitations"), json!({"email": format!("new@{team}.test"), "role": "viewer"})).await.is(201);
    app.browser(&format!("owner@{team}.test")).await;
    let copy = Copy::at(&format!("http://x:{}@{}/git/{team}/hello.git", owner.secret(), app.berth.console)).await;
    copy.write(
        "berth.yaml",
        "version: 1\nservices:\n  hello:\n    on: { schedule: [{ cron: \"0 3 * * *\" }] }\n    stages:\n      - name: fast\n        steps:\n          - { name: unit, image: shell, run: [\"make test\"], caches: { /kept: [] } }\n",
    );
    copy.write("Dockerfile", "FROM scratch\n");
    for message in ["First", "Second"] {
        copy.commit(message).await;
        copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
        ended(app.db()).await;
    }
    for image in ["hello:1", "hello:2"] {
        owner.post(&format!("{service}/targets/staging/actions/deploy"), json!({"image": image})).await.is(202);
        ended(app.db()).await;
    }
}

/// Waits until no run and no rollout waits or is under way.
async fn ended(db: &Db) {
    let open = "SELECT (SELECT COUNT(*) FROM runs WHERE finished_at IS NULL AND state IN ('queued', 'running'))
                 + (SELECT COUNT(*) FROM rollouts WHERE finished_at IS NULL AND state IN ('queued', 'running'))
                 + (SELECT COUNT(*) FROM ref_changes WHERE handled_at IS NULL AND ref = 'refs/heads/main') AS n";
    within(Duration::from_secs(20), "every run and rollout has ended", async || {
        let open: i64 = db.fetch_opt(open, args![]).await.unwrap().unwrap().int("n").unwrap();
        (open == 0).then_some(())
    })
    .await;
}

/// As if Berth had been stopped while the second run and the last rollout of every team waited; those of [`WELL`] last.
async fn wait_again(db: &Db) {
    let statements = [
        "UPDATE runs SET state = 'queued', started_at = NULL, finished_at = NULL, candidate_id = NULL, failure = NULL, stage = NULL,
           holder = NULL, lease_until = NULL WHERE number = 2",
        "UPDATE stages SET state = 'queued', started_at = NULL, finished_at = NULL
          WHERE run_id IN (SELECT id FROM runs WHERE state = 'queued')",
        "UPDATE steps SET state = 'queued', exit_code = NULL, started_at = NULL, finished_at = NULL
          WHERE run_id IN (SELECT id FROM runs WHERE state = 'queued')",
        "UPDATE rollouts SET state = 'queued', started_at = NULL, finished_at = NULL, failure = NULL, evidence = '[]', progress = '{}',
           holder = NULL, lease_until = NULL WHERE release_number = 2 AND from_number = 1
             AND target_id IN (SELECT t.id FROM targets t JOIN environments e ON e.id = t.environment_id WHERE e.name = 'staging')",
        "UPDATE targets SET release_id = (SELECT from_release_id FROM rollouts o WHERE o.target_id = targets.id AND o.state = 'queued')
          WHERE id IN (SELECT target_id FROM rollouts WHERE state = 'queued')",
    ];
    let mut tx = db.begin().await.unwrap();
    for sql in statements {
        assert!(tx.execute(sql, args![]).await.unwrap() as usize > BROKEN.len(), "{sql}");
    }
    tx.commit().await.unwrap();
}

/// Copies a folder as it stands.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if entry.path().is_dir() {
            copied(&entry.path(), &to.join(&name));
        } else if !text.ends_with("-shm") && !text.ends_with(".sample") && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

/// Every column of text.
async fn columns(db: &Db) -> Vec<Column> {
    let sql = "SELECT m.name AS place, c.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c
                WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> '_sqlx_migrations' AND c.type = 'TEXT' ORDER BY c.name, m.name";
    let rows = db.fetch_all(sql, args![]).await.unwrap();
    rows.iter().map(|row| Column { table: row.text("place").unwrap(), name: row.text("name").unwrap() }).collect()
}

/// Spoils a column in a row of this team. False: the database itself keeps it right, or there is no such row.
async fn spoil(db: &Db, column: &Column, team: &str) -> bool {
    let Column { table, name } = column;
    let sql = format!(
        "UPDATE {table} SET {name} = $1 WHERE rowid = (SELECT rowid FROM {table} WHERE {} ORDER BY rowid DESC LIMIT 1)",
        of_team(table, team)
    );
    let mut tx = db.begin().await.unwrap();
    match tx.execute(sql, args![GARBAGE]).await {
        Ok(0) => panic!("{table} has no row of {team}"),
        Ok(_) => tx.commit().await.is_ok(),
        // A reference is held right by the database.
        Err(StoreError::Sql(_) | StoreError::Taken(_)) => false,
        Err(error) => panic!("{table}.{name}: {error}"),
    }
}

/// Everything that is filled.
struct Furnished {
    folder: TempDir,
    secrets: Vec<(String, String)>,
    sample: Sample,
}

async fn furnished() -> Furnished {
    let mut app = TestApp::new().await.with_team(WELL).await;
    for team in BROKEN {
        app = app.with_team(team).await;
    }
    app.fake.set_image("shell", Behaviour::default());
    app.fake.on_task(|_| Some(Script { lines: vec![(false, "all good".into())], ..Script::default() }));
    for image in ["hello:1", "hello:2"] {
        app.fake.set_image(image, Behaviour::saying("hello"));
    }
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 50, deadline_ms = 2000", args![]).await.unwrap();
    tx.commit().await.unwrap();
    for team in BROKEN.into_iter().chain([WELL]) {
        furnish(&app, team).await;
    }
    let mut secrets = Vec::new();
    for team in BROKEN.into_iter().chain([WELL]) {
        // Not the newest of its owner: that one is spoiled.
        let client = app.scoped(&format!("viewer@{team}.test"), &[Scope::Read]).await;
        secrets.push((team.to_owned(), client.secret().to_owned()));
    }
    secrets.push((ADMIN.to_owned(), app.as_admin().await.secret().to_owned()));
    // One of those that a journey would leave: tests that are not steady, files that are kept.
    let mut tx = app.db().begin().await.unwrap();
    for sql in [
        "INSERT INTO flaky_tests (service_id, id, team_id, suite, name, times, last_run, last_at)
         SELECT id, 'flaky', team_id, 's', 'n', 1, 1, 0 FROM services",
        "INSERT INTO step_tests (step_id, team_id, service_id, run_id, run_number, commit_id, on_default, step, passed, failed, skipped, bytes,
           sources, report, cases) SELECT t.id, r.team_id, r.service_id, r.id, r.number, r.commit_id, TRUE, 'fast/unit', 0, 0, 0, 0, '[]',
           '{}', '' FROM runs r JOIN steps t ON t.run_id = r.id WHERE r.number = 1 AND t.name = 'unit'",
        "INSERT INTO artifacts (id, team_id, service_id, run_id, run_number, step_id, step, path, size, sha256, created_at)
         SELECT 'kept' || r.id, r.team_id, r.service_id, r.id, 1, t.id, 'fast/unit', 'out/x', 5, '', 0
           FROM runs r JOIN steps t ON t.run_id = r.id WHERE r.number = 1 AND t.name = 'unit'",
        "INSERT INTO settings (name, value) VALUES ('last_backup', '0')",
        "INSERT INTO repositories (id, team_id, name, default_branch, created_at) SELECT 'm' || id, id, 'mirrored', 'main', 0 FROM teams",
        "INSERT INTO mirrors (repository_id, team_id, address, forge, hook_id, statuses, every_ms, due_at)
         SELECT 'm' || id, id, 'https://git.example.org/a/b', 'gitea', 'h' || id, TRUE, 300000, 9000000000000 FROM teams",
        "INSERT INTO forge_statuses (id, team_id, repository_id, service_id, run_id, run_number, commit_id, state, version, due_at, changed_at)
         SELECT 'f' || r.id, r.team_id, s.repository_id, s.id, r.id, 1, r.commit_id, 'passed', 1, 1, 1
           FROM runs r JOIN services s ON s.id = r.service_id WHERE r.number = 1",
        "INSERT INTO bases (id, name, description, created_by, created_at) VALUES ('b', 'debian', '', 'Ada', 1)",
        "INSERT INTO base_versions (id, base_id, number, state, rolls, holder, image, created_by, created_at, finished_at)
         VALUES ('v', 'b', 1, 'ready', TRUE, 'h', 'sha256:1', 'Ada', 1, 2)",
        "INSERT INTO candidate_bases (candidate_id, version_id, service_id, name, newest) SELECT id, 'v', service_id, 'base/debian', TRUE FROM candidates",
        "INSERT INTO base_rolls (version_id, service_id) SELECT 'v', id FROM services",
        "INSERT INTO idempotency_keys (actor, idempotency_key, hash, status, body, created_at)
         SELECT id, 'once', 'h', 200, 'sealed', 0 FROM users",
        "INSERT INTO backends (target_id, release_number, process, slot, address, since)
         SELECT id, 99, 'web', 7, '127.0.0.1:1', 0 FROM targets",
    ] {
        tx.execute(sql, args![]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let text = async |sql: &str| app.db().fetch_opt(sql, args![]).await.unwrap().unwrap().text("id").unwrap();
    let team = format!("(SELECT id FROM teams WHERE name = '{WELL}')");
    let sample = Sample {
        team: WELL.into(),
        service: "hello".into(),
        environment: "dev".into(),
        number: 1,
        rollout: app::model::RolloutId::from_text(
            text(&format!("SELECT id FROM rollouts WHERE team_id = {team} ORDER BY id LIMIT 1")).await,
        ),
        step: app::model::StepId::from_text(
            text(&format!("SELECT id FROM steps WHERE team_id = {team} AND name = 'unit' ORDER BY id LIMIT 1")).await,
        ),
    };
    let folder = tempfile::tempdir().unwrap();
    copied(&app.berth.config.data, folder.path());
    let copy = Db::connect(&settings(&folder).database, Open::Change).await.unwrap();
    wait_again(&copy).await;
    copy.close().await;
    Furnished { folder, secrets, sample }
}

/// Whether what was answered is as it is to be where something may not read: no fault but that one, in a sentence.
fn told(answer: &Answer) -> bool {
    let said = answer.body["code"] == "unreadable" || answer.text.contains("stored of this does not read");
    answer.status < 500 || said
}

/// A Berth on a copy of it, in which these columns are broken.
async fn lived(all: &Furnished, broken: &[(Column, &str)]) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    copied(all.folder.path(), folder.path());
    let config = settings(&folder);
    let db = Db::connect(&config.database, Open::Change).await.unwrap();
    let mut spoiled = Vec::new();
    for (column, team) in broken {
        if spoil(&db, column, team).await {
            spoiled.push(format!("{}.{}", column.table, column.name));
        }
    }
    db.close().await;
    let fake = Fake::listening();
    fake.set_image("shell", Behaviour::default());
    fake.on_task(|_| Some(Script { lines: vec![(false, "all good".into())], ..Script::default() }));
    for image in ["hello:1", "hello:2"] {
        fake.set_image(image, Behaviour::saying("hello"));
        fake.set_image(&image_id(image), Behaviour::saying("hello"));
    }
    let berth = match serve::start(config, Engine::Given(Arc::new(fake))).await {
        Ok(berth) => berth,
        Err(error) => return (spoiled.len(), vec![format!("{spoiled:?}: it does not start: {error:?}")]),
    };
    let state = async |sql: &str| {
        let sql = format!("{sql} AND team_id = (SELECT id FROM teams WHERE name = '{WELL}') ORDER BY id DESC LIMIT 1");
        berth.db.fetch_opt(sql, args![]).await.unwrap().unwrap().text("state").unwrap()
    };
    if timeout(Duration::from_secs(15), ended(&berth.db)).await.is_err() {
        let waits = "SELECT 'run of ' || team_id || ' ' || state || ' ' || COALESCE(waits, '') AS what FROM runs WHERE finished_at IS NULL
                      UNION ALL SELECT 'rollout ' || state || ' ' || COALESCE(now_doing, '') FROM rollouts WHERE finished_at IS NULL
                      UNION ALL SELECT 'push ' || id FROM ref_changes WHERE handled_at IS NULL";
        let waits: Vec<String> = berth.db.fetch_all(waits, args![]).await.unwrap().iter().map(|row| row.text("what").unwrap()).collect();
        wrong.push(format!("{spoiled:?}: something waits still: {waits:?}"));
    }
    let run = state("SELECT state FROM runs WHERE number = 2").await;
    let rollout = state("SELECT state FROM rollouts WHERE release_number = 2 AND from_number = 1").await;
    if (run.as_str(), rollout.as_str()) != ("passed", "succeeded") {
        wrong.push(format!("{spoiled:?}: beside it the run is {run}, the rollout {rollout}"));
    }
    let base = format!("http://{}", berth.console);
    let by = |who: &str| {
        let secret = &all.secrets.iter().find(|(name, _)| name == who).unwrap().1;
        Client::of(&base, secret)
    };
    for (column, team) in broken {
        let of = Sample { team: (*team).to_owned(), ..all.sample.clone() };
        let (viewer, admin) = (by(team), by(ADMIN));
        let pages = of.pages().into_iter().filter(|(page, _)| page.contains("{team}") && !page.contains("/logs"));
        let asked =
            of.api().into_iter().filter(|(path, _)| !path.ends_with("/logs")).map(|(_, path)| path).chain(pages.map(|(_, path)| path));
        for (n, path) in asked.enumerate() {
            // The administrator sees a team whose own people cannot come in.
            let client = if n % 2 == 0 { &viewer } else { &admin };
            let answer = client.ask("GET", &path, None).await;
            if !told(&answer) {
                wrong.push(format!("{}.{} of {team}: {path}: {} {:.300}", column.table, column.name, answer.status, answer.text));
            }
        }
    }
    let well = by(WELL);
    for path in [
        "/api/v1/teams/well",
        "/api/v1/teams/well/services",
        "/api/v1/teams/well/services/hello/overview",
        "/api/v1/teams/well/services/hello/runs",
        "/api/v1/teams/well/services/hello/runs/2",
        "/api/v1/teams/well/services/hello/candidates",
        "/api/v1/teams/well/services/hello/targets/dev/releases",
        "/api/v1/teams",
        "/api/v1/events",
        "/api/v1/search?q=hello",
        "/teams/well",
        "/teams/well/services/hello",
        "/teams/well/services/hello/runs/2",
        "/teams/well/activity",
        "/readyz",
    ] {
        let answer = well.ask("GET", path, None).await;
        if answer.status != 200 {
            wrong.push(format!("{spoiled:?}: beside it {path}: {} {:.300}", answer.status, answer.text));
        }
    }
    for path in ["/api/v1/teams", "/api/v1/people", "/api/v1/events", "/teams", "/platform/people", "/platform/hosts", "/activity"] {
        let answer = by(ADMIN).ask("GET", path, None).await;
        if answer.status != 200 {
            wrong.push(format!("{spoiled:?}: of all {path}: {} {:.300}", answer.status, answer.text));
        }
    }
    berth.stop().await;
    (spoiled.len(), wrong)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_any_column_breaks_its_row_alone() {
    let began = Instant::now();
    let all = furnished().await;
    let db = Db::connect(&settings(&all.folder).database, Open::Change).await.unwrap();
    let columns = columns(&db).await;
    db.close().await;
    let (mut spoiled, mut wrong) = (0, Vec::new());
    // By itself, so that what it shows is not of its own making.
    let (_, at_rest) = lived(&all, &[]).await;
    assert!(at_rest.is_empty(), "with nothing broken: {at_rest:#?}");
    let chunks: Vec<Vec<(Column, &str)>> = columns.chunks(BROKEN.len()).map(|some| some.iter().cloned().zip(BROKEN).collect()).collect();
    for two in chunks.chunks(2) {
        for (count, found) in futures::future::join_all(two.iter().map(|broken| lived(&all, broken))).await {
            spoiled += count;
            wrong.extend(found);
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    proof(
        "garbage in the store",
        &format!(
            "{spoiled} of {} columns of text spoiled, {} others kept right by the database, {} starts in {} s: 0 held anything else up",
            columns.len(),
            columns.len() - spoiled,
            chunks.len() + 1,
            began.elapsed().as_secs()
        ),
    );
}
