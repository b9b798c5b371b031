//! Several engines as one platform: one runs the teams' services and is asked for every image, the others are builders.
//!
//! A run is carried out on one builder, from its first file to its image. What it stands on is brought there from the engine at
//! home, and its image is brought home, under the same id: an image is known by its content, wherever it is. Which builder has
//! which run is known by what is there, so that it is found again after a crash.

mod bringing;
mod choose;
mod placed;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    model::{CacheId, EngineState, Host, RunId, ServiceId, TeamId},
    said,
};
use async_trait::async_trait;
use futures::{Stream, future::join_all};
use tokio_util::sync::CancellationToken;

use self::{
    bringing::Member,
    choose::{Open, choose},
    placed::Placed,
};
use super::{
    Archive, BaseBuild, Build, Engine, ImageInfo, ImageRead, Observed, OutputStream, Placing, Platform, PlatformError, Scope, Sink, Task,
    TaskEnd, Workload, WorkloadId, Workspace,
};

/// The pool that builders are in.
pub const BUILDERS: &str = "builders";

/// An engine at home, and builders.
#[derive(Debug)]
pub struct Pool {
    home: Arc<Member>,
    builders: Vec<Arc<Member>>,
    placed: Mutex<Placed>,
    /// How large the caches of each builder were when it was asked last.
    sizes: Mutex<BTreeMap<String, BTreeMap<CacheId, u64>>>,
}

impl Pool {
    /// A pool. `instance`: which Berth this is; each builder comes with its name, which no other has.
    pub fn new(instance: &str, home: Arc<dyn Engine>, builders: Vec<(String, Arc<dyn Engine>)>) -> Self {
        let member = |name: String, engine| Arc::new(Member::new(instance, name, engine));
        Self {
            home: member("home".to_owned(), home),
            builders: builders.into_iter().map(|(name, engine)| member(name, engine)).collect(),
            placed: Mutex::default(),
            sizes: Mutex::default(),
        }
    }

