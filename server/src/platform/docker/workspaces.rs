//! The volumes that carry a run's files, and what else a run leaves.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use app::model::RunId;
use bollard::{
    models::VolumeCreateRequest,
    query_parameters::{
        DownloadFromContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
        RemoveVolumeOptionsBuilder, UploadToContainerOptionsBuilder,
    },
};
use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Archive, PlatformError, Workspace, container},
    Docker,
    call::Call,
    images,
    networks::with_labels,
    tasks::Leftover,
};

/// A volume to be made and filled.
pub(super) struct Volume {
    /// Its name.
    pub(super) name: String,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// The name of the container that holds it meanwhile.
    pub(super) helper: String,
}

impl Docker {
    /// Each call that makes something is waited for even when it is cancelled: what an engine makes after nobody listens any more,
    /// nobody removes.
    pub(super) async fn fill(&self, workspace: &Workspace, archive: &Path, cancel: &CancellationToken) -> Result<(), PlatformError> {
        let archive = images::body(archive).await?;
        self.ready_to_fill(workspace).await?;
        self.pour_workspace(workspace, container::HELPER_MOUNT, archive, cancel).await
    }

    /// Makes room for the files of a run: whatever an attempt that was cut short left is removed.
    async fn ready_to_fill(&self, workspace: &Workspace) -> Result<(), PlatformError> {
        // The helper, and whatever step it came to.
        self.remove_containers(&workspace.run).await?;
        self.drop_volume(&container::workspace_name(&self.0.instance, &workspace.run)).await
    }

    async fn pour_workspace(
        &self,
        workspace: &Workspace,
        path: &str,
        archive: images::Upload,
        cancel: &CancellationToken,
    ) -> Result<(), PlatformError> {
        let instance = &self.0.instance;
        let helper = container::helper_name(instance, &workspace.run);
        let labels = container::labels(instance, [(container::TEAM, workspace.team.as_str()), (container::RUN, workspace.run.as_str())]);
        let volume = Volume { name: container::workspace_name(instance, &workspace.run), labels, helper };
        self.pour(workspace, &volume, path, archive, cancel).await
    }

    /// Makes a volume and unpacks an archive in it, at this path, on behalf of a run.
    pub(super) async fn pour(
        &self,
        run: &Workspace,
        volume: &Volume,
        path: &str,
        archive: images::Upload,
        cancel: &CancellationToken,
    ) -> Result<(), PlatformError> {
        let go_on = || if cancel.is_cancelled() { Err(PlatformError::Cancelled) } else { Ok(()) };
        let docker = self.client().await?;
        let Volume { name, labels, helper } = volume;
        go_on()?;
        self.ensure_volume(name, labels.clone()).await?;
        let image = self.empty_image().await?;
        go_on()?;
        self.create(helper, container::helper(&self.0.instance, run, name.clone(), &image)?).await?;
        let options = UploadToContainerOptionsBuilder::default().path(path).build();
        let upload = docker.upload_to_container(helper, Some(options), archive);
        let uploaded = tokio::select! {
            uploaded = self.within(Call::Upload, name, upload) => uploaded.map_err(Into::into),
            () = cancel.cancelled() => Err(PlatformError::Cancelled),
        };
        let removed = self.force_remove(helper).await;
        uploaded.and(removed)
    }

