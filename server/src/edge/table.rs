//! The table: which host name and path leads to which instances. Plain data, built purely from rows, kept on disk as JSON.

use std::{borrow::Cow, collections::HashMap, net::SocketAddr, sync::Arc};

use app::model::{TargetId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{backends::BackendRow, routes::EdgeRoute};

/// The process that gets requests from outside.
const PROCESS: &str = "web";

/// Longest host name there is.
const HOST_MAX: usize = 253;

/// Which host name and path leads to which instances. Its parts are shared, so that a copy in which one target differs costs
/// little however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The paths of each host name, longest first.
    pub hosts: HashMap<Arc<str>, Arc<[Prefix]>>,
    /// What the paths lead to; [`Prefix::target`] is a place in here.
    pub targets: Vec<Arc<Target>>,
}

/// A path of a host name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The path without a final slash: empty for all, `/api` for itself and everything below.
    pub path: Box<str>,
    /// The place in [`Table::targets`].
    pub target: usize,
}

/// A target with its instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which one.
    pub id: TargetId,
    /// Its proven instances, in a fixed order.
    pub backends: Vec<Backend>,
}

/// A proven instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Backend {
    /// The number of its release.
    pub release: u64,
    /// Its slot.
    pub slot: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Since when, in milliseconds: tells it from another instance that had the slot before.
    pub since: i64,
    /// Whether it takes no new requests.
    pub draining: bool,
}

/// What a host name and a path lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This place in [`Table::targets`].
    Target(usize),
    /// The host name is not known.
    NoHost,
    /// The host name is known, the path leads nowhere.
    NoPath,
    /// The path as written and the path as a service would understand it lead to different places.
    TwoMeanings,
}

/// Builds the table. Routes without instances stay in it: their host name is known, nothing is proven yet.
pub fn build(routes: &[EdgeRoute], backends: &[BackendRow]) -> Table {
    let mut targets: Vec<Target> = Vec::new();
    let mut hosts: HashMap<Arc<str>, Vec<Prefix>> = HashMap::with_capacity(routes.len());
    let mut places: HashMap<&TargetId, usize> = HashMap::new();
    for route in routes {
        let Some(host) = normal_host(&route.host) else { continue };
        let target = *places.entry(&route.target).or_insert_with(|| {
            targets.push(Target { id: route.target.clone(), backends: Vec::new() });
            targets.len() - 1
        });
        hosts.entry(host.as_ref().into()).or_default().push(prefix(route, target));
    }
    for row in taking(backends) {
        if let Some(place) = places.get(&row.target) {
            targets[*place].backends.push(backend(row));
        }
    }
    let hosts = hosts.into_iter().map(|(host, paths)| (host, in_order(paths))).collect();
    Table { hosts, targets: targets.into_iter().map(Arc::new).collect() }
}

/// Whether one of these routes can be followed: its host name reads.
pub fn leads(routes: &[EdgeRoute]) -> bool {
    routes.iter().any(|route| normal_host(&route.host).is_some())
}

fn prefix(route: &EdgeRoute, target: usize) -> Prefix {
    Prefix { path: route.path.trim_end_matches('/').into(), target }
}

fn in_order(mut paths: Vec<Prefix>) -> Arc<[Prefix]> {
    paths.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then_with(|| a.path.cmp(&b.path)));
    paths.into()
}

fn taking(backends: &[BackendRow]) -> impl Iterator<Item = &BackendRow> {
    backends.iter().filter(|row| row.process == PROCESS)
}

fn backend(row: &BackendRow) -> Backend {
    let Timestamp(since) = row.since;
    Backend { release: row.release, slot: row.slot, address: row.address, since, draining: row.draining_since.is_some() }
}

impl Table {
    /// The same table with other routes and instances of the target at this place. Both are all that the target has now.
    pub fn with(mut self, place: usize, routes: &[EdgeRoute], backends: &[BackendRow]) -> Self {
        let had =
            self.hosts.iter().filter(|(_, paths)| paths.iter().any(|prefix| prefix.target == place)).map(|(host, _)| Arc::clone(host));
        let mut hosts: HashMap<Arc<str>, Vec<Prefix>> = had.map(|host| (host, Vec::new())).collect();
        for route in routes {
            let Some(host) = normal_host(&route.host) else { continue };
            hosts.entry(host.as_ref().into()).or_default().push(prefix(route, place));
        }
        for (host, mut paths) in hosts {
            paths.extend(self.hosts.get(&host).into_iter().flat_map(|known| known.iter()).filter(|prefix| prefix.target != place).cloned());
            if paths.is_empty() {
                self.hosts.remove(&host)
            } else {
                self.hosts.insert(host, in_order(paths))
            };
        }
        if let Some(target) = self.targets.get_mut(place) {
            *target = Arc::new(Target { id: target.id.clone(), backends: taking(backends).map(backend).collect() });
        }
        self
    }

