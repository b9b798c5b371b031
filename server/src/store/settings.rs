//! Rows of settings: what a Berth keeps about itself.

use app::model::Timestamp;

use super::{
    Db, Query, Tx,
    db::{Result, unreadable},
};
use crate::args;

/// The name of the setting that says when the last backup was made, in milliseconds.
const BACKUP: &str = "last_backup";

/// When the last backup was made; none where none ever was.
pub async fn last_backup(q: impl Query) -> Result<Option<Timestamp>> {
    let row = q.fetch_opt("SELECT value FROM settings WHERE name = $1", args![BACKUP]).await?;
    let read = |text: String| text.parse().map(Timestamp).map_err(|cause| unreadable("value", cause));
    row.map(|row| row.text("value").and_then(read)).transpose()
}

/// Notes that a backup was made.
pub async fn backed_up(tx: &mut Tx, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, args![BACKUP, at.0.to_string()]).await?;
    Ok(())
}

/// A value that is made once and stays: `make` is asked where there is none yet.
pub async fn once(db: &Db, name: &str, make: impl FnOnce() -> String) -> Result<String> {
    let mut tx = db.begin().await?;
    tx.execute("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", args![name, make()]).await?;
    let row = tx.fetch_opt("SELECT value FROM settings WHERE name = $1", args![name]).await?.ok_or(sqlx::Error::RowNotFound)?;
    let value = row.text("value")?;
    tx.commit().await?;
    Ok(value)
}
