//! `/metrics`: who may read it, what it says, and that it stays small.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{NewToken, Scope};
use server::platform::fake::Behaviour;

use crate::support::{
    app::{ADMIN, TestApp},
    berth::{Harbour, until},
    proof,
};

/// The samples of a text in the format of OpenMetrics, which is held to its rules on the way.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut families, mut samples) = (BTreeMap::new(), BTreeMap::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            assert!(lines.peek().is_none(), "nothing follows the end");
            return samples;
        }
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} comes twice");
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let name = series.split('{').next().unwrap();
        let suffixes = ["", "_total", "_bucket", "_count", "_sum", "_info"];
        let family = suffixes.iter().find_map(|suffix| families.get(name.strip_suffix(suffix)?));
        assert!(family.is_some(), "{name} belongs to no family");
        assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} comes twice");
    }
    panic!("the end is missing");
}

fn sum(samples: &BTreeMap<String, f64>, begin: &str) -> f64 {
    samples.iter().filter(|(series, _)| series.starts_with(begin)).map(|(_, value)| value).sum()
}

async fn scrape(harbour: &Harbour) -> BTreeMap<String, f64> {
    let token = NewToken { name: "prometheus".into(), scopes: vec![Scope::Metrics], team: None, days: None };
    let secret = harbour.berth.backend.tokens.create(&harbour.owner, token).await.unwrap().secret;
    let answer = reqwest::Client::new().get(format!("{}/metrics", harbour.berth.config.url)).bearer_auth(secret).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    read(&answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_with_the_scope_reads_it() {
    let app = TestApp::new().await.with_team("a").await;
    let mut asked = 0;
    let mut refused = async |client: crate::support::app::Client, status: u16, code: &str| {
        asked += 1;
        client.get("/metrics").await.refused(status, code);
    };
    refused(app.anonymous(), 401, "not_signed_in").await;
    refused(app.bearer("berth_nonsense"), 401, "bad_token").await;
    for person in ["viewer@a.test", "developer@a.test", "owner@a.test"] {
        refused(app.client(person).await, 403, "forbidden").await;
    }
    let others: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Metrics).collect();
    refused(app.scoped(ADMIN, &others).await, 403, "missing_scope").await;
    let admin = app.as_admin().await;
    let bound = serde_json::json!({"name": "bound", "scopes": ["metrics"], "team": "a"});
    let secret = admin.post("/tokens", bound).await.is(201)["secret"].as_str().unwrap().to_owned();
    refused(app.bearer(&secret), 403, "token_bound").await;
    refused(app.anonymous().with("x-forwarded-for", "127.0.0.1"), 401, "not_signed_in").await;

    let prometheus = app.scoped(ADMIN, &[Scope::Metrics]).await;
    let answer = prometheus.get("/metrics").await;
    assert_eq!(answer.status, 200);
    read(&answer.text);
    for (path, code) in [("/teams", "missing_scope"), ("/people", "missing_scope"), ("/hosts", "missing_scope")] {
        prometheus.get(path).await.refused(403, code);
    }
    proof("metrics rights", &format!("{asked} actors refused; the scope `metrics` opens the figures and nothing else"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_counted() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    harbour.fake.set_image("broken:1", Behaviour::crashing(1));
    harbour.deployed("dev", "hello:1").await;
    harbour.deployed("dev", "broken:1").await;
    for _ in 0..20 {
        assert_eq!(harbour.ask("dev").await.0, 200);
    }
    assert_eq!(crate::support::berth::ask(&harbour.berth, "nobody.example.org").await.0, 404);
    let url = &harbour.berth.config.url;
    for n in 0..30 {
        let path = format!("{url}/api/v1/teams/strange-{n}?secret={n}");
        assert_eq!(reqwest::get(path).await.unwrap().status(), 401);
        assert_eq!(reqwest::get(format!("{url}/wp-admin-{n}.php")).await.unwrap().status(), 404);
    }
    let samples = until("the edge has counted the last request", async || {
        let samples = scrape(&harbour).await;
        (sum(&samples, "berth_edge_open_requests") == 0.0).then_some(samples)
    })
    .await;
    let at_least = |begin: &str, least: f64| assert!(sum(&samples, begin) >= least, "{begin}: {} < {least}", sum(&samples, begin));
    for (begin, least) in [
        ("berth_http_requests_total{method=\"GET\",route=\"/api/v1/teams/{team}\",code=\"4xx\"}", 30.0),
        ("berth_http_request_seconds_count{route=\"/api/v1/teams/{team}\"}", 30.0),
        ("berth_edge_requests_total{service=\"hello-demo.dev.localhost\",code=\"2xx\"}", 20.0),
        ("berth_edge_requests_total{service=\"none\",code=\"4xx\"}", 1.0),
        ("berth_edge_pages_total{why=\"unknown_address\"}", 1.0),
        ("berth_edge_request_seconds_count{code=\"2xx\"}", 20.0),
        ("berth_edge_connections{protocol=\"http/1\"}", 0.0),
        ("berth_rollouts_total{result=\"succeeded\"}", 1.0),
        ("berth_rollouts_total{result=\"failed\"}", 1.0),
        ("berth_rollout_seconds_count", 2.0),
        ("berth_rollout_wait_seconds_count", 2.0),
        ("berth_store_transactions_total{outcome=\"committed\"}", 10.0),
        ("berth_store_transactions_begun_total", 10.0),
        ("berth_store_wait_seconds_count", 10.0),
        ("berth_task_passes_total{task=\"keep\",outcome=\"ok\"}", 1.0),
        ("berth_task_passes_total{task=\"rollouts\",outcome=\"ok\"}", 1.0),
        ("berth_task_passes_total{task=\"edge\",outcome=\"ok\"}", 1.0),
        ("berth_lease_held{duty=\"keep\"}", 1.0),
        ("berth_instances{state=\"serving\"}", 1.0),
        ("berth_things{kind=\"services\"}", 1.0),
        ("berth_up{part=\"store\"}", 1.0),
        ("berth_up{part=\"engine\"}", 1.0),
        ("berth_up{part=\"edge\"}", 1.0),
        ("berth_build_info", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
        ("process_open_fds", 5.0),
    ] {
        at_least(begin, least);
    }
    let routes: BTreeSet<&str> = samples.keys().filter_map(|series| series.split("route=\"").nth(1)?.split('"').next()).collect();
    assert!(!routes.iter().any(|route| route.contains("strange") || route.contains("wp-admin") || route.contains('?')), "{routes:?}");
    proof("metrics", &format!("{} series of {} routes after 60 made-up addresses, all well-formed", samples.len(), routes.len()));
}
