//! Berth's own disk under a run: where it is full, the run says so and waits until there is room.

use std::{error::Error, path::Path, time::Duration};

use app::{error::is_disk_full, said};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Context, runner::note_wait};
use crate::store::runs::RunRow;

/// It is tried again this often.
const AGAIN: Duration = Duration::from_secs(2);

/// Writes a file that a run needs. Where there is no room for it, what there is of it is removed, and it is written again, until there
/// is. None: it is not waited for any longer.
pub(super) async fn written<T, E, F>(
    ctx: &Context,
    run: &RunRow,
    file: &Path,
    cancel: &CancellationToken,
    write: impl Fn() -> F,
) -> Option<Result<T, E>>
where
    E: Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut told = false;
    loop {
        let full = match write().await {
            Err(error) if is_disk_full(&error) => error.to_string(),
            done => {
                if told {
                    note_wait(ctx, run, None).await;
                }
                return Some(done);
            }
        };
        tracing::warn!(run = %run.id, full, "waiting for room on the disk");
        let _ = tokio::fs::remove_file(file).await;
        if !told {
            // Where the database had no room either, the next round says it.
            told = note_wait(ctx, run, Some(&said::waiting_disk())).await;
        }
        tokio::select! {
            () = sleep(AGAIN) => {}
            () = cancel.cancelled() => return None,
        }
    }
}
