//! The search: only what one may see, best first, in a bounded number; and what refuses a browser is a page.

use serde_json::{Value, json};
use server::args;

use crate::support::app::TestApp;

/// What was found, a word each: `service hello`, `target hello staging`, `team a`.
fn said(found: &Value) -> Vec<String> {
    let word = |one: &Value, key: &str| one[key].as_str().map(|word| format!(" {word}")).unwrap_or_default();
    let line = |one: &Value| {
        let name = if one["service"].is_null() { word(one, "team") } else { word(one, "service") };
        format!("{}{name}{}", one["kind"].as_str().unwrap(), word(one, "environment"))
    };
    found.as_array().unwrap().iter().map(line).collect()
}

async fn furnished(app: TestApp) -> TestApp {
    let app = app.with_team("shop").await.with_team("bank").await;
    let owner = app.client("owner@shop.test").await;
    for (name, says) in [("orders", "takes orders"), ("border", "draws a 100%_line"), ("catalog", "what there is to buy")] {
        let body = json!({"name": name, "description": says, "environments": ["dev", "staging"]});
        owner.post("/teams/shop/services", body).await.is(201);
    }
    let other = app.client("owner@bank.test").await;
    other.post("/teams/bank/services", json!({"name": "orders"})).await.is(201);
    app
}

async fn finds(app: TestApp) {
    let app = furnished(app).await;
    let owner = app.client("owner@shop.test").await;
    for (query, wanted) in [
        ("ord", vec!["service orders", "service border"]),
        ("rdrs", vec!["service orders"]),
        ("shop/cat", vec!["service catalog"]),
        ("SHOP", vec!["team shop", "service border", "service orders", "service catalog"]),
        ("buy", vec!["service catalog"]),
        ("%25_", vec!["service border"]),
        ("orders stag", vec!["target orders staging"]),
        ("staging", vec!["target border staging", "target orders staging", "target catalog staging"]),
        ("orders%2099", vec![]),
        ("xyz", vec![]),
        ("%00", vec!["service border", "service orders", "service catalog", "team shop"]),
    ] {
        let found = owner.get(&format!("/search?q={query}")).await.is(200);
        let mut said = said(&found);
        if query == "%00" {
            said.sort();
            let mut wanted = wanted;
            wanted.sort_unstable();
            assert_eq!(said, wanted, "{query}");
            continue;
        }
        assert_eq!(said, wanted, "{query}");
        assert!(found.as_array().unwrap().iter().all(|one| one["team"] == "shop"), "of another team: {found}");
    }
    assert_eq!(owner.get("/search?q=o&limit=1").await.is(200).as_array().unwrap().len(), 1);
    let everybody = app.as_admin().await.get("/search?q=orders").await.is(200);
    assert_eq!(said(&everybody), ["service orders", "service orders"], "administrators see every team");
    app.anonymous().get("/search?q=orders").await.refused(401, "not_signed_in");

    // A run is found by the beginning of its commit, by whom it may be.
    let mut tx = app.db().begin().await.unwrap();
    for (team, commit) in [("shop", "0a1b2c3d"), ("bank", "0a1b2c3e")] {
        let sql = "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, created_at)
            SELECT $1, s.team_id, s.id, 7, 'passed', $2, 't', 'a', 'main', 'p', 'r', 'null', 0
              FROM services s JOIN teams t ON t.id = s.team_id WHERE t.name = $1 AND s.name = 'orders'";
        tx.execute(sql, args![team, format!("{commit}{}", "0".repeat(32))]).await.unwrap();
    }
    tx.commit().await.unwrap();
    for (query, found) in
        [("0A1B2C", true), ("0a1b2c3d00", true), ("orders%200a1b2c3", true), ("cat%200a1b2c3", false), ("0a1b2c3e", false)]
    {
        let answer = owner.get(&format!("/search?q={query}")).await.is(200);
        let run = answer.as_array().unwrap().first().map(|one| (one["team"].as_str().unwrap().to_owned(), one["run"].as_u64()));
        assert_eq!(run, found.then(|| ("shop".to_owned(), Some(7))), "{query}");
    }
    assert_eq!(app.as_admin().await.get("/search?q=0a1b2c").await.is(200).as_array().unwrap().len(), 2);

    // A slip of the hand is guessed, among what may be seen alone.
    let sentence = owner.get("/teams/shop/services/oders").await.refused(404, "unknown_service");
    assert!(sentence.contains("Did you mean `orders`?"), "{sentence}");
    let sentence = owner.get("/teams/bank/services/oders").await.refused(404, "unknown_team");
    assert!(!sentence.contains("orders"), "{sentence}");
}

#[tokio::test]
async fn it_finds_what_may_be_seen() {
    finds(TestApp::new().await).await;
}

#[tokio::test]
async fn it_finds_the_same_on_postgres() {
    finds(TestApp::on_postgres().await).await;
}

#[tokio::test]
async fn a_browser_is_refused_with_a_page() {
    let app = TestApp::new().await;
    let http = reqwest::Client::new();
    let ask = async |accept: &str, language: &str| {
        let request = http.post(format!("{}/login", app.url())).header("sec-fetch-site", "cross-site").header("accept", accept);
        let answer = request.header("accept-language", language).body("a=b").send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let policy = answer.headers().contains_key("content-security-policy") && answer.headers().contains_key("x-request-id");
        assert!(policy, "as every answer");
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let (status, kind, text) = ask("text/html,application/xhtml+xml", "en").await;
    assert_eq!((status, kind.as_str()), (403, "text/html; charset=utf-8"));
    assert!(text.contains("This request came from another site") && text.contains("<main id=\"main\">"), "{text}");
    let (_, _, text) = ask("text/html", "ko-KR").await;
    assert!(text.contains("다른 사이트에서 온 요청이라 거절했어요"), "{text}");
    let (status, kind, text) = ask("*/*", "en").await;
    assert_eq!((status, kind.as_str()), (403, "application/problem+json"));
    assert!(text.contains("cross_origin"));

    // The API answers programs, whoever asks.
    let answer = http.get(format!("{}/api/v1/me", app.url())).header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
