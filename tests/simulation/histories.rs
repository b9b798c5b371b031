//! The same histories on SQLite and on PostgreSQL: what every operation of the store shows, and every row at the end, must be
//! the same. Ids and times differ by nature, so they are told apart by their order only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Instant,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    args,
    control::platform::seed,
    store::{Db, Query as _},
};

use super::operations::{Kind, Operation, Subject};
use crate::support::{migrations, postgres::Database, proof};

/// How many histories `make test` compares.
const HISTORIES: u64 = 150;
/// Operations of each.
const LENGTH: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_the_same_on_both_databases() {
    let began = Instant::now();
    let only = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (0..HISTORIES).collect(), |seed| vec![seed]);
    let halves = seeds.chunks(seeds.len().div_ceil(2)).map(|seeds| tokio::spawn(compare_all(seeds.to_vec())));
    let (mut operations, mut rows, mut done) = (0, 0, BTreeSet::new());
    for half in futures::future::join_all(halves).await {
        let (more_operations, more_rows, more) = half.unwrap();
        operations += more_operations;
        rows += more_rows;
        done.extend(more);
    }
    assert!(rows > 0);
    let never: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !done.contains(&format!("{kind:?}"))).collect();
    assert!(only.is_some() || never.is_empty(), "never anything but refused: {never:?}");
    let took = began.elapsed().as_secs();
    let figures = format!(
        "{} histories in {took} s, {operations} operations of {} kinds and {rows} rows compared, 0 differences",
        seeds.len(),
        Kind::ALL.len()
    );
    proof("store on SQLite and PostgreSQL", &figures);
}

/// How many operations and rows, and which kinds of operations did something.
async fn compare_all(seeds: Vec<u64>) -> (usize, usize, BTreeSet<String>) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::fresh().await;
    let sqlite = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
    let postgres = Db::open(&database.address()).await.unwrap();
    let (mut operations, mut rows, mut done) = (0, 0, BTreeSet::new());
    for number in seeds {
        for db in [&sqlite, &postgres] {
            clear(db).await;
            seed(db).await.unwrap();
        }
        let mut both = [(Subject::new(sqlite.clone()), Names::default()), (Subject::new(postgres.clone()), Names::default())];
        let mut rng = StdRng::seed_from_u64(number);
        let mut story = String::new();
        for _ in 0..LENGTH {
            let kind = Kind::ALL[rng.random_range(0..Kind::ALL.len())];
            // What everything else needs comes more often.
            let kind = if rng.random_ratio(2, 5) { FIRST[rng.random_range(0..FIRST.len())] } else { kind };
            let op = Operation { kind, a: rng.random_range(0..100), b: rng.random_range(0..100), c: rng.random_range(0..100) };
            let mut shown = Vec::new();
            for (subject, names) in &mut both {
                let text = subject.carry_out(op).await;
                shown.push(names.alike(&text));
            }
            writeln!(story, "{op:?}: {}", shown[0]).unwrap();
            let again = format!("again: BERTH_SEED={number} .ci/test --no-capture simulation::histories");
            assert_eq!(shown[0], shown[1], "{story}\nhistory {number}: SQLite and PostgreSQL answer {op:?} differently\n{again}");
            operations += 1;
            if !NOTHING.contains(&shown[0].as_str()) {
                done.insert(format!("{kind:?}"));
            }
        }
        let mut left = Vec::new();
        for (subject, names) in &mut both {
            left.push(everything(&subject.db, names).await);
        }
        assert_eq!(left[0], left[1], "{story}\nhistory {number}: SQLite and PostgreSQL hold other rows");
        rows += left[0].len();
    }
    sqlite.close().await;
    postgres.close().await;
    (operations, rows, done)
}

/// The answers of operations that did nothing.
const NOTHING: [&str; 9] = ["nothing there", "nothing", "none", "gone", "refused", "taken", "not these", "another team's", "None"];

const FIRST: [Kind; 10] = [
    Kind::AddUser,
    Kind::AddTeam,
    Kind::AddService,
    Kind::AddTarget,
    Kind::Release,
    Kind::ClaimRollout,
    Kind::FinishRollout,
    Kind::Push,
    Kind::ClaimRun,
    Kind::WorkOnRun,
];

/// Tells ids by the order in which they were first seen, and times not at all.
#[derive(Default)]
struct Names(BTreeMap<String, usize>);

impl Names {
    fn alike(&mut self, text: &str) -> String {
        let mut alike = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let end = rest
                .find(|c| !word(c))
                .unwrap_or(rest.len())
                .max(rest.chars().next().map_or(1, |c| if word(c) { 1 } else { c.len_utf8() }));
            let (this, after) = rest.split_at(end);
            match this {
                id if id.len() == 36 && id.bytes().filter(|byte| *byte == b'-').count() == 4 => {
                    let next = self.0.len();
                    let number = *self.0.entry(id.to_owned()).or_insert(next);
                    write!(alike, "#{number}").unwrap();
                }
                time if time.len() == 13 && time.bytes().all(|byte| byte.is_ascii_digit()) => alike.push('T'),
                hash if hash.len() == 64 => alike.push('H'),
                other => alike.push_str(other),
            }
            rest = after;
        }
        alike
    }
}

/// The tables with their columns and types, as the migrations make them.
fn tables() -> Vec<(String, Vec<(String, String)>)> {
    let mut tables: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in migrations().iter().flat_map(|text| text.lines()) {
        if let Some(added) = line.strip_prefix("ALTER TABLE ") {
            let words: Vec<&str> = added.split([' ', ';']).collect();
            let [table, "ADD", "COLUMN", name, kind, ..] = words[..] else { panic!("{line}") };
            let (_, columns) = tables.iter_mut().find(|(name, _)| name == table).unwrap();
            columns.push((name.to_owned(), kind.to_owned()));
        } else if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            tables.push((name.split_whitespace().next().unwrap().to_owned(), Vec::new()));
        } else if let Some(column) = line.strip_prefix("  ") {
            let words: Vec<&str> = column.split([' ', ',']).collect();
            if let [name, kind @ ("TEXT" | "BIGINT" | "BOOLEAN"), ..] = words[..] {
                tables.last_mut().unwrap().1.push((name.to_owned(), kind.to_owned()));
            }
        }
    }
    assert!(tables.len() > 20, "the migrations read");
    tables
}

async fn clear(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    for (table, _) in tables().iter().rev() {
        tx.execute(format!("DELETE FROM {table}"), args![]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Every row of every table, as text, in an order that does not depend on ids.
async fn everything(db: &Db, names: &mut Names) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in tables() {
        for row in db.fetch_all(format!("SELECT * FROM {table}"), args![]).await.unwrap() {
            let mut text = table.clone();
            for (column, kind) in &columns {
                let value = match kind.as_str() {
                    "TEXT" => row.text_opt(column).unwrap(),
                    "BIGINT" => row.int_opt(column).unwrap().map(|number| number.to_string()),
                    _ => Some(row.bool(column).unwrap().to_string()),
                };
                write!(text, " {column}={value:?}").unwrap();
            }
            all.push(text);
        }
    }
    // Rows that no answer named have ids of no order: told apart by what else they hold.
    let known = |word: &str| word.len() != 36 || names.0.contains_key(word);
    let scrub = |text: &str| text.split('"').map(|word| if known(word) { word } else { "new" }).collect::<Vec<_>>().join("\"");
    let scrubbed: Vec<String> = all.iter().map(|text| scrub(text)).collect();
    let mut alike: Vec<String> = scrubbed.iter().map(|text| names.alike(text)).collect();
    alike.sort();
    alike
}
