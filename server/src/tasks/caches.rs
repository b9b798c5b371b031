//! Keeps what steps left for the next runs within its room, and removes what was given up. First a row says so, then the engine
//! removes the files, however often that takes.

use std::{collections::BTreeMap, time::Duration};

use app::model::{CacheEnd, CacheId};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    pipelines::caches::{SHOWN, UNUSED, beyond},
    platform::PlatformError,
    rollout::Context,
    store::{StoreError, caches, leases},
    telemetry::metrics,
    wake::{self, Duty, LAZY},
};

/// What nobody woke this for: what went unused for long, what a crash left.
const EVERY: Duration = Duration::from_secs(3_600);
/// Steps end in bursts, and an engine walks through every file to measure a cache.
const SETTLE: Duration = Duration::from_secs(5);
/// What a container still holds is removed this soon after.
const USED: Duration = Duration::from_secs(10);
/// How long one Berth has this duty without renewing.
const DUTY: Duration = Duration::from_secs(300);
/// What can go wrong; the next pass does it.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] PlatformError),
}

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        let passed = pass(&ctx).await;
        metrics::passed("caches", passed.is_ok());
        let again = passed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the caches of steps could not be looked after");
            wake::rest(false)
        });
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(again, ctx.wake.woken(Duty::Caches)) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(clock::pace(SETTLE)) => {}
        }
    }
}

/// One look; says how long it may rest.
async fn pass(ctx: &Context) -> Result<Duration, CacheError> {
    if leases::hold(&ctx.db, "caches", &ctx.holder, DUTY).await?.is_none() {
        return Ok(LAZY);
    }
    let now = clock::now();
    let mut tx = ctx.db.begin().await?;
    caches::give_up_left(&mut tx).await?;
    caches::give_up_unused(&mut tx, now.minus(UNUSED)).await?;
    caches::forget(&mut tx, now.minus(SHOWN)).await?;
    tx.commit().await?;
    remove_strays(ctx).await?;
    let sizes = if caches::any_unmeasured(&ctx.db).await? { Some(ctx.platform.cache_sizes().await?) } else { None };
    make_room(ctx, sizes.as_ref()).await?;
    Ok(if remove(ctx).await? { clock::pace(EVERY) } else { clock::pace(USED) })
}

/// What no row tells of: it was left by a Berth whose store is not this one.
async fn remove_strays(ctx: &Context) -> Result<(), CacheError> {
    let volumes = ctx.platform.caches().await?;
    if volumes.is_empty() {
        return Ok(());
    }
    // Asked after the engine: a row is written before its volume is made.
    let rows = caches::there(&ctx.db).await?;
    for stray in volumes.difference(&rows) {
        match ctx.platform.remove_cache(stray).await {
            Ok(()) => tracing::info!(cache = %stray, "removed: nobody knows of it"),
            Err(error) if error.passing() => return Err(error.into()),
            Err(error) => tracing::debug!(cache = %stray, %error, "it is still used"),
        }
    }
    Ok(())
}

/// Writes down how large they are, if that was asked, and in the same transaction gives up what there is no room for: whoever looks
/// in between would see more than there may be.
async fn make_room(ctx: &Context, sizes: Option<&BTreeMap<CacheId, u64>>) -> Result<(), CacheError> {
    let budget = ctx.config.cache_budget;
    let mut tx = ctx.db.begin().await?;
    if let Some(sizes) = sizes {
        for id in caches::there(&mut tx).await? {
            // One that is not there any more takes no room.
            caches::measured(&mut tx, &id, sizes.get(&id).copied().unwrap_or(0)).await?;
        }
    }
    for service in caches::services_over(&mut tx, budget).await? {
        let going = beyond(&caches::kept(&mut tx, &service).await?, budget);
        for id in &going {
            caches::give_up(&mut tx, id, CacheEnd::OverBudget).await?;
        }
        tracing::info!(%service, caches = going.len(), "given up: they take more room than they may");
    }
    tx.commit().await?;
    Ok(())
}

/// Removes the files of what was given up. False: a container still holds some.
async fn remove(ctx: &Context) -> Result<bool, CacheError> {
    let mut all = true;
    for id in caches::going(&ctx.db).await? {
        match ctx.platform.remove_cache(&id).await {
            Ok(()) => {
                let mut tx = ctx.db.begin().await?;
                caches::removed(&mut tx, &id).await?;
                tx.commit().await?;
            }
            Err(error) if error.passing() => return Err(error.into()),
            Err(error) => {
                tracing::debug!(cache = %id, %error, "it is still used");
                all = false;
            }
        }
    }
    Ok(all)
}
