//! How long the files of runs that failed are kept, and what a run takes over from the one that it goes on from. The files
//! themselves are on the engine; a run of which nothing here says that they are kept has none.

use app::model::{RunId, ServiceId, StageId, Timestamp};

use super::{Query, Tx, db::Result};
use crate::{args, clock};

/// Of each service the files of so many runs are kept, the newest.
pub const KEPT_RUNS: u32 = 3;

/// A condition on runs `r`: nothing that is still to be done goes on from it.
const UNUSED: &str = "NOT EXISTS (SELECT 1 FROM runs g WHERE g.goes_on = r.id AND g.finished_at IS NULL)";

/// Says until when the files of a run are kept. Part of its end.
pub async fn keep(tx: &mut Tx, run: &RunId, until: Timestamp) -> Result<()> {
    tx.execute("UPDATE runs SET files_until = $1 WHERE id = $2", args![until, run]).await?;
    Ok(())
}

/// Keeps the files of a run for longer, since another is to go on from it. False: they are not kept any more. What
/// [`forget`] does at the same moment it does before or after this, never in between.
pub async fn hold(tx: &mut Tx, run: &RunId, now: Timestamp, until: Timestamp) -> Result<bool> {
    let sql = "UPDATE runs SET files_until = $1 WHERE id = $2 AND files_until >= $3";
    Ok(tx.execute(sql, args![until, run, now]).await? == 1)
}

/// Gives up files whose time is over, and all but the newest of each service; never what is needed still. Answers with the
/// runs.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<Vec<RunId>> {
    let sql = format!(
        "SELECT r.id FROM runs r WHERE r.files_until IS NOT NULL AND {UNUSED} AND (r.files_until < $1
            OR (SELECT COUNT(*) FROM runs n WHERE n.service_id = r.service_id AND n.files_until IS NOT NULL AND n.number > r.number) >= $2)"
    );
    let mut forgotten = Vec::new();
    for row in tx.fetch_all(sql, args![now, KEPT_RUNS]).await? {
        let id = row.text("id")?;
        // Looked at again in the row itself: somebody may have come to need it.
        let sql = format!("UPDATE runs AS r SET files_until = NULL WHERE r.id = $1 AND r.files_until IS NOT NULL AND {UNUSED}");
        if tx.execute(sql, args![&id]).await? == 1 {
            forgotten.push(RunId::from_text(id));
        }
    }
    Ok(forgotten)
}

/// The runs whose files are kept.
pub async fn kept(q: impl Query) -> Result<Vec<RunId>> {
    let rows = q.fetch_all("SELECT id FROM runs WHERE files_until IS NOT NULL", args![]).await?;
    rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect()
}

/// Those of a service.
pub async fn of_service(q: impl Query, service: &ServiceId) -> Result<Vec<RunId>> {
    let rows = q.fetch_all("SELECT id FROM runs WHERE service_id = $1 AND files_until IS NOT NULL", args![service]).await?;
    rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect()
}

/// Whether a run has brought a stage of its own to its end: its files are not those any more that it went on with.
pub async fn has_worked(q: impl Query, run: &RunId) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM stages s WHERE s.run_id = $1 AND s.state = 'passed'
                AND EXISTS (SELECT 1 FROM steps p WHERE p.stage_id = s.id AND p.state = 'passed' AND p.taken_from IS NULL) LIMIT 1";
    Ok(q.fetch_opt(sql, args![run]).await?.is_some())
}

/// The run that a run goes on from, as it is called within its service.
pub async fn goes_on(q: impl Query, run: &RunId) -> Result<Option<u64>> {
    let sql = "SELECT o.number FROM runs r JOIN runs o ON o.id = r.goes_on WHERE r.id = $1";
    q.fetch_opt(sql, args![run]).await?.map(|row| row.num("number")).transpose()
}

