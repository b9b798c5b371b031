//! How the engine answers: in time, late, not at all, or not even the door.

use std::time::{Duration, Instant};

use app::model::{EngineState, Host};
use bollard::query_parameters::ListContainersOptionsBuilder;
use tokio::time::timeout;

use super::{
    super::{PlatformError, container},
    Docker,
    call::Call,
    networks::with_labels,
};

/// Somebody looks on, and waits for all hosts no longer than a little beyond this.
const LOOK: Duration = Duration::from_secs(4);

impl Docker {
    pub(super) async fn how_is_it(&self) -> Host {
        let asked = Instant::now();
        let hung = || PlatformError::Hung { what: "how it is".to_owned(), after: LOOK };
        let answer = timeout(LOOK, self.ask_host()).await.unwrap_or_else(|_| Err(hung()));
        let state = match answer {
            Ok(host) => {
                let late = asked.elapsed() > self.0.deadlines.slow;
                let host = Host { state: if late { EngineState::Slow } else { EngineState::Answers }, ..host };
                *self.last_host() = Some(host.clone());
                return host;
            }
            Err(PlatformError::Hung { .. }) => EngineState::Hung,
            Err(PlatformError::Gone(_)) => EngineState::Gone,
            // It answers, though not what it should.
            Err(error) => {
                tracing::warn!(%error, "the container engine refuses to say how it is");
                EngineState::Slow
            }
        };
        let last = self.last_host().clone();
        let (name, pool) = (self.name(), "default".to_owned());
        let unknown = Host { name, pool, state, engine: None, api: None, cpus: 0, memory: 0, instances: 0 };
        Host { state, ..last.unwrap_or(unknown) }
    }

    async fn ask_host(&self) -> Result<Host, PlatformError> {
        let docker = self.client().await?;
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::SLOT, "")]);
        let options = ListContainersOptionsBuilder::default().filters(&filters).build();
        let info = self.within(Call::Ask, "how it is", docker.info());
        let running = self.within(Call::Ask, "containers", docker.list_containers(Some(options)));
        let (info, running) = tokio::try_join!(info, running)?;
        let api = docker.client_version();
        Ok(Host {
            name: self.0.host.clone().or(info.name).unwrap_or_else(|| "local".into()),
            pool: "default".into(),
            state: EngineState::Answers,
            engine: info.server_version,
            api: Some(format!("{}.{}", api.major_version, api.minor_version)),
            cpus: info.ncpu.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            memory: info.mem_total.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            instances: u32::try_from(running.len()).unwrap_or(u32::MAX),
        })
    }
}
