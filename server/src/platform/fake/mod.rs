//! A platform in memory, with faults on demand and, if asked for, copies that really answer HTTP: for tests of everything
//! above the engines, and for simulating more hosts than a machine has.

mod faults;
mod listen;
mod script;
mod state;
mod workspace;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use app::model::{BASES, CacheId, EngineState, Host, RunId, ServiceId, TeamId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

pub use self::{
    faults::{Fault, Verb},
    script::{Behaviour, Built, Leaves, OnBuild, OnTask, Script},
};
use self::{script::Script as TaskScript, state::Inner};
use super::{
    Archive, BaseBuild, BaseContent, Build, ContainerState, ImageInfo, ImageRead, Observed, Output, OutputStream, Platform, PlatformError,
    Scope, Sink, Task, TaskEnd, Workload, WorkloadId, Workspace,
};

/// What each task adds to a cache it has, in bytes.
pub const CACHED: u64 = 1 << 20;

/// A platform in memory. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Fake(Arc<Inner>);

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// One whose copies listen nowhere.
    pub fn new() -> Self {
        Self(Arc::new(Inner::new(false)))
    }

    /// One whose copies answer HTTP, each on a loopback address of its own and the ports of its image.
    pub fn listening() -> Self {
        Self(Arc::new(Inner::new(true)))
    }

    /// Adds an image (an id or a reference) or changes how copies started from now on behave. An image that was never added
    /// is not found.
    #[must_use]
    pub fn with_image(self, image: &str, behaviour: Behaviour) -> Self {
        self.set_image(image, behaviour);
        self
    }

    /// See [`Fake::with_image`].
    pub fn set_image(&self, image: &str, behaviour: Behaviour) {
        self.0.lock().images.insert(image.into(), behaviour);
    }

    /// Gives an image that is there a name beside its id, as an operator may on an engine.
    pub fn name_image(&self, id: &str, name: &str) {
        self.0.lock().names.insert(name.into(), id.into());
    }

    /// Takes an image away.
    pub fn lose_image(&self, image: &str) {
        self.0.lock().images.remove(image);
    }

    /// The next `times` calls of this verb run into this fault, after those that lie ahead already.
    pub fn fault(&self, verb: Verb, fault: &Fault, times: usize) {
        self.0.lock().faults.add(verb, fault, times);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        self.0.lock().faults.clear();
        self.set_engine(EngineState::Answers);
    }

    /// Says how the engine answers from now on: gone and hung fail every call; slow ones are late.
    pub fn set_engine(&self, state: EngineState) {
        self.0.lock().engine = state;
    }

    /// How long a call may take before it counts as hung (100 ms at first).
    pub fn set_deadline(&self, deadline: Duration) {
        self.0.lock().deadline = deadline;
    }

    /// Decides what tasks do.
    pub fn on_task(&self, decide: impl Fn(&Task) -> Option<Script> + Send + Sync + 'static) {
        self.0.lock().on_task = Some(Arc::new(Box::new(decide)));
    }

    /// Decides what builds come to.
    pub fn on_build(&self, decide: impl Fn(&Build) -> Option<Built> + Send + Sync + 'static) {
        self.0.lock().on_build = Some(Arc::new(Box::new(decide)));
    }

    /// Ends a copy that runs, as a crash does.
    pub fn kill(&self, id: &WorkloadId, code: i64, out_of_memory: bool) {
        self.0.end(id, code, out_of_memory);
    }

    /// Makes a copy vanish, as somebody with a hand on the engine could.
    pub fn vanish(&self, id: &WorkloadId) {
        self.0.take(id);
    }

    /// The copies there are.
    pub fn copies(&self) -> Vec<Observed> {
        self.0.observe(&Scope::All)
    }

    /// Every call so far, in order: its verb and what it was about.
    pub fn calls(&self) -> Vec<(Verb, String)> {
        self.0.lock().calls.clone()
    }

    /// The workloads asked for so far, in order.
    pub fn ensured(&self) -> Vec<Workload> {
        self.0.lock().ensured.clone()
    }

    /// The caches there are.
    pub fn kept(&self) -> BTreeSet<CacheId> {
        self.0.lock().caches.keys().cloned().collect()
    }

