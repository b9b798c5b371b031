//! Base images: built like any other, but for every team, and known by names of the catalogue's own.

use std::collections::HashMap;

use app::{
    model::{BASES, TeamId},
    said,
};
use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder};
use futures::TryStreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    super::{BaseBuild, BaseContent, ImageInfo, Network, PlatformError, Sink, container},
    Docker,
    call::Call,
    images::{Upload, body},
    networks::with_labels,
};

/// The tag that moves on with the base: what a name without one means.
const FLOATING: &str = "latest";
/// Where a shell looks for programs in a root file system that says nothing itself.
const SEARCHED: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether what carries these labels is a base image.
pub(super) fn is_base(labels: &HashMap<String, String>) -> bool {
    labels.get(container::BASE).is_some_and(|name| !name.is_empty())
}

/// The Dockerfile alone, as the files of a build.
fn context(text: &str) -> Result<Upload, PlatformError> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o444);
    let made = archive.append_data(&mut header, "Dockerfile", text.as_bytes()).and_then(|()| archive.into_inner());
    let made = made.map_err(|error| PlatformError::Refused(format!("the files of a base image: {error}")))?;
    Ok(bollard::body_full(made.into()))
}

impl Docker {
    fn base_labels(&self, build: &BaseBuild) -> HashMap<String, String> {
        let (name, number) = (build.name.as_str(), build.number.to_string());
        container::labels(&self.0.instance, [(container::BASE, name), (container::VERSION, number.as_str())]).into_iter().collect()
    }

    pub(super) async fn build_base_image(
        &self,
        build: &BaseBuild,
        sink: Sink,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PlatformError> {
        let (repository, number) = (format!("{BASES}{}", build.name), build.number.to_string());
        for tag in [number.as_str(), FLOATING] {
            self.is_ours(&format!("{repository}:{tag}")).await?;
        }
        let image = match &build.content {
            BaseContent::Dockerfile(text) => self.base_from_dockerfile(build, text, sink, cancel).await?,
            BaseContent::RootFileSystem(archive) => {
                let import = self.base_from_files(build, archive);
                tokio::select! {
                    image = import => image?,
                    () = cancel.cancelled() => return Err(PlatformError::Cancelled),
                    () = tokio::time::sleep(build.timeout) => return Err(PlatformError::TimedOut(build.timeout)),
                }
            }
        };
        for tag in [number.as_str(), FLOATING] {
            self.tag(&image.id, &format!("{repository}:{tag}")).await?;
        }
        Ok(image)
    }

    /// Holds that nobody else gave this name to an image: it would be taken away from them.
    async fn is_ours(&self, reference: &str) -> Result<(), PlatformError> {
        let Some(found) = self.look_at(reference).await? else { return Ok(()) };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        match is_base(&labels) && labels.get(container::INSTANCE) == Some(&self.0.instance) {
            true => Ok(()),
            false => Err(PlatformError::BuildFailed(said::base_taken(reference))),
        }
    }

    async fn base_from_dockerfile(
        &self,
        build: &BaseBuild,
        text: &str,
        sink: Sink,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PlatformError> {
        let network = self.ensure_network(&Network::Run(build.run.clone())).await?;
        // Each version is made anew: what an older one fetched may be what it is rebuilt for.
        let options = BuildImageOptionsBuilder::default()
            .dockerfile("Dockerfile")
            .nocache(true)
            .rm(true)
            .forcerm(true)
            .networkmode(network.as_ref().map_or("none", |network| network.name.as_str()))
            .labels(&self.base_labels(build))
            .build();
        let mut built = Box::pin(self.read_build((options, context(text)?), (build.limits, build.timeout), sink, cancel)).await?;
        let image = built.id.as_deref().filter(|_| built.ended.is_ok());
        // Nothing is made from the same again.
        for end in std::mem::take(&mut built.stages).beside(image) {
            if let Err(error) = self.drop_image(&end).await {
                tracing::warn!(base = %build.name, %error, "what its build left could not be removed");
            }
        }
        self.what_was_built(built, &TeamId::from_text("")).await
    }

    async fn base_from_files(&self, build: &BaseBuild, archive: &std::path::Path) -> Result<ImageInfo, PlatformError> {
        let reference = format!("{BASES}{}:{}", build.name, build.number);
        // Names and numbers: nothing that would have to be quoted.
        let labels = self.base_labels(build).into_iter().map(|(key, value)| format!("LABEL {key}={value}"));
        let changes = labels.chain([format!("ENV PATH={SEARCHED}")]).collect();
        let (repository, number) = (format!("{BASES}{}", build.name), build.number.to_string());
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(&repository).tag(&number).changes(changes).build();
        let docker = self.client().await?;
        let import = docker.create_image(Some(options), Some(body(archive).await?), None).try_for_each(async |_| Ok(()));
        match self.within(Call::Upload, &reference, import).await.map_err(PlatformError::from) {
            Ok(()) => self.image_of_id(&reference).await,
            // What the engine could not unpack.
            Err(PlatformError::Refused(why)) => Err(PlatformError::BuildFailed(why)),
            Err(other) => Err(other),
        }
    }

    pub(super) async fn list_bases(&self) -> Result<Vec<String>, PlatformError> {
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::BASE, "")]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let found = self.within(Call::Ask, "images", self.client().await?.list_images(Some(options))).await?;
        Ok(found.into_iter().filter(|image| is_base(&image.labels)).map(|image| image.id).collect())
    }

    pub(super) async fn drop_base(&self, image: &str) -> Result<(), PlatformError> {
        let Some(found) = self.look_at(image).await? else { return Ok(()) };
        let names = found.repo_tags.unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with(BASES)) {
            self.drop_image(name).await?;
        }
        self.drop_image(image).await
    }
}
