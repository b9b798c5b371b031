//! Images: found, pulled, built, removed.

use std::{collections::HashMap, time::Duration};

use app::{
    model::{BASES, RunId, TeamId},
    said,
};
use bollard::{
    models::{BuildInfo, ImageInspect},
    query_parameters::{
        BuildImageOptions, BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptions, ListImagesOptionsBuilder,
        RemoveImageOptions, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
    },
};
use futures::{StreamExt, TryStreamExt};
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::{
    super::{Build, ImageInfo, Limits, Network, Output, PlatformError, Sink, container, is_reference},
    Docker, bases,
    cache::{CACHE, Stages},
    call::Call,
    errors,
    networks::with_labels,
};

/// How many images a hint lists.
const LISTED: usize = 20;

/// An image of nothing, for helpers that are never started.
const EMPTY: (&str, &str) = ("berth-empty", "1");

/// A body that is streamed, as the client takes it.
pub(super) type Upload = http_body_util::Either<
    http_body_util::Full<bytes::Bytes>,
    http_body_util::StreamBody<std::pin::Pin<Box<dyn futures::Stream<Item = std::io::Result<hyper::body::Frame<bytes::Bytes>>> + Send>>>,
>;

/// The content of a file in chunks: what is uploaded is never held in memory.
pub(super) async fn body(path: &std::path::Path) -> Result<Upload, PlatformError> {
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| PlatformError::Refused(format!("the archive {} cannot be read: {error}", path.display())))?;
    Ok(bollard::body_try_stream(ReaderStream::with_capacity(file, 64 << 10)))
}

/// An archive as it comes: where it breaks off, so does what it is uploaded to.
pub(super) fn body_of(archive: super::super::Archive) -> Upload {
    bollard::body_try_stream(archive.map_err(std::io::Error::other))
}

/// Splits a reference into what to pull and its tag.
pub(super) fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// Whether what carries these labels is of this team, or of nobody; and no base image of another Berth's catalogue.
fn is_of(labels: &HashMap<String, String>, instance: &str, team: &TeamId) -> bool {
    let elsewhere = bases::is_base(labels) && labels.get(container::INSTANCE).is_none_or(|owner| owner != instance);
    !elsewhere && labels.get(container::TEAM).is_none_or(|owner| owner == team.as_str())
}

/// Whether an image is there for a team. Not where a build of another team made it, nor under the names that what is left of
/// builds is kept by; and the beginning of an id, by which engines find images too, could be guessed.
fn is_for(found: &ImageInspect, reference: &str, instance: &str, team: &TeamId) -> bool {
    let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
    let of_another = labels.is_some_and(|labels| !is_of(labels, instance, team));
    let digest = |id: &str| id.trim_start_matches("sha256:").to_owned();
    let (id, asked) = (found.id.as_deref().map(digest).unwrap_or_default(), digest(reference));
    let guessed = asked.len() < id.len() && id.starts_with(&asked);
    !of_another && !guessed && !reference.starts_with(CACHE)
}

/// Whether this names an image's content and not a place to pull it from.
fn is_id(reference: &str) -> bool {
    reference.starts_with("sha256:")
}

