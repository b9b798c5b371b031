//! Builds by BuildKit, by way of the engine's own door. Its commands are on the engine's default network, and held to no limits:
//! an engine passes it neither.
//!
//! What team and service a build is of stands in its labels, as with the classic builder, and so does the space that its cache
//! mounts are in: they are kept from one build of a service to the next, and are no other service's.

use std::{
    io::{self, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::{BollardRequest, errors::Error};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, header::CONTENT_TYPE, uri::PathAndQuery};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::{
    super::{Build, ImageInfo, PlatformError, Sink},
    Docker,
    cache::Stages,
    call::Call,
    connect,
    images::{Built, Upload},
    trace::{Lines, Told},
};

/// The network that containers are on which nobody put anywhere.
const DEFAULT_NETWORK: &str = "bridge";
/// The name of its bridge, where it does not say.
const USUAL_BRIDGE: &str = "docker0";
/// The build argument that parts the cache mounts of one service from those of others.
const CACHE_SPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";
/// The longest line of progress that is read.
const LONGEST_LINE: usize = 16 << 20;

/// A line of a build's progress.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Progress {
    id: Option<String>,
    aux: Option<serde_json::Value>,
    error_detail: Option<ErrorDetail>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorDetail {
    message: Option<String>,
}

impl Docker {
    pub(super) async fn build_with_buildkit(
        &self,
        build: &Build,
        sink: Sink,
        cancel: CancellationToken,
    ) -> Result<ImageInfo, PlatformError> {
        let mut args = build.args.clone();
        args.insert(CACHE_SPACE.to_owned(), format!("berth-{}-{}", self.0.instance, build.service));
        let query = format!(
            "version=2&rm=1&forcerm=1&dockerfile={}&target={}&buildargs={}&labels={}",
            encoded(&build.dockerfile),
            encoded(build.target.as_deref().unwrap_or_default()),
            encoded(&serde_json::json!(args).to_string()),
            encoded(&serde_json::json!(self.build_labels(build)).to_string()),
        );
        let context = context(build).await?;
        let progress = self.post("/build", &query, context).await?;
        let mut reader = Reader { sink, lines: Lines::default(), id: None };
        let read = reader.read(self.watched(self.0.deadlines.idle, progress));
        let ended = Box::pin(self.ends(read, build.timeout, cancel)).await;
        // What the classic builder kept is of no use to this one.
        self.keep_cache(&build.service, &[]).await;
        // A command that failed may say anything.
        let of_command = |why: &str| why.contains("executor failed running") || why.contains("did not complete successfully");
        let commands = matches!(&ended, Err(PlatformError::Refused(why)) if of_command(why));
        let from = reader.lines.image().filter(|_| !commands).map(str::to_owned);
        self.what_was_built(Built { ended: ended.map_err(tidy), id: reader.id, from, stages: Stages::default() }, &build.team).await
    }

    /// Asks for something with a body, and answers with what comes, as it comes: the client reads the progress of the classic
    /// builder alone. Of its calls one that hands on what comes is made into this one.
    async fn post(
        &self,
        path: &str,
        query: &str,
        body: Upload,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, PlatformError> {
        let place: PathAndQuery =
            format!("{path}?{query}").parse().map_err(|_| PlatformError::Refused("the build has no address".into()))?;
        let body = Mutex::new(Some(body));
        let changes = move |mut request: BollardRequest, version| {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
            if let Some(body) = body.lock().unwrap_or_else(PoisonError::into_inner).take() {
                *request.body_mut() = body;
            }
            connect::rewrite_to(request, version, place.as_str())
        };
        let docker = self.client_that(changes).await?;
        Ok(async_stream::stream! {
            let mut answer = std::pin::pin!(docker.export_image("build"));
            while let Some(piece) = answer.next().await {
                yield piece;
            }
        })
    }

    pub(super) async fn find_default_bridge(&self) -> Result<Option<String>, PlatformError> {
        let docker = self.client().await?;
        match self.within(Call::Ask, "the default network", docker.inspect_network(DEFAULT_NETWORK, None)).await {
            Ok(found) => {
                let named = found.options.unwrap_or_default().remove("com.docker.network.bridge.name");
                Ok(Some(named.unwrap_or_else(|| USUAL_BRIDGE.to_owned())))
            }
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn prune_build_cache(&self, most: u64) -> Result<u64, PlatformError> {
        let docker = self.client_with(format!("keep-storage={most}")).await?;
        let options = None::<bollard::query_parameters::PruneBuildOptions>;
        let pruned = self.within(Call::ImageRemove, "the cache of builds", docker.prune_build(options)).await?;
        Ok(pruned.space_reclaimed.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// What a failed build says, without the names of the parts it was passed through.
fn tidy(error: PlatformError) -> PlatformError {
    let through = ["failed to solve with frontend dockerfile.v0: ", "failed to solve: ", "failed to create LLB definition: "];
    match error {
        PlatformError::Refused(why) => {
            let mut said = why.as_str();
            while let Some(rest) = through.iter().find_map(|part| said.strip_prefix(part)) {
                said = rest;
            }
            PlatformError::Refused(said.to_owned())
        }
        other => other,
    }
}

/// The files of a build. A folder comes first, since BuildKit takes what begins in a way it does not know for a Dockerfile; and
/// where another text is to be read, that, with what stood in its place left out.
async fn context(build: &Build) -> Result<Upload, PlatformError> {
    let unread = |error: io::Error| PlatformError::Refused(format!("the archive {} cannot be read: {error}", build.context.display()));
    let (head, cut) = match &build.text {
        None => (head(None).map_err(unread)?, None),
        Some(text) => {
            let (archive, name) = (build.context.clone(), build.dockerfile.clone());
            let found = tokio::task::spawn_blocking(move || place(&archive, &name)).await.map_err(io::Error::other).flatten();
            (head(Some((&build.dockerfile, text))).map_err(unread)?, found.map_err(unread)?)
        }
    };
    let (from, to) = cut.unwrap_or_default();
    let mut rest = tokio::fs::File::open(&build.context).await.map_err(unread)?;
    rest.seek(SeekFrom::Start(to)).await.map_err(unread)?;
    let before = tokio::fs::File::open(&build.context).await.map_err(unread)?.take(from);
    let whole = io::Cursor::new(head).chain(before).chain(rest);
    Ok(bollard::body_try_stream(ReaderStream::with_capacity(whole, 64 << 10)))
}

/// The beginning of an archive, without its end.
fn head(dockerfile: Option<(&str, &str)>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folder = tar::Header::new_ustar();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    folder.set_mode(0o755);
    archive.append_data(&mut folder, "./", io::empty())?;
    if let Some((name, text)) = dockerfile {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    Ok(archive.get_ref().clone())
}

/// Where a file stands in an archive, with whatever is said of it before.
fn place(archive: &Path, name: &str) -> io::Result<Option<(u64, u64)>> {
    let mut before = 0;
    for entry in tar::Archive::new(io::BufReader::new(std::fs::File::open(archive)?)).entries()? {
        let entry = entry?;
        let end = entry.raw_file_position() + entry.size().next_multiple_of(512);
        if entry.path()?.components().eq(Path::new(name.trim_start_matches("./")).components()) {
            return Ok(Some((before, end)));
        }
        before = end;
    }
    Ok(None)
}

/// Reads the progress of a build.
struct Reader {
    sink: Sink,
    lines: Lines,
    id: Option<String>,
}

impl Reader {
    async fn read(&mut self, progress: impl Stream<Item = Result<Bytes, PlatformError>>) -> Result<(), PlatformError> {
        let mut progress = std::pin::pin!(progress);
        let mut open: Vec<u8> = Vec::new();
        while let Some(piece) = progress.next().await {
            open.extend_from_slice(&piece?);
            while let Some(end) = open.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = open.drain(..=end).collect();
                self.line(&line).await?;
            }
            if open.len() > LONGEST_LINE {
                return Err(PlatformError::Refused("the engine's progress of the build does not read".into()));
            }
        }
        self.line(&open).await
    }

    async fn line(&mut self, line: &[u8]) -> Result<(), PlatformError> {
        let Ok(progress) = serde_json::from_slice::<Progress>(line) else { return Ok(()) };
        if let Some(error) = progress.error_detail.and_then(|detail| detail.message).or(progress.error) {
            return Err(PlatformError::Refused(error));
        }
        match (progress.id.as_deref(), progress.aux) {
            (Some("moby.image.id"), Some(aux)) => self.id = aux["ID"].as_str().map(str::to_owned).or(self.id.take()),
            (Some("moby.buildkit.trace"), Some(aux)) => {
                let message = aux.as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
                for piece in self.lines.take(Told::read(&message)) {
                    // A reader that went away does not stop the build.
                    let _ = self.sink.send(piece).await;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn another_dockerfile_takes_the_place_of_the_one_in_the_archive() {
        let long = format!("{}/Dockerfile", "deep".repeat(40));
        let mut archive = tar::Builder::new(Vec::new());
        for (name, text) in [("a", "1"), (long.as_str(), "of long name"), ("deploy/Dockerfile", "old"), ("z", "26")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = archive.into_inner().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        for (name, rest) in [
            ("deploy/Dockerfile", vec![("a", "1"), (&long, "of long name"), ("z", "26")]),
            (&long, vec![("a", "1"), ("deploy/Dockerfile", "old"), ("z", "26")]),
        ] {
            let (from, to) = place(file.path(), name).unwrap().unwrap();
            let cut = |at: u64| usize::try_from(at).unwrap();
            let whole = [&head(Some((name, "new"))).unwrap(), &bytes[..cut(from)], &bytes[cut(to)..]].concat();
            let mut found = Vec::new();
            for entry in tar::Archive::new(whole.as_slice()).entries().unwrap() {
                let mut entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                found.push((path, text));
            }
            let told: Vec<(&str, &str)> = found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            assert_eq!(told, [vec![("./", ""), (name, "new")], rest].concat());
        }
        assert_eq!(place(file.path(), "none").unwrap(), None);
    }

    #[test]
    fn a_failed_build_says_what_failed_alone() {
        for (said, tidied) in [
            (
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: the Dockerfile cannot be empty",
                "the Dockerfile cannot be empty",
            ),
            (
                "failed to solve: process \"x\" did not complete successfully: exit code: 1",
                "process \"x\" did not complete successfully: exit code: 1",
            ),
            ("something new", "something new"),
        ] {
            assert_eq!(tidy(PlatformError::Refused(said.into())), PlatformError::Refused(tidied.into()));
        }
    }
}
