//! Figures for Prometheus. Whoever does something notes it here with one call; [`text`] writes everything down.
//!
//! One set a process, as the log is. No label is taken from outside: a route is noted by its pattern, and services at the edge
//! are told apart up to [`SERVICES`] of them.

use std::{
    borrow::Cow,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

pub use super::now::Now;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many services the edge tells apart; the ones beyond are `other` together.
pub const SERVICES: usize = 500;

type Label = (&'static str, Cow<'static, str>);
type Counters<const N: usize> = Family<[Label; N], Counter>;
type Gauges<const N: usize> = Family<[Label; N], Gauge>;
type Histograms<const N: usize> = Family<[Label; N], Histogram, fn() -> Histogram>;

fn label(name: &'static str, value: impl Into<Cow<'static, str>>) -> Label {
    (name, value.into())
}

/// Half a millisecond to half a minute: answers.
fn of_answers() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

/// A tenth of a second to an hour: work.
fn of_work() -> Histogram {
    Histogram::new([0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0])
}

struct Metrics {
    registry: Registry,
    http: Counters<3>,
    http_time: Histograms<1>,
    edge: Counters<2>,
    edge_time: Histograms<1>,
    edge_pages: Counters<1>,
    edge_open: Gauge,
    edge_connections: Gauges<1>,
    edge_services: AtomicUsize,
    engine: Counters<2>,
    engine_time: Histograms<1>,
    begun: Counter,
    ended: Counters<1>,
    waited: Histogram,
    passes: Counters<2>,
    runs: Counters<1>,
    run_waited: Histogram,
    run_time: Histograms<1>,
    rollouts: Counters<1>,
    rollout_waited: Histogram,
    rollout_time: Histograms<1>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let answers = || Histograms::new_with_constructor(of_answers as fn() -> Histogram);
        let work = || Histograms::new_with_constructor(of_work as fn() -> Histogram);
        let mut new = Self {
            registry: Registry::with_prefix("berth"),
            http: Family::default(),
            http_time: answers(),
            edge: Family::default(),
            edge_time: answers(),
            edge_pages: Family::default(),
            edge_open: Gauge::default(),
            edge_connections: Family::default(),
            edge_services: AtomicUsize::new(0),
            engine: Family::default(),
            engine_time: answers(),
            begun: Counter::default(),
            ended: Family::default(),
            waited: of_answers(),
            passes: Family::default(),
            runs: Family::default(),
            run_waited: of_work(),
            run_time: work(),
            rollouts: Family::default(),
            rollout_waited: of_work(),
            rollout_time: work(),
        };
        new.register();
        new
    }

    #[rustfmt::skip]
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("http_requests", "Answers of console, API and Git, by pattern of the route", self.http.clone());
        r.register("http_request_seconds", "Time until such an answer began", self.http_time.clone());
        r.register("edge_requests", "Requests for services, by service and class of the answer; none: it went unanswered", self.edge.clone());
        r.register("edge_request_seconds", "Time until such a request was over, by class of the answer", self.edge_time.clone());
        r.register("edge_pages", "Answers of the edge's own, by why there was none of a service", self.edge_pages.clone());
        r.register("edge_open_requests", "Requests for services under way", self.edge_open.clone());
        r.register("edge_connections", "Open connections of clients, by protocol", self.edge_connections.clone());
        r.register("engine_calls", "Calls of the container engine, by kind and outcome", self.engine.clone());
        r.register("engine_call_seconds", "Time such a call took", self.engine_time.clone());
        r.register("store_transactions_begun", "Changes of the database that began", self.begun.clone());
        r.register("store_transactions", "Changes of the database that ended; those that neither committed nor failed were dropped", self.ended.clone());
        r.register("store_wait_seconds", "Time a change waited until it could begin", self.waited.clone());
        r.register("task_passes", "Passes of background tasks, by outcome", self.passes.clone());
        r.register("runs", "Runs of pipelines that ended, by state", self.runs.clone());
        r.register("run_wait_seconds", "Time a run waited until it was taken up first", self.run_waited.clone());
        r.register("run_seconds", "Time from being asked for to its end, by state", self.run_time.clone());
        r.register("rollouts", "Rollouts that ended, by result", self.rollouts.clone());
        r.register("rollout_wait_seconds", "Time a rollout waited until it was taken up first", self.rollout_waited.clone());
        r.register("rollout_seconds", "Time from being asked for to its end, by result", self.rollout_time.clone());
    }
}

/// The class of a status: `2xx`.
/// Classes of answers; the first is no answer at all.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The place of an answer in [`CLASSES`].
const fn class(status: u16) -> usize {
    match status {
        100..600 => (status / 100) as usize,
        _ => 0,
    }
}

/// A method by its name, where it is a usual one: a client may make up others.
fn method(name: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].into_iter().find(|known| *known == name).unwrap_or("other")
}

/// An answer of console, API or Git.
pub fn answered(name: &str, route: &str, status: u16, took: Duration) {
    let route = || label("route", route.to_owned());
    METRICS.http.get_or_create(&[label("method", method(name)), route(), label("code", CLASSES[class(status)])]).inc();
    METRICS.http_time.get_or_create(&[route()]).observe(took.as_secs_f64());
}

/// What the edge notes of one service; made once for it.
#[derive(Debug)]
pub struct Service {
    name: Cow<'static, str>,
    /// Its answers by class, each looked up once.
    answers: [OnceLock<Counter>; CLASSES.len()],
}

impl Service {
    /// By its host name; beyond [`SERVICES`] of them one is like another.
    pub fn named(host: &str) -> Self {
        let place = METRICS.edge_services.fetch_add(1, Ordering::Relaxed);
        let name = if place < SERVICES { host.to_owned().into() } else { "other".into() };
        Self { name, answers: Default::default() }
    }

