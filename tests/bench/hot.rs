//! What the pure hot paths cost: no network, no disk, one thread. Row 0 is what the work cannot go below on this machine: one
//! look into a hash map of the same size. Each figure is the median of 31 rounds, with the middle half of the rounds beside
//! it, so that a noisy machine shows.

use std::{collections::HashMap, hint::black_box, net::SocketAddr, time::Instant};

use app::model::{TargetId, Timestamp};
use server::{
    edge::table::{self, Table as EdgeTable},
    pipelines::{file, select::Watched},
    store::{backends::BackendRow, routes::EdgeRoute},
};

use crate::method::{Row, Table, quantile, said};

const ROUNDS: usize = 31;

pub(crate) fn run(table: &mut Table) {
    for routes in [1, 10_000] {
        let hosts = hosts(routes);
        let limit: HashMap<&str, usize> = hosts.iter().enumerate().map(|(place, host)| (host.as_str(), place)).collect();
        let row_0 = each(&hosts, |host| limit.get(host).copied());
        let edge = table_of(&hosts);
        let figure = each(&hosts, |host| edge.find(host, "/orders/41"));
        table.add(row(&format!("edge: find host and path, {routes} routes"), row_0, figure));
    }
    let hosts = hosts(10_000);
    let (routes, backends) = rows(&hosts);
    table.add(row("edge: build the table anew, 10,000 routes", String::new(), once(|| table::build(&routes, &backends))));
    let sample = include_str!("../fixtures/hello/berth.yaml");
    table.add(row("berth.yaml: check the sample's", String::new(), once(|| file::lint(sample))));
    table.add(selection());
}

/// A push of 10,000 changed files in a repository of 200 services, each with a folder, a library and a kind of file.
fn selection() -> Row {
    let service = |n| format!("  s{n}: {{ path: services/s{n}, watch: [\"libs/l{}/**\", \"schemas/**/s{n}-*.json\"] }}\n", n % 40);
    let text: String = (0..200).map(service).collect();
    let file = file::parse(&format!("version: 1\nservices:\n{text}")).unwrap();
    let path = |n: usize| match n % 4 {
        0 => format!("services/s{}/src/module{}/file{n}.rs", n % 200, n % 7),
        1 => format!("libs/l{}/src/deep/down/file{n}.rs", n % 40),
        2 => format!("schemas/v{}/s{}-{n}.json", n % 9, n % 200),
        _ => format!("elsewhere/file{n}"),
    };
    let paths: Vec<String> = (0..10_000).map(path).collect();
    let select = || {
        let watched = Watched::new(file.services.values());
        let mut seen = watched.nothing();
        paths.iter().for_each(|path| watched.see(path, &mut seen));
        seen
    };
    let mut slowest = 0.0_f64;
    let figure = once(|| {
        let began = Instant::now();
        let seen = select();
        slowest = slowest.max(began.elapsed().as_secs_f64());
        seen
    });
    let met = Some(slowest < 0.05);
    Row { budget: "< 50 ms".into(), met, ..row("selection: 10,000 changed files, 200 services", String::new(), figure) }
}

fn row(what: &str, limit: String, figure: String) -> Row {
    Row { number: "hot", what: what.to_owned(), limit, figure, ..Row::default() }
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

fn table_of(hosts: &[String]) -> EdgeTable {
    let (routes, backends) = rows(hosts);
    table::build(&routes, &backends)
}

/// The cost of one call, over calls with every input in turn.
fn each<T>(inputs: &[String], mut work: impl FnMut(&str) -> T) -> String {
    let calls = 200_000_usize.div_ceil(inputs.len()) * inputs.len();
    let round = || {
        let began = Instant::now();
        for call in 0..calls {
            // A stride that is prime to the count: neighbours in memory do not follow each other.
            black_box(work(black_box(&inputs[call.wrapping_mul(7_919) % inputs.len()])));
        }
        began.elapsed().as_secs_f64() / calls as f64
    };
    report(round)
}

/// The cost of one call.
fn once<T>(mut work: impl FnMut() -> T) -> String {
    report(|| {
        let began = Instant::now();
        black_box(work());
        began.elapsed().as_secs_f64()
    })
}

fn report(mut round: impl FnMut() -> f64) -> String {
    round();
    let seconds: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    let at = |part: f64| said(quantile(&seconds, part));
    format!("{} ({} to {})", at(0.5), at(0.25), at(0.75))
}
