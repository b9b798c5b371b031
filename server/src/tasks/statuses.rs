//! Tells forges how commits fare. What is to be told was written with the run's change; here it is sent, tried again with longer
//! and longer pauses, and given up in the end. No run waits for it.

use std::time::Duration;

use app::{model::Timestamp, said};
use futures::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    forge::{self, Caller, Place, Refused, Status},
    git::Address,
    pipelines::intake::run_path,
    rollout::Context,
    store::{
        StoreError,
        forge_statuses::{self, Untold},
        mirrors,
    },
    telemetry::metrics,
    wake::{self, Duty},
};

/// How many are sent at once.
const AT_ONCE: u32 = 8;
/// The first pause after a failure; each further one is twice as long …
const AGAIN: Duration = Duration::from_secs(5);
/// … up to this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How often one is tried: for more than half a day.
const TRIES: u32 = 24;

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let caller = match Caller::new(ctx.config.mirror_private) {
        Ok(caller) => caller,
        Err(error) => return tracing::error!(%error, "forges cannot be told how commits fare"),
    };
    loop {
        let passed = pass(&ctx, &caller).await;
        metrics::passed("statuses", passed.is_ok());
        let rest = passed.unwrap_or_else(|error| {
            tracing::warn!(%error, "what forges are to be told cannot be read now");
            wake::rest(false)
        });
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(rest, ctx.wake.woken(Duty::Statuses)) => {}
        }
    }
}

/// Sends what is due. The answer: when to look again.
async fn pass(ctx: &Context, caller: &Caller) -> Result<Duration, StoreError> {
    // Most are woken for nothing: a look takes nobody's place in the store.
    while forge_statuses::next(&ctx.db).await?.is_some_and(|next| next <= clock::now()) {
        let untold = forge_statuses::take(&ctx.db, AT_ONCE).await?;
        if untold.is_empty() {
            break;
        }
        let told = join_all(untold.iter().map(|untold| one(ctx, caller, untold))).await;
        told.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    let lazy = clock::pace(wake::LAZY);
    let next = forge_statuses::next(&ctx.db).await?;
    Ok(next.map_or(lazy, |next| next.since(clock::now())).clamp(Duration::from_millis(100), lazy))
}

async fn one(ctx: &Context, caller: &Caller, untold: &Untold) -> Result<(), StoreError> {
    let refused = match tell(ctx, caller, untold).await {
        Ok(told) => told.err(),
        // Somebody may mend it; meanwhile it holds nobody up.
        Err(StoreError::Unreadable { column, .. }) => Some(NotTold { why: said::unreadable_mirror(column), again: again(untold.tries) }),
        Err(error) => return Err(error),
    };
    let mut tx = ctx.db.begin().await?;
    match &refused {
        None => forge_statuses::told(&mut tx, untold).await?,
        Some(NotTold { why, again }) => forge_statuses::not_told(&mut tx, untold, why, *again).await?,
    }
    tx.commit().await?;
    if let Some(NotTold { why, .. }) = refused {
        tracing::info!(repository = %untold.repository, commit = untold.commit, why, "the forge was not told how a commit fares");
    }
    Ok(())
}

/// Why a forge was not told, and when it is tried again; none: not by itself.
struct NotTold {
    why: String,
    again: Option<Timestamp>,
}

async fn tell(ctx: &Context, caller: &Caller, untold: &Untold) -> Result<Result<(), NotTold>, StoreError> {
    // Where it is no mirror any more, or wants to be told nothing, there is nobody to tell.
    let Some(mirror) = mirrors::of(&ctx.db, &untold.team_id, &untold.repository).await? else { return Ok(Ok(())) };
    let Some(address) = mirror.address.parse::<Address>().ok().filter(|_| mirror.statuses) else { return Ok(Ok(())) };
    let for_good = |why: String| Ok(Err(NotTold { why, again: None }));
    let Some(sealed) = &mirror.token else { return for_good(said::status_no_token()) };
    let plain = ctx.secrets.unseal_text(&mirror.team, mirror.repository.as_str(), "token", sealed);
    let Ok(token) = plain else { return for_good(said::mirror_sealed()) };
    let origin = mirror.forge_url.clone().unwrap_or_else(|| address.origin());
    let place = Place { forge: mirror.forge, origin: &origin, project: address.project(), token: &token };
    let url = format!("{}{}", ctx.config.url, run_path(untold.team.as_str(), untold.service.as_str(), untold.run));
    let status = Status {
        commit: &untold.commit,
        branch: untold.branch.as_deref(),
        service: untold.service.as_str(),
        run: untold.run,
        state: untold.state,
        url: &url,
    };
    let Some(call) = forge::call(&place, &status) else { return Ok(Ok(())) };
    Ok(caller.make(&call).await.map_err(|Refused(why)| NotTold { why, again: again(untold.tries) }))
}

/// When it is tried again after so many tries.
fn again(tries: u32) -> Option<Timestamp> {
    (tries + 1 < TRIES).then(|| clock::now().plus(wake::pause(AGAIN, tries, LONGEST)))
}
