//! Rows of leases: duties that only one Berth at a time carries out.

use std::time::Duration;

use app::model::Timestamp;

use super::{
    Db, Query, Row,
    db::{Result, readable},
};
use crate::{args, claim::LEASE, clock};

/// A duty as it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The duty.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// How often it changed hands.
    pub fence: u64,
    /// Until when.
    pub until: Timestamp,
}

/// Every duty that was ever held.
pub async fn all(q: impl Query) -> Result<Vec<Lease>> {
    let rows = q.fetch_all("SELECT * FROM leases ORDER BY name", args![]).await?;
    let read =
        |row: &Row| Ok(Lease { name: row.text("name")?, holder: row.text("holder")?, fence: row.num("fence")?, until: row.time("until")? });
    Ok(readable(&rows, read))
}

/// Renews every claim of a holder at once: its clock was moved, and what it works on would seem abandoned, or held for ever.
pub async fn renew_all(db: &Db, holder: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.begin().await?;
    for table in ["runs", "rollouts"] {
        let sql = format!("UPDATE {table} SET lease_until = $1 WHERE holder = $2 AND state = 'running' AND lease_until > 0");
        tx.execute(sql, args![now.plus(LEASE), holder]).await?;
    }
    tx.execute("UPDATE leases SET until = $1 WHERE holder = $2", args![now.plus(LEASE), holder]).await?;
    tx.commit().await
}

/// Takes or renews the lease of a duty. The answer is its fence while it is ours; none while somebody else holds it.
pub async fn hold(db: &Db, name: &str, holder: &str, how_long: Duration) -> Result<Option<i64>> {
    let mut tx = db.begin().await?;
    tx.lock(&format!("lease:{name}")).await?;
    let now = clock::now();
    let row = tx
        .fetch_opt(
            "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
               fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
             WHERE leases.holder = excluded.holder OR leases.until < $4
             RETURNING fence",
            args![name, holder, now.plus(how_long), now],
        )
        .await?;
    let fence = row.map(|row| row.int("fence")).transpose()?;
    tx.commit().await?;
    Ok(fence)
}

/// The end of a condition on rows `r` that leaves these out, their placeholders numbered from `first`.
pub(super) fn but(ids: &[String], first: usize) -> String {
    let places: Vec<String> = (first..first + ids.len()).map(|place| format!("${place}")).collect();
    if places.is_empty() { String::new() } else { format!(" AND r.id NOT IN ({})", places.join(", ")) }
}
