//! Claims rollouts and carries them out, a bounded number at once.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    claim::{Claim, Hands},
    clock,
    rollout::{Context, apply},
    store::{Db, leases, rollouts},
    telemetry::metrics,
    wake::{self, Duty},
};

/// How many rollouts one Berth carries out at once.
const AT_ONCE: usize = 16;

/// Runs until stopped. What is under way then is left for the next start.
pub async fn run(ctx: Context, stop: CancellationToken) {
    if let Err(error) = rollouts::release_held_by(&ctx.db, &ctx.holder).await {
        tracing::warn!(%error, "the rollouts of the life before could not be taken up at once");
    }
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    let (mut moves, hands) = (clock::Moves::new(), Hands::default());
    loop {
        while under_way.try_join_next().is_some() {}
        let answered = claim_all(&ctx, &room, (&mut moves, &hands), &mut under_way, &stop).await;
        tokio::select! {
            () = stop.cancelled() => break,
            _ = timeout(wake::rest(answered), ctx.wake.woken(Duty::Rollouts)) => {}
            Some(_) = under_way.join_next() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Claims what there is room for. False: the store did not answer.
async fn claim_all(
    ctx: &Context,
    room: &Arc<Semaphore>,
    (moves, hands): (&mut clock::Moves, &Hands),
    under_way: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> bool {
    while let Ok(place) = room.clone().try_acquire_owned() {
        let asked = Instant::now();
        let (now, moved) = moves.look();
        let renewed = if moved { leases::renew_all(&ctx.db, &ctx.holder, now).await } else { Ok(()) };
        let claimed = match renewed {
            Ok(()) => rollouts::claim(&ctx.db, &ctx.holder, now, hands).await,
            Err(error) => Err(error),
        };
        match claimed {
            Ok(Some(row)) => {
                let span = tracing::info_span!("rollout", rollout = %row.id, target = %row.target_id, release = %row.release_id);
                span.in_scope(|| tracing::info!(fence = row.fence, "taken up"));
                if row.fence == 1 {
                    metrics::rollout_begun(clock::now().since(row.created_at));
                }
                let (ctx, stop) = (ctx.clone(), stop.child_token());
                let in_hand = hands.take(row.id.as_str());
                let work = async move {
                    let (_place, _in_hand) = (place, in_hand);
                    let (id, fence) = (row.id.clone(), row.fence);
                    let held = hold(ctx.db.clone(), id, fence, Claim::new(asked.into_std()));
                    tokio::select! {
                        () = apply::carry_out(ctx, row, stop) => {}
                        () = held => {}
                    }
                };
                under_way.spawn(work.instrument(span));
            }
            Ok(None) => {
                metrics::passed("rollouts", true);
                return true;
            }
            Err(error) => {
                metrics::passed("rollouts", false);
                tracing::warn!(%error, "rollouts cannot be claimed now");
                return false;
            }
        }
    }
    true
}

/// Renews a claim; ends when it is lost, so that two never carry out the same rollout.
async fn hold(db: Db, id: app::model::RolloutId, fence: i64, mut claim: Claim) {
    loop {
        sleep_until(claim.due().min(claim.ends()).into()).await;
        let asked = Instant::now();
        match timeout_at(claim.ends().into(), rollouts::renew(&db, &id, fence)).await {
            Ok(Ok(true)) => claim.renewed(asked.into_std()),
            // Ended, or somebody else's: either way this one is over.
            Ok(Ok(false)) => return,
            Ok(Err(error)) => {
                tracing::warn!(rollout = %id, %error, "the claim could not be renewed");
                claim.not_renewed(Instant::now().into_std());
            }
            Err(_) => return tracing::warn!(rollout = %id, "stopped: its claim could not be renewed for too long"),
        }
    }
}
