//! Forgets what has run out: sessions.

use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use crate::{clock, rollout::Context, store::sessions, telemetry::metrics};

/// Once an hour is often enough for rows nobody accepts any more.
const EVERY: Duration = Duration::from_secs(3_600);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        let swept = async {
            let mut tx = ctx.db.begin().await?;
            sessions::delete_expired(&mut tx, clock::now()).await?;
            tx.commit().await
        };
        let swept = swept.await;
        metrics::passed("sweep", swept.is_ok());
        if let Err(error) = swept {
            tracing::warn!(%error, "old sessions could not be forgotten");
        }
        if timeout(EVERY, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}
