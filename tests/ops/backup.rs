//! A backup made while Berth serves, put back on an empty machine of either database: everything is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::{ConfigChange, RolloutState, Source};
use futures::TryStreamExt as _;
use serde_json::json;
use server::{
    args, backup,
    config::Config,
    git,
    platform::fake::{Behaviour, Fake},
    secrets::RootKey,
    serve::{self, Engine},
    store::{Db, Query as _, dump},
};
use tempfile::TempDir;

use crate::support::{
    app::{ADMIN, TestApp},
    berth::{environment, service, settings, team, within},
    postgres::Database,
    proof,
};

const PASSPHRASE: &str = "seven seas and a harbour";

/// An empty machine.
struct Elsewhere {
    config: Config,
    _folder: TempDir,
    _database: Option<Database>,
}

impl Elsewhere {
    async fn with(postgres: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = settings(&folder);
        let database = if postgres { Some(Database::fresh().await) } else { None };
        if let Some(database) = &database {
            config.database = database.address();
        }
        Self { config, _folder: folder, _database: database }
    }

    async fn restored(&self, bytes: &[u8]) -> backup::Restored {
        backup::restore(&self.config, bytes, None, Some(PASSPHRASE)).await.unwrap()
    }
}

/// Runs git on a folder and gives what it printed.
fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*"]);
    let output = git.args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Pushes two commits to a bare repository, and a third in place of the second: no ref leads to that one any more.
fn push_to(bare: &Path) -> String {
    let work = tempfile::tempdir().unwrap();
    let (folder, bare) = (work.path(), bare.to_str().unwrap());
    git_in(folder, &["init", "-q", "-b", "main"]);
    let commit = |text: &str| {
        fs::write(folder.join("file"), text).unwrap();
        git_in(folder, &["add", "-A"]);
        git_in(folder, &["commit", "-q", "-m", text]);
    };
    commit("one");
    git_in(folder, &["push", "-q", bare, "main", "main:refs/tags/v1"]);
    commit("two");
    git_in(folder, &["push", "-q", bare, "main"]);
    let left = git_in(folder, &["rev-parse", "HEAD"]);
    git_in(folder, &["reset", "-q", "--hard", "HEAD~1"]);
    commit("three");
    git_in(folder, &["push", "-q", "--force", bare, "main"]);
    left
}

/// A Berth with something in every table and a repository with commits. Gives the commit that no ref leads to.
async fn lived_in(app: &TestApp) -> (PathBuf, String) {
    let owner = app.client("owner@demo.test").await.with("idempotency-key", "once");
    owner.post("/teams/demo/services", json!({"name": "hello", "environments": ["dev", "staging"]})).await.is(201);
    let developer = app.actor(&app.user("developer@demo.test").await).await;
    let releases = &app.berth.backend.releases;
    let change = ConfigChange { set: BTreeMap::from([("SECRET".to_owned(), "of the sea".to_owned())]), unset: Vec::new() };
    releases.change_config(&developer, &team(), &service(), &environment("dev"), change, None, false).await.unwrap();
    app.berth.backend.services.set_secret(&developer, &team(), &service(), "DEPLOY_KEY", "of the steps").await.unwrap();
    quick(app.db()).await;
    app.fake.set_image("hello:1", Behaviour::saying("one"));
    let image = Source::Image("hello:1".into());
    let rollout = releases.deploy(&developer, &team(), &service(), &environment("dev"), image, false).await.unwrap().rollout.unwrap();
    within(Duration::from_secs(20), "it is deployed", async || {
        releases.rollout(&developer, &rollout).await.ok().filter(|rollout| rollout.state.ended())
    })
    .await;
    let repository = app.db().fetch_all("SELECT id FROM repositories", args![]).await.unwrap()[0].text("id").unwrap();
    let bare = app.berth.config.repositories().join(format!("{repository}.git"));
    git::ensure_bare(&bare, "main").await.unwrap();
    let left = push_to(&bare);
    fill_the_rest(app.db(), &left).await;
    (bare, left)
}

async fn quick(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 100, deadline_ms = 5000", vec![]).await.unwrap();
    tx.commit().await.unwrap();
}

