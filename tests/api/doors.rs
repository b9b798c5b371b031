//! What holds for every request: headers, ids, limits, keys, pages.

use app::model::Scope;
use futures::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    app::{ADMIN, PASSWORD, TestApp},
    berth::until,
};

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/readyz", "/api", "/teams", "/nothing/here", "/api/v2/x"] {
        let answer = app.anonymous().get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{path}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "not over http: {path}");
    }
    assert_ne!(app.anonymous().get("/healthz").await.header("x-request-id"), app.anonymous().get("/healthz").await.header("x-request-id"));
    let given = app.anonymous().with("x-request-id", "mine").get("/healthz").await;
    assert_ne!(given.header("x-request-id"), "mine", "an id from outside is not taken");
}

#[tokio::test]
async fn what_does_not_fit_is_said() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    app.anonymous().get("/nothing/here").await.refused(404, "not_found");
    app.anonymous().get("/me").await.refused(401, "not_signed_in");
    owner.send("PUT", "/teams", None).await.refused(405, "method_not_allowed");
    owner.get("/teams/Not%20A%20Name").await.refused(404, "not_found");
    owner.get("/events?limit=many").await.refused(422, "invalid_query");
    let sentence = owner.post("/teams/a/services", json!({"name": "Hello"})).await.refused(422, "invalid_body");
    assert!(sentence.contains("starts with a letter"), "{sentence}");
    let sentence = owner.post("/teams/a/services", json!({"name": "hello", "nam": 1})).await.refused(422, "invalid_body");
    assert!(sentence.contains("nam"), "{sentence}");
    owner.send("POST", "/teams", None).await.refused(422, "invalid_body");
    owner.post("/teams", json!({"name": "x".repeat(2 << 20)})).await.refused(413, "body_too_large");
    app.bearer("berth_wrong").get("/me").await.refused(401, "bad_token");
    app.bearer("x").get("/openapi.json").await.refused(401, "bad_token");
}

