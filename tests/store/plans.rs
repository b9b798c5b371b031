//! What grows is found by an index: every statement that a page, the API or a background loop sends to SQLite is taken down,
//! and the database says how it would find the rows. One that walks a table that grows fails here, long before anybody has a
//! million runs.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::model::{CandidateId, RolloutId, RunId, RunState, StepId};
use reqwest::{Method, redirect::Policy};
use serde_json::{Value, json};
use server::{
    args, clock,
    platform::fake::Fake,
    serve::{self, Engine, Running},
    store::{Db, Query as _, Tx, files, repositories, selection, together},
    wake::Duty,
};
use tracing::field::{Field, Visit};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _, registry};

use crate::support::{
    berth::{settings, until, within},
    fill::{self, ADMIN, PASSWORD, Size, fill},
    proof,
    reads::Sample,
};

/// Tables that stay small whatever people do.
const SMALL: [&str; 6] = ["_sqlx_migrations", "bases", "environments", "leases", "settings", "teams"];

/// Indexes that are as long as what is under way, or is kept for a day.
const OPEN: [&str; 14] = [
    "base_rolls_open",
    "base_versions_open",
    "candidates_going",
    "forge_statuses_due",
    "mirrors_wanted",
    "ref_changes_open",
    "rollouts_one_running",
    "rollouts_open",
    "runs_open",
    "runs_queued",
    "runs_running",
    "runs_with_files",
    "services_leaving",
    "services_unscheduled",
];

/// Statements that read all of something because all of it is what they need, and why that is right.
const WHOLE: [(&str, &str); 8] = [
    ("FROM caches WHERE dropped_at IS NULL GROUP BY service_id", "caches: a few a service, once steps that had some have ended"),
    ("SELECT id FROM users LIMIT 1", "whether there is anybody: stops at the first"),
    ("SELECT id, refs_moved_at FROM repositories", "what a start compares with the folders, once"),
    ("AND s.deleted_at IS NULL ORDER BY c.id", "schedules: what a start, and a clock that was moved, are held against, once"),
    ("SELECT host, path, target_id FROM routes ORDER BY", "the edge's table has every route"),
    ("SELECT * FROM backends ORDER BY", "the edge's table has every instance"),
    ("AS detail FROM services s JOIN teams t", "an administrator's search for a part of a name: it may be in any of them"),
    ("r.state FROM services s JOIN teams t", "an administrator's search for a number: each service may have a run of it"),
];

/// Takes down every statement sent to a database by this process.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<BTreeSet<String>>>);

impl Taken {
    fn all(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until a statement like this was sent.
    async fn holds(&self, part: &str) {
        within(Duration::from_secs(30), part, async || self.all().iter().any(|sql| sql.contains(part)).then_some(())).await;
    }
}

/// The text of a statement in an event of the database's library: whole where it is long, else in its summary.
#[derive(Default)]
struct Statement {
    whole: String,
    short: String,
}

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "db.statement" => value.trim().clone_into(&mut self.whole),
            "summary" => value.clone_into(&mut self.short),
            _ => {}
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Taken {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            let text = if statement.whole.is_empty() { statement.short } else { statement.whole };
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
        }
    }
}

/// What a statement calls `name`: a table, or itself.
fn table<'a>(sql: &'a str, name: &'a str) -> &'a str {
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let begins = |word: &str| ["FROM", "JOIN", "UPDATE", "INTO"].contains(&word);
    let named = words.windows(3).find(|three| begins(three[0]) && three[2] == name && !["WHERE", "SELECT"].contains(&three[1]));
    named.map_or(name, |three| three[1])
}

/// The walks through a whole table or a whole index in the plan of a statement. What is left out: tables that stay small, what
/// the statement itself put together, and indexes of what is open, which are as long as the queue.
async fn walks(db: &Db, sql: &str) -> Vec<String> {
    let rows = db.fetch_all(format!("EXPLAIN QUERY PLAN {sql}"), args![]).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let details: Vec<String> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
    let own = |name: &str| details.iter().any(|line| *line == format!("CO-ROUTINE {name}") || *line == format!("MATERIALIZE {name}"));
    let big = |line: &&String| {
        let Some(name) = line.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else { return false };
        name != "CONSTANT" && !own(name) && !SMALL.contains(&table(sql, name)) && !OPEN.iter().any(|index| line.contains(index))
    };
    details.iter().filter(big).cloned().collect()
}

/// Something of everything in a store that was filled.
async fn sample(folder: &tempfile::TempDir) -> Sample {
    let db = Db::open(&settings(folder).database).await.unwrap();
    let row =
        db.fetch_opt("SELECT o.id AS rollout, t.id AS step FROM rollouts o, steps t WHERE t.lines > 0", args![]).await.unwrap().unwrap();
    db.close().await;
    Sample {
        team: fill::team(0),
        service: fill::service(0),
        environment: "production".into(),
        number: 20,
        rollout: RolloutId::from_text(row.text("rollout").unwrap()),
        step: StepId::from_text(row.text("step").unwrap()),
    }
}

