//! Rows of `mirrors`: repositories that live elsewhere, when they are fetched, by whom, and how that went.

use std::time::Duration;

use app::{
    model::{Forge, Mirror, MirrorState, RepositoryId, RepositoryName, TeamId, Timestamp},
    said,
};

use super::{Db, Query, Row, StoreError, Tx, db::Result, forge_statuses};
use crate::{args, clock};

/// However often it is wanted, one is not fetched again before this long.
pub const PAUSE: Duration = Duration::from_secs(2);
/// How long one that does not read is left alone: somebody may have mended it by then.
const ASIDE: Duration = Duration::from_secs(3_600);

/// A mirror as those need it who fetch it, or speak for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorRow {
    /// The repository here.
    pub repository: RepositoryId,
    /// The team's id.
    pub team: TeamId,
    /// The address of the one it mirrors.
    pub address: String,
    /// Whose API that speaks.
    pub forge: Forge,
    /// Where that API is, where it was said.
    pub forge_url: Option<String>,
    /// Sealed.
    pub token: Option<String>,
    /// Sealed.
    pub deploy_key: Option<String>,
    /// The half of the key that is shown.
    pub public_key: Option<String>,
    /// As they were seen first.
    pub host_keys: Option<String>,
    /// The last part of the hook's address.
    pub hook_id: String,
    /// Sealed.
    pub hook_secret: Option<String>,
    /// Whether commits are told how they fare.
    pub statuses: bool,
    /// How often it is fetched.
    pub every: Duration,
    /// Since when somebody wants it fetched.
    pub wanted_at: Option<Timestamp>,
    /// Until when somebody fetches it.
    pub lease_until: Option<Timestamp>,
    /// When it was fetched last.
    pub fetched_at: Option<Timestamp>,
    /// When a hook was believed last.
    pub hooked_at: Option<Timestamp>,
    /// Since when it cannot be fetched.
    pub failing_since: Option<Timestamp>,
    /// How often in a row it could not.
    pub failures: u32,
    /// Why.
    pub failure: Option<String>,
}

const SELECT: &str = "SELECT m.* FROM mirrors m JOIN repositories r ON r.id = m.repository_id AND r.deleted_at IS NULL";

fn read(row: &Row) -> Result<MirrorRow> {
    Ok(MirrorRow {
        repository: RepositoryId::from_text(row.text("repository_id")?),
        team: TeamId::from_text(row.text("team_id")?),
        address: row.text("address")?,
        forge: row.named("forge", Forge::from_name)?,
        forge_url: row.text_opt("forge_url")?,
        token: row.text_opt("token")?,
        deploy_key: row.text_opt("deploy_key")?,
        public_key: row.text_opt("public_key")?,
        host_keys: row.text_opt("host_keys")?,
        hook_id: row.text("hook_id")?,
        hook_secret: row.text_opt("hook_secret")?,
        statuses: row.bool("statuses")?,
        every: Duration::from_millis(row.num("every_ms")?),
        wanted_at: row.time_opt("wanted_at")?,
        lease_until: row.time_opt("lease_until")?,
        fetched_at: row.time_opt("fetched_at")?,
        hooked_at: row.time_opt("hooked_at")?,
        failing_since: row.time_opt("failing_since")?,
        failures: row.num("failures")?,
        failure: row.text_opt("failure")?,
    })
}

impl MirrorRow {
    /// As it is shown; `url` is the console's.
    pub fn show(self, name: RepositoryName, url: &str, now: Timestamp) -> Mirror {
        let state = match (self.lease_until, self.failing_since, self.fetched_at) {
            (Some(until), ..) if until > now => MirrorState::Fetching,
            (_, Some(_), _) => MirrorState::Failing,
            (_, None, None) => MirrorState::NeverFetched,
            (_, None, Some(_)) => MirrorState::UpToDate,
        };
        Mirror {
            repository: name,
            address: self.address,
            forge: self.forge,
            forge_url: self.forge_url,
            state,
            failure: self.failure,
            failing_since: self.failing_since,
            fetched_at: self.fetched_at,
            wanted: self.wanted_at.is_some(),
            every_seconds: u32::try_from(self.every.as_secs()).unwrap_or(u32::MAX),
            has_token: self.token.is_some(),
            deploy_key: self.public_key,
            host_keys: Vec::new(),
            hook_url: format!("{url}/hooks/{}", self.hook_id),
            has_hook_secret: self.hook_secret.is_some(),
            hooked_at: self.hooked_at,
            statuses: self.statuses,
            told: Vec::new(),
        }
    }
}