    /// What a host name in its normal form and a path lead to. One look-up by host, then the host's own few paths.
    pub fn find(&self, host: &str, path: &str) -> Found {
        let Some(paths) = self.hosts.get(host) else { return Found::NoHost };
        // The usual case: the host has no paths of its own, so that the path's spelling does not matter.
        if let [only] = &**paths
            && only.path.is_empty()
        {
            return Found::Target(only.target);
        }
        let found = longest(paths, path);
        if found == longest(paths, &plain_path(path)) { found.map_or(Found::NoPath, Found::Target) } else { Found::TwoMeanings }
    }

    /// A host name of each target, in the order of [`Table::targets`]: the first of its own in the order of letters.
    pub fn names(&self) -> Vec<&str> {
        let mut names = vec![""; self.targets.len()];
        for (host, prefix) in self.hosts.iter().flat_map(|(host, paths)| paths.iter().map(move |prefix| (&**host, prefix))) {
            if let Some(name) = names.get_mut(prefix.target)
                && (name.is_empty() || host < *name)
            {
                *name = host;
            }
        }
        names
    }

    /// A host name and path that lead to the target, for a first request.
    pub fn address_of(&self, target: &TargetId) -> Option<(&str, &str)> {
        let place = self.targets.iter().position(|known| known.id == *target)?;
        let own = self.hosts.iter().flat_map(|(host, paths)| paths.iter().map(move |prefix| (&**host, prefix)));
        own.filter(|(_, prefix)| prefix.target == place).map(|(host, prefix)| (host, &*prefix.path)).min()
    }
}

fn longest(paths: &[Prefix], path: &str) -> Option<usize> {
    paths.iter().find(|prefix| starts(path, &prefix.path)).map(|prefix| prefix.target)
}

