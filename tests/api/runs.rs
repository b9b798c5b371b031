//! The list of runs, narrowed: by state, branch, person, title or commit, and all of them together; on both databases.

use serde_json::Value;
use server::args;

use crate::support::app::TestApp;

/// Runs of `hello` as rows: state, branch, who, title, beginning of the commit; numbered from 1.
const RUNS: [(&str, &str, &str, &str, &str); 5] = [
    ("passed", "main", "ada", "Say hello", "0a1b"),
    ("failed", "main", "bob", "Price rules, 100 % right", "ff00"),
    ("failed", "topic/x", "ada", "Fix a_b", "0a1c"),
    ("queued", "topic/x", "bob", "Fix axb", "1234"),
    ("passed", "main", "ada", "0a1b is no commit here", "9999"),
];

async fn journey(app: TestApp) {
    let owner = app.client("owner@a.test").await;
    for name in ["hello", "other"] {
        owner.post("/teams/a/services", serde_json::json!({"name": name})).await.is(201);
    }
    let mut tx = app.db().begin().await.unwrap();
    for (at, (state, branch, by, title, commit)) in RUNS.into_iter().enumerate() {
        let sql = "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline, created_at)
            SELECT $1, s.team_id, s.id, $2, $3, $4, $5, 'a', $6, $7, 'r', 'null', 0 FROM services s WHERE s.name = 'hello'";
        let commit = format!("{commit}{}", "0".repeat(36));
        tx.execute(sql, args![format!("run{at}"), at + 1, state, commit, title, branch, by]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let list = async |query: &str| {
        let answer = owner.get(&format!("/teams/a/services/hello/runs?{query}")).await.is(200);
        let numbers = answer["items"].as_array().unwrap().iter().map(|run| run["number"].as_u64().unwrap()).collect::<Vec<_>>();
        (numbers, answer["next"].as_str().map(str::to_owned))
    };
    for (query, wanted) in [
        ("", vec![5, 4, 3, 2, 1]),
        ("state=failed", vec![3, 2]),
        ("state=failed&branch=main", vec![2]),
        ("branch=topic/x", vec![4, 3]),
        ("branch=topic", vec![]),
        ("by=ada", vec![5, 3, 1]),
        ("by=ada&state=passed&text=hello", vec![1]),
        ("text=PRICE", vec![2]),
        // A title that holds it, or a commit that begins like it; what means something to a database is only a letter.
        ("text=0A1B", vec![5, 1]),
        ("text=0a1", vec![5, 3, 1]),
        ("text=a_b", vec![3]),
        ("text=100%20%25", vec![2]),
        ("text=%27%20OR%201=1", vec![]),
        ("text=&branch=&by=", vec![5, 4, 3, 2, 1]),
    ] {
        assert_eq!(list(query).await.0, wanted, "{query}");
    }
    let (first, next) = list("by=ada&limit=2").await;
    assert_eq!(first, [5, 3]);
    assert_eq!(list(&format!("by=ada&limit=2&cursor={}", next.unwrap())).await, (vec![1], None));
    let none: Value = owner.get("/teams/a/services/other/runs?state=failed").await.is(200);
    assert_eq!(none["items"], serde_json::json!([]), "of another service");
    owner.get("/teams/a/services/hello/runs?state=bad").await.refused(422, "invalid_query");
    app.client("owner@b.test").await.get("/teams/a/services/hello/runs?by=ada").await.refused(404, "unknown_team");
}

async fn prepared(app: TestApp) -> TestApp {
    app.with_team("a").await.with_team("b").await
}

#[tokio::test]
async fn runs_are_narrowed_on_sqlite() {
    journey(prepared(TestApp::new().await).await).await;
}

#[tokio::test]
async fn runs_are_narrowed_on_postgres() {
    journey(prepared(TestApp::on_postgres().await).await).await;
}
