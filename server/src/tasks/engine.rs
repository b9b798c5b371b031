//! Listens to the engine's own events, so that nothing has to ask it again and again.

use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::{rollout::Context, wake::Duty};

/// How long to wait before listening again after the engine went silent.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = listen(&ctx) => {}
        }
        // Whatever happened meanwhile is found by looking.
        ctx.wake.engine_moved();
        ctx.wake.duty(Duty::Keep);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn listen(ctx: &Context) {
    match ctx.platform.events().await {
        Ok(mut events) => {
            while events.next().await.is_some() {
                ctx.wake.engine_moved();
                ctx.wake.duty(Duty::Keep);
            }
        }
        Err(error) => tracing::debug!(%error, "the engine cannot be listened to now"),
    }
}
