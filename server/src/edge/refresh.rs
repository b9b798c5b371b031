//! The table kept up to date: read from the store when something changed, swapped in, kept on disk for a start without the
//! store.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::Arc,
    time::Duration,
};

use app::error::{Error, Result};
use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use super::{
    Shared, listen,
    table::{self, Table},
};
use crate::{
    store::{Db, backends, routes},
    telemetry::metrics,
    wake::{Duty, Wake},
};

/// How long the store may take.
const STORE: Duration = Duration::from_secs(10);
/// How often to look without being woken, where somebody else may have changed something.
const LAZY: Duration = Duration::from_secs(60);
/// The same where only this Berth writes: every change of its own wakes the edge, so that this only finds what went wrong.
const LAZIER: Duration = Duration::from_secs(600);
/// How soon to look again after the store could not be read.
const AGAIN: Duration = Duration::from_secs(1);

/// Where the table comes from: the store. Tests have their own.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Every route and every instance.
    ///
    /// # Errors
    /// Where they cannot be read now.
    async fn read(&self) -> Result<(Vec<routes::EdgeRoute>, Vec<backends::BackendRow>)>;

    /// How long may pass until it is read again without being woken.
    fn rest(&self) -> Duration {
        LAZY
    }
}

#[async_trait]
impl Source for Db {
    async fn read(&self) -> Result<(Vec<routes::EdgeRoute>, Vec<backends::BackendRow>)> {
        // Instances first: one that is removed while the routes are read is at worst in this table, never the other way round.
        let backends = backends::all(self).await?;
        Ok((routes::all_for_edge(self).await?, backends))
    }

    fn rest(&self) -> Duration {
        if self.is_shared() { LAZY } else { LAZIER }
    }
}

/// The table as the store has it now.
pub(super) async fn read(source: &dyn Source) -> Result<Table> {
    let late = || Error::unavailable("store_unavailable", "The database does not answer. Try again in a moment.");
    let (routes, backends) = timeout(STORE, source.read()).await.map_err(|_| late())??;
    Ok(table::build(&routes, &backends))
}

/// Keeps the table up to date until the edge stops. `kept`: what is served is what is on disk.
pub(super) async fn run(shared: Arc<Shared>, source: Arc<dyn Source>, wake: Wake, mut stop: listen::Stop, mut kept: bool) {
    let mut failing = false;
    loop {
        let read = read(&*source).await;
        metrics::passed("edge", read.is_ok());
        let pause = match read {
            Ok(table) => {
                if failing {
                    tracing::info!("the edge reads the store again");
                }
                failing = false;
                if shared.serving.load().table != table {
                    shared.swap(table);
                    kept = false;
                }
                if !kept {
                    kept = keep(&shared).await;
                }
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
        tokio::select! {
            () = wake.woken(Duty::Edge) => {}
            () = sleep(pause) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// Keeps the table on disk; a disk that does not take it is no reason to stop serving.
async fn keep(shared: &Shared) -> bool {
    let (file, serving) = (shared.table_file.clone(), shared.serving.load_full());
    let kept = tokio::task::spawn_blocking(move || save(&file, &serving.table)).await.map_err(std::io::Error::other).flatten();
    if let Err(error) = &kept {
        tracing::warn!(%error, file = %shared.table_file.display(), "the edge cannot keep its table on disk");
    }
    kept.is_ok()
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
    let whole = table.hosts.values().flatten().all(|prefix| prefix.target < table.targets.len());
    whole.then_some(table)
}