impl Docker {
    /// Finds an image that is here, and there for this team.
    pub(super) async fn local_image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        if !is_reference(reference) {
            return Err(self.missing(reference, None, team).await);
        }
        match self.look_at(reference).await? {
            Some(found) if is_for(&found, reference, &self.0.instance, team) => Ok(info(found)),
            _ => Err(self.missing(reference, None, team).await),
        }
    }

    /// What the engine knows of an image; none: it is not here.
    pub(super) async fn look_at(&self, reference: &str) -> Result<Option<ImageInspect>, PlatformError> {
        match self.within(Call::Ask, reference, self.client().await?.inspect_image(reference)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Gives an image a name, and takes the name from the image that had it.
    pub(super) async fn tag(&self, id: &str, name: &str) -> Result<(), PlatformError> {
        let (repository, tag) = split(name);
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        self.within(Call::ImageTag, id, self.client().await?.tag_image(id, Some(options))).await.map_err(Into::into)
    }

    /// Finds an image, pulling it where it is not here.
    pub(super) async fn find_image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        match self.local_image(reference, team).await {
            // What has the name of a base image is one of the catalogue, or nothing: whoever has that name elsewhere is a stranger.
            Err(PlatformError::ImageNotFound { .. }) if !is_id(reference) && is_reference(reference) && !reference.starts_with(BASES) => {}
            found => return found,
        }
        let (name, tag) = split(reference);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let pull = self.client().await?.create_image(Some(options), None, None).try_for_each(async |_| Ok(()));
        match self.within(Call::Pull, reference, pull).await {
            Ok(()) => self.local_image(reference, team).await,
            Err(failure) => match PlatformError::from(failure) {
                PlatformError::Refused(why) | PlatformError::NotFound(why) => Err(self.missing(reference, Some(why.trim()), team).await),
                other => Err(other),
            },
        }
    }

    /// The error for an image that is not here, with what is there for this team.
    pub(super) async fn missing(&self, image: &str, not_pulled: Option<&str>, team: &TeamId) -> PlatformError {
        let there = match self.client().await {
            Ok(docker) => self.within(Call::Ask, "images", docker.list_images(None::<ListImagesOptions>)).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let there = there.into_iter().filter(|image| is_of(&image.labels, &self.0.instance, team));
        let mut tags: Vec<String> = there.flat_map(|image| image.repo_tags).filter(|tag| !tag.contains('<')).collect();
        tags.retain(|tag| !tag.starts_with(EMPTY.0) && !tag.starts_with(CACHE));
        // What is meant for it first.
        tags.sort_by_key(|tag| (!tag.starts_with(BASES), tag.clone()));
        let more = tags.len().saturating_sub(LISTED);
        tags.truncate(LISTED);
        let listed = match (tags.is_empty(), more) {
            (true, _) => said::images_none(),
            (false, 0) => said::images_few(tags.join(", ")),
            (false, more) => said::images_many(tags.join(", "), more),
        };
        let hint = not_pulled.map_or_else(|| listed.clone(), |why| said::not_pulled(why, &listed));
        PlatformError::ImageNotFound { image: image.into(), hint }
    }

    pub(super) async fn list_built(&self) -> Result<Vec<(String, RunId)>, PlatformError> {
        let filters = with_labels([(container::INSTANCE, &self.0.instance), (container::RUN, "")]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let found = self.within(Call::Ask, "images", self.client().await?.list_images(Some(options))).await?;
        Ok(found.into_iter().filter_map(|mut image| Some((image.id, RunId::from_text(image.labels.remove(container::RUN)?)))).collect())
    }

    /// Removes an image, or a name of it that is not the last. One that is used stays.
    pub(super) async fn drop_image(&self, id: &str) -> Result<(), PlatformError> {
        self.drop_with(id, RemoveImageOptionsBuilder::default().build()).await
    }

    /// Removes an image under whatever names it has. One that a container uses stays.
    pub(super) async fn drop_all_names(&self, id: &str) -> Result<(), PlatformError> {
        self.drop_with(id, RemoveImageOptionsBuilder::default().force(true).build()).await
    }

    async fn drop_with(&self, id: &str, options: RemoveImageOptions) -> Result<(), PlatformError> {
        match self.within(Call::ImageRemove, id, self.client().await?.remove_image(id, Some(options), None)).await {
            Ok(_) => Ok(()),
            // Gone already, or used by a container, another image, or under another name.
            Err(failure) if failure.is(404) || failure.is(409) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Makes sure that the image of nothing is here.
    pub(super) async fn empty_image(&self) -> Result<String, PlatformError> {
        // Two at once would make two, of which one has no name and nobody to remove it.
        static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _alone = ONE_AT_A_TIME.lock().await;
        let reference = format!("{}:{}", EMPTY.0, EMPTY.1);
        if self.look_at(&reference).await?.is_some() {
            return Ok(reference);
        }
        let docker = self.client().await?;
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(EMPTY.0).tag(EMPTY.1).build();
        let archive = empty_archive().map_err(|error| PlatformError::Refused(format!("the empty image: {error}")))?;
        let import = docker.create_image(Some(options), Some(bollard::body_full(archive.into())), None).try_for_each(async |_| Ok(()));
        self.within(Call::ImageImport, &reference, import).await?;
        Ok(reference)
    }

    pub(super) async fn build_image(&self, build: &Build, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        if build.buildkit {
            return Box::pin(self.build_with_buildkit(build, sink, cancel)).await;
        }
        let network = self.ensure_network(&Network::Run(build.run.clone())).await?;
        let options = BuildImageOptionsBuilder::default()
            .dockerfile(&build.dockerfile)
            .rm(true)
            .forcerm(true)
            .target(build.target.as_deref().unwrap_or_default())
            .networkmode(network.as_ref().map_or("none", |network| network.name.as_str()))
            .buildargs(&build.args.clone().into_iter().collect::<HashMap<_, _>>())
            .labels(&self.build_labels(build))
            .build();
        let context = body(&build.context).await?;
        let mut built = Box::pin(self.read_build((options, context), (build.limits, build.timeout), sink, cancel)).await?;
        let image = built.id.as_deref().filter(|_| built.ended.is_ok());
        self.keep_cache(&build.service, &std::mem::take(&mut built.stages).beside(image)).await;
        self.what_was_built(built, &build.team).await
    }

    /// Has the engine build, and reads what it says until it ends.
    pub(super) async fn read_build(
        &self,
        (options, context): (BuildImageOptions, Upload),
        (limits, timeout): (Limits, Duration),
        sink: Sink,
        cancel: CancellationToken,
    ) -> Result<Built, PlatformError> {
        let docker = self.client_with(within(limits)).await?;
        let progress = self.watched(self.0.deadlines.idle, owned_build(docker, options, context));
        let mut reader = Reader { sink, id: None, from: None, stages: Stages::default(), hidden: false };
        let ended = Box::pin(self.ends(reader.read(progress), timeout, cancel)).await;
        Ok(Built { ended, id: reader.id, from: reader.from, stages: reader.stages })
    }

    /// Reads what the engine says of a build until it ends, it is told to stop, or it takes too long.
    pub(super) async fn ends(
        &self,
        read: impl Future<Output = Result<(), PlatformError>>,
        timeout: Duration,
        cancel: CancellationToken,
    ) -> Result<(), PlatformError> {
        point!("docker::before_build");
        let ended = tokio::select! {
            ended = read => ended,
            // Dropping the stream closes the connection, upon which the engine stops the build.
            () = cancel.cancelled() => Err(PlatformError::Cancelled),
            () = tokio::time::sleep(timeout) => Err(PlatformError::TimedOut(timeout)),
        };
        point!("docker::after_build");
        ended
    }

    /// The image that a build came to; else why not, as a team is told.
    pub(super) async fn what_was_built(&self, built: Built, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        match built.ended {
            Ok(()) => {}
            Err(PlatformError::Refused(why) | PlatformError::NotFound(why)) => {
                // An engine that is stopped first ends what it builds, and says that this failed: nobody knows how it would have ended.
                self.ping().await?;
                return Err(self.build_failed(&why, built.from.as_deref(), team).await);
            }
            Err(other) => return Err(other),
        }
        let id = built.id.ok_or_else(|| PlatformError::BuildFailed("the engine ended the build without naming its image".into()))?;
        self.image_of_id(&id).await
    }

    /// What is known of an image that is there.
    pub(super) async fn image_of_id(&self, id: &str) -> Result<ImageInfo, PlatformError> {
        Ok(info(self.within(Call::Ask, id, self.client().await?.inspect_image(id)).await?))
    }

    pub(super) fn build_labels(&self, build: &Build) -> HashMap<String, String> {
        let (team, run): (&str, &RunId) = (build.team.as_str(), &build.run);
        // What is built on a base image is none, whatever it inherits.
        let none = [(container::BASE, ""), (container::VERSION, "")];
        let own = container::labels(&self.0.instance, [(container::TEAM, team), (container::RUN, run.as_str()), none[0], none[1]]);
        build.labels.clone().into_iter().chain(own).collect()
    }

    /// Tells a missing base from what the Dockerfile itself got wrong.
    async fn build_failed(&self, why: &str, from: Option<&str>, team: &TeamId) -> PlatformError {
        if errors::is_missing_image(why) {
            let copied = why.strip_prefix("invalid from flag value ").and_then(|rest| rest.split_once(": ")).map(|(name, _)| name);
            if let Some(image) = copied.or(from) {
                return self.missing(image, None, team).await;
            }
        }
        PlatformError::BuildFailed(why.trim().to_owned())
    }
}

/// How a build ended, and how far it came.
pub(super) struct Built {
    pub(super) ended: Result<(), PlatformError>,
    pub(super) id: Option<String>,
    /// The base of the step it ended in, where that is a `FROM`.
    pub(super) from: Option<String>,
    pub(super) stages: Stages,
}

/// What the client's types cannot hold: they end at 2 GiB.
fn within(limits: Limits) -> String {
    let memory = limits.memory;
    // Thousandths of a core in microseconds of each tenth of a second.
    let quota = u64::from(limits.cpu_millis) * 100;
    format!("memory={memory}&memswap={memory}&cpuperiod=100000&cpuquota={}", quota.max(1_000))
}

/// The progress of a build, owning its client.
fn owned_build(
    docker: bollard::Docker,
    options: BuildImageOptions,
    context: Upload,
) -> impl futures::Stream<Item = Result<BuildInfo, bollard::errors::Error>> + Send + 'static {
    async_stream::stream! {
        let mut progress = std::pin::pin!(docker.build_image(options, None, Some(context)));
        while let Some(item) = progress.next().await {
            yield item;
        }
    }
}

/// Reads the progress of a build.
struct Reader {
    sink: Sink,
    id: Option<String>,
    /// The base of the step under way, where it is a `FROM`.
    from: Option<String>,
    stages: Stages,
    /// Whether the piece before was left out.
    hidden: bool,
}

impl Reader {
    async fn read(&mut self, progress: impl futures::Stream<Item = Result<BuildInfo, PlatformError>>) -> Result<(), PlatformError> {
        let mut progress = std::pin::pin!(progress);
        while let Some(line) = progress.next().await {
            let line = line?;
            if let Some(error) = line.error_detail.and_then(|detail| detail.message) {
                return Err(PlatformError::Refused(error));
            }
            self.id = line.aux.and_then(|aux| aux.id).or(self.id.take());
            let text = line.stream.or_else(|| line.status.map(|status| format!("{status}\n"))).unwrap_or_default();
            if !text.is_empty() {
                self.note(&text);
                // A step and the end of its line come as two pieces.
                self.hidden = is_bookkeeping(&text) || (self.hidden && text == "\n");
                if self.hidden {
                    continue;
                }
                // A reader that went away does not stop the build.
                let _ = self.sink.send(Output { error: false, bytes: text.into() }).await;
            }
        }
        Ok(())
    }

    fn note(&mut self, text: &str) {
        if let Some(step) = text.strip_prefix("Step ").and_then(|rest| rest.split_once(" : ")) {
            let mut words = step.1.split_whitespace();
            let from = words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
            self.from = words.find(|word| !word.starts_with("--")).filter(|_| from).map(str::to_owned);
            self.stages.step(from);
        }
        self.stages.made(text);
        if let Some(id) = text.strip_prefix("Successfully built ") {
            self.id.get_or_insert_with(|| id.trim().to_owned());
        }
    }
}

/// Whether a line tells only of the engine's own bookkeeping: ids of layers and passing containers, labels of Berth.
fn is_bookkeeping(text: &str) -> bool {
    let is_id = |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = text.trim();
    let id = text
        .strip_prefix("---> Running in ")
        .or_else(|| text.strip_prefix("---> "))
        .or_else(|| text.strip_prefix("Removing intermediate container "));
    let label = text.strip_prefix("Step ").and_then(|rest| rest.split_once(" : ")).map(|(_, step)| step);
    id.is_some_and(is_id)
        || label.is_some_and(|step| step.starts_with("LABEL berth.") || step.starts_with("LABEL org.opencontainers.image."))
}

fn info(found: ImageInspect) -> ImageInfo {
    let config = found.config.unwrap_or_default();
    let mut ports: Vec<u16> =
        config.exposed_ports.unwrap_or_default().iter().filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok()).collect();
    ports.sort_unstable();
    ImageInfo {
        id: found.id.unwrap_or_default(),
        size: found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
        ports,
        volumes: config.volumes.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        triggers: config.on_build.unwrap_or_default(),
    }
}

/// A folder to mount at, open to every user: a fresh volume mounted there takes its mode over.
fn empty_archive() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o1777);
    archive.append_data(&mut header, container::HELPER_MOUNT.trim_start_matches('/'), &[][..])?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split() {
        for (reference, name, tag) in [
            ("busybox", "busybox", "latest"),
            ("busybox:1", "busybox", "1"),
            ("host:5000/a/b", "host:5000/a/b", "latest"),
            ("host:5000/a/b:2", "host:5000/a/b", "2"),
            ("a@sha256:00", "a", "sha256:00"),
        ] {
            assert_eq!(split(reference), (name, tag));
        }
    }

    #[test]
    fn an_image_is_there_for_whom_it_is() {
        let id = format!("sha256:0a1b{}", "c".repeat(60));
        let made = |owner: Option<&str>| {
            let labels = owner.map(|team| HashMap::from([(container::TEAM.to_owned(), team.to_owned())]));
            let config = bollard::models::ImageConfig { labels, ..Default::default() };
            ImageInspect { id: Some(id.clone()), config: Some(config), ..Default::default() }
        };
        let ours = TeamId::from_text("ours");
        for (owner, reference, there) in [
            (None, "shop:1", true),
            (None, id.as_str(), true),
            (Some("ours"), id.as_str(), true),
            (Some("theirs"), id.as_str(), false),
            (Some("theirs"), "shop:1", false),
            (None, "0a1b", false),
            (None, "sha256:0a1bcc", false),
            (None, "berth-cache-1/service:0", false),
        ] {
            assert_eq!(is_for(&made(owner), reference, "own", &ours), there, "{owner:?} {reference}");
        }
        // A base image is there for everybody, of this Berth; what is built on one carries an empty name.
        for (base, instance, there) in [("debian", "own", true), ("debian", "other", false), ("", "other", true)] {
            let labels = [(container::BASE, base), (container::INSTANCE, instance)];
            assert_eq!(
                is_of(&labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(), "own", &ours),
                there,
                "{base} {instance}"
            );
        }
    }

    #[test]
    fn the_base_of_a_step_is_noted() {
        let (sink, _held) = tokio::sync::mpsc::channel(1);
        let mut reader = Reader { sink, id: None, from: None, stages: Stages::default(), hidden: false };
        reader.note("Step 1/3 : FROM --platform=linux/amd64 base:1 AS build\n");
        assert_eq!(reader.from.as_deref(), Some("base:1"));
        reader.note("Step 2/3 : COPY --from=other a b\n");
        assert_eq!(reader.from, None);
        reader.note("Successfully built 0123456789ab\n");
        assert_eq!(reader.id.as_deref(), Some("0123456789ab"));
    }

    #[test]
    fn only_bookkeeping_is_left_out() {
        for noise in [
            " ---> Running in db9679c3b68f\n",
            " ---> e915a5b6ae3a\n",
            "Removing intermediate container db9679c3b68f\n",
            "Step 7/11 : LABEL berth.run=01a2\n",
        ] {
            assert!(is_bookkeeping(noise), "{noise}");
        }
        for told in [" ---> Using cache\n", "Step 1/4 : FROM app:1\n", " ---> see below\n", "Step 2/4 : LABEL maintainer=ada\n", "ok\n"] {
            assert!(!is_bookkeeping(told), "{told}");
        }
    }
}
