//! Every body of the API and every field of every form, spoiled by seeds: what the document asks for is made up and then
//! broken, in its values, in its shape and in its bytes. Never a fault, never silence, always a problem with its code. A seed
//! that finds something is named with the command that repeats it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value, json};
use server::{args, http::router};
use tokio::time::timeout;

use super::{doors, strange::Tally, world::World};
use crate::support::{
    app::{Client, TestApp},
    proof,
};

/// How many times every body and every form is spoiled.
const SEEDS: u64 = 40;
/// Nothing takes this long.
const SILENCE: Duration = Duration::from_secs(15);

/// What plausible texts are made of.
const PLAUSIBLE: [&str; 14] = [
    "hello",
    "a",
    "dev",
    "main",
    "owner@a.test",
    "new@a.test",
    "x",
    "2027-01-31",
    "shop.example.com",
    "/",
    "hello:1",
    "web",
    "A_NAME",
    "none",
];

/// A text that nobody would type.
fn strange(rng: &mut StdRng) -> String {
    const SOME: [&str; 22] = [
        "",
        " ",
        "\0",
        "a\0b",
        "a\r\nx: y",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{202e}abc\u{202c}",
        "\u{2066}a\u{2069}",
        "a\u{200b}b",
        "\u{200d}\u{feff}",
        "e\u{301}\u{301}\u{301}",
        "\u{10ffff}",
        "ﷺ",
        "İıſß",
        "--upload-pack=x",
        "../../..",
        "%00%ff",
        "'; DROP TABLE runs; --",
        "<script>alert(1)</script>",
        "{{7*7}}${x}",
        "9999999999999999999999",
    ];
    match rng.random_range(0..8) {
        0 => "a".repeat(1 << rng.random_range(7..17)),
        1 => "🙂".repeat(1 << rng.random_range(5..14)),
        2 => (0..rng.random_range(1..40)).map(|_| rng.random::<char>()).collect(),
        3 => format!("{}{}", PLAUSIBLE.choose(rng).unwrap(), SOME.choose(rng).unwrap()),
        _ => (*SOME.choose(rng).unwrap()).to_owned(),
    }
}

/// A value of any type.
fn any(rng: &mut StdRng) -> Value {
    match rng.random_range(0..16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(i64::MIN),
        4 => json!(u64::MAX),
        5 => json!(1e308),
        6 => json!(0.1),
        7 => json!([]),
        8 => json!({}),
        9 => (0..rng.random_range(1..100)).fold(json!(1), |inner, _| json!([inner])),
        10 => (0..rng.random_range(1..100)).fold(json!(1), |inner, _| json!({ "a": inner })),
        11 => (0..2_000).map(|n| json!(n)).collect(),
        12 => Value::Object((0..1_000).map(|n| (format!("k{n}"), json!(n))).collect()),
        13 => json!([strange(rng), 1, null]),
        _ => json!(strange(rng)),
    }
}

/// A body as the document asks for it.
fn made(schema: &Value, all: &Value, rng: &mut StdRng) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return made(&all[name.rsplit('/').next().unwrap()], all, rng);
    }
    if let Some(some) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()).or(schema["allOf"].as_array()) {
        return made(some.choose(rng).unwrap(), all, rng);
    }
    if let Some(some) = schema["enum"].as_array() {
        return some.choose(rng).unwrap().clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match kind {
        "object" => {
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if rng.random_bool(0.9) {
                    object.insert(name.clone(), made(property, all, rng));
                }
            }
            if schema["additionalProperties"].is_object() {
                object.insert((*PLAUSIBLE.choose(rng).unwrap()).to_owned(), made(&schema["additionalProperties"], all, rng));
            }
            Value::Object(object)
        }
        "array" => (0..rng.random_range(0..3)).map(|_| made(&schema["items"], all, rng)).collect(),
        "integer" | "number" => json!(rng.random_range(0..4)),
        "boolean" => json!(rng.random_bool(0.5)),
        _ => json!(PLAUSIBLE.choose(rng).unwrap()),
    }
}

/// Breaks one place of a value: what is there, what it is called, or that it is there at all.
fn broken(value: &mut Value, rng: &mut StdRng) {
    let deeper = rng.random_bool(0.7);
    match value {
        Value::Object(object) if !object.is_empty() && deeper => {
            let name = object.keys().nth(rng.random_range(0..object.len())).unwrap().clone();
            match rng.random_range(0..6) {
                0 => drop(object.remove(&name)),
                1 => drop(object.insert(strange(rng), any(rng))),
                2 => drop(object.insert(name, any(rng))),
                _ => broken(object.get_mut(&name).unwrap(), rng),
            }
        }
        Value::Array(list) if !list.is_empty() && deeper => {
            let at = rng.random_range(0..list.len());
            broken(&mut list[at], rng);
        }
        other => *other = any(rng),
    }
}

