//! Rows of `idempotency_keys`: the answers to requests that may come twice.

use app::model::Timestamp;

use super::{Query, Tx, db::Result};
use crate::args;

/// A request that came before under the same key.
#[derive(Clone, Debug)]
pub struct Before {
    /// The hash of that request.
    pub hash: String,
    /// The status of its answer; none: it is under way, or its end is not known.
    pub status: Option<u16>,
    /// The sealed body of its answer.
    pub body: Option<String>,
}

/// Takes a key, unless it is taken; then says by what. Forgets keys from before `oldest`.
pub async fn begin(tx: &mut Tx, actor: &str, key: &str, hash: &str, now: Timestamp, oldest: Timestamp) -> Result<Option<Before>> {
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < $1", args![oldest]).await?;
    let sql = "INSERT INTO idempotency_keys (actor, idempotency_key, hash, created_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (actor, idempotency_key) DO NOTHING";
    if tx.execute(sql, args![actor, key, hash, now]).await? > 0 {
        return Ok(None);
    }
    let sql = "SELECT hash, status, body FROM idempotency_keys WHERE actor = $1 AND idempotency_key = $2";
    let row = tx.fetch_opt(sql, args![actor, key]).await?;
    row.map(|row| {
        let status = row.int_opt("status")?.and_then(|status| u16::try_from(status).ok());
        Ok(Before { hash: row.text("hash")?, status, body: row.text_opt("body")? })
    })
    .transpose()
}

/// How many keys an actor holds.
pub async fn count(q: impl Query, actor: &str) -> Result<u32> {
    let row = q.fetch_opt("SELECT COUNT(*) AS n FROM idempotency_keys WHERE actor = $1", args![actor]).await?;
    row.map_or(Ok(0), |row| row.num("n"))
}

/// Remembers an answer.
pub async fn finish(tx: &mut Tx, actor: &str, key: &str, status: u16, body: &str) -> Result<()> {
    let sql = "UPDATE idempotency_keys SET status = $3, body = $4 WHERE actor = $1 AND idempotency_key = $2";
    tx.execute(sql, args![actor, key, u32::from(status), body]).await?;
    Ok(())
}

/// Gives a key back: nothing was done under it.
pub async fn forget(tx: &mut Tx, actor: &str, key: &str) -> Result<()> {
    tx.execute("DELETE FROM idempotency_keys WHERE actor = $1 AND idempotency_key = $2", args![actor, key]).await?;
    Ok(())
}
