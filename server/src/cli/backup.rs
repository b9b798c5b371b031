//! `berth backup` and `berth restore`: the whole Berth in one file, made while it serves, put back where nothing is yet.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use app::{error::Error, model::Timestamp};
use clap::Args;
use serde_json::json;

use super::{
    args::Configured,
    failure::{Done, Failure},
    output,
};
use crate::{
    backup::{self, Made},
    config::Config,
    secrets::RootKey,
    store::Db,
};

/// `berth backup`.
#[derive(Args)]
pub(super) struct Backup {
    /// The file to write; `-`: the standard output
    #[arg(required_unless_present = "to", conflicts_with = "to")]
    file: Option<PathBuf>,
    /// Write into this folder instead, under a name with the time
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// With --to: how many backups stay there; older ones are removed
    #[arg(long, requires = "to", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Put the key of the secrets in too, under a passphrase read from the standard input
    #[arg(long)]
    passphrase_stdin: bool,
    #[command(flatten)]
    configured: Configured,
}

/// `berth restore`.
#[derive(Args)]
pub(super) struct Restore {
    /// The backup; `-`: the standard input
    file: PathBuf,
    /// The `root.key` of the Berth that made it, where the key is not in the backup
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Read the passphrase of the key in the backup from the standard input
    #[arg(long)]
    passphrase_stdin: bool,
    #[command(flatten)]
    configured: Configured,
}

const BEGINS: &str = "berth-";
const ENDS: &str = ".backup";

fn is_std(path: &Path) -> bool {
    path == Path::new("-")
}

/// Makes a backup.
pub(super) async fn make(asked: Backup, json: bool) -> Done<ExitCode> {
    let config = asked.configured.clone().load()?;
    let passphrase = passphrase(asked.passphrase_stdin)?;
    let file = match (&asked.file, &asked.to) {
        (Some(file), _) => file.clone(),
        (None, Some(folder)) => folder.join(name(crate::clock::now())),
        (None, None) => return Err(Failure::new("Name the file to write, or a folder with --to.")),
    };
    let began = Instant::now();
    let db = Db::connect(&config.database, crate::store::Open::Change).await.map_err(Error::from)?;
    let made = write(&config, &db, passphrase.as_deref(), &file).await;
    let noted = match &made {
        Ok(made) => backup::note(&db, made).await,
        Err(_) => Ok(()),
    };
    db.close().await;
    let made = made?;
    noted?;
    if let (Some(folder), Some(keep)) = (&asked.to, asked.keep) {
        prune(folder, keep as usize)?;
    }
    tell(&config, &made, &file, began, json)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(config: &Config, made: &Made, file: &Path, began: Instant, json: bool) -> Done<()> {
    let (name, seconds) =
        (if is_std(file) { "the standard output".into() } else { file.display().to_string() }, began.elapsed().as_secs_f64());
    let Made { bytes, rows, tables, repositories, with_key, .. } = made;
    let sentence =
        format!("{rows} rows of {tables} tables and {repositories} repositories are in {name}: {bytes} bytes in {seconds:.1} s.");
    if json && !is_std(file) {
        let document = json!({ "file": name, "bytes": bytes, "seconds": seconds, "rows": rows, "tables": tables, "repositories": repositories, "with_key": with_key });
        return output::json(&document);
    }
    if is_std(file) {
        eprintln!("{sentence}");
    } else {
        output::line(&sentence);
    }
    if !with_key {
        let key = config.key_file();
        eprintln!("The key of the secrets is not in it. Keep {} too, in another place: without it they cannot be read.", key.display());
    }
    Ok(())
}

async fn write(config: &Config, db: &Db, passphrase: Option<&str>, file: &Path) -> Done<Made> {
    if is_std(file) {
        return Ok(backup::make(config, db, passphrase, io::stdout().lock()).await?.1);
    }
    // In one step: a backup that is there is whole.
    let partial = PathBuf::from(format!("{}.partial", file.display()));
    let no = |error: io::Error| Failure::new(format!("{} cannot be written: {error}.", file.display()));
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial).map_err(no)?;
    let made = backup::make(config, db, passphrase, io::BufWriter::new(out)).await;
    if made.is_err() {
        let _ = fs::remove_file(&partial);
    }
    let (mut out, made) = made?;
    out.flush().and_then(|()| out.get_ref().sync_all()).and_then(|()| fs::rename(&partial, file)).map_err(no)?;
    Ok(made)
}

/// `berth-2026-01-31T12-00-00.000Z.backup`: sorts by time.
fn name(at: Timestamp) -> String {
    format!("{BEGINS}{}{ENDS}", at.to_string().replace(':', "-"))
}

/// Removes all but the newest backups of a folder; nothing else in it is touched.
fn prune(folder: &Path, keep: usize) -> Done<()> {
    let no = |error: io::Error| Failure::new(format!("Older backups in {} cannot be removed: {error}.", folder.display()));
    let mut there: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(no)? {
        let entry = entry.map_err(no)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(BEGINS) && name.ends_with(ENDS) {
            there.push(entry.path());
        }
    }
    there.sort();
    for old in &there[..there.len().saturating_sub(keep)] {
        fs::remove_file(old).map_err(no)?;
    }
    Ok(())
}

fn passphrase(piped: bool) -> Done<Option<String>> {
    if piped { output::ask_secret("Passphrase: ", true).map(Some) } else { Ok(None) }
}

/// Puts a backup back.
pub(super) async fn restore(asked: Restore, json: bool) -> Done<ExitCode> {
    if is_std(&asked.file) && asked.passphrase_stdin {
        return Err(Failure::new("The standard input cannot be both the backup and the passphrase. Name the backup's file."));
    }
    let config = asked.configured.clone().load()?;
    let key = asked.key.as_deref().map(RootKey::read).transpose().map_err(Error::from)?;
    let passphrase = passphrase(asked.passphrase_stdin)?;
    let began = Instant::now();
    let from: Box<dyn io::Read> = if is_std(&asked.file) {
        Box::new(io::stdin().lock())
    } else {
        let no = |error| Failure::new(format!("{} cannot be read: {error}.", asked.file.display()));
        Box::new(io::BufReader::new(File::open(&asked.file).map_err(no)?))
    };
    let done = backup::restore(&config, from, key, passphrase.as_deref()).await?;
    let seconds = began.elapsed().as_secs_f64();
    if json {
        let document = json!({
            "berth": done.berth, "at": done.at.to_string(), "rows": done.rows, "repositories": done.repositories, "secrets": done.secrets, "seconds": seconds
        });
        output::json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!(
        "{} rows, {} repositories and {} sealed sets of variables of {} are in {}, in {seconds:.1} s.",
        done.rows,
        done.repositories,
        done.secrets,
        done.at,
        config.data.display()
    ));
    eprintln!(
        "Start `berth serve` here, and never the old one beside it. Images are not in a backup: where the engine is another one, run the \
         newest commits again (`berth runs retry`), and what they make is deployed."
    );
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..5).map(|n| name(Timestamp(1_700_000_000_000 + n * 86_400_000))).collect();
        assert!(names.is_sorted() && names[0].ends_with("Z.backup"), "{names:?}");
        for file in names.iter().map(String::as_str).chain(["other.backup", "berth-notes.txt"]) {
            fs::write(folder.path().join(file), b"").unwrap();
        }
        prune(folder.path(), 2).unwrap();
        let mut left: Vec<String> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        left.sort();
        assert_eq!(left, [names[3].as_str(), names[4].as_str(), "berth-notes.txt", "other.backup"]);
    }
}
