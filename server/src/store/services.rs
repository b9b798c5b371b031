//! Rows of `services`. The address to push to is not stored: it follows from the configured URL.

use app::model::{Page, PageRequest, RepositoryId, Service, ServiceId, ServiceName, TeamId, TeamName, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
    events::paged,
    mirrors, repositories, schedules, together,
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

/// Some of the services of a team, by name.
pub async fn page(q: impl Query, url: &str, team: &TeamId, page: &PageRequest) -> Result<Page<Service>> {
    let sql = format!("{SELECT} AND s.team_id = $1 AND s.name > $2 ORDER BY s.name LIMIT $3");
    let rows = q.fetch_all(sql, args![team, page.cursor.clone().unwrap_or_default(), page.size() + 1]).await?;
    Ok(paged(readable(&rows, |row| read(row, url)), page, |service| service.name.to_string()))
}

/// How many services a team has.
pub async fn count(q: impl Query, team: &TeamId) -> Result<usize> {
    let row = q.fetch_opt("SELECT COUNT(*) AS n FROM services WHERE team_id = $1 AND deleted_at IS NULL", args![team]).await?;
    row.map_or(Ok(0), |row| row.num("n"))
}

/// Adds a service and its repository.
pub async fn insert(tx: &mut Tx, service: &Service) -> Result<()> {
    repositories::insert(tx, &service.repository_id, &service.team_id, &service.repository, service.created_at).await?;
    insert_into(tx, service).await
}

/// Adds a service to a repository that is there. Where something was pushed to it, its schedules are still to be read.
pub async fn insert_into(tx: &mut Tx, service: &Service) -> Result<()> {
    tx.execute(
        "INSERT INTO services (id, team_id, name, description, repository_id, created_at, schedules_of) VALUES ($1, $2, $3, $4, $5, $6,
           CASE WHEN EXISTS (SELECT 1 FROM ref_changes c WHERE c.repository_id = $5) THEN NULL ELSE '' END)",
        args![&service.id, &service.team_id, &service.name, &service.description, &service.repository_id, service.created_at],
    )
    .await?;
    Ok(())
}

/// The other services built from a service's repository, by name.
pub async fn beside(q: impl Query, service: &Service) -> Result<Vec<ServiceName>> {
    let sql = "SELECT name FROM services WHERE repository_id = $1 AND id <> $2 AND deleted_at IS NULL ORDER BY name";
    let rows = q.fetch_all(sql, args![&service.repository_id, &service.id]).await?;
    Ok(readable(&rows, |row| row.parsed("name")))
}

/// Builds a service from another repository in future. Its runs so far stay with the one they came from, where their commits
/// are.
pub async fn move_to(tx: &mut Tx, service: &Service, repository: &RepositoryId) -> Result<()> {
    tx.execute(
        "UPDATE runs SET repository_id = $1 WHERE service_id = $2 AND team_id = $3 AND repository_id IS NULL",
        args![&service.repository_id, &service.id, &service.team_id],
    )
    .await?;
    let sql = "UPDATE services SET repository_id = $1 WHERE id = $2 AND team_id = $3";
    tx.execute(sql, args![repository, &service.id, &service.team_id]).await?;
    schedules::forget(tx, &service.team_id, &service.id).await
}

/// The repositories that a service and its runs came from.
const ITS_REPOSITORIES: &str = "SELECT s.repository_id FROM services s WHERE s.id = $1
  UNION SELECT r.repository_id FROM runs r WHERE r.service_id = $1 AND r.repository_id IS NOT NULL";

/// Asks for a service to be deleted, and the repositories it came from, unless other services are built from them or came
/// from them; a task takes it down. The names are free at once. Says whether it was there.
pub async fn ask_deletion(tx: &mut Tx, service: &Service, now: Timestamp) -> Result<bool> {
    tx.lock(&repositories::lock(&service.repository_id)).await?;
    let sql = "UPDATE services SET deleted_at = $3 WHERE id = $1 AND team_id = $2 AND deleted_at IS NULL";
    let there = tx.execute(sql, args![&service.id, &service.team_id, now]).await? > 0;
    tx.execute(
        format!(
            "UPDATE repositories SET deleted_at = $2 WHERE id IN ({ITS_REPOSITORIES}) AND deleted_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM services o WHERE o.repository_id = repositories.id AND o.deleted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM runs r JOIN services o ON o.id = r.service_id
                                 WHERE r.repository_id = repositories.id AND o.id <> $1 AND o.deleted_at IS NULL)"
        ),
        args![&service.id, now],
    )
    .await?;
    Ok(there)
}

