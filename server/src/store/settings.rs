//! Rows of settings: what a Berth keeps about itself.

use super::{Db, Query, db::Result};
use crate::args;

/// A value that is made once and stays: `make` is asked where there is none yet.
pub async fn once(db: &Db, name: &str, make: impl FnOnce() -> String) -> Result<String> {
    let mut tx = db.begin().await?;
    tx.execute("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", args![name, make()]).await?;
    let row = tx.fetch_opt("SELECT value FROM settings WHERE name = $1", args![name]).await?.ok_or(sqlx::Error::RowNotFound)?;
    let value = row.text("value")?;
    tx.commit().await?;
    Ok(value)
}
