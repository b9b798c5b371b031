//! Watches the health of new instances while a rollout is under way: one watcher an instance, ended when dropped.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    model::{Health as Rule, HealthCheck},
    said,
};
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use super::plan::{Health, Slot};
use crate::platform::{Platform, WorkloadId};

/// The first answer is looked for this often, so that a quick start is seen quickly; less and less often where none comes, down
/// to what the rule says.
const EAGER: Duration = Duration::from_millis(10);
/// How long until the next look where some answers were good and more are asked for: two at the same moment say as little as one.
const AGAIN: Duration = Duration::from_millis(50);

/// What is watched.
#[derive(Clone)]
pub struct Subject {
    /// Which instance.
    pub id: WorkloadId,
    /// Where it is.
    pub address: IpAddr,
    /// The port of its process, if it has one.
    pub port: Option<u16>,
    /// How its health is told.
    pub rule: Rule,
}

#[derive(Default)]
struct Seen {
    healthy_since: Option<Instant>,
    last_error: Option<String>,
}

struct Watcher {
    subject: Subject,
    seen: Arc<Mutex<Seen>>,
    task: AbortHandle,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The watchers of a rollout.
pub struct Watch {
    platform: Arc<dyn Platform>,
    http: reqwest::Client,
    moved: Arc<Notify>,
    watchers: BTreeMap<Slot, Watcher>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(platform: Arc<dyn Platform>, http: reqwest::Client) -> Self {
        Self { platform, http, moved: Arc::new(Notify::new()), watchers: BTreeMap::new() }
    }

    /// Watches these, and no others any more. One whose address changed is watched from the beginning.
    pub fn only(&mut self, subjects: Vec<Subject>) {
        self.watchers.retain(|_, watcher| subjects.iter().any(|s| s.id == watcher.subject.id && s.address == watcher.subject.address));
        for subject in subjects {
            let slot = Slot::of(&subject.id);
            self.watchers.entry(slot).or_insert_with(|| {
                let seen = Arc::new(Mutex::new(Seen::default()));
                let probe = Probe { platform: self.platform.clone(), http: self.http.clone(), subject: subject.clone() };
                let task = tokio::spawn(watch(probe, seen.clone(), self.moved.clone())).abort_handle();
                Watcher { subject, seen, task }
            });
        }
    }

    /// What was seen until now.
    pub fn seen(&self) -> BTreeMap<Slot, Health> {
        let read = |watcher: &Watcher| {
            let seen = watcher.seen.lock().unwrap_or_else(PoisonError::into_inner);
            Health { healthy_for: seen.healthy_since.map(|since| since.elapsed()), last_error: seen.last_error.clone() }
        };
        self.watchers.iter().map(|(slot, watcher)| (slot.clone(), read(watcher))).collect()
    }

    /// Waits until an instance became healthy or stopped being so.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }
}

async fn watch(probe: Probe, seen: Arc<Mutex<Seen>>, moved: Arc<Notify>) {
    let rule = probe.subject.rule.clone();
    let interval = Duration::from_millis(rule.interval_ms.max(10));
    let (mut good, mut bad) = (0_u32, 0_u32);
    // Healthy it was from the first of the good answers in a row on; that it takes several is so that one alone counts for nothing.
    let mut since = Instant::now();
    loop {
        let answer = probe.ask().await;
        let healthy = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let before = seen.healthy_since.is_some();
            match answer {
                Ok(()) => {
                    if good == 0 {
                        since = Instant::now();
                    }
                    (good, bad) = (good + 1, 0);
                    if good >= rule.healthy_after.max(1) {
                        seen.healthy_since.get_or_insert(since);
                    }
                }
                Err(error) => {
                    (good, bad) = (0, bad + 1);
                    seen.last_error = Some(error);
                    if bad >= rule.unhealthy_after.max(1) {
                        seen.healthy_since = None;
                    }
                }
            }
            let after = seen.healthy_since.is_some();
            if before != after {
                moved.notify_one();
            }
            after
        };
        sleep(rest(interval, healthy, good, bad)).await;
    }
}

/// How long until the next look.
fn rest(interval: Duration, healthy: bool, good: u32, bad: u32) -> Duration {
    match (healthy, good) {
        (true, _) => interval,
        (false, 0) => interval.min(EAGER * (1 + bad / 8)),
        (false, _) => interval.min(AGAIN),
    }
}

/// Asks one instance.
pub struct Probe {
    /// For commands inside the container.
    pub platform: Arc<dyn Platform>,
    /// For HTTP.
    pub http: reqwest::Client,
    /// What is asked.
    pub subject: Subject,
}

impl Probe {
    /// Asks once. The error says what was wrong as the end of a sentence.
    ///
    /// # Errors
    /// When the answer is bad, or none came in time.
    pub async fn ask(&self) -> Result<(), String> {
        let within = Duration::from_millis(self.subject.rule.timeout_ms.max(10));
        match (&self.subject.rule.check, self.subject.port) {
            (HealthCheck::Running, _) | (HealthCheck::Auto | HealthCheck::Tcp | HealthCheck::Http { .. }, None) => Ok(()),
            (HealthCheck::Auto | HealthCheck::Tcp, Some(port)) => connects(SocketAddr::new(self.subject.address, port), within).await,
            (HealthCheck::Http { path }, Some(port)) => self.http_get(path, port, within).await,
            (HealthCheck::Command { command }, _) => match self.platform.exec(&self.subject.id, command, within).await {
                Ok(0) => Ok(()),
                Ok(code) => Err(said::health_code(code)),
                Err(error) => Err(format!("the health command could not be run: {error}")),
            },
        }
    }

    async fn http_get(&self, path: &str, port: u16, within: Duration) -> Result<(), String> {
        let address = SocketAddr::new(self.subject.address, port);
        let answer = self.http.get(format!("http://{address}{path}")).header("user-agent", "berth-health").timeout(within).send().await;
        match answer {
            Ok(response) if response.status().is_success() || response.status().is_redirection() => Ok(()),
            Ok(response) => Err(said::http_answered(path, response.status().as_u16())),
            Err(error) if error.is_timeout() => Err(said::http_late(path, within.as_millis())),
            Err(error) if error.is_connect() => Err(said::refused(port)),
            Err(_) => Err(said::http_bad(path)),
        }
    }
}

async fn connects(address: SocketAddr, within: Duration) -> Result<(), String> {
    match timeout(within, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(said::refused(address.port())),
        Err(_) => Err(said::port_late(address.port(), within.as_millis())),
    }
}

/// Which of these ports take a connection: to tell a wrong port from a program that does not listen.
pub async fn open_ports(address: IpAddr, candidates: &[u16]) -> Vec<u16> {
    let tries = candidates
        .iter()
        .map(|port| async move { connects(SocketAddr::new(address, *port), Duration::from_millis(200)).await.is_ok().then_some(*port) });
    futures::future::join_all(tries).await.into_iter().flatten().collect()
}

/// The client for health checks: no redirects followed, nothing kept.
///
/// # Errors
/// Where the system's TLS cannot be set up.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_eager_first_and_then_as_the_rule_says() {
        let second = Duration::from_secs(1);
        for (healthy, good, bad, millis) in
            [(false, 0, 0, 10), (false, 0, 8, 20), (false, 0, 80, 110), (false, 0, 8_000, 1_000), (false, 1, 0, 50), (true, 1, 0, 1_000)]
        {
            assert_eq!(rest(second, healthy, good, bad).as_millis(), millis, "{healthy} {good} {bad}");
        }
        assert_eq!(rest(Duration::from_millis(5), false, 0, 0).as_millis(), 5, "never slower than the rule");
    }
}
