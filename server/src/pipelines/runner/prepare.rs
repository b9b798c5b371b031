//! Before anything starts: every image is there, and the workspace holds the commit's files.

use std::{collections::BTreeSet, time::Duration};

use app::{
    model::{RunId, RunState, StageKind, TeamId},
    said,
};
use tokio::time::sleep;

use super::{Context, Halt, Left, Outcome, cancelled};
use crate::{
    git,
    pipelines::{
        build, disk,
        dockerfile::{self, Triggers},
        file::{AFTER, Pipeline, PlannedStage},
        rerun,
    },
    platform::{Placing, PlatformError, Workspace},
    store::{
        files,
        runs::{RunRow, StageRow},
    },
};

/// Pauses between tries where the engine does not answer; about half a minute in all.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 16];

/// Prepares the stages still to do, and notes what is worth being said in the log. None: all is there.
pub(super) async fn prepare(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    to_do: &[StageRow],
    notes: &mut Vec<String>,
    halt: &Halt,
) -> Result<Option<Outcome>, Left> {
    let images = match images(ctx, run, pipeline, to_do).await {
        Ok(images) => images,
        Err(error) => return Ok(Some(Outcome::not(RunState::Errored, error.to_string()))),
    };
    for (image, user) in images {
        match find(ctx, run, &image, user.again(), halt).await {
            Ok(1) => {}
            Ok(tries) => notes.push(said::pulled_late(&image, tries)),
            Err(PlatformError::Cancelled) if !halt.leaving() => return Ok(Some(cancelled())),
            Err(error @ PlatformError::ImageNotFound { .. }) => {
                return Ok(Some(Outcome::not(RunState::Failed, user.misses(error))));
            }
            Err(error) => return Ok(Some(Outcome::not(RunState::Errored, user.misses(error)))),
        }
    }
    if let Some(outcome) = take_host(ctx, run, pipeline, to_do, halt).await? {
        return Ok(Some(outcome));
    }
    if let Some(from) = &run.goes_on {
        return go_on(ctx, run, pipeline, (from, to_do), notes, halt).await;
    }
    // The first stage begins with the commit's files; a later one goes on with what the stages before it left.
    if begins(pipeline, to_do) { fill(ctx, run, halt).await } else { Ok(None) }
}

/// Whether nothing was done before these stages, and they need the commit's files. What is run where the image failed does.
fn begins(pipeline: &Pipeline, to_do: &[StageRow]) -> bool {
    let Some(next) = to_do.first() else { return false };
    !has_begun(pipeline, to_do) && (next.kind == StageKind::Steps || !pipeline.on_failure.is_empty())
}

/// Whether something was done before these stages, and left files for them.
fn has_begun(pipeline: &Pipeline, to_do: &[StageRow]) -> bool {
    let done = |stage: &PlannedStage| !stage.is_skipped();
    let position = to_do.first().and_then(|next| usize::try_from(next.position).ok());
    position.and_then(|position| pipeline.stages.get(..position)).unwrap_or(&pipeline.stages).iter().any(done)
}

/// Takes the host that the run is carried out on: where its files are, or those that it goes on with. None: it is taken.
async fn take_host(ctx: &Context, run: &RunRow, pipeline: &Pipeline, to_do: &[StageRow], halt: &Halt) -> Result<Option<Outcome>, Left> {
    let goes_on = match &run.goes_on {
        Some(from) if !files::has_worked(&ctx.db, &run.id).await? => Some(from),
        _ => None,
    };
    let needed = to_do.first().is_some_and(|next| rerun::needs_files(pipeline, next.kind));
    let files = match goes_on {
        Some(from) => Some(from).filter(|_| needed),
        None => Some(&run.id).filter(|_| has_begun(pipeline, to_do)),
    };
    let wanted = Placing { run: &run.id, service: &run.service_id, files };
    Ok(match patiently(halt, || ctx.platform.take_host(wanted)).await {
        Ok(()) => None,
        Err(PlatformError::Cancelled) => Some(cancelled()),
        Err(error) => Some(Outcome::not(RunState::Errored, said::no_host(error))),
    })
}

/// Who needs an image.
enum User {
    Step { stage: String, step: String, again: u32 },
    Sidecar { stage: String, name: String },
    Dockerfile(String),
}

impl User {
    fn misses(&self, error: PlatformError) -> String {
        match self {
            Self::Step { stage, step, .. } => said::in_step(stage, step, error),
            Self::Sidecar { stage, name } => said::in_sidecar(stage, name, error),
            Self::Dockerfile(path) => said::needed_by(path, error),
        }
    }

    /// How often an image that could not be had is asked for again.
    const fn again(&self) -> u32 {
        match self {
            Self::Step { again, .. } => *again,
            Self::Sidecar { .. } | Self::Dockerfile(_) => 0,
        }
    }
}

/// Finds an image, and asks again as often as who needs it wants. Answers with the number of the try.
async fn find(ctx: &Context, run: &RunRow, image: &str, again: u32, halt: &Halt) -> Result<u32, PlatformError> {
    let ask = || unless_halted(halt, ctx.platform.image(image, &run.team_id));
    for (tries, pause) in (1..=again).zip(PAUSES.into_iter().cycle()) {
        match patiently(halt, ask).await {
            Ok(_) => return Ok(tries),
            Err(PlatformError::Cancelled) => return Err(PlatformError::Cancelled),
            Err(error) => tracing::info!(run = %run.id, %error, "asking for the image again in {pause} s"),
        }
        tokio::select! {
            () = sleep(Duration::from_secs(pause)) => {}
            () = halt.token().cancelled() => return Err(PlatformError::Cancelled),
        }
    }
    patiently(halt, ask).await.map(|_| again + 1)
}

