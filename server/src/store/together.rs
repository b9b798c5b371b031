//! Runs that come to one version or to none. Each service has a run of its own; all of them name the first, the lead, and
//! whoever holds that one carries all out under its fence: only the lead has a holder and a lease.

use std::collections::BTreeMap;

use app::{
    model::{CandidateId, RunId, RunState, ServiceId, ServiceName, Sibling, TeamId, Timestamp},
    said,
};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
    forge_statuses, groups,
    runs::{self, RunRow},
};
use crate::{args, clock};

/// A condition on runs `r`: it is no other's to carry out.
pub(super) const CARRIES: &str =
    "(r.lead_id IS NULL OR r.lead_id = r.id OR NOT EXISTS (SELECT 1 FROM runs lead WHERE lead.id = r.lead_id))";

/// Binds runs that were just queued to each other; the first is the lead. One alone stays alone. Together they take one place
/// in a concurrency group, however many of them name it.
pub async fn bind(tx: &mut Tx, runs: &[RunId]) -> Result<()> {
    let [lead, _, ..] = runs else { return Ok(()) };
    for run in runs {
        tx.execute("UPDATE runs SET lead_id = $1 WHERE id = $2", args![lead, run]).await?;
    }
    for sql in [
        "UPDATE runs SET concurrency_limit = (SELECT MIN(o.concurrency_limit) FROM runs o
            WHERE o.lead_id = $1 AND o.concurrency = runs.concurrency) WHERE lead_id = $1 AND concurrency IS NOT NULL",
        "UPDATE runs SET concurrency = NULL WHERE lead_id = $1 AND EXISTS (SELECT 1 FROM runs o
            WHERE o.lead_id = $1 AND o.concurrency = runs.concurrency AND o.id < runs.id)",
    ] {
        tx.execute(sql, args![lead]).await?;
    }
    Ok(())
}

/// Lets the others go the way of a lead that was claimed.
pub(super) async fn follow(tx: &mut Tx, lead: &RunRow, now: Timestamp) -> Result<()> {
    if lead.lead.is_none() {
        return Ok(());
    }
    let rows = tx
        .fetch_all(
            "UPDATE runs SET state = 'running', fence = $1, started_at = COALESCE(started_at, $2), waits = NULL
              WHERE lead_id = $3 AND id <> $3 AND finished_at IS NULL RETURNING id",
            args![lead.fence, now, &lead.id],
        )
        .await?;
    for row in &rows {
        forge_statuses::note(tx, &row.text("id")?).await?;
    }
    Ok(())
}

/// The runs that come to one version, by the names of their services.
pub async fn members(q: impl Query, lead: &RunId) -> Result<Vec<RunRow>> {
    runs::rows(q, "r.lead_id = $1 ORDER BY s.name", args![lead]).await
}

/// The runs that the same push made as this one, by the names of their services.
pub async fn of_same_push(q: impl Query, run: &RunId) -> Result<Vec<RunRow>> {
    runs::rows(q, "r.push_id = (SELECT o.push_id FROM runs o WHERE o.id = $1) ORDER BY s.name", args![run]).await
}

/// Ends those that still wait, with one of them that was ended. Answers with them.
pub(super) async fn end_queued(tx: &mut Tx, lead: &str, state: RunState, failure: Option<&str>) -> Result<Vec<RunId>> {
    let rows = tx
        .fetch_all(
            "UPDATE runs SET state = $1, finished_at = $2, failure = $3 WHERE lead_id = $4 AND state = 'queued' AND finished_at IS NULL
             RETURNING id",
            args![state.name(), clock::now(), failure, lead],
        )
        .await?;
    ended(tx, &rows).await
}

/// Ends what was to come to one version with runs whose place others took: what waits at once, what is under way as soon as its
/// holder hears of it. Answers with them.
pub async fn end_rest(tx: &mut Tx, taken: &[RunId]) -> Result<Vec<RunId>> {
    let mut also = Vec::new();
    for run in taken {
        let sql = "SELECT lead_id FROM runs WHERE id = $1 AND lead_id IS NOT NULL AND superseded_by IS NOT NULL";
        let Some(row) = tx.fetch_opt(sql, args![run]).await? else { continue };
        let lead = row.text("lead_id")?;
        also.extend(end_queued(tx, &lead, RunState::Superseded, Some(&said::one_of_them_superseded())).await?);
        let sql = "UPDATE runs SET cancel_asked_at = $1 WHERE lead_id = $2 AND state = 'running' AND cancel_asked_at IS NULL RETURNING id";
        for row in tx.fetch_all(sql, args![clock::now(), &lead]).await? {
            also.push(RunId::from_text(row.text("id")?));
        }
    }
    Ok(also)
}

