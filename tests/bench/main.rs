//! What the pure hot paths cost: `make bench`. No network, no disk, one thread. Row 0 is what the work cannot go below on
//! this machine: one look into a hash map of the same size. Each figure is the median of 31 rounds, with the middle half
//! of the rounds beside it, so that a noisy machine shows.

use std::{collections::HashMap, hint::black_box, net::SocketAddr, time::Instant};

use app::model::{TargetId, Timestamp};
use server::{
    edge::table::{self, Table},
    pipelines::file,
    store::{backends::BackendRow, routes::EdgeRoute},
};

const ROUNDS: usize = 31;

fn main() {
    // `cargo test --benches` and the like only want to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{:<52} {:>12}   middle half", "", "median");
    for routes in [1, 10_000] {
        let hosts = hosts(routes);
        let limit: HashMap<&str, usize> = hosts.iter().enumerate().map(|(place, host)| (host.as_str(), place)).collect();
        each(&format!("row 0: hash map, {routes} names"), &hosts, |host| limit.get(host).copied());
        let table = table_of(&hosts);
        each(&format!("edge: find host and path, {routes} routes"), &hosts, |host| table.find(host, "/orders/41"));
    }
    let hosts = hosts(10_000);
    let (routes, backends) = rows(&hosts);
    once("edge: build the table anew, 10,000 routes", || table::build(&routes, &backends));
    let sample = include_str!("../fixtures/hello/berth.yaml");
    once("berth.yaml: check the sample's", || file::lint(sample));
}

fn hosts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("service{n}-team{}.production.apps.example.org", n % 100)).collect()
}

fn rows(hosts: &[String]) -> (Vec<EdgeRoute>, Vec<BackendRow>) {
    let target = |n: usize| TargetId::from_text(format!("target-{n}"));
    let route = |(n, host): (usize, &String)| EdgeRoute { host: host.clone(), path: "/".into(), target: target(n) };
    let backend = |n: usize| BackendRow {
        target: target(n),
        release: 1,
        process: "web".into(),
        slot: 0,
        address: SocketAddr::from(([10, 0, 0, 1], 8_080)),
        since: Timestamp(0),
        draining_since: None,
    };
    (hosts.iter().enumerate().map(route).collect(), (0..hosts.len()).map(backend).collect())
}

fn table_of(hosts: &[String]) -> Table {
    let (routes, backends) = rows(hosts);
    table::build(&routes, &backends)
}

/// The cost of one call, over calls with every input in turn.
fn each<T>(name: &str, inputs: &[String], mut work: impl FnMut(&str) -> T) {
    let calls = 200_000_usize.div_ceil(inputs.len()) * inputs.len();
    let round = || {
        let began = Instant::now();
        for call in 0..calls {
            // A stride that is prime to the count: neighbours in memory do not follow each other.
            black_box(work(black_box(&inputs[call.wrapping_mul(7_919) % inputs.len()])));
        }
        began.elapsed().as_secs_f64() / calls as f64
    };
    report(name, round);
}

/// The cost of one call.
fn once<T>(name: &str, mut work: impl FnMut() -> T) {
    report(name, || {
        let began = Instant::now();
        black_box(work());
        began.elapsed().as_secs_f64()
    });
}

fn report(name: &str, mut round: impl FnMut() -> f64) {
    round();
    let mut seconds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    seconds.sort_by(f64::total_cmp);
    let at = |part: usize| said(seconds[ROUNDS * part / 4]);
    println!("{name:<52} {:>12}   {} to {}", at(2), at(1), at(3));
}

fn said(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s => format!("{:.2} ms", s * 1e3),
    }
}
