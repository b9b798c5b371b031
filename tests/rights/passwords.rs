//! A thousand sign-ins at once: the API goes on answering, who is too late is told so, and guessing is not free.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::support::{
    app::{Client, PASSWORD, TestApp},
    proof,
};

const PARALLEL: usize = 1_000;
const ROUNDS: usize = 3;
/// Figures of a timed thing on a machine with other work: only what no noise explains fails.
const FAR_TOO_SLOW: Duration = Duration::from_millis(500);

/// How long reads take, one after the other, while `going` says so.
async fn reads(client: &Client, mut going: impl FnMut(usize) -> bool) -> Vec<Duration> {
    let mut took = Vec::new();
    while going(took.len()) {
        let began = Instant::now();
        client.get("/me").await.is(200);
        took.push(began.elapsed());
    }
    took
}

fn p99(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[(took.len() * 99 / 100).min(took.len() - 1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_sign_ins_leave_room_for_everybody_else() {
    // Each from an address of its own: the limit of one address is not what is tried here.
    let app = TestApp::set_up(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await.with_team("a").await;
    let reader = app.client("viewer@a.test").await;
    let (mut quiet, mut storm) = (Vec::new(), Vec::new());
    let (mut checked, mut late, mut others) = (0, 0, 0);
    let nobody = app.anonymous();
    reads(&reader, |n| n < 100).await;
    for round in 0..ROUNDS {
        quiet.extend(reads(&reader, |n| n < 300).await);
        let logins = join_all((0..PARALLEL).map(|n| {
            let address = format!("10.{round}.{}.{}", n / 250, n % 250);
            let client = nobody.clone().with("x-forwarded-for", &address);
            tokio::spawn(async move {
                client.post("/actions/login", json!({"email": format!("p{round}-{n}@a.test"), "password": "a wrong password"})).await
            })
        }));
        let logins = tokio::spawn(logins);
        storm.extend(reads(&reader, |n| n < 10 || !logins.is_finished()).await);
        for answer in logins.await.unwrap() {
            let answer = answer.unwrap();
            match answer.status {
                401 => checked += 1,
                503 => {
                    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                    assert!(answer.refused(503, "busy").contains("Try again"));
                    late += 1;
                }
                _ => others += 1,
            }
        }
    }
    assert_eq!((checked + late, others), (PARALLEL * ROUNDS, 0));
    assert!(checked > 0 && late > 0, "{checked} checked, {late} late: the queue is neither closed nor endless");
    let good = app.anonymous().post("/actions/login", json!({"email": "viewer@a.test", "password": PASSWORD})).await;
    assert_eq!(good.status, 201, "{}", good.text);
    let (quiet, samples, storm) = (p99(&mut quiet), storm.len(), p99(&mut storm));
    let factor = storm.as_secs_f64() / quiet.as_secs_f64();
    proof(
        "passwords",
        &format!(
            "{ROUNDS} × {PARALLEL} parallel logins ({checked} checked, {late} told to come back): p99 of reads {:.1} ms quiet, {:.1} ms meanwhile ({factor:.1} ×, {samples} samples)",
            quiet.as_secs_f64() * 1e3,
            storm.as_secs_f64() * 1e3,
        ),
    );
    assert!(storm < FAR_TOO_SLOW.max(quiet * 10), "{storm:?} against {quiet:?}");
}
