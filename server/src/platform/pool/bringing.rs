//! One engine of a pool, and the way of images between two.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::super::{Engine, PlatformError};

/// How long one that did not answer is left alone, where it is only asked along with others: each question to an engine that hangs
/// takes as long as its deadline.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// An engine of a pool.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name.
    pub(super) name: String,
    /// The engine.
    pub(super) engine: Arc<dyn Engine>,
    /// The name of what was brought to it: the images that are there for Berth's sake alone.
    brought: String,
    /// One image comes at a time: two that need the same one would bring it twice.
    coming: Mutex<()>,
    /// When it did not answer, if it was so the last time it was asked along with others.
    silent: std::sync::Mutex<Option<Instant>>,
}

impl Member {
    pub(super) fn new(instance: &str, name: String, engine: Arc<dyn Engine>) -> Self {
        Self { name, engine, brought: format!("berth-brought-{instance}"), coming: Mutex::new(()), silent: std::sync::Mutex::new(None) }
    }

    /// Whether it is left alone now.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() < LEFT_ALONE)
    }

    /// Notes whether it answered.
    pub(super) fn heard(&self, answered: bool) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = (!answered).then(Instant::now);
    }

    /// Has an image here that is at home, and gives it the name that a build has for it. It goes on to its end where nobody waits
    /// for it any more: what an engine took in before it was named, nobody would remove.
    pub(super) async fn bring(self: &Arc<Self>, home: &Arc<Self>, id: &str, name: Option<&str>) -> Result<(), PlatformError> {
        let (member, home, id) = (Arc::clone(self), Arc::clone(home), id.to_owned());
        // An engine finds what is named by its content without any name.
        let name = name.filter(|name| !name.contains('@') && !id.ends_with(name)).map(str::to_owned);
        to_its_end(async move {
            let _alone = member.coming.lock().await;
            member.take_from(&home, &id).await?;
            member.engine.name_image(&id, &format!("{}:{}", member.brought, tag(&id))).await?;
            match name {
                Some(name) => member.engine.name_image(&id, &name).await,
                None => Ok(()),
            }
        })
        .await
    }

    /// Has an image at home that was built on another.
    pub(super) async fn bring_home(self: &Arc<Self>, from: &Arc<Self>, id: &str) -> Result<(), PlatformError> {
        let (home, from, id) = (Arc::clone(self), Arc::clone(from), id.to_owned());
        to_its_end(async move {
            let _alone = home.coming.lock().await;
            home.take_from(&from, &id).await
        })
        .await
    }

    async fn take_from(&self, other: &Self, id: &str) -> Result<(), PlatformError> {
        if self.engine.image_id(id).await?.is_some() {
            return Ok(());
        }
        self.engine.load_image(other.engine.save_image(id).await?).await?;
        if self.engine.image_id(id).await?.is_some() {
            return Ok(());
        }
        Err(PlatformError::Refused(format!(
            "the image {id} of the host {} has another id on the host {}: their engines keep images in different ways (`docker info` says \
             which: `overlay2` or `overlayfs`), and have to keep them in the same",
            other.name, self.name
        )))
    }

    /// Removes what is not at home any more: what was brought, and what runs built here that have ended.
    pub(super) async fn drop_brought(&self, home: &Self, ended: &BTreeSet<String>) -> Result<(), PlatformError> {
        let _alone = self.coming.lock().await;
        let built = self.engine.built_images().await?.into_iter().map(|(id, _)| id).filter(|id| ended.contains(id));
        let here: BTreeSet<String> = self.engine.images_named(&self.brought).await?.into_iter().chain(built).collect();
        for id in here {
            if home.engine.image_id(&id).await?.is_none() {
                self.engine.forget_image(&id).await?;
                tracing::info!(host = self.name, image = id, "removed: it is not at home any more");
            }
        }
        Ok(())
    }
}

/// A short tag that no two images have by chance.
fn tag(id: &str) -> &str {
    let digest = id.strip_prefix("sha256:").unwrap_or(id);
    digest.get(..32).unwrap_or(digest)
}

async fn to_its_end(work: impl Future<Output = Result<(), PlatformError>> + Send + 'static) -> Result<(), PlatformError> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(PlatformError::Refused(error.to_string())))
}
