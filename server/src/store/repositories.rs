//! Rows of `repositories` and of `ref_changes`: what pushes moved.

use std::collections::BTreeMap;

use app::model::{RepositoryId, RepositoryName, ServiceId, ServiceName, TeamId, TeamName, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// A repository with the services built from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Its id: also the name of its folder.
    pub id: RepositoryId,
    /// The team's id.
    pub team_id: TeamId,
    /// The team.
    pub team: TeamName,
    /// Its name.
    pub name: RepositoryName,
    /// The branch whose candidates are deployed by themselves.
    pub default_branch: String,
    /// What it mirrors; none: it is pushed to.
    pub mirrors: Option<Mirrored>,
    /// The services built from it, by name; none where the last of them moved away.
    pub services: Vec<BuiltHere>,
}

/// What a repository mirrors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The address of the other one.
    pub address: String,
    /// Whether it was ever fetched.
    pub fetched: bool,
}

/// A service of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltHere {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub name: ServiceName,
}

impl RepositoryRow {
    /// The one service built from it, where it is only one.
    pub fn only(&self) -> Option<&BuiltHere> {
        if let [only] = self.services.as_slice() { Some(only) } else { None }
    }
}

/// A ref that a push moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// Its id.
    pub id: String,
    /// The repository.
    pub repository_id: RepositoryId,
    /// `refs/heads/main`.
    pub reference: String,
    /// The commit before; none: the ref is new.
    pub old: Option<String>,
    /// The commit now; none: the ref was deleted.
    pub new: Option<String>,
    /// Who pushed.
    pub pushed_by: String,
    /// When it was seen.
    pub created_at: Timestamp,
}

const SELECT: &str = "SELECT r.id, r.team_id, t.name AS team, r.name, r.default_branch, s.id AS service_id, s.name AS service,
    m.address, m.fetched_at
  FROM repositories r JOIN teams t ON t.id = r.team_id LEFT JOIN mirrors m ON m.repository_id = r.id LEFT JOIN services s ON s.repository_id = r.id AND s.deleted_at IS NULL
 WHERE r.deleted_at IS NULL";

/// The one repository that these rows are of, a row for each of its services.
fn read(rows: &[Row]) -> Result<Option<RepositoryRow>> {
    let Some(row) = rows.first() else { return Ok(None) };
    // A service whose name does not read makes no runs; the others of the repository do.
    let services = readable(rows, |row| {
        let Some(id) = row.text_opt("service_id")? else { return Ok(None) };
        Ok(Some(BuiltHere { id: ServiceId::from_text(id), name: row.parsed("service")? }))
    });
    let services = services.into_iter().flatten().collect();
    Ok(Some(RepositoryRow {
        id: RepositoryId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        team: row.parsed("team")?,
        name: row.parsed("name")?,
        default_branch: row.text("default_branch")?,
        mirrors: match row.text_opt("address")? {
            Some(address) => Some(Mirrored { address, fetched: row.time_opt("fetched_at")?.is_some() }),
            None => None,
        },
        services,
    }))
}

/// What is locked while it is decided which services a repository has, and whether it stays.
pub fn lock(id: &RepositoryId) -> String {
    format!("repository:{id}")
}

/// Adds a repository.
pub async fn insert(tx: &mut Tx, id: &RepositoryId, team: &TeamId, name: &RepositoryName, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO repositories (id, team_id, name, default_branch, created_at) VALUES ($1, $2, $3, 'main', $4)",
        args![id, team, name, now],
    )
    .await?;
    Ok(())
}

/// The repository of this name in a team.
pub async fn find(q: impl Query, team: &TeamId, name: &RepositoryName) -> Result<Option<RepositoryRow>> {
    read(&q.fetch_all(format!("{SELECT} AND r.team_id = $1 AND r.name = $2 ORDER BY s.name"), args![team, name]).await?)
}

/// The repository of this id; for background work.
pub async fn by_id(q: impl Query, id: &RepositoryId) -> Result<Option<RepositoryRow>> {
    read(&q.fetch_all(format!("{SELECT} AND r.id = $1 ORDER BY s.name"), args![id]).await?)
}

/// When the refs of each repository had moved last as they were compared, in nanoseconds; for the comparison at a start.
pub async fn compared(q: impl Query) -> Result<Vec<(RepositoryId, i64)>> {
    let rows = q.fetch_all("SELECT id, refs_moved_at FROM repositories WHERE refs_moved_at IS NOT NULL", args![]).await?;
    Ok(readable(&rows, |row| Ok((RepositoryId::from_text(row.text("id")?), row.int("refs_moved_at")?))))
}

/// Remembers that the refs were compared as they were when they had moved last.
pub async fn set_compared(tx: &mut Tx, id: &RepositoryId, moved: i64) -> Result<()> {
    tx.execute("UPDATE repositories SET refs_moved_at = $2 WHERE id = $1", args![id, moved]).await?;
    Ok(())
}

