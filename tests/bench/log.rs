//! A log of 100 MB, of a million and a half lines, in a store of its own: its page at the end, at the beginning and in the
//! middle, and a word that only its last line holds. Each figure is the median of a few rounds after the first, and the worst.

use std::{fs, path::Path, time::Instant};

use reqwest::blocking::Client;
use server::{args, store::Query as _};

use crate::{
    filled::{Filled, client, open, read, runtime},
    method::{Row, Table, median, said},
    support::fill::{Size, fill},
};

const LINES: usize = 1_500_000;
/// Lines in a chunk: about as many as come together of a program that writes without a pause.
const CHUNK: usize = 1_000;
const ROUNDS: usize = 15;

/// A Berth with one service, whose twentieth run wrote all that.
async fn write(data: &Path) -> (u64, String) {
    // Every tenth run is of the first service: its twentieth is among them.
    fill(data, Size { teams: 1, services: 2, runs: 200, running: 0 }).await;
    let db = open(data).await;
    let sql = "SELECT t.id FROM runs r JOIN services s ON s.id = r.service_id JOIN steps t ON t.run_id = r.id
                WHERE s.name = 'service0' AND r.number = 20 AND t.lines > 0 LIMIT 1";
    let step = db.fetch_opt(sql, args![]).await.unwrap().unwrap().text("id").unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("DELETE FROM log_chunks WHERE step_id = $1", args![&step]).await.unwrap();
    let mut bytes = 0;
    for first in (0..LINES).step_by(CHUNK) {
        let text = |number: usize| {
            let last = if number + 1 == LINES { " needle" } else { "" };
            format!("\u{1b}[32m   ok\u{1b}[0m test number {number:>7} of the suite, in 0.0{} s{last}", number % 10)
        };
        let lines: Vec<_> = (first..first + CHUNK).map(|number| (1_795_000_000_000_i64, "out", text(number))).collect();
        bytes += lines.iter().map(|(_, _, text)| text.len() as u64).sum::<u64>();
        let sql = "INSERT INTO log_chunks (step_id, first_line, line_count, lines) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, args![&step, first + 1, CHUNK, serde_json::to_string(&lines).unwrap()]).await.unwrap();
    }
    tx.execute("UPDATE steps SET lines = $1 WHERE id = $2", args![LINES, &step]).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    (bytes, step)
}

/// Asks for a page again and again: the median and the worst.
fn asked(http: &Client, cookie: &str, address: &str, rounds: usize) -> (f64, f64) {
    let ask = || {
        let began = Instant::now();
        let (status, _) = read(http.get(address).header("cookie", cookie).send().unwrap());
        assert_eq!(status, 200, "{address}");
        began.elapsed().as_secs_f64()
    };
    ask();
    let seconds: Vec<f64> = (0..rounds).map(|_| ask()).collect();
    (median(&seconds), seconds.iter().copied().fold(0.0, f64::max))
}

/// The rows `log`.
pub(crate) fn run(table: &mut Table) {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
    fs::create_dir_all(folder.path().join("repositories")).unwrap();
    let (bytes, step) = runtime.block_on(write(folder.path()));
    let berth = Filled::start(folder.path());
    let http = client();
    let cookie = berth.cookie(&http);
    let page = format!("{}/teams/team0/services/service0/runs/20?step={step}", berth.url);
    for (what, query) in
        [("at its end", String::new()), ("at its beginning", "&from=1".into()), ("in its middle", format!("&from={}", LINES / 2))]
    {
        let (middle, worst) = asked(&http, &cookie, &format!("{page}{query}"), ROUNDS);
        table.add(Row {
            number: "log",
            what: format!("the page of a log of {} MB, {what}", bytes / 1_000_000),
            figure: format!("{}, worst {}", said(middle), said(worst)),
            budget: "< 200 ms".into(),
            met: Some(worst < 0.2),
            ..Row::default()
        });
    }
    let (middle, worst) = asked(&http, &cookie, &format!("{page}&find=NEEDLE"), 3);
    let what = "a word of its last line found".into();
    table.add(Row { number: "log", what, figure: format!("{}, worst {}", said(middle), said(worst)), ..Row::default() });
}
