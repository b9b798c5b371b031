//! The files of a step that are kept with its run: each in a file of its own under the data folder, named by its id and never
//! by what a step called it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use app::{model::ServiceId, said};
use sha2::{Digest as _, Sha256};

use super::{
    Context,
    collect::{self, Bounds, Looked},
    log::Log,
    step::Job,
};
use crate::{
    clock,
    config::Config,
    git,
    store::{
        Db, StoreError,
        artifacts::{self, NewArtifact},
    },
};

/// How many files of a run are kept.
const FILES: usize = 1_000;
/// How large each may be.
const LARGEST: u64 = 256 << 20;
/// How large all of a run may be.
const ALL: u64 = 512 << 20;

/// Where the file of an artifact is.
pub fn place(config: &Config, service: &ServiceId, id: &str) -> PathBuf {
    config.artifacts().join(service.as_str()).join(id)
}

/// Keeps the files that fit the step's globs.
pub(super) async fn keep(ctx: &Context, job: &Job<'_>, log: &mut Log) -> Result<Vec<NewArtifact>, StoreError> {
    let (files, bytes) = artifacts::so_far(&ctx.db, &job.run.id).await?;
    let bounds = Bounds { files: FILES.saturating_sub(files), each: LARGEST, all: ALL.saturating_sub(bytes) };
    let folder = ctx.config.artifacts().join(job.run.service_id.as_str());
    let ready = async {
        tokio::fs::create_dir_all(&folder).await.map_err(git::GitError::Unwritable)?;
        git::has_room(&folder).await
    };
    if let Err(error) = ready.await {
        log.note(&said::files_not_kept(error)).await?;
        return Ok(Vec::new());
    }
    let into = folder.clone();
    let take = move |path: &str, file: &mut dyn io::Read| kept(&into, path, file);
    let Looked { taken, notes } = collect::files(ctx, &job.workspace(), job.folder, &job.step.artifacts, bounds, take).await;
    for note in &notes {
        log.note(note).await?;
    }
    let size: u64 = taken.iter().map(|file| file.size).sum();
    match (taken.len(), notes.is_empty()) {
        (0, true) => log.note(&said::files_none(job.step.artifacts.join(", "))).await?,
        (0, false) => {}
        (count, _) => log.note(&said::files_kept(count, size.div_ceil(1 << 10))).await?,
    }
    Ok(taken)
}

/// Writes one file. What a crash leaves of it, or what nobody writes down, the next sweep finds.
fn kept(folder: &std::path::Path, path: &str, file: &mut dyn io::Read) -> io::Result<NewArtifact> {
    let id = clock::new_id();
    let mut out = File::create(folder.join(&id))?;
    let mut digest = Sha256::new();
    let (mut buffer, mut size) = (vec![0; 64 << 10], 0);
    let written = loop {
        match file.read(&mut buffer) {
            Ok(0) => break out.sync_all(),
            Ok(length) => {
                digest.update(&buffer[..length]);
                size += length as u64;
                if let Err(error) = out.write_all(&buffer[..length]) {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = written {
        let _ = fs::remove_file(folder.join(&id));
        return Err(error);
    }
    Ok(NewArtifact { id, path: path.to_owned(), size, sha256: hex::encode(digest.finalize()) })
}

/// How long files are kept …
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// … and those of a service's last so many runs in any case.
pub const KEPT_RUNS: u32 = 20;
/// A file that no row names is left alone for this long: its step may be about to end.
const STRAY: Duration = Duration::from_secs(24 * 3_600);

/// Removes files that are not named any more. One that cannot be removed is a stray of the next sweep.
pub async fn remove(config: &Config, files: &[(ServiceId, String)]) {
    for (service, id) in files {
        if let Err(error) = tokio::fs::remove_file(place(config, service, id)).await {
            tracing::debug!(%service, id, %error, "a file of a run could not be removed");
        }
    }
}

/// Removes files that no row names: of a step that was cut short, or left by a restored database.
///
/// # Errors
/// Those of the store.
pub async fn remove_strays(config: &Config, db: &Db) -> Result<(), StoreError> {
    let folder = config.artifacts();
    let names = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?))).collect::<Vec<_>>()
    };
    for (service, _) in names(folder.clone()) {
        let old = |meta: &fs::Metadata| meta.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > STRAY);
        let mut left: Vec<String> = names(folder.join(&service)).into_iter().filter(|(_, meta)| old(meta)).map(|(name, _)| name).collect();
        if left.is_empty() {
            continue;
        }
        let service = ServiceId::from_text(service);
        let known = artifacts::of_service(db, &service).await?;
        left.retain(|name| !known.contains(name));
        let strays: Vec<_> = left.into_iter().map(|name| (service.clone(), name)).collect();
        remove(config, &strays).await;
    }
    Ok(())
}
