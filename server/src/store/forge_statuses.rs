//! Rows of `forge_statuses`: what a forge is to be told of a commit and a service. They are written in the transaction that
//! changes the run, and the newest state alone is kept: what was not told by then is not told any more.

use std::time::Duration;

use app::{
    model::{ForgeStatus, RepositoryId, RunId, RunState, ServiceName, TeamId, TeamName, Timestamp},
    said,
};

use super::{
    Db, Query, Row, StoreError, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// How long somebody may take to tell one.
const HANDS: Duration = Duration::from_secs(30);
/// How many are shown.
const SHOWN: u32 = 20;

/// One to be told.
#[derive(Clone, Debug)]
pub struct Untold {
    /// Its id.
    pub id: String,
    /// The team's id.
    pub team_id: TeamId,
    /// The team.
    pub team: TeamName,
    /// The repository here.
    pub repository: RepositoryId,
    /// The service.
    pub service: ServiceName,
    /// The number of the run.
    pub run: u64,
    /// The commit.
    pub commit: String,
    /// The branch the run is of; none: the run is forgotten.
    pub branch: Option<String>,
    /// How the run is.
    pub state: RunState,
    /// Which change of it this is.
    pub version: i64,
    /// How often this one was tried.
    pub tries: u32,
}

/// Notes that a run changed, for the forge whose mirror its repository is; of runs that nobody pushed or proposed nothing. Part of
/// every transaction that changes the state of a run.
pub(super) async fn note(tx: &mut Tx, run: &str) -> Result<()> {
    let now = clock::now();
    tx.execute(
        "INSERT INTO forge_statuses (id, team_id, repository_id, service_id, run_id, run_number, commit_id, state, version, due_at, changed_at)
         SELECT $1, r.team_id, m.repository_id, r.service_id, r.id, r.number, r.commit_id, r.state, 1, $2, $2
           FROM runs r JOIN services s ON s.id = r.service_id JOIN mirrors m ON m.repository_id = COALESCE(r.repository_id, s.repository_id)
          WHERE r.id = $3 AND m.statuses AND m.forge <> 'git'
         ON CONFLICT (repository_id, commit_id, service_id) DO UPDATE SET run_id = excluded.run_id, run_number = excluded.run_number,
           state = excluded.state, version = forge_statuses.version + 1, due_at = excluded.due_at, tries = 0, failure = NULL,
           changed_at = excluded.changed_at
          WHERE excluded.run_number >= forge_statuses.run_number
            AND (excluded.run_number > forge_statuses.run_number OR excluded.state <> forge_statuses.state)",
        args![clock::new_id(), now, run],
    )
    .await?;
    Ok(())
}

/// As [`note`], for several.
pub(super) async fn note_all(tx: &mut Tx, runs: &[RunId]) -> Result<()> {
    for run in runs {
        note(tx, run.as_str()).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<Untold> {
    Ok(Untold {
        id: row.text("id")?,
        team_id: TeamId::from_text(row.text("team_id")?),
        team: row.parsed("team")?,
        repository: RepositoryId::from_text(row.text("repository_id")?),
        service: row.parsed("service")?,
        run: row.num("run_number")?,
        commit: row.text("commit_id")?,
        branch: row.text_opt("branch")?,
        state: row.named("state", RunState::from_name)?,
        version: row.int("version")?,
        tries: row.num("tries")?,
    })
}

/// Takes those that are due into one's hands, the longest due first; each is told by one at a time, so that no older state comes
/// after a newer one. One that does not read is given up on the way: it would stay due, and hold up all others.
pub async fn take(db: &Db, most: u32) -> Result<Vec<Untold>> {
    loop {
        let now = clock::now();
        let mut tx = db.begin().await?;
        tx.lock("claim:forge_statuses").await?;
        let rows = tx
            .fetch_all(
                "SELECT f.*, t.name AS team, s.name AS service, r.branch
                   FROM forge_statuses f LEFT JOIN teams t ON t.id = f.team_id LEFT JOIN services s ON s.id = f.service_id
                   LEFT JOIN runs r ON r.id = f.run_id
                  WHERE f.due_at <= $1 AND (f.lease_until IS NULL OR f.lease_until < $1) ORDER BY f.due_at LIMIT $2",
                args![now, most],
            )
            .await?;
        let mut untold = Vec::new();
        for row in &rows {
            match read(row) {
                Ok(one) => {
                    tx.execute("UPDATE forge_statuses SET lease_until = $2 WHERE id = $1", args![&one.id, now.plus(HANDS)]).await?;
                    untold.push(one);
                }
                Err(StoreError::Unreadable { column, cause }) => set_aside(&mut tx, row, &column, &cause).await?,
                Err(error) => return Err(error),
            }
        }
        tx.commit().await?;
        if rows.is_empty() || !untold.is_empty() {
            return Ok(untold);
        }
    }
}

/// Gives one up that does not read, and says why; the next change of the commit writes it anew.
async fn set_aside(tx: &mut Tx, row: &Row, column: &str, cause: &str) -> Result<()> {
    let id = row.text("id")?;
    tracing::warn!(status = id, column, cause, "what a forge is to be told does not read and is given up");
    tx.execute(
        "UPDATE forge_statuses SET due_at = NULL, lease_until = NULL, failure = $2 WHERE id = $1",
        args![id, said::unreadable_status(column)],
    )
    .await?;
    Ok(())
}

/// When the next one is due, where one is.
pub async fn next(q: impl Query) -> Result<Option<Timestamp>> {
    let row =
        q.fetch_opt("SELECT due_at, lease_until FROM forge_statuses WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1", args![]).await?;
    row.map(|row| Ok(row.time("due_at")?.max(row.time_opt("lease_until")?.unwrap_or(Timestamp(0))))).transpose()
}

/// Writes down that the forge took one. A newer state is still to be told.
pub async fn told(tx: &mut Tx, untold: &Untold) -> Result<()> {
    tx.execute(
        "UPDATE forge_statuses SET told = $2, told_at = $3, lease_until = NULL, failure = CASE WHEN version = $2 THEN NULL ELSE failure END,
           due_at = CASE WHEN version = $2 THEN NULL ELSE due_at END WHERE id = $1",
        args![&untold.id, untold.version, clock::now()],
    )
    .await?;
    Ok(())
}

/// Writes down why the forge did not take one, and when it is tried again; none: it is given up.
pub async fn not_told(tx: &mut Tx, untold: &Untold, failure: &str, again: Option<Timestamp>) -> Result<()> {
    tx.execute(
        "UPDATE forge_statuses SET lease_until = NULL, failure = CASE WHEN version = $2 THEN $3 ELSE failure END,
           tries = CASE WHEN version = $2 THEN tries + 1 ELSE tries END, due_at = CASE WHEN version = $2 THEN $4 ELSE due_at END WHERE id = $1",
        args![&untold.id, untold.version, failure, again],
    )
    .await?;
    Ok(())
}

/// Has what was not taken be told anew: there is another token, or another place.
pub async fn again(tx: &mut Tx, repository: &RepositoryId) -> Result<()> {
    let sql = "UPDATE forge_statuses SET due_at = $2, tries = 0 WHERE repository_id = $1 AND failure IS NOT NULL";
    tx.execute(sql, args![repository, clock::now()]).await?;
    Ok(())
}

/// The newest of a repository, the newest first.
pub async fn recent(q: impl Query, team: &TeamId, repository: &RepositoryId) -> Result<Vec<ForgeStatus>> {
    let rows = q
        .fetch_all(
            "SELECT f.*, s.name AS service FROM forge_statuses f JOIN services s ON s.id = f.service_id
              WHERE f.repository_id = $1 AND f.team_id = $2 ORDER BY f.changed_at DESC, f.id DESC LIMIT $3",
            args![repository, team, SHOWN],
        )
        .await?;
    let read = |row: &Row| {
        let is_told = row.int("told")? == row.int("version")?;
        Ok(ForgeStatus {
            service: row.parsed("service")?,
            commit: row.text("commit_id")?,
            run: row.num("run_number")?,
            state: row.named("state", RunState::from_name)?,
            told_at: row.time_opt("told_at")?.filter(|_| is_told),
            next_try: row.time_opt("due_at")?,
            failure: row.text_opt("failure")?,
        })
    };
    Ok(readable(&rows, read))
}

/// Forgets what was told, or given up, long ago.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM forge_statuses WHERE due_at IS NULL AND changed_at < $1", args![before]).await?;
    Ok(())
}

/// Removes those of a repository that goes.
pub(super) async fn purge(tx: &mut Tx, repository: &str) -> Result<()> {
    tx.execute("DELETE FROM forge_statuses WHERE repository_id = $1", args![repository]).await?;
    Ok(())
}