/// Takes them away from whoever carries them out, with a service that is deleted: they cannot all come to one version any more.
pub(super) async fn withdraw(tx: &mut Tx, service: &ServiceId) -> Result<()> {
    let sql = "SELECT DISTINCT lead_id FROM runs WHERE service_id = $1 AND finished_at IS NULL AND lead_id IS NOT NULL";
    for row in tx.fetch_all(sql, args![service]).await? {
        let rows = tx
            .fetch_all(
                "UPDATE runs SET state = 'cancelled', finished_at = $1, lease_until = NULL, waits = NULL, fence = fence + 1, failure = $2
                  WHERE lead_id = $3 AND finished_at IS NULL RETURNING id",
                args![clock::now(), said::one_of_them_deleted(), row.text("lead_id")?],
            )
            .await?;
        ended(tx, &rows).await?;
    }
    Ok(())
}

/// Ends what these runs still had to do.
async fn ended(tx: &mut Tx, rows: &[Row]) -> Result<Vec<RunId>> {
    let runs: Vec<RunId> = rows.iter().map(|row| row.text("id").map(RunId::from_text)).collect::<Result<_>>()?;
    for run in &runs {
        runs::skip_rest(tx, run).await?;
    }
    forge_statuses::note_all(tx, &runs).await?;
    Ok(runs)
}

/// What they wait for before they begin, as a sentence: an earlier run of one of their services on its branch, room in the
/// concurrency group of one of them, or a place.
pub async fn waits(q: impl Query + Copy, team: &TeamId, lead: &str, branch: &str) -> Result<String> {
    let row = q
        .fetch_opt(
            "SELECT s.name, o.number FROM runs m JOIN runs o ON o.service_id = m.service_id AND o.branch = m.branch
               JOIN services s ON s.id = o.service_id
              WHERE m.lead_id = $1 AND o.finished_at IS NULL AND o.number < m.number ORDER BY s.name, o.number LIMIT 1",
            args![lead],
        )
        .await?;
    if let Some(row) = row {
        return Ok(said::waits_run_of(row.int("number")?, row.text("name")?, branch));
    }
    for row in q.fetch_all("SELECT id FROM runs WHERE lead_id = $1 AND concurrency IS NOT NULL", args![lead]).await? {
        if let Some(waits) = groups::full(q, team, &RunId::from_text(row.text("id")?)).await? {
            return Ok(waits);
        }
    }
    Ok(said::waits_place())
}

fn read_sibling(row: &Row) -> Result<Sibling> {
    Ok(Sibling {
        service: row.parsed("service")?,
        run: row.num("run")?,
        state: row.named("state", RunState::from_name)?,
        candidate: row.int_opt("candidate")?.and_then(|number| u64::try_from(number).ok()),
    })
}

/// Runs that come to one version, and what each came to, by the names of their services.
const SIBLINGS: &str = "SELECT s.name AS service, m.number AS run, m.state, c.number AS candidate
   FROM runs m JOIN services s ON s.id = m.service_id LEFT JOIN candidates c ON c.id = m.candidate_id";

/// The runs that name this lead.
pub async fn siblings(q: impl Query, lead: &str) -> Result<Vec<Sibling>> {
    Ok(readable(&q.fetch_all(format!("{SIBLINGS} WHERE m.lead_id = $1 ORDER BY s.name"), args![lead]).await?, read_sibling))
}

/// Those of the run that made a candidate; none where it stood alone.
pub async fn siblings_of(q: impl Query, candidate: &CandidateId) -> Result<Vec<Sibling>> {
    let sql = format!(
        "{SIBLINGS} WHERE m.lead_id = (SELECT r.lead_id FROM candidates o JOIN runs r ON r.id = o.run_id WHERE o.id = $1) ORDER BY s.name"
    );
    Ok(readable(&q.fetch_all(sql, args![candidate]).await?, read_sibling))
}

/// The services of the runs that name these leads, by lead.
pub(super) async fn names(q: impl Query, leads: &[String]) -> Result<BTreeMap<String, Vec<ServiceName>>> {
    let mut names = BTreeMap::<String, Vec<ServiceName>>::new();
    if leads.is_empty() {
        return Ok(names);
    }
    let places: Vec<String> = (1..=leads.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT m.lead_id, s.name FROM runs m JOIN services s ON s.id = m.service_id WHERE m.lead_id IN ({}) ORDER BY s.name",
        places.join(", ")
    );
    for row in q.fetch_all(sql, leads.iter().map(super::Value::from).collect::<Vec<_>>()).await? {
        if let Ok(name) = row.parsed("name") {
            names.entry(row.text("lead_id")?).or_default().push(name);
        }
    }
    Ok(names)
}
