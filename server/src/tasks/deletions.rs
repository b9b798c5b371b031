//! Takes down services that were asked to be deleted: off the edge, then their instances, images and repository, then their
//! rows. The rows go last: as long as they are there, whatever a crash left is found and taken down again.

use std::{path::Path, time::Duration};

use app::{
    error::{Error, Result},
    model::ServiceId,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    platform::Scope,
    rollout::Context,
    store::{backends, caches, candidates, files, services, targets},
    telemetry::metrics,
    wake::{self, Duty},
};

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    loop {
        let passed = pass(&ctx).await;
        let again = wake::rest(passed.is_ok());
        metrics::passed("deletions", passed.is_ok());
        if let Err(error) = passed {
            tracing::warn!(?error, "a deletion waits");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(again, ctx.wake.woken(Duty::Deletions)) => {}
        }
    }
}

async fn pass(ctx: &Context) -> Result<()> {
    let mut first = Ok(());
    for service in services::to_delete(&ctx.db).await? {
        // One that cannot go yet holds up no other.
        if let Err(error) = take_down(ctx, &service).await {
            tracing::warn!(%service, ?error, "it cannot be taken down yet");
            first = first.and(Err(error));
        }
    }
    first
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
    for run in files::of_service(&ctx.db, service).await? {
        engine(ctx.platform.clean_run(&run).await)?;
    }
    for cache in caches::of_service(&ctx.db, service).await? {
        engine(ctx.platform.remove_cache(&cache).await)?;
    }
    engine(ctx.platform.forget_builds(service).await)?;
    for image in candidates::images_of(&ctx.db, service).await? {
        engine(ctx.platform.remove_image(&image).await)?;
    }
    for repository in services::abandoned_repositories(&ctx.db, service).await? {
        remove_folder(&ctx.config.repository(repository)).await?;
    }
    remove_folder(&ctx.config.artifacts().join(service.as_str())).await?;
    let mut tx = ctx.db.begin().await?;
    services::purge(&mut tx, service).await?;
    tx.commit().await?;
    tracing::info!(%service, "deleted");
    Ok(())
}

async fn remove_folder(path: &Path) -> Result<()> {
    point!("deletions::before_folder");
    match tokio::fs::remove_dir_all(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let sentence = format!("The service's folder {} cannot be removed: {error}.", path.display());
            return Err(Error::unavailable("repository_kept", sentence));
        }
        _ => {}
    }
    point!("deletions::after_folder");
    Ok(())
}

fn engine<T>(result: Result<T, crate::platform::PlatformError>) -> Result<T> {
    result.map_err(|error| Error::unavailable("engine_unavailable", error.to_string()))
}
