//! Rows of `environments`.

use app::model::{Environment, EnvironmentId, EnvironmentName, Profile, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// The columns of an environment joined as `e`, under names that [`read_joined`] knows.
pub const JOINED: &str = "e.id AS environment_id, e.name AS environment, e.position AS environment_position, e.pool, e.default_replicas, \
                          e.auto_deploy, e.stabilisation_ms, e.deadline_ms, e.profile";

/// Reads an environment from the columns of [`JOINED`].
pub fn read_joined(row: &Row) -> Result<Environment> {
    Ok(Environment {
        id: EnvironmentId::from_text(row.text("environment_id")?),
        name: row.parsed("environment")?,
        position: row.num("environment_position")?,
        pool: row.text("pool")?,
        default_replicas: row.num("default_replicas")?,
        auto_deploy: row.bool("auto_deploy")?,
        stabilisation_ms: row.num("stabilisation_ms")?,
        deadline_ms: row.num("deadline_ms")?,
        profile: row.named("profile", |name| [Profile::Baseline, Profile::Restricted].into_iter().find(|p| p.name() == name))?,
    })
}

/// All environments, in order.
pub async fn list(q: impl Query) -> Result<Vec<Environment>> {
    let rows = q.fetch_all(format!("SELECT {JOINED} FROM environments e ORDER BY e.position, e.name"), args![]).await?;
    Ok(readable(&rows, read_joined))
}

/// The environment of this name.
pub async fn by_name(q: impl Query, name: &EnvironmentName) -> Result<Option<Environment>> {
    let sql = format!("SELECT {JOINED} FROM environments e WHERE e.name = $1");
    q.fetch_opt(sql, args![name]).await?.as_ref().map(read_joined).transpose()
}

/// Adds an environment.
pub async fn insert(tx: &mut Tx, environment: &Environment, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO environments
           (id, name, position, pool, default_replicas, auto_deploy, stabilisation_ms, deadline_ms, profile, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            &environment.id,
            &environment.name,
            environment.position,
            &environment.pool,
            environment.default_replicas,
            environment.auto_deploy,
            environment.stabilisation_ms,
            environment.deadline_ms,
            environment.profile.name(),
            now
        ],
    )
    .await?;
    Ok(())
}
