//! Logs of steps as append-only chunks.

use app::model::{LineKind, LogFound, LogLine, LogRange, RunState, StepId, TeamId, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
    releases::json,
};
use crate::args;

/// How many chunks are read at once.
const BATCH: u32 = 16;
/// How many batches are looked through in one go: about 16 MiB.
const LOOK_AT: usize = 16;

/// A line on its way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// When it was read.
    pub at: Timestamp,
    /// What it is.
    pub kind: LineKind,
    /// Its text, without a line end.
    pub text: String,
}

/// Appends lines, if the run is still held under this fence and the log has as many lines as the writer believes. False:
/// somebody else writes it now, nothing was written.
pub async fn append(tx: &mut Tx, step: &StepId, fence: i64, first: u64, lines: &[NewLine]) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE steps SET lines = lines + $1 WHERE id = $2 AND lines = $3
               AND EXISTS (SELECT 1 FROM runs r WHERE r.id = steps.run_id AND r.fence = $4)",
            args![lines.len(), step, first - 1, fence],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    let chunk: Vec<(i64, LineKind, &str)> = lines.iter().map(|line| (line.at.0, line.kind, line.text.as_str())).collect();
    tx.execute(
        "INSERT INTO log_chunks (step_id, first_line, line_count, lines) VALUES ($1, $2, $3, $4)",
        args![step, first, lines.len(), json(&chunk)],
    )
    .await?;
    Ok(true)
}

/// Whose log it is, how its step is, and how many lines it has.
pub async fn head(q: impl Query, step: &StepId) -> Result<Option<(TeamId, RunState, u64)>> {
    let row = q.fetch_opt("SELECT team_id, state, lines FROM steps WHERE id = $1", args![step]).await?;
    row.map(|row| Ok((TeamId::from_text(row.text("team_id")?), row.named("state", RunState::from_name)?, row.num("lines")?))).transpose()
}

/// Lines from number `from` on, at most `limit`; none where there is no such log in the team.
pub async fn read(q: impl Query + Copy, team: &TeamId, step: &StepId, from: u64, limit: usize) -> Result<Option<LogRange>> {
    let Some((owner, state, total)) = head(q, step).await? else { return Ok(None) };
    if owner != *team {
        return Ok(None);
    }
    let mut lines = Vec::new();
    let mut next = from.max(1);
    while lines.len() < limit && next <= total {
        let batch = chunks(q, step, next).await?;
        if batch.is_empty() {
            break;
        }
        lines.extend(batch.into_iter().flatten().filter(|line| line.number >= next).take(limit - lines.len()));
        next = lines.last().map_or(total + 1, |line| line.number + 1);
    }
    Ok(Some(LogRange { lines, total, complete: state.ended() }))
}

/// The lines from number `from` on whose text `holds` what is looked for, at most `limit`, as far as one go comes; none where there
/// is no such log in the team.
pub async fn find(
    q: impl Query + Copy,
    team: &TeamId,
    step: &StepId,
    (from, limit): (u64, usize),
    holds: impl Fn(&str) -> bool,
) -> Result<Option<LogFound>> {
    let Some((owner, _, total)) = head(q, step).await? else { return Ok(None) };
    if owner != *team {
        return Ok(None);
    }
    let (mut lines, mut next) = (Vec::new(), from.max(1));
    for _ in 0..LOOK_AT {
        let batch = chunks(q, step, next).await?;
        let Some(last) = batch.last().and_then(|chunk| chunk.last()).map(|line| line.number) else {
            next = total + 1;
            break;
        };
        let found = batch.into_iter().flatten().filter(|line| line.number >= next && holds(&line.text));
        lines.extend(found.take(limit - lines.len()));
        next = last + 1;
        if lines.len() == limit {
            next = lines.last().map_or(next, |line: &LogLine| line.number + 1);
            break;
        }
    }
    Ok(Some(LogFound { lines, next: (next <= total).then_some(next), total }))
}

/// The last lines of a log.
pub async fn tail(q: impl Query + Copy, team: &TeamId, step: &StepId, count: u64) -> Result<Vec<LogLine>> {
    let Some((_, _, total)) = head(q, step).await? else { return Ok(Vec::new()) };
    let from = total.saturating_sub(count) + 1;
    Ok(read(q, team, step, from, usize::try_from(count).unwrap_or(usize::MAX)).await?.map(|range| range.lines).unwrap_or_default())
}

async fn chunks(q: impl Query, step: &StepId, from: u64) -> Result<Vec<Vec<LogLine>>> {
    let rows = q
        .fetch_all(
            "SELECT first_line, lines FROM log_chunks WHERE step_id = $1
               AND first_line >= (SELECT COALESCE(MAX(c.first_line), 0) FROM log_chunks c WHERE c.step_id = $1 AND c.first_line <= $2)
              ORDER BY first_line LIMIT $3",
            args![step, from, BATCH],
        )
        .await?;
    Ok(readable(&rows, read_chunk))
}

fn read_chunk(row: &Row) -> Result<Vec<LogLine>> {
    let first: u64 = row.num("first_line")?;
    let lines: Vec<(i64, LineKind, String)> = row.json("lines")?;
    let line = |(number, (at, kind, text))| LogLine { number, at: Timestamp(at), kind, text };
    Ok((first..).zip(lines).map(line).collect())
}
