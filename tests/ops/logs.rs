//! The log of a Berth as a process of its own: one line a request, ids on every effect, causes once, no secret.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::{Value, json};
use server::{
    args,
    store::{Db, Query as _},
};

use crate::support::{berth::within, process::Process, proof};

/// What must never be in a log.
const CANARY: &str = "canary-7f3a9c";

/// Every line of the log that was kept.
fn lines(berth: &Process) -> Vec<Value> {
    let text = fs::read_to_string(berth.folder.path().join("berth.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The line of the request with this id, once it is there.
async fn line_of(berth: &Process, id: &str) -> Value {
    within(Duration::from_secs(10), "the request has its line", async || {
        let all = lines(berth);
        let mut mine = all.into_iter().filter(|line| line["message"] == "answered" && line["span"]["id"] == id);
        let first = mine.next()?;
        assert!(mine.next().is_none(), "{id} has two lines");
        Some(first)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_one_line_and_no_secret_is_in_any() {
    let berth = Process::new().await;
    let (url, http) = (format!("http://{}", berth.console), reqwest::Client::new());
    let as_ada = |request: reqwest::RequestBuilder| request.bearer_auth(berth.token());
    let config = format!("{url}/api/v1/teams/demo/services/hello/targets/dev/config");
    let asked = [
        (as_ada(http.get(format!("{url}/api/v1/teams/demo?secret={CANARY}"))), "/api/v1/teams/{team}", 200),
        (http.get(format!("{url}/api/v1/me")).bearer_auth(CANARY), "/api/v1/me", 401),
        (http.get(format!("{url}/sign-in/{CANARY}")), "/sign-in/{token}", 200),
        (http.get(format!("{url}/nothing/{CANARY}")), "none", 404),
        (
            http.post(format!("{url}/api/v1/actions/login")).json(&json!({"email": "ada@example.com", "password": CANARY})),
            "/api/v1/actions/login",
            401,
        ),
        (
            as_ada(http.patch(&config)).json(&json!({"set": {"SECRET": CANARY}})),
            "/api/v1/teams/{team}/services/{service}/targets/{environment}/config",
            200,
        ),
        (as_ada(http.post(format!("{url}/api/v1/teams"))).json(&json!({"name": format!("{CANARY} X")})), "/api/v1/teams", 422),
        (as_ada(http.post(format!("{url}/api/v1/teams"))).body(format!("{{{CANARY}")), "/api/v1/teams", 422),
        (
            http.get(format!("{url}/git/demo/hello.git/info/refs?service=git-upload-pack")).basic_auth("x", Some(CANARY)),
            "/git/{team}/{repository}/info/refs",
            401,
        ),
    ];
    let count = asked.len();
    for (request, route, status) in asked {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{route}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let line = line_of(&berth, &id).await;
        assert_eq!((line["span"]["route"].as_str(), line["status"].as_u64()), (Some(route), Some(u64::from(status))), "{line}");
        assert!(line["ms"].as_f64().unwrap() > 0.0 && line["span"]["method"].is_string(), "{line}");
        let known = [200, 422].contains(&status) && route.starts_with("/api/v1/team");
        assert_eq!(line["user"].is_string() && line["token"].is_string(), known, "{line}");
    }

    let text: String = ["berth.log"].map(|name| fs::read_to_string(berth.folder.path().join(name)).unwrap()).concat();
    assert!(!text.contains(CANARY), "{}", text.lines().find(|line| line.contains(CANARY)).unwrap_or_default());
    assert!(!text.contains("correct horse") && !text.contains(berth.token()));
    assert!(!text.contains("called delete with no session id"));
    proof(
        "log of requests",
        &format!("{count} requests with a secret in path, query, header or body: one line each, 0 secrets in the log"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cause_is_logged_once_under_the_id_the_client_got() {
    let berth = Process::new().await;
    let db = Db::open(&format!("sqlite:{}", berth.folder.path().join("berth.db").display())).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("UPDATE config_sets SET variables = 'v1.garbage'", args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(db.fetch_opt("SELECT id FROM config_sets", args![]).await.unwrap().is_some());
    db.close().await;
    let url = format!("http://{}/api/v1/teams/demo/services/hello/targets/dev/config", berth.console);
    let answer = reqwest::Client::new().get(url).bearer_auth(berth.token()).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let problem: Value = answer.json().await.unwrap();
    let id = problem["request_id"].as_str().unwrap();
    assert_eq!(line_of(&berth, id).await["status"], 500);
    let lines = lines(&berth);
    let told: Vec<&Value> = lines.iter().filter(|line| line["span"]["id"] == id && line["message"] != "answered").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0]["level"].as_str(), told[0]["cause"].as_str()), (Some("ERROR"), Some("a sealed value does not open")));
    assert!(!problem.to_string().contains("sealed"), "the cause stays here: {problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollout_does_carries_its_ids() {
    let berth = Process::new().await;
    let path = "/teams/demo/services/hello/targets/dev/actions/deploy";
    let change = berth.post(path, json!({"image": "nowhere.invalid/nothing:1"})).await;
    let id = change["rollout"].as_str().unwrap();
    within(Duration::from_secs(10), "the rollout is taken up", async || {
        let taken = lines(&berth).into_iter().find(|line| line["message"] == "taken up" && line["span"]["rollout"] == id)?;
        let ids: BTreeSet<&str> = ["rollout", "target", "release"].into_iter().filter(|name| taken["span"][name].is_string()).collect();
        assert_eq!(ids.len(), 3, "{taken}");
        Some(())
    })
    .await;
}