    /// Looks at where runs are, or changes it. Not a guard that is handed out: two of them in one expression would wait for each
    /// other for ever.
    fn placed<T>(&self, look: impl FnOnce(&mut Placed) -> T) -> T {
        look(&mut self.placed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where things of a run are done: at home, unless a host was taken for it.
    fn of(&self, run: &RunId) -> &Arc<Member> {
        self.builder_of(run).unwrap_or(&self.home)
    }

    fn builder_of(&self, run: &RunId) -> Option<&Arc<Member>> {
        let name = self.host_of(run)?;
        self.builders.iter().find(|member| member.name == name)
    }

    fn everywhere(&self) -> impl Iterator<Item = &Arc<Member>> {
        std::iter::once(&self.home).chain(&self.builders)
    }

    /// Asks each builder the same, side by side. One that does not answer is left out, and the log says so: nothing at home waits
    /// for it, and whatever is asked here is asked again later.
    async fn ask_builders<'a, T, F>(&'a self, what: &str, ask: impl Fn(&'a Arc<Member>) -> F) -> Vec<(&'a Arc<Member>, T)>
    where
        F: Future<Output = Result<T, PlatformError>>,
    {
        let answers = join_all(self.builders.iter().filter(|member| !member.is_silent()).map(|member| {
            let answer = ask(member);
            async move { (member, answer.await) }
        }));
        let answers = answers.await.into_iter().filter_map(|(member, answer)| {
            member.heard(!matches!(&answer, Err(error) if error.passing()));
            let left_out = |error| tracing::warn!(host = member.name, %error, what, "left out: the builder does not answer as it should");
            answer.map_err(left_out).ok().map(|answer| (member, answer))
        });
        answers.collect()
    }

    async fn is_there(&self, member: &Member) -> bool {
        let there = answers(&member.engine.host().await);
        member.heard(there);
        there
    }

    /// The host that has the files of a run. Where one does not answer and no other has them, nobody knows.
    async fn find(&self, run: &RunId) -> Result<Option<String>, PlatformError> {
        if let Some(name) = self.host_of(run) {
            return Ok(Some(name));
        }
        let left = join_all(self.everywhere().map(async |member| (member, member.engine.runs_with_leftovers().await))).await;
        let mut silent = None;
        for (member, left) in left {
            match left {
                Ok(left) if left.contains(run) => return Ok(Some(member.name.clone())),
                Ok(_) => {}
                Err(error) => silent = Some(error),
            }
        }
        silent.map_or(Ok(None), Err)
    }

    /// Chooses a builder that answers.
    async fn choose(&self, wanted: Placing<'_>) -> Result<(), PlatformError> {
        let hosts = join_all(self.builders.iter().map(|member| member.engine.host())).await;
        let (mut open, mut not) = (Vec::new(), Vec::new());
        for (member, host) in self.builders.iter().zip(&hosts) {
            member.heard(answers(host));
            if answers(host) { &mut open } else { &mut not }.push(member.name.as_str());
        }
        if !not.is_empty() {
            tracing::warn!(run = %wanted.run, silent = ?not, "some builders do not answer");
        }
        self.placed(|placed| {
            // Where it was begun and does not answer any more, it begins anew elsewhere.
            let same = placed.at(wanted.run).filter(|name| open.contains(&name.as_str()));
            let at = same.or_else(|| {
                let open: Vec<Open<'_>> = open.iter().map(|name| Open { name, runs: placed.count(name, wanted.run) }).collect();
                choose(&open, wanted.service).map(str::to_owned)
            });
            let at = at.ok_or_else(|| PlatformError::Gone(said::no_builder()))?;
            placed.take(wanted.run, &at);
            Ok(())
        })
    }
}

#[async_trait]
impl Platform for Pool {
    async fn ensure(&self, workload: &Workload) -> Result<Observed, PlatformError> {
        self.home.engine.ensure(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), PlatformError> {
        self.home.engine.remove(id, grace).await
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Observed>, PlatformError> {
        self.home.engine.observe(scope).await
    }

    async fn run_to_end(&self, task: &Task, sink: Sink, cancel: CancellationToken) -> Result<TaskEnd, PlatformError> {
        let Some(member) = task.run.as_ref().and_then(|run| self.builder_of(run)) else {
            return self.home.engine.run_to_end(task, sink, cancel).await;
        };
        let brought = async {
            let image = self.home.engine.image(&task.image, &task.team).await?;
            member.bring(&self.home, &image.id, None).await?;
            Ok::<_, PlatformError>(image.id)
        };
        let image = tokio::select! {
            brought = brought => brought?,
            () = cancel.cancelled() => return Ok(TaskEnd::Cancelled),
        };
        for cache in &task.caches {
            self.bring_cache(member, task, &cache.id, &cancel).await?;
        }
        member.engine.run_to_end(&Task { image, ..task.clone() }, sink, cancel.clone()).await
    }

    async fn exec_task(&self, task: &str, command: Option<&[String]>, timeout: Duration) -> Result<Option<i64>, PlatformError> {
        // A driver knows by itself which tasks it began, and asks its engine about no other.
        for member in self.everywhere() {
            if let Some(code) = member.engine.exec_task(task, command, timeout).await? {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    async fn exec(&self, id: &WorkloadId, command: &[String], timeout: Duration) -> Result<i64, PlatformError> {
        self.home.engine.exec(id, command, timeout).await
    }

    async fn logs(&self, id: &WorkloadId, tail: u32, follow: bool) -> Result<OutputStream, PlatformError> {
        self.home.engine.logs(id, tail, follow).await
    }

    async fn events(&self) -> Result<Pin<Box<dyn Stream<Item = ()> + Send>>, PlatformError> {
        self.home.engine.events().await
    }

    async fn hosts(&self) -> Vec<Host> {
        let mut hosts = join_all(self.everywhere().map(|member| member.engine.host())).await;
        hosts.iter_mut().skip(1).for_each(|host| BUILDERS.clone_into(&mut host.pool));
        hosts
    }

    async fn service_hosts(&self) -> Vec<Host> {
        vec![self.home.engine.host().await]
    }

    async fn take_host(&self, wanted: Placing<'_>) -> Result<(), PlatformError> {
        let at = match wanted.files {
            Some(run) => self.find(run).await?,
            None => None,
        };
        match at {
            Some(at) => {
                let member = self.builders.iter().find(|member| member.name == at);
                // Otherwise each stage would be tried there until there are no tries left.
                if let Some(member) = member
                    && !self.is_there(member).await
                {
                    return Err(PlatformError::Gone(said::host_silent()));
                }
                self.placed(|placed| placed.take(wanted.run, &at));
            }
            None => self.choose(wanted).await?,
        }
        tracing::info!(run = %wanted.run, host = self.of(wanted.run).name, "a host is taken for it");
        Ok(())
    }

    fn host_of(&self, run: &RunId) -> Option<String> {
        self.placed(|placed| placed.at(run))
    }

    async fn drop_brought(&self, ended: &BTreeSet<String>) {
        self.ask_builders("images", |member| member.drop_brought(&self.home, ended)).await;
    }

    async fn image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        self.home.engine.image(reference, team).await
    }

    async fn build(&self, build: &Build, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        let Some(member) = self.builder_of(&build.run) else { return self.home.engine.build(build, sink, cancel).await };
        let bases = async {
            for base in &build.bases {
                member.bring(&self.home, &base.id, Some(&base.name)).await?;
            }
            Ok::<_, PlatformError>(())
        };
        tokio::select! {
            brought = bases => brought?,
            () = cancel.cancelled() => return Err(PlatformError::Cancelled),
        }
        let image = member.engine.build(build, sink, cancel.clone()).await?;
        tokio::select! {
            home = self.home.bring_home(member, &image.id) => home?,
            () = cancel.cancelled() => return Err(PlatformError::Cancelled),
        }
        Ok(image)
    }

    async fn default_bridge(&self) -> Result<Option<String>, PlatformError> {
        self.home.engine.default_bridge().await
    }

    async fn bound_build_cache(&self, most: u64) -> Result<u64, PlatformError> {
        let away = self.ask_builders("its build cache", |member| member.engine.bound_build_cache(most)).await;
        let home = self.home.engine.bound_build_cache(most).await?;
        Ok(home + away.into_iter().map(|(_, freed)| freed).sum::<u64>())
    }

    async fn build_base(&self, build: &BaseBuild, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        self.home.engine.build_base(build, sink, cancel).await
    }

    async fn base_images(&self) -> Result<Vec<String>, PlatformError> {
        self.home.engine.base_images().await
    }

    async fn remove_base(&self, image: &str) -> Result<(), PlatformError> {
        self.home.engine.remove_base(image).await
    }

    async fn built_images(&self) -> Result<Vec<(String, RunId)>, PlatformError> {
        let mut built: BTreeSet<(String, RunId)> = self.home.engine.built_images().await?.into_iter().collect();
        for (_, there) in self.ask_builders("images", |member| member.engine.built_images()).await {
            built.extend(there);
        }
        Ok(built.into_iter().collect())
    }

    async fn forget_builds(&self, service: &ServiceId) -> Result<(), PlatformError> {
        self.ask_builders("what builds left", |member| member.engine.forget_builds(service)).await;
        self.home.engine.forget_builds(service).await
    }

    async fn read_image(&self, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError> {
        self.home.engine.read_image(read).await
    }

    async fn remove_image(&self, id: &str) -> Result<(), PlatformError> {
        // Of one that does not answer it is dropped later: nothing stays there that is not at home.
        self.ask_builders("an image", |member| member.engine.remove_image(id)).await;
        self.home.engine.remove_image(id).await
    }

    async fn fill_workspace(&self, workspace: &Workspace, archive: PathBuf, cancel: CancellationToken) -> Result<(), PlatformError> {
        self.of(&workspace.run).engine.fill_workspace(workspace, archive, cancel).await
    }

    async fn read_workspace(&self, workspace: &Workspace, path: &str) -> Result<Option<Archive>, PlatformError> {
        self.of(&workspace.run).engine.read_workspace(workspace, path).await
    }

    async fn copy_workspace(&self, from: &Workspace, to: &Workspace, cancel: CancellationToken) -> Result<(), PlatformError> {
        // On one host: it was taken for the sake of these files.
        self.of(&to.run).engine.copy_workspace(from, to, cancel).await
    }

    async fn settle_run(&self, run: &RunId) -> Result<bool, PlatformError> {
        let mut files = false;
        for member in self.left_by(run) {
            match member.engine.settle_run(run).await {
                Ok(kept) => files |= kept,
                Err(error) => self.forgive(run, member, error)?,
            }
        }
        self.placed(|placed| placed.forget(run));
        Ok(files)
    }

    async fn clean_run(&self, run: &RunId) -> Result<(), PlatformError> {
        for member in self.left_by(run) {
            if let Err(error) = member.engine.clean_run(run).await {
                self.forgive(run, member, error)?;
            }
        }
        self.placed(|placed| placed.forget(run));
        Ok(())
    }

    async fn caches(&self) -> Result<BTreeSet<CacheId>, PlatformError> {
        let mut all = self.home.engine.caches().await?;
        for (_, there) in self.ask_builders("caches", |member| member.engine.caches()).await {
            all.extend(there);
        }
        Ok(all)
    }

    async fn cache_sizes(&self) -> Result<BTreeMap<CacheId, u64>, PlatformError> {
        let mut all = self.home.engine.cache_sizes().await?;
        let told = self.ask_builders("the size of caches", |member| member.engine.cache_sizes()).await;
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.extend(told.into_iter().map(|(member, there)| (member.name.clone(), there)));
        // What is on a builder that does not answer still takes the room it took.
        all.extend(sizes.values().flatten().map(|(id, size)| (id.clone(), *size)));
        Ok(all)
    }

    async fn copy_cache(&self, run: &Workspace, from: &CacheId, to: &CacheId, cancel: CancellationToken) -> Result<(), PlatformError> {
        let member = self.of(&run.run);
        match self.elsewhere(member, from).await? {
            None => member.engine.copy_cache(run, from, to, cancel).await,
            Some(other) => match other.engine.read_cache(run, from).await? {
                Some(archive) => member.engine.fill_cache(run, to, archive, cancel).await,
                None => Ok(()),
            },
        }
    }

    async fn remove_cache(&self, id: &CacheId) -> Result<(), PlatformError> {
        let remove = |member: &Arc<Member>| {
            let engine = Arc::clone(&member.engine);
            async move {
                match engine.remove_cache(id).await {
                    Err(error) if error.passing() => Err(error),
                    removed => Ok(removed),
                }
            }
        };
        // Once one answers that does not answer now, nobody knows of what is there, and it is removed.
        let away = self.ask_builders("a cache", remove).await;
        away.into_iter().try_for_each(|(_, removed)| removed)?;
        self.home.engine.remove_cache(id).await
    }

    async fn runs_with_leftovers(&self) -> Result<Vec<RunId>, PlatformError> {
        let mut all: BTreeSet<RunId> = self.home.engine.runs_with_leftovers().await?.into_iter().collect();
        let away = self.ask_builders("what runs left", |member| member.engine.runs_with_leftovers()).await;
        self.placed(|placed| {
            placed.look_anew();
            all.iter().for_each(|run| placed.saw(run, &self.home.name));
            for (member, left) in &away {
                left.iter().for_each(|run| placed.saw(run, &member.name));
            }
        });
        all.extend(away.into_iter().flat_map(|(_, left)| left));
        Ok(all.into_iter().collect())
    }
}

const fn answers(host: &Host) -> bool {
    matches!(host.state, EngineState::Answers | EngineState::Slow)
}

impl Pool {
    /// Where something of a run may be, but for hosts that it is not on any more and that do not answer: a later sweep goes there.
    fn left_by(&self, run: &RunId) -> Vec<&Arc<Member>> {
        let (names, at) = self.placed(|placed| (placed.left(run), placed.at(run)));
        if names.is_empty() {
            return vec![&self.home];
        }
        let here = |member: &Arc<Member>| at.as_ref() == Some(&member.name) || !member.is_silent();
        self.everywhere().filter(|member| names.contains(&member.name) && here(member)).collect()
    }

    /// What a run left on a host that it is not on any more is removed by a later sweep, where that host does not answer now.
    fn forgive(&self, run: &RunId, member: &Member, error: PlatformError) -> Result<(), PlatformError> {
        if error.passing() && self.of(run).name != member.name {
            tracing::warn!(%run, host = member.name, %error, "what it left there is removed later");
            return Ok(());
        }
        Err(error)
    }

    /// Another host that has a cache which this one does not have.
    async fn elsewhere(&self, member: &Arc<Member>, cache: &CacheId) -> Result<Option<&Arc<Member>>, PlatformError> {
        if member.engine.caches().await?.contains(cache) {
            return Ok(None);
        }
        let others = self.ask_builders("caches", |other| other.engine.caches()).await;
        if let Some((other, _)) = others.into_iter().find(|(_, caches)| caches.contains(cache)) {
            return Ok(Some(other));
        }
        let home = member.name != self.home.name && self.home.engine.caches().await?.contains(cache);
        Ok(home.then_some(&self.home))
    }

    /// Moves a cache to where a task has it.
    async fn bring_cache(
        &self,
        member: &Arc<Member>,
        task: &Task,
        cache: &CacheId,
        cancel: &CancellationToken,
    ) -> Result<(), PlatformError> {
        let (Some((workspace, _)), Some(other)) = (&task.workspace, self.elsewhere(member, cache).await?) else { return Ok(()) };
        if let Some(archive) = other.engine.read_cache(workspace, cache).await? {
            member.engine.fill_cache(workspace, cache, archive, cancel.clone()).await?;
        }
        if let Err(error) = other.engine.remove_cache(cache).await {
            tracing::warn!(host = other.name, %cache, %error, "it was brought to another host, and is still here");
        }
        Ok(())
    }
}
