//! Every call of the engine passes through here: a client, a deadline, a fail point before and after, a readable error.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use bollard::{BollardRequest, errors::Error};
use tokio::time::timeout;

use super::{
    super::{PlatformError, silence},
    Docker, connect,
    errors::{self, Failure},
};
use crate::telemetry::metrics;

/// How long calls may take until the engine counts as hung.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Questions.
    pub short: Duration,
    /// Changes: making, starting, stopping (on top of its grace), removing.
    pub long: Duration,
    /// Pulling an image, uploading or downloading an archive.
    pub transfer: Duration,
    /// Silence on a stream until the engine is asked whether it is still there.
    pub idle: Duration,
    /// An answer later than this makes a host slow.
    pub slow: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            short: Duration::from_secs(10),
            long: Duration::from_secs(60),
            transfer: Duration::from_secs(15 * 60),
            idle: Duration::from_secs(30),
            slow: Duration::from_secs(2),
        }
    }
}

/// The calls. Each has two fail points: `docker::before_<name>` and `docker::after_<name>`; told to lose, they are answers
/// that got lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Ask,
    Create,
    Start,
    Stop,
    Remove,
    Attach,
    Exec(Duration),
    NetworkCreate,
    NetworkRemove,
    VolumeCreate,
    VolumeRemove,
    Upload,
    Download,
    Pull,
    ImageImport,
    ImageTag,
    ImageRemove,
    Weigh,
}

impl Call {
    const fn deadline(self, of: &Deadlines) -> Duration {
        match self {
            Self::Ask | Self::Attach => of.short,
            Self::Create
            | Self::Start
            | Self::Stop
            | Self::Remove
            | Self::NetworkCreate
            | Self::NetworkRemove
            | Self::VolumeCreate
            | Self::VolumeRemove
            | Self::ImageImport
            | Self::ImageTag
            | Self::ImageRemove
            | Self::Weigh => of.long,
            Self::Upload | Self::Download | Self::Pull => of.transfer,
            Self::Exec(time) => time,
        }
    }

    /// The name in the figures and the fail points.
    const fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Attach => "attach",
            Self::Exec(_) => "exec",
            Self::NetworkCreate => "network_create",
            Self::NetworkRemove => "network_remove",
            Self::VolumeCreate => "volume_create",
            Self::VolumeRemove => "volume_remove",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Pull => "pull",
            Self::ImageImport => "image_import",
            Self::ImageTag => "image_tag",
            Self::ImageRemove => "image_remove",
            Self::Weigh => "weigh",
        }
    }
}