/// What a run took over: stage, step, and the number of the run in which it passed.
pub async fn taken(q: impl Query, run: &RunId) -> Result<Vec<(String, String, u64)>> {
    let sql = "SELECT s.name AS stage, p.name AS step, p.taken_from FROM steps p JOIN stages s ON s.id = p.stage_id
                WHERE p.run_id = $1 AND p.taken_from IS NOT NULL AND s.state <> 'lost' ORDER BY s.position, s.attempt, p.position";
    let rows = q.fetch_all(sql, args![run]).await?;
    rows.iter().map(|row| Ok((row.text("stage")?, row.text("step")?, row.num("taken_from")?))).collect()
}

/// Lets a run that was just written go on from another: of each stage, by its place, the steps of these names have passed
/// already, and so has a stage of which nothing else is wanted. What their tests said there was said here too.
pub async fn take_over(tx: &mut Tx, from: (&RunId, u64), run: &RunId, number: u64, steps: &[Vec<String>]) -> Result<()> {
    tx.execute("UPDATE runs SET goes_on = $1 WHERE id = $2", args![from.0, run]).await?;
    for (position, names) in steps.iter().enumerate() {
        for name in names {
            // What the other took over itself passed where that did.
            tx.execute(
                "UPDATE steps SET state = 'passed', finished_at = $1, taken_from = COALESCE((SELECT MAX(o.taken_from) FROM steps o
                    JOIN stages os ON os.id = o.stage_id WHERE o.run_id = $2 AND os.position = $5 AND o.name = $6), $3)
                  WHERE run_id = $4 AND name = $6 AND sidecar = FALSE
                    AND stage_id IN (SELECT id FROM stages WHERE run_id = $4 AND position = $5)",
                args![clock::now(), from.0, from.1, run, position, name],
            )
            .await?;
        }
    }
    settle(tx, run).await?;
    tx.execute(
        "INSERT INTO step_tests (step_id, team_id, service_id, run_id, run_number, commit_id, on_default, step, passed, failed, skipped,
           bytes, sources, report, cases)
         SELECT p.id, t.team_id, t.service_id, p.run_id, $3, t.commit_id, t.on_default, t.step, t.passed, t.failed, t.skipped,
           t.bytes, t.sources, t.report, t.cases
           FROM steps p JOIN stages s ON s.id = p.stage_id
           JOIN stages os ON os.run_id = $1 AND os.position = s.position AND os.attempt = (SELECT MAX(x.attempt) FROM stages x
                  WHERE x.run_id = $1 AND x.position = s.position)
           JOIN steps o ON o.stage_id = os.id AND o.name = p.name AND o.sidecar = FALSE AND o.on_failure = FALSE
           JOIN step_tests t ON t.step_id = o.id
          WHERE p.run_id = $2 AND p.taken_from IS NOT NULL",
        args![from.0, run, number],
    )
    .await?;
    Ok(())
}

/// A stage of which everything wanted was taken over has passed, and nothing runs beside it.
async fn settle(tx: &mut Tx, run: &RunId) -> Result<()> {
    let whole = "state = 'queued' AND run_id = $1
         AND EXISTS (SELECT 1 FROM steps p WHERE p.stage_id = stages.id AND p.taken_from IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM steps p WHERE p.stage_id = stages.id AND p.sidecar = FALSE AND p.state = 'queued')";
    let sql = format!("DELETE FROM steps WHERE sidecar = TRUE AND stage_id IN (SELECT stages.id FROM stages WHERE {whole})");
    tx.execute(sql, args![run]).await?;
    tx.execute(format!("UPDATE stages SET state = 'passed' WHERE {whole}"), args![run]).await?;
    Ok(())
}

/// Takes over for a further attempt of a stage what the one before had taken over. Answers with the names of the steps.
pub(super) async fn take_again(tx: &mut Tx, before: &StageId, stage: &StageId) -> Result<Vec<String>> {
    let rows = tx.fetch_all("SELECT name, taken_from FROM steps WHERE stage_id = $1 AND taken_from IS NOT NULL", args![before]).await?;
    let mut names = Vec::new();
    for row in &rows {
        let name = row.text("name")?;
        let sql = "UPDATE steps SET state = 'passed', finished_at = $1, taken_from = $2 WHERE stage_id = $3 AND name = $4";
        tx.execute(sql, args![clock::now(), row.int("taken_from")?, stage, &name]).await?;
        names.push(name);
    }
    Ok(names)
}
