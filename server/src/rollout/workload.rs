//! Makes the workload of an instance from its release: the same for a rollout and for the keeper.

use std::collections::BTreeMap;

use app::{error::Result, model::Process};

use super::{Context, plan::Slot};
use crate::{
    platform::{Limits, Network, PlatformError, Workload, WorkloadId},
    secrets::Masks,
    store::{
        releases::{self, ReleaseRow},
        targets::TargetRow,
    },
};

/// The port of `web` where neither `berth.yaml` nor the image names one.
pub const DEFAULT_PORT: u16 = 8080;

/// A release with everything its instances need.
pub struct Recipe {
    /// The target.
    pub target: TargetRow,
    /// The release.
    pub release: ReleaseRow,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// The port of `web`.
    pub port: u16,
}

/// The variables of a release.
///
/// # Errors
/// Where the config set is missing, or was sealed with another key.
pub async fn variables(ctx: &Context, release: &ReleaseRow) -> Result<BTreeMap<String, String>> {
    let Some(set) = releases::config_by_id(&ctx.db, &release.team_id, &release.config_set_id).await? else {
        return Ok(BTreeMap::new());
    };
    let plain = ctx.secrets.unseal(&release.team_id, set.id.as_str(), "variables", &set.variables)?;
    serde_json::from_slice(&plain).map_err(app::error::Error::internal)
}

/// The port of `web`: as `berth.yaml` says, else the one port the image exposes, else [`DEFAULT_PORT`].
///
/// # Errors
/// Where the image cannot be found.
pub async fn port(ctx: &Context, release: &ReleaseRow) -> Result<u16, PlatformError> {
    if let Some(port) = release.shape.processes.get("web").and_then(|web| web.port) {
        return Ok(port);
    }
    let image = ctx.platform.image(&release.image, &release.team_id).await?;
    Ok(match image.ports.as_slice() {
        [port] => *port,
        _ => DEFAULT_PORT,
    })
}

impl Recipe {
    /// The process of a slot.
    pub fn process(&self, slot: &Slot) -> Process {
        self.release.shape.processes.get(&slot.process).cloned().unwrap_or_default()
    }

    /// The port of a slot's process, if it has one.
    pub fn port_of(&self, slot: &Slot) -> Option<u16> {
        if slot.process == "web" { Some(self.port) } else { self.process(slot).port }
    }

    /// Which copy a slot is.
    pub fn id(&self, slot: &Slot) -> WorkloadId {
        WorkloadId {
            team: self.target.team_id.clone(),
            target: self.target.id.clone(),
            release: self.release.generation,
            process: slot.process.clone(),
            slot: slot.index,
        }
    }

    /// What hides the values of its variables in what its programs print.
    pub fn masks(&self) -> Masks {
        Masks::sealed(&self.variables)
    }

    /// The network of the target.
    pub fn network(&self) -> Network {
        Network::Target { team: self.target.team_id.clone(), environment: self.target.environment.id.clone() }
    }

    /// The variables every instance sees: the target's own win over Berth's.
    pub fn env(&self, port: Option<u16>) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("BERTH_TEAM".to_owned(), self.target.team.to_string()),
            ("BERTH_SERVICE".to_owned(), self.target.service.to_string()),
            ("BERTH_ENVIRONMENT".to_owned(), self.target.environment.name.to_string()),
            ("BERTH_RELEASE".to_owned(), self.release.generation.to_string()),
        ]);
        if let Some(port) = port {
            env.insert("PORT".to_owned(), port.to_string());
        }
        env.extend(self.variables.clone());
        env
    }

    /// The workload of a slot.
    pub fn workload(&self, slot: &Slot, fence: i64) -> Workload {
        let process = self.process(slot);
        Workload {
            id: self.id(slot),
            fence,
            service: self.target.service.clone(),
            image: self.release.image.clone(),
            env: self.env(self.port_of(slot)),
            command: process.command,
            writable: process.writable,
            limits: Limits::default(),
            profile: self.target.environment.profile,
            network: self.network(),
        }
    }
}
