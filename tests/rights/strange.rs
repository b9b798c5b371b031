//! Strange input through every door, on both databases: refused in a sentence with a stable code, or taken; never a fault.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use server::{args, store::Query as _};

use super::{
    doors,
    rest::rows,
    world::{STEP, World},
};
use crate::support::{
    app::{Answer, Client, TestApp},
    proof,
};

/// Texts that broke something somewhere.
fn texts() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        " ",
        "-x",
        "--help",
        "--upload-pack=id",
        "../../etc/passwd",
        "..%2f..%2f",
        "a\0b",
        "\0",
        "a\r\nset-cookie: x=y",
        "a\nb",
        "\u{7f}\u{1b}[2J",
        "'; DROP TABLE users; --",
        "\" OR 1=1 --",
        "$1",
        "%s%n",
        "$(id)",
        "`id`",
        "|id",
        ";id",
        "&& id",
        "> /tmp/x",
        "${HOME}",
        "%00",
        "%0d%0a",
        "\u{202e}abc",
        "a\u{200b}b",
        "\u{feff}",
        "e\u{301}",
        "ＡＢＣ",
        "ß",
        "İ",
        "\u{10ffff}",
        "🙂",
        "한국어",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "\"><img src=x>",
        "null",
        "true",
        "9223372036854775808",
        "-1",
        "1e999",
        "NaN",
        "0x10",
        "\\",
        "\\u0000",
        "*",
        "a b",
        ".",
        "..",
        "CON",
        "localhost:0",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    all.push("a".repeat(64 << 10));
    all.push("é".repeat(32 << 10));
    all
}

/// One of each kind of them, for doors there are many of.
fn few() -> Vec<String> {
    let kinds = [
        "-x",
        "../../etc",
        "a\0b",
        "a\r\n",
        "'; DROP",
        "$(id)",
        "%00",
        "\u{202e}",
        "a\u{200b}",
        "\u{10ffff}",
        "<script>",
        "\"><img",
        "9223372",
        "-1",
    ];
    let mut all: Vec<String> = texts().into_iter().filter(|text| kinds.iter().any(|kind| text.starts_with(kind))).collect();
    all.extend([String::new(), "a".repeat(64 << 10)]);
    all
}

/// Values of every other type, and some that are deep, wide or long.
fn values() -> Vec<Value> {
    let deep = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let wide: serde_json::Map<String, Value> = (0..2_000).map(|n| (format!("k{n}"), json!(n))).collect();
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(0.5),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!(["a", 1, null]),
        json!({"a": {"b": {"c": [1]}}}),
        deep(&format!("{}1{}", "[".repeat(100), "]".repeat(100))),
        Value::Object(wide),
    ]
}

/// What is no JSON at all, or more of it than anybody needs.
fn bodies() -> Vec<Vec<u8>> {
    vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"name\":\"a\",\"name\":\"b\"}".to_vec(),
        b"{\"name\":\"\xc3\x28\"}".to_vec(),
        b"{\"name\":\"\\ud800\"}".to_vec(),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes(),
        vec![b' '; (1 << 20) - 1],
    ]
}

/// The body with one of its members replaced, one after the other, and once with one more.
fn replaced(body: &Value, with: &Value) -> Vec<Value> {
    let Some(object) = body.as_object() else { return vec![with.clone()] };
    let one = |key: &str| {
        let mut changed = object.clone();
        changed.insert(key.to_owned(), with.clone());
        Value::Object(changed)
    };
    object.keys().map(String::as_str).chain(["unknown"]).map(one).collect()
}

/// Percent-encodes everything.
fn encoded(text: &str) -> String {
    text.bytes().take(2_000).map(|byte| format!("%{byte:02X}")).collect()
}

/// What was asked, and the codes it was refused with.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) asked: usize,
    pub(super) codes: BTreeMap<String, u16>,
}

