//! Rows of `services`. The address to push to is not stored: it follows from the configured URL.

use app::model::{RepositoryId, Service, ServiceId, ServiceName, TeamId, TeamName, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

const SELECT: &str = "SELECT s.id, s.team_id, t.name AS team, s.name, s.description, s.repository_id, r.name AS repository, s.created_at
  FROM services s JOIN teams t ON t.id = s.team_id JOIN repositories r ON r.id = s.repository_id
 WHERE s.deleted_at IS NULL";

/// The address to push to: `{url}/git/{team}/{repository}.git`.
pub fn clone_url(url: &str, team: &TeamName, repository: &impl std::fmt::Display) -> String {
    format!("{url}/git/{team}/{repository}.git")
}

fn read(row: &Row, url: &str) -> Result<Service> {
    let (team, repository) = (row.parsed("team")?, row.parsed("repository")?);
    Ok(Service {
        clone_url: clone_url(url, &team, &repository),
        id: ServiceId::from_text(row.text("id")?),
        team,
        team_id: TeamId::from_text(row.text("team_id")?),
        name: row.parsed("name")?,
        description: row.text("description")?,
        repository,
        repository_id: RepositoryId::from_text(row.text("repository_id")?),
        created_at: row.time("created_at")?,
    })
}

/// The service of this name in a team, unless it is being deleted. `url` is the console's, for the address to push to.
pub async fn by_name(q: impl Query, url: &str, team: &TeamId, name: &ServiceName) -> Result<Option<Service>> {
    let row = q.fetch_opt(format!("{SELECT} AND s.team_id = $1 AND s.name = $2"), args![team, name]).await?;
    row.as_ref().map(|row| read(row, url)).transpose()
}

/// The services of a team, by name.
pub async fn list(q: impl Query, url: &str, team: &TeamId) -> Result<Vec<Service>> {
    let rows = q.fetch_all(format!("{SELECT} AND s.team_id = $1 ORDER BY s.name"), args![team]).await?;
    Ok(readable(&rows, |row| read(row, url)))
}

/// Adds a service.
pub async fn insert(tx: &mut Tx, service: &Service) -> Result<()> {
    tx.execute(
        "INSERT INTO services (id, team_id, name, description, repository_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![&service.id, &service.team_id, &service.name, &service.description, &service.repository_id, service.created_at],
    )
    .await?;
    Ok(())
}

/// Asks for a service to be deleted; a task takes it down. Says whether it was there.
pub async fn ask_deletion(tx: &mut Tx, team: &TeamId, id: &ServiceId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE services SET deleted_at = $3 WHERE id = $1 AND team_id = $2 AND deleted_at IS NULL";
    Ok(tx.execute(sql, args![id, team, now]).await? > 0)
}
