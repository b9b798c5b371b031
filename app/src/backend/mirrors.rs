//! Repositories that live elsewhere and are mirrored here.

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{Actor, Mirror, MirrorChange, NewHook, NewMirror, ServiceName, TeamName},
};

/// The repository of a service, where it lives elsewhere and is mirrored here. Nothing here fetches: the background does.
#[async_trait]
pub trait Mirrors: Send + Sync {
    /// How the mirror is; none where the repository is pushed to.
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Option<Mirror>>;

    /// Has the repository, which is pushed to, mirror one that lives elsewhere from now on. What its services have stays; branches and
    /// tags that are not there go with the first fetch.
    ///
    /// # Errors
    /// `is_mirror`, `invalid_mirror`.
    async fn add(&self, actor: &Actor, team: &TeamName, service: &ServiceName, new: NewMirror) -> Result<Mirror>;

    /// Changes it.
    ///
    /// # Errors
    /// `no_mirror`, `invalid_mirror`.
    async fn change(&self, actor: &Actor, team: &TeamName, service: &ServiceName, change: MirrorChange) -> Result<Mirror>;

    /// Asks for it to be fetched at once.
    ///
    /// # Errors
    /// `no_mirror`.
    async fn fetch(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Mirror>;

    /// Forgets the keys that its host showed at first sight: those it shows next are kept.
    ///
    /// # Errors
    /// `no_mirror`.
    async fn forget_host_keys(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Mirror>;

    /// Makes a new secret for its hooks, in the place of the one before; it is in the answer, once.
    ///
    /// # Errors
    /// `no_mirror`.
    async fn new_hook(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<NewHook>;
}
