//! Rows of leases: duties that only one Berth at a time carries out.

use std::time::Duration;

use super::{Db, Query, db::Result};
use crate::{args, clock};

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