impl Docker {
    /// The client, with the version of the API agreed on. Made at the first call that finds an engine.
    pub(super) async fn client(&self) -> Result<&bollard::Docker, PlatformError> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        // Side by side, not one after the other: each caller of a hung engine waits for its own deadline alone.
        let client = self.connect().await?;
        Ok(self.0.client.get_or_init(|| std::future::ready(client)).await)
    }

    async fn connect(&self) -> Result<bollard::Docker, PlatformError> {
        let address = &self.0.address;
        let docker = connect::client(address, connect::API).map_err(errors::read)?;
        let answer = self.within(Call::Ask, "its version", docker.version()).await?;
        let (least, most) = (answer.min_api_version.as_deref(), answer.api_version.as_deref());
        let version = connect::agree(least, most).ok_or_else(|| {
            PlatformError::Refused(format!(
                "the engine at {address} speaks API {} and Berth needs {}.{} or later: Docker 20.10 or a newer one",
                most.unwrap_or("of an unknown version"),
                connect::API.0,
                connect::API.1,
            ))
        })?;
        let docker = connect::client(address, version).map_err(errors::read)?;
        Ok(docker.with_request_modifier(move |request| connect::rewrite(request, version, "")))
    }

    /// A client whose requests have this added to their query: for parameters that the client's types cannot hold.
    pub(super) async fn client_with(&self, query: String) -> Result<bollard::Docker, PlatformError> {
        self.client_that(move |request, version| connect::rewrite(request, version, &query)).await
    }

    /// A client whose requests are changed on their way, for what its types cannot say: each is given with the version agreed on.
    pub(super) async fn client_that(
        &self,
        changes: impl Fn(BollardRequest, (usize, usize)) -> BollardRequest + Send + Sync + 'static,
    ) -> Result<bollard::Docker, PlatformError> {
        let docker = self.client().await?.clone();
        let version = docker.client_version();
        let version = (version.major_version, version.minor_version);
        Ok(docker.with_request_modifier(move |request| changes(request, version)))
    }

    /// One call with its deadline.
    pub(super) async fn within<T>(
        &self,
        call: Call,
        about: &str,
        future: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        self.within_extra(call, Duration::ZERO, about, future).await
    }

    /// One call with its deadline and this much on top.
    pub(super) async fn within_extra<T>(
        &self,
        call: Call,
        extra: Duration,
        about: &str,
        future: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        let asked = Instant::now();
        let answer = self.without_figures(call, extra, about, future).await;
        let outcome = answer.as_ref().map_or_else(Failure::name, |_| "ok");
        metrics::engine_called(call.name(), outcome, asked.elapsed());
        answer
    }

    async fn without_figures<T>(
        &self,
        call: Call,
        extra: Duration,
        about: &str,
        future: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Failure> {
        let after = call.deadline(&self.0.deadlines) + extra;
        let hung = || Failure::Other(PlatformError::Hung { what: format!("{call:?} {about}"), after });
        point!(&format!("docker::before_{}", call.name()), Err(hung()));
        let answer = timeout(after, self.listening(Box::pin(future))).await.map_err(|_| hung());
        let answer = answer.and_then(|answer| answer.map_err(errors::read));
        silence::tell(&self.name(), answer.as_ref().map_or_else(Failure::silence, |_| Ok(())));
        point!(&format!("docker::after_{}", call.name()), Err(hung()));
        answer
    }

    /// Waits for an answer. While it takes long the engine is asked whether it is there, for those who want to hear it.
    pub(super) async fn listening<T>(&self, answer: impl Future<Output = T>) -> T {
        if !silence::is_heard() {
            return answer.await;
        }
        let mut answer = std::pin::pin!(answer);
        loop {
            if let Ok(answer) = timeout(silence::SOON, &mut answer).await {
                return answer;
            }
            tokio::select! {
                answer = &mut answer => return answer,
                there = Box::pin(self.is_there()) => silence::tell(&self.name(), there.as_ref().copied()),
            }
        }
    }

    /// Whether the engine answers soon. Counted nowhere, and no fail point: when it is asked depends on the moment.
    async fn is_there(&self) -> Result<(), PlatformError> {
        let hung = || PlatformError::Hung { what: "whether it is there".to_owned(), after: silence::SOON };
        let docker = connect::client(&self.0.address, connect::API).map_err(|error| PlatformError::from(errors::read(error)))?;
        let answer = timeout(silence::SOON, docker.ping()).await.map_err(|_| hung())?;
        answer.map(drop).map_err(|error| errors::read(error).into())
    }

    /// The name of its host: what it is called, or as it was when it answered last.
    pub(super) fn name(&self) -> String {
        let told = || self.last_host().as_ref().map(|host| host.name.clone());
        self.0.host.clone().or_else(told).unwrap_or_else(|| "local".to_owned())
    }

    /// Whether the engine is there and answers.
    pub(super) async fn ping(&self) -> Result<(), PlatformError> {
        let docker = self.client().await?;
        self.within(Call::Ask, "whether it is there", docker.ping()).await?;
        Ok(())
    }

    /// Whether the engine is there, for work that is under way: one late answer on a busy host does not end it, three do.
    pub(super) async fn ping_patiently(&self) -> Result<(), PlatformError> {
        for _ in 0..2 {
            match self.ping().await {
                Err(PlatformError::Hung { .. }) => {}
                answered => return answered,
            }
        }
        self.ping().await
    }
}
