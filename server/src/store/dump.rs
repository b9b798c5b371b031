//! Every row there is, as lines of JSON that either database takes back: what a backup is made of.

use futures::{Stream, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    Query as _, Row, StoreError, Tx, Value,
    db::{Result, unreadable},
};
use crate::args;

/// The tables, each after those that its rows refer to.
pub const TABLES: [&str; 34] = [
    "settings",
    "users",
    "sessions",
    "teams",
    "members",
    "links",
    "tokens",
    "environments",
    "bases",
    "base_versions",
    "repositories",
    "mirrors",
    "ref_changes",
    "services",
    "secrets",
    "schedules",
    "runs",
    "forge_statuses",
    "stages",
    "steps",
    "log_chunks",
    "step_tests",
    "flaky_tests",
    "candidates",
    "statements",
    "candidate_bases",
    "base_rolls",
    "targets",
    "config_sets",
    "releases",
    "rollouts",
    "routes",
    "events",
    "idempotency_keys",
];

/// Tables that say how the world is just now. They are found out anew where a backup is put back: an old address of an
/// instance may be somebody else's by then, and a duty of a Berth that is gone would be waited for. The files of runs and
/// the caches of steps are not in a backup, and so it does not name them.
pub const PASSING: [&str; 4] = ["artifacts", "backends", "caches", "leases"];

/// Values in one statement; both databases take this many.
const PLACES: usize = 900;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text, JSON, ids.
    Text,
    /// Numbers, times.
    Int,
    /// True or false.
    Bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// Every table there is, whatever made it.
pub async fn tables(tx: &mut Tx) -> Result<Vec<String>> {
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Tx::Postgres(_) => "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = current_schema()",
    };
    let rows = tx.fetch_all(sql, args![]).await?;
    rows.iter().map(|row| row.text("name")).filter(|name| !matches!(name, Ok(name) if name.starts_with("_sqlx"))).collect()
}

/// The columns of a table, in order; none where there is no such table.
pub async fn columns(tx: &mut Tx, table: &str) -> Result<Vec<Column>> {
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT name, type AS kind FROM pragma_table_info($1) ORDER BY cid",
        Tx::Postgres(_) => {
            "SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS kind FROM information_schema.columns
              WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
        }
    };
    let rows = tx.fetch_all(sql, args![table]).await?;
    let kind = |row: &Row| match row.text("kind")?.to_ascii_lowercase().as_str() {
        "text" => Ok(Kind::Text),
        "bigint" => Ok(Kind::Int),
        "boolean" => Ok(Kind::Bool),
        other => Err(unreadable("type", format!("{table} has a column of the type {other}"))),
    };
    rows.iter().map(|row| Ok(Column { name: row.text("name")?, kind: kind(row)? })).collect()
}

/// The rows of a table, a line of JSON each.
pub fn lines<'t>(tx: &'t mut Tx, table: &str, columns: &'t [Column]) -> impl Stream<Item = Result<String>> + Send + 't {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let sql = format!("SELECT {} FROM {table}", names.join(", "));
    tx.stream(sql).and_then(move |row| std::future::ready(line(&row, columns)))
}

fn line(row: &Row, columns: &[Column]) -> Result<String> {
    let values: Vec<Json> = columns.iter().map(|column| value(row, column)).collect::<Result<_>>()?;
    Ok(Json::Array(values).to_string())
}

/// A value as its column says; SQLite also keeps what does not fit, and so does the backup.
fn value(row: &Row, column: &Column) -> Result<Json> {
    let name = &column.name;
    match column.kind {
        Kind::Int => row.int_opt(name).map(Json::from).or_else(|_| row.text_opt(name).map(Json::from)),
        Kind::Bool => row.bool(name).map(Json::from),
        Kind::Text => row.text_opt(name).map(Json::from).or_else(|_| row.int_opt(name).map(Json::from)),
    }
}

fn bound(value: &Json, column: &Column) -> Result<Value> {
    Ok(match (value, column.kind) {
        (Json::Null, Kind::Int) => Value::Int(None),
        (Json::Null, _) => Value::Text(None),
        (Json::Bool(bool), _) => Value::Bool(*bool),
        (Json::String(text), _) => Value::Text(Some(text.clone())),
        (Json::Number(number), _) => Value::Int(number.as_i64()),
        _ => return Err(unreadable(&column.name, "a value that is none of a database")),
    })
}

/// Puts lines back as rows, and says how many. Table and columns must be those of this database.
pub async fn put_back(tx: &mut Tx, table: &str, columns: &[Column], lines: &[&str]) -> Result<u64> {
    let here = self::columns(tx, table).await?;
    if here.is_empty() || here.len() != columns.len() || !columns.iter().all(|column| here.contains(column)) {
        return Err(StoreError::Address(format!("The backup's table `{table}` has other columns than this database.")));
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut count = 0;
    for lines in lines.chunks((PLACES / columns.len()).max(1)) {
        let mut values = Vec::with_capacity(lines.len() * columns.len());
        for line in lines {
            let row: Vec<Json> = serde_json::from_str(line).map_err(|cause| unreadable(table, cause))?;
            if row.len() != columns.len() {
                return Err(unreadable(table, "a row of another length"));
            }
            for (value, column) in row.iter().zip(columns) {
                values.push(bound(value, column)?);
            }
        }
        let place = |row: usize| {
            let places: Vec<String> = (1..=columns.len()).map(|n| format!("${}", row * columns.len() + n)).collect();
            format!("({})", places.join(", "))
        };
        let places: Vec<String> = (0..lines.len()).map(place).collect();
        let sql = format!("INSERT INTO {table} ({}) VALUES {}", names.join(", "), places.join(", "));
        count += tx.execute(sql, values).await?;
    }
    Ok(count)
}

/// Whether somebody is at home: a database with people or settings in it is not written over.
pub async fn is_empty(tx: &mut Tx) -> Result<bool> {
    for table in tables(tx).await? {
        if tx.fetch_opt(format!("SELECT 1 AS one FROM {table} LIMIT 1"), args![]).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The commits that rows of a repository name. A ref may not lead to them any more.
pub async fn commits(tx: &mut Tx, repository: &str) -> Result<Vec<String>> {
    let rows = tx
        .fetch_all(
            "SELECT r.commit_id AS name FROM services s JOIN runs r ON r.service_id = s.id AND r.repository_id IS NULL WHERE s.repository_id = $1
             UNION SELECT commit_id AS name FROM runs WHERE repository_id = $1
             UNION SELECT new_commit AS name FROM ref_changes WHERE repository_id = $1 AND new_commit IS NOT NULL",
            args![repository],
        )
        .await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// Every repository: its id and its default branch.
pub async fn repositories(tx: &mut Tx) -> Result<Vec<(String, String)>> {
    let rows = tx.fetch_all("SELECT id, default_branch FROM repositories ORDER BY id", args![]).await?;
    rows.iter().map(|row| Ok((row.text("id")?, row.text("default_branch")?))).collect()
}

/// The sealed variables of every config set, and the secrets of steps: team, id, value.
pub async fn sealed(tx: &mut Tx) -> Result<Vec<(String, String, String)>> {
    let mut rows = tx.fetch_all("SELECT team_id, id, variables FROM config_sets", args![]).await?;
    // A backup of an older Berth is read before its schema is brought up to this one's.
    if !columns(tx, "secrets").await?.is_empty() {
        rows.extend(tx.fetch_all("SELECT team_id, id, variables FROM secrets", args![]).await?);
    }
    rows.iter().map(|row| Ok((row.text("team_id")?, row.text("id")?, row.text("variables")?))).collect()
}