/// Lets the candidates be from long ago, so that some of their images are let go of.
async fn long_ago(folder: &tempfile::TempDir) {
    let db = Db::open(&settings(folder).database).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE candidates SET created_at = created_at - 3000000000", args![]).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

/// A Berth on a store that was filled, and somebody who may do everything.
struct Filled {
    berth: Running,
    http: reqwest::Client,
    token: String,
    sample: Sample,
}

impl Filled {
    async fn start(folder: &tempfile::TempDir, sample: Sample) -> Self {
        let berth = serve::start(settings(folder), Engine::Given(Arc::new(Fake::listening()))).await.unwrap();
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(20)).build().unwrap();
        let accounts = &berth.backend.accounts;
        let user = accounts.sign_in(ADMIN, PASSWORD, None).await.unwrap();
        let actor = accounts.actor(&user, 1, "test", None).await.unwrap().unwrap();
        let token = app::model::NewToken { name: "test".into(), scopes: app::model::Scope::ALL.to_vec(), team: None, days: None };
        let token = berth.backend.tokens.create(&actor, token).await.unwrap().secret;
        Self { berth, http, token, sample }
    }

    async fn api(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("http://{}{path}", self.berth.console)).bearer_auth(&self.token);
        let answer = if body.is_null() { request } else { request.json(&body) }.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// Looks at every page as a person does; says how many there are.
    async fn look(&self) -> usize {
        let url = format!("http://{}", self.berth.console);
        let form = [("do", "login"), ("email", ADMIN), ("password", PASSWORD)];
        let answer = self.http.post(format!("{url}/login")).header("origin", &url).form(&form).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let pages = self.sample.pages();
        for (pattern, path) in &pages {
            let status = self.http.get(format!("{url}{path}")).header("cookie", &cookie).send().await.unwrap().status();
            let spent = pattern.contains("{token}");
            assert!(status.is_success() || status.is_redirection() || spent && status.is_client_error(), "{path}: {status}");
        }
        for filter in ["service=service0", "actor=Person%200", "team=team0", "team=team0&service=service0"] {
            self.http.get(format!("{url}/activity?{filter}")).header("cookie", &cookie).send().await.unwrap();
        }
        pages.len()
    }

    /// Asks everything the API can be asked; says how much that is.
    async fn ask(&self) -> usize {
        let reads = self.sample.api();
        for (_, path) in &reads {
            self.api(Method::GET, path, Value::Null).await;
        }
        for words in ["service0 prod", "service0 12", "0a1b2c3"] {
            self.api(Method::GET, &format!("/api/v1/search?q={words}"), Value::Null).await;
        }
        reads.len()
    }

    /// Lets two runs come to one version, and asks what is asked of such.
    async fn bind(&self, tx: &mut Tx) {
        let sql = "SELECT r.id FROM runs r JOIN services s ON s.id = r.service_id WHERE s.name IN ($1, $2) AND r.number = 20";
        let rows = tx.fetch_all(sql, args![self.sample.service.as_str(), fill::service(1)]).await.unwrap();
        let runs: Vec<RunId> = rows.iter().map(|row| RunId::from_text(row.text("id").unwrap())).collect();
        together::bind(tx, &runs).await.unwrap();
        assert_eq!(together::members(&mut *tx, &runs[0]).await.unwrap().len(), 2);
        together::of_same_push(&mut *tx, &runs[0]).await.unwrap();
        together::siblings(&mut *tx, runs[0].as_str()).await.unwrap();
        together::siblings_of(&mut *tx, &CandidateId::from_text("none")).await.unwrap();
        together::end_rest(tx, &runs).await.unwrap();
        files::take_over(tx, (&runs[0], 20), &runs[1], 20, &[vec!["unit".to_owned()]]).await.unwrap();
        files::has_worked(&mut *tx, &runs[1]).await.unwrap();
        files::goes_on(&mut *tx, &runs[1]).await.unwrap();
        files::taken(&mut *tx, &runs[1]).await.unwrap();
        files::hold(tx, &runs[0], clock::now(), clock::now()).await.unwrap();
    }

    /// Does what wakes the loops: a push, a run, a rollout, a deletion.
    async fn change(&self) {
        let (db, base) = (&self.berth.db, format!("/api/v1/teams/{}/services", self.sample.team));
        let mut tx = db.begin().await.unwrap();
        let name = self.sample.service.parse().unwrap();
        let team = server::store::teams::id_of(&mut tx, &self.sample.team.parse().unwrap()).await.unwrap().unwrap();
        let repository = repositories::find(&mut tx, &team, &name).await.unwrap().unwrap();
        repositories::record_refs(&mut tx, &repository, &[("refs/heads/new".to_owned(), "a".repeat(40))].into(), "Ada").await.unwrap();
        selection::last_good(&mut tx, &repository.id, "main").await.unwrap();
        selection::of_push(&mut tx, &team, "none").await.unwrap();
        self.bind(&mut tx).await;
        tx.commit().await.unwrap();
        self.berth.wake.duty(Duty::Pushes);
        self.api(Method::POST, &format!("{base}/{name}/runs/20/actions/retry"), json!({})).await;
        let runs = format!("{base}/{name}/runs");
        until("the run ended", async || {
            let newest = self.api(Method::GET, &runs, Value::Null).await["items"][0]["state"].as_str().and_then(RunState::from_name);
            newest.filter(|state| state.ended())
        })
        .await;
        self.api(Method::POST, &format!("{base}/{}/actions/move", fill::service(3)), json!({"repository": name})).await;
        let scale = format!("{base}/{}/targets/dev/actions/scale", fill::service(1));
        let rollout = self.api(Method::POST, &scale, json!({"replicas": {"web": 1}})).await["rollout"].as_str().unwrap().to_owned();
        let ended = async || {
            let rollout = self.api(Method::GET, &format!("/api/v1/rollouts/{rollout}"), Value::Null).await;
            (!["queued", "running"].contains(&rollout["state"].as_str().unwrap())).then_some(())
        };
        within(Duration::from_secs(30), "the rollout ended", ended).await;
        let gone = fill::service(2);
        self.api(Method::DELETE, &format!("{base}/{gone}?confirm={gone}"), json!({"confirm": gone})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_walks_a_table_that_grows() {
    let (taken, folder) = (Taken::default(), tempfile::tempdir().unwrap());
    let only = tracing_subscriber::EnvFilter::new("off,sqlx::query=debug");
    tracing::subscriber::set_global_default(registry().with(only).with(taken.clone())).unwrap();
    fill(folder.path(), Size { teams: 2, services: 20, runs: 1_000, running: 5 }).await;
    let sample = sample(&folder).await;
    long_ago(&folder).await;
    taken.clear();
    let filled = Filled::start(&folder, sample).await;
    let (pages, reads) = (filled.look().await, filled.ask().await);
    filled.change().await;
    for seen in [
        "DELETE FROM services WHERE id",
        "INSERT INTO leases",
        "JOIN releases r ON r.id = t.release_id JOIN services s ON s.id = t.service_id WHERE s.deleted_at IS NULL AND t.id > $1",
        "FROM ref_changes WHERE handled_at IS NULL",
        "UPDATE runs SET state = 'running'",
        "UPDATE rollouts SET state = 'running'",
        "SELECT id, refs_moved_at FROM repositories",
        "SELECT DISTINCT service_id ||",
        "SELECT r.image FROM targets t JOIN releases r",
        "FROM candidates WHERE gone_at IS NOT NULL AND removed_at IS NULL",
        "UPDATE base_versions SET gone_at",
        "SELECT v.id, v.base_id, b.name, v.number",
        "SELECT o.version_id, v.number, b.name",
    ] {
        taken.holds(seen).await;
    }
    let statements: Vec<String> =
        taken.all().into_iter().filter(|sql| ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb))).collect();
    let mut found = Vec::new();
    let mut whole = BTreeSet::new();
    for sql in &statements {
        let walks = walks(&filled.berth.db, sql).await;
        match WHOLE.iter().find(|(part, _)| sql.contains(part)) {
            Some((part, _)) if !walks.is_empty() => drop(whole.insert(*part)),
            _ if !walks.is_empty() => found.push(format!("{walks:?}\n    {sql}")),
            _ => {}
        }
    }
    proof(
        "plans",
        &format!("{} statements of {pages} pages, {reads} reads and the loops, {} walk a table that grows", statements.len(), found.len()),
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(whole.len(), WHOLE.len(), "only {whole:?} still walk: take the others off the list");
    filled.berth.stop().await;
}

#[tokio::test]
async fn every_reference_has_an_index() {
    let fresh = super::Fresh::sqlite().await;
    let text =
        "SELECT m.name AS child, f.\"from\" AS field FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
      AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c ON c.seqno = 0
        WHERE i.partial = 0 AND c.name = f.\"from\") ORDER BY 1, 2";
    let rows = fresh.db.fetch_all(text, args![]).await.unwrap();
    // Removing a row looks for those that refer to it: without an index that is a walk for each row removed. Teams stay.
    let bare = rows.iter().map(|row| format!("{}.{}", row.text("child").unwrap(), row.text("field").unwrap()));
    let bare: Vec<String> = bare.filter(|column| !column.ends_with(".team_id")).collect();
    assert!(bare.is_empty(), "no index begins with {bare:?}");
}
