//! Forgets what has run out: sessions, and files of runs.

use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    pipelines::artifacts as files,
    rollout::Context,
    store::{StoreError, artifacts, forge_statuses, sessions},
    telemetry::metrics,
};

/// Once an hour is often enough for rows nobody accepts any more.
const EVERY: Duration = Duration::from_secs(3_600);
/// What forges were told is shown for this long.
const TOLD: Duration = Duration::from_secs(30 * 86_400);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        let swept = swept(&ctx).await;
        metrics::passed("sweep", swept.is_ok());
        if let Err(error) = swept {
            tracing::warn!(%error, "what has run out could not be forgotten");
        }
        if timeout(EVERY, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn swept(ctx: &Context) -> Result<(), StoreError> {
    let mut tx = ctx.db.begin().await?;
    sessions::delete_expired(&mut tx, clock::now()).await?;
    forge_statuses::forget(&mut tx, clock::now().minus(TOLD)).await?;
    let forgotten = artifacts::forget(&mut tx, clock::now().minus(files::KEPT), files::KEPT_RUNS).await?;
    tx.commit().await?;
    files::remove(&ctx.config, &forgotten).await;
    files::remove_strays(&ctx.config, &ctx.db).await
}
