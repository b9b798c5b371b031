//! Takes down services that were asked to be deleted: off the edge, then their instances, then their repository and rows.

use std::time::Duration;

use app::{error::Result, model::ServiceId};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    platform::Scope,
    rollout::Context,
    store::{backends, services, targets},
    tasks::LAZY,
    telemetry::metrics,
    wake::Duty,
};

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        let passed = pass(&ctx).await;
        metrics::passed("deletions", passed.is_ok());
        if let Err(error) = passed {
            tracing::warn!(?error, "a deletion waits");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(LAZY, ctx.wake.woken(Duty::Deletions)) => {}
        }
    }
}

async fn pass(ctx: &Context) -> Result<()> {
    for service in services::to_delete(&ctx.db).await? {
        take_down(ctx, &service).await?;
    }
    Ok(())
}

async fn take_down(ctx: &Context, service: &ServiceId) -> Result<()> {
    let targets = targets::of_service(&ctx.db, service).await?;
    let mut tx = ctx.db.begin().await?;
    services::withdraw(&mut tx, service).await?;
    for target in &targets {
        backends::remove_target(&mut tx, &target.id).await?;
    }
    tx.commit().await?;
    ctx.wake.duty(Duty::Edge);
    ctx.wake.duty(Duty::Rollouts);
    for target in &targets {
        for observed in engine(ctx.platform.observe(&Scope::Target(target.id.clone())).await)? {
            engine(ctx.platform.remove(&observed.id, Duration::from_secs(10)).await)?;
        }
    }
    let mut tx = ctx.db.begin().await?;
    let repository = services::purge(&mut tx, service).await?;
    tx.commit().await?;
    if let Some(repository) = repository {
        let path = ctx.config.repositories().join(format!("{repository}.git"));
        if let Err(error) = tokio::fs::remove_dir_all(&path).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a repository's folder could not be removed");
        }
    }
    tracing::info!(%service, "deleted");
    Ok(())
}

fn engine<T>(result: Result<T, crate::platform::PlatformError>) -> Result<T> {
    result.map_err(|error| app::error::Error::unavailable("engine_unavailable", error.to_string()))
}
