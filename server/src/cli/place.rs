//! What the folder one stands in says: a Git remote to Berth, or a `berth.yaml`.

use std::{fs, path::PathBuf};

use app::model::{ServiceName, TeamName};

use super::git;

/// A repository of Berth.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Here {
    /// Its team.
    pub(super) team: TeamName,
    /// Its name, which is that of the service made with it.
    pub(super) service: ServiceName,
    /// The name of the remote.
    pub(super) remote: String,
}

/// The remote that leads to the Berth at `url`; one called `berth` first.
pub(super) fn of_remote(url: &str) -> Option<Here> {
    let listing = git::read(&["remote", "-v"])?;
    let mut found: Vec<Here> = listing.lines().filter_map(|line| read_remote(line, url)).collect();
    found.sort_by_key(|here| here.remote != "berth");
    found.into_iter().next()
}

/// A line of `git remote -v`: `name<TAB>url (push)`.
fn read_remote(line: &str, url: &str) -> Option<Here> {
    let (remote, rest) = line.split_once('\t')?;
    let address = rest.strip_suffix(" (push)")?;
    let path = normal(address).strip_prefix(&normal(url))?.strip_prefix("/git/")?.to_owned();
    let (team, repository) = path.split_once('/')?;
    let service = repository.trim_end_matches('/').trim_end_matches(".git");
    Some(Here { team: team.parse().ok()?, service: service.parse().ok()?, remote: remote.to_owned() })
}

/// `http://user:password@host` → `http://host`; `localhost` and `127.0.0.1` are one.
pub(super) fn normal(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).replacen("localhost", "127.0.0.1", 1);
    format!("{scheme}://{host}{path}")
}

/// The one service that the `berth.yaml` of the folder, or of one above it, names.
pub(super) fn of_file() -> Option<ServiceName> {
    let here = std::env::current_dir().ok()?;
    let file: PathBuf = here.ancestors().map(|folder| folder.join("berth.yaml")).find(|file| file.is_file())?;
    only_service(&fs::read_to_string(file).ok()?)
}

/// The key under `services:`, where there is exactly one. A hint only: the file is checked elsewhere.
fn only_service(text: &str) -> Option<ServiceName> {
    let mut names = text
        .lines()
        .skip_while(|line| line.trim_end() != "services:")
        .skip(1)
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .take_while(|line| line.starts_with(' '));
    let first = names.next()?;
    let indent = first.len() - first.trim_start().len();
    let another = names.any(|line| line.len() - line.trim_start().len() <= indent);
    if another { None } else { first.trim().split(':').next()?.trim_matches(['"', '\'']).parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_of_this_berth_are_found() {
        let url = "http://127.0.0.1:8080";
        for line in [
            "berth\thttp://127.0.0.1:8080/git/demo/hello.git (push)",
            "berth\thttp://me:secret@127.0.0.1:8080/git/demo/hello.git (push)",
            "berth\thttp://localhost:8080/git/demo/hello (push)",
        ] {
            let here = read_remote(line, url).unwrap();
            assert_eq!((here.team.as_str(), here.service.as_str()), ("demo", "hello"), "{line}");
        }
        for line in [
            "origin\thttps://example.org/demo/hello.git (push)",
            "berth\thttp://127.0.0.1:8081/git/demo/hello.git (push)",
            "berth\thttp://127.0.0.1:8080/git/demo/hello.git (fetch)",
            "berth\thttp://127.0.0.1:8080/git/UPPER/hello.git (push)",
            "nonsense",
        ] {
            assert_eq!(read_remote(line, url), None, "{line}");
        }
    }

    #[test]
    fn a_file_with_one_service_names_it() {
        assert_eq!(only_service("version: 1\nservices:\n  # the one\n  hello:\n    path: .\n").unwrap().as_str(), "hello");
        assert_eq!(only_service("services:\n  a:\n    path: x\n  b:\n    path: y\n"), None);
        assert_eq!(only_service("version: 1\n"), None);
    }
}
