//! An engine as one of several: what is on it, on its way to another, and what came from one.

use std::{
    collections::{BTreeSet, HashMap},
    future::ready,
};

use app::model::{CacheId, Host};
use async_trait::async_trait;
use bollard::query_parameters::{ImportImageOptionsBuilder, ListImagesOptionsBuilder};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Archive, Engine, PlatformError, Workspace},
    Docker,
    call::Call,
    images,
};

#[async_trait]
impl Engine for Docker {
    async fn host(&self) -> Host {
        self.how_is_it().await
    }

    async fn image_id(&self, reference: &str) -> Result<Option<String>, PlatformError> {
        Ok(self.look_at(reference).await?.and_then(|found| found.id))
    }

    async fn save_image(&self, id: &str) -> Result<Archive, PlatformError> {
        let mut pieces = Box::pin(self.client().await?.export_image(id));
        // An engine gathers the whole archive before it sends the first of it.
        let first = self.within(Call::Download, id, async { pieces.next().await.transpose() }).await?;
        let first = first.ok_or_else(|| PlatformError::NotFound(format!("the image {id}")))?;
        let rest = self.watched(self.0.deadlines.idle, pieces);
        Ok(Box::pin(stream::once(ready(Ok(first))).chain(rest)))
    }

    async fn load_image(&self, archive: Archive) -> Result<(), PlatformError> {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let load = self.client().await?.import_image(options, images::body_of(archive), None).try_for_each(async |_| Ok(()));
        self.within(Call::Upload, "an image", load).await.map_err(Into::into)
    }

    async fn name_image(&self, id: &str, name: &str) -> Result<(), PlatformError> {
        self.tag(id, name).await
    }

    async fn images_named(&self, name: &str) -> Result<BTreeSet<String>, PlatformError> {
        let filters: HashMap<String, Vec<String>> = [("reference".to_owned(), vec![name.to_owned()])].into();
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let found = self.within(Call::Ask, "images", self.client().await?.list_images(Some(options))).await?;
        Ok(found.into_iter().map(|image| image.id).collect())
    }

    async fn forget_image(&self, id: &str) -> Result<(), PlatformError> {
        self.drop_all_names(id).await
    }

    async fn read_cache(&self, run: &Workspace, id: &CacheId) -> Result<Option<Archive>, PlatformError> {
        self.read_kept(run, id).await
    }

    async fn fill_cache(&self, run: &Workspace, id: &CacheId, archive: Archive, cancel: CancellationToken) -> Result<(), PlatformError> {
        self.fill_kept(run, id, archive, &cancel).await
    }
}
