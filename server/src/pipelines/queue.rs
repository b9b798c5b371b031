//! Who works on which run: claims under a lease, a bounded number at once, and the sweep of what nobody works on.

use std::time::{Duration, Instant};

use app::model::RunId;
use tokio::{
    task::JoinSet,
    time::{Instant as Moment, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Context, runner};
use crate::{
    claim::{Claim, Hands},
    clock,
    platform::PlatformError,
    store::{StoreError, bases, candidates, files, leases, runs},
    telemetry::metrics,
    wake::{self, Duty},
};

/// What could not be swept is swept again after this long: an engine may still make what it was asked for before a crash.
const SWEEP_AGAIN: Duration = Duration::from_secs(10);
/// Even where nothing seems to be left, an engine that answered late or came back may hold something.
const SWEEP_ANYWAY: Duration = Duration::from_secs(300);

/// Runs until stopped. What is under way then is left for the next start.
pub async fn run(ctx: Context, stop: CancellationToken) {
    if let Err(error) = runs::release_held_by(&ctx.db, &ctx.holder).await {
        tracing::warn!(%error, "the runs of the life before could not be taken up at once");
    }
    let mut under_way = JoinSet::new();
    let (mut moves, hands) = (clock::Moves::new(), Hands::default());
    claim_all(&ctx, (&mut moves, &hands), &mut under_way, &stop).await;
    let mut sweep_at = next_sweep(sweep(&ctx).await);
    loop {
        let answered = claim_all(&ctx, (&mut moves, &hands), &mut under_way, &stop).await;
        tokio::select! {
            () = stop.cancelled() => break,
            _ = timeout(wake::rest(answered), ctx.wake.woken(Duty::Runs)) => {}
            () = sleep_until(sweep_at) => sweep_at = next_sweep(sweep(&ctx).await),
            // What was left without an end may have nobody who takes it up: its service was deleted, for instance.
            Some(ended) = under_way.join_next() => if !matches!(ended, Ok(true)) && !stop.is_cancelled() {
                sweep_at = next_sweep(sweep(&ctx).await);
            },
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// When to sweep next, after a sweep that left nothing or did not.
fn next_sweep(swept: bool) -> Moment {
    Moment::now() + if swept { SWEEP_ANYWAY } else { SWEEP_AGAIN }
}

/// Claims what there is room for. False: the store did not answer.
async fn claim_all(
    ctx: &Context,
    (moves, hands): (&mut clock::Moves, &Hands),
    under_way: &mut JoinSet<bool>,
    stop: &CancellationToken,
) -> bool {
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let (now, moved) = moves.look();
        let renewed = if moved { leases::renew_all(&ctx.db, &ctx.holder, now).await } else { Ok(()) };
        let claimed = match renewed {
            Ok(()) => runs::claim(&ctx.db, &ctx.holder, ctx.config.runs, now, hands).await,
            Err(error) => Err(error),
        };
        match claimed {
            Ok(Some(run)) => {
                let span = tracing::info_span!("run", run = %run.id, team = %run.team, service = %run.service, number = run.number);
                span.in_scope(|| tracing::info!(fence = run.fence, "taken up"));
                if run.fence == 1 {
                    metrics::run_begun(clock::now().since(run.created_at));
                }
                let in_hand = hands.take(run.id.as_str());
                let work = runner::carry_out(ctx.clone(), run, Claim::new(asked), stop.child_token());
                let work = async move {
                    let _in_hand = in_hand;
                    work.await
                };
                under_way.spawn(work.instrument(span));
            }
            Ok(None) => {
                metrics::passed("runs", true);
                return true;
            }
            Err(error) => {
                metrics::passed("runs", false);
                tracing::warn!(%error, "runs cannot be claimed now");
                return false;
            }
        }
    }
    true
}

/// Removes what runs that are not under way left on the engines: containers, workspaces, networks, and images that became
/// no candidate. False: something is left.
pub async fn sweep(ctx: &Context) -> bool {
    if let Err(error) = forget_files(ctx).await {
        tracing::warn!(%error, "files of runs that failed could not be given up now");
    }
    let swept = sweep_leftovers(ctx).await;
    let images = sweep_images(ctx).await;
    if let Err(error) = &images {
        tracing::warn!(%error, "images of runs that made no candidate could not be removed");
    }
    swept && images.is_ok()
}

/// What can go wrong while images are looked for; the next sweep does it.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] PlatformError),
}

/// Gives up the files of runs that failed and that nobody may need any more; what is not kept is swept.
async fn forget_files(ctx: &Context) -> Result<(), StoreError> {
    let mut tx = ctx.db.begin().await?;
    let forgotten = files::forget(&mut tx, clock::now()).await?;
    tx.commit().await?;
    for run in forgotten {
        tracing::info!(%run, "its files are not kept any longer");
    }
    Ok(())
}

async fn sweep_images(ctx: &Context) -> Result<(), SweepError> {
    // In this order: a run that ends in between has its candidate by the time it is looked for.
    let built = ctx.platform.built_images().await?;
    let of: Vec<RunId> = built.iter().map(|(_, run)| run.clone()).collect();
    let gone = runs::not_under_way(&ctx.db, &of).await?;
    let ended: Vec<(String, RunId)> = built.into_iter().filter(|(_, run)| gone.contains(run)).collect();
    for (image, run) in &ended {
        if !candidates::is_named(&ctx.db, image).await? {
            ctx.platform.remove_image(image).await?;
            tracing::info!(%run, image, "removed an image that became no candidate");
        }
    }
    ctx.platform.drop_brought(&ended.into_iter().map(|(image, _)| image).collect()).await;
    Ok(())
}

async fn sweep_leftovers(ctx: &Context) -> bool {
    let gone = async {
        // In this order: of a run that ends in between it is known by then whether its files are kept.
        let mut left = ctx.platform.runs_with_leftovers().await?;
        // The network of a base image that is built just now is no leftover.
        let building = bases::under_way(&ctx.db).await?;
        left.retain(|run| !building.contains(run));
        let gone = runs::not_under_way(&ctx.db, &left).await?;
        Ok::<_, SweepError>((gone, files::kept(&ctx.db).await?))
    };
    let (gone, kept) = match gone.await {
        Ok(gone) => gone,
        Err(error) => {
            tracing::warn!(%error, "leftovers of runs cannot be looked for now");
            return false;
        }
    };
    let mut swept = true;
    for run in gone {
        let keeps = kept.contains(&run);
        let cleaned = if keeps { ctx.platform.settle_run(&run).await.map(drop) } else { ctx.platform.clean_run(&run).await };
        match cleaned {
            Ok(()) if keeps => {}
            Ok(()) => tracing::info!(%run, "removed what it had left"),
            Err(error) => {
                swept = false;
                tracing::warn!(%run, %error, "its leftovers could not be removed");
            }
        }
    }
    swept
}
