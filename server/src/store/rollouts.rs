//! Rows of rollouts: queued with the release that makes them necessary, claimed under a lease, changed only by the one
//! whose fence is the newest.

use app::{
    model::{Evidence, ReleaseId, Rollout, RolloutBrief, RolloutId, RolloutState, ServiceId, TargetId, TeamId, Timestamp},
    said,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Db, Query, Row, StoreError, Tx, Value,
    db::{Result, readable},
    leases,
    releases::{ReleaseRow, json},
};
use crate::{
    args,
    claim::{Hands, LEASE},
    clock,
};

/// A rollout as the one who carries it out needs it.
#[derive(Clone, Debug)]
pub struct RolloutRow {
    /// Its id.
    pub id: RolloutId,
    /// The team.
    pub team_id: TeamId,
    /// The service.
    pub service_id: ServiceId,
    /// The target.
    pub target_id: TargetId,
    /// The release to reach.
    pub release_id: ReleaseId,
    /// The release that served when it was asked for.
    pub from_release_id: Option<ReleaseId>,
    /// How it is.
    pub state: RolloutState,
    /// What was observed.
    pub evidence: Vec<Evidence>,
    /// What must be remembered across a restart, as JSON of `server::rollout`.
    pub progress: String,
    /// When cancelling was asked for.
    pub cancel_asked_at: Option<Timestamp>,
    /// Who asked.
    pub created_by: String,
    /// The fence of the claim.
    pub fence: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
}

impl RolloutRow {
    /// What was remembered, or the beginning where nothing was.
    pub fn progress<T: DeserializeOwned + Default>(&self) -> T {
        serde_json::from_str(&self.progress).unwrap_or_default()
    }
}

fn read(row: &Row) -> Result<RolloutRow> {
    Ok(RolloutRow {
        id: RolloutId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        service_id: ServiceId::from_text(row.text("service_id")?),
        target_id: TargetId::from_text(row.text("target_id")?),
        release_id: ReleaseId::from_text(row.text("release_id")?),
        from_release_id: row.text_opt("from_release_id")?.map(ReleaseId::from_text),
        state: row.named("state", RolloutState::from_name)?,
        evidence: row.json("evidence")?,
        progress: row.text("progress")?,
        cancel_asked_at: row.time_opt("cancel_asked_at")?,
        created_by: row.text("created_by")?,
        fence: row.int("fence")?,
        created_at: row.time("created_at")?,
        started_at: row.time_opt("started_at")?,
    })
}

/// Queues the rollout to a release. What is still queued for the target is superseded by it at once; what is under way
/// finds out by itself.
pub async fn enqueue(
    tx: &mut Tx,
    service: &ServiceId,
    release: &ReleaseRow,
    from: Option<&ReleaseRow>,
    plan: &[String],
) -> Result<RolloutId> {
    let (id, now) = (RolloutId::from_text(clock::new_id()), clock::now());
    tx.execute(
        "UPDATE rollouts SET state = 'superseded', finished_at = $1, failure = NULL
          WHERE target_id = $2 AND state = 'queued' AND finished_at IS NULL",
        args![now, &release.target_id],
    )
    .await?;
    tx.execute(
        "INSERT INTO rollouts (id, team_id, service_id, target_id, release_id, release_number, from_release_id, from_number, state, plan,
           evidence, progress, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, '[]', '{}', $10, $11)",
        args![
            &id,
            &release.team_id,
            service,
            &release.target_id,
            &release.id,
            release.number,
            from.map(|from| &from.id),
            from.and_then(|from| i64::try_from(from.number).ok()),
            json(&plan),
            &release.created_by,
            now,
        ],
    )
    .await?;
    Ok(id)
}

