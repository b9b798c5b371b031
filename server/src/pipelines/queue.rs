//! Who works on which run: claims under a lease, a bounded number at once, and the sweep of what nobody works on.

use std::time::{Duration, Instant};

use app::model::RunId;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Context, runner};
use crate::{
    claim::Claim,
    clock,
    platform::PlatformError,
    store::{StoreError, candidates, leases, runs},
    telemetry::metrics,
    wake::Duty,
};

/// Without a wake-up the queue is looked at this often: what a crash or another Berth left is found.
const LAZY: Duration = Duration::from_secs(60);

/// Runs until stopped. What is under way then is left for the next start.
pub async fn run(ctx: Context, stop: CancellationToken) {
    if let Err(error) = runs::release_held_by(&ctx.db, &ctx.holder).await {
        tracing::warn!(%error, "the runs of the life before could not be taken up at once");
    }
    let mut under_way = JoinSet::new();
    claim_all(&ctx, &mut under_way, &stop).await;
    sweep(&ctx).await;
    let mut moves = clock::Moves::new();
    loop {
        if moves.moved()
            && let Err(error) = leases::renew_all(&ctx.db, &ctx.holder).await
        {
            tracing::warn!(%error, "the clock was moved, and the claims could not be renewed");
        }
        claim_all(&ctx, &mut under_way, &stop).await;
        tokio::select! {
            () = stop.cancelled() => break,
            _ = timeout(LAZY, ctx.wake.woken(Duty::Runs)) => {}
            // What was left without an end may have nobody who takes it up: its service was deleted, for instance.
            Some(ended) = under_way.join_next() => if !matches!(ended, Ok(true)) && !stop.is_cancelled() { sweep(&ctx).await },
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn claim_all(ctx: &Context, under_way: &mut JoinSet<bool>, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let asked = Instant::now();
        match runs::claim(&ctx.db, &ctx.holder, ctx.config.runs).await {
            Ok(Some(run)) => {
                let span = tracing::info_span!("run", run = %run.id, team = %run.team, service = %run.service, number = run.number);
                span.in_scope(|| tracing::info!(fence = run.fence, "taken up"));
                if run.fence == 1 {
                    metrics::run_begun(clock::now().since(run.created_at));
                }
                under_way.spawn(runner::carry_out(ctx.clone(), run, Claim::new(asked), stop.child_token()).instrument(span));
            }
            Ok(None) => return metrics::passed("runs", true),
            Err(error) => {
                metrics::passed("runs", false);
                return tracing::warn!(%error, "runs cannot be claimed now");
            }
        }
    }
}

/// Removes what runs that are not under way left on the engines: containers, workspaces, networks, and images that became
/// no candidate.
pub async fn sweep(ctx: &Context) {
    sweep_leftovers(ctx).await;
    if let Err(error) = sweep_images(ctx).await {
        tracing::warn!(%error, "images of runs that made no candidate could not be removed");
    }
}

/// What can go wrong while images are looked for; the next sweep does it.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] PlatformError),
}

async fn sweep_images(ctx: &Context) -> Result<(), SweepError> {
    // In this order: a run that ends in between has its candidate by the time it is looked for.
    let built = ctx.platform.built_images().await?;
    let of: Vec<RunId> = built.iter().map(|(_, run)| run.clone()).collect();
    let gone = runs::not_under_way(&ctx.db, &of).await?;
    for (image, run) in built.into_iter().filter(|(_, run)| gone.contains(run)) {
        if !candidates::is_named(&ctx.db, &image).await? {
            ctx.platform.remove_image(&image).await?;
            tracing::info!(%run, image, "removed an image that became no candidate");
        }
    }
    Ok(())
}

async fn sweep_leftovers(ctx: &Context) {
    let left = match ctx.platform.runs_with_leftovers().await {
        Ok(left) => left,
        Err(error) => return tracing::warn!(%error, "leftovers of runs cannot be looked for now"),
    };
    let gone = match runs::not_under_way(&ctx.db, &left).await {
        Ok(gone) => gone,
        Err(error) => return tracing::warn!(%error, "leftovers of runs cannot be judged now"),
    };
    for run in gone {
        match ctx.platform.clean_run(&run).await {
            Ok(()) => tracing::info!(%run, "removed what it had left"),
            Err(error) => tracing::warn!(%run, %error, "its leftovers could not be removed"),
        }
    }
}