/// Writes down how a repository's refs are now, as changes against what was known. `refs` are names and commits. The
/// answer is what changed. The push, the fetch of a mirror and the comparison of refs all come here, so each change is written
/// once. Of what a mirror brings at first, its history, the head of the default branch alone makes runs.
pub async fn record_refs(tx: &mut Tx, repository: &RepositoryRow, refs: &BTreeMap<String, String>, by: &str) -> Result<Vec<RefChange>> {
    tx.lock(&format!("refs:{}", repository.id)).await?;
    let known = known_refs(&mut *tx, &repository.id).await?;
    // What was pushed at once is known by its time.
    let (mut changes, now) = (Vec::new(), clock::now());
    let history = repository.mirrors.as_ref().is_some_and(|mirrors| !mirrors.fetched);
    let head = format!("refs/heads/{}", repository.default_branch);
    for name in known.keys().chain(refs.keys().filter(|name| !known.contains_key(*name))) {
        let (old, new) = (known.get(name).cloned().flatten(), refs.get(name).cloned());
        if old == new {
            continue;
        }
        let change = RefChange {
            id: clock::new_id(),
            repository_id: repository.id.clone(),
            reference: name.clone(),
            old,
            new,
            pushed_by: by.to_owned(),
            created_at: now,
        };
        insert_change(tx, &repository.team_id, &change, (history && change.reference != head).then_some(now)).await?;
        changes.push(change);
    }
    Ok(changes)
}

async fn insert_change(tx: &mut Tx, team: &TeamId, change: &RefChange, handled: Option<Timestamp>) -> Result<()> {
    tx.execute(
        "INSERT INTO ref_changes (id, team_id, repository_id, ref, old_commit, new_commit, pushed_by, created_at, handled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            &change.id,
            team,
            &change.repository_id,
            &change.reference,
            change.old.clone(),
            change.new.clone(),
            &change.pushed_by,
            change.created_at,
            handled,
        ],
    )
    .await?;
    Ok(())
}

/// The refs as last written down; a deleted one has no commit. From name to name along the index, and the newest change of
/// each: what many pushes made of a branch is not read again with the next one.
async fn known_refs(q: impl Query, repository: &RepositoryId) -> Result<BTreeMap<String, Option<String>>> {
    let rows = q
        .fetch_all(
            "WITH RECURSIVE names (ref) AS (
               SELECT MIN(ref) FROM ref_changes WHERE repository_id = $1
               UNION ALL
               SELECT (SELECT MIN(c.ref) FROM ref_changes c WHERE c.repository_id = $1 AND c.ref > n.ref) FROM names n WHERE n.ref IS NOT NULL)
             SELECT n.ref, (SELECT c.new_commit FROM ref_changes c WHERE c.repository_id = $1 AND c.ref = n.ref ORDER BY c.id DESC LIMIT 1)
               AS new_commit FROM names n WHERE n.ref IS NOT NULL",
            args![repository],
        )
        .await?;
    rows.iter().map(|row| Ok((row.text("ref")?, row.text_opt("new_commit")?))).collect()
}

/// The changes no runs were made of yet, oldest first.
pub async fn open_changes(q: impl Query) -> Result<Vec<RefChange>> {
    let rows = q.fetch_all("SELECT * FROM ref_changes WHERE handled_at IS NULL ORDER BY created_at, id LIMIT 100", args![]).await?;
    let read = |row: &Row| {
        Ok(RefChange {
            id: row.text("id")?,
            repository_id: RepositoryId::from_text(row.text("repository_id")?),
            reference: row.text("ref")?,
            old: row.text_opt("old_commit")?,
            new: row.text_opt("new_commit")?,
            pushed_by: row.text("pushed_by")?,
            created_at: row.time("created_at")?,
        })
    };
    Ok(readable(&rows, read))
}

/// How many tags were pushed at once with this change, itself among them.
pub async fn tags_with(q: impl Query, change: &RefChange) -> Result<u64> {
    let row = q
        .fetch_opt(
            "SELECT COUNT(*) AS n FROM ref_changes
              WHERE repository_id = $1 AND created_at = $2 AND ref LIKE 'refs/tags/%' AND new_commit IS NOT NULL",
            args![&change.repository_id, change.created_at],
        )
        .await?;
    row.map_or(Ok(0), |row| row.num("n"))
}

/// Whether a change was handled; also where it is gone with its repository.
pub async fn is_handled(q: impl Query, id: &str) -> Result<bool> {
    Ok(q.fetch_opt("SELECT id FROM ref_changes WHERE id = $1 AND handled_at IS NULL", args![id]).await?.is_none())
}

/// Marks a change as handled. False: somebody did already.
pub async fn handled(tx: &mut Tx, id: &str) -> Result<bool> {
    let sql = "UPDATE ref_changes SET handled_at = $1 WHERE id = $2 AND handled_at IS NULL";
    Ok(tx.execute(sql, args![clock::now(), id]).await? == 1)
}

/// The commit of a ref as last written down; none where it is deleted, or never was.
pub async fn last_commit(q: impl Query, repository: &RepositoryId, reference: &str) -> Result<Option<String>> {
    let sql = "SELECT new_commit FROM ref_changes WHERE repository_id = $1 AND ref = $2 ORDER BY id DESC LIMIT 1";
    q.fetch_opt(sql, args![repository, reference]).await?.map_or(Ok(None), |row| row.text_opt("new_commit"))
}
