//! Builds the versions of base images that were asked for, one after the other, and then runs the services that use them where
//! that was asked for too. What it works on are rows: after a crash it begins a version again, under the same names.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use app::{
    model::{Actor, BaseName, RunEvent, RunId, TeamId},
    said,
};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    dockerfile::{Triggers, escapes, images_of, names_its_reader},
    heads::{self, Asking},
    intake::IntakeError,
    log::{telling, without_colours},
};
use crate::{
    clock,
    platform::{BaseBuild, BaseContent, ImageInfo, Output, PlatformError},
    store::{
        StoreError,
        bases::{self, OpenVersion, Roll},
        events::{self, NewEvent},
        repositories,
    },
    telemetry::metrics,
    wake::{self, Duty, Wake},
};

/// How long one may take to build.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// So much is kept of what a build says: its end.
const LOG: usize = 256 << 10;
/// Cancelling is looked for this often; a wake-up makes it quicker.
const LOOK: Duration = Duration::from_secs(2);
/// How long what a build that was cut short has left is removed again and again; after that the next sweep does it.
const CLEAR: Duration = Duration::from_secs(10);
/// What was said is kept this often while it is built.
const KEEP: Duration = Duration::from_secs(1);
/// Images of versions that nobody needs are looked for this often.
const LET_GO: Duration = Duration::from_secs(3_600);
/// A version that another Berth was to build, and did not for so long, is given up.
const ABANDONED: Duration = Duration::from_secs(24 * 3_600);

/// What can go wrong; the next pass goes on.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] PlatformError),
}

/// Where the root file system of a version waits.
pub fn upload(folder: &Path, version: &str) -> PathBuf {
    folder.join(format!("{version}.tar"))
}

/// The page of a base.
pub fn path_of(name: &BaseName) -> String {
    format!("/platform/bases/{name}")
}

/// Why a Dockerfile cannot make a base image, as a sentence.
pub fn refusal(dockerfile: &str) -> Option<String> {
    let refused = [(escapes(dockerfile), said::dockerfile_escapes()), (names_its_reader(dockerfile), said::dockerfile_syntax())];
    refused.into_iter().find_map(|(is, why)| is.then_some(why))
}

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut let_go_at = Instant::now();
    loop {
        let passed = pass(&ctx, &stop, &mut let_go_at).await;
        metrics::passed("bases", passed.is_ok());
        if let Err(error) = &passed {
            tracing::warn!(%error, "base images wait");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(clock::pace(wake::rest(passed.is_ok())), ctx.wake.woken(Duty::Bases)) => {}
        }
    }
}

async fn pass(ctx: &Context, stop: &CancellationToken, let_go_at: &mut Instant) -> Result<(), PassError> {
    let mut built = false;
    for version in bases::open(&ctx.db, &ctx.holder).await? {
        make(ctx, &version, stop).await?;
        built = true;
        if stop.is_cancelled() {
            return Ok(());
        }
    }
    for roll in bases::to_roll(&ctx.db).await? {
        if let Err(error) = begin(ctx, &roll).await {
            tracing::warn!(service = %roll.service, base = %roll.name, %error, "it cannot be run for a new version now");
        }
    }
    if built || Instant::now() >= *let_go_at {
        let_go(ctx).await?;
        *let_go_at = Instant::now() + clock::pace(LET_GO);
    }
    Ok(())
}

/// Builds a version and writes down what came of it.
async fn make(ctx: &Context, version: &OpenVersion, stop: &CancellationToken) -> Result<(), PassError> {
    let archive = upload(&ctx.config.bases(), &version.id);
    let mut log = Told::default();
    let built = match say(ctx, version, None).await? {
        true => unless_cancelled(ctx, version, stop, &mut log).await?,
        // Before it began, or before a crash that cut it short.
        false => Err(PlatformError::Cancelled),
    };
    match built {
        // The next start begins it again.
        Err(PlatformError::Cancelled) if stop.is_cancelled() => return Ok(()),
        Err(error) if error.passing() && say(ctx, version, Some(&said::waiting_engine(&error))).await? => return Err(error.into()),
        Err(error) if error.passing() || matches!(error, PlatformError::Cancelled) => {
            clear(ctx, version).await;
            end(ctx, version, Err(PlatformError::Cancelled), log).await?;
        }
        built => end(ctx, version, built, log).await?,
    }
    remove(&archive).await;
    Ok(())
}

