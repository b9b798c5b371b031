//! Rows of `caches`: folders of steps that are kept from one run to the next. One step at a time has one.

use std::collections::BTreeSet;

use app::model::{Cache, CacheEnd, CacheId, ServiceId, StepId, TeamId, Timestamp};

use super::{
    Query, Row, Tx, Value,
    db::{Result, readable},
    runs::{self, RunRow},
};
use crate::{args, clock};

/// How many of a service are listed.
const LISTED: u32 = 200;

/// What a step wants to go on with.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The folder.
    pub path: &'a str,
    /// The step's image.
    pub image: &'a str,
    /// The digest of the files it is keyed by; empty: none.
    pub made_for: &'a str,
}

/// A cache that a step has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub id: CacheId,
    /// The run that left what it begins with; none: it begins empty.
    pub of_run: Option<u64>,
    /// What it is to be a copy of: what was left last, for other files. Held until [`copied`] lets go of it.
    pub copy_of: Option<CacheId>,
}

/// Gives a step a cache for itself: what was left for the same files, else one that begins as a copy of what was left last, else
/// an empty one. None: the run's claim is lost.
pub async fn take(tx: &mut Tx, run: &RunRow, step: &StepId, wanted: Wanted<'_>) -> Result<Option<Taken>> {
    if runs::standing(&mut *tx, &run.id, run.fence).await?.is_none() {
        return Ok(None);
    }
    tx.lock(&format!("caches:{}", run.service_id)).await?;
    let now = clock::now();
    let sql = "SELECT id, made_for, run_number FROM caches
                WHERE team_id = $1 AND service_id = $2 AND path = $3 AND image = $4 AND step_id IS NULL AND dropped_at IS NULL
                ORDER BY CASE WHEN made_for = $5 THEN 0 ELSE 1 END, used_at DESC LIMIT 1";
    let Wanted { path, image, made_for } = wanted;
    if let Some(row) = tx.fetch_opt(sql, args![&run.team_id, &run.service_id, path, image, made_for]).await? {
        let id = CacheId::from_text(row.text("id")?);
        let (of_run, same) = (Some(row.num("run_number")?), row.text("made_for")? == made_for);
        if same {
            let sql = "UPDATE caches SET step_id = $1, run_number = $2, used_at = $3, uses = uses + 1 WHERE id = $4";
            tx.execute(sql, args![step, run.number, now, &id]).await?;
            return Ok(Some(Taken { id, of_run, copy_of: None }));
        }
        let sql = "UPDATE caches SET step_id = $1, only_read = TRUE, uses = uses + 1 WHERE id = $2";
        tx.execute(sql, args![step, &id]).await?;
        return Ok(Some(Taken { id: insert(tx, run, step, wanted).await?, of_run, copy_of: Some(id) }));
    }
    Ok(Some(Taken { id: insert(tx, run, step, wanted).await?, of_run: None, copy_of: None }))
}

async fn insert(tx: &mut Tx, run: &RunRow, step: &StepId, Wanted { path, image, made_for }: Wanted<'_>) -> Result<CacheId> {
    let id = CacheId::from_text(clock::new_id());
    tx.execute(
        "INSERT INTO caches (id, team_id, service_id, path, image, made_for, step_id, run_number, created_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        args![&id, &run.team_id, &run.service_id, path, image, made_for, step, run.number, clock::now()],
    )
    .await?;
    Ok(id)
}

/// Lets go of what a step had only to copy it. `failed`: the copy that could not be made; the step does without.
pub async fn copied(tx: &mut Tx, step: &StepId, failed: Option<&CacheId>) -> Result<()> {
    let sql = format!("{LET_GO} step_id = $1");
    tx.execute(sql, args![step]).await?;
    if let Some(copy) = failed {
        let sql = "UPDATE caches SET step_id = NULL, dropped_at = $1, why = $2 WHERE id = $3 AND step_id = $4";
        tx.execute(sql, args![clock::now(), CacheEnd::CutShort.name(), copy, step]).await?;
    }
    Ok(())
}

/// Lets go of what steps only read.
const LET_GO: &str = "UPDATE caches SET step_id = NULL, only_read = FALSE WHERE only_read = TRUE AND";

/// Takes back what a step had. Part of its end. `whole`: it ended by itself; what one leaves that was ended from outside is
/// given up. False: it had none.
pub async fn give_back(tx: &mut Tx, step: &StepId, whole: bool) -> Result<bool> {
    tx.execute(format!("{LET_GO} step_id = $1"), args![step]).await?;
    let now = clock::now();
    let changed = if whole {
        tx.execute("UPDATE caches SET step_id = NULL, size = NULL, used_at = $1 WHERE step_id = $2", args![now, step]).await?
    } else {
        let sql = "UPDATE caches SET step_id = NULL, dropped_at = COALESCE(dropped_at, $1), why = COALESCE(why, $2) WHERE step_id = $3";
        tx.execute(sql, args![now, CacheEnd::CutShort.name(), step]).await?
    };
    Ok(changed > 0)
}

/// Gives up what steps have that have ended without giving it back: their holder vanished.
pub async fn give_up_left(tx: &mut Tx) -> Result<u64> {
    let left = "step_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM steps p WHERE p.id = caches.step_id AND p.finished_at IS NULL)";
    tx.execute(format!("{LET_GO} {left}"), args![]).await?;
    let sql = format!("UPDATE caches SET step_id = NULL, dropped_at = COALESCE(dropped_at, $1), why = COALESCE(why, $2) WHERE {left}");
    tx.execute(sql, args![clock::now(), CacheEnd::CutShort.name()]).await
}

