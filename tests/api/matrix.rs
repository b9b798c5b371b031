//! The routes of REST, each with what every kind of actor gets. They come from the router's own list: one without a row here
//! fails the test. `tests/rights` asks them, beside every other door.

use std::collections::BTreeMap;

use app::model::Scope;
use serde_json::{Value, json};
use server::{args, http::router, platform::fake::Behaviour};

use crate::support::{
    app::{ADMIN, Client, TestApp},
    berth::until,
    proof,
};

/// What an actor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gets {
    /// Through: anything but 401, 403 and 404.
    In,
    /// 403: known, and not allowed.
    No,
    /// 404: not to be known of.
    Gone,
}

use Gets::{Gone, In, No};

/// What strangers (owners of another team), viewers, developers, owners and a developer's deploy-only token get; anonymous,
/// revoked and suspended get 401 everywhere.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) body: Value,
    pub(crate) expected: [Gets; 5],
}

fn row(method: &'static str, path: &'static str, expected: [Gets; 5], body: Value) -> Row {
    Row { path, method, body, expected }
}

pub(crate) const EVERYBODY: [Gets; 5] = [In, In, In, In, In];
pub(crate) const SIGNED_IN: [Gets; 5] = [In, In, In, In, No];
pub(crate) const VIEW: [Gets; 5] = [Gone, In, In, In, No];
pub(crate) const SHIP: [Gets; 5] = [Gone, No, In, In, In];
pub(crate) const CHANGE: [Gets; 5] = [Gone, No, In, In, No];
pub(crate) const OWN: [Gets; 5] = [Gone, No, No, In, No];
pub(crate) const ADMINISTER: [Gets; 5] = [No, No, No, No, No];

