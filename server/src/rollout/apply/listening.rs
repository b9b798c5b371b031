//! What a rollout says while it waits for an engine that keeps silent, whatever call it is in.

use app::said;
use tokio::sync::watch;

use super::super::Context;
use crate::{
    platform::silence,
    store::{
        StoreError,
        rollouts::{self, RolloutRow},
    },
};

/// Does the work of a rollout; meanwhile, an engine that keeps silent is what it says it waits for.
pub(super) async fn aloud<T>(ctx: &Context, row: &RolloutRow, work: impl Future<Output = T>) -> T {
    let (ears, heard) = watch::channel(None);
    tokio::select! {
        done = silence::heard(ears, work) => done,
        never = write_down(ctx, row, heard) => match never {},
    }
}

/// Writes what is heard in the place of what the rollout says it does, and takes it back once the engine answers.
async fn write_down(ctx: &Context, row: &RolloutRow, mut heard: watch::Receiver<Option<String>>) -> std::convert::Infallible {
    let mut waits: Option<Waits> = None;
    loop {
        if heard.changed().await.is_err() {
            return std::future::pending().await;
        }
        let silent = heard.borrow_and_update().clone().map(said::waiting_engine);
        match swap(ctx, row, waits.take(), silent).await {
            Ok(now) => waits = now,
            // Nobody reads it either, then.
            Err(error) => tracing::debug!(%error, "what is waited for could not be written down"),
        }
        ctx.wake.changed(Some(&row.team_id), format!("rollout:{}", row.id));
    }
}

/// What stands in the row because an engine is silent, and what stood there before.
struct Waits {
    says: String,
    before: Option<String>,
}

async fn swap(ctx: &Context, row: &RolloutRow, waits: Option<Waits>, silent: Option<String>) -> Result<Option<Waits>, StoreError> {
    let mut tx = ctx.db.begin().await?;
    let stands = rollouts::doing(&mut tx, &row.id).await?;
    // What the rollout itself has said since is its own.
    let before = match waits {
        Some(waits) if stands.as_deref() == Some(&waits.says) => waits.before,
        _ => stands.clone(),
    };
    let says = silent.clone().or_else(|| before.clone());
    if says != stands {
        rollouts::say(&mut tx, &row.id, row.fence, says.as_deref()).await?;
    }
    tx.commit().await?;
    Ok(silent.map(|says| Waits { says, before }))
}
