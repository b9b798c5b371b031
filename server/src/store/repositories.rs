//! Rows of `repositories` and of `ref_changes`: what pushes moved.

use std::collections::BTreeMap;

use app::model::{RepositoryId, RepositoryName, ServiceId, ServiceName, TeamId, TeamName, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// A repository with the service it belongs to.
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
    /// The service's id.
    pub service_id: ServiceId,
    /// The service.
    pub service: ServiceName,
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

const SELECT: &str = "SELECT r.id, r.team_id, t.name AS team, r.name, r.default_branch, s.id AS service_id, s.name AS service
  FROM repositories r JOIN teams t ON t.id = r.team_id JOIN services s ON s.repository_id = r.id AND s.deleted_at IS NULL
 WHERE r.deleted_at IS NULL";

fn read(row: &Row) -> Result<RepositoryRow> {
    Ok(RepositoryRow {
        id: RepositoryId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        team: row.parsed("team")?,
        name: row.parsed("name")?,
        default_branch: row.text("default_branch")?,
        service_id: ServiceId::from_text(row.text("service_id")?),
        service: row.parsed("service")?,
    })
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
    let row = q.fetch_opt(format!("{SELECT} AND r.team_id = $1 AND r.name = $2"), args![team, name]).await?;
    row.as_ref().map(read).transpose()
}

/// The repository of this id; for background work.
pub async fn by_id(q: impl Query, id: &RepositoryId) -> Result<Option<RepositoryRow>> {
    q.fetch_opt(format!("{SELECT} AND r.id = $1"), args![id]).await?.as_ref().map(read).transpose()
}

/// Every repository; for the comparison of refs.
pub async fn all(q: impl Query) -> Result<Vec<RepositoryRow>> {
    Ok(readable(&q.fetch_all(SELECT, args![]).await?, read))
}

/// Writes down how a repository's refs are now, as changes against what was known. `refs` are names and commits. The
/// answer is what changed. The push and the comparison of refs both come here, so each change is written once.
pub async fn record_refs(tx: &mut Tx, repository: &RepositoryRow, refs: &BTreeMap<String, String>, by: &str) -> Result<Vec<RefChange>> {
    tx.lock(&format!("refs:{}", repository.id)).await?;
    let known = known_refs(&mut *tx, &repository.id).await?;
    let mut changes = Vec::new();
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
            created_at: clock::now(),
        };
        insert_change(tx, &repository.team_id, &change).await?;
        changes.push(change);
    }
    Ok(changes)
}

async fn insert_change(tx: &mut Tx, team: &TeamId, change: &RefChange) -> Result<()> {
    tx.execute(
        "INSERT INTO ref_changes (id, team_id, repository_id, ref, old_commit, new_commit, pushed_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            &change.id,
            team,
            &change.repository_id,
            &change.reference,
            change.old.clone(),
            change.new.clone(),
            &change.pushed_by,
            change.created_at
        ],
    )
    .await?;
    Ok(())
}

/// The refs as last written down; a deleted one has no commit.
async fn known_refs(q: impl Query, repository: &RepositoryId) -> Result<BTreeMap<String, Option<String>>> {
    let rows = q
        .fetch_all(
            "SELECT c.ref, c.new_commit FROM ref_changes c JOIN
               (SELECT ref, MAX(id) AS id FROM ref_changes WHERE repository_id = $1 GROUP BY ref) l ON l.id = c.id",
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

/// Marks a change as handled. False: somebody did already.
pub async fn handled(tx: &mut Tx, id: &str) -> Result<bool> {
    let sql = "UPDATE ref_changes SET handled_at = $1 WHERE id = $2 AND handled_at IS NULL";
    Ok(tx.execute(sql, args![clock::now(), id]).await? == 1)
}

/// The commits of this repository's refs as last written down; for tests and for what follows a push.
pub async fn last_commit(q: impl Query, repository: &RepositoryId, reference: &str) -> Result<Option<String>> {
    Ok(known_refs(q, repository).await?.remove(reference).flatten())
}
