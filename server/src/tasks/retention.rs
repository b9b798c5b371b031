//! Lets go of images that nobody needs any more. First the row says that a candidate's image is given up, under the locks
//! that releases are made under, so that nothing begins to need it; then the engine removes it, however often that takes.

use std::{collections::VecDeque, time::Duration};

use app::model::{ServiceId, Timestamp};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    candidates::retain::{POLICY, to_go},
    clock,
    platform::PlatformError,
    rollout::{Context, request},
    store::{
        StoreError,
        candidates::{self, Going},
        targets,
    },
    telemetry::metrics,
    wake,
};

/// Images are kept for weeks: once an hour is soon enough.
const EVERY: Duration = Duration::from_secs(3_600);
/// How many services are judged, and images removed, in one pass; however many there are, nobody else feels it.
const AT_ONCE: usize = 10;
/// The longest until the next pass in the middle of a round.
const LONGEST: Duration = Duration::from_secs(10);
/// How long until the next pass where there are more images to remove, or few services to judge.
const MORE: Duration = Duration::from_millis(200);

/// So much of what BuildKit keeps stays for the next builds: layers that images are made of are not counted.
const MOST_CACHED: u64 = 10 << 30;

/// What can go wrong; the next pass does it.
#[derive(Debug, thiserror::Error)]
enum RetentionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] PlatformError),
}

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut round = Round::default();
    loop {
        let passed = round.pass(&ctx, clock::now()).await;
        metrics::passed("retention", passed.is_ok());
        let rest = match passed {
            Ok(Left::Images) => clock::pace(MORE),
            Ok(Left::Services(of)) => clock::pace(between(of)),
            Ok(Left::Nothing) => clock::pace(EVERY),
            Err(error) => {
                tracing::warn!(%error, "images that nobody needs could not be removed");
                wake::rest(false)
            }
        };
        if timeout(rest, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// How long until the next services are judged, of so many in all: a round is spread over the time there is, so that it costs
/// the same however many there are.
fn between(services: usize) -> Duration {
    let parts = u32::try_from(services.div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
    (EVERY / parts.max(1)).min(LONGEST).max(MORE)
}

/// What a round has still to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Images to remove, and maybe more.
    Images,
    /// Services to judge; in this round there were so many.
    Services(usize),
    /// It is over.
    Nothing,
}

/// A look at all there is, a part at a time.
#[derive(Default)]
struct Round {
    /// The services still to be judged; none: it has not begun.
    services: Option<VecDeque<ServiceId>>,
    /// How many there were at its beginning.
    of: usize,
    /// The last candidate whose image was looked at.
    last: Option<Going>,
}

impl Round {
    /// A part of it.
    async fn pass(&mut self, ctx: &Context, now: Timestamp) -> Result<Left, RetentionError> {
        let services = match &mut self.services {
            Some(services) => services,
            none => {
                let services = none.insert(candidates::services_with_old(&ctx.db, now.minus(POLICY.age)).await?.into());
                self.of = services.len();
                services
            }
        };
        for _ in 0..AT_ONCE {
            let Some(service) = services.front() else { break };
            match give_up(ctx, service, now).await {
                // What does not read of one service keeps its images, and no others.
                Err(error @ StoreError::Unreadable { .. }) => tracing::warn!(%service, %error, "its candidates cannot be judged"),
                given_up => given_up?,
            }
            services.pop_front();
        }
        let more = !services.is_empty();
        let going = candidates::going(&ctx.db, self.last.as_ref(), AT_ONCE).await?;
        let full = going.len() == AT_ONCE;
        for going in going {
            remove(ctx, &going).await?;
            self.last = Some(going);
        }
        let left = match (full, more) {
            (true, _) => Left::Images,
            (false, true) => Left::Services(self.of),
            (false, false) => Left::Nothing,
        };
        if left == Left::Nothing {
            *self = Self::default();
            if ctx.config.buildkit {
                let freed = ctx.platform.bound_build_cache(MOST_CACHED).await?;
                tracing::debug!(freed, "the cache of BuildKit is within its bound");
            }
        }
        Ok(left)
    }
}

async fn give_up(ctx: &Context, service: &ServiceId, now: Timestamp) -> Result<(), StoreError> {
    // Most services have nothing to let go of: nothing is locked for them.
    let there = candidates::there(&ctx.db, service).await?;
    let needed = candidates::needed(&ctx.db, service, POLICY.releases).await?;
    if to_go(&there, &needed, now, POLICY).is_empty() {
        return Ok(());
    }
    let mut tx = ctx.db.begin().await?;
    for target in targets::of_service(&mut tx, service).await? {
        tx.lock(&request::lock_of(&target.id)).await?;
    }
    // Judged again under the locks: a release may have been made in between.
    let there = candidates::there(&mut tx, service).await?;
    let mut needed = candidates::needed(&mut tx, service, POLICY.releases).await?;
    needed.append(&mut candidates::shared(&mut tx, service).await?);
    let going = to_go(&there, &needed, now, POLICY);
    for id in &going {
        candidates::give_up(&mut tx, id, now).await?;
    }
    tx.commit().await?;
    tracing::info!(%service, candidates = going.len(), "their images are given up");
    Ok(())
}

/// Removes the image of one that was given up. What a container still uses stays until the next round.
async fn remove(ctx: &Context, Going { id, team, image, .. }: &Going) -> Result<(), RetentionError> {
    ctx.platform.remove_image(image).await?;
    match ctx.platform.image(image, team).await {
        Err(PlatformError::ImageNotFound { .. }) => {
            let mut tx = ctx.db.begin().await?;
            candidates::removed(&mut tx, id, clock::now()).await?;
            tx.commit().await?;
            tracing::info!(candidate = %id, image, "its image is removed");
        }
        Ok(_) => tracing::debug!(candidate = %id, image, "its image is still used"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_its_time_and_no_longer() {
        for (services, rest) in [(1, LONGEST), (10, LONGEST), (3_600, LONGEST), (10_000, Duration::from_millis(3_600)), (1_000_000, MORE)] {
            assert_eq!(between(services), rest, "{services}");
        }
    }
}
