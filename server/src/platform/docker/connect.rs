//! Where the engine is, found the way the docker command finds it; and the way there.
//!
//! Order (Docker documentation, "Docker contexts"): what Berth is told, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context
//! of `~/.docker/config.json`, the usual socket; after it the sockets of a rootless engine and of Docker Desktop.

use std::path::{Path, PathBuf};

use bollard::{BollardRequest, ClientVersion};
use http::uri::PathAndQuery;
use sha2::{Digest, Sha256};

use super::super::PlatformError;

/// The version of the engine's API that Berth is tried with. An engine that no longer takes it gets the least it takes.
pub(super) const API: (usize, usize) = (1, 41);

const USUAL: &str = "/var/run/docker.sock";

/// What is known of the surroundings; in tests, made up.
pub(super) struct Surroundings<'a> {
    /// Reads a variable.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file.
    pub(super) read: &'a dyn Fn(&Path) -> Option<String>,
    /// Whether there is such a socket.
    pub(super) exists: &'a dyn Fn(&Path) -> bool,
    /// The home folder.
    pub(super) home: Option<PathBuf>,
}

/// Finds the engine's address: `unix://…`, `tcp://…` or `http://…`.
///
/// # Errors
/// A sentence, where the address found is of a kind that Berth does not speak, or a context is named that is not there.
pub fn locate(told: Option<&str>) -> Result<String, PlatformError> {
    let surroundings = Surroundings {
        variable: &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
        read: &|path| std::fs::read_to_string(path).ok(),
        exists: &Path::exists,
        home: dirs::home_dir(),
    };
    locate_in(told, &surroundings)
}

