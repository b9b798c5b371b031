//! What carrying out rollouts needs.

use std::sync::Arc;

use crate::{config::Config, edge::Handle, platform::Platform, secrets::Secrets, store::Db, wake::Wake};

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