/// Whether `path` is `prefix` or below it.
fn starts(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path as a service would understand it: percent signs read once, backslashes as slashes, no empty, `.` or `..` parts.
fn plain_path(path: &str) -> String {
    let read = percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in read.split('/') {
        // What follows a semicolon is a parameter to some servers.
        match part.split(';').next().unwrap_or(part) {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            plain => parts.push(plain),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The one normal form of a host name as it comes in `Host` or `:authority`: lower case, no port, no final dot. None where it
/// is no host name: odd characters, empty or overlong labels, user information, a port that is no number. Borrowed where it is
/// in its normal form already.
pub fn normal_host(text: &str) -> Option<Cow<'_, str>> {
    let (name, port) = match text.strip_prefix('[') {
        // An IPv6 literal: no route has one, but it is a good host.
        Some(rest) => {
            let (inside, after) = rest.split_once(']')?;
            inside.parse::<std::net::Ipv6Addr>().ok()?;
            (&text[..inside.len() + 2], after)
        }
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    good_port(port)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    let good = name.starts_with('[') || (!name.is_empty() && name.len() <= HOST_MAX && name.split('.').all(good_label));
    good.then(|| if name.bytes().any(|b| b.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() })
}

fn good_port(text: &str) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    let digits = text.strip_prefix(':')?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok()).then_some(())
}

fn good_label(label: &str) -> bool {
    !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Table {
        /// Whether this release of the target has an instance that takes requests.
        fn serves(&self, target: &TargetId, release: u64) -> bool {
            self.of(target).any(|backend| backend.release == release && !backend.draining)
        }

        /// The instances of a target.
        fn of<'a>(&'a self, target: &'a TargetId) -> impl Iterator<Item = &'a Backend> {
            self.targets.iter().filter(move |known| known.id == *target).flat_map(|known| &known.backends)
        }
    }

    fn route(host: &str, path: &str, target: &str) -> EdgeRoute {
        EdgeRoute { host: host.into(), path: path.into(), target: TargetId::from_text(target) }
    }

    fn row(target: &str, release: u64, slot: u32, draining: bool) -> BackendRow {
        BackendRow {
            target: TargetId::from_text(target),
            release,
            process: PROCESS.into(),
            slot,
            address: SocketAddr::from(([10, 0, 0, 1], 8080)),
            since: Timestamp(1),
            draining_since: draining.then_some(Timestamp(2)),
        }
    }

    #[test]
    fn a_host_has_one_normal_form() {
        for (text, normal) in [
            ("hello-demo.dev.localhost", Some("hello-demo.dev.localhost")),
            ("HELLO-Demo.Dev.LocalHost:8000", Some("hello-demo.dev.localhost")),
            ("hello.localhost.", Some("hello.localhost")),
            ("hello.localhost.:80", Some("hello.localhost")),
            ("[::1]:8000", Some("[::1]")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a.b..", None),
            (".a", None),
            ("a b", None),
            ("a\tb", None),
            ("user@a", None),
            ("a/b", None),
            ("a,b", None),
            ("a:", None),
            ("a:80:80", None),
            ("a:http", None),
            ("a:+80", None),
            ("a:99999", None),
            ("[::1", None),
            ("[nonsense]", None),
            ("münchen.localhost", None),
            ("a%2eb", None),
        ] {
            assert_eq!(normal_host(text).as_deref(), normal, "{text:?}");
        }
        assert_eq!(normal_host(&"a".repeat(64)), None);
        assert_eq!(normal_host(&vec!["a"; 200].join(".")), None);
    }

    #[test]
    fn the_longest_path_wins_and_a_part_is_not_a_prefix() {
        let routes = [route("a.localhost", "/", "all"), route("a.localhost", "/api", "api"), route("a.localhost", "/api/v2/", "v2")];
        let table = build(&routes, &[]);
        let found = |path| match table.find("a.localhost", path) {
            Found::Target(place) => table.targets[place].id.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        for (path, target) in [
            ("/", "all"),
            ("/apis", "all"),
            ("/api", "api"),
            ("/api/", "api"),
            ("/api/v1", "api"),
            ("/api/v2", "v2"),
            ("/api/v2/x", "v2"),
            ("/api/v22", "api"),
            ("/api/../x", "TwoMeanings"),
            ("/x/../api", "TwoMeanings"),
            ("/%61pi", "TwoMeanings"),
            ("//api", "TwoMeanings"),
            ("/api%2f..%2f..", "all"),
            ("/api%2fx", "TwoMeanings"),
            ("/api;x/v1", "TwoMeanings"),
            ("/x/./y", "all"),
        ] {
            assert_eq!(found(path), target, "{path}");
        }
        assert_eq!(table.find("b.localhost", "/"), Found::NoHost);
        assert_eq!(build(&[route("a", "/api", "api")], &[]).find("a", "/"), Found::NoPath);
    }

    #[test]
    fn a_host_without_paths_takes_every_spelling() {
        let table = build(&[route("a.localhost", "/", "all")], &[]);
        assert_eq!(table.find("a.localhost", "/x/../%2e%2e//y"), Found::Target(0));
        assert_eq!(table.find("a.localhost", "*"), Found::Target(0));
    }

    #[test]
    fn only_web_instances_of_known_targets_are_in_it() {
        let mut worker = row("t", 1, 0, false);
        worker.process = "worker".into();
        let rows = [row("t", 1, 0, true), row("t", 2, 0, false), row("t", 2, 1, false), worker, row("unknown", 1, 0, false)];
        let table = build(&[route("a", "/", "t"), route("b", "/", "t"), route("c", "/", "empty")], &rows);
        let id = TargetId::from_text("t");
        assert_eq!(table.of(&id).count(), 3);
        assert!(table.serves(&id, 2));
        assert!(!table.serves(&id, 1), "it drains");
        assert!(!table.serves(&TargetId::from_text("empty"), 1));
        assert_eq!(table.address_of(&id), Some(("a", "")));
        assert_eq!(table.address_of(&TargetId::from_text("unknown")), None);
    }

    #[test]
    fn one_target_changed_is_as_if_all_were_built_anew() {
        let (a, b) = (route("a", "/", "t"), route("b", "/x", "t"));
        let (shared, other) = (route("b", "/", "u"), route("c", "/", "u"));
        let (old, new, others) = (row("t", 1, 0, false), row("t", 2, 0, false), row("u", 7, 0, false));
        let before = build(&[a.clone(), b.clone(), shared.clone(), other.clone()], &[old.clone(), others.clone()]);
        let cases: [(&[EdgeRoute], &[BackendRow]); 5] = [
            (&[a.clone(), b.clone()], &[old.clone(), new.clone()]),
            (std::slice::from_ref(&a), std::slice::from_ref(&new)),
            (&[a.clone(), route("b", "/y", "t"), route("d", "/", "t")], &[]),
            (&[a.clone(), route("c", "/deep/er", "t")], &[row("t", 1, 0, true), new.clone()]),
            (&[a.clone(), b], std::slice::from_ref(&old)),
        ];
        for (routes, backends) in cases {
            let all_routes = [routes, &[shared.clone(), other.clone()]].concat();
            let all_backends = [backends, std::slice::from_ref(&others)].concat();
            assert_eq!(before.clone().with(0, routes, backends), build(&all_routes, &all_backends), "{routes:?}");
        }
        let none = before.with(0, &[], &[]);
        assert_eq!((none.find("a", "/"), none.find("b", "/x")), (Found::NoHost, Found::Target(1)));
    }

    #[test]
    fn a_garbled_host_in_a_row_leaves_the_others() {
        let table = build(&[route("a b", "/", "t"), route("c", "/", "t")], &[]);
        assert_eq!(table.hosts.len(), 1);
    }

    #[test]
    fn it_comes_back_from_disk_as_it_was() -> Result<(), serde_json::Error> {
        let table = build(&[route("a", "/", "t"), route("a", "/x", "u")], &[row("t", 1, 0, false), row("u", 3, 1, true)]);
        assert_eq!(serde_json::from_str::<Table>(&serde_json::to_string(&table)?)?, table);
        Ok(())
    }
}