    fn answered(&self, class: usize) {
        let found = || METRICS.edge.get_or_create(&[label("service", self.name.clone()), label("code", CLASSES[class])]).clone();
        self.answers[class].get_or_init(found).inc();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        METRICS.edge_services.fetch_sub(1, Ordering::Relaxed);
        if self.name != "other" {
            for code in CLASSES {
                METRICS.edge.remove(&[label("service", self.name.clone()), label("code", code)]);
            }
        }
    }
}

/// A request at the edge; under way as long as it lives.
#[derive(Debug)]
pub struct AtEdge(());

impl AtEdge {
    /// It begins.
    pub fn begin() -> Self {
        METRICS.edge_open.inc();
        Self(())
    }
}

impl Drop for AtEdge {
    fn drop(&mut self) {
        METRICS.edge_open.dec();
    }
}

/// A request at the edge is over; `service`: the one it was for, where there is one; `status`: 0 where nothing was answered.
pub fn edge_answered(service: Option<&Service>, status: u16, took: Duration) {
    static TIMES: LazyLock<[Histogram; CLASSES.len()]> =
        LazyLock::new(|| CLASSES.map(|code| METRICS.edge_time.get_or_create(&[label("code", code)]).clone()));
    let class = class(status);
    match service {
        Some(service) => service.answered(class),
        None => drop(METRICS.edge.get_or_create(&[label("service", "none"), label("code", CLASSES[class])]).inc()),
    }
    TIMES[class].observe(took.as_secs_f64());
}

/// The edge answered by itself.
pub fn edge_page(why: &'static str) {
    METRICS.edge_pages.get_or_create(&[label("why", why)]).inc();
}

/// A client's connection to the edge; open as long as it lives.
#[derive(Debug)]
pub struct Connection(&'static str);

impl Connection {
    /// It speaks this protocol.
    pub fn open(protocol: &'static str) -> Self {
        METRICS.edge_connections.get_or_create(&[label("protocol", protocol)]).inc();
        Self(protocol)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        METRICS.edge_connections.get_or_create(&[label("protocol", self.0)]).dec();
    }
}

/// A call of the engine came back, or did not.
pub fn engine_called(kind: &'static str, outcome: &'static str, took: Duration) {
    METRICS.engine.get_or_create(&[label("kind", kind), label("outcome", outcome)]).inc();
    METRICS.engine_time.get_or_create(&[label("kind", kind)]).observe(took.as_secs_f64());
}

/// A change of the database begins, after having waited this long.
pub fn change_begun(waited: Duration) {
    METRICS.begun.inc();
    METRICS.waited.observe(waited.as_secs_f64());
}

/// A change of the database was committed, or could not be.
pub fn change_ended(committed: bool) {
    METRICS.ended.get_or_create(&[label("outcome", if committed { "committed" } else { "failed" })]).inc();
}

/// A background task looked at everything once.
pub fn passed(task: &'static str, well: bool) {
    METRICS.passes.get_or_create(&[label("task", task), label("outcome", if well { "ok" } else { "failed" })]).inc();
}

/// A run was taken up for the first time.
pub fn run_begun(waited: Duration) {
    METRICS.run_waited.observe(waited.as_secs_f64());
}

/// A run ended.
pub fn run_ended(state: &'static str, took: Duration) {
    METRICS.runs.get_or_create(&[label("state", state)]).inc();
    METRICS.run_time.get_or_create(&[label("state", state)]).observe(took.as_secs_f64());
}

/// A rollout was taken up for the first time.
pub fn rollout_begun(waited: Duration) {
    METRICS.rollout_waited.observe(waited.as_secs_f64());
}

/// A rollout ended.
pub fn rollout_ended(result: &'static str, took: Duration) {
    METRICS.rollouts.get_or_create(&[label("result", result)]).inc();
    METRICS.rollout_time.get_or_create(&[label("result", result)]).observe(took.as_secs_f64());
}

/// Everything that was noted, and what is the case now, in the format of OpenMetrics.
pub fn text(now: &Now) -> String {
    let mut text = String::with_capacity(16 << 10);
    let written = encode_registry(&mut text, &METRICS.registry)
        .and_then(|()| encode_registry(&mut text, &now.registry()))
        .and_then(|()| encode_eof(&mut text));
    // A string takes everything; what ends early has no end mark, and the reader notices.
    if let Err(error) = written {
        tracing::error!(%error, "the figures could not be written");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_written() {
        answered("GET", "/teams/{team}", 200, Duration::from_millis(3));
        answered("BREW", "/teams/{team}", 418, Duration::from_millis(3));
        passed("keep", false);
        let text = text(&Now::default());
        for line in [
            "berth_http_requests_total{method=\"GET\",route=\"/teams/{team}\",code=\"2xx\"} 1",
            "berth_http_requests_total{method=\"other\",route=\"/teams/{team}\",code=\"4xx\"} 1",
            "berth_http_request_seconds_count{route=\"/teams/{team}\"} 2",
            "berth_task_passes_total{task=\"keep\",outcome=\"failed\"} 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn services_beyond_the_bound_are_one() {
        let services: Vec<Service> = (0..SERVICES + 5).map(|n| Service::named(&format!("s{n}.dev.localhost"))).collect();
        for service in &services {
            edge_answered(Some(service), 200, Duration::ZERO);
        }
        let series = || text(&Now::default()).lines().filter(|line| line.starts_with("berth_edge_requests_total")).count();
        assert!(series() <= SERVICES + 1, "{}", series());
        drop(services);
        assert!(series() <= 1, "what is gone has no figures");
    }
}
