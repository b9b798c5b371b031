//! Rows of `schedules`: when the head of a service's default branch is run by itself, as its file says. They are written with
//! the push that brings the file, and moved on in the transaction that queues the run.

use app::model::{RepositoryId, RunSchedule, ServiceId, TeamId, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// A schedule of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: ServiceId,
    /// The repository the service is built from.
    pub repository: RepositoryId,
    /// Five fields.
    pub cron: String,
    /// The time zone.
    pub time_zone: String,
    /// When it is due.
    pub due_at: Timestamp,
}

/// What the file of a service asks for: fields, time zone, and when it is due first.
pub type Wanted = (String, String, Timestamp);

const SELECT: &str = "SELECT c.id, c.service_id, s.repository_id, c.cron, c.time_zone, c.due_at
  FROM schedules c JOIN services s ON s.id = c.service_id AND s.deleted_at IS NULL";

fn read(row: &Row) -> Result<ScheduleRow> {
    Ok(ScheduleRow {
        id: row.text("id")?,
        service: ServiceId::from_text(row.text("service_id")?),
        repository: RepositoryId::from_text(row.text("repository_id")?),
        cron: row.text("cron")?,
        time_zone: row.text("time_zone")?,
        due_at: row.time("due_at")?,
    })
}

/// The schedules whose time has come, longest ago first.
pub async fn due(q: impl Query, now: Timestamp) -> Result<Vec<ScheduleRow>> {
    let sql = format!("{SELECT} WHERE c.due_at <= $1 ORDER BY c.due_at, c.id LIMIT 200");
    Ok(readable(&q.fetch_all(sql, args![now]).await?, read))
}

/// All schedules; for a clock that was moved.
pub async fn all(q: impl Query) -> Result<Vec<ScheduleRow>> {
    Ok(readable(&q.fetch_all(format!("{SELECT} ORDER BY c.id"), args![]).await?, read))
}

/// When the next of them is due.
pub async fn next(q: impl Query) -> Result<Option<Timestamp>> {
    let sql = "SELECT c.due_at FROM schedules c JOIN services s ON s.id = c.service_id AND s.deleted_at IS NULL
                WHERE c.due_at >= 0 ORDER BY c.due_at LIMIT 1";
    let row = q.fetch_opt(sql, args![]).await?;
    row.map(|row| row.time("due_at")).transpose()
}

/// The schedules of a service, the next first.
pub async fn of_service(q: impl Query, team: &TeamId, service: &ServiceId) -> Result<Vec<RunSchedule>> {
    let sql = "SELECT cron, time_zone, due_at FROM schedules WHERE service_id = $1 AND team_id = $2 ORDER BY due_at, cron, time_zone";
    let rows = q.fetch_all(sql, args![service, team]).await?;
    let read = |row: &Row| Ok(RunSchedule { cron: row.text("cron")?, time_zone: row.text("time_zone")?, next: row.time("due_at")? });
    Ok(readable(&rows, read))
}

/// Moves a schedule on, unless somebody else did. False: somebody did.
pub async fn move_on(tx: &mut Tx, schedule: &ScheduleRow, to: Timestamp) -> Result<bool> {
    let sql = "UPDATE schedules SET due_at = $1 WHERE id = $2 AND due_at = $3";
    Ok(tx.execute(sql, args![to, &schedule.id, schedule.due_at]).await? == 1)
}

/// Takes a schedule away that never comes any more.
pub async fn remove(tx: &mut Tx, schedule: &ScheduleRow) -> Result<()> {
    tx.execute("DELETE FROM schedules WHERE id = $1", args![&schedule.id]).await?;
    Ok(())
}

/// Whether a run of a schedule of this service still waits.
pub async fn waits(tx: &mut Tx, service: &ServiceId) -> Result<bool> {
    let sql = "SELECT id FROM runs WHERE service_id = $1 AND event = 'schedule' AND state = 'queued' AND finished_at IS NULL LIMIT 1";
    Ok(tx.fetch_opt(sql, args![service]).await?.is_some())
}

/// Writes down what the file of a service asks for at this commit. One that it had before keeps its time. Without anything
/// wanted the file did not read: what it had stays.
pub async fn set(tx: &mut Tx, team: &TeamId, service: &ServiceId, commit: &str, wanted: Option<&[Wanted]>) -> Result<()> {
    tx.execute("UPDATE services SET schedules_of = $1 WHERE id = $2 AND team_id = $3", args![commit, service, team]).await?;
    let Some(wanted) = wanted else { return Ok(()) };
    for row in tx.fetch_all("SELECT id, cron, time_zone FROM schedules WHERE service_id = $1", args![service]).await? {
        let (cron, zone) = (row.text("cron")?, row.text("time_zone")?);
        if !wanted.iter().any(|(fields, in_zone, _)| *fields == cron && *in_zone == zone) {
            tx.execute("DELETE FROM schedules WHERE id = $1", args![row.text("id")?]).await?;
        }
    }
    for (cron, zone, due) in wanted {
        tx.execute(
            "INSERT INTO schedules (id, team_id, service_id, cron, time_zone, due_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (service_id, cron, time_zone) DO NOTHING",
            args![clock::new_id(), team, service, cron, zone, *due],
        )
        .await?;
    }
    Ok(())
}

/// Takes all schedules of a service away, to be read anew: it is built from another repository.
pub(super) async fn forget(tx: &mut Tx, team: &TeamId, service: &ServiceId) -> Result<()> {
    tx.execute("DELETE FROM schedules WHERE service_id = $1 AND team_id = $2", args![service, team]).await?;
    tx.execute("UPDATE services SET schedules_of = NULL WHERE id = $1 AND team_id = $2", args![service, team]).await?;
    Ok(())
}

/// The repositories of services whose schedules are still to be read, by id, from after this one on.
pub async fn unread(q: impl Query, after: &str) -> Result<Vec<RepositoryId>> {
    let rows = q
        .fetch_all(
            "SELECT DISTINCT repository_id FROM services WHERE schedules_of IS NULL AND deleted_at IS NULL AND repository_id > $1
              ORDER BY repository_id LIMIT 100",
            args![after],
        )
        .await?;
    rows.iter().map(|row| row.text("repository_id").map(RepositoryId::from_text)).collect()
}