#[rustfmt::skip]
pub(crate) fn rows() -> Vec<Row> {
    let nothing = || Value::Null;
    vec![
        row("get", "/me", EVERYBODY, nothing()),
        row("post", "/me/actions/sign-out-everywhere", SIGNED_IN, nothing()),
        row("get", "/tokens", SIGNED_IN, nothing()),
        row("post", "/tokens", SIGNED_IN, json!({"name": "x", "scopes": ["read"]})),
        row("get", "/people", ADMINISTER, nothing()),
        row("post", "/people/{id}/actions/suspend", ADMINISTER, nothing()),
        row("post", "/people/{id}/actions/restore", ADMINISTER, nothing()),
        row("get", "/teams", SIGNED_IN, nothing()),
        row("post", "/teams", SIGNED_IN, json!({"name": "a"})),
        row("get", "/teams/{team}", VIEW, nothing()),
        row("get", "/teams/{team}/members", VIEW, nothing()),
        row("put", "/teams/{team}/members/{user}", OWN, json!({"role": "owner"})),
        row("delete", "/teams/{team}/members/{user}", OWN, nothing()),
        row("get", "/teams/{team}/invitations", OWN, nothing()),
        row("post", "/teams/{team}/invitations", OWN, json!({"email": "new@a.test", "role": "viewer"})),
        row("delete", "/teams/{team}/invitations/{id}", OWN, nothing()),
        row("get", "/teams/{team}/targets", VIEW, nothing()),
        row("get", "/teams/{team}/services", VIEW, nothing()),
        row("post", "/teams/{team}/services", CHANGE, json!({"name": "hello"})),
        row("get", "/teams/{team}/services/{service}", VIEW, nothing()),
        row("delete", "/teams/{team}/services/{service}", OWN, nothing()),
        row("get", "/teams/{team}/services/{service}/overview", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/targets", CHANGE, json!({"environment": "dev"})),
        row("get", "/teams/{team}/services/{service}/targets/{environment}", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/targets/{environment}/routes", CHANGE, json!({"host": "localhost"})),
        row("delete", "/teams/{team}/services/{service}/routes/{id}", CHANGE, nothing()),
        row("post", "/teams/{team}/services/{service}/targets/{environment}/actions/deploy", SHIP, json!({"image": "hello:1"})),
        row("post", "/teams/{team}/services/{service}/targets/{environment}/actions/scale", SHIP, json!({"replicas": {"web": 1}})),
        row("get", "/teams/{team}/services/{service}/targets/{environment}/config", CHANGE, nothing()),
        row("patch", "/teams/{team}/services/{service}/targets/{environment}/config", CHANGE, json!({"set": {"A": "b"}})),
        row("get", "/teams/{team}/services/{service}/targets/{environment}/config/sets", CHANGE, nothing()),
        row("get", "/teams/{team}/services/{service}/targets/{environment}/releases", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/targets/{environment}/logs", VIEW, nothing()),
        row("get", "/rollouts/{id}", VIEW, nothing()),
        row("post", "/rollouts/{id}/actions/cancel", SHIP, nothing()),
        row("get", "/rollouts/{id}/stream", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/runs", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/runs/{number}", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/runs/{number}/actions/cancel", SHIP, nothing()),
        row("post", "/teams/{team}/services/{service}/runs/{number}/actions/retry", SHIP, nothing()),
        row("get", "/teams/{team}/services/{service}/runs/{number}/stream", VIEW, nothing()),
        row("get", "/steps/{id}/log", VIEW, nothing()),
        row("get", "/steps/{id}/log/stream", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates", VIEW, nothing()),
        row("get", "/environments", SIGNED_IN, nothing()),
        row("get", "/environments/{environment}", SIGNED_IN, nothing()),
        row("get", "/hosts", ADMINISTER, nothing()),
        row("get", "/events", SIGNED_IN, nothing()),
        row("get", "/search", SIGNED_IN, nothing()),
        row("post", "/lint", EVERYBODY, json!("version: 1")),
        // Of nobody's token. Each may end their own.
        row("delete", "/tokens/{id}", [Gone, Gone, Gone, Gone, No], nothing()),
        row("get", "/events/stream", SIGNED_IN, nothing()),
    ]
}

/// The rows that are open to everybody, tested elsewhere.
pub(crate) const OPEN: [&str; 4] = ["post /actions/setup", "post /actions/login", "post /actions/accept-invitation", "get /openapi.json"];

/// What the router has: `method path` and the right it names.
pub(crate) fn listed() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (path, item) in router::document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path.strip_prefix(router::PREFIX).unwrap();
            all.insert(format!("{method} {path}"), operation["x-right"].as_str().unwrap().to_owned());
        }
    }
    all
}

#[test]
fn every_route_has_a_row() {
    let rows: Vec<String> = rows().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    for (route, right) in listed() {
        let open = OPEN.contains(&route.as_str());
        assert_eq!(open, right == "open", "{route} is {right}");
        assert!(open || rows.contains(&route), "{route} has no row in the matrix");
    }
    for row in &rows {
        assert!(listed().contains_key(row), "{row} is no route");
    }
}

/// The step of [`World`]'s run.
pub(crate) const STEP: &str = "01920000-0000-7000-8000-000000000003";

/// A run with a step, as the pipeline would have written them.
async fn insert_run(app: &TestApp) {
    let (run, stage) = ("01920000-0000-7000-8000-000000000001", "01920000-0000-7000-8000-000000000002");
    let mut tx = app.db().begin().await.unwrap();
    let statements = [
        (
            "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, created_at,
                               started_at, finished_at)
             SELECT $1, team_id, id, 1, 'passed', '0123456789012345678901234567890123456789', 't', 'a', 'main', 'p', 'r', '{}', 0, 0, 0
               FROM services",
            args![run],
        ),
        ("UPDATE services SET next_run = 2", args![]),
        (
            "INSERT INTO stages (id, run_id, position, name, kind, state, attempt) VALUES ($1, $2, 0, 'fast', 'steps', 'passed', 1)",
            args![stage, run],
        ),
        (
            "INSERT INTO steps (id, team_id, run_id, stage_id, position, name, image, state, finished_at)
             SELECT $1, team_id, $2, $3, 0, 'unit', 'x', 'passed', 0 FROM services",
            args![STEP, run, stage],
        ),
    ];
    for (sql, values) in statements {
        tx.execute(sql, values).await.unwrap();
    }
    tx.commit().await.unwrap();
}

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) rollout: String,
    pub(crate) route: String,
    pub(crate) invitation: String,
    pub(crate) member: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(TestApp::new().await).await
    }

    /// Teams `a` and `b`, and in `a` one of everything.
    pub(crate) async fn over(app: TestApp) -> Self {
        let app = app.with_team("a").await.with_team("b").await;
        app.fake.set_image("hello:1", Behaviour::saying("hello"));
        let owner = app.client("owner@a.test").await;
        owner.post("/teams/a/services", json!({"name": "hello", "environments": ["dev", "staging"]})).await.is(201);
        let change = owner.post("/teams/a/services/hello/targets/dev/actions/deploy", json!({"image": "hello:1"})).await.is(202);
        let rollout = change["rollout"].as_str().unwrap().to_owned();
        let target = owner.get("/teams/a/services/hello/targets/dev").await.is(200);
        let route = target["routes"][0]["id"].as_str().unwrap().to_owned();
        let invited = owner.post("/teams/a/invitations", json!({"email": "x@a.test", "role": "viewer"})).await.is(201);
        let invitation = invited["invitation"]["id"].as_str().unwrap().to_owned();
        let member = app.join(&"a".parse().unwrap(), "member@a.test", app::model::Role::Viewer).await.to_string();
        insert_run(&app).await;
        Self { app, rollout, route, invitation, member }
    }

    pub(crate) fn path(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/rollouts") => &self.rollout,
            path if path.starts_with("/steps") => STEP,
            path if path.contains("/routes/") => &self.route,
            path if path.contains("/invitations/") => &self.invitation,
            path if path.starts_with("/people") => &self.member,
            _ => "none",
        };
        let path = path.replace("{team}", "a").replace("{service}", "hello").replace("{environment}", "dev").replace("{number}", "1");
        path.replace("{user}", &self.member).replace("{id}", id)
    }

    /// Waits until nothing goes on any more.
    pub(crate) async fn settled(&self) {
        let owner = self.app.client("owner@a.test").await;
        let under_way = |thing: &Value| ["queued", "running"].contains(&thing["state"].as_str().unwrap());
        until("every run and rollout has ended", async || {
            let runs = owner.get("/teams/a/services/hello/runs").await.is(200);
            let target = owner.get("/teams/a/services/hello/targets/dev").await.is(200);
            let rollout = owner.get(&format!("/rollouts/{}", self.rollout)).await.is(200);
            let open =
                runs["items"].as_array().unwrap().iter().any(under_way) || under_way(&rollout) || target["rollout"]["state"] == "running";
            (!open).then_some(())
        })
        .await;
    }

    /// Everything somebody without the right could have changed.
    async fn state(&self) -> Vec<String> {
        use server::store::Query as _;
        let mut state = Vec::new();
        for (table, columns) in [
            ("teams", &["id", "name"][..]),
            ("members", &["user_id", "role"]),
            ("services", &["id", "description"]),
            ("routes", &["id", "host"]),
            ("config_sets", &["id"]),
            ("releases", &["id"]),
            ("runs", &["id", "state"]),
            ("links", &["id"]),
            ("tokens", &["id", "name"]),
        ] {
            let sql = format!("SELECT * FROM {table} ORDER BY {}", columns[0]);
            for row in self.app.db().fetch_all(sql, args![]).await.unwrap() {
                state.push(columns.iter().map(|column| row.text(column).unwrap()).collect::<Vec<_>>().join("|"));
            }
        }
        state
    }

    async fn ask(&self, client: &Client, row: &Row) -> u16 {
        let body = (!row.body.is_null()).then_some(&row.body);
        client.send(&row.method.to_uppercase(), &self.path(row.path), body).await.status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_gets_nowhere() {
    let world = World::new().await;
    let app = &world.app;
    let revoked = app.client("owner@a.test").await;
    let own = revoked.get("/tokens").await.is(200)[0]["id"].as_str().unwrap().to_owned();
    let suspended = app.client("developer@a.test").await;
    let expired = app.client("viewer@a.test").await;
    let mut tx = app.db().begin().await.unwrap();
    let viewer = app.user("viewer@a.test").await;
    tx.execute("UPDATE tokens SET expires_at = 1 WHERE user_id = $1", args![&viewer]).await.unwrap();
    tx.commit().await.unwrap();
    revoked.delete(&format!("/tokens/{own}")).await.is(204);
    let developer = app.user("developer@a.test").await;
    app.as_admin().await.post(&format!("/people/{developer}/actions/suspend"), json!({})).await.is(204);
    let nobodies = [("anonymous", app.anonymous()), ("revoked", revoked), ("suspended", suspended), ("expired", expired)];
    let before = world.state().await;
    let mut asked = 0;
    for row in rows() {
        for (name, client) in &nobodies {
            assert_eq!(world.ask(client, &row).await, 401, "{name}: {} {}", row.method, row.path);
            asked += 1;
        }
    }
    assert_eq!(world.state().await, before);
    proof("rights of nobodies", &format!("{asked} requests, all refused, nothing changed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_their_role_gives() {
    let world = World::new().await;
    let app = &world.app;
    let actors = [
        ("stranger", app.client("owner@b.test").await),
        ("viewer", app.client("viewer@a.test").await),
        ("developer", app.client("developer@a.test").await),
        ("owner", app.client("owner@a.test").await),
        ("deploy-only", app.scoped("developer@a.test", &[Scope::Deploy]).await),
    ];
    let mut asked = 0;
    // Those who are refused first, so that what the others change does not stand in their way.
    for (n, (name, client)) in actors.iter().enumerate() {
        let before = world.state().await;
        for row in rows().iter().filter(|row| row.expected[n] != In) {
            let status = world.ask(client, row).await;
            let expected = if row.expected[n] == No { 403 } else { 404 };
            assert_eq!(status, expected, "{name}: {} {}", row.method, row.path);
            asked += 1;
        }
        assert_eq!(world.state().await, before, "{name} changed something");
    }
    for (n, (name, client)) in actors.iter().enumerate() {
        for row in rows().iter().filter(|row| row.expected[n] == In) {
            let route = format!("{} {}", row.method, row.path);
            if destroys(&route) {
                continue;
            }
            let status = world.ask(client, row).await;
            assert!(![401, 403, 404, 500].contains(&status), "{name}: {route} answered {status}");
            asked += 1;
        }
    }
    proof("rights of roles", &format!("{asked} requests, each with the right status"));
}

/// Tested by journeys of their own: afterwards the thing is not there for the next one.
fn destroys(route: &str) -> bool {
    ["delete /teams/{team}/members/{user}", "delete /teams/{team}/invitations/{id}"].contains(&route)
}

#[tokio::test]
async fn an_administrator_may_everywhere() {
    let world = World::new().await;
    let admin = world.app.client(ADMIN).await;
    for row in rows().iter().filter(|row| row.method == "get" && !row.path.ends_with("/stream")) {
        assert_eq!(world.ask(&admin, row).await, 200, "{}", row.path);
    }
}