/// Gives up what no step used since this time.
pub async fn give_up_unused(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    let sql = "UPDATE caches SET dropped_at = $1, why = $2 WHERE dropped_at IS NULL AND step_id IS NULL AND used_at < $3";
    tx.execute(sql, args![clock::now(), CacheEnd::Unused.name(), before]).await
}

/// Gives one up that no step has.
pub async fn give_up(tx: &mut Tx, id: &CacheId, why: CacheEnd) -> Result<bool> {
    let sql = "UPDATE caches SET dropped_at = $1, why = $2 WHERE id = $3 AND dropped_at IS NULL AND step_id IS NULL";
    Ok(tx.execute(sql, args![clock::now(), why.name(), id]).await? == 1)
}

/// Gives up all of a service: those that steps have, once those end. Answers with how many.
pub async fn clear(tx: &mut Tx, team: &TeamId, service: &ServiceId) -> Result<u64> {
    let sql = "UPDATE caches SET dropped_at = $1, why = $2 WHERE team_id = $3 AND service_id = $4 AND dropped_at IS NULL";
    tx.execute(sql, args![clock::now(), CacheEnd::Cleared.name(), team, service]).await
}

/// Those of a service, the one used last first, and for a while those that were given up.
pub async fn list(q: impl Query, team: &TeamId, service: &ServiceId, since: Timestamp) -> Result<Vec<Cache>> {
    let sql = "SELECT * FROM caches WHERE team_id = $1 AND service_id = $2 AND (dropped_at IS NULL OR dropped_at > $3)
                ORDER BY used_at DESC, id LIMIT $4";
    Ok(readable(&q.fetch_all(sql, args![team, service, since, LISTED]).await?, read))
}

fn read(row: &Row) -> Result<Cache> {
    Ok(Cache {
        id: CacheId::from_text(row.text("id")?),
        path: row.text("path")?,
        image: row.text("image")?,
        made_for: Some(row.text("made_for")?).filter(|digest| !digest.is_empty()),
        size: row.int_opt("size")?.and_then(|size| u64::try_from(size).ok()),
        uses: row.num("uses")?,
        in_use: row.text_opt("step_id")?.is_some(),
        run: row.num("run_number")?,
        used_at: row.time("used_at")?,
        dropped_at: row.time_opt("dropped_at")?,
        why: row.text_opt("why")?.map(|_| row.named("why", CacheEnd::from_name)).transpose()?,
    })
}

/// Those that were given up, that no step has any more, and whose files may still be there.
pub async fn going(q: impl Query) -> Result<Vec<CacheId>> {
    ids(q, "dropped_at IS NOT NULL AND removed_at IS NULL AND step_id IS NULL", args![]).await
}

/// Those whose files may be there.
pub async fn there(q: impl Query) -> Result<BTreeSet<CacheId>> {
    Ok(ids(q, "removed_at IS NULL", args![]).await?.into_iter().collect())
}

async fn ids(q: impl Query, which: &str, values: Vec<Value>) -> Result<Vec<CacheId>> {
    let rows = q.fetch_all(format!("SELECT id FROM caches WHERE {which}"), values).await?;
    rows.iter().map(|row| row.text("id").map(CacheId::from_text)).collect()
}

/// All of a service, to be removed with it.
pub async fn of_service(q: impl Query, service: &ServiceId) -> Result<Vec<CacheId>> {
    ids(q, "service_id = $1 AND removed_at IS NULL", args![service]).await
}

/// Writes down that the files of one are gone.
pub async fn removed(tx: &mut Tx, id: &CacheId) -> Result<()> {
    tx.execute("UPDATE caches SET removed_at = $1 WHERE id = $2", args![clock::now(), id]).await?;
    Ok(())
}

/// Forgets those whose files are gone and that were given up before this time.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM caches WHERE dropped_at < $1 AND removed_at IS NOT NULL", args![before]).await?;
    Ok(())
}

/// Whether one was used since it was measured.
pub async fn any_unmeasured(q: impl Query) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM caches WHERE dropped_at IS NULL AND step_id IS NULL AND size IS NULL LIMIT 1";
    Ok(q.fetch_opt(sql, args![]).await?.is_some())
}

/// Writes down how large one is, unless a step has it.
pub async fn measured(tx: &mut Tx, id: &CacheId, size: u64) -> Result<()> {
    tx.execute("UPDATE caches SET size = $1 WHERE id = $2 AND step_id IS NULL AND dropped_at IS NULL", args![size, id]).await?;
    Ok(())
}

/// What is kept of a service, as far as its room goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which one.
    pub id: CacheId,
    /// How large it is, in bytes.
    pub size: u64,
    /// Whether a step has it now.
    pub in_use: bool,
}

/// The services whose caches take more room than this.
pub async fn services_over(q: impl Query, budget: u64) -> Result<Vec<ServiceId>> {
    let sql = "SELECT service_id FROM caches WHERE dropped_at IS NULL GROUP BY service_id HAVING SUM(size) > $1";
    let rows = q.fetch_all(sql, args![budget]).await?;
    rows.iter().map(|row| row.text("service_id").map(ServiceId::from_text)).collect()
}

/// What is kept of a service, the one not used for longest first.
pub async fn kept(q: impl Query, service: &ServiceId) -> Result<Vec<Kept>> {
    let sql = "SELECT id, size, step_id FROM caches WHERE service_id = $1 AND dropped_at IS NULL ORDER BY used_at, id";
    let read = |row: &Row| {
        let size = row.int_opt("size")?.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        Ok(Kept { id: CacheId::from_text(row.text("id")?), size, in_use: row.text_opt("step_id")?.is_some() })
    };
    q.fetch_each(sql, args![service], read).await
}