impl Tally {
    pub(super) fn rest(&mut self, what: &str, answer: &Answer) {
        self.asked += 1;
        assert!(answer.status < 500, "{what:.300} answered {}: {}", answer.status, answer.text);
        if answer.status < 400 {
            return;
        }
        let (code, sentence) = (answer.body["code"].as_str().unwrap_or_default(), answer.body["detail"].as_str().unwrap_or_default());
        assert!(!code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{what:.300}: {}", answer.text);
        assert!(sentence.ends_with(['.', '?', ':', '…']) && sentence.contains(' '), "{what:.300}: {sentence:.300}");
        assert!(sentence.len() < 5_000, "{what:.300}: a sentence of {} bytes", sentence.len());
        let status = *self.codes.entry(code.to_owned()).or_insert(answer.status);
        assert_eq!(status, answer.status, "{what:.300}: `{code}` is one status");
    }

    pub(super) fn page(&mut self, what: &str, answer: &Answer) {
        self.asked += 1;
        assert!(answer.status < 500, "{what:.300} answered {}: {:.2000}", answer.status, answer.text);
        assert!(!answer.text.contains("<script>alert(1)") && !answer.text.contains("<img src=x>"), "{what:.300}: not escaped");
        assert!(answer.headers.get("set-cookie").is_none_or(|line| !line.to_str().unwrap().contains("x=y")), "{what:.300}");
        let refused = answer.status >= 400;
        assert!(!refused || answer.body["code"].is_string() || answer.text.contains("<html"), "{what:.300}: {:.300}", answer.text);
    }
}

async fn bodies_of_rest(world: &World, client: &Client, tally: &mut Tally) {
    for row in rows().iter().filter(|row| !row.body.is_null()) {
        let (method, path) = (row.method.to_uppercase(), world.path(row.path));
        for with in texts().into_iter().map(Value::from).chain(values()) {
            for body in replaced(&row.body, &with) {
                tally.rest(&format!("{method} {} with {body}", row.path), &client.send(&method, &path, Some(&body)).await);
            }
        }
        for body in bodies() {
            let answer = client.ask(&method, &format!("/api/v1{path}"), Some(("application/json", body.clone()))).await;
            tally.rest(&format!("{method} {} with {}", row.path, String::from_utf8_lossy(&body)), &answer);
        }
    }
}

async fn paths_of_rest(world: &World, client: &Client, tally: &mut Tally) {
    for row in rows() {
        let method = row.method.to_uppercase();
        let names = ["{team}", "{service}", "{environment}", "{number}", "{user}", "{id}", "{base}"];
        for name in names.iter().filter(|name| row.path.contains(**name)) {
            for text in few().iter().filter(|text| !text.is_empty()) {
                let path = world.path(&row.path.replace(name, "@@")).replace("@@", &encoded(text));
                let body = (!row.body.is_null()).then_some(&row.body);
                tally.rest(&format!("{method} {path}"), &client.send(&method, &path, body).await);
            }
        }
    }
    let steps_log = format!("/steps/{STEP}/log?from=");
    for text in few() {
        let text = encoded(&text);
        for query in ["/events?team=", "/events?service=", "/events?actor=", "/events?cursor=", "/events?limit=", steps_log.as_str()] {
            tally.rest(&format!("GET {query}{text}"), &client.get(&format!("{query}{text}")).await);
        }
        for list in ["runs", "candidates", "targets/dev/releases", "targets/dev/logs"] {
            for name in ["cursor", "limit", "lines", "follow"] {
                let path = format!("/teams/a/services/hello/{list}?{name}={text}");
                tally.rest(&format!("GET {path}"), &client.get(&path).await);
            }
        }
    }
}

/// Every field of every form, and every part of every page's path and query.
async fn forms(world: &World, browser: &Client, tally: &mut Tally) {
    // A value of several lines is shown in a field of its own kind.
    let target = "/teams/a/services/hello/targets/dev";
    let set = json!({"set": {"LINES": "a\n</textarea><script>alert(1)</script>\"><img src=x>"}});
    // A release of it is made where one is there to go on from.
    let kept = browser.send("PATCH", &format!("{target}/config"), Some(&set)).await;
    assert!([200, 202].contains(&kept.status), "{}", kept.text);
    tally.page(target, &browser.ask("GET", target, None).await);
    for door in doors::pages(world).iter().filter(|door| !door.once) {
        let Some((kind, body)) = &door.body else {
            for text in few() {
                let text = encoded(&text);
                for path in [format!("{}?done={text}&cursor={text}&lang={text}&to={text}", door.path), format!("{}/{text}", door.path)] {
                    tally.page(&format!("GET {path}"), &browser.ask("GET", &path, None).await);
                }
            }
            continue;
        };
        let body = String::from_utf8(body.clone()).unwrap();
        let fields: Vec<&str> = body.split('&').collect();
        for (at, field) in fields.iter().enumerate() {
            let name = field.split('=').next().unwrap();
            for text in few() {
                let mut changed: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
                let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
                changed[at] = format!("{name}={text}");
                let sent = changed.join("&");
                tally.page(&format!("POST {} {sent}", door.path), &browser.ask("POST", &door.path, Some((kind, sent.into_bytes()))).await);
            }
        }
        for body in [&b"\xff=\xfe&%zz=%"[..], b"", b"do", b"do=%00", &[b'a'; (1 << 20) - 1]] {
            tally.page(&format!("POST {}", door.path), &browser.ask("POST", &door.path, Some((kind, body.to_vec()))).await);
        }
        let wrong = browser.ask("POST", &door.path, Some(("application/json", b"{}".to_vec()))).await;
        tally.page(&format!("POST {} as JSON", door.path), &wrong);
    }
}

async fn nothing_breaks(app: TestApp, database: &str) {
    let world = World::over(app).await;
    let app = &world.app;
    let (owner, browser) = (app.client("owner@a.test").await, app.browser("owner@a.test").await);
    let mut tally = Tally::default();
    bodies_of_rest(&world, &owner, &mut tally).await;
    paths_of_rest(&world, &owner, &mut tally).await;
    // Tokens that were made meanwhile are many: room for those of the forms.
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("DELETE FROM tokens WHERE name = 'x'", args![]).await.unwrap();
    tx.commit().await.unwrap();
    forms(&world, &browser, &mut tally).await;
    app.as_admin().await.get("/teams/a/services/hello/overview").await.is(200);
    let events = app.db().fetch_all("SELECT subject, detail FROM events", args![]).await.unwrap();
    let line_ends = |row: &server::store::Row| row.text("subject").unwrap().contains(['\r', '\n', '\0']);
    assert!(!events.iter().any(line_ends), "an event is one line");
    proof(
        &format!("strange input on {database}"),
        &format!("{} requests, 0 faults, {} codes, each of one status and with a sentence", tally.asked, tally.codes.len()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_breaks_nothing() {
    nothing_breaks(TestApp::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_breaks_nothing_on_postgres() {
    nothing_breaks(TestApp::on_postgres().await, "PostgreSQL").await;
}