pub(super) fn locate_in(told: Option<&str>, around: &Surroundings<'_>) -> Result<String, PlatformError> {
    if let Some(address) = told {
        return spoken(address, "the setting of the container engine");
    }
    if let Some(address) = (around.variable)("DOCKER_HOST") {
        return spoken(&address, "DOCKER_HOST");
    }
    let folder = (around.variable)("DOCKER_CONFIG").map(PathBuf::from).or_else(|| around.home.as_ref().map(|home| home.join(".docker")));
    if let Some(context) = (around.variable)("DOCKER_CONTEXT").or_else(|| current_context(folder.as_deref(), around))
        && context != "default"
    {
        let address = folder.as_deref().and_then(|folder| of_context(folder, &context, around)).ok_or_else(|| {
            PlatformError::Refused(format!(
                "the docker context `{context}` is chosen and not to be found; choose another with `docker context use`, or give \
                 Berth the engine's address with --docker"
            ))
        })?;
        return spoken(&address, &format!("the docker context `{context}`"));
    }
    let runtime = (around.variable)("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("docker.sock"));
    let desktop = around.home.as_ref().map(|home| home.join(".docker/run/docker.sock"));
    let socket = [Some(PathBuf::from(USUAL)), runtime, desktop].into_iter().flatten().find(|path| (around.exists)(path));
    Ok(format!("unix://{}", socket.unwrap_or_else(|| USUAL.into()).display()))
}

fn current_context(folder: Option<&Path>, around: &Surroundings<'_>) -> Option<String> {
    let config: serde_json::Value = serde_json::from_str(&(around.read)(&folder?.join("config.json"))?).ok()?;
    config.get("currentContext")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The address in a context's metadata: the folder is the SHA-256 of its name.
fn of_context(folder: &Path, name: &str, around: &Surroundings<'_>) -> Option<String> {
    let path = folder.join("contexts/meta").join(hex::encode(Sha256::digest(name))).join("meta.json");
    let meta: serde_json::Value = serde_json::from_str(&(around.read)(&path)?).ok()?;
    meta.pointer("/Endpoints/docker/Host")?.as_str().map(str::to_owned)
}

fn spoken(address: &str, source: &str) -> Result<String, PlatformError> {
    if let Some(path) = address.strip_prefix('/') {
        return Ok(format!("unix:///{path}"));
    }
    if ["unix://", "tcp://", "http://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Ok(address.to_owned());
    }
    Err(PlatformError::Refused(format!(
        "{source} says `{address}`; Berth reaches an engine at unix://… or tcp://… (for ssh, forward the engine's socket to this machine)"
    )))
}

/// A client for this address, which says that it speaks this version. Nothing is sent yet.
pub(super) fn client(address: &str, version: (usize, usize)) -> Result<bollard::Docker, bollard::errors::Error> {
    // The client's own deadline covers headers only and is the same for all calls: ours are shorter, each as it needs.
    const LONGEST: u64 = 24 * 60 * 60;
    let version = ClientVersion { major_version: version.0, minor_version: version.1 };
    if address.starts_with("unix://") {
        bollard::Docker::connect_with_unix(address, LONGEST, &version)
    } else {
        bollard::Docker::connect_with_http(address, LONGEST, &version)
    }
}

/// The version to speak with an engine which takes these; `None`: it is too old.
pub(super) fn agree(least: Option<&str>, most: Option<&str>) -> Option<(usize, usize)> {
    let least = least.and_then(version).unwrap_or(API);
    let most = most.and_then(version)?;
    let agreed = API.max(least);
    (agreed <= most).then_some(agreed)
}

fn version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Puts the agreed version in front of a request's path, which the client leaves out, and adds to its query.
pub(super) fn rewrite(request: BollardRequest, version: (usize, usize), more: &str) -> BollardRequest {
    let old = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let joint = match (more.is_empty(), old.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    let path = format!("{old}{joint}{more}");
    rewrite_to(request, version, &path)
}

/// Puts another path, with its query, in the place of a request's.
pub(super) fn rewrite_to(mut request: BollardRequest, version: (usize, usize), path: &str) -> BollardRequest {
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("/v{}.{}{path}", version.0, version.1).parse().ok();
    if let Ok(uri) = http::Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn locate_with(told: Option<&str>, variables: &[(&str, &str)], files: &[(&str, &str)], sockets: &[&str]) -> String {
        let variables: HashMap<_, _> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files: HashMap<_, _> = files.iter().map(|(k, v)| (PathBuf::from(k), (*v).to_owned())).collect();
        let around = Surroundings {
            variable: &|name| variables.get(name).cloned(),
            read: &|path| files.get(path).cloned(),
            exists: &|path| sockets.iter().any(|socket| Path::new(socket) == path),
            home: Some("/home/a".into()),
        };
        locate_in(told, &around).unwrap_or_else(|error| error.to_string())
    }

    const CONFIG: (&str, &str) = ("/home/a/.docker/config.json", r#"{"currentContext":"far"}"#);
    const META: (&str, &str) = ("far", r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:2375"}}}"#);

    #[test]
    fn the_engine_is_found_as_the_docker_command_finds_it() {
        let meta = format!("/home/a/.docker/contexts/meta/{}/meta.json", hex::encode(Sha256::digest("far")));
        let files = [CONFIG, (meta.as_str(), META.1)];
        let host = ("DOCKER_HOST", "unix:///host.sock");
        for (found, told, variables, files, sockets) in [
            ("unix:///told.sock", Some("unix:///told.sock"), &[host][..], &files[..], &[][..]),
            ("unix:///told.sock", Some("/told.sock"), &[], &[], &[]),
            ("unix:///host.sock", None, &[host], &files, &[]),
            ("tcp://far:2375", None, &[], &files, &["/var/run/docker.sock"]),
            ("unix:///var/run/docker.sock", None, &[("DOCKER_CONTEXT", "default")], &files, &[]),
            ("unix:///var/run/docker.sock", None, &[], &[], &[]),
            (
                "unix:///var/run/docker.sock",
                None,
                &[("XDG_RUNTIME_DIR", "/run/user/1")],
                &[],
                &["/var/run/docker.sock", "/run/user/1/docker.sock"],
            ),
            ("unix:///run/user/1/docker.sock", None, &[("XDG_RUNTIME_DIR", "/run/user/1")], &[], &["/run/user/1/docker.sock"]),
            ("unix:///home/a/.docker/run/docker.sock", None, &[], &[], &["/home/a/.docker/run/docker.sock"]),
        ] {
            assert_eq!(locate_with(told, variables, files, sockets), found);
        }
        for (part, told, variables) in [
            ("forward the engine's socket", Some("ssh://host"), &[][..]),
            ("DOCKER_HOST says `npipe://x`", None, &[("DOCKER_HOST", "npipe://x")]),
            ("context `near` is chosen and not to be found", None, &[("DOCKER_CONTEXT", "near")]),
        ] {
            let sentence = locate_with(told, variables, &[], &[]);
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    #[test]
    fn a_version_is_agreed_on() {
        for (least, most, agreed) in [
            (Some("1.12"), Some("1.41"), Some((1, 41))),
            (Some("1.24"), Some("1.47"), Some((1, 41))),
            (Some("1.44"), Some("1.52"), Some((1, 44))),
            (Some("1.12"), Some("1.40"), None),
            (None, Some("1.41"), Some((1, 41))),
            (None, None, None),
        ] {
            assert_eq!(agree(least, most), agreed);
        }
    }

    #[test]
    fn requests_name_the_version_and_keep_their_query() {
        for (from, more, to) in [
            ("unix://2f76/containers/json?all=true", "", "unix://2f76/v1.41/containers/json?all=true"),
            ("http://host:2375/build", "memory=1", "http://host:2375/v1.41/build?memory=1"),
            ("http://host:2375/build?a=b", "memory=1", "http://host:2375/v1.41/build?a=b&memory=1"),
        ] {
            let request = http::Request::builder().uri(from).body(bollard::body_full(bytes::Bytes::new())).unwrap();
            assert_eq!(rewrite(request, (1, 41), more).uri().to_string(), to);
        }
    }
}
