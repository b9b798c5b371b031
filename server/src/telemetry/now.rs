//! What is the case at the moment somebody asks: read from the store and the kernel, kept nowhere.

use prometheus_client::{
    metrics::{counter::ConstCounter, family::Family, gauge::ConstGauge, gauge::Gauge, info::Info},
    registry::{Metric, Registry},
};

use super::process;

/// What is the case now.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// Whether each part does its work: store, engine, edge.
    pub parts: Vec<(&'static str, bool)>,
    /// Runs that have not ended, by state.
    pub runs: Vec<(String, u64)>,
    /// Rollouts that have not ended, by state.
    pub rollouts: Vec<(String, u64)>,
    /// Instances the edge may send requests to, and those that drain.
    pub instances: (u64, u64),
    /// Things there are, by kind.
    pub things: Vec<(&'static str, u64)>,
    /// Each lease, whether it is this Berth's, and its fence.
    pub leases: Vec<(String, bool, u64)>,
    /// Seconds since the last backup, where there is one.
    pub backup: Option<u64>,
}

fn gauges<'a>(label: &'static str, rows: impl IntoIterator<Item = (&'a str, u64)>) -> Family<[(&'static str, String); 1], Gauge> {
    let family: Family<[(&'static str, String); 1], Gauge> = Family::default();
    for (name, value) in rows {
        family.get_or_create(&[(label, name.to_owned())]).set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    family
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

fn owned(rows: &[(String, u64)]) -> impl Iterator<Item = (&str, u64)> {
    rows.iter().map(|(name, value)| (name.as_str(), *value))
}

impl Now {
    pub(super) fn registry(&self) -> Registry {
        let mut all = Registry::default();
        self.of_berth(all.sub_registry_with_prefix("berth"));
        of_process(all.sub_registry_with_prefix("process"));
        all
    }

    fn of_berth(&self, registry: &mut Registry) {
        let version = [("version", env!("CARGO_PKG_VERSION")), ("profile", if cfg!(debug_assertions) { "debug" } else { "release" })];
        registry.register("build", "Which Berth this is", Info::new(version));
        let parts = self.parts.iter().map(|(name, up)| (*name, u64::from(*up)));
        registry.register("up", "Whether a part does its work", gauges("part", parts));
        registry.register("runs_open", "Runs that have not ended, by state", gauges("state", owned(&self.runs)));
        registry.register("rollouts_open", "Rollouts that have not ended, by state", gauges("state", owned(&self.rollouts)));
        let (serving, draining) = self.instances;
        let instances = [("serving", serving), ("draining", draining)];
        registry.register("instances", "Proven instances at the edge", gauges("state", instances));
        registry.register("things", "What there is, by kind", gauges("kind", self.things.iter().copied()));
        let held = self.leases.iter().map(|(name, ours, _)| (name.as_str(), u64::from(*ours)));
        registry.register("lease_held", "Whether a duty is this Berth's", gauges("duty", held));
        let fences = self.leases.iter().map(|(name, _, fence)| (name.as_str(), *fence));
        registry.register("lease_fence", "How often a duty changed hands", gauges("duty", fences));
        put(registry, "backup_age_seconds", "Seconds since the last backup", self.backup.map(gauge));
    }
}

fn of_process(registry: &mut Registry) {
    let process = process::read();
    put(registry, "resident_memory_bytes", "Memory", process.memory.map(gauge));
    put(registry, "open_fds", "Open file descriptors", process.files.map(gauge));
    put(registry, "max_fds", "How many there may be", process.most_files.map(gauge));
    put(registry, "threads", "Threads", process.threads.map(gauge));
    put(registry, "cpu_seconds", "Seconds on a core", process.cpu.map(ConstCounter::new));
}

/// Registers what is known.
fn put(registry: &mut Registry, name: &str, help: &str, metric: Option<impl Metric>) {
    if let Some(metric) = metric {
        registry.register(name, help, metric);
    }
}
