//! Rows of `backends`: the proven instances that the edge may send requests to. Rollouts write them, the edge reads them.
//!
//! A row is one instance: target, release, process and slot. `since` tells two instances apart that took the same slot one
//! after the other, so that nothing kept for the first (a pooled connection, say) is used for the second.

use std::net::SocketAddr;

use app::model::{TargetId, Timestamp};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// An instance the edge may send requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRow {
    /// The target it belongs to.
    pub target: TargetId,
    /// The number of its release.
    pub release: u64,
    /// The name of its process.
    pub process: String,
    /// Its place among the instances of the process, from 0.
    pub slot: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Since when it may get requests.
    pub since: Timestamp,
    /// Since when it takes no new ones, if it drains.
    pub draining_since: Option<Timestamp>,
}

/// Lets requests through to a proven instance; again with the same address changes nothing, and takes back a drain.
pub async fn put(
    tx: &mut Tx,
    target: &TargetId,
    release: u64,
    process: &str,
    slot: u32,
    address: SocketAddr,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO backends (target_id, release_number, process, slot, address, since, draining_since)
         VALUES ($1, $2, $3, $4, $5, $6, NULL)
         ON CONFLICT (target_id, release_number, process, slot) DO UPDATE SET
           since = CASE WHEN backends.address = excluded.address THEN backends.since ELSE excluded.since END,
           address = excluded.address, draining_since = NULL",
        args![target, release, process, slot, address.to_string(), now],
    )
    .await?;
    Ok(())
}

/// Takes new requests away from a release's instances; what they have goes on. Says how many were not draining yet.
pub async fn drain(tx: &mut Tx, target: &TargetId, release: u64, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE backends SET draining_since = $3 WHERE target_id = $1 AND release_number = $2 AND draining_since IS NULL",
        args![target, release, now],
    )
    .await
}

/// Takes new requests away from every instance of the target but those of this release. Says how many were not draining yet.
pub async fn drain_others(tx: &mut Tx, target: &TargetId, release: u64, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE backends SET draining_since = $3 WHERE target_id = $1 AND release_number <> $2 AND draining_since IS NULL",
        args![target, release, now],
    )
    .await
}

/// Forgets a release's instances: before their containers go, so that an address that is given out again leads nowhere.
pub async fn remove(tx: &mut Tx, target: &TargetId, release: u64) -> Result<u64> {
    tx.execute("DELETE FROM backends WHERE target_id = $1 AND release_number = $2", args![target, release]).await
}

/// Forgets one instance.
pub async fn remove_one(tx: &mut Tx, target: &TargetId, release: u64, process: &str, slot: u32) -> Result<u64> {
    tx.execute(
        "DELETE FROM backends WHERE target_id = $1 AND release_number = $2 AND process = $3 AND slot = $4",
        args![target, release, process, slot],
    )
    .await
}

/// Forgets every instance of a target.
pub async fn remove_target(tx: &mut Tx, target: &TargetId) -> Result<u64> {
    tx.execute("DELETE FROM backends WHERE target_id = $1", args![target]).await
}

/// The instances of a target, by release, process and slot.
pub async fn of_target(q: impl Query, target: &TargetId) -> Result<Vec<BackendRow>> {
    let rows = q.fetch_all("SELECT * FROM backends WHERE target_id = $1 ORDER BY release_number, process, slot", args![target]).await?;
    Ok(readable(&rows, read))
}

/// All instances, in a fixed order.
pub async fn all(q: impl Query) -> Result<Vec<BackendRow>> {
    q.fetch_each("SELECT * FROM backends ORDER BY target_id, release_number, process, slot", args![], read).await
}

fn read(row: &Row) -> Result<BackendRow> {
    Ok(BackendRow {
        target: TargetId::from_text(row.text("target_id")?),
        release: row.num("release_number")?,
        process: row.text("process")?,
        slot: row.num("slot")?,
        address: row.parsed("address")?,
        since: row.time("since")?,
        draining_since: row.time_opt("draining_since")?,
    })
}

/// Takes new requests away from one instance; what it has goes on.
pub async fn drain_one(tx: &mut Tx, backend: &BackendRow, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE backends SET draining_since = $5
         WHERE target_id = $1 AND release_number = $2 AND process = $3 AND slot = $4 AND draining_since IS NULL",
        args![&backend.target, backend.release, &backend.process, backend.slot, now],
    )
    .await
}
