//! What carrying out rollouts needs.

use std::sync::Arc;

use app::{
    error::Result,
    model::{Actor, ServiceId, TeamId},
};

use crate::{
    config::Config,
    edge::Handle,
    platform::Platform,
    secrets::Secrets,
    store::{Db, Tx, events},
    wake::Wake,
};

/// What carrying out rollouts needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// The store.
    pub db: Db,
    /// The engines.
    pub platform: Arc<dyn Platform>,
    /// Wake-ups.
    pub wake: Wake,
    /// Opens config sets.
    pub secrets: Secrets,
    /// The edge.
    pub edge: Arc<Handle>,
    /// For health checks.
    pub http: reqwest::Client,
    /// Who this Berth is in the leases.
    pub holder: String,
}

impl Context {
    /// Writes an event in the name of Berth itself.
    pub(crate) async fn event(
        &self,
        tx: &mut Tx,
        team: &TeamId,
        service: &ServiceId,
        action: &str,
        subject: String,
        path: String,
        detail: String,
    ) -> Result<()> {
        let event = events::NewEvent { team: Some(team), service: Some(service), action, subject, path: Some(path), detail };
        events::insert(tx, &Actor::system("Berth"), event).await?;
        Ok(())
    }
}
