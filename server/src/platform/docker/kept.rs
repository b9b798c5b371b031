//! The volumes of caches: made when a step first has one, kept when it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use app::model::{CacheId, TeamId};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Archive, CacheMount, PlatformError, Workspace, container},
    Docker,
    call::Call,
    connect, images,
    networks::with_labels,
    workspaces::Volume,
};

impl Docker {
    fn cache_labels(&self, team: &TeamId, cache: &CacheId) -> BTreeMap<String, String> {
        container::labels(&self.0.instance, [(container::TEAM, team.as_str()), (container::CACHE, cache.as_str())])
    }

    /// Makes the volumes that a task has and that are not there.
    pub(super) async fn ensure_caches(&self, team: &TeamId, caches: &[CacheMount]) -> Result<(), PlatformError> {
        for cache in caches {
            self.ensure_volume(&container::cache_name(&self.0.instance, &cache.id), self.cache_labels(team, &cache.id)).await?;
        }
        Ok(())
    }

    /// As workspaces are copied. What is not there any more is an empty one.
    pub(super) async fn copy_kept(
        &self,
        run: &Workspace,
        from: &CacheId,
        to: &CacheId,
        cancel: &CancellationToken,
    ) -> Result<(), PlatformError> {
        match self.read_kept(run, from).await? {
            Some(archive) => self.fill_kept(run, to, archive, cancel).await,
            None => Ok(()),
        }
    }

    /// What a cache holds, read on behalf of a run. None: it is not there.
    pub(super) async fn read_kept(&self, run: &Workspace, id: &CacheId) -> Result<Option<Archive>, PlatformError> {
        let source = container::cache_name(&self.0.instance, id);
        match self.find_volume(&source).await? {
            Some(_) => self.read_for(run, source, "").await,
            None => Ok(None),
        }
    }

    /// Makes a cache that holds what was read of one.
    pub(super) async fn fill_kept(
        &self,
        run: &Workspace,
        id: &CacheId,
        archive: Archive,
        cancel: &CancellationToken,
    ) -> Result<(), PlatformError> {
        let instance = &self.0.instance;
        // Several steps of a run may do so at once.
        let helper = container::reader_name(instance, &run.run, &crate::clock::new_id());
        let volume = Volume { name: container::cache_name(instance, id), labels: self.cache_labels(&run.team, id), helper };
        self.pour(run, &volume, "/", images::body_of(archive), cancel).await
    }

    /// Those there are.
    pub(super) async fn list_caches(&self) -> Result<BTreeSet<CacheId>, PlatformError> {
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::CACHE, "")]);
        Ok(self.volumes_with(&filters).await?.into_iter().filter_map(|volume| id_of(volume.labels)).collect())
    }

    /// How large they are, in bytes. The engine walks through all of them. It is asked where its volumes are listed: the library reads
    /// this answer in the form of later engines alone.
    pub(super) async fn weigh_caches(&self) -> Result<BTreeMap<CacheId, u64>, PlatformError> {
        let none: Option<bollard::query_parameters::ListVolumesOptions> = None;
        let client = self.client_that(|request, version| connect::rewrite_to(request, version, "/system/df?type=volume")).await?;
        let weighed = self.within(Call::Weigh, "volumes", client.list_volumes(none)).await?;
        let own = |labels: &HashMap<String, String>| labels.get(container::INSTANCE) == Some(&self.0.instance);
        let volumes = weighed.volumes.unwrap_or_default().into_iter().filter(|volume| own(&volume.labels));
        let size = |volume: bollard::models::Volume| {
            let size = volume.usage_data.and_then(|usage| u64::try_from(usage.size).ok())?;
            Some((id_of(volume.labels)?, size))
        };
        Ok(volumes.filter_map(size).collect())
    }
}

fn id_of(mut labels: HashMap<String, String>) -> Option<CacheId> {
    labels.remove(container::CACHE).filter(|id| !id.is_empty()).map(CacheId::from_text)
}