/// Removes what a build that was cut short has left. The engine takes a moment to let go of it.
async fn clear(ctx: &Context, version: &OpenVersion) {
    let run = RunId::from_text(version.id.as_str());
    let cleared = async || {
        ctx.platform.clean_run(&run).await?;
        // A network that something is on still stays without a word.
        Ok::<_, PlatformError>(!ctx.platform.runs_with_leftovers().await?.contains(&run))
    };
    let began = Instant::now();
    while !cleared().await.unwrap_or(false) {
        if began.elapsed() > CLEAR {
            return tracing::warn!(base = %version.name, "what its build left is removed later");
        }
        tokio::time::sleep(CLEAR / 50).await;
    }
}

/// Says that it is built now, or what it waits for. False: it is not to be built any more.
async fn say(ctx: &Context, version: &OpenVersion, waits: Option<&str>) -> Result<bool, StoreError> {
    let mut tx = ctx.db.begin().await?;
    let goes_on = bases::begin(&mut tx, &version.id, waits, clock::now()).await?;
    tx.commit().await?;
    changed(ctx, version);
    Ok(goes_on)
}

/// Builds it, unless somebody asks for it to be cancelled meanwhile.
async fn unless_cancelled(
    ctx: &Context,
    version: &OpenVersion,
    stop: &CancellationToken,
    log: &mut Told,
) -> Result<Result<ImageInfo, PlatformError>, PassError> {
    let halt = stop.child_token();
    let work = from_what_there_is(ctx, version, &halt, log);
    tokio::pin!(work);
    tokio::select! {
        built = &mut work => return built,
        () = asked_to_stop(ctx, version) => {}
    }
    halt.cancel();
    work.await
}

/// Waits until it is not to be built any more.
async fn asked_to_stop(ctx: &Context, version: &OpenVersion) {
    let mut changes = ctx.wake.listen();
    let topic = topic(version);
    loop {
        match bases::goes_on(&ctx.db, &version.id).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(base = %version.name, %error, "whether it is to be cancelled cannot be read now"),
        }
        let _ = timeout(LOOK, Wake::mentioned(&mut changes, &topic)).await;
    }
}

async fn from_what_there_is(
    ctx: &Context,
    version: &OpenVersion,
    halt: &CancellationToken,
    log: &mut Told,
) -> Result<Result<ImageInfo, PlatformError>, PassError> {
    let archive = upload(&ctx.config.bases(), &version.id);
    match &version.dockerfile {
        Some(text) => match preflight(ctx, text).await {
            Ok(()) => build(ctx, version, BaseContent::Dockerfile(text.clone()), halt, log).await,
            Err(error) => Ok(Err(error)),
        },
        None if archive.exists() => build(ctx, version, BaseContent::RootFileSystem(archive), halt, log).await,
        None => Ok(Err(PlatformError::CannotStart(said::base_no_files()))),
    }
}

fn changed(ctx: &Context, version: &OpenVersion) {
    ctx.wake.changed(None, topic(version));
}

fn topic(version: &OpenVersion) -> String {
    format!("base:{}", version.name)
}

/// Holds that everything it starts from is there for everybody.
async fn preflight(ctx: &Context, dockerfile: &str) -> Result<(), PlatformError> {
    if let Some(why) = refusal(dockerfile) {
        return Err(PlatformError::BuildFailed(why));
    }
    let mut triggers = Triggers::new();
    loop {
        let names = images_of(dockerfile, &BTreeMap::new(), &triggers).map_err(PlatformError::BuildFailed)?;
        let Some(name) = names.into_iter().find(|name| !triggers.contains_key(name)) else { return Ok(()) };
        let image = ctx.platform.image(&name, &TeamId::from_text("")).await?;
        triggers.insert(name, image.triggers);
    }
}

