//! What a Berth costs that nobody uses (5), and how soon it is there after a start (10).

use std::{fs, thread::sleep, time::Duration};

use crate::{
    filled::{Filled, data, runtime, spawn, spawn_floor, wait},
    method::{Row, Side, Sut, Table, interleaved, median, pss_kib, said},
};

/// How long it may settle: everything that happens at a start is over.
const SETTLE: Duration = Duration::from_secs(30);
/// How long it is looked at: everything that happens now and then has happened.
const LOOK: Duration = Duration::from_secs(60);
/// Starts of each.
const STARTS: usize = 15;

/// CPU seconds of a process, threads that have ended included.
fn cpu(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<f64> = text.rsplit(')').next().unwrap_or_default().split(' ').filter_map(|field| field.parse().ok()).collect();
    // After the name and the letter of the state: user time is the 11th number, system time the 12th, in hundredths.
    (fields[10] + fields[11]) / 100.0
}

/// Memory in MB, and parts of a core in percent.
fn look(sut: &Sut) -> (f64, f64) {
    sleep(SETTLE);
    let before = cpu(sut.pid());
    sleep(LOOK);
    let spent = cpu(sut.pid()) - before;
    (pss_kib(sut.pid()) as f64 / 1_000.0 * 1.024, 100.0 * spent / LOOK.as_secs_f64())
}

fn shown((memory, cpu): (f64, f64)) -> String {
    format!("{memory:.1} MB, {cpu:.2} % of a core")
}

/// Row 5.
pub(crate) fn idle(table: &mut Table) {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let (url, floor) = spawn_floor(folder.path());
    wait(&url);
    let limit = shown(look(&floor));
    drop(floor);
    for (services, most) in [(0, 40.0), (1_000, f64::INFINITY), (10_000, 120.0)] {
        let berth = Filled::start(&data(&runtime, services));
        let (memory, cpu) = look(&berth.sut);
        let least = if most.is_finite() { format!("< {most} MB, ") } else { String::new() };
        table.add(Row {
            number: "5",
            what: format!("idle with {services} services"),
            limit: limit.clone(),
            figure: shown((memory, cpu)),
            budget: format!("{least}< 0.5 %"),
            met: Some(memory < most && cpu < 0.5),
        });
    }
}

/// Row 10.
pub(crate) fn start(table: &mut Table) {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let data = data(&runtime, 10_000);
    // One that served before: it has kept the edge's table.
    let before = Filled::start(&data);
    for _ in 0..300 {
        if data.join("edge-table.json").exists() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    drop(before);
    let pairs = interleaved(STARTS, |side| {
        let (url, sut) = match side {
            Side::A => spawn(&data, None),
            Side::B => spawn_floor(folder.path()),
        };
        let took = wait(&url).as_secs_f64();
        drop(sut);
        took
    });
    table.add(Row {
        number: "10",
        what: "start to first answer, 10,000 services".into(),
        limit: said(median(&pairs.b)),
        figure: said(median(&pairs.a)),
        budget: "< 150 ms".into(),
        met: Some(median(&pairs.a) < 0.150),
    });
}