/// The services that were asked to be deleted and are still there.
pub async fn to_delete(q: impl Query) -> Result<Vec<ServiceId>> {
    let rows = q.fetch_all("SELECT id FROM services WHERE deleted_at IS NOT NULL ORDER BY deleted_at", args![]).await?;
    rows.iter().map(|row| row.text("id").map(ServiceId::from_text)).collect()
}

/// Begins to take a service down: no address leads to it any more, nothing waits to be rolled out or run.
pub async fn withdraw(tx: &mut Tx, id: &ServiceId) -> Result<()> {
    let now = crate::clock::now();
    tx.execute("DELETE FROM routes WHERE target_id IN (SELECT id FROM targets WHERE service_id = $1)", args![id]).await?;
    tx.execute(
        "UPDATE rollouts SET state = 'cancelled', finished_at = $1, lease_until = NULL WHERE service_id = $2 AND finished_at IS NULL",
        args![now, id],
    )
    .await?;
    together::withdraw(tx, id).await?;
    tx.execute(
        "UPDATE runs SET state = 'cancelled', finished_at = $1, lease_until = NULL, fence = fence + 1 WHERE service_id = $2 AND finished_at IS NULL",
        args![now, id],
    )
    .await?;
    Ok(())
}

/// The repositories that go with a service: those that were asked to be deleted with it.
pub async fn abandoned_repositories(q: impl Query, id: &ServiceId) -> Result<Vec<String>> {
    let sql = format!("SELECT id FROM repositories WHERE id IN ({ITS_REPOSITORIES}) AND deleted_at IS NOT NULL ORDER BY id");
    q.fetch_all(sql, args![id]).await?.iter().map(|row| row.text("id")).collect()
}

/// Removes every row of a service but its events; with the last service of a repository the repository's too.
pub async fn purge(tx: &mut Tx, id: &ServiceId) -> Result<()> {
    let repositories = abandoned_repositories(&mut *tx, id).await?;
    let mine = "(SELECT id FROM targets WHERE service_id = $1)";
    let runs = "(SELECT id FROM runs WHERE service_id = $1)";
    let statements = [
        format!("DELETE FROM backends WHERE target_id IN {mine}"),
        format!("DELETE FROM routes WHERE target_id IN {mine}"),
        "DELETE FROM rollouts WHERE service_id = $1".to_owned(),
        format!("DELETE FROM releases WHERE target_id IN {mine}"),
        format!("DELETE FROM config_sets WHERE target_id IN {mine}"),
        "DELETE FROM targets WHERE service_id = $1".to_owned(),
        "DELETE FROM statements WHERE candidate_id IN (SELECT id FROM candidates WHERE service_id = $1)".to_owned(),
        "DELETE FROM candidate_bases WHERE service_id = $1".to_owned(),
        "DELETE FROM base_rolls WHERE service_id = $1".to_owned(),
        "DELETE FROM candidates WHERE service_id = $1".to_owned(),
        "DELETE FROM caches WHERE service_id = $1".to_owned(),
        "DELETE FROM secrets WHERE service_id = $1".to_owned(),
        "DELETE FROM schedules WHERE service_id = $1".to_owned(),
        "DELETE FROM forge_statuses WHERE service_id = $1".to_owned(),
        "DELETE FROM artifacts WHERE service_id = $1".to_owned(),
        "DELETE FROM flaky_tests WHERE service_id = $1".to_owned(),
        "DELETE FROM step_tests WHERE service_id = $1".to_owned(),
        format!("DELETE FROM log_chunks WHERE step_id IN (SELECT id FROM steps WHERE run_id IN {runs})"),
        format!("DELETE FROM steps WHERE run_id IN {runs}"),
        format!("DELETE FROM stages WHERE run_id IN {runs}"),
        "DELETE FROM runs WHERE service_id = $1".to_owned(),
    ];
    for statement in statements {
        tx.execute(statement, args![id]).await?;
    }
    tx.execute("DELETE FROM services WHERE id = $1", args![id]).await?;
    for repository in &repositories {
        let shared = "SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM services WHERE repository_id = $1)
                         OR EXISTS (SELECT 1 FROM runs WHERE repository_id = $1)";
        if tx.fetch_opt(shared, args![repository]).await?.is_none() {
            mirrors::purge(tx, repository).await?;
            tx.execute("DELETE FROM ref_changes WHERE repository_id = $1", args![repository]).await?;
            tx.execute("DELETE FROM repositories WHERE id = $1", args![repository]).await?;
        }
    }
    Ok(())
}