/// The images of the steps, of what runs beside them and of the Dockerfile, each with who needs it.
async fn images(ctx: &Context, run: &RunRow, pipeline: &Pipeline, to_do: &[StageRow]) -> git::Result<Vec<(String, User)>> {
    let mut seen = BTreeSet::new();
    let mut needed = Vec::new();
    for stage in &pipeline.stages {
        if !to_do.iter().any(|row| row.name == stage.name && row.kind == StageKind::Steps) {
            continue;
        }
        for step in stage.may_run() {
            if seen.insert(step.image.clone()) {
                let user = User::Step { stage: stage.name.clone(), step: step.name.clone(), again: step.retry.pull };
                needed.push((step.image.clone(), user));
            }
        }
        for sidecar in &stage.sidecars {
            if seen.insert(sidecar.image.clone()) {
                let user = User::Sidecar { stage: stage.name.clone(), name: sidecar.name.clone() };
                needed.push((sidecar.image.clone(), user));
            }
        }
    }
    for step in &pipeline.on_failure {
        if seen.insert(step.image.clone()) {
            needed.push((step.image.clone(), User::Step { stage: AFTER.to_owned(), step: step.name.clone(), again: 0 }));
        }
    }
    if !to_do.iter().any(|row| row.kind == StageKind::Image) {
        return Ok(needed);
    }
    let path = pipeline.made_from();
    let text = match &pipeline.recipe {
        Some(recipe) => recipe.dockerfile(),
        None => {
            let repository = ctx.repository(&run.repository_id);
            let text = git::read_file(&repository, &run.commit, &path, build::LARGEST_DOCKERFILE).await?.unwrap_or_default();
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    // What cannot be told is said by the stage that makes the image.
    let names = dockerfile::images_of(&text, &pipeline.args, &Triggers::new()).unwrap_or_default();
    needed.extend(names.into_iter().filter(|name| seen.insert(name.clone())).map(|name| (name, User::Dockerfile(path.clone()))));
    Ok(needed)
}

/// The files of a run that goes on from another: those that the other left, until a stage of its own is done.
async fn go_on(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    (from, to_do): (&RunId, &[StageRow]),
    notes: &mut Vec<String>,
    halt: &Halt,
) -> Result<Option<Outcome>, Left> {
    let number = files::goes_on(&ctx.db, &run.id).await?.unwrap_or_default();
    if files::has_worked(&ctx.db, &run.id).await? {
        return Ok(None);
    }
    let taken = files::taken(&ctx.db, &run.id).await?;
    let names: Vec<String> = taken.iter().map(|(stage, step, _)| format!("{stage}/{step}")).collect();
    notes.push(said::goes_on_with(number, names.join(", ")));
    if !to_do.first().is_some_and(|next| rerun::needs_files(pipeline, next.kind)) {
        return Ok(None);
    }
    let workspace = |run: &RunId, team: &TeamId| Workspace { run: run.clone(), team: team.clone() };
    let (source, own) = (workspace(from, &run.team_id), workspace(&run.id, &run.team_id));
    Ok(match patiently(halt, || ctx.platform.copy_workspace(&source, &own, halt.token().clone())).await {
        Ok(()) => None,
        Err(PlatformError::Cancelled) => Some(cancelled()),
        Err(PlatformError::NotFound(_)) => Some(Outcome::not(RunState::Errored, said::files_gone(number))),
        Err(error) => Some(Outcome::not(RunState::Errored, said::not_filled(error))),
    })
}

async fn fill(ctx: &Context, run: &RunRow, halt: &Halt) -> Result<Option<Outcome>, Left> {
    let archive = ctx.config.scratch().join(format!("{}.tar", run.id));
    let repository = ctx.repository(&run.repository_id);
    let make = || async {
        tokio::fs::create_dir_all(ctx.config.scratch()).await.map_err(git::GitError::Unwritable)?;
        git::archive(&repository, &run.commit, "", &archive).await
    };
    match disk::written(ctx, run, &archive, halt.token(), make).await {
        Some(Ok(())) => {}
        Some(Err(error)) => return Ok(Some(Outcome::not(RunState::Errored, said::files_unread(error)))),
        None => return Ok(Some(cancelled())),
    }
    let workspace = Workspace { run: run.id.clone(), team: run.team_id.clone() };
    let filled = patiently(halt, || ctx.platform.fill_workspace(&workspace, archive.clone(), halt.token().clone())).await;
    // What is left over goes with the scratch folder at the next start.
    let _ = tokio::fs::remove_file(&archive).await;
    Ok(match filled {
        Ok(()) => None,
        Err(PlatformError::Cancelled) => Some(cancelled()),
        Err(error) => Some(Outcome::not(RunState::Errored, said::not_filled(error))),
    })
}

/// Gives up a question that leaves nothing behind where its answer is not waited for.
async fn unless_halted<T>(halt: &Halt, answer: impl Future<Output = Result<T, PlatformError>>) -> Result<T, PlatformError> {
    tokio::select! {
        answer = answer => answer,
        () = halt.token().cancelled() => Err(PlatformError::Cancelled),
    }
}

/// Asks the engine again, with pauses, while it does not answer. What is asked stops by itself when the run is to halt.
async fn patiently<T, F>(halt: &Halt, ask: impl Fn() -> F) -> Result<T, PlatformError>
where
    F: Future<Output = Result<T, PlatformError>>,
{
    for pause in PAUSES {
        match ask().await {
            Err(error) if error.passing() => tracing::warn!(%error, "trying again in {pause} s"),
            answer => return answer,
        }
        tokio::select! {
            () = sleep(Duration::from_secs(pause)) => {}
            () = halt.token().cancelled() => return Err(PlatformError::Cancelled),
        }
    }
    ask().await
}
