//! Rows of `targets`, and the empty config set each starts with.

use std::collections::BTreeMap;

use app::model::{
    ConfigSetId, Environment, EnvironmentId, EnvironmentName, ReleaseId, ServiceId, ServiceName, TargetId, TeamId, TeamName, Timestamp,
};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
    environments,
};
use crate::args;

/// A target with what belongs to it by its keys.
#[derive(Clone, Debug)]
pub struct TargetRow {
    /// Its id.
    pub id: TargetId,
    /// The team's id.
    pub team_id: TeamId,
    /// The team.
    pub team: TeamName,
    /// The service's id.
    pub service_id: ServiceId,
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: Environment,
    /// Wanted instances, by process.
    pub replicas: BTreeMap<String, u32>,
    /// The newest config set.
    pub config_set_id: ConfigSetId,
    /// The proven release: what serves.
    pub release_id: Option<ReleaseId>,
    /// The newest release asked for.
    pub wanted_release_id: Option<ReleaseId>,
    /// The number of the next release.
    pub next_release: u64,
}

fn select() -> String {
    format!(
        "SELECT g.id, g.team_id, t.name AS team, g.service_id, s.name AS service, g.replicas, g.config_set_id, g.release_id,
                g.wanted_release_id, g.next_release, {}
           FROM targets g JOIN teams t ON t.id = g.team_id JOIN services s ON s.id = g.service_id
           JOIN environments e ON e.id = g.environment_id",
        environments::JOINED
    )
}

fn read(row: &Row) -> Result<TargetRow> {
    Ok(TargetRow {
        id: TargetId::from_text(row.text("id")?),
        team_id: TeamId::from_text(row.text("team_id")?),
        team: row.parsed("team")?,
        service_id: ServiceId::from_text(row.text("service_id")?),
        service: row.parsed("service")?,
        environment: environments::read_joined(row)?,
        replicas: row.json("replicas")?,
        config_set_id: ConfigSetId::from_text(row.text("config_set_id")?),
        release_id: row.text_opt("release_id")?.map(ReleaseId::from_text),
        wanted_release_id: row.text_opt("wanted_release_id")?.map(ReleaseId::from_text),
        next_release: row.num("next_release")?,
    })
}

/// The target of this id, whoever's; for background work and for rows that carry a team to check.
pub async fn by_id(q: impl Query, id: &TargetId) -> Result<Option<TargetRow>> {
    q.fetch_opt(format!("{} WHERE g.id = $1", select()), args![id]).await?.as_ref().map(read).transpose()
}

/// The target of a team's service in an environment, unless the service is being deleted.
pub async fn find(q: impl Query, team: &TeamId, service: &ServiceName, environment: &EnvironmentName) -> Result<Option<TargetRow>> {
    // By the service: a database without statistics would go through all targets of the environment.
    let sql = format!("{} WHERE s.team_id = $1 AND s.name = $2 AND e.name = $3 AND s.deleted_at IS NULL", select());
    q.fetch_opt(sql, args![team, service, environment]).await?.as_ref().map(read).transpose()
}

/// The targets of a service, in the order of the environments.
pub async fn of_service(q: impl Query, service: &ServiceId) -> Result<Vec<TargetRow>> {
    let rows = q.fetch_all(format!("{} WHERE g.service_id = $1 ORDER BY e.position, e.name", select()), args![service]).await?;
    Ok(readable(&rows, read))
}

/// What a new target starts with.
#[derive(Clone, Debug)]
pub struct NewTarget<'a> {
    /// Its id.
    pub id: &'a TargetId,
    /// The team's id.
    pub team: &'a TeamId,
    /// The service's id.
    pub service: &'a ServiceId,
    /// The environment's id.
    pub environment: &'a EnvironmentId,
    /// Wanted instances, by process.
    pub replicas: &'a BTreeMap<String, u32>,
    /// The id of config set 0.
    pub config_set: &'a ConfigSetId,
    /// Config set 0, sealed.
    pub variables: &'a str,
    /// Who asked for it.
    pub by: &'a str,
    /// When.
    pub now: Timestamp,
}

/// Adds a target and its config set 0.
pub async fn insert(tx: &mut Tx, target: &NewTarget<'_>) -> Result<()> {
    let replicas = serde_json::to_string(target.replicas).unwrap_or_else(|_| "{}".into());
    tx.execute(
        "INSERT INTO targets (id, team_id, service_id, environment_id, replicas, config_set_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![target.id, target.team, target.service, target.environment, replicas, target.config_set, target.now],
    )
    .await?;
    tx.execute(
        "INSERT INTO config_sets (id, team_id, target_id, number, variables, created_by, created_at) VALUES ($1, $2, $3, 0, $4, $5, $6)",
        args![target.config_set, target.team, target.id, target.variables, target.by, target.now],
    )
    .await?;
    Ok(())
}