async fn build(
    ctx: &Context,
    version: &OpenVersion,
    content: BaseContent,
    stop: &CancellationToken,
    log: &mut Told,
) -> Result<Result<ImageInfo, PlatformError>, PassError> {
    let run = RunId::from_text(version.id.as_str());
    let build =
        BaseBuild { run: run.clone(), name: version.name.clone(), number: version.number, content, limits: ctx.limits(), timeout: LONGEST };
    let (sink, output) = tokio::sync::mpsc::channel(64);
    let (built, kept) = tokio::join!(ctx.platform.build_base(&build, sink, stop.clone()), listen(ctx, version, output, log));
    kept?;
    if let Err(error) = ctx.platform.clean_run(&run).await {
        tracing::warn!(base = %version.name, %error, "what its build left is removed later");
    }
    Ok(built)
}

/// The end of what was said.
#[derive(Default)]
struct Told(Vec<u8>);

impl Told {
    fn take(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
        // Not each time: it is moved.
        if self.0.len() > 2 * LOG {
            self.0.drain(..self.0.len() - LOG);
        }
    }

    /// As text, from the beginning of a line on.
    fn text(&self) -> String {
        let begins = self.0.len().saturating_sub(LOG);
        let text = String::from_utf8_lossy(&self.0[begins..]).replace('\0', "");
        if begins == 0 { text } else { text.split_once('\n').map_or(text.clone(), |(_, rest)| rest.to_owned()) }
    }

    /// The line that most likely tells why it failed.
    fn telling(&self) -> Option<String> {
        let lines: Vec<String> = self.text().lines().map(without_colours).collect();
        telling(&lines)
    }
}

/// Takes what is said until its end, and keeps it now and then.
async fn listen(ctx: &Context, version: &OpenVersion, mut output: Receiver<Output>, log: &mut Told) -> Result<(), StoreError> {
    let (mut due, mut more) = (Instant::now() + KEEP, false);
    loop {
        match timeout_at(due, output.recv()).await {
            Ok(Some(piece)) => {
                log.take(&piece.bytes);
                more = true;
            }
            Ok(None) => return Ok(()),
            Err(_) => {
                if std::mem::take(&mut more) {
                    let mut tx = ctx.db.begin().await?;
                    bases::keep_log(&mut tx, &version.id, &log.text()).await?;
                    tx.commit().await?;
                    changed(ctx, version);
                }
                due = Instant::now() + KEEP;
            }
        }
    }
}

/// Writes the end of a version.
async fn end(ctx: &Context, version: &OpenVersion, built: Result<ImageInfo, PlatformError>, log: Told) -> Result<(), StoreError> {
    let (now, mut tx) = (clock::now(), ctx.db.begin().await?);
    bases::keep_log(&mut tx, &version.id, &log.text()).await?;
    let (ended, action, detail) = match &built {
        Ok(image) => (bases::ready(&mut tx, version, &image.id, image.size, now).await?, "base.ready", String::new()),
        Err(PlatformError::Cancelled) => (bases::cancelled(&mut tx, &version.id, now).await?, "base.cancelled", String::new()),
        Err(error) => {
            let failure = judge(error, &log);
            (bases::failed(&mut tx, &version.id, &failure, now).await?, "base.failed", failure)
        }
    };
    if !ended {
        return Ok(());
    }
    let subject = said::subject_base_version(version.number, &version.name);
    let event = NewEvent { action, subject, path: Some(path_of(&version.name)), detail, ..NewEvent::default() };
    events::insert(&mut tx, &Actor::system("bases"), event).await?;
    tx.commit().await?;
    tracing::info!(base = %version.name, version = version.number, action, "a version of a base image ended");
    changed(ctx, version);
    ctx.wake.changed(None, "events");
    Ok(())
}

/// Why a version could not be built, as a sentence.
fn judge(error: &PlatformError, log: &Told) -> String {
    match error {
        PlatformError::BuildFailed(cause) => {
            let line = log.telling().filter(|line| !cause.contains(line.as_str())).map(|line| format!(" ({line})"));
            said::not_built("Dockerfile", format!("{cause}{}", line.unwrap_or_default()))
        }
        PlatformError::ImageNotFound { .. } => said::needed_by("Dockerfile", error),
        other => other.to_string(),
    }
}

