//! Base images: what services are built on.

use std::pin::Pin;

use async_trait::async_trait;
use futures::Stream;

use crate::{
    error::Result,
    model::{Actor, Base, BaseName, BaseShown},
};

/// A file on its way in.
pub struct Upload {
    /// Its size in bytes, where whoever sends it said so.
    pub size: Option<u64>,
    /// Its pieces.
    pub pieces: Pin<Box<dyn Stream<Item = std::io::Result<Vec<u8>>> + Send>>,
}

/// What a version of a base image is made of.
pub enum BaseSource {
    /// The text of a Dockerfile.
    Dockerfile(String),
    /// A tar archive of a root file system, packed with gzip or not.
    RootFileSystem(Upload),
}

/// Base images. Everybody may see and use them; administrators of the platform make them.
#[async_trait]
pub trait Bases: Send + Sync {
    /// All of them, by name.
    async fn list(&self, actor: &Actor) -> Result<Vec<Base>>;

    /// One, with its versions, the services that stand on it, and the log of a version (the newest where none is named).
    ///
    /// # Errors
    /// `unknown_base`, `unknown_version`.
    async fn show(&self, actor: &Actor, base: &BaseName, version: Option<u64>) -> Result<BaseShown>;

    /// Makes one and asks for its first version.
    ///
    /// # Errors
    /// `name_taken`, `invalid_dockerfile`, `invalid_root_file_system`, `root_file_system_too_large`.
    async fn create(&self, actor: &Actor, base: &BaseName, description: &str, source: BaseSource) -> Result<BaseShown>;

    /// Asks for a new version: of this, or of what the one before was made of. With `roll` the services that use the base are
    /// run once it is there.
    ///
    /// # Errors
    /// As [`Bases::create`]; `base_busy`, `root_file_system_needed`.
    async fn rebuild(&self, actor: &Actor, base: &BaseName, source: Option<BaseSource>, roll: bool) -> Result<BaseShown>;

    /// Asks for the version that is under way to be cancelled: one that waits ends at once, a build is stopped in a moment.
    ///
    /// # Errors
    /// `unknown_base`, `already_ended` where none is under way.
    async fn cancel(&self, actor: &Actor, base: &BaseName) -> Result<BaseShown>;
}