/// Claims the next rollout, if one waits: a queued one whose target has none under way, or one whose holder went silent; never
/// one that is in its own hands. One that does not read is ended on the way: it would hold up all others.
pub async fn claim(db: &Db, holder: &str, now: Timestamp, hands: &Hands) -> Result<Option<RolloutRow>> {
    loop {
        let mut tx = db.begin().await?;
        let Some(row) = next(&mut tx, holder, now, hands).await? else { return Ok(None) };
        let claimed = match read(&row) {
            Ok(claimed) => Some(claimed),
            Err(StoreError::Unreadable { column, cause }) => {
                let id = RolloutId::from_text(row.text("id")?);
                tracing::warn!(rollout = %id, column, cause, "a rollout does not read and is ended");
                give_up(&mut tx, &id, &said::unreadable_rollout(&column)).await?;
                None
            }
            Err(error) => return Err(error),
        };
        tx.commit().await?;
        if claimed.is_some() {
            return Ok(claimed);
        }
    }
}

/// Ends a rollout without looking at what is stored of it; what serves is what is wanted again.
pub async fn give_up(tx: &mut Tx, id: &RolloutId, failure: &str) -> Result<()> {
    tx.execute(
        "UPDATE rollouts SET state = 'failed', failure = $1, now_doing = NULL, lease_until = NULL, finished_at = $2, fence = fence + 1
          WHERE id = $3 AND finished_at IS NULL",
        args![failure, clock::now(), id],
    )
    .await?;
    tx.execute(
        "UPDATE targets SET wanted_release_id = release_id,
           replicas = COALESCE((SELECT r.replicas FROM releases r WHERE r.id = targets.release_id), replicas)
         WHERE id = (SELECT o.target_id FROM rollouts o WHERE o.id = $1)
           AND wanted_release_id = (SELECT o.release_id FROM rollouts o WHERE o.id = $1)",
        args![id],
    )
    .await?;
    Ok(())
}

/// Takes the next rollout's row.
async fn next(tx: &mut Tx, holder: &str, now: Timestamp, hands: &Hands) -> Result<Option<Row>> {
    tx.lock("claim:rollouts").await?;
    let own = hands.full_of();
    let sql = format!(
        "SELECT r.id FROM rollouts r WHERE r.finished_at IS NULL AND (
           (r.state = 'running' AND (r.lease_until IS NULL OR r.lease_until < $1){})
           OR (r.state = 'queued' AND NOT EXISTS (SELECT 1 FROM rollouts o WHERE o.target_id = r.target_id AND o.state = 'running')))
         ORDER BY r.created_at LIMIT 1{}",
        leases::but(&own, 2),
        tx.skip_locked()
    );
    let mut args = args![now];
    args.extend(own.iter().map(Value::from));
    let Some(row) = tx.fetch_opt(sql, args).await? else { return Ok(None) };
    tx.fetch_opt(
        "UPDATE rollouts SET state = 'running', holder = $1, fence = fence + 1, lease_until = $2,
           started_at = COALESCE(started_at, $3) WHERE id = $4 RETURNING *",
        args![holder, now.plus(LEASE), now, row.text("id")?],
    )
    .await
}

/// Lets go of what a former life of this holder held, so that it need not wait for the lease to run out.
pub async fn release_held_by(db: &Db, holder: &str) -> Result<u64> {
    let mut tx = db.begin().await?;
    let count = tx
        .execute("UPDATE rollouts SET lease_until = 0 WHERE holder = $1 AND state = 'running' AND finished_at IS NULL", args![holder])
        .await?;
    tx.commit().await?;
    Ok(count)
}

/// Lets go of a claim, so that the rollout is taken up again at once.
pub async fn let_go(db: &Db, id: &RolloutId, fence: i64) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.execute("UPDATE rollouts SET lease_until = 0 WHERE id = $1 AND fence = $2 AND state = 'running'", args![id, fence]).await?;
    tx.commit().await
}

/// Renews a claim. False: it is somebody else's now, stop.
pub async fn renew(db: &Db, id: &RolloutId, fence: i64) -> Result<bool> {
    let mut tx = db.begin().await?;
    let changed = tx
        .execute(
            "UPDATE rollouts SET lease_until = $1 WHERE id = $2 AND fence = $3 AND state = 'running'",
            args![clock::now().plus(LEASE), id, fence],
        )
        .await?;
    tx.commit().await?;
    Ok(changed == 1)
}

