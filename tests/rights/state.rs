//! Everything a Berth knows: each row of each table, and the refs of each repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use server::{
    args,
    store::{Db, Query as _},
};

use crate::support::app::TestApp;

/// What changes by itself, or by being asked at all: sessions are touched, leases renewed, answers remembered.
const BESIDE: [&str; 4] = ["sessions", "leases", "idempotency_keys", "_sqlx_migrations"];

/// The columns of a token's row but its last use.
const LAST_USED: &str = "last_used_at";

/// Looks at all of it, as often as one likes: one statement.
pub(super) struct Eye<'a> {
    app: &'a TestApp,
    sql: String,
}

impl<'a> Eye<'a> {
    pub(super) async fn of(app: &'a TestApp) -> Self {
        let mut parts = Vec::new();
        for table in tables(app.db()).await {
            let line = line(app.db(), &table).await;
            parts.push(format!("SELECT '{table}' AS place, {line} AS line FROM {table} t"));
        }
        Self { app, sql: format!("{} ORDER BY 1, 2", parts.join(" UNION ALL ")) }
    }

    /// Every table's rows as text, and `refs`: what is in the repositories' folders.
    pub(super) async fn sees(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.app.db().fetch_all(self.sql.as_str(), args![]).await.unwrap() {
            all.entry(row.text("place").unwrap()).or_default().push(row.text("line").unwrap());
        }
        let mut refs = Vec::new();
        walk(&self.app.berth.config.repositories(), &mut refs);
        refs.sort();
        all.insert("refs".into(), refs);
        all
    }
}

/// What an [`Eye`] sees, once.
pub(super) async fn everything(app: &TestApp) -> BTreeMap<String, Vec<String>> {
    Eye::of(app).await.sees().await
}

/// The tables that differ, with what is new or gone in each.
pub(super) fn difference<'a>(before: &'a BTreeMap<String, Vec<String>>, after: &'a BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut found = Vec::new();
    if before == after {
        return found;
    }
    let tables: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for table in tables {
        let of = |all: &'a BTreeMap<String, Vec<String>>| all.get(table).map(Vec::as_slice).unwrap_or_default();
        let (known, rows) = (of(before), of(after));
        found.extend(rows.iter().filter(|row| !known.contains(row)).map(|row| format!("{table} + {row}")));
        found.extend(known.iter().filter(|row| !rows.contains(row)).map(|row| format!("{table} - {row}")));
    }
    found
}

async fn tables(db: &Db) -> Vec<String> {
    let sql = match db {
        Db::Sqlite { .. } => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Db::Postgres(_) => "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'",
    };
    let rows = db.fetch_all(sql, args![]).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).filter(|name| !BESIDE.contains(&name.as_str())).collect()
}

/// A row of a table as one text.
async fn line(db: &Db, table: &str) -> String {
    match db {
        Db::Sqlite { .. } => {
            let columns = db.fetch_all(format!("SELECT name FROM pragma_table_info('{table}')"), args![]).await.unwrap();
            let columns = columns.iter().map(|row| row.text("name").unwrap()).filter(|name| name != LAST_USED);
            columns.map(|column| format!("'{column}=' || quote({column})")).collect::<Vec<_>>().join(" || ' ' || ")
        }
        Db::Postgres(_) => format!("(to_jsonb(t) - '{LAST_USED}')::text"),
    }
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            walk(&path, found);
        } else if name.contains("/refs/") || name.ends_with("/packed-refs") || name.ends_with("/HEAD") {
            found.push(format!("{name} {}", std::fs::read_to_string(&path).unwrap_or_default().trim()));
        } else if name.contains("/hooks/") || name.ends_with("/config") {
            found.push(format!("{name} {}", std::fs::metadata(&path).map_or(0, |about| about.len())));
        }
    }
}