/// Breaks what is sent: the bytes of a JSON text.
fn torn(text: String, rng: &mut StdRng) -> Vec<u8> {
    let at = text.char_indices().map(|(at, _)| at).nth(rng.random_range(0..text.chars().count().clamp(1, 200))).unwrap_or(0);
    match rng.random_range(0..14) {
        0 => text.as_bytes()[..at].to_vec(),
        1 => text.replacen('"', "\"\\ud800", 1).into_bytes(),
        2 => text.replacen(":\"", ":\"\\udc00\\ud800", 1).into_bytes(),
        3 => [&text.as_bytes()[..at], &b"\xff\xfe"[..], &text.as_bytes()[at..]].concat(),
        4 => text.replacen(':', &format!(":{},\"x\":", "9".repeat(400)), 1).into_bytes(),
        5 => text.replacen(':', ":-1e999999,\"x\":", 1).into_bytes(),
        // The same key twice, the whole of it once more in front.
        6 if text.starts_with('{') && text.len() > 2 => format!("{},{}", &text[..text.len() - 1], &text[1..]).into_bytes(),
        7 => format!("{text}{text}").into_bytes(),
        8 => format!("\u{feff}{text}").into_bytes(),
        9 => format!("{}{text}{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(),
        _ => text.into_bytes(),
    }
}

/// Every body that the document asks for: method, path, type, schema.
fn bodies(document: &Value, world: &World) -> Vec<(String, String, &'static str, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let content = &operation["requestBody"]["content"];
            let path = format!("{}{}", router::PREFIX, world.path(path.strip_prefix(router::PREFIX).unwrap()));
            for kind in ["application/json", "text/plain"] {
                if !content[kind].is_null() {
                    all.push((method.to_uppercase(), path.clone(), kind, content[kind]["schema"].clone()));
                }
            }
        }
    }
    all
}

fn encoded(text: &str, rng: &mut StdRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0 => text.bytes().take(5_000).chain(*b"%zz%").collect(),
        1 => [&b"\xff\xc3\x28"[..], &text.as_bytes()[..text.len().min(1_000)]].concat(),
        _ => percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string().into_bytes(),
    }
}

/// A form with some of its fields spoiled, sent twice, left out, or among a thousand others.
fn form(verb: &str, fields: &[(String, String)], rng: &mut StdRng) -> Vec<u8> {
    let mut body = format!("do={verb}").into_bytes();
    let spoiled = rng.random_range(0..fields.len());
    for (n, (name, value)) in fields.iter().enumerate() {
        let mut values = vec![if n == spoiled { strange(rng) } else { value.clone() }];
        if n == spoiled {
            match rng.random_range(0..6) {
                0 => values.clear(),
                1 => values.push(strange(rng)),
                _ => {}
            }
        }
        for value in values {
            body.extend(format!("&{name}=").bytes());
            body.extend(encoded(&value, rng));
        }
    }
    if rng.random_bool(0.05) {
        (0..1_000).for_each(|n| body.extend(format!("&x{n}={n}").bytes()));
    }
    body
}

/// What one seed asks.
async fn lived(world: Arc<World>, token: Client, browser: Client, seed: u64) -> Tally {
    let (document, mut tally) = (router::document(), Tally::default());
    let schemas = &document["components"]["schemas"];
    let mut rng = StdRng::seed_from_u64(seed);
    for (method, path, kind, schema) in bodies(document, &world) {
        let body = if kind == "text/plain" {
            let mut text = format!("version: 1\nservices:\n  hello:\n    watch: [{:?}]\n", strange(&mut rng));
            text.push_str(&strange(&mut rng));
            text.into_bytes()
        } else {
            let mut value = made(&schema, schemas, &mut rng);
            (0..rng.random_range(0..3)).for_each(|_| broken(&mut value, &mut rng));
            torn(value.to_string(), &mut rng)
        };
        let what = format!("{method} {path} with {:.300}", String::from_utf8_lossy(&body));
        let answer = timeout(SILENCE, token.ask(&method, &path, Some((kind, body)))).await;
        tally.rest(&what, &answer.unwrap_or_else(|_| panic!("{what} is not answered")));
    }
    for (path, verb, fields) in doors::forms().filter(|(_, _, fields)| !fields.is_empty()) {
        let fill = |value: &str| if verb == "delete" { "no".to_owned() } else { doors::filled(&world, value) };
        let fields: Vec<(String, String)> = fields.iter().map(|(name, value)| ((*name).to_owned(), fill(value))).collect();
        let (path, body) = (doors::filled(&world, path), form(verb, &fields, &mut rng));
        let what = format!("POST {path} with {:.300}", String::from_utf8_lossy(&body));
        let answer = timeout(SILENCE, browser.ask("POST", &path, Some(("application/x-www-form-urlencoded", body)))).await;
        tally.page(&what, &answer.unwrap_or_else(|_| panic!("{what} is not answered")));
    }
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn spoiled_input_is_told_so_and_no_more() {
    let began = std::time::Instant::now();
    let world = Arc::new(World::over(TestApp::new().await).await);
    let app = &world.app;
    let one: Option<u64> = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse().ok());
    let (mut asked, mut codes) = (0, BTreeMap::new());
    // Signed in once: who tries passwords as often as this is made to wait.
    let browser = app.browser("owner@a.test").await;
    for seed in one.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let token = app.client("owner@a.test").await;
        let again = format!("seed {seed}\nagain: BERTH_SEED={seed} .ci/test --no-capture rights::fuzzed");
        // What it says itself stands above.
        let Ok(tally) = tokio::spawn(lived(world.clone(), token, browser.clone(), seed)).await else { panic!("{again}") };
        asked += tally.asked;
        for (code, status) in tally.codes {
            assert_eq!(*codes.entry(code.clone()).or_insert(status), status, "`{code}` is one status; {again}");
        }
        app.as_admin().await.get("/teams/a/services/hello/overview").await.is(200);
        // Room for the tokens of the next seed.
        let mut tx = app.db().begin().await.unwrap();
        tx.execute("UPDATE tokens SET revoked_at = 1 WHERE revoked_at IS NULL", args![]).await.unwrap();
        tx.commit().await.unwrap();
    }
    proof(
        "spoiled input",
        &format!(
            "{asked} bodies and forms of {} seeds in {} s: 0 faults, 0 without an answer, {} codes, each of one status and with a sentence",
            one.map_or(SEEDS, |_| 1),
            began.elapsed().as_secs(),
            codes.len()
        ),
    );
}
