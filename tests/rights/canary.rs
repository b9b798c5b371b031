//! Two teams on one Berth. Everything of the second carries a mark; the first runs all it can, with its own ids and with the
//! other's; the mark is in no answer, event, stream or line of the log, and what is there answers as what is not.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::model::Scope;
use serde_json::{Value, json};
use server::platform::fake::{Behaviour, Script};
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;

use super::{rest::rows, world::World};
use crate::{
    git::Copy,
    support::{
        app::{Answer, Client, TestApp},
        berth::until,
        proof,
    },
};

/// In everything of the second team, in lower case.
pub(super) const MARK: &str = "zq7canary";
/// In the values of its variables and in its secrets.
const VALUE: &str = "zq7canary-value-of-a-variable";
/// As long as the mark, and of nobody.
pub(super) const NOBODY: &str = "zq7nobodyy";

/// What the server logs, all of it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Takes every line from now on, in this process.
    fn begin() -> Self {
        let log = Self::default();
        let filter = tracing_subscriber::EnvFilter::new("server=trace,app=trace,tower=debug,sqlx=warn");
        // Where another test of the same process was first, its log is not ours to read: then this one stays empty.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone()).try_init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// What the second team has, by what stands for it in paths.
pub(super) struct Marked {
    pub(super) ids: Vec<(&'static str, String)>,
    event: String,
}

/// The second team, with one of everything.
pub(super) async fn marked(app: &TestApp) -> Marked {
    let owner = app.client(&format!("owner@{MARK}.test")).await;
    app.fake.on_task(|_| Some(Script { lines: vec![(false, format!("{MARK} says a step"))], ..Script::default() }));
    app.fake.set_image("shell", Behaviour::default());
    app.fake.set_image(&format!("{MARK}:1"), Behaviour { lines: vec![format!("{MARK} says an instance")], ..Behaviour::crashing(1) });
    let team = format!("/teams/{MARK}");
    let service = format!("{team}/services/{MARK}");
    owner.post(&format!("{team}/services"), json!({"name": MARK, "description": format!("{MARK} is described")})).await.is(201);
    let config = json!({"set": {format!("{}_NAME", MARK.to_uppercase()): VALUE}});
    owner.send("PATCH", &format!("{service}/targets/dev/config"), Some(&config)).await.is(200);
    let route = owner.post(&format!("{service}/targets/dev/routes"), json!({"host": format!("{MARK}.example.com")})).await.is(201);
    let invited = owner.post(&format!("{team}/invitations"), json!({"email": format!("new@{MARK}.test"), "role": "viewer"})).await.is(201);
    owner.post("/tokens", json!({"name": format!("{MARK} token"), "scopes": ["read"]})).await.is(201);
    let copy = Copy::at(&format!("http://x:{}@{}/git/{MARK}/{MARK}.git", owner.secret(), app.berth.console)).await;
    let file = format!(
        "version: 1\nservices:\n  {MARK}:\n    stages:\n      - name: {MARK}\n        steps:\n          - {{ name: {MARK}, image: shell, run: [\"echo {MARK}\"] }}\n"
    );
    copy.write("berth.yaml", &file);
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write(&format!("{MARK}.txt"), MARK);
    copy.push(&format!("{MARK} is committed")).await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", &format!("HEAD:refs/heads/{MARK}")]).await;
    let change = owner.post(&format!("{service}/targets/dev/actions/deploy"), json!({"image": format!("{MARK}:1")})).await.is(202);
    let rollout = change["rollout"].as_str().unwrap().to_owned();
    until("its work is done", async || {
        let runs = owner.get(&format!("{service}/runs")).await.is(200);
        let over = runs["items"].as_array().unwrap().iter().all(|run| !["queued", "running"].contains(&run["state"].as_str().unwrap()));
        let failed = owner.get(&format!("/rollouts/{rollout}")).await.is(200);
        (over && failed["state"] == "failed").then_some(())
    })
    .await;
    let run = owner.get(&format!("{service}/runs/1")).await.is(200);
    let step = run["stages"][0]["steps"][0]["id"].as_str().unwrap().to_owned();
    let log = owner.get(&format!("/steps/{step}/log")).await.text;
    assert!(log.contains(MARK), "the marks are there: {log}");
    let event = owner.get("/events").await.is(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ids = vec![
        ("rollout", rollout),
        ("step", step),
        ("route", text(&route["id"])),
        ("invitation", text(&invited["invitation"]["id"])),
        ("user", app.user(&format!("owner@{MARK}.test")).await.to_string()),
    ];
    Marked { ids, event }
}

/// A path of the list with names of the second team in it (`theirs`), or with names nobody has.
fn path(path: &str, theirs: Option<&Marked>) -> String {
    let name = if theirs.is_some() { MARK } else { NOBODY };
    let id = |what: &str| match theirs {
        Some(marked) => marked.ids.iter().find(|(name, _)| *name == what).unwrap().1.clone(),
        None => "0192aaaa-0000-7000-8000-000000000000".to_owned(),
    };
    let wanted = match path {
        path if path.contains("rollouts") => "rollout",
        path if path.contains("steps") => "step",
        path if path.contains("/routes/") => "route",
        path if path.contains("/invitations/") => "invitation",
        _ => "user",
    };
    let path = path.replace("{team}", name).replace("{service}", name).replace("{environment}", "dev").replace("{number}", "1");
    path.replace("{user}", &id("user")).replace("{rollout}", &id("rollout")).replace("{step}", &id("step")).replace("{id}", &id(wanted))
}

/// An answer without what was asked for and what is new in each.
fn essence(answer: &Answer, asked: &str, name: &str) -> String {
    let mut text = answer.text.replace(asked, "PATH").replace(name, "NAME");
    text = text.replace(answer.header("x-request-id"), "REQUEST");
    for part in asked.split('/').filter(|part| part.len() > 20) {
        text = text.replace(part, "ID");
    }
    let location = answer.header("location").replace(name, "NAME");
    format!("{} {location} {text}", answer.status)
}

/// Asks for something of the second team, and for the same of nobody: the answers are the same, and neither shows a mark.
async fn same(client: &Client, method: &str, pattern: &str, prefix: &str, body: Option<(&str, Vec<u8>)>, marked: &Marked) {
    let (theirs, nobodys) = (format!("{prefix}{}", path(pattern, Some(marked))), format!("{prefix}{}", path(pattern, None)));
    let there = client.ask(method, &theirs, body.clone()).await;
    let not_there = client.ask(method, &nobodys, body).await;
    let (there, not_there) = (essence(&there, &theirs, MARK), essence(&not_there, &nobodys, NOBODY));
    assert_eq!(there, not_there, "{method} {theirs}");
}

fn silent(answer: &Answer, asked: &str) {
    let said = format!("{:?}{}", answer.headers, answer.text).to_lowercase();
    assert!(!said.contains(MARK), "{asked}: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_team_shows_to_another() {
    let log = Log::begin();
    let world = World::over(TestApp::new().await.with_team(MARK).await).await;
    let app = &world.app;
    let marked = marked(app).await;
    let mut bound = app.client("owner@a.test").await;
    let made = bound.post("/tokens", json!({"name": "bound", "scopes": Scope::ALL.map(Scope::name), "team": "a"})).await.is(201);
    bound = app.bearer(made["secret"].as_str().unwrap());
    let askers =
        [app.client("owner@a.test").await, bound, app.scoped("owner@a.test", &[Scope::Read]).await, app.browser("owner@a.test").await];
    // What was logged before is of the second team's own doing; values of variables are in no line, ever.
    let before = log.text().len();
    let mut events = Vec::new();
    for client in &askers {
        events.push(client.listen("/api/v1/events/stream").await);
        events.push(client.listen("/live").await);
    }
    let mut asked = 0;
    for client in &askers {
        for row in rows() {
            let method = row.method.to_uppercase();
            let body = (!row.body.is_null()).then(|| ("application/json", row.body.to_string().into_bytes()));
            if row.method == "get" {
                let own = format!("/api/v1{}", world.path(row.path));
                silent(&client.ask("GET", &own, None).await, &own);
            }
            if row.path.contains('{') && !row.path.starts_with("/environments") {
                same(client, &method, row.path, "/api/v1", body, &marked).await;
            }
            asked += 3;
        }
        for page in app::routes::PAGES.iter().filter(|page| !page.path.contains("{token}") && page.path != "/logout") {
            let own = world.path(page.path).replace("{rollout}", &world.rollout);
            silent(&client.ask("GET", &own, None).await, &own);
            if page.path.contains('{') {
                same(client, "GET", page.path, "", None, &marked).await;
                let form = ("application/x-www-form-urlencoded", b"do=cancel&of=dev&confirm=x&image=hello%3A1".to_vec());
                same(client, "POST", page.path, "", Some(form), &marked).await;
            }
            asked += 5;
        }
        same(client, "GET", "/steps/{step}/log", "", None, &marked).await;
        for service in ["git-upload-pack", "git-receive-pack"] {
            let path = format!("/git/{{team}}/{{service}}.git/info/refs?service={service}");
            same(client, "GET", &path, "", None, &marked).await;
        }
        for query in [MARK, "canary", "zq7"] {
            let found = client.ask("GET", &format!("/api/v1/search?q={query}"), None).await;
            assert!(!found.text.replace(&format!("\"q\":\"{query}\""), "").contains(MARK), "{}", found.text);
            asked += 1;
        }
        for query in [format!("service={MARK}"), format!("actor=owner@{MARK}.test"), format!("cursor={}", marked.event), "limit=200".into()]
        {
            for page in [format!("/api/v1/events?{query}"), format!("/activity?{query}"), format!("/teams/a/activity?{query}")] {
                let answer = client.ask("GET", &page, None).await;
                let said = answer.text.replace(&format!("owner@{MARK}.test"), "").replace(&format!("\"{MARK}\""), "");
                assert!(!said.contains(MARK) || page.contains("activity?") && echoes(&answer.text, &query), "{page}: {}", answer.text);
                asked += 1;
            }
        }
    }
    // What happens there meanwhile is not told here: the first thing heard is of one's own.
    let theirs = app.client(&format!("owner@{MARK}.test")).await;
    theirs.post(&format!("/teams/{MARK}/services"), json!({"name": "another"})).await.is(201);
    let their_id = theirs.get(&format!("/teams/{MARK}/services/another")).await.is(200)["id"].as_str().unwrap().to_owned();
    let own = askers[0].post("/teams/a/services", json!({"name": "mine"})).await.is(201)["id"].as_str().unwrap().to_owned();
    for events in &mut events {
        loop {
            let (_, data) = timeout(Duration::from_secs(10), events.next()).await.expect("one hears of one's own").unwrap();
            assert!(!data.contains(&their_id) && !data.contains(MARK), "{data}");
            if data.contains(&own) {
                break;
            }
        }
    }
    let logged = log.text();
    assert!(!logged.contains(VALUE), "the value of a variable is in the log");
    // A line may repeat the path that was asked for; nothing else of theirs.
    let lines = logged[before..].lines().filter(|line| line.contains(MARK) && !line.contains("path=")).collect::<Vec<_>>();
    assert!(lines.is_empty(), "{lines:#?}");
    let own_work = logged[before..].lines().count();
    proof("canary of two teams", &format!("{asked} requests by 4 credentials, {} streams, {own_work} lines of log: 0 marks", events.len()));
}

/// Whether all that a page shows of the mark is the query it was asked with, shown again in its form and links.
fn echoes(text: &str, query: &str) -> bool {
    let value = query.split_once('=').map_or("", |(_, value)| value);
    let encoded = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    !text.replace(value, "").replace(&encoded, "").contains(MARK)
}