    /// Makes a volume where it is not there. An engine makes one that is only named, and labels it with nothing.
    pub(super) async fn ensure_volume(&self, name: &str, labels: BTreeMap<String, String>) -> Result<(), PlatformError> {
        let request = VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels.into_iter().collect()), ..Default::default() };
        self.within(Call::VolumeCreate, name, self.client().await?.create_volume(request)).await?;
        Ok(())
    }

    /// By a helper that holds the workspace and is never started, as on the way in: no image is needed that is not there, and
    /// nothing of a run can see it. Several may read at once.
    pub(super) async fn read(&self, workspace: &Workspace, path: &str) -> Result<Option<Archive>, PlatformError> {
        self.read_for(workspace, container::workspace_name(&self.0.instance, &workspace.run), path).await
    }

    /// The same of any volume, on behalf of a run: what is made for it is that one's, and goes with what else that one leaves.
    pub(super) async fn read_for(&self, reader: &Workspace, volume: String, path: &str) -> Result<Option<Archive>, PlatformError> {
        let docker = self.client().await?;
        let name = container::reader_name(&self.0.instance, &reader.run, &crate::clock::new_id());
        let image = self.empty_image().await?;
        let mut leftover = Leftover { docker: self.clone(), name: Some(name.clone()) };
        self.create(&name, container::helper(&self.0.instance, reader, volume, &image)?).await?;
        let from = if path.is_empty() { container::HELPER_MOUNT.to_owned() } else { format!("{}/{path}", container::HELPER_MOUNT) };
        let options = DownloadFromContainerOptionsBuilder::default().path(&from).build();
        let mut pieces = Box::pin(docker.download_from_container(&name, Some(options)));
        // Whether there is anything is known with the first piece.
        let first = async { pieces.next().await.transpose() };
        let first = match self.within(Call::Ask, &from, first).await {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(None),
            Err(failure) if failure.is(404) || failure.says("not a directory") => {
                self.force_remove(&name).await?;
                leftover.name = None;
                return Ok(None);
            }
            Err(failure) => return Err(failure.into()),
        };
        let rest = self.watched(self.0.deadlines.idle, pieces);
        let all = stream::once(std::future::ready(Ok(first))).chain(rest);
        // The helper goes with the stream.
        Ok(Some(Box::pin(all.map(move |piece| {
            let _held = &leftover;
            piece
        }))))
    }

    /// Through Berth, as an archive that is never whole anywhere: a helper holds each of the two, and no program runs.
    pub(super) async fn copy_files(&self, from: &Workspace, to: &Workspace, cancel: &CancellationToken) -> Result<(), PlatformError> {
        let source = container::workspace_name(&self.0.instance, &from.run);
        let found = self.find_volume(&source).await?;
        if found.is_none_or(|found| found.labels.get(container::TEAM).map(String::as_str) != Some(to.team.as_str())) {
            return Err(PlatformError::NotFound(source));
        }
        self.ready_to_fill(to).await?;
        let archive = self.read_for(to, source.clone(), "").await?.ok_or(PlatformError::NotFound(source))?;
        // Its names begin with the last part of the path that it was read from.
        self.pour_workspace(to, "/", images::body_of(archive), cancel).await
    }

    /// Whether a volume is there: an engine would make one that a container names and that is not.
    pub(super) async fn find_volume(&self, name: &str) -> Result<Option<bollard::models::Volume>, PlatformError> {
        match self.within(Call::Ask, name, self.client().await?.inspect_volume(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The volumes that fit a filter.
    pub(super) async fn volumes_with(&self, filters: &HashMap<String, Vec<String>>) -> Result<Vec<bollard::models::Volume>, PlatformError> {
        let options = ListVolumesOptionsBuilder::default().filters(filters).build();
        let found = self.within(Call::Ask, "volumes", self.client().await?.list_volumes(Some(options))).await?;
        Ok(found.volumes.unwrap_or_default())
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<(), PlatformError> {
        let options = RemoveVolumeOptionsBuilder::default().build();
        match self.within(Call::VolumeRemove, name, self.client().await?.remove_volume(name, Some(options))).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.is(404) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn remove_containers(&self, run: &RunId) -> Result<(), PlatformError> {
        let docker = self.client().await?;
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::RUN, run.as_str())]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        for found in self.within(Call::Ask, "containers", docker.list_containers(Some(options))).await? {
            self.force_remove(&found.id.unwrap_or_default()).await?;
            // A release command is on its target's network, and may have been the only one.
            if let Some(network) = found.labels.and_then(|mut labels| labels.remove(container::NETWORK)) {
                self.drop_network(&network).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn clean(&self, run: &RunId) -> Result<(), PlatformError> {
        for volume in self.settle(run).await? {
            self.drop_volume(&volume).await?;
        }
        Ok(())
    }

    /// Removes containers and networks of a run; answers with the names of its volumes.
    pub(super) async fn settle(&self, run: &RunId) -> Result<Vec<String>, PlatformError> {
        self.remove_containers(run).await?;
        let docker = self.client().await?;
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::RUN, run.as_str())]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        for network in self.within(Call::Ask, "networks", docker.list_networks(Some(options))).await? {
            self.drop_network(&network.name.unwrap_or_default()).await?;
        }
        Ok(self.volumes_with(&filters).await?.into_iter().map(|volume| volume.name).collect())
    }

    pub(super) async fn leftovers(&self) -> Result<Vec<RunId>, PlatformError> {
        let docker = self.client().await?;
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::RUN, "")]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let containers = self.within(Call::Ask, "containers", docker.list_containers(Some(options))).await?;
        let volumes = self.volumes_with(&filters).await?;
        let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
        let networks = self.within(Call::Ask, "networks", docker.list_networks(Some(options))).await?;
        let labels = containers
            .into_iter()
            .filter_map(|container| container.labels)
            .chain(volumes.into_iter().map(|volume| volume.labels))
            .chain(networks.into_iter().filter_map(|network| network.labels));
        let runs: BTreeSet<RunId> =
            labels.filter_map(|mut labels| labels.remove(container::RUN)).filter(|run| !run.is_empty()).map(RunId::from_text).collect();
        Ok(runs.into_iter().collect())
    }
}