    /// The tasks run so far, in order.
    pub fn tasks(&self) -> Vec<Task> {
        self.0.lock().tasks.clone()
    }

    /// Meets what lies ahead of a call. `true`: do it, and then lose the answer.
    async fn meet(&self, verb: Verb, about: impl Into<String>) -> Result<bool, PlatformError> {
        let about = about.into();
        let (fault, engine, deadline) = {
            let mut state = self.0.lock();
            state.calls.push((verb, about.clone()));
            (state.faults.next(verb), state.engine, state.deadline)
        };
        let hung = PlatformError::Hung { what: format!("{verb:?} {about}"), after: deadline };
        match engine {
            EngineState::Gone => return Err(PlatformError::Gone("connection refused".into())),
            EngineState::Hung => {
                tokio::time::sleep(deadline).await;
                return Err(hung);
            }
            EngineState::Slow => tokio::time::sleep(deadline / 2).await,
            EngineState::Answers => {}
        }
        match fault {
            None => Ok(false),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::Lose) => Ok(true),
            Some(Fault::Hang) => {
                tokio::time::sleep(deadline).await;
                Err(hung)
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                Ok(false)
            }
        }
    }

    /// What runs beside steps behaves as a copy of its image does; it ends by itself where such a copy would.
    async fn run_beside(&self, task: &Task, sink: &Sink) -> TaskEnd {
        let behaviour = self.behaviour(&task.image, &task.team).unwrap_or_default();
        for line in &behaviour.lines {
            let _ = sink.send(Output { error: false, bytes: Bytes::from(format!("{line}\n")) }).await;
        }
        if let Some((code, out_of_memory, _)) = behaviour.end(&task.env) {
            return TaskEnd::Exited { code, out_of_memory };
        }
        self.0.lock().beside.insert(task.name.clone(), behaviour.exec);
        std::future::pending().await
    }

    /// The answer, or what the caller sees where it is lost.
    fn answer<T>(&self, lost: bool, what: &str, answer: T) -> Result<T, PlatformError> {
        let after = self.0.lock().deadline;
        if lost { Err(PlatformError::Hung { what: what.into(), after }) } else { Ok(answer) }
    }

    fn behaviour(&self, image: &str, team: &TeamId) -> Result<Behaviour, PlatformError> {
        let state = self.0.lock();
        let theirs = |image: &str| state.built.get(image).is_none_or(|(owner, _)| owner == team);
        let id = state.names.get(image).map_or(image, String::as_str);
        state.images.get(id).filter(|_| theirs(id)).cloned().ok_or_else(|| {
            let there: Vec<&str> = state.images.keys().map(String::as_str).filter(|image| theirs(image)).collect();
            PlatformError::ImageNotFound { image: image.into(), hint: format!("There are: {}.", there.join(", ")) }
        })
    }
}

/// A task's output and time, up to its end.
async fn play(script: TaskScript, sink: Sink) -> TaskEnd {
    for (error, line) in &script.lines {
        // A reader that went away does not stop the task.
        let _ = sink.send(Output { error: *error, bytes: Bytes::from(format!("{line}\n")) }).await;
    }
    for piece in &script.pieces {
        let _ = sink.send(Output { error: false, bytes: Bytes::from(piece.clone()) }).await;
    }
    tokio::time::sleep(script.takes).await;
    script.end()
}

#[async_trait]
impl Platform for Fake {
    async fn ensure(&self, workload: &Workload) -> Result<Observed, PlatformError> {
        let lost = self.meet(Verb::Ensure, state::name(&workload.id)).await?;
        self.0.lock().ensured.push(workload.clone());
        let behaviour = self.behaviour(&workload.image, &workload.id.team)?;
        let observed = self.0.start(workload, behaviour);
        self.answer(lost, "ensure", observed)
    }

