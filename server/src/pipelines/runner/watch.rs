//! Keeps the claim of a run while it is carried out, and stops the work when it must.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Context, Left};
use crate::{
    claim::Claim,
    store::runs::{self, RunRow},
    wake::Wake,
};

/// Cancelling is looked for this often; a wake-up makes it quicker.
const LOOK: Duration = Duration::from_secs(2);
/// How long the work may take to let go.
const LET_GO: Duration = Duration::from_secs(8);

/// Tells the work to stop, and why.
#[derive(Debug, Default)]
pub(super) struct Halt {
    token: CancellationToken,
    leaving: AtomicBool,
    left_something: AtomicBool,
    spoiled: AtomicBool,
}

impl Halt {
    /// For engine calls.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Whether to stop without an end of the run: somebody else carries it on.
    pub(super) fn leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Whether to stop at all.
    pub(super) fn cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Says that something of the run is still on the engine.
    pub(super) fn leave_something(&self) {
        self.left_something.store(true, Ordering::SeqCst);
    }

    /// Whether something of the run is still on the engine.
    pub(super) fn left_something(&self) -> bool {
        self.left_something.load(Ordering::SeqCst)
    }

    /// Says that one of those that were to come to one version did not pass.
    pub(super) fn spoil(&self) {
        self.spoiled.store(true, Ordering::SeqCst);
    }

    /// Whether there is no version any more for anything to become.
    pub(super) fn spoiled(&self) -> bool {
        self.spoiled.load(Ordering::SeqCst)
    }

    fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
        self.token.cancel();
    }
}

/// Does the work under the claim.
pub(super) async fn over(
    ctx: &Context,
    run: &RunRow,
    halt: &Halt,
    claim: Claim,
    stop: &CancellationToken,
    mut work: BoxFuture<'_, Result<(), Left>>,
) -> Result<(), Left> {
    tokio::select! {
        result = &mut work => return result,
        () = hold(ctx, run, halt, claim) => {}
        () = stop.cancelled() => {}
    }
    halt.leave();
    timeout(LET_GO, work).await.unwrap_or(Err(Left::Leaving))
}

/// Renews the claim and passes on a wish to cancel; ends when the claim is lost.
async fn hold(ctx: &Context, run: &RunRow, halt: &Halt, mut claim: Claim) {
    let mut changes = ctx.wake.listen();
    let topic = format!("run:{}", run.id);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = Wake::mentioned(&mut changes, &topic) => {}
        }
        let asked = Instant::now().into_std();
        let renews = asked >= claim.due();
        let standing = async {
            if renews { runs::renew(&ctx.db, &run.id, run.fence).await } else { runs::standing(&ctx.db, &run.id, run.fence).await }
        };
        match timeout_at(claim.ends().into(), standing).await {
            Ok(Ok(Some(cancel))) => {
                if renews {
                    claim.renewed(asked);
                }
                if cancel {
                    halt.token.cancel();
                }
            }
            // Ended, or somebody else's.
            Ok(Ok(None)) => return,
            Ok(Err(error)) => {
                tracing::warn!(run = %run.id, %error, "the claim could not be looked at");
                if renews {
                    claim.not_renewed(Instant::now().into_std());
                }
            }
            Err(_) => return tracing::warn!(run = %run.id, "stopped: its claim could not be renewed for too long"),
        }
    }
}
