//! Who works on which run: claims under a lease, a bounded number at once, and the sweep of what nobody works on.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Context, runner};
use crate::{claim::Claim, clock, store::runs, telemetry::metrics, wake::Duty};

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
    loop {
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

/// Removes what runs that are not under way left on the engines.
pub async fn sweep(ctx: &Context) {
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