/// Rows in the tables that only pipelines and browsers fill.
async fn fill_the_rest(db: &Db, commit: &str) {
    let mut tx = db.begin().await.unwrap();
    for sql in [
        "INSERT INTO sessions (id, data, expires_at) VALUES ('s', '{}', 9000000000000)".to_owned(),
        "INSERT INTO settings (name, value) VALUES ('instance', 'i')".to_owned(),
        format!(
            "INSERT INTO ref_changes (id, team_id, repository_id, ref, new_commit, pushed_by, created_at, handled_at)
             SELECT 'c', team_id, id, 'refs/heads/main', '{commit}', 'Ada', 1, 2 FROM repositories"
        ),
        format!(
            "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, created_at, finished_at, lead_id)
             SELECT 'r', team_id, id, 900, 'passed', '{commit}', '한글 \"quoted\" \\ line', 'Ada', 'main', 'Ada', '', 'null', 1, 2, 'r' FROM services"
        ),
        "INSERT INTO stages (id, run_id, position, name, kind, state, attempt) VALUES ('g', 'r', 0, 'fast', 'steps', 'passed', 1)".to_owned(),
        "INSERT INTO steps (id, team_id, run_id, stage_id, position, name, image, state, exit_code)
         SELECT 'p', id, 'r', 'g', 0, 'unit', 'rust', 'passed', 0 FROM teams WHERE name = 'demo'"
            .to_owned(),
        "INSERT INTO log_chunks (step_id, first_line, line_count, lines) VALUES ('p', 1, 1, '[[1,\"out\",\"hello\"]]')".to_owned(),
        "INSERT INTO step_tests (step_id, team_id, service_id, run_id, run_number, commit_id, on_default, step, passed, failed, skipped, bytes,
           sources, report, cases)
         SELECT 'p', team_id, service_id, id, number, commit_id, TRUE, 'fast/unit', 1, 0, 0, 9, '[]', '{}', '' FROM runs WHERE id = 'r'".to_owned(),
        "INSERT INTO flaky_tests (service_id, id, team_id, suite, name, times, last_run, last_at)
         SELECT service_id, 'x', team_id, 's', 'n', 1, 900, 1 FROM runs WHERE id = 'r'".to_owned(),
        "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at)
         SELECT 'k', team_id, id, 900, 'sha256:0', 1, 'x', 't', 'main', 'r', 900, '{}', 1 FROM services"
            .to_owned(),
        "INSERT INTO schedules (id, team_id, service_id, cron, time_zone, due_at)
         SELECT 'd', team_id, id, '0 3 * * *', 'Asia/Seoul', 9000000000000 FROM services"
            .to_owned(),
        "INSERT INTO mirrors (repository_id, team_id, address, forge, hook_id, statuses, every_ms, due_at)
         SELECT id, team_id, 'https://git.example.org/a/b', 'gitea', 'h', TRUE, 300000, 9000000000000 FROM repositories"
            .to_owned(),
        "INSERT INTO forge_statuses (id, team_id, repository_id, service_id, run_id, run_number, commit_id, state, version, changed_at)
         SELECT 'f', r.team_id, s.repository_id, s.id, r.id, 900, r.commit_id, 'passed', 1, 1 FROM runs r JOIN services s ON s.id = r.service_id WHERE r.id = 'r'"
            .to_owned(),
        "INSERT INTO bases (id, name, description, created_by, created_at) VALUES ('b', 'debian', '', 'Ada', 1)".to_owned(),
        "INSERT INTO base_versions (id, base_id, number, state, rolls, holder, image, created_by, created_at, finished_at)
         VALUES ('v', 'b', 1, 'ready', TRUE, 'h', 'sha256:1', 'Ada', 1, 2)"
            .to_owned(),
        "INSERT INTO candidate_bases (candidate_id, version_id, service_id, name, newest)
         SELECT id, 'v', service_id, 'base/debian', TRUE FROM candidates WHERE id = 'k'"
            .to_owned(),
        "INSERT INTO base_rolls (version_id, service_id, run_id) SELECT 'v', service_id, id FROM runs WHERE id = 'r'".to_owned(),
        "INSERT INTO statements (candidate_id, kind, payload, key_id, signature) VALUES ('k', 'provenance', 'x', 'y', 'z')".to_owned(),
    ] {
        tx.execute(sql, vec![]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Every row of every table that is backed up, as lines, in order.
async fn rows(db: &Db) -> BTreeMap<&'static str, Vec<String>> {
    let mut tx = db.snapshot().await.unwrap();
    let mut all = BTreeMap::new();
    for table in dump::TABLES {
        let mut columns = dump::columns(&mut tx, table).await.unwrap();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        let mut lines: Vec<String> = dump::lines(&mut tx, table, &columns).try_collect().await.unwrap();
        // When the last backup was made is noted after it.
        lines.retain(|line| !line.contains("last_backup"));
        lines.sort();
        all.insert(table, lines);
    }
    all
}

async fn backed_up(app: &TestApp) -> Vec<u8> {
    backup::make(&app.berth.config, app.db(), Some(PASSPHRASE), Vec::new()).await.unwrap().0
}

async fn everything_comes_back(app: TestApp, from: &str, to_postgres: bool) {
    let app = app.with_team("demo").await;
    let (bare, left) = lived_in(&app).await;
    let bytes = backed_up(&app).await;
    let before = rows(app.db()).await;
    assert!(before.values().all(|rows| !rows.is_empty()), "each table has something to lose: {before:?}");

    let there = Elsewhere::with(to_postgres).await;
    let began = Instant::now();
    let restored = there.restored(&bytes).await;
    let seconds = began.elapsed().as_secs_f64();
    let db = Db::open(&there.config.database).await.unwrap();
    let after = rows(&db).await;
    for table in dump::TABLES {
        assert_eq!(before[table], after[table], "{table}");
    }
    let count: usize = after.values().map(Vec::len).sum();
    for table in dump::PASSING {
        assert!(db.fetch_all(format!("SELECT * FROM {table}"), args![]).await.unwrap().is_empty(), "{table} is found out anew");
    }
    let folder = there.config.repositories().join(bare.file_name().unwrap());
    let refs = git::refs(&folder).await.unwrap();
    assert_eq!(refs, git::refs(&bare).await.unwrap());
    assert_eq!(refs.len(), 2);
    assert_eq!(git::commit(&folder, &left).await.unwrap().title(), "two", "also what only a row names");
    git_in(&folder, &["fsck", "--strict"]);
    assert_eq!(fs::read(there.config.key_file()).unwrap(), fs::read(app.berth.config.key_file()).unwrap());
    db.close().await;
    serves_again(&there.config).await;
    let to = if to_postgres { "PostgreSQL" } else { "SQLite" };
    proof(
        &format!("backup {from} to {to}"),
        &format!(
            "{count} rows of {} tables, {} refs, {} sets of variables compared, 0 differ; {} bytes, {seconds:.2} s; one service redeployed",
            dump::TABLES.len(),
            refs.len(),
            restored.secrets,
            bytes.len()
        ),
    );
}

/// Starts a Berth on what was restored: people know their way, the variables open, the service is deployed again.
async fn serves_again(config: &Config) {
    let fake = Fake::listening();
    fake.set_image("hello:1", Behaviour::saying("again"));
    let berth = serve::start(config.clone(), Engine::Given(Arc::new(fake))).await.unwrap();
    assert!(berth.first_link.is_none(), "somebody lives here");
    let accounts = &berth.backend.accounts;
    let user = accounts.sign_in("developer@demo.test", crate::support::app::PASSWORD, None).await.unwrap();
    let epoch = accounts.session_epoch(&user).await.unwrap();
    let developer = accounts.actor(&user, epoch, "test", None).await.unwrap().unwrap();
    let releases = &berth.backend.releases;
    let set = releases.config(&developer, &team(), &service(), &environment("dev"), None).await.unwrap();
    assert!(serde_json::to_string(&set).unwrap().contains("of the sea"));
    let image = Source::Image("hello:1".into());
    let asked = releases.deploy(&developer, &team(), &service(), &environment("dev"), image, false).await.unwrap();
    let ended = within(Duration::from_secs(30), "it is deployed again", async || {
        releases.rollout(&developer, asked.rollout.as_ref().unwrap()).await.ok().filter(|rollout| rollout.state.ended())
    })
    .await;
    assert_eq!(ended.state, RolloutState::Succeeded, "{ended:?}");
    assert_eq!(crate::support::berth::ask(&berth, "hello-demo.dev.localhost").await, (200, "again".into()));
    berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_sqlite() {
    everything_comes_back(TestApp::new().await, "SQLite", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_postgres() {
    everything_comes_back(TestApp::new().await, "SQLite", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_sqlite() {
    everything_comes_back(TestApp::on_postgres().await, "PostgreSQL", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_postgres() {
    everything_comes_back(TestApp::on_postgres().await, "PostgreSQL", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_in_a_backup_or_left_out_on_purpose() {
    let app = TestApp::new().await;
    let mut there = dump::tables(&mut app.db().snapshot().await.unwrap()).await.unwrap();
    let mut known: Vec<String> = dump::TABLES.iter().chain(&dump::PASSING).map(ToString::to_string).collect();
    there.sort();
    known.sort();
    assert_eq!(there, known, "a new table is named in store::dump");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_is_in_it_as_a_whole_or_not_at_all() {
    for app in [TestApp::new().await, TestApp::on_postgres().await] {
        let app = app.with_team("demo").await;
        let owner = app.client("owner@demo.test").await;
        let writing = tokio::spawn(async move {
            for n in 0..400 {
                owner.post("/teams/demo/services", json!({"name": format!("s{n}"), "environments": ["dev"]})).await;
            }
        });
        let mut partly = 0;
        for _ in 0..2 {
            let bytes = backed_up(&app).await;
            let there = Elsewhere::with(false).await;
            there.restored(&bytes).await;
            let db = Db::open(&there.config.database).await.unwrap();
            let count = async |table: &str| db.fetch_all(format!("SELECT 1 AS one FROM {table}"), args![]).await.unwrap().len();
            let services = count("services").await;
            for table in ["repositories", "targets", "config_sets", "routes"] {
                assert_eq!(count(table).await, services, "{table}");
            }
            partly += usize::from(services > 0 && services < 400);
            db.close().await;
        }
        assert!(!writing.is_finished() || partly > 0, "none of the backups was made meanwhile");
        writing.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_refused_and_leaves_nothing() {
    let app = TestApp::new().await.with_team("demo").await;
    lived_in(&app).await;
    let bytes = backed_up(&app).await;
    let there = Elsewhere::with(false).await;
    let (mut flipped, mut cut) = (0, 0);
    // The first ten bytes are the header of gzip, some of which mean nothing.
    for place in (10..bytes.len()).step_by(bytes.len() / 150) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let refused = backup::restore(&there.config, damaged.as_slice(), None, Some(PASSPHRASE)).await;
        assert_eq!(refused.unwrap_err().code, "backup_damaged", "byte {place}");
        flipped += 1;
        let refused = backup::restore(&there.config, &bytes[..place], None, Some(PASSPHRASE)).await;
        assert_eq!(refused.unwrap_err().code, "backup_damaged", "cut at {place}");
        cut += 1;
    }
    assert_eq!(fs::read_dir(&there.config.data).unwrap().count(), 0);
    let wrong = backup::restore(&there.config, bytes.as_slice(), None, Some("another passphrase")).await;
    assert_eq!(wrong.unwrap_err().code, "wrong_passphrase");
    let none = backup::restore(&there.config, bytes.as_slice(), None, None).await;
    assert_eq!(none.unwrap_err().code, "key_needed");
    let key = RootKey::try_from([7_u8; 32].as_slice()).unwrap();
    assert_eq!(backup::restore(&there.config, bytes.as_slice(), Some(key), None).await.unwrap_err().code, "wrong_key");
    assert_eq!(fs::read_dir(&there.config.data).unwrap().count(), 0);
    there.restored(&bytes).await;
    let again = backup::restore(&there.config, bytes.as_slice(), None, Some(PASSPHRASE)).await.unwrap_err();
    assert_eq!(again.code, "not_empty");
    proof("damaged backups", &format!("{flipped} flipped and {cut} cut files, wrong and missing keys: all refused, nothing left behind"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_passphrase_no_key_is_in_it() {
    let app = TestApp::new().await.with_team("demo").await;
    let (bytes, made) = backup::make(&app.berth.config, app.db(), None, Vec::new()).await.unwrap();
    assert!(!made.with_key);
    let there = Elsewhere::with(false).await;
    assert_eq!(backup::restore(&there.config, bytes.as_slice(), None, Some(PASSPHRASE)).await.unwrap_err().code, "key_needed");
    let key = RootKey::read(&app.berth.config.key_file()).unwrap();
    backup::restore(&there.config, bytes.as_slice(), Some(key), None).await.unwrap();
    let short = backup::make(&app.berth.config, app.db(), Some("short"), Vec::new()).await;
    assert_eq!(short.unwrap_err().code, "weak_passphrase");
}

/// Backups that were made by every version of the schema so far. `BERTH_UPDATE=1` makes the one of the newest, where it is
/// missing; one that is there is never made again.
#[tokio::test(flavor = "multi_thread")]
async fn backups_of_every_schema_so_far_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/fixtures/backups");
    let newest = folder.join(format!("schema-{}.backup", Db::newest_schema()));
    if !newest.exists() && std::env::var_os("BERTH_UPDATE").is_some() {
        let app = TestApp::new().await.with_team("demo").await;
        lived_in(&app).await;
        fs::create_dir_all(&folder).unwrap();
        fs::write(&newest, backed_up(&app).await).unwrap();
    }
    assert!(newest.exists(), "{} is missing: make it with BERTH_UPDATE=1", newest.display());
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for postgres in [false, true] {
            let there = Elsewhere::with(postgres).await;
            let restored = there.restored(&bytes).await;
            assert!(restored.secrets >= 2 && restored.repositories == 1 && restored.rows > 20, "{restored:?}");
            let db = Db::connect(&there.config.database, server::store::Open::Look).await.unwrap();
            assert_eq!(db.schema().await.unwrap(), Some(Db::newest_schema()), "brought up to date");
            assert!(server::store::users::by_email(&db, ADMIN).await.unwrap().is_some());
            db.close().await;
            serves_again(&there.config).await;
        }
        count += 1;
    }
    proof("backups of other versions", &format!("{count} schema(s), each restored to both databases and served"));
}