/// Runs the head of a service's default branch for a new version, with whatever comes to one version with it.
async fn begin(ctx: &Context, roll: &Roll) -> Result<(), IntakeError> {
    let by = bases::reference(&roll.name, None);
    let reason = said::reason_base(&by, roll.number);
    let asked = Asking { event: RunEvent::Base, by: &by, reason: &reason };
    // One that is being deleted.
    let Some(repository) = repositories::by_id(&ctx.db, &roll.repository).await? else { return Ok(()) };
    let reference = format!("refs/heads/{}", repository.default_branch);
    let head = repositories::last_commit(&ctx.db, &repository.id, &reference).await?;
    let service = repository.services.iter().find(|service| service.id == roll.service);
    let (Some(head), Some(service)) = (head, service) else {
        let mut tx = ctx.db.begin().await?;
        bases::not_rolled(&mut tx, &roll.version, &roll.service, &said::base_no_head(&repository.default_branch)).await?;
        tx.commit().await?;
        return Ok(());
    };
    let commit = crate::git::commit(&ctx.repository(&repository.id), &head).await?;
    let runs = heads::runs_of(ctx, &repository, &head, service, RunEvent::Base).await?;
    let mut tx = ctx.db.begin().await?;
    // Another Berth was first, or it runs already with one that comes to the same version.
    if !bases::rolls_still(&mut tx, &roll.version, &roll.service).await? {
        return Ok(());
    }
    let queued = heads::queue(&mut tx, &repository, &commit, runs, asked).await?;
    for run in &queued {
        bases::rolled(&mut tx, &roll.version, &run.service, &run.run).await?;
    }
    tx.commit().await?;
    for run in &queued {
        ctx.run_changed(&repository.team_id, &run.run);
        ctx.wake.changed(Some(&repository.team_id), format!("service:{}", run.service));
    }
    ctx.wake.changed(None, format!("base:{}", roll.name));
    ctx.wake.duty(Duty::Runs);
    Ok(())
}

/// Lets go of what nobody needs: images of old versions, those that a crash left without a version, and files.
async fn let_go(ctx: &Context) -> Result<(), PassError> {
    let now = clock::now();
    let mut tx = ctx.db.begin().await?;
    bases::abandon(&mut tx, &ctx.holder, now.minus(ABANDONED), (&said::base_abandoned(), now)).await?;
    for base in bases::all(&mut tx).await? {
        bases::let_go(&mut tx, &base.id, now).await?;
    }
    tx.commit().await?;
    for image in ctx.platform.base_images().await? {
        if !bases::is_there(&ctx.db, &image).await? {
            ctx.platform.remove_base(&image).await?;
            tracing::info!(image, "removed a base image that nobody needs");
        }
    }
    let open: Vec<String> = bases::open(&ctx.db, &ctx.holder).await?.into_iter().map(|version| version.id).collect();
    remove_files(&ctx.config.bases(), &open).await;
    Ok(())
}

/// Removes the root file systems of versions that are not built any more, and what broke off on its way in. What is young may be
/// on its way still, or its version is written down just now.
async fn remove_files(folder: &Path, open: &[String]) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = entry.metadata().await.ok().and_then(|about| about.modified().ok()?.elapsed().ok());
        let needed = open.iter().any(|version| name.strip_suffix(".tar") == Some(version.as_str()));
        if !needed && age.is_some_and(|age| age > LET_GO) {
            remove(&entry.path()).await;
        }
    }
}

async fn remove(file: &Path) {
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(file = %file.display(), %error, "it could not be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_said_is_kept() {
        let mut told = Told::default();
        told.take(b"one\ntwo\0\n");
        assert_eq!(told.text(), "one\ntwo\n");
        for number in 0..200_000 {
            told.take(format!("line {number}\n").as_bytes());
        }
        let text = told.text();
        assert!(text.len() <= LOG && text.starts_with("line ") && text.ends_with("line 199999\n"), "{}", text.len());
        assert_eq!(told.telling().as_deref(), Some("line 199999"));
    }

    #[test]
    fn what_cannot_be_told_beforehand_makes_no_base() {
        assert_eq!(refusal("FROM debian:12\n"), None);
        assert_eq!(refusal("# syntax=x\nFROM a"), Some(said::dockerfile_syntax()));
        assert_eq!(refusal("# escape=`\nFROM a"), Some(said::dockerfile_escapes()));
    }
}
