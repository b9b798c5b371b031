//! What Berth costs, as a table: `make bench`, or some rows of it: `make bench ROWS="hot 3"`.
//!
//! `method` says how figures are taken; each other module fills in rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A bench may stop with a panic.

mod edge;
mod engine;
mod filled;
mod hot;
mod idle;
mod log;
mod logins;
#[allow(dead_code)] // Not every row needs all of it.
mod method;
mod pages;
mod pipeline;
mod push;
#[allow(dead_code, unused_imports)] // What tests of every area share, of which the rows need some.
#[path = "../support/mod.rs"]
mod support;

use method::Table;

/// Fills in a row or more.
type Fill = fn(&mut Table);

/// What fills in rows, by the name that `ROWS` takes.
const ROWS: &[(&str, Fill)] = &[
    ("hot", hot::run),
    ("log", log::run),
    ("nothing", push::nothing),
    ("select", push::select),
    ("claim", push::claim),
    ("logins", logins::run),
    ("1", edge::deploys::run),
    ("2", edge::latency::run),
    ("3", edge::cpu::run),
    ("3", edge::routes::run),
    ("4", pipeline::run),
    ("5", idle::idle),
    ("6", pages::pages),
    ("9", pages::bytes),
    ("10", idle::start),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, address, data] = words.as_slice()
        && first == "floor"
    {
        return filled::floor(address, data);
    }
    // `cargo test --benches` and the like only want to know that it starts.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = chosen.iter().find(|word| ROWS.iter().all(|(name, _)| *name != word.as_str())) {
        let known: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        eprintln!("There is no row {unknown}: {}", known.join(", "));
        std::process::exit(2);
    }
    let mut table = Table::default();
    for (name, run) in ROWS {
        if chosen.is_empty() || chosen.iter().any(|word| word.as_str() == *name) {
            run(&mut table);
        }
    }
    table.print();
}
