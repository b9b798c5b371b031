//! Strange input never breaks anything, and nothing of another team shows anywhere.

use serde_json::{Value, json};

use super::matrix::{World, rows};
use crate::support::{app::TestApp, proof};

fn strange() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "-x",
        "--help",
        "../../etc/passwd",
        "a\0b",
        "a\r\nset-cookie: x=y",
        "'; DROP TABLE users; --",
        "$(id)",
        "`id`",
        "%00",
        "\u{202e}abc",
        "\u{feff}",
        "🙂",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "null",
        "9223372036854775808",
        "-1",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    all.push("a".repeat(64 << 10));
    all
}

/// The body with one of its texts replaced, one after the other.
fn replaced(body: &Value, with: &str) -> Vec<Value> {
    let Some(object) = body.as_object() else { return vec![json!(with)] };
    let one = |key: &String| {
        let mut changed = object.clone();
        changed.insert(key.clone(), json!(with));
        Value::Object(changed)
    };
    object.keys().map(one).collect()
}

/// Percent-encodes everything.
fn encoded(text: &str) -> String {
    text.bytes().take(2_000).map(|byte| format!("%{byte:02X}")).collect()
}

async fn nothing_breaks(app: TestApp) {
    let world = World::over(app).await;
    let owner = world.app.client("owner@a.test").await;
    let mut asked = 0;
    for row in rows().iter().filter(|row| !row.path.ends_with("/stream") && row.path != "/me/actions/sign-out-everywhere") {
        let method = row.method.to_uppercase();
        for text in strange() {
            if !row.body.is_null() {
                for body in replaced(&row.body, &text) {
                    let answer = owner.send(&method, &world.path(row.path), Some(&body)).await;
                    assert!(answer.status < 500, "{method} {} with {body:.100} answered {}", row.path, answer.text);
                    asked += 1;
                }
            }
            for name in
                ["{team}", "{service}", "{environment}", "{number}", "{user}", "{id}"].iter().filter(|name| row.path.contains(**name))
            {
                let path = world.path(&row.path.replace(name, "@@")).replace("@@", &encoded(&text));
                let body = (!row.body.is_null()).then_some(&row.body);
                let answer = owner.send(&method, &path, body).await;
                assert!(answer.status < 500, "{method} {path:.200} answered {}", answer.text);
                asked += 1;
            }
        }
    }
    for text in strange() {
        let text = encoded(&text);
        for query in ["/events?team=", "/events?service=", "/events?actor=", "/events?cursor=", "/events?limit="] {
            let answer = owner.get(&format!("{query}{text}")).await;
            assert!(answer.status < 500, "{query}{text:.100} answered {}", answer.text);
            asked += 1;
        }
    }
    world.app.as_admin().await.get("/teams/a/services/hello/overview").await.is(200);
    proof("strange input", &format!("{asked} requests, 0 faults of ours"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_is_refused_and_breaks_nothing() {
    nothing_breaks(TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_is_refused_and_breaks_nothing_on_postgres() {
    nothing_breaks(TestApp::on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_team_shows() {
    let world = World::new().await;
    let app = &world.app;
    let marked = app.client("owner@b.test").await;
    let service = json!({"name": "canary", "description": "CANARY description"});
    marked.post("/teams/b/services", service).await.is(201);
    let config = json!({"set": {"CANARY": "CANARY value"}});
    marked.send("PATCH", "/teams/b/services/canary/targets/dev/config", Some(&config)).await.is(200);
    marked.post("/teams/b/services/canary/targets/dev/routes", json!({"host": "canary.example.com"})).await.is(201);
    marked.post("/teams/b/invitations", json!({"email": "canary@b.test", "role": "viewer"})).await.is(201);
    assert!(marked.get("/events").await.text.to_lowercase().contains("canary"), "the marks are there");
    let owner = app.client("owner@a.test").await;
    for row in rows().iter().filter(|row| row.method == "get" && !row.path.ends_with("/stream")) {
        for path in [world.path(row.path), world.path(row.path).replace("/teams/a", "/teams/b").replace("/hello", "/canary")] {
            let answer = owner.get(&path).await;
            let said = answer.text.to_lowercase().replace("no service `canary`", "");
            assert!(!said.contains("canary") && !said.contains("b.test"), "{path}: {}", answer.text);
        }
    }
}
