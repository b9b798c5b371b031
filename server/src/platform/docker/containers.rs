//! Copies of services: made, found again, removed.

use std::{
    collections::HashSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use app::model::Timestamp;
use bollard::{
    exec::{CreateExecOptions, StartExecResults},
    models::{
        ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum,
        EndpointSettings,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
        StopContainerOptionsBuilder,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{
    super::{ContainerState, Observed, OutputStream, PlatformError, Scope, Workload, WorkloadId, container},
    Docker,
    call::Call,
    errors::{self, Failure},
    networks::{Made, with_labels},
    streams,
};

impl Made {
    pub(super) fn place(this: Option<&Self>) -> container::Place<'_> {
        this.map_or(container::Place::Nowhere, |made| container::Place::On { name: &made.name, id: &made.id })
    }
}

/// How often it is looked whether a late command is over.
const LATE_AGAIN: Duration = Duration::from_millis(200);

/// A command in a container that nobody may see to its end: an engine does not end it with the call. Noted as late then, so that
/// no second one is started beside it.
struct Left<'a> {
    driver: &'a Docker,
    container: &'a str,
    /// None once it is over.
    exec: Option<String>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(exec) = self.exec.take() {
            self.driver.late().insert(self.container.to_owned(), exec);
        }
    }
}

impl Docker {
    pub(super) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, PlatformError> {
        match self.within(Call::Ask, name, self.client().await?.inspect_container(name, None)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Makes a container. `false`: one of this name is there already.
    pub(super) async fn create(&self, name: &str, specification: Value) -> Result<bool, PlatformError> {
        let body: ContainerCreateBody = serde_json::from_value(specification)
            .map_err(|error| PlatformError::Refused(format!("the specification of {name}: {error}")))?;
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        match self.within(Call::Create, name, self.client().await?.create_container(Some(options), body)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.is(409) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), Failure> {
        self.within(Call::Start, name, self.client().await?.start_container(name, None)).await
    }

    /// Ends a container: `SIGTERM`, and after the grace `SIGKILL`. One that is not there or has ended is fine.
    pub(super) async fn stop(&self, name: &str, grace: Duration) -> Result<(), PlatformError> {
        let seconds = i32::try_from(grace.as_millis().div_ceil(1_000)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        match self.within_extra(Call::Stop, grace, name, self.client().await?.stop_container(name, Some(options))).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.is(404) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Removes a container, running or not, with its own volumes. One that is not there is fine.
    pub(super) async fn force_remove(&self, name: &str) -> Result<(), PlatformError> {
        let docker = self.client().await?;
        for _ in 0..100 {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match self.within(Call::Remove, name, docker.remove_container(name, Some(options))).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.is(404) => return Ok(()),
                // Somebody else is removing it just now: until it is gone, its name is taken.
                Err(failure) if failure.is(409) && failure.says("in progress") => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(PlatformError::Refused(format!("{name} is being removed for more than 10 s")))
    }

    pub(super) async fn ensure_copy(&self, workload: &Workload) -> Result<Observed, PlatformError> {
        let name = container::copy_name(&self.0.instance, &workload.id);
        let begun = Instant::now();
        while begun.elapsed() < self.0.deadlines.long {
            if let Some(found) = self.inspect(&name).await? {
                let observed = read(found)
                    .ok_or_else(|| PlatformError::Refused(format!("{name} exists and is not Berth's; remove it or rename it")))?;
                if observed.state != ContainerState::Created {
                    return Ok(observed);
                }
            } else if !self.create_copy(&name, workload).await? {
                // While somebody makes or removes it, its name is taken and it is not to be seen.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            match self.start(&name).await {
                Ok(()) => {}
                // The last other container of its network was removed, and the network with it, in between.
                Err(failure) if failure.says("network") && failure.says("not found") => self.force_remove(&name).await?,
                Err(failure) => return Err(errors::cannot_start(failure)),
            }
        }
        Err(PlatformError::Refused(format!("{name} is being made or removed by somebody else all the time")))
    }

    /// `false`: somebody else made it in between.
    async fn create_copy(&self, name: &str, workload: &Workload) -> Result<bool, PlatformError> {
        let image = self.local_image(&workload.image, &workload.id.team).await?;
        let network = self.ensure_network(&workload.network).await?;
        let specification = container::copy(&self.0.instance, workload, &image, Made::place(network.as_ref()))?;
        let made = self.create(name, specification).await;
        if let (Err(_), Some(network)) = (&made, &network) {
            // It may have been made for this copy alone. If it stays, the next sweep finds it.
            let _ = self.drop_network(&network.name).await;
        }
        made
    }

    pub(super) async fn remove_copy(&self, id: &WorkloadId, grace: Duration) -> Result<(), PlatformError> {
        let name = container::copy_name(&self.0.instance, id);
        let Some(found) = self.inspect(&name).await? else {
            // An earlier attempt may have ended between the container and its network.
            return self.sweep_networks().await;
        };
        // By its id from here on: a call the engine carries out late must not meet a successor of the same name.
        let this = found.id.as_deref().unwrap_or(&name);
        if found.state.as_ref().and_then(|state| state.running) == Some(true) {
            self.stop(this, grace).await?;
        }
        self.force_remove(this).await?;
        self.late().remove(&name);
        if let Some(network) = found.config.and_then(|config| config.labels?.remove(container::NETWORK)) {
            self.drop_network(&network).await?;
        }
        Ok(())
    }

    pub(super) async fn observe_copies(&self, scope: &Scope) -> Result<Vec<Observed>, PlatformError> {
        let filters = match scope {
            Scope::All => with_labels([(container::INSTANCE, &self.0.instance), (container::SLOT, "")]),
            Scope::Team(team) => {
                with_labels([(container::INSTANCE, &self.0.instance), (container::SLOT, ""), (container::TEAM, team.as_str())])
            }
            Scope::Target(target) => {
                with_labels([(container::INSTANCE, &self.0.instance), (container::SLOT, ""), (container::TARGET, target.as_str())])
            }
        };
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.within(Call::Ask, "containers", self.client().await?.list_containers(Some(options))).await?;
        self.forget_all_but(scope, &found);
        let observed = stream::iter(found).map(|summary| self.read_summary(summary)).buffer_unordered(8).try_collect::<Vec<_>>().await?;
        let mut observed: Vec<Observed> = observed.into_iter().flatten().collect();
        observed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(observed)
    }

    /// A listing lacks when a container started and how it ended. What runs is asked for it once, and remembered.
    async fn read_summary(&self, summary: ContainerSummary) -> Result<Option<Observed>, PlatformError> {
        let Some(id) = summary.id.clone() else { return Ok(None) };
        if summary.state == Some(ContainerSummaryStateEnum::RUNNING)
            && let Some(mut known) = self.known().get(&id).cloned()
        {
            known.address = summary.network_settings.and_then(|settings| address(settings.networks?.into_values()));
            return Ok(Some(known));
        }
        let Some(observed) = self.inspect(&id).await?.and_then(read) else { return Ok(None) };
        if observed.state == ContainerState::Running {
            self.known().insert(id, observed.clone());
        }
        Ok(Some(observed))
    }

    fn forget_all_but(&self, scope: &Scope, there: &[ContainerSummary]) {
        if *scope == Scope::All {
            let there: HashSet<&String> = there.iter().filter_map(|summary| summary.id.as_ref()).collect();
            self.known().retain(|id, _| there.contains(id));
        }
    }

    pub(super) async fn exec_in(&self, id: &WorkloadId, command: &[String], timeout: Duration) -> Result<i64, PlatformError> {
        self.exec_named(container::copy_name(&self.0.instance, id), command, timeout).await
    }

    pub(super) async fn exec_named(&self, name: String, command: &[String], timeout: Duration) -> Result<i64, PlatformError> {
        let docker = self.client().await?;
        // An engine has no way to end a command: until the late one ends by itself there is no second beside it.
        let late = self.late().get(&name).cloned();
        if let Some(late) = late {
            let over = async {
                while self.within(Call::Ask, &name, docker.inspect_exec(&late)).await.is_ok_and(|exec| exec.running == Some(true)) {
                    tokio::time::sleep(LATE_AGAIN).await;
                }
            };
            if tokio::time::timeout(timeout, over).await.is_err() {
                return Err(PlatformError::TimedOut(timeout));
            }
            self.late().remove(&name);
        }
        let options =
            CreateExecOptions { cmd: Some(command.to_vec()), attach_stdout: Some(true), attach_stderr: Some(true), ..Default::default() };
        let made = match self.within(Call::Ask, &name, docker.create_exec(&name, options)).await {
            Err(failure) if failure.is(404) => return Err(PlatformError::NotFound(name)),
            Err(failure) if failure.is(409) => return Err(PlatformError::Refused(format!("{name} does not run"))),
            made => made?,
        };
        let mut left = Left { driver: self, container: &name, exec: Some(made.id.clone()) };
        let run = async {
            if let StartExecResults::Attached { mut output, .. } = docker.start_exec(&made.id, None).await? {
                while output.next().await.is_some() {}
            }
            Ok(())
        };
        match self.within(Call::Exec(timeout), &name, run).await {
            // The command, not the engine, is late: it is asked below whether it is.
            Err(Failure::Other(PlatformError::Hung { .. })) => {
                drop(left);
                self.ping().await?;
                return Err(PlatformError::TimedOut(timeout));
            }
            ran => {
                ran?;
                left.exec = None;
            }
        }
        let ended = self.within(Call::Ask, &name, docker.inspect_exec(&made.id)).await?;
        Ok(ended.exit_code.unwrap_or(-1))
    }

    pub(super) async fn read_logs(&self, id: &WorkloadId, tail: u32, follow: bool) -> Result<OutputStream, PlatformError> {
        let name = container::copy_name(&self.0.instance, id);
        if self.inspect(&name).await?.is_none() {
            return Err(PlatformError::NotFound(name));
        }
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).follow(follow).tail(&tail.to_string()).build();
        let stream = self.client().await?.logs(&name, Some(options));
        Ok(Box::pin(self.watched(self.0.deadlines.idle, stream).map_ok(streams::output)))
    }
}

/// Reads a container. `None`: it is no copy of ours.
pub(super) fn read(found: ContainerInspectResponse) -> Option<Observed> {
    let state = found.state?;
    let (id, fence) = container::read_labels(found.config?.labels.as_ref()?)?;
    let state_now = match state.status? {
        ContainerStateStatusEnum::CREATED => ContainerState::Created,
        ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED | ContainerStateStatusEnum::RESTARTING => {
            ContainerState::Running
        }
        _ => ContainerState::Exited { code: state.exit_code.unwrap_or(-1), out_of_memory: state.oom_killed.unwrap_or(false) },
    };
    let running = state_now == ContainerState::Running;
    Some(Observed {
        id,
        fence,
        container: found.name?.trim_start_matches('/').to_owned(),
        image: found.image?,
        state: state_now,
        address: found.network_settings.filter(|_| running).and_then(|settings| address(settings.networks?.into_values())),
        started_at: state.started_at.as_deref().and_then(Timestamp::parse).filter(|at| at.0 > 0),
        restarts: found.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
    })
}

fn address(networks: impl Iterator<Item = EndpointSettings>) -> Option<IpAddr> {
    networks.filter_map(|network| network.ip_address?.parse().ok()).next()
}
