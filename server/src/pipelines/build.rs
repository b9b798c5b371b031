//! The image: from the Dockerfile in the service's folder, with the commit's files as its context.

use std::{io::Read as _, path::PathBuf, time::Duration};

use app::{
    model::{BaseImage, RunState, StepId},
    said,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Context, bake, context, disk,
    dockerfile::{self, Triggers},
    file::{Pipeline, types::Builder},
    log::{Log, telling},
    secrets,
    step::StepEnd,
    vouch::{self, Baked, Built, VouchError},
};
use crate::{
    clock, git,
    platform::{Build, PlatformError},
    store::{StoreError, runs::RunRow},
};

/// The largest Dockerfile that is read, in bytes.
pub const LARGEST_DOCKERFILE: usize = 1 << 20;

/// Builds the image of a run. Its end is written by the caller.
///
/// # Errors
/// Those of the store.
pub async fn carry_out(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    step: &StepId,
    (notes, until): (&[String], Instant),
    cancel: &CancellationToken,
) -> Result<(StepEnd, Option<Baked>), StoreError> {
    let mut log = Log::open(ctx, &run.team_id, step, run.fence);
    log.mask(secrets::all_hidden(ctx, run, &pipeline.args).await?);
    for note in notes {
        log.note(note).await?;
    }
    log.command(&format!("build {}", pipeline.made_from())).await?;
    let context = ctx.config.scratch().join(format!("{}-context.tar", run.id));
    let built = match files(ctx, run, pipeline, &context, cancel).await {
        Ok(Ok(())) => {
            let mut build = order(ctx, run, pipeline, context.clone(), until);
            let began = clock::now();
            let built = match its_bases(ctx, &mut build).await {
                Ok(bases) => {
                    if build.buildkit {
                        log.note(&of_buildkit(ctx).await).await?;
                    }
                    let (sink, output) = mpsc::channel(64);
                    let (built, pumped) = tokio::join!(ctx.platform.build(&build, sink, cancel.clone()), log.pump(output));
                    pumped?;
                    built.map(|image| Built { run, pipeline, image, bases, began })
                }
                Err(error) => Err(error),
            };
            match built {
                Ok(built) => vouched(ctx, built).await?.map_err(|error| judge(&error, &log, pipeline)),
                Err(error) => Err(judge(&error, &log, pipeline)),
            }
        }
        Ok(Err(error)) => Err(judge(&error, &log, pipeline)),
        Err(error) => Err(StepEnd { state: RunState::Errored, exit_code: None, failure: Some(error.to_string()), tries: 1 }),
    };
    // What is left over goes with the scratch folder at the next start.
    let _ = tokio::fs::remove_file(&context).await;
    let (end, image) = match built {
        Ok(image) => {
            log.note(&format!("The image is {} ({} MiB).", short(&image.id), image.size >> 20)).await?;
            log.note(&image.says()).await?;
            (StepEnd { state: RunState::Passed, exit_code: None, failure: None, tries: 1 }, Some(image))
        }
        Err(end) => {
            if end.state != RunState::Cancelled {
                log.exit(end.failure.as_deref().unwrap_or_default());
            }
            (end, None)
        }
    };
    log.close().await?;
    Ok((end, image))
}

/// What is said before BuildKit builds: how much less holds for it. The wall stands before its commands begin.
async fn of_buildkit(ctx: &Context) -> String {
    match (ctx.wall)().await {
        Ok(()) => said::buildkit_builds(),
        Err(why) => format!("{} {}", said::buildkit_builds(), said::buildkit_no_wall(why)),
    }
}

/// What is said of the image that was built; an engine that goes away meanwhile is as one that goes away in the build.
async fn vouched(ctx: &Context, built: Built<'_>) -> Result<Result<Baked, PlatformError>, StoreError> {
    match vouch::gather(ctx, built).await {
        Ok(baked) => Ok(Ok(baked)),
        Err(VouchError::Store(error)) => Err(error),
        Err(VouchError::Engine(error)) => Ok(Err(error)),
        Err(VouchError::Key(error)) => Ok(Err(PlatformError::Refused(error.to_string()))),
    }
}

/// The image's id as people compare it.
pub fn short(id: &str) -> &str {
    let digest = id.strip_prefix("sha256:").unwrap_or(id);
    digest.get(..12).unwrap_or(digest)
}

/// The files the image is built from: those of the commit, or of a recipe what the stages left.
async fn files(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    to: &std::path::Path,
    cancel: &CancellationToken,
) -> git::Result<Result<(), PlatformError>> {
    tokio::fs::create_dir_all(ctx.config.scratch()).await.map_err(git::GitError::Unwritable)?;
    let (repository, folder) = (ctx.repository(&run.repository_id), pipeline.context().0);
    match &pipeline.recipe {
        Some(recipe) => {
            let made = disk::written(ctx, run, to, cancel, || bake::context(ctx, run, recipe, to)).await;
            Ok(made.unwrap_or(Err(PlatformError::Cancelled)))
        }
        None => {
            let made = disk::written(ctx, run, to, cancel, || git::archive(&repository, &run.commit, folder, to)).await;
            made.map_or(Ok(Err(PlatformError::Cancelled)), |made| made.map(Ok))
        }
    }
}

