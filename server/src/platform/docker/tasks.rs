//! Commands that run to their end.

use std::time::Duration;

use bollard::query_parameters::{AttachContainerOptionsBuilder, WaitContainerOptionsBuilder};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    super::{ImageInfo, Network, PlatformError, Sink, Task, TaskEnd, container},
    Docker,
    call::Call,
    errors,
    networks::Made,
    streams,
};

/// How long a task that is told to stop may take, and how long its last output may.
const GRACE: Duration = Duration::from_secs(2);

/// Removes a container even where nobody waits for what it is for any more.
pub(super) struct Leftover {
    pub(super) docker: Docker,
    pub(super) name: Option<String>,
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let (Some(name), Ok(runtime)) = (self.name.take(), tokio::runtime::Handle::try_current()) {
            let docker = self.docker.clone();
            runtime.spawn(async move { docker.force_remove(&name).await });
        }
    }
}

/// A task's container that this process started.
struct Begun<'a> {
    docker: &'a Docker,
    name: &'a str,
}

impl<'a> Begun<'a> {
    fn new(docker: &'a Docker, name: &'a str) -> Self {
        docker.begun().insert(name.to_owned());
        Self { docker, name }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.docker.begun().remove(self.name);
    }
}

/// Why a task is over.
enum Over {
    ByItself,
    TimedOut,
    Cancelled,
}

impl Docker {
    pub(super) async fn run_task(&self, task: &Task, sink: Sink, cancel: CancellationToken) -> Result<TaskEnd, PlatformError> {
        let name = container::task_name(&self.0.instance, &task.name);
        let image = self.find_image(&task.image, &task.team).await?;
        self.force_remove(&name).await?;
        let mut leftover = Leftover { docker: self.clone(), name: Some(name.clone()) };
        let network = self.ensure_network(&task.network).await?;
        let ended = Box::pin(self.run_container(&name, task, &image, network.as_ref(), sink, cancel)).await;
        match self.force_remove(&name).await {
            Ok(()) => leftover.name = None,
            Err(error) => tracing::warn!(%name, %error, "the container of a task is left over"),
        }
        // That of a run stays until the run is cleaned up: its next step needs it.
        if let (Network::Target { .. }, Some(network)) = (&task.network, network)
            && let Err(error) = self.drop_network(&network.name).await
        {
            tracing::warn!(network = network.name, %error, "a network is left over");
        }
        ended
    }

    async fn run_container(
        &self,
        name: &str,
        task: &Task,
        image: &ImageInfo,
        network: Option<&Made>,
        sink: Sink,
        cancel: CancellationToken,
    ) -> Result<TaskEnd, PlatformError> {
        self.ensure_caches(&task.team, &task.caches).await?;
        let specification = container::task(&self.0.instance, task, image, Made::place(network))?;
        if !self.create(name, specification).await? {
            return Err(PlatformError::Refused(format!("another {name} was started at the same time")));
        }
        // Attached before the start, so that no line is lost; the engine holds the writer back where we read slowly.
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = self.within(Call::Attach, name, self.client().await?.attach_container(name, Some(options))).await?;
        self.start(name).await.map_err(errors::cannot_start)?;
        let _begun = Begun::new(self, name);
        let pump = async {
            let mut output = attached.output;
            while let Some(piece) = output.next().await {
                // A reader that went away does not stop the task.
                let _ = sink.send(streams::output(piece.map_err(errors::read)?)).await;
            }
            self.wait(name).await
        };
        let pump = self.listening(pump);
        tokio::pin!(pump);
        let over = tokio::select! {
            ended = &mut pump => { ended?; Over::ByItself }
            () = tokio::time::sleep(task.timeout) => Over::TimedOut,
            () = cancel.cancelled() => Over::Cancelled,
            error = self.watch() => return Err(error),
        };
        if !matches!(over, Over::ByItself) {
            // What it says while it stops is still passed on.
            let last = async {
                let _ = tokio::time::timeout(GRACE * 2, &mut pump).await;
            };
            let (stopped, ()) = tokio::join!(self.stop(name, GRACE), last);
            stopped?;
        }
        match over {
            Over::TimedOut => Ok(TaskEnd::TimedOut),
            Over::Cancelled => Ok(TaskEnd::Cancelled),
            Over::ByItself => self.end_of(name).await,
        }
    }

    pub(super) async fn exec_beside(
        &self,
        task: &str,
        command: Option<&[String]>,
        timeout: Duration,
    ) -> Result<Option<i64>, PlatformError> {
        let name = container::task_name(&self.0.instance, task);
        // One that a former process left behind has this name too, until it is removed: nobody is to rely on it.
        if !self.begun().contains(&name) {
            return Ok(None);
        }
        let state = self.inspect(&name).await?.and_then(|found| found.state);
        if state.and_then(|state| state.running) != Some(true) {
            return Ok(None);
        }
        let Some(command) = command else { return Ok(Some(0)) };
        match self.exec_named(name, command, timeout).await {
            Ok(code) => Ok(Some(code)),
            // It ended in between.
            Err(PlatformError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until a container that closed its output ends.
    async fn wait(&self, name: &str) -> Result<(), PlatformError> {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let stream = self.client().await?.wait_container(name, Some(options));
        let mut stream = std::pin::pin!(stream);
        match stream.next().await {
            // An exit code other than 0 comes as an error too.
            None | Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
            Some(Err(error)) => Err(errors::read(error).into()),
        }
    }

    /// Ends when the engine does not answer any more.
    async fn watch(&self) -> PlatformError {
        loop {
            tokio::time::sleep(self.0.deadlines.idle).await;
            if let Err(error) = self.ping_patiently().await {
                return error;
            }
        }
    }

    async fn end_of(&self, name: &str) -> Result<TaskEnd, PlatformError> {
        let mut end = self.read_end(name).await?;
        // The engine hears of the kill and of the end apart from each other.
        if end == (TaskEnd::Exited { code: 137, out_of_memory: false }) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            end = self.read_end(name).await?;
        }
        Ok(end)
    }

    async fn read_end(&self, name: &str) -> Result<TaskEnd, PlatformError> {
        let state = self.inspect(name).await?.and_then(|found| found.state);
        let state = state.ok_or_else(|| PlatformError::NotFound(format!("the container of the task, {name},")))?;
        if state.running == Some(true) {
            return Err(PlatformError::Refused(format!("the output of {name} ended and it did not")));
        }
        Ok(TaskEnd::Exited { code: state.exit_code.unwrap_or(-1), out_of_memory: state.oom_killed.unwrap_or(false) })
    }
}
