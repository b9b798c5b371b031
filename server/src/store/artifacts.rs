//! Rows of `artifacts`: files that runs left and that are kept.

use std::collections::BTreeSet;

use app::model::{Artifact, RunId, ServiceId, StepId, TeamId, Timestamp};

use super::{Query, Row, Tx, db::Result, runs::RunRow};
use crate::{args, clock};

/// How many are forgotten at once.
const AT_ONCE: u32 = 1_000;

/// A file to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArtifact {
    /// Its id: the name of its file.
    pub id: String,
    /// Its path in the workspace.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, 64 hex digits.
    pub sha256: String,
}

/// Writes files down.
pub async fn insert(tx: &mut Tx, run: &RunRow, step_id: &StepId, step: &str, files: &[NewArtifact]) -> Result<()> {
    for file in files {
        tx.execute(
            "INSERT INTO artifacts (id, team_id, service_id, run_id, run_number, step_id, step, path, size, sha256, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            args![
                &file.id,
                &run.team_id,
                &run.service_id,
                &run.id,
                run.number,
                step_id,
                step,
                &file.path,
                file.size,
                &file.sha256,
                clock::now()
            ],
        )
        .await?;
    }
    Ok(())
}

/// How many files of a run are kept, and how large they are together.
pub async fn so_far(q: impl Query, run: &RunId) -> Result<(usize, u64)> {
    let sql = "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM artifacts WHERE run_id = $1";
    let row = q.fetch_opt(sql, args![run]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.num("files")?, row.num("bytes")?)))
}

fn read(row: &Row) -> Result<Artifact> {
    Ok(Artifact {
        id: row.text("id")?,
        step: row.text("step")?,
        path: row.text("path")?,
        size: row.num("size")?,
        sha256: row.text("sha256")?,
        created_at: row.time("created_at")?,
    })
}

/// The files of a run, by path.
pub async fn of_run(q: impl Query, team: &TeamId, run: &RunId) -> Result<Vec<Artifact>> {
    q.fetch_each("SELECT * FROM artifacts WHERE run_id = $2 AND team_id = $1 ORDER BY path, id", args![team, run], read).await
}

/// One file of a run.
pub async fn find(q: impl Query, team: &TeamId, run: &RunId, id: &str) -> Result<Option<Artifact>> {
    let sql = "SELECT * FROM artifacts WHERE id = $3 AND run_id = $2 AND team_id = $1";
    q.fetch_opt(sql, args![team, run, id]).await?.as_ref().map(read).transpose()
}

/// Forgets files that were kept before this time, but those of each service's last `runs` runs. Answers with them: service
/// and id. Some at once; the next sweep goes on.
pub async fn forget(tx: &mut Tx, before: Timestamp, runs: u32) -> Result<Vec<(ServiceId, String)>> {
    let rows = tx
        .fetch_all(
            "DELETE FROM artifacts WHERE id IN (SELECT a.id FROM artifacts a WHERE a.created_at < $1
                AND a.run_number < (SELECT s.next_run FROM services s WHERE s.id = a.service_id) - $2 ORDER BY a.created_at LIMIT $3)
              RETURNING service_id, id",
            args![before, runs, AT_ONCE],
        )
        .await?;
    rows.iter().map(|row| Ok((ServiceId::from_text(row.text("service_id")?), row.text("id")?))).collect()
}

/// The ids of all files of a service.
pub async fn of_service(q: impl Query, service: &ServiceId) -> Result<BTreeSet<String>> {
    let rows = q.fetch_all("SELECT id FROM artifacts WHERE service_id = $1", args![service]).await?;
    rows.iter().map(|row| row.text("id")).collect()
}
