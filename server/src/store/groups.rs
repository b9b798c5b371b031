//! Concurrency groups: runs of a team that name the same group are never more under way at once than the group's limit, across
//! services. Where files disagree about it, the smallest limit of the one that wants in and those that are in holds.

use app::{
    model::{RunId, TeamId},
    said,
};

use super::{Query, db::Result};
use crate::args;

/// A row where the group of the run `q` is full: for a claim, which is one at a time, so that no two find the same room.
pub(super) const FULL: &str = "SELECT 1 FROM runs g WHERE g.team_id = q.team_id AND g.concurrency = q.concurrency
                          AND g.state = 'running' AND g.finished_at IS NULL
                       GROUP BY g.concurrency HAVING COUNT(*) >= q.concurrency_limit OR COUNT(*) >= MIN(g.concurrency_limit)";

/// What a queued run waits for in its group, as a sentence; none where there is room, or no group.
pub async fn full(q: impl Query, team: &TeamId, run: &RunId) -> Result<Option<String>> {
    let sql = format!(
        "SELECT q.concurrency, h.number, s.name AS service FROM runs q
           JOIN runs h ON h.team_id = q.team_id AND h.concurrency = q.concurrency AND h.state = 'running' AND h.finished_at IS NULL
           JOIN services s ON s.id = h.service_id
          WHERE q.id = $1 AND q.team_id = $2 AND EXISTS ({FULL})
          ORDER BY h.started_at, h.id LIMIT 1"
    );
    let row = q.fetch_opt(sql, args![run, team]).await?;
    row.map(|row| Ok(said::waits_group(row.text("concurrency")?, row.int("number")?, row.text("service")?))).transpose()
}
