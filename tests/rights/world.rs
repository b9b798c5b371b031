//! Two teams, of which one has one of everything that doors lead to.

use serde_json::{Value, json};
use server::{args, platform::fake::Behaviour, store::Query as _};

use crate::support::{app::TestApp, berth::until};

/// The step of [`World`]'s run.
pub(super) const STEP: &str = "01920000-0000-7000-8000-000000000003";

/// The candidate of [`World`]'s run.
const CANDIDATE: &str = "01920000-0000-7000-8000-000000000004";
/// A statement as it is stored.
const BILL: &str = "H4sIAAAAAAACA6tWKihKTclMTixJVbKqVkrKz3XLL8pNLFGyUnKuTM7Jz0t1iVCqrQUAxlXkJScAAAA=";

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
        (
            "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape, created_at,
                                     made)
             SELECT $2, team_id, id, 1, 'sha256:0', 1, '0123456789012345678901234567890123456789', 't', 'main', $1, 1, '{\"processes\":{}}', 0, '{}'
               FROM services",
            args![run, CANDIDATE],
        ),
        ("UPDATE services SET next_candidate = 2", args![]),
        // The gzipped statement `{"predicate":{"bomFormat":"CycloneDX"}}`, signed by nobody.
        ("INSERT INTO statements (candidate_id, kind, payload, key_id, signature) VALUES ($1, 'provenance', $2, 'k', '')", args![CANDIDATE, BILL]),
        ("INSERT INTO statements (candidate_id, kind, payload, key_id, signature) VALUES ($1, 'sbom', $2, 'k', '')", args![CANDIDATE, BILL]),
        (
            "INSERT INTO bases (id, name, description, dockerfile, next_version, created_by, created_at)
             VALUES ('base', 'debian', 'd', 'FROM x', 2, 'p', 0)",
            args![],
        ),
        (
            "INSERT INTO base_versions (id, base_id, number, state, dockerfile, rolls, holder, image, size, log, created_by, created_at, finished_at)
             VALUES ('version', 'base', 1, 'ready', 'FROM x', TRUE, 'h', 'sha256:1', 1, 'said', 'p', 0, 0)",
            args![],
        ),
        (
            "INSERT INTO candidate_bases (candidate_id, version_id, service_id, name, newest)
             SELECT id, 'version', service_id, 'base/debian', TRUE FROM candidates",
            args![],
        ),
        ("INSERT INTO base_rolls (version_id, service_id, run_id) SELECT 'version', service_id, id FROM runs", args![]),
        (
            "INSERT INTO flaky_tests (service_id, id, team_id, suite, name, times, last_run, last_at)
             SELECT id, 'flaky', team_id, 's', 'n', 1, 1, 0 FROM services",
            args![],
        ),
        (
            "INSERT INTO artifacts (id, team_id, service_id, run_id, run_number, step_id, step, path, size, sha256, created_at)
             SELECT 'kept', team_id, id, $1, 1, $2, 'fast/unit', 'out/x', 5, '', 0 FROM services",
            args![run, STEP],
        ),
    ];
    for (sql, values) in statements {
        tx.execute(sql, values).await.unwrap();
    }
    tx.commit().await.unwrap();
    let service = app.db().fetch_opt("SELECT id FROM services", args![]).await.unwrap().unwrap().text("id").unwrap();
    let folder = app.berth.config.artifacts().join(service);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("kept"), "bytes").unwrap();
}

pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) rollout: String,
    pub(super) route: String,
    pub(super) invitation: String,
    pub(super) member: String,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::over(TestApp::new().await).await
    }

    /// Teams `a` and `b`, and in `a` one of everything.
    pub(super) async fn over(app: TestApp) -> Self {
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

    pub(super) fn path(&self, path: &str) -> String {
        let id = match path {
            path if path.starts_with("/rollouts") => &self.rollout,
            path if path.starts_with("/steps") => STEP,
            path if path.contains("/routes/") => &self.route,
            path if path.contains("/invitations/") => &self.invitation,
            path if path.starts_with("/people") => &self.member,
            path if path.contains("/flaky-tests/") => "flaky",
            path if path.contains("/artifacts/") => "kept",
            _ => "none",
        };
        let path = path.replace("{team}", "a").replace("{service}", "hello").replace("{environment}", "dev").replace("{number}", "1");
        let path = path.replace("{other}", "1").replace("{base}", "debian");
        path.replace("{user}", &self.member).replace("{id}", id).replace("{name}", "A_SECRET")
    }

    /// Waits until nothing goes on any more.
    pub(super) async fn settled(&self) {
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
}