/// What the one who carries it out writes down as it goes. False: it is somebody else's now, nothing was written.
pub async fn record(
    tx: &mut Tx,
    id: &RolloutId,
    fence: i64,
    evidence: &[Evidence],
    progress: &impl Serialize,
    now_doing: Option<&str>,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE rollouts SET evidence = $1, progress = $2, now_doing = $3, lease_until = $4
             WHERE id = $5 AND fence = $6 AND state = 'running'",
            args![json(&evidence), json(progress), now_doing, clock::now().plus(LEASE), id, fence],
        )
        .await?;
    Ok(changed == 1)
}

/// What a rollout says it does.
pub async fn doing(q: impl Query, id: &RolloutId) -> Result<Option<String>> {
    let row = q.fetch_opt("SELECT now_doing FROM rollouts WHERE id = $1", args![id]).await?;
    Ok(row.map(|row| row.text_opt("now_doing")).transpose()?.flatten())
}

/// Writes down what a rollout does or waits for, and nothing else of it.
pub async fn say(tx: &mut Tx, id: &RolloutId, fence: i64, now_doing: Option<&str>) -> Result<()> {
    let sql = "UPDATE rollouts SET now_doing = $1 WHERE id = $2 AND fence = $3 AND state = 'running'";
    tx.execute(sql, args![now_doing, id, fence]).await?;
    Ok(())
}

/// Ends a rollout. False: it is somebody else's now, nothing was written.
pub async fn finish(
    tx: &mut Tx,
    id: &RolloutId,
    fence: i64,
    state: RolloutState,
    failure: Option<&str>,
    last_lines: &[String],
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE rollouts SET state = $1, failure = $2, last_lines = $3, now_doing = NULL, lease_until = NULL, finished_at = $4
             WHERE id = $5 AND fence = $6 AND state = 'running'",
            args![state.name(), failure, json(&last_lines), clock::now(), id, fence],
        )
        .await?;
    Ok(changed == 1)
}

