//! Every page and every read of the API with 10,000 services and 1,000,000 runs (6), and the bytes of a first page (9).
//!
//! Each is asked of a large Berth and of a small one in turn, one request at a time and at a pace that leaves the server idle
//! two thirds of the time; a request that is late because the one before was slow counts from when it was due.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use app::model::TeamId;
use reqwest::blocking::Client;
use server::{
    args,
    store::{Query as _, services, teams},
};

use crate::{
    filled::{Filled, client, data, open, read, runtime},
    method::{Pairs, Row, Side, Table, growth, interleaved, median, quantile, said},
    support::fill,
};

/// Requests of each kind to each Berth.
const REQUESTS: usize = 150;

/// One of the two Berths, and somebody who may see everything there.
struct Asked {
    berth: Filled,
    http: Client,
    cookie: String,
    token: String,
    pages: Vec<(String, String)>,
    reads: Vec<(String, String)>,
}

impl Asked {
    fn new(services: usize) -> Self {
        let runtime = runtime();
        let berth = Filled::start(&data(&runtime, services));
        let http = client();
        let (cookie, token, sample) = (berth.cookie(&http), berth.token(), berth.sample(&runtime));
        let mut pages = sample.pages();
        for filter in ["service=service0", "actor=Person%203", "team=team0"] {
            pages.push((format!("/activity?{}", filter.split('=').next().unwrap_or_default()), format!("/activity?{filter}")));
        }
        let (runs, board) = ("/teams/team0/services/service0/runs", "/teams/team0");
        pages.push(("a later page of runs".into(), format!("{runs}?cursor={}", sample.number)));
        pages.push(("a later page of the home".into(), format!("{board}?cursor=service1")));
        Self { berth, http, cookie, token, pages, reads: sample.api() }
    }

    fn ask(&self, path: &str) {
        let request = self.http.get(format!("{}{path}", self.berth.url));
        let request = if path.starts_with("/api/") { request.bearer_auth(&self.token) } else { request.header("cookie", &self.cookie) };
        let (status, _) = read(request.send().unwrap());
        assert!(status < 400 || path.ends_with("/spent"), "{path}: {status}");
    }
}

/// Asks both in turn at an even pace.
fn paced(large: (&Asked, &str), small: (&Asked, &str)) -> Pairs {
    let began = Instant::now();
    for _ in 0..5 {
        large.0.ask(large.1);
        small.0.ask(small.1);
    }
    let pace = (began.elapsed() / 10 * 3).max(Duration::from_millis(2));
    let mut due = Instant::now();
    interleaved(REQUESTS, |side| {
        due += pace;
        sleep(due.saturating_duration_since(Instant::now()));
        let (asked, path) = if side == Side::A { large } else { small };
        asked.ask(path);
        due.elapsed().as_secs_f64()
    })
}

/// A read of one row in this process: the limit.
fn point_read() -> f64 {
    let runtime = runtime();
    let data = data(&runtime, 10_000);
    runtime.block_on(async {
        let db = open(&data).await;
        let team: TeamId = teams::id_of(&db, &fill::team(0).parse().unwrap()).await.unwrap().unwrap();
        let name = fill::service(0).parse().unwrap();
        let service = services::by_name(&db, "", &team, &name).await.unwrap().unwrap();
        let mut took = Vec::new();
        for number in 1..=2_000_u64 {
            let began = Instant::now();
            let sql = "SELECT id, state FROM runs WHERE service_id = $1 AND number = $2";
            assert!(db.fetch_opt(sql, args![&service.id, number * 37]).await.unwrap().is_some());
            took.push(began.elapsed().as_secs_f64());
        }
        db.close().await;
        median(&took)
    })
}

/// Row 6.
pub(crate) fn pages(table: &mut Table) {
    let limit = said(point_read());
    let (large, small) = (Asked::new(10_000), Asked::new(100));
    for (what, budget, of_large, of_small) in
        [("page", 0.050, &large.pages, &small.pages), ("read of the API", 0.010, &large.reads, &small.reads)]
    {
        let mut found: Vec<(f64, f64, f64, &str)> = Vec::new();
        for ((pattern, path), (_, other)) in of_large.iter().zip(of_small) {
            let pairs = paced((&large, path), (&small, other));
            let (p99, middle, before) = (quantile(&pairs.a, 0.99), median(&pairs.a), median(&pairs.b));
            let grows = growth((100.0, before), (10_000.0, middle));
            eprintln!("bench: {pattern}: p99 {}, median {} (100 services: {}), growth {grows:.2}", said(p99), said(middle), said(before));
            found.push((p99, middle, grows, pattern));
        }
        let worst = |by: fn(&(f64, f64, f64, &str)) -> f64| found.iter().max_by(|a, b| by(a).total_cmp(&by(b))).unwrap();
        let (slow, grown) = (worst(|one| one.0), worst(|one| one.2));
        let middle = median(&found.iter().map(|one| one.1).collect::<Vec<_>>());
        table.add(Row {
            number: "6",
            what: format!("slowest {what} of {}, p99", found.len()),
            limit: limit.clone(),
            figure: format!("{} ({}); median of all {}", said(slow.0), slow.3, said(middle)),
            budget: format!("< {} ms", budget * 1e3),
            met: Some(slow.0 < budget),
        });
        table.add(Row {
            number: "6",
            what: format!("growth of any {what}, 100 to 10,000 services"),
            limit: "0".into(),
            figure: format!("{:.2} ({})", grown.2, grown.3),
            budget: "< 0.2".into(),
            met: Some(grown.2 < 0.2),
        });
    }
}

/// Row 9.
pub(crate) fn bytes(table: &mut Table) {
    let asked = Asked::new(100);
    let get = |path: &str, coding: &str| {
        let request =
            asked.http.get(format!("{}{path}", asked.berth.url)).header("cookie", &asked.cookie).header("accept-encoding", coding);
        request.send().unwrap()
    };
    let html = get("/teams/team0", "identity").text().unwrap();
    let kib = |bytes: usize| bytes as f64 / 1_024.0;
    let sent = |path: &str, coding: &str| kib(read(get(path, coding)).1);
    let named = |end: &str| {
        let at = html.find(end).unwrap_or_default();
        let begin = html[..at].rfind("/pkg/").unwrap_or(at);
        html[begin..].split(['"', '\'', '&']).next().unwrap_or_default().to_owned()
    };
    let wasm = named(".wasm");
    for (what, path, coding, most) in [
        ("CSS as sent (gzip)", named(".css"), "gzip", 15.0),
        ("WebAssembly as sent (gzip), after first paint", wasm, "gzip", 200.0),
        ("HTML of a home with 50 services, as sent (gzip)", "/teams/team0".into(), "gzip", f64::INFINITY),
    ] {
        let (bare, figure) = (sent(&path, "identity"), sent(&path, coding));
        table.add(Row {
            number: "9",
            what: what.into(),
            limit: format!("{bare:.1} KiB plain"),
            figure: if path.is_empty() { "not built in".into() } else { format!("{figure:.1} KiB") },
            budget: if most.is_finite() { format!("< {most} KiB") } else { String::new() },
            met: (most.is_finite() && !path.is_empty()).then_some(figure < most),
        });
    }
}
