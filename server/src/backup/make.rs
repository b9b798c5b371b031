//! Makes a backup, beside a Berth that serves.

use std::io::Write;

use app::{
    error::{Error, Result},
    model::Timestamp,
};
use futures::TryStreamExt as _;

use super::{FORMAT, Item, Manifest, PART, archive::Writer, key::Kept};
use crate::{
    clock,
    config::Config,
    git,
    secrets::RootKey,
    store::{Db, Tx, dump, settings},
};

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// When its rows were read.
    pub at: Timestamp,
    /// The bytes of the file.
    pub bytes: u64,
    /// Tables in it.
    pub tables: usize,
    /// Rows in it.
    pub rows: u64,
    /// Repositories in it.
    pub repositories: usize,
    /// Whether the key of the secrets is in it.
    pub with_key: bool,
}

/// Writes a backup. Compressing and writing hold up the thread: it is for a program of its own.
///
/// # Errors
/// `other_schema` where another version of the program keeps this database; what the store, the key file or the disk say.
pub async fn make<W: Write>(config: &Config, db: &Db, passphrase: Option<&str>, to: W) -> Result<(W, Made)> {
    let schema = db.schema().await?.unwrap_or(0);
    if schema != Db::newest_schema() {
        let sentence = format!(
            "The database has the schema {schema} and this program knows {}. Make the backup with the program that serves it.",
            Db::newest_schema()
        );
        return Err(Error::conflict("other_schema", sentence));
    }
    let key = RootKey::read(&config.key_file())?;
    let manifest = Manifest {
        what: "berth backup".into(),
        format: FORMAT,
        berth: env!("CARGO_PKG_VERSION").into(),
        schema,
        at: clock::now(),
        key: Kept::of(&key, passphrase)?,
    };
    let mut writer = Writer::new(to, &manifest)?;
    let mut tx = db.snapshot().await?;
    for table in dump::TABLES {
        write_table(&mut tx, table, &mut writer).await?;
    }
    let mut repositories = Vec::new();
    for (id, branch) in dump::repositories(&mut tx).await? {
        repositories.push((dump::commits(&mut tx, &id).await?, id, branch));
    }
    drop(tx);
    for (commits, id, branch) in repositories {
        let folder = config.repository(&id);
        writer.begin(Item { branch: Some(branch), ..item(format!("repositories/{id}")) });
        if let Some(mut bundle) = git::bundle(&folder, &commits).await.map_err(Error::internal)? {
            while let Some(piece) = bundle.next(PART).await.map_err(Error::internal)? {
                writer.part(&piece, 0)?;
            }
        }
    }
    let (to, bytes, items) = writer.finish()?;
    let tables = items.iter().filter(|item| item.branch.is_none()).count();
    let made = Made {
        at: manifest.at,
        bytes,
        tables,
        rows: items.iter().map(|item| item.rows).sum(),
        repositories: items.len() - tables,
        with_key: manifest.key.sealed.is_some(),
    };
    Ok((to, made))
}

/// Notes that a backup is where it should be: `berth doctor` and the figures tell its age.
///
/// # Errors
/// Where the store does not answer.
pub async fn note(db: &Db, made: &Made) -> Result<()> {
    let mut tx = db.begin().await?;
    settings::backed_up(&mut tx, made.at).await?;
    Ok(tx.commit().await?)
}

fn item(name: String) -> Item {
    Item { name, columns: Vec::new(), branch: None, rows: 0, parts: 0, bytes: 0, sha256: String::new() }
}

async fn write_table<W: Write>(tx: &mut Tx, table: &str, writer: &mut Writer<W>) -> Result<()> {
    let columns = dump::columns(tx, table).await?;
    writer.begin(Item { columns: columns.clone(), ..item(format!("tables/{table}")) });
    let (mut part, mut rows) = (String::new(), 0);
    let mut lines = std::pin::pin!(dump::lines(tx, table, &columns));
    while let Some(line) = lines.try_next().await? {
        part.push_str(&line);
        part.push('\n');
        rows += 1;
        if part.len() >= PART {
            writer.part(part.as_bytes(), std::mem::take(&mut rows))?;
            part.clear();
        }
    }
    if rows > 0 {
        writer.part(part.as_bytes(), rows)?;
    }
    Ok(())
}
