//! Row 3: CPU time of a request, at one route and at ten thousand, beside other proxies doing the same.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::TargetId;
use server::edge::table::{Backend, Prefix, Table as EdgeTable, Target};
use tempfile::TempDir;

use super::{
    driver::Driver,
    rivals::{RIVALS, Rival},
};
use crate::method::{Row, Side, Sut, Table, control, cpu_seconds, interleaved, pinned};

const PAIRS: usize = 20;
const REQUESTS: usize = 16_000;
pub(super) const HOST: &str = "service7-team7.production.apps.example.org";

/// A proxy under test.
struct Proxy {
    process: Sut,
    address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Option<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let process = Sut(child);
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, address, _folder: folder })
    }

    /// The `berth` program with its database away: its edge, on a table of so many routes.
    fn berth(service: SocketAddr, routes: usize) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free());
        let backend = Backend { release: 1, slot: 0, address: service, since: 1, draining: false };
        let target = |n: usize| Arc::new(Target { id: TargetId::from_text(format!("t{n}")), backends: vec![backend.clone()] });
        let host = |n: usize| {
            (
                format!("service{}-team{}.production.apps.example.org", n + 7, (n + 7) % 100).into(),
                vec![Prefix { path: "".into(), target: n }].into(),
            )
        };
        let table = EdgeTable { hosts: (0..routes).map(host).collect::<HashMap<_, _>>(), targets: (0..routes).map(target).collect() };
        fs::write(folder.path().join("edge-table.json"), serde_json::to_vec(&table).unwrap()).unwrap();
        let mut command = pinned(0, env!("CARGO_BIN_EXE_berth"));
        command.arg("serve").env("BERTH_DATA", folder.path()).env("BERTH_DATABASE", "postgres://nobody:x@127.0.0.1:1/away");
        command.env("BERTH_LISTEN", free().to_string()).env("BERTH_EDGE_LISTEN", address.to_string());
        Self::start(command, address, folder).expect("berth listens")
    }

    /// Another proxy; none where it is not here.
    fn rival(rival: &Rival, service: SocketAddr) -> Option<Self> {
        let (folder, address) = (tempfile::tempdir().unwrap(), free());
        let command = rival.command(folder.path(), address, service)?;
        let started = Self::start(command, address, folder);
        if started.is_none() {
            eprintln!("bench: {} does not start here; not compared", rival.name);
        }
        started
    }

    /// CPU microseconds of one request.
    fn cost(&self, driver: &Driver) -> f64 {
        let before = cpu_seconds(self.process.pid());
        driver.ask(self.address, HOST, REQUESTS);
        (cpu_seconds(self.process.pid()) - before) * 1e6 / REQUESTS as f64
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn run(table: &mut Table) {
    let driver = Driver::new();
    let one = Proxy::berth(driver.service, 1);
    for rival in &RIVALS {
        let Some(other) = Proxy::rival(rival, driver.service) else { continue };
        let pairs = interleaved(PAIRS, |side| if side == Side::A { one.cost(&driver) } else { other.cost(&driver) });
        let ratio = pairs.ratio();
        table.add(Row {
            number: "3",
            what: format!("edge: CPU of a request, against {}", rival.name),
            limit: format!("{} {:.1} µs", rival.name, pairs.of_b().middle),
            figure: format!("{:.1} µs, {ratio} × {}", pairs.of_a().middle, rival.name),
            budget: rival.budget.map(|most| format!("≤ {most} × {}", rival.name)).unwrap_or_default(),
            met: rival.budget.map(|most| ratio.middle <= most),
        });
    }
    let many = Proxy::berth(driver.service, 10_000);
    let pairs = interleaved(PAIRS, |side| if side == Side::A { many.cost(&driver) } else { one.cost(&driver) });
    let (ratio, chance) = (pairs.ratio(), control(PAIRS / 2, || one.cost(&driver)));
    table.add(Row {
        number: "3",
        what: "edge: CPU of a request, 10,000 routes against 1".to_owned(),
        limit: format!("the same against itself: {chance}"),
        figure: format!("{:.1} µs, {ratio} ×", pairs.of_a().middle),
        budget: "unchanged: within 5 %".to_owned(),
        met: Some(ratio.middle <= 1.05),
    });
}