/// Holds that everything the build starts from is there for its team, and says what that is. In the Dockerfile as the engine
/// gets it: what is in a commit may be changed on its way into the archive.
async fn its_bases(ctx: &Context, build: &mut Build) -> Result<Vec<BaseImage>, PlatformError> {
    let (archive, name) = (build.context.clone(), build.dockerfile.clone());
    let looked = move || Ok((context::refusal(&archive, context::Bounds::default())?, dockerfile_in(&archive, &name)?));
    let looked = tokio::task::spawn_blocking(looked).await.map_err(std::io::Error::other);
    let (refusal, text) = looked.flatten().map_err(|error: std::io::Error| refused(error.to_string()))?;
    if let Some(why) = refusal {
        return Err(refused(why));
    }
    let text = text.ok_or_else(|| refused(said::dockerfile_no_file()))?;
    let builder = if build.buildkit { Builder::Buildkit } else { Builder::Classic };
    if let Some(why) = dockerfile::refusal(&text, builder, &build.args) {
        return Err(refused(why));
    }
    let bases = bases(ctx, build, builder, &text).await?;
    build.bases.clone_from(&bases);
    if build.buildkit {
        build.text = dockerfile::unfolded(&text).map_err(refused)?;
    }
    Ok(bases)
}

/// The images a build starts from, with what their triggers name: each is there for its team.
async fn bases(ctx: &Context, build: &Build, builder: Builder, text: &str) -> Result<Vec<BaseImage>, PlatformError> {
    let (mut triggers, mut bases) = (Triggers::new(), Vec::new());
    loop {
        let names = dockerfile::images_of(text, &build.args, &triggers).map_err(refused)?;
        let Some(name) = names.into_iter().find(|name| !triggers.contains_key(name)) else { return Ok(bases) };
        let image = ctx.platform.image(&name, &build.team).await?;
        if let Some(why) = dockerfile::triggered(&image.triggers, builder) {
            return Err(refused(said::needed_by(&name, why)));
        }
        triggers.insert(name.clone(), image.triggers);
        bases.push(BaseImage { name, id: image.id });
    }
}

fn refused(why: String) -> PlatformError {
    PlatformError::BuildFailed(why)
}

/// The text of a file in an archive; none where there is no file of that name, but a link for instance.
fn dockerfile_in(archive: &std::path::Path, name: &str) -> std::io::Result<Option<String>> {
    let mut archive = tar::Archive::new(std::io::BufReader::new(std::fs::File::open(archive)?));
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.components().eq(std::path::Path::new(name.trim_start_matches("./")).components()) {
            let mut bytes = Vec::new();
            let file = entry.header().entry_type().is_file() && entry.size() <= LARGEST_DOCKERFILE as u64;
            entry.take(LARGEST_DOCKERFILE as u64).read_to_end(&mut bytes)?;
            return Ok(file.then(|| String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

fn order(ctx: &Context, run: &RunRow, pipeline: &Pipeline, context: PathBuf, until: Instant) -> Build {
    let labels = [
        ("org.opencontainers.image.revision", run.commit.clone()),
        ("org.opencontainers.image.title", run.service.to_string()),
        ("org.opencontainers.image.version", format!("run {}", run.number)),
    ];
    Build {
        run: run.id.clone(),
        team: run.team_id.clone(),
        service: run.service_id.clone(),
        context,
        dockerfile: if pipeline.recipe.is_some() { bake::DOCKERFILE.to_owned() } else { pipeline.context().1 },
        buildkit: pipeline.builder == Builder::Buildkit,
        text: None,
        target: pipeline.target.clone(),
        args: pipeline.args.clone(),
        bases: Vec::new(),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        limits: ctx.limits(),
        timeout: Duration::from_millis(pipeline.build_timeout_ms).min(until.saturating_duration_since(Instant::now())),
    }
}

fn judge(error: &PlatformError, log: &Log, pipeline: &Pipeline) -> StepEnd {
    let state = match error {
        PlatformError::BuildFailed(_) | PlatformError::ImageNotFound { .. } => RunState::Failed,
        PlatformError::TimedOut(_) => RunState::TimedOut,
        PlatformError::Cancelled => RunState::Cancelled,
        // Nobody knows how it ended: it is tried again.
        error if error.passing() => RunState::Lost,
        _ => RunState::Errored,
    };
    let failure = match error {
        PlatformError::BuildFailed(cause) => {
            let line = telling(&log.last_lines()).filter(|line| !cause.contains(line.as_str())).map(|line| format!(" ({line})"));
            said::not_built(pipeline.made_from(), format!("{cause}{}", line.unwrap_or_default()))
        }
        other => other.to_string(),
    };
    // What an engine says of a failure may quote what was printed.
    StepEnd { state, exit_code: None, failure: Some(log.masks().hide(failure)), tries: 1 }
}
