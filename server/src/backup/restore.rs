//! Puts a backup back, where nothing is yet.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read},
    path::Path,
};

use app::{
    error::{Error, Result},
    model::{TeamId, Timestamp},
};

use super::{
    Item, Manifest,
    archive::{Passing, Unpacked, unpack},
    damaged, unwritable,
};
use crate::{
    config::Config,
    git,
    secrets::{RootKey, Secrets},
    store::{Db, Open, Tx, dump, settings},
};

/// Lines that go back at once.
const LINES: usize = 2_000;

/// What was put back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The version of the program that made the backup.
    pub berth: String,
    /// When its rows were read.
    pub at: Timestamp,
    /// Rows.
    pub rows: u64,
    /// Repositories.
    pub repositories: usize,
    /// Sealed values that open.
    pub secrets: usize,
}

/// Puts a backup back into an empty data folder and an empty database, which may be of the other kind; a backup of an older
/// Berth is brought up to date. Nothing is left behind where it fails.
///
/// # Errors
/// `not_empty`, `backup_damaged`, `backup_newer`, `wrong_key` and the like.
pub async fn restore(config: &Config, from: impl Read, key: Option<RootKey>, passphrase: Option<&str>) -> Result<Restored> {
    empty_folder(&config.data)?;
    let made = !config.data.exists();
    let result = into_empty(config, from, key, passphrase).await;
    if result.is_err() {
        clean(config, made);
    }
    result
}

async fn into_empty(config: &Config, from: impl Read, key: Option<RootKey>, passphrase: Option<&str>) -> Result<Restored> {
    let staged = Passing::make(config.data.join("restoring"))?;
    let backup = unpack(from, staged.path())?;
    let manifest = &backup.manifest;
    if manifest.schema > Db::newest_schema() {
        let sentence =
            format!("The backup was made by Berth {}, which is newer than this one. Install that version first.", manifest.berth);
        return Err(Error::invalid("backup_newer", sentence));
    }
    let key = manifest.key.key(key, passphrase)?;
    let db = Db::connect(&config.database, Open::Make).await?;
    let restored = fill(config, &db, &backup, &key).await;
    db.close().await;
    restored
}

async fn fill(config: &Config, db: &Db, backup: &Unpacked, key: &RootKey) -> Result<Restored> {
    if db.schema().await?.is_some() {
        let mut tx = db.begin().await?;
        if !dump::is_empty(&mut tx).await? {
            return Err(not_empty("The database holds a Berth already"));
        }
    }
    let Manifest { schema, berth, at, .. } = &backup.manifest;
    db.migrate(Some(*schema)).await?;
    for item in &backup.items {
        if let (Some(branch), Some(id)) = (&item.branch, item.name.strip_prefix("repositories/")) {
            let folder = config.repository(id);
            fs::create_dir_all(config.repositories()).map_err(unwritable)?;
            git::unbundle(&folder, branch, backup.file(item).as_deref()).await.map_err(damaged)?;
        }
    }
    key.write(&config.key_file())?;
    let mut tx = db.begin().await?;
    let mut rows = 0;
    for item in &backup.items {
        if let Some(table) = item.name.strip_prefix("tables/") {
            rows += put_back(&mut tx, table, item, backup).await?;
        }
    }
    let secrets = open_all(&mut tx, key).await?;
    settings::backed_up(&mut tx, *at).await?;
    tx.commit().await?;
    db.migrate(None).await?;
    let repositories = backup.items.iter().filter(|item| item.branch.is_some()).count();
    Ok(Restored { berth: berth.clone(), at: *at, rows, repositories, secrets })
}

async fn put_back(tx: &mut Tx, table: &str, item: &Item, backup: &Unpacked) -> Result<u64> {
    let Some(path) = backup.file(item) else { return Ok(0) };
    let (mut lines, mut count) = (BufReader::new(File::open(path).map_err(unwritable)?).lines(), 0);
    loop {
        let some: Vec<String> = lines.by_ref().take(LINES).collect::<std::io::Result<_>>().map_err(damaged)?;
        if some.is_empty() {
            break;
        }
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        count += dump::put_back(tx, table, &item.columns, &some).await.map_err(|error| {
            Error::invalid("backup_unfit", format!("The rows of `{table}` do not fit: {error}. Nothing was restored.")).because(error)
        })?;
    }
    if count == item.rows { Ok(count) } else { Err(damaged(format_args!("`{table}` has {count} rows and not {}", item.rows))) }
}

/// Opens every sealed value with the key: a backup whose secrets do not open is found out here and not on a bad day.
async fn open_all(tx: &mut Tx, key: &RootKey) -> Result<usize> {
    let secrets = Secrets::with_key(key);
    let sealed = dump::sealed(tx).await?;
    let shut = sealed.iter().filter(|(team, id, value)| secrets.unseal(&TeamId::from_text(team), id, "variables", value).is_err()).count();
    if shut > 0 {
        // One that did not open before is no reason to keep everything else from coming back.
        tracing::warn!(shut, "some sealed values do not open, as before");
    }
    Ok(sealed.len() - shut)
}

fn not_empty(what: impl std::fmt::Display) -> Error {
    let sentence = format!("{what}. A backup is restored where nothing is yet: name an empty folder with --data, and an empty database.");
    Error::conflict("not_empty", sentence)
}

/// What may be in a folder that counts as empty: what a log that was opened early left.
const NOTHING: [&str; 2] = ["berth.log", "lost+found"];

fn empty_folder(data: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(data) else { return Ok(()) };
    match entries.flatten().find(|entry| !NOTHING.iter().any(|name| entry.file_name() == *name)) {
        Some(entry) => Err(not_empty(format_args!("{} is not empty: `{}` is in it", data.display(), entry.file_name().to_string_lossy()))),
        None => Ok(()),
    }
}

/// Removes what a restore that failed has made: the folder was empty before.
fn clean(config: &Config, made: bool) {
    let sqlite = config.database.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//").to_owned());
    let beside = |path: &String| ["", "-wal", "-shm"].map(|end| format!("{path}{end}"));
    for file in sqlite.iter().filter(|path| Path::new(path).starts_with(&config.data)).flat_map(beside) {
        let _ = fs::remove_file(file);
    }
    let _ = fs::remove_dir_all(config.repositories());
    let _ = fs::remove_file(config.key_file());
    if made {
        let _ = fs::remove_dir(&config.data);
    }
}
