//! What a thousand sign-ins at once do to everybody who is signed in already. They come from another process, on another core.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::blocking::Client;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    filled::{Filled, client, data, read, runtime},
    method::{Row, Table, median, quantile, said},
};

const PARALLEL: usize = 1_000;
const ROUNDS: usize = 5;
/// Between two reads.
const PACE: Duration = Duration::from_millis(5);
/// Reads while nobody signs in, and the fewest while all do.
const QUIET: usize = 400;
const FEWEST: usize = 100;

/// How long reads take, each from when it was due, while `going` says so.
fn reads(http: &Client, (url, token): (&str, &str), mut going: impl FnMut(usize) -> bool) -> Vec<f64> {
    let (mut took, mut due) = (Vec::new(), Instant::now());
    while going(took.len()) {
        due += PACE;
        sleep(due.saturating_duration_since(Instant::now()));
        let (status, _) = read(http.get(url).bearer_auth(token).send().unwrap());
        assert_eq!(status, 200);
        took.push(due.elapsed().as_secs_f64());
        due = due.max(Instant::now());
    }
    took
}

/// What the thousand sign in from: it gives way to who measures, whose waiting for a core is not the server's doing.
fn crowd() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).on_thread_start(|| _ = rustix::process::nice(19)).enable_all().build().unwrap()
}

/// The row `logins`.
pub(crate) fn run(table: &mut Table) {
    let (runtime, crowd) = (runtime(), crowd());
    let berth = Filled::start(&data(&runtime, 100));
    let (http, token) = (client(), berth.token());
    let (me, login) = (format!("{}/api/v1/me", berth.url), format!("{}/api/v1/actions/login", berth.url));
    let many = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    reads(&http, (&me, &token), |n| n < 100);
    let (mut quiet, mut storm, mut factors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut checked, mut late) = (0, 0);
    for round in 0..ROUNDS {
        let before = reads(&http, (&me, &token), |n| n < QUIET);
        let one = |n: usize| {
            // Each from an address of its own: the limit of one address is not what is tried here.
            let address = format!("10.{round}.{}.{}", n / 250, n % 250);
            let body = json!({ "email": format!("p{round}-{n}@example.com"), "password": "a wrong password" });
            let request = many.post(&login).header("x-forwarded-for", address).json(&body);
            async move { request.send().await.map_or(0, |answer| answer.status().as_u16()) }
        };
        let logins = crowd.spawn(join_all((0..PARALLEL).map(one).collect::<Vec<_>>()));
        let meanwhile = reads(&http, (&me, &token), |n| n < FEWEST || !logins.is_finished());
        let answers = runtime.block_on(logins).unwrap();
        checked += answers.iter().filter(|status| **status == 401).count();
        late += answers.iter().filter(|status| **status == 503).count();
        factors.push(quantile(&meanwhile, 0.99) / quantile(&before, 0.99));
        quiet.extend(before);
        storm.extend(meanwhile);
    }
    assert!(checked > ROUNDS && checked + late == PARALLEL * ROUNDS, "{checked} checked, {late} told to come back");
    let factor = median(&factors);
    table.add(Row {
        number: "logins",
        what: format!("p99 of a read while {PARALLEL} people sign in at once, {ROUNDS} rounds"),
        limit: format!("nobody does: {}", said(quantile(&quiet, 0.99))),
        figure: format!("{}: {factor:.2} × ({checked} checked, {late} told to come back)", said(quantile(&storm, 0.99))),
        budget: "≤ 2 ×".into(),
        met: Some(factor <= 2.0),
    });
}