/// One rollout, as it is now.
pub async fn row(q: impl Query, id: &RolloutId) -> Result<Option<RolloutRow>> {
    q.fetch_opt("SELECT * FROM rollouts WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// The team a rollout belongs to.
pub async fn team_of(q: impl Query, id: &RolloutId) -> Result<Option<TeamId>> {
    let row = q.fetch_opt("SELECT team_id FROM rollouts WHERE id = $1", args![id]).await?;
    row.map(|row| row.text("team_id").map(TeamId::from_text)).transpose()
}

/// Asks for a rollout to be cancelled. A queued one ends at once. False: it has ended already.
pub async fn ask_cancel(tx: &mut Tx, team: &TeamId, id: &RolloutId) -> Result<bool> {
    let now = clock::now();
    let queued = tx
        .execute(
            "UPDATE rollouts SET state = 'cancelled', cancel_asked_at = $1, finished_at = $1 WHERE id = $2 AND team_id = $3 AND state = 'queued'",
            args![now, id, team],
        )
        .await?;
    let running = tx
        .execute(
            "UPDATE rollouts SET cancel_asked_at = COALESCE(cancel_asked_at, $1) WHERE id = $2 AND team_id = $3 AND state = 'running'",
            args![now, id, team],
        )
        .await?;
    Ok(queued + running > 0)
}

/// The targets that have a rollout waiting or under way: the keeper leaves them alone.
pub async fn moving_targets(q: impl Query) -> Result<Vec<TargetId>> {
    let rows = q.fetch_all("SELECT DISTINCT target_id FROM rollouts WHERE finished_at IS NULL", args![]).await?;
    rows.iter().map(|row| row.text("target_id").map(TargetId::from_text)).collect()
}

/// What [`read_brief`] reads, of a rollout as `o` and its release as `r`: not its evidence, which is most of it.
pub(super) const BRIEF: &str =
    "o.id, o.target_id, o.state, o.from_number, o.release_number, o.failure, o.created_at, o.finished_at, r.candidate_number";

/// A rollout in one line, from the columns of [`BRIEF`].
pub(crate) fn read_brief(row: &Row) -> Result<RolloutBrief> {
    Ok(RolloutBrief {
        id: RolloutId::from_text(row.text("id")?),
        state: row.named("state", RolloutState::from_name)?,
        from: row.int_opt("from_number")?.and_then(|number| u64::try_from(number).ok()),
        to: row.num("release_number")?,
        candidate: row.int_opt("candidate_number")?.and_then(|number| u64::try_from(number).ok()),
        failure: row.text_opt("failure")?,
        created_at: row.time("created_at")?,
        finished_at: row.time_opt("finished_at")?,
    })
}

/// The newest rollout of each of these releases.
pub async fn of_releases(q: impl Query, target: &TargetId, lowest: u64, highest: u64) -> Result<Vec<RolloutBrief>> {
    let rows = q
        .fetch_all(
            format!(
                "SELECT {BRIEF} FROM rollouts o JOIN releases r ON r.id = o.release_id
                 WHERE o.target_id = $1 AND o.release_number BETWEEN $2 AND $3 ORDER BY o.created_at"
            ),
            args![target, lowest, highest],
        )
        .await?;
    Ok(readable(&rows, read_brief))
}

/// A rollout as its page shows it; the address is added by the caller.
pub async fn show(q: impl Query, team: &TeamId, id: &RolloutId) -> Result<Option<Rollout>> {
    let row = q
        .fetch_opt(
            "SELECT o.*, t.name AS team, s.name AS service, e.name AS environment, r.image, r.candidate_number, r.reason
             FROM rollouts o JOIN releases r ON r.id = o.release_id JOIN targets g ON g.id = o.target_id
             JOIN environments e ON e.id = g.environment_id JOIN services s ON s.id = o.service_id JOIN teams t ON t.id = o.team_id
             WHERE o.id = $1 AND o.team_id = $2",
            args![id, team],
        )
        .await?;
    row.as_ref().map(read_whole).transpose()
}

fn read_whole(row: &Row) -> Result<Rollout> {
    let brief = read_brief(row)?;
    let waits = (brief.state == RolloutState::Queued).then(said::waits_rollout);
    Ok(Rollout {
        team: row.parsed("team")?,
        service: row.parsed("service")?,
        environment: row.parsed("environment")?,
        image: row.text("image")?,
        by: row.text("created_by")?,
        reason: row.text("reason")?,
        plan: row.json("plan")?,
        evidence: row.json("evidence")?,
        now: row.text_opt("now_doing")?,
        waits,
        last_lines: row.json("last_lines")?,
        cancelling: row.int_opt("cancel_asked_at")?.is_some() && !brief.state.ended(),
        started_at: row.time_opt("started_at")?,
        url: None,
        id: brief.id,
        state: brief.state,
        from: brief.from,
        to: brief.to,
        candidate: brief.candidate,
        failure: brief.failure,
        created_at: brief.created_at,
        finished_at: brief.finished_at,
    })
}

/// A queued rollout that was cancelled is not wanted any more: what serves is, unless something newer is.
pub async fn unwant_queued(tx: &mut Tx, id: &RolloutId) -> Result<()> {
    tx.execute(
        "UPDATE targets SET wanted_release_id = release_id
         WHERE id = (SELECT o.target_id FROM rollouts o WHERE o.id = $1 AND o.state = 'cancelled')
           AND wanted_release_id = (SELECT o.release_id FROM rollouts o WHERE o.id = $1)",
        args![id],
    )
    .await?;
    Ok(())
}

/// The address people open for a rollout's target: the default one first.
pub async fn address_of(q: impl Query, team: &TeamId, rollout: &RolloutId) -> Result<Option<(String, String)>> {
    let row = q
        .fetch_opt(
            "SELECT r.host, r.path FROM rollouts o JOIN routes r ON r.target_id = o.target_id
             WHERE o.id = $1 AND o.team_id = $2 ORDER BY r.is_default DESC, r.created_at LIMIT 1",
            args![rollout, team],
        )
        .await?;
    row.map(|row| Ok((row.text("host")?, row.text("path")?))).transpose()
}
