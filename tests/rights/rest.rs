//! The routes of REST, each with what every kind of actor gets. They come from the router's own list: one without a row here
//! fails the test. `matrix` asks them, beside every other door.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use server::http::router;

/// What an actor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gets {
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
pub(super) struct Row {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) body: Value,
    pub(super) expected: [Gets; 5],
}

fn row(method: &'static str, path: &'static str, expected: [Gets; 5], body: Value) -> Row {
    Row { path, method, body, expected }
}

pub(super) const EVERYBODY: [Gets; 5] = [In, In, In, In, In];
pub(super) const SIGNED_IN: [Gets; 5] = [In, In, In, In, No];
pub(super) const VIEW: [Gets; 5] = [Gone, In, In, In, No];
pub(super) const SHIP: [Gets; 5] = [Gone, No, In, In, In];
pub(super) const CHANGE: [Gets; 5] = [Gone, No, In, In, No];
pub(super) const OWN: [Gets; 5] = [Gone, No, No, In, No];
pub(super) const ADMINISTER: [Gets; 5] = [No, No, No, No, No];

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
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
        row("post", "/teams/{team}/services/{service}/actions/move", CHANGE, json!({"repository": "hello"})),
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
        row("get", "/teams/{team}/services/{service}/push-policy", VIEW, nothing()),
        row("put", "/teams/{team}/services/{service}/push-policy", CHANGE, json!({"default_branch": false, "running": false})),
        row("get", "/teams/{team}/services/{service}/caches", VIEW, nothing()),
        row("delete", "/teams/{team}/services/{service}/caches", CHANGE, nothing()),
        row("get", "/teams/{team}/services/{service}/secrets", CHANGE, nothing()),
        row("put", "/teams/{team}/services/{service}/secrets/{name}", CHANGE, json!({"value": "wanted by steps"})),
        row("delete", "/teams/{team}/services/{service}/secrets/{name}", CHANGE, nothing()),
        row("get", "/rollouts/{id}", VIEW, nothing()),
        row("post", "/rollouts/{id}/actions/cancel", SHIP, nothing()),
        row("get", "/rollouts/{id}/stream", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/runs", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/triggers", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/runs", SHIP, json!({"branch": "none"})),
        row("get", "/teams/{team}/services/{service}/runs/{number}", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/runs/{number}/actions/cancel", SHIP, nothing()),
        row("post", "/teams/{team}/services/{service}/runs/{number}/actions/retry", SHIP, nothing()),
        row("post", "/teams/{team}/services/{service}/runs/{number}/actions/approve", SHIP, nothing()),
        row("get", "/teams/{team}/services/{service}/mirror", VIEW, nothing()),
        row("patch", "/teams/{team}/services/{service}/mirror", CHANGE, json!({"every_seconds": 60})),
        row("post", "/teams/{team}/services/{service}/mirror", CHANGE, json!({"address": "nowhere"})),
        row("post", "/teams/{team}/services/{service}/mirror/actions/fetch", CHANGE, nothing()),
        row("post", "/teams/{team}/services/{service}/mirror/actions/forget-host-keys", CHANGE, nothing()),
        row("post", "/teams/{team}/services/{service}/mirror/actions/new-hook", CHANGE, nothing()),
        row("get", "/teams/{team}/services/{service}/runs/{number}/stream", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/pipeline", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/pipeline/actions/check", VIEW, json!({"text": "version: 1"})),
        row("get", "/steps/{id}/log", VIEW, nothing()),
        row("get", "/steps/{id}/log/matches", VIEW, nothing()),
        row("get", "/steps/{id}/log/text", VIEW, nothing()),
        row("get", "/steps/{id}/log/stream", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates/{number}", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates/{number}/provenance", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates/{number}/sbom", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/candidates/{number}/compare/{other}", VIEW, nothing()),
        row("post", "/teams/{team}/services/{service}/candidates/{number}/actions/hold", CHANGE, nothing()),
        row("post", "/teams/{team}/services/{service}/candidates/{number}/actions/let-go", CHANGE, nothing()),
        row("get", "/teams/{team}/services/{service}/runs/{number}/tests", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/flaky-tests", VIEW, nothing()),
        row("put", "/teams/{team}/services/{service}/flaky-tests/{id}/mute", CHANGE, json!({})),
        row("get", "/teams/{team}/services/{service}/runs/{number}/artifacts", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/runs/{number}/artifacts/{id}", VIEW, nothing()),
        row("get", "/teams/{team}/services/{service}/ci", VIEW, nothing()),
        row("put", "/teams/{team}/services/{service}/ci/guard", CHANGE, json!({"guards_red": false})),
        row("get", "/teams/{team}/ci", VIEW, nothing()),
        row("put", "/teams/{team}/ci/badges", OWN, json!({"public_badges": false})),
        row("get", "/environments", SIGNED_IN, nothing()),
        row("get", "/environments/{environment}", SIGNED_IN, nothing()),
        row("get", "/hosts", ADMINISTER, nothing()),
        row("get", "/events", SIGNED_IN, nothing()),
        row("get", "/search", SIGNED_IN, nothing()),
        row("get", "/platform/bases", SIGNED_IN, nothing()),
        row("post", "/platform/bases", ADMINISTER, json!({"name": "debian", "description": "x", "dockerfile": "FROM public:1"})),
        row("get", "/platform/bases/{base}", SIGNED_IN, nothing()),
        row("post", "/platform/bases/{base}/actions/rebuild", ADMINISTER, json!({"dockerfile": "FROM public:1", "roll": true})),
        row("post", "/platform/bases/{base}/actions/cancel", ADMINISTER, nothing()),
        row("post", "/lint", EVERYBODY, json!("version: 1")),
        // Of nobody's token. Each may end their own.
        row("delete", "/tokens/{id}", [Gone, Gone, Gone, Gone, No], nothing()),
        row("get", "/events/stream", SIGNED_IN, nothing()),
    ]
}

/// The rows that are open to everybody, tested elsewhere.
pub(super) const OPEN: [&str; 5] =
    ["post /actions/setup", "post /actions/login", "post /actions/accept-invitation", "get /openapi.json", "get /signing-key"];

/// What the router has: `method path` and the right it names.
pub(super) fn listed() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (path, item) in router::document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path.strip_prefix(router::PREFIX).unwrap();
            all.insert(format!("{method} {path}"), operation["x-right"].as_str().unwrap().to_owned());
        }
    }
    all
}