    async fn remove(&self, id: &WorkloadId, _grace: Duration) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::Remove, state::name(id)).await?;
        self.0.take(id);
        self.answer(lost, "remove", ())
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Observed>, PlatformError> {
        let lost = self.meet(Verb::Observe, format!("{scope:?}")).await?;
        let observed = self.0.observe(scope);
        self.answer(lost, "observe", observed)
    }

    async fn run_to_end(&self, task: &Task, sink: Sink, cancel: CancellationToken) -> Result<TaskEnd, PlatformError> {
        let lost = self.meet(Verb::RunToEnd, task.name.clone()).await?;
        let decide = {
            let mut state = self.0.lock();
            state.tasks.push(task.clone());
            state.leftovers.extend(task.run.clone());
            for cache in &task.caches {
                *state.caches.entry(cache.id.clone()).or_default() += CACHED;
            }
            state.on_task.clone()
        };
        // What runs beside steps is as its image, whatever tasks do.
        let decided = decide.filter(|_| task.alias.is_none()).and_then(|decide| decide(task));
        if decided.is_none() {
            self.behaviour(&task.image, &task.team)?;
        }
        if let (Some(run), Some(script)) = (&task.run, &decided) {
            self.0.lock().workspaces.entry(run.clone()).or_default().extend(script.leaves.iter().cloned());
        }
        let playing = async {
            match &task.alias {
                Some(_) => self.run_beside(task, &sink).await,
                None => play(decided.unwrap_or_default(), sink).await,
            }
        };
        let end = tokio::select! {
            end = playing => end,
            () = tokio::time::sleep(task.timeout) => TaskEnd::TimedOut,
            () = cancel.cancelled() => TaskEnd::Cancelled,
        };
        self.0.lock().beside.remove(&task.name);
        self.answer(lost, "run_to_end", end)
    }

    async fn exec_task(&self, task: &str, command: Option<&[String]>, _timeout: Duration) -> Result<Option<i64>, PlatformError> {
        let lost = self.meet(Verb::ExecTask, task).await?;
        let code = self.0.lock().beside.get(task).map(|code| if command.is_some() { *code } else { 0 });
        self.answer(lost, "exec_task", code)
    }

    async fn exec(&self, id: &WorkloadId, command: &[String], _timeout: Duration) -> Result<i64, PlatformError> {
        let lost = self.meet(Verb::Exec, command.join(" ")).await?;
        let code = self.0.exec(id)?;
        self.answer(lost, "exec", code)
    }

    async fn logs(&self, id: &WorkloadId, tail: u32, follow: bool) -> Result<OutputStream, PlatformError> {
        let lost = self.meet(Verb::Logs, state::name(id)).await?;
        let (lines, ended) = self.0.lines(id, tail)?;
        let written = stream::iter(lines.into_iter().map(|line| Ok(Output { error: false, bytes: Bytes::from(format!("{line}\n")) })));
        let output: OutputStream = if follow {
            Box::pin(written.chain(stream::once(ended.cancelled_owned()).filter_map(async |()| None)))
        } else {
            Box::pin(written)
        };
        self.answer(lost, "logs", output)
    }

    async fn events(&self) -> Result<Pin<Box<dyn Stream<Item = ()> + Send>>, PlatformError> {
        let lost = self.meet(Verb::Events, "").await?;
        let changes = stream::unfold(self.0.changes.subscribe(), async |mut changes| match changes.recv().await {
            Ok(()) | Err(RecvError::Lagged(_)) => Some(((), changes)),
            Err(RecvError::Closed) => None,
        });
        self.answer(lost, "events", Box::pin(changes) as _)
    }

    async fn hosts(&self) -> Vec<Host> {
        let _ = self.meet(Verb::Hosts, "").await;
        let state = self.0.lock();
        let answers = matches!(state.engine, EngineState::Answers | EngineState::Slow);
        vec![Host {
            name: "fake".into(),
            pool: "default".into(),
            state: state.engine,
            engine: answers.then(|| "in memory".into()),
            api: answers.then(|| "0".into()),
            cpus: 2,
            memory: 4 << 30,
            instances: u32::try_from(state.copies.len()).unwrap_or(u32::MAX),
        }]
    }

    async fn image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        let lost = self.meet(Verb::Image, reference).await?;
        let behaviour = self.behaviour(reference, team)?;
        let named = self.0.lock().names.get(reference).cloned();
        let id = match named {
            Some(id) => id,
            None if reference.starts_with("sha256:") => reference.to_owned(),
            None => image_id(reference),
        };
        self.0.lock().images.insert(id.clone(), behaviour.clone());
        self.answer(lost, "image", behaviour.info(&id))
    }

    async fn build(&self, build: &Build, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        let lost = self.meet(Verb::Build, build.dockerfile.clone()).await?;
        if cancel.is_cancelled() {
            return Err(PlatformError::Cancelled);
        }
        let decide = self.0.lock().on_build.clone();
        let (lines, result) =
            decide.and_then(|decide| decide(build)).unwrap_or_else(|| (vec!["Step 1/1 : FROM scratch".into()], Ok(Behaviour::default())));
        for line in lines {
            let _ = sink.send(Output { error: false, bytes: Bytes::from(format!("{line}\n")) }).await;
        }
        let behaviour = result?;
        let id = image_id(build.run.as_str());
        let mut state = self.0.lock();
        state.images.insert(id.clone(), behaviour.clone());
        state.built.insert(id.clone(), (build.team.clone(), build.run.clone()));
        drop(state);
        self.answer(lost, "build", behaviour.info(&id))
    }

    async fn default_bridge(&self) -> Result<Option<String>, PlatformError> {
        Ok(None)
    }

    async fn bound_build_cache(&self, _most: u64) -> Result<u64, PlatformError> {
        Ok(0)
    }

    async fn build_base(&self, build: &BaseBuild, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        let lost = tokio::select! {
            lost = self.meet(Verb::BuildBase, build.name.as_str()) => lost?,
            () = cancel.cancelled() => return Err(PlatformError::Cancelled),
        };
        let text = match &build.content {
            BaseContent::Dockerfile(text) => text.clone(),
            BaseContent::RootFileSystem(archive) if archive.exists() => String::new(),
            BaseContent::RootFileSystem(archive) => return Err(PlatformError::Refused(format!("there is no {}", archive.display()))),
        };
        for line in text.lines() {
            let _ = sink.send(Output { error: false, bytes: Bytes::from(format!("Step : {line}\n")) }).await;
        }
        let (id, name) = (image_id(build.run.as_str()), format!("{BASES}{}", build.name));
        let mut state = self.0.lock();
        state.images.insert(id.clone(), Behaviour::default());
        state.bases.insert(id.clone());
        state.names.insert(format!("{name}:{}", build.number), id.clone());
        state.names.insert(name, id.clone());
        drop(state);
        self.answer(lost, "build_base", Behaviour::default().info(&id))
    }

    async fn base_images(&self) -> Result<Vec<String>, PlatformError> {
        let lost = self.meet(Verb::BaseImages, "").await?;
        let bases = self.0.lock().bases.iter().cloned().collect();
        self.answer(lost, "base_images", bases)
    }

    async fn remove_base(&self, image: &str) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::RemoveImage, image).await?;
        let mut state = self.0.lock();
        state.images.remove(image);
        state.bases.remove(image);
        state.names.retain(|_, id| id.as_str() != image);
        drop(state);
        self.answer(lost, "remove_base", ())
    }

    async fn built_images(&self) -> Result<Vec<(String, RunId)>, PlatformError> {
        let lost = self.meet(Verb::BuiltImages, "").await?;
        let built = self.0.lock().built.iter().map(|(image, (_, run))| (image.clone(), run.clone())).collect();
        self.answer(lost, "built_images", built)
    }

    async fn forget_builds(&self, service: &ServiceId) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::ForgetBuilds, service.as_str()).await?;
        self.answer(lost, "forget_builds", ())
    }

    async fn read_image(&self, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError> {
        let lost = self.meet(Verb::ReadImage, read.image.clone()).await?;
        let files = self.behaviour(&read.image, &read.team)?.files;
        let asked = |path: &str| {
            read.paths.iter().any(|asked| path.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
        };
        let found = files.into_iter().filter(|(path, _)| asked(path)).map(|(path, text)| (path, text.into_bytes())).collect();
        self.answer(lost, "read_image", found)
    }

    async fn remove_image(&self, id: &str) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::RemoveImage, id).await?;
        let mut state = self.0.lock();
        state.images.remove(id);
        state.built.remove(id);
        drop(state);
        self.answer(lost, "remove_image", ())
    }

    async fn fill_workspace(&self, workspace: &Workspace, archive: PathBuf, cancel: CancellationToken) -> Result<(), PlatformError> {
        if cancel.is_cancelled() {
            return Err(PlatformError::Cancelled);
        }
        let lost = self.meet(Verb::FillWorkspace, workspace.run.as_str()).await?;
        if !archive.exists() {
            return Err(PlatformError::Refused(format!("there is no archive {}", archive.display())));
        }
        let mut state = self.0.lock();
        state.leftovers.insert(workspace.run.clone());
        state.workspaces.insert(workspace.run.clone(), BTreeMap::default());
        drop(state);
        self.answer(lost, "fill_workspace", ())
    }

    async fn read_workspace(&self, workspace: &Workspace, path: &str) -> Result<Option<Archive>, PlatformError> {
        let lost = self.meet(Verb::ReadWorkspace, path).await?;
        let archive = self.0.lock().workspaces.get(&workspace.run).and_then(|files| workspace::archive(files, path));
        self.answer(lost, "read_workspace", archive)
    }

    async fn copy_workspace(&self, from: &Workspace, to: &Workspace, cancel: CancellationToken) -> Result<(), PlatformError> {
        if cancel.is_cancelled() {
            return Err(PlatformError::Cancelled);
        }
        let lost = self.meet(Verb::CopyWorkspace, to.run.as_str()).await?;
        let mut state = self.0.lock();
        let Some(files) = state.workspaces.get(&from.run).cloned() else {
            return Err(PlatformError::NotFound(from.run.to_string()));
        };
        state.leftovers.insert(to.run.clone());
        state.workspaces.insert(to.run.clone(), files);
        drop(state);
        self.answer(lost, "copy_workspace", ())
    }

    async fn settle_run(&self, run: &RunId) -> Result<bool, PlatformError> {
        let lost = self.meet(Verb::SettleRun, run.as_str()).await?;
        let mut state = self.0.lock();
        let files = state.workspaces.contains_key(run);
        if !files {
            state.leftovers.remove(run);
        }
        drop(state);
        self.answer(lost, "settle_run", files)
    }

    async fn clean_run(&self, run: &RunId) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::CleanRun, run.as_str()).await?;
        let mut state = self.0.lock();
        state.leftovers.remove(run);
        state.workspaces.remove(run);
        drop(state);
        self.answer(lost, "clean_run", ())
    }

    async fn caches(&self) -> Result<BTreeSet<CacheId>, PlatformError> {
        let lost = self.meet(Verb::Caches, "").await?;
        let caches = self.0.lock().caches.keys().cloned().collect();
        self.answer(lost, "caches", caches)
    }

    async fn cache_sizes(&self) -> Result<BTreeMap<CacheId, u64>, PlatformError> {
        let lost = self.meet(Verb::CacheSizes, "").await?;
        let sizes = self.0.lock().caches.clone();
        self.answer(lost, "cache_sizes", sizes)
    }

    async fn copy_cache(&self, _: &Workspace, from: &CacheId, to: &CacheId, cancel: CancellationToken) -> Result<(), PlatformError> {
        if cancel.is_cancelled() {
            return Err(PlatformError::Cancelled);
        }
        let lost = self.meet(Verb::CopyCache, from.as_str()).await?;
        let mut state = self.0.lock();
        let size = state.caches.get(from).copied().unwrap_or_default();
        state.caches.insert(to.clone(), size);
        drop(state);
        self.answer(lost, "copy_cache", ())
    }

    async fn remove_cache(&self, id: &CacheId) -> Result<(), PlatformError> {
        let lost = self.meet(Verb::RemoveCache, id.as_str()).await?;
        self.0.lock().caches.remove(id);
        self.answer(lost, "remove_cache", ())
    }

    async fn runs_with_leftovers(&self) -> Result<Vec<RunId>, PlatformError> {
        let lost = self.meet(Verb::RunsWithLeftovers, "").await?;
        let runs = self.0.lock().leftovers.iter().cloned().collect();
        self.answer(lost, "runs_with_leftovers", runs)
    }
}

/// The id an image of this name gets.
pub fn image_id(name: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(name)))
}

#[cfg(test)]
mod tests;
