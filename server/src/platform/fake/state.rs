//! What the fake platform holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::model::{CacheId, EngineState, RunId, TeamId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::{
    Behaviour, ContainerState, Observed, OnBuild, OnTask, PlatformError, Scope, Task, Verb, Workload, WorkloadId,
    faults::Faults,
    listen::{self, Answer},
    script::Leaves,
};

/// One copy.
#[derive(Debug)]
pub(super) struct Copy {
    observed: Observed,
    behaviour: Behaviour,
    lines: Vec<String>,
    stop: CancellationToken,
}

pub(super) struct State {
    pub(super) images: BTreeMap<String, Behaviour>,
    /// Ids by the names that were given to them.
    pub(super) names: BTreeMap<String, String>,
    pub(super) copies: HashMap<WorkloadId, Copy>,
    pub(super) faults: Faults,
    pub(super) engine: EngineState,
    pub(super) deadline: Duration,
    pub(super) calls: Vec<(Verb, String)>,
    pub(super) ensured: Vec<Workload>,
    pub(super) tasks: Vec<Task>,
    /// What runs beside steps, by name, with what a command inside of it exits with.
    pub(super) beside: BTreeMap<String, i64>,
    pub(super) leftovers: BTreeSet<RunId>,
    /// What is in the workspaces, by path.
    pub(super) workspaces: HashMap<RunId, BTreeMap<String, Leaves>>,
    /// Caches with their sizes.
    pub(super) caches: BTreeMap<CacheId, u64>,
    /// Images by id, with the team and the run that built them.
    pub(super) built: BTreeMap<String, (TeamId, RunId)>,
    /// The ids of base images.
    pub(super) bases: BTreeSet<String>,
    pub(super) on_task: Option<Arc<OnTask>>,
    pub(super) on_build: Option<Arc<OnBuild>>,
}

pub(super) struct Inner {
    state: Mutex<State>,
    listens: bool,
    pub(super) changes: broadcast::Sender<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").field("copies", &self.lock().copies.len()).finish_non_exhaustive()
    }
}

/// The name a copy's container would have.
pub(super) fn name(id: &WorkloadId) -> String {
    format!("{}-r{}-{}-{}", id.target, id.release, id.process, id.slot)
}

impl Inner {
    pub(super) fn new(listens: bool) -> Self {
        Self {
            state: Mutex::new(State {
                images: BTreeMap::new(),
                names: BTreeMap::new(),
                copies: HashMap::new(),
                faults: Faults::default(),
                engine: EngineState::Answers,
                deadline: Duration::from_millis(100),
                calls: Vec::new(),
                ensured: Vec::new(),
                tasks: Vec::new(),
                beside: BTreeMap::new(),
                leftovers: BTreeSet::new(),
                workspaces: HashMap::new(),
                built: BTreeMap::new(),
                bases: BTreeSet::new(),
                caches: BTreeMap::new(),
                on_task: None,
                on_build: None,
            }),
            listens,
            changes: broadcast::channel(16).0,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        let _ = self.changes.send(());
    }

    /// The copy, started if it is not there.
    pub(super) fn start(&self, workload: &Workload, behaviour: Behaviour) -> Observed {
        let mut state = self.lock();
        if let Some(copy) = state.copies.get(&workload.id) {
            return copy.observed.clone();
        }
        let end = behaviour.end(&workload.env);
        let mut lines = behaviour.lines.clone();
        lines.extend(end.as_ref().and_then(|(_, _, line)| line.clone()));
        let address = listen::next_address();
        let observed = Observed {
            id: workload.id.clone(),
            fence: workload.fence,
            container: name(&workload.id),
            image: workload.image.clone(),
            state: match end {
                Some((code, out_of_memory, _)) => ContainerState::Exited { code, out_of_memory },
                None => ContainerState::Running,
            },
            address: end.is_none().then_some(address),
            started_at: Some(crate::clock::now()),
            restarts: 0,
        };
        let stop = CancellationToken::new();
        if self.listens && end.is_none() && behaviour.listens {
            let text = workload.env.get("TEXT").unwrap_or(&behaviour.text).clone();
            let answer = Answer { id: workload.id.clone(), status: behaviour.status, text, after: behaviour.answers_after };
            for port in &behaviour.ports {
                let (answer, stop, after) = (answer.clone(), stop.clone(), behaviour.listens_after);
                let address = SocketAddr::new(address, *port);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    listen::serve(address, answer, stop).await;
                });
            }
        }
        state.copies.insert(workload.id.clone(), Copy { observed: observed.clone(), behaviour, lines, stop });
        drop(state);
        self.changed();
        observed
    }

    /// Ends a copy and leaves it there.
    pub(super) fn end(&self, id: &WorkloadId, code: i64, out_of_memory: bool) {
        if let Some(copy) = self.lock().copies.get_mut(id) {
            copy.stop.cancel();
            copy.observed.state = ContainerState::Exited { code, out_of_memory };
            copy.observed.address = None;
        }
        self.changed();
    }

    /// Ends a copy and takes it away.
    pub(super) fn take(&self, id: &WorkloadId) {
        if let Some(copy) = self.lock().copies.remove(id) {
            copy.stop.cancel();
        }
        self.changed();
    }

    pub(super) fn observe(&self, scope: &Scope) -> Vec<Observed> {
        let mut observed: Vec<Observed> = self
            .lock()
            .copies
            .values()
            .map(|copy| copy.observed.clone())
            .filter(|copy| match scope {
                Scope::All => true,
                Scope::Team(team) => copy.id.team == *team,
                Scope::Target(target) => copy.id.target == *target,
            })
            .collect();
        observed.sort_by(|a, b| a.id.cmp(&b.id));
        observed
    }

    pub(super) fn exec(&self, id: &WorkloadId) -> Result<i64, PlatformError> {
        match self.lock().copies.get(id) {
            Some(copy) if copy.observed.state == ContainerState::Running => Ok(copy.behaviour.exec),
            Some(_) => Err(PlatformError::Refused(format!("{} does not run", name(id)))),
            None => Err(PlatformError::NotFound(name(id))),
        }
    }

    /// The last lines of a copy, and a token that is cancelled when it ends.
    pub(super) fn lines(&self, id: &WorkloadId, tail: u32) -> Result<(Vec<String>, CancellationToken), PlatformError> {
        let state = self.lock();
        let copy = state.copies.get(id).ok_or_else(|| PlatformError::NotFound(name(id)))?;
        let skip = copy.lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
        Ok((copy.lines.iter().skip(skip).cloned().collect(), copy.stop.clone()))
    }
}
