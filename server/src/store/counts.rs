//! How many there are of what: for the figures, and for whoever looks after a Berth.

use app::model::Timestamp;

use super::{Query, db::Result};
use crate::args;

/// Runs that have not ended, by state.
pub async fn open_runs(q: impl Query) -> Result<Vec<(String, u64)>> {
    by_state(q, "SELECT state, COUNT(*) AS n FROM runs WHERE finished_at IS NULL GROUP BY state ORDER BY state").await
}

/// Rollouts that have not ended, by state.
pub async fn open_rollouts(q: impl Query) -> Result<Vec<(String, u64)>> {
    by_state(q, "SELECT state, COUNT(*) AS n FROM rollouts WHERE finished_at IS NULL GROUP BY state ORDER BY state").await
}

async fn by_state(q: impl Query, sql: &str) -> Result<Vec<(String, u64)>> {
    q.fetch_all(sql, args![]).await?.iter().map(|row| Ok((row.text("state")?, row.num("n")?))).collect()
}

/// Instances that take requests, and those that only finish what they have.
pub async fn instances(q: impl Query) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(*) AS n, COUNT(draining_since) AS draining FROM backends";
    let Some(row) = q.fetch_opt(sql, args![]).await? else { return Ok((0, 0)) };
    let (all, draining) = (row.num::<u64>("n")?, row.num("draining")?);
    Ok((all.saturating_sub(draining), draining))
}

/// What is counted, by its name and its table.
const THINGS: [(&str, &str); 7] = [
    ("people", "users"),
    ("teams", "teams"),
    ("services", "services"),
    ("targets", "targets"),
    ("routes", "routes"),
    ("environments", "environments"),
    ("repositories", "repositories"),
];

/// How many there are of each kind of thing that people make. What grows with every push is not counted: that takes long.
pub async fn things(q: impl Query) -> Result<Vec<(&'static str, u64)>> {
    let sql = THINGS.map(|(_, table)| format!("(SELECT COUNT(*) FROM {table}) AS {table}")).join(", ");
    let Some(row) = q.fetch_opt(format!("SELECT {sql}"), args![]).await? else { return Ok(Vec::new()) };
    THINGS.iter().map(|(name, table)| Ok((*name, row.num(table)?))).collect()
}

/// When the oldest run or rollout that has not ended was asked for.
pub async fn oldest_open(q: impl Query) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(created_at) AS at FROM (SELECT created_at FROM runs WHERE finished_at IS NULL
                 UNION ALL SELECT created_at FROM rollouts WHERE finished_at IS NULL) open";
    q.fetch_opt(sql, args![]).await?.map_or(Ok(None), |row| row.time_opt("at"))
}
