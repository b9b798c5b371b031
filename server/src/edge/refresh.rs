//! The table kept up to date: read from the store when something changed, swapped in, kept on disk for a start without the
//! store.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::Arc,
    time::Duration,
};

use app::{
    error::{Error, Result},
    model::TargetId,
};
use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use super::{
    Shared, listen,
    table::{self, Table},
};
use crate::{
    store::{Db, backends, routes},
    telemetry::metrics,
    wake::{Routes, Wake},
};

/// How long the store may take.
const STORE: Duration = Duration::from_secs(10);
/// How often to look without being woken, where somebody else may have changed something.
const LAZY: Duration = Duration::from_secs(60);
/// The same where only this Berth writes: every change of its own wakes the edge, so that this only finds what went wrong.
const LAZIER: Duration = Duration::from_secs(600);
/// How soon to look again after the store could not be read.
const AGAIN: Duration = Duration::from_secs(1);

/// How soon after a write of the table to disk it may be written again: a hundred changes in a row are a few writes.
const WRITES: Duration = Duration::from_millis(200);
/// With more targets changed at once than this, everything is read: that is cheaper.
const FEW: usize = 64;

/// Routes, and the instances they lead to.
pub type Rows = (Vec<routes::EdgeRoute>, Vec<backends::BackendRow>);

/// Where the table comes from: the store. Tests have their own.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Every route and every instance.
    ///
    /// # Errors
    /// Where they cannot be read now.
    async fn read(&self) -> Result<Rows>;

    /// The routes and instances of a target; none where only everything can be read.
    ///
    /// # Errors
    /// Where they cannot be read now.
    async fn read_target(&self, _target: &TargetId) -> Result<Option<Rows>> {
        Ok(None)
    }

    /// How long may pass until it is read again without being woken.
    fn rest(&self) -> Duration {
        LAZY
    }
}

#[async_trait]
impl Source for Db {
    async fn read(&self) -> Result<Rows> {
        // Instances first: one that is removed while the routes are read is at worst in this table, never the other way round.
        let backends = backends::all(self).await?;
        Ok((routes::all_for_edge(self).await?, backends))
    }

    async fn read_target(&self, target: &TargetId) -> Result<Option<Rows>> {
        let backends = backends::of_target(self, target).await?;
        Ok(Some((routes::of_target_for_edge(self, target).await?, backends)))
    }

    fn rest(&self) -> Duration {
        if self.is_shared() { LAZY } else { LAZIER }
    }
}

/// What the source says, unless it takes too long.
async fn in_time<T>(read: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || Error::unavailable("store_unavailable", "The database does not answer. Try again in a moment.");
    timeout(STORE, read).await.map_err(|_| late())?
}

/// The table as the store has it now.
pub(super) async fn read(source: &dyn Source) -> Result<Table> {
    let (routes, backends) = in_time(source.read()).await?;
    Ok(table::build(&routes, &backends))
}

/// Reads what moved and serves by it.
async fn follow(shared: &Shared, source: &dyn Source, moved: Routes) -> Result<()> {
    if let Routes::Of(targets) = moved
        && targets.len() <= FEW
        && let Some(changed) = in_time(read_targets(source, targets)).await?
        && shared.change(&changed)
    {
        return Ok(());
    }
    let table = read(source).await?;
    if shared.serving.load().table != table {
        shared.swap(table);
    }
    Ok(())
}

async fn read_targets(source: &dyn Source, targets: BTreeSet<TargetId>) -> Result<Option<Vec<(TargetId, Rows)>>> {
    let mut changed = Vec::with_capacity(targets.len());
    for target in targets {
        let Some(rows) = source.read_target(&target).await? else { return Ok(None) };
        changed.push((target, rows));
    }
    Ok(Some(changed))
}

/// Keeps the table up to date until the edge stops.
pub(super) async fn run(shared: Arc<Shared>, source: Arc<dyn Source>, wake: Wake, mut stop: listen::Stop) {
    let (mut failing, mut moved) = (false, Routes::All);
    loop {
        let followed = follow(&shared, &*source, moved).await;
        metrics::passed("edge", followed.is_ok());
        let pause = match followed {
            Ok(()) => {
                if failing {
                    tracing::info!("the edge reads the store again");
                }
                failing = false;
                source.rest()
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(?error, "the edge cannot read the store and serves its last table");
                }
                failing = true;
                AGAIN
            }
        };
        moved = tokio::select! {
            moved = wake.routes() => if failing { Routes::All } else { moved },
            () = sleep(pause) => Routes::All,
            _ = stop.wait_for(Option::is_some) => return,
        };
    }
}

/// Keeps what is served on disk, beside the serving: a slow disk delays no change. Ends when the edge stops, after a last write
/// where one is due. `kept`: what is served at first is what is on disk.
pub(super) async fn keep(shared: Arc<Shared>, mut stop: listen::Stop, kept: bool) {
    let mut generation = shared.generation.subscribe();
    if !kept {
        generation.mark_changed();
    }
    let mut failing = false;
    loop {
        let ends = tokio::select! {
            changed = generation.changed() => changed.is_err(),
            _ = stop.wait_for(Option::is_some) => true,
        };
        if ends && !generation.has_changed().unwrap_or(false) {
            return;
        }
        generation.mark_unchanged();
        let written = write(&shared).await;
        if let Err(error) = &written {
            generation.mark_changed();
            if !failing {
                tracing::warn!(%error, file = %shared.table_file.display(), "the edge cannot keep its table on disk");
            }
        }
        failing = written.is_err();
        if ends {
            return;
        }
        tokio::select! {
            () = sleep(if failing { AGAIN } else { WRITES }) => {}
            _ = stop.wait_for(Option::is_some) => {}
        }
    }
}

/// Writes the table to disk; a disk that does not take it is no reason to stop serving.
async fn write(shared: &Shared) -> std::io::Result<()> {
    let (file, serving) = (shared.table_file.clone(), shared.serving.load_full());
    tokio::task::spawn_blocking(move || save(&file, &serving.table)).await.map_err(std::io::Error::other).flatten()
}

/// Writes the table beside the file, makes it last, and puts it in the file's place in one step.
fn save(file: &Path, table: &Table) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    let mut written = File::create(&beside)?;
    written.write_all(&serde_json::to_vec(table)?)?;
    written.sync_all()?;
    point!("edge::before_table_rename");
    fs::rename(&beside, file)?;
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// The last good table; none where there is none, or it does not read.
pub(super) fn load(file: &Path) -> Option<Table> {
    // Of a write that was cut short.
    let _ = fs::remove_file(file.with_extension("new"));
    let bytes = fs::read(file).ok()?;
    let table: Table = serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::warn!(%error, file = %file.display(), "the edge's last table does not read"))
        .ok()?;
    // A place that is not there would be a fault of whoever changed the file by hand.
    let whole = table.hosts.values().flat_map(|paths| paths.iter()).all(|prefix| prefix.target < table.targets.len());
    whole.then_some(table)
}