/// Adds one, to be fetched at once.
pub async fn insert(tx: &mut Tx, new: &MirrorRow) -> Result<()> {
    tx.execute(
        "INSERT INTO mirrors (repository_id, team_id, address, forge, forge_url, token, deploy_key, public_key, hook_id, statuses, every_ms,
           due_at, wanted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        args![
            &new.repository,
            &new.team,
            &new.address,
            new.forge.name(),
            new.forge_url.clone(),
            new.token.clone(),
            new.deploy_key.clone(),
            new.public_key.clone(),
            &new.hook_id,
            new.statuses,
            millis(new.every),
            clock::now(),
        ],
    )
    .await?;
    Ok(())
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// The mirror that a repository is; none: it is pushed to.
pub async fn of(q: impl Query, team: &TeamId, repository: &RepositoryId) -> Result<Option<MirrorRow>> {
    let row = q.fetch_opt(format!("{SELECT} WHERE m.repository_id = $1 AND m.team_id = $2"), args![repository, team]).await?;
    row.as_ref().map(read).transpose()
}

/// The mirror whose hooks come to this address.
pub async fn of_hook(q: impl Query, hook: &str) -> Result<Option<MirrorRow>> {
    q.fetch_opt(format!("{SELECT} WHERE m.hook_id = $1"), args![hook]).await?.as_ref().map(read).transpose()
}

/// Changes what people change of one: all of it is written, but for the keys of its host, which a fetch may see meanwhile.
pub async fn set(tx: &mut Tx, mirror: &MirrorRow) -> Result<()> {
    tx.execute(
        "UPDATE mirrors SET forge = $3, forge_url = $4, token = $5, hook_secret = $6, statuses = $7, every_ms = $8
          WHERE repository_id = $1 AND team_id = $2",
        args![
            &mirror.repository,
            &mirror.team,
            mirror.forge.name(),
            mirror.forge_url.clone(),
            mirror.token.clone(),
            mirror.hook_secret.clone(),
            mirror.statuses,
            millis(mirror.every),
        ],
    )
    .await?;
    Ok(())
}

/// Forgets the keys that its host showed at first sight.
pub async fn forget_host_keys(tx: &mut Tx, mirror: &MirrorRow) -> Result<()> {
    tx.execute("UPDATE mirrors SET host_keys = NULL WHERE repository_id = $1 AND team_id = $2", args![&mirror.repository, &mirror.team])
        .await?;
    Ok(())
}

/// Remembers that one is wanted. It is fetched once for all who want it until that begins.
pub async fn want(tx: &mut Tx, repository: &RepositoryId, hooked: bool) -> Result<()> {
    tx.execute(
        "UPDATE mirrors SET wanted_at = COALESCE(wanted_at, $2), hooked_at = CASE WHEN $3 THEN $2 ELSE hooked_at END WHERE repository_id = $1",
        args![repository, clock::now(), hooked],
    )
    .await?;
    Ok(())
}

/// Takes the next one to be fetched into one's hands until `until`: one that is wanted, or due, and in nobody's hands. One that does
/// not read is set aside on the way: it would hold up all others.
pub async fn claim(db: &Db, holder: &str, until: Timestamp) -> Result<Option<MirrorRow>> {
    loop {
        let mut tx = db.begin().await?;
        tx.lock("claim:mirrors").await?;
        let now = clock::now();
        let Some(row) = ready(&mut tx, now).await? else { return Ok(None) };
        let claimed = match read(&row) {
            Ok(mirror) => {
                take(&mut tx, &mirror, holder, (now, until)).await?;
                Some(mirror)
            }
            Err(StoreError::Unreadable { column, cause }) => {
                let repository = row.text("repository_id")?;
                tracing::warn!(repository, column, cause, "a mirror does not read and is left alone for an hour");
                set_aside(&mut tx, &repository, &column, now).await?;
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

/// The one that is fetched next: the longest wanted, else the longest due.
async fn ready(tx: &mut Tx, now: Timestamp) -> Result<Option<Row>> {
    let free = "(m.lease_until IS NULL OR m.lease_until < $1) AND (m.tried_at IS NULL OR m.tried_at <= $2 OR m.tried_at > $1)";
    for sql in [
        format!("{SELECT} WHERE m.wanted_at IS NOT NULL AND {free} ORDER BY m.wanted_at LIMIT 1"),
        format!("{SELECT} WHERE m.due_at <= $1 AND {free} ORDER BY m.due_at LIMIT 1"),
    ] {
        let found = tx.fetch_opt(sql, args![now, now.minus(PAUSE)]).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Puts one into somebody's hands. What wants it from here on wants it once more.
async fn take(tx: &mut Tx, mirror: &MirrorRow, holder: &str, (now, until): (Timestamp, Timestamp)) -> Result<()> {
    tx.execute(
        "UPDATE mirrors SET holder = $2, lease_until = $3, tried_at = $4, wanted_at = NULL, due_at = $5 WHERE repository_id = $1",
        args![&mirror.repository, holder, until, now, now.plus(mirror.every)],
    )
    .await?;
    Ok(())
}

/// Leaves one alone for a while, and says why where its page shows it once it reads again.
async fn set_aside(tx: &mut Tx, repository: &str, column: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE mirrors SET holder = NULL, lease_until = NULL, tried_at = $2, wanted_at = NULL, due_at = $3, failure = $4, failing_since = $2
          WHERE repository_id = $1",
        args![repository, now, now.plus(ASIDE), said::unreadable_mirror(column)],
    )
    .await?;
    Ok(())
}

/// When the next one is to be fetched, where one is.
pub async fn next(q: impl Query + Copy) -> Result<Option<Timestamp>> {
    let due = "SELECT m.due_at FROM mirrors m JOIN repositories r ON r.id = m.repository_id AND r.deleted_at IS NULL
                WHERE m.due_at >= 0 ORDER BY m.due_at LIMIT 1";
    let due = q.fetch_opt(due, args![]).await?;
    let wanted = "SELECT COALESCE(lease_until, tried_at, 0) AS due_at FROM mirrors WHERE wanted_at IS NOT NULL ORDER BY wanted_at LIMIT 1";
    let wanted = q.fetch_opt(wanted, args![]).await?;
    let wanted = wanted.map(|row| row.time("due_at")).transpose()?.map(|at| at.plus(PAUSE));
    Ok(due.map(|row| row.time("due_at")).transpose()?.into_iter().chain(wanted).min())
}

/// Lets go of what a former life of this holder held.
pub async fn release_held_by(tx: &mut Tx, holder: &str) -> Result<()> {
    let sql = "UPDATE mirrors SET lease_until = NULL, wanted_at = COALESCE(wanted_at, $2), tried_at = NULL
                WHERE holder = $1 AND lease_until IS NOT NULL";
    tx.execute(sql, args![holder, clock::now()]).await?;
    Ok(())
}

/// How a fetch went.
#[derive(Debug)]
pub struct Went<'a> {
    /// The keys its host showed, where none was known.
    pub host_keys: Option<String>,
    /// Why it could not be fetched.
    pub failure: Option<&'a str>,
    /// When it is tried again, where that is not by its own time.
    pub again: Option<Timestamp>,
}

/// Writes down how a fetch went. False: it is in somebody else's hands by now, or gone.
pub async fn went(tx: &mut Tx, mirror: &MirrorRow, holder: &str, went: &Went<'_>) -> Result<bool> {
    let now = clock::now();
    let changed = tx
        .execute(
            "UPDATE mirrors SET lease_until = NULL, holder = NULL, failure = $3, due_at = COALESCE($4, due_at),
               failing_since = CASE WHEN $5 THEN COALESCE(failing_since, $6) END, failures = CASE WHEN $5 THEN failures + 1 ELSE 0 END,
               fetched_at = CASE WHEN $5 THEN fetched_at ELSE $6 END
              WHERE repository_id = $1 AND holder = $2",
            args![&mirror.repository, holder, went.failure, went.again, went.failure.is_some(), now],
        )
        .await?;
    if let (Some(keys), 1) = (&went.host_keys, changed) {
        // Somebody may have asked to forget them meanwhile: then they are seen again.
        let sql = "UPDATE mirrors SET host_keys = $2 WHERE repository_id = $1 AND host_keys IS NULL";
        tx.execute(sql, args![&mirror.repository, keys]).await?;
    }
    Ok(changed > 0)
}

/// Has a repository follow the branch that the other side calls its default one.
pub async fn follow_head(tx: &mut Tx, repository: &RepositoryId, branch: &str) -> Result<()> {
    tx.execute("UPDATE repositories SET default_branch = $2 WHERE id = $1 AND default_branch <> $2", args![repository, branch]).await?;
    Ok(())
}

/// Removes what belongs to a repository that goes.
pub(super) async fn purge(tx: &mut Tx, repository: &str) -> Result<()> {
    forge_statuses::purge(tx, repository).await?;
    tx.execute("DELETE FROM mirrors WHERE repository_id = $1", args![repository]).await?;
    Ok(())
}
