//! Secrets of a service that its steps are given by name: sealed, and opened for the step that names them alone.

use app::model::{ServiceId, StepSecret, TeamId};

use super::{
    Query, Tx,
    db::{Result, readable},
};
use crate::{args, clock};

/// A sealed value: the id it was sealed for, its name, and what was sealed.
pub struct Sealed {
    /// The row's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// JSON of its name and value, sealed.
    pub variables: String,
}

/// The names, in their order.
pub async fn list(q: impl Query, service: &ServiceId) -> Result<Vec<StepSecret>> {
    let rows = q.fetch_all("SELECT name, changed_by, changed_at FROM secrets WHERE service_id = $1 ORDER BY name", args![service]).await?;
    Ok(readable(&rows, |row| Ok(StepSecret { name: row.text("name")?, by: row.text("changed_by")?, changed_at: row.time("changed_at")? })))
}

/// Every secret of a service, as it is kept.
pub async fn sealed(q: impl Query, service: &ServiceId) -> Result<Vec<Sealed>> {
    let rows = q.fetch_all("SELECT id, name, variables FROM secrets WHERE service_id = $1", args![service]).await?;
    rows.iter().map(|row| Ok(Sealed { id: row.text("id")?, name: row.text("name")?, variables: row.text("variables")? })).collect()
}

/// Keeps a value, in the place of the one of this name.
pub async fn set(tx: &mut Tx, team: &TeamId, service: &ServiceId, new: &Sealed, by: &str) -> Result<()> {
    unset(tx, service, &new.name).await?;
    tx.execute(
        "INSERT INTO secrets (id, team_id, service_id, name, variables, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![&new.id, team, service, &new.name, &new.variables, by, clock::now()],
    )
    .await?;
    Ok(())
}

/// Forgets a value. False: there was none of this name.
pub async fn unset(tx: &mut Tx, service: &ServiceId, name: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM secrets WHERE service_id = $1 AND name = $2", args![service, name]).await? == 1)
}
