//! What a service's team asked for that is not in the file: what newer pushes do to the runs before them.

use app::model::{PushPolicy, ServiceId, TeamId};

use super::{Query, Tx, db::Result};
use crate::args;

/// What newer pushes do; as if nobody had asked where the service is gone.
pub async fn of(q: impl Query, team: &TeamId, service: &ServiceId) -> Result<PushPolicy> {
    let sql = "SELECT supersedes_default, supersedes_running FROM services WHERE id = $1 AND team_id = $2";
    let Some(row) = q.fetch_opt(sql, args![service, team]).await? else { return Ok(PushPolicy::default()) };
    Ok(PushPolicy { default_branch: row.bool("supersedes_default")?, running: row.bool("supersedes_running")? })
}

/// Changes it.
pub async fn set(tx: &mut Tx, team: &TeamId, service: &ServiceId, policy: PushPolicy) -> Result<()> {
    let sql = "UPDATE services SET supersedes_default = $3, supersedes_running = $4 WHERE id = $1 AND team_id = $2";
    tx.execute(sql, args![service, team, policy.default_branch, policy.running]).await?;
    Ok(())
}
