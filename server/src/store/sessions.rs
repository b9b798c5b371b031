//! Rows of `sessions`. The id is the hash of the cookie's value, so that a copy of the database opens no session.

use app::model::Timestamp;

use super::{Query, Tx, db::Result};
use crate::args;

/// The data of a session that has not ended.
pub async fn load(q: impl Query, id: &str, now: Timestamp) -> Result<Option<String>> {
    let row = q.fetch_opt("SELECT data FROM sessions WHERE id = $1 AND expires_at > $2", args![id, now]).await?;
    row.map(|row| row.text("data")).transpose()
}

/// Adds a session; says whether the id was free.
pub async fn insert(tx: &mut Tx, id: &str, data: &str, expires_at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Ok(tx.execute(sql, args![id, data, expires_at]).await? > 0)
}

/// Changes a session that is there. One that was removed meanwhile stays removed.
pub async fn update(tx: &mut Tx, id: &str, data: &str, expires_at: Timestamp) -> Result<()> {
    tx.execute("UPDATE sessions SET data = $2, expires_at = $3 WHERE id = $1", args![id, data, expires_at]).await?;
    Ok(())
}

/// Removes a session.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE id = $1", args![id]).await?;
    Ok(())
}

/// Removes what has ended.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE expires_at <= $1", args![now]).await
}