#[tokio::test]
async fn what_changes_something_goes_on_where_its_client_hangs_up() {
    let app = TestApp::new().await;
    let admin = app.as_admin().await;
    // It cannot end while somebody else writes.
    let writes = app.db().begin().await.unwrap();
    let mut client = TcpStream::connect(app.berth.console).await.unwrap();
    let body = json!({"name": "late"}).to_string();
    let request = format!(
        "POST /api/v1/teams HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        app.berth.console,
        admin.secret(),
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    // Who asks is known by then: it is begun.
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    client.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100 "));
    client.write_all(body.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    // Berth sees that nobody waits any more, and lets go of the connection.
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    drop(writes);
    until("the team", async || (admin.get("/teams/late").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn another_site_changes_nothing() {
    let app = TestApp::new().await;
    let login = json!({"email": ADMIN, "password": PASSWORD});
    for (header, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "null")]
    {
        app.anonymous().with(header, value).post("/actions/login", login.clone()).await.refused(403, "cross_origin");
    }
    let own = app.url();
    app.anonymous().with("origin", &own).post("/actions/login", login.clone()).await.is(201);
    app.anonymous().with("sec-fetch-site", "same-origin").post("/actions/login", login).await.is(201);
    let token = app.as_admin().await.with("sec-fetch-site", "cross-site");
    token.post("/teams", json!({"name": "a"})).await.is(201);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let app = TestApp::new().await;
    let nobody = app.anonymous();
    let attempt =
        |email: &'static str, password: &'static str| nobody.post("/actions/login", json!({"email": email, "password": password}));
    for _ in 0..5 {
        attempt(ADMIN, "wrong").await.refused(401, "wrong_credentials");
    }
    let blocked = attempt(ADMIN, PASSWORD).await;
    assert!(blocked.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(blocked.header("ratelimit").contains("r=0"));
    let sentence = blocked.refused(429, "too_many_attempts");
    assert!(sentence.contains("second"), "says the wait: {sentence}");
    attempt("somebody@else.test", "wrong").await.refused(401, "wrong_credentials");
    app.client(ADMIN).await.get("/me").await.is(200);
}

#[tokio::test]
async fn a_post_that_comes_twice_counts_once() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    let keyed = owner.clone().with("idempotency-key", "one");
    let (first, second) = (
        keyed.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await,
        keyed.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await,
    );
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    let (first, second) = (first.is(201), second.is(201));
    assert_eq!(first, second, "the same secret again");
    assert_eq!(owner.get("/tokens").await.is(200).as_array().unwrap().iter().filter(|token| token["name"] == "x").count(), 1);
    keyed.post("/tokens", json!({"name": "y", "scopes": ["read"]})).await.refused(422, "key_reused");

    // Neither another person nor another token of the same one gets that answer.
    let narrow = app.scoped("owner@a.test", &[Scope::Read]).await.with("idempotency-key", "one");
    narrow.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await.refused(403, "missing_scope");
    let other = app.client("developer@a.test").await.with("idempotency-key", "one");
    other.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await.is(201);

    let failing = owner.clone().with("idempotency-key", "two");
    failing.post("/tokens", json!({"name": "", "scopes": ["read"]})).await.refused(422, "invalid_token_name");
    failing.post("/tokens", json!({"name": "z", "scopes": ["read"]})).await.is(201);
    owner.clone().with("idempotency-key", &"k".repeat(300)).post("/tokens", json!({})).await.refused(422, "invalid_key");

    let racing = owner.clone().with("idempotency-key", "three");
    let answers = join_all((0..8).map(|_| racing.post("/teams", json!({"name": "raced"})))).await;
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    assert!(answers.iter().any(|answer| answer.status == 201));
    assert!(answers.iter().filter(|answer| answer.status == 409).all(|answer| answer.body["code"] == "in_progress"));
    let stored: String = {
        use server::{args, store::Query as _};
        let rows = app.db().fetch_all("SELECT body FROM idempotency_keys", args![]).await.unwrap();
        rows.iter().filter_map(|row| row.text_opt("body").unwrap()).collect()
    };
    assert!(!stored.contains("berth_") && !stored.contains(first["secret"].as_str().unwrap()), "kept sealed");
}

#[tokio::test]
async fn listings_come_in_pages() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    for n in 0..5 {
        owner.post("/teams/a/services", json!({"name": format!("s{n}")})).await.is(201);
    }
    let first = owner.get("/events?team=a&limit=3").await.is(200);
    let cursor = first["next"].as_str().unwrap();
    let second = owner.get(&format!("/events?team=a&limit=3&cursor={cursor}")).await.is(200);
    let subjects = |page: &serde_json::Value| page["items"].as_array().unwrap().iter().map(|e| e["subject"].clone()).collect::<Vec<_>>();
    assert_eq!(subjects(&first), ["service s4", "service s3", "service s2"]);
    assert_eq!(subjects(&second)[..2], ["service s1", "service s0"]);
    assert_eq!(owner.get("/events?team=a&service=s1").await.is(200)["items"].as_array().unwrap().len(), 1);
    let services = async |query: &str| owner.get(&format!("/teams/a/services?limit=2{query}")).await.is(200);
    let names = |page: &serde_json::Value| page["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    let (mut page, mut seen) = (services("").await, Vec::new());
    while let Some(next) = page["next"].as_str() {
        seen.extend(names(&page));
        page = services(&format!("&cursor={next}")).await;
    }
    seen.extend(names(&page));
    assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4"]);
    let people = app.as_admin().await.get("/people?limit=2").await.is(200);
    assert_eq!(people["items"].as_array().unwrap().len(), 2);
    assert!(people["next"].is_string());
    app.scoped("owner@a.test", &[Scope::Read]).await.get("/people").await.refused(403, "forbidden");
}
