//! Repositories that live elsewhere: looked at and fetched with the real `git`, which is told everything and asks nobody. It
//! goes to the address that was checked and to no other, takes no hint to go elsewhere, and ends in time and within its size.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use app::said;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::{Resource, Rlimit, prlimit};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::timeout,
};

use super::{
    GitError,
    address::{Address, Scheme},
    command,
    group::Group,
    left,
};

/// How long the list of refs may take.
const LOOK_WITHIN: Duration = Duration::from_secs(60);
/// The longest list of refs, in bytes.
const LONGEST_LIST: u64 = 32 << 20;
/// So much of what `git` complains of is read, in bytes.
const LONGEST_COMPLAINT: u64 = 64 << 10;
/// … and so much of it is said, in characters.
const LONGEST_SAID: usize = 300;

/// The refs that are mirrored. The last two are changes that are proposed: of GitHub and Gitea, and of GitLab.
const MIRRORED: [&str; 4] = ["refs/heads/*", "refs/tags/*", "refs/pull/*/head", "refs/merge-requests/*/head"];

/// How much a fetch may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may take.
    pub deadline: Duration,
    /// The largest pack, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(1_800), bytes: 2 << 30 }
    }
}

/// What one is let in by.
#[derive(Clone, Default)]
pub struct Credentials {
    /// A token; of HTTP.
    pub token: Option<String>,
    /// The private half of a key; of SSH.
    pub key: Option<String>,
    /// The keys of the host, where it was seen before; of SSH.
    pub host_keys: Option<String>,
}

/// Why a repository cannot be looked at or fetched.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The other side, or what lies between, does not let us; in a sentence.
    #[error("{0}")]
    Refused(String),
    /// Our own side.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// What a repository elsewhere holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The branch that its `HEAD` names.
    pub head: Option<String>,
    /// Its refs, of those that are mirrored, with their commits.
    pub refs: BTreeMap<String, String>,
}

/// A repository elsewhere that is talked to. What is written down for `ssh` is in a folder that goes with this.
pub struct Remote {
    address: Address,
    at: SocketAddr,
    token: Option<String>,
    files: Option<Files>,
}

/// The folder of what `ssh` is told: it is no argument, and no variable.
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Remote {
    /// Prepares to talk to the repository of this address, which was found to be at `at`. `scratch` is a folder for passing files.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn new(address: Address, at: SocketAddr, with: &Credentials, scratch: &Path) -> Result<Self, GitError> {
        let files = match address.scheme {
            Scheme::Ssh => Some(files(&address, at, with, scratch).map_err(GitError::Unwritable)?),
            Scheme::Http | Scheme::Https => None,
        };
        Ok(Self { address, at, token: with.token.clone(), files })
    }

    /// The keys of its host, as they are known by now; of SSH.
    pub fn host_keys(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.files.as_ref()?.0.join("known_hosts")).ok()?;
        Some(text).filter(|text| !text.trim().is_empty())
    }

    /// A `git` that may talk to this repository and to nobody else.
    fn git(&self, repository: Option<&Path>) -> Command {
        let mut git = command(None);
        let own = match self.address.scheme {
            Scheme::Http => "protocol.http.allow=always",
            Scheme::Https => "protocol.https.allow=always",
            Scheme::Ssh => "protocol.ext.allow=always",
        };
        git.args([
            "-c",
            "protocol.allow=never",
            "-c",
            own,
            "-c",
            "http.followRedirects=false",
            "-c",
            "http.proxy=",
            "-c",
            "credential.helper=",
        ]);
        git.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-c", "fetch.recurseSubmodules=false"]);
        git.args(["-c", "fetch.fsckObjects=true"]);
        // What old histories hold, and nobody can mend any more.
        for old in ["zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "zeroPaddedDate", "missingNameBeforeEmail"] {
            git.arg("-c").arg(format!("fetch.fsck.{old}=ignore"));
        }
        git.arg("-c").arg(format!("http.curloptResolve={}:{}:{}", self.address.host, self.address.port(), literal(self.at)));
        if let (Some(token), Scheme::Http | Scheme::Https) = (&self.token, self.address.scheme) {
            // As a variable of this one process: arguments are seen by all.
            let basic = STANDARD.encode(format!("x-access-token:{token}"));
            git.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "http.extraHeader");
            git.env("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {basic}"));
        }
        if let Some(repository) = repository {
            git.arg("--git-dir").arg(repository);
        }
        git
    }

    /// What `git` is given as the address.
    fn url(&self) -> String {
        let Address { host, path, .. } = &self.address;
        match (&self.files, self.address.scheme) {
            // The command is split at spaces and never seen by a shell; the one on the other side sees the path, between quotes.
            (Some(files), _) => format!("ext::ssh -F {} {host} %S '{path}'", escaped(&files.0.join("config"))),
            (None, Scheme::Http) => format!("http://{host}:{}{path}", self.address.port()),
            (None, _) => format!("https://{host}:{}{path}", self.address.port()),
        }
    }

    /// Its refs, of those that are mirrored.
    ///
    /// # Errors
    /// Where it cannot be asked; in a sentence.
    pub async fn list(&self) -> Result<Listed, RemoteError> {
        let mut git = self.git(None);
        git.args(["ls-remote", "--symref", "--end-of-options"]).arg(self.url()).arg("HEAD").args(MIRRORED);
        let text = self.run(git, LOOK_WITHIN, None).await?;
        Ok(read_list(&String::from_utf8_lossy(&text)))
    }

    /// Fetches its refs into a repository: afterwards those there are as here, and others of their kinds are gone.
    ///
    /// # Errors
    /// Where it cannot be fetched; in a sentence.
    pub async fn fetch(&self, repository: &Path, limits: Limits) -> Result<(), RemoteError> {
        let mut git = self.git(Some(repository));
        git.args(["fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--force", "--atomic", "--no-auto-maintenance"]);
        git.arg("--end-of-options").arg(self.url()).args(MIRRORED.map(|name| format!("+{name}:{name}")));
        point!("git::before_mirror");
        let fetched = self.run(git, limits.deadline, Some(limits.bytes)).await;
        point!("git::after_mirror");
        match fetched {
            Err(_) if sweep(repository).await >= limits.bytes => Err(RemoteError::Refused(said::mirror_too_large(limits.bytes >> 20))),
            fetched => fetched.map(drop),
        }
    }

    async fn run(&self, mut git: Command, within: Duration, largest: Option<u64>) -> Result<Vec<u8>, RemoteError> {
        git.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group = Group::spawn(git)?;
        if let (Some(bytes), Some(pid)) = (largest, group.pid()) {
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            prlimit(Some(pid), Resource::Fsize, limit).map_err(|error| GitError::Start(error.into()))?;
        }
        let (out, err) = group.child().map(|child| (child.stdout.take(), child.stderr.take())).unwrap_or_default();
        let all = async {
            let (out, err) = tokio::join!(read(out, LONGEST_LIST), read(err, LONGEST_COMPLAINT));
            Ok::<_, GitError>((out, err, group.wait().await.map_err(GitError::Start)?))
        };
        let done = timeout(within, all).await;
        let Ok(done) = done else {
            group.end().await;
            return Err(RemoteError::Refused(said::mirror_too_slow(&self.address.host, within.as_secs())));
        };
        let (out, err, status) = done?;
        if status.success() && u64::try_from(out.len()).unwrap_or(u64::MAX) < LONGEST_LIST {
            return Ok(out);
        }
        if status.success() {
            return Err(RemoteError::Refused(said::mirror_too_many_refs()));
        }
        Err(RemoteError::Refused(why(&String::from_utf8_lossy(&err), &self.address)))
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(from) = from {
        let mut from = from.take(most);
        let _ = from.read_to_end(&mut all).await;
        // What is too much is thrown away, so that the child can end.
        let mut rest = from.into_inner();
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
    all
}

fn literal(at: SocketAddr) -> String {
    match at {
        SocketAddr::V4(at) => at.ip().to_string(),
        SocketAddr::V6(at) => format!("[{}]", at.ip()),
    }
}

/// A path within the command of `ext::`, where a space ends a word and a percent sign begins something.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('%', "%%").replace(' ', "% ")
}

/// Writes what `ssh` is to know into a folder for this one time.
fn files(address: &Address, at: SocketAddr, with: &Credentials, scratch: &Path) -> std::io::Result<Files> {
    let folder = Files(scratch.join(format!("ssh-{}", crate::clock::new_id())));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder.0)?;
    let quoted = |name: &str| format!("\"{}\"", folder.0.join(name).display().to_string().replace('%', "%%"));
    let known = with.host_keys.as_deref();
    let check = if known.is_some() { "yes" } else { "accept-new" };
    let mut config = format!(
        "HostName {}\nHostKeyAlias {}\nPort {}\nUser {}\nUserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking {check}\n",
        at.ip(),
        address.host,
        address.port(),
        address.user,
        quoted("known_hosts"),
    );
    config.push_str(concat!(
        "BatchMode yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nIdentitiesOnly yes\nIdentityAgent none\n",
        "ForwardAgent no\nForwardX11 no\nClearAllForwardings yes\nPermitLocalCommand no\nProxyCommand none\nControlMaster no\n",
        "ControlPath none\nCanonicalizeHostname no\nCheckHostIP no\nHashKnownHosts no\nUpdateHostKeys no\nVerifyHostKeyDNS no\nRequestTTY no\n",
        "EscapeChar none\nLogLevel ERROR\nConnectTimeout 20\nServerAliveInterval 15\nServerAliveCountMax 4\nAddKeysToAgent no\n",
    ));
    match &with.key {
        Some(_) => config.push_str(&format!("IdentityFile {}\n", quoted("key"))),
        None => config.push_str("IdentityFile none\n"),
    }
    for (name, text) in [("config", Some(config.as_str())), ("key", with.key.as_deref()), ("known_hosts", known)] {
        if let Some(text) = text {
            use std::io::Write as _;
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.0.join(name))?.write_all(text.as_bytes())?;
        }
    }
    Ok(folder)
}

/// Removes what a fetch that was cut short left; the size of the largest piece.
async fn sweep(repository: &Path) -> u64 {
    let repository = repository.to_owned();
    tokio::task::spawn_blocking(move || left::clear_fetched(&repository)).await.unwrap_or(0)
}

/// Reads what `git ls-remote --symref` writes.
fn read_list(text: &str) -> Listed {
    let mut listed = Listed::default();
    for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
        match (left.strip_prefix("ref: "), name) {
            (Some(target), "HEAD") => listed.head = target.strip_prefix("refs/heads/").map(str::to_owned),
            (None, name) if is_mirrored(name) => drop(listed.refs.insert(name.to_owned(), left.to_owned())),
            _ => {}
        }
    }
    listed
}

/// Whether a ref is one of those that are mirrored. What a tag leads to (`v1^{}`) is listed too, and is none.
fn is_mirrored(name: &str) -> bool {
    let of_change = |kind| name.strip_prefix(kind).and_then(|rest| rest.strip_suffix("/head")).is_some_and(|part| !part.is_empty());
    let plain = ["refs/heads/", "refs/tags/"].iter().any(|kind| name.starts_with(kind));
    !name.ends_with("^{}") && (plain || of_change("refs/pull/") || of_change("refs/merge-requests/"))
}

/// What `git` complained of, as a sentence that says what to do.
fn why(complaint: &str, address: &Address) -> String {
    let host = address.host.as_str();
    let has = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        return said::mirror_other_host_key(host);
    }
    if has(&["Permission denied"]) {
        return said::mirror_key_refused(host);
    }
    if has(&["error: 301", "error: 302", "error: 303", "error: 307", "error: 308", "redirection"]) {
        return said::mirror_redirected(host);
    }
    if has(&["Authentication failed", "could not read Username", "error: 401", "error: 403", "HTTP Basic: Access denied"]) {
        return said::mirror_not_let_in(host);
    }
    if has(&["not found", "Not Found", "error: 404", "does not appear to be a git repository", "Could not find repository"]) {
        return said::mirror_not_there(host);
    }
    if has(&["Connection refused", "Failed to connect", "Couldn't connect", "timed out", "No route to host", "Network is unreachable"]) {
        return said::mirror_no_answer(host);
    }
    let mut lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.rfind(|line| !line.contains("correct access rights") && *line != "and the repository exists.");
    let line: String = last.unwrap_or("–").chars().filter(|c| !c.is_control()).take(LONGEST_SAID).collect();
    said::mirror_git_says(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_what_is_not_mirrored_left_out() {
        let text = "ref: refs/heads/trunk\tHEAD\n1111\tHEAD\n1111\trefs/heads/trunk\n2222\trefs/tags/v1\n3333\trefs/tags/v1^{}\n4444\trefs/pull/7/head\n\
                    5555\trefs/pull/7/merge\n6666\trefs/merge-requests/3/head\n7777\trefs/notes/x\n8888\trefs/pull//head\n";
        let listed = read_list(text);
        assert_eq!(listed.head.as_deref(), Some("trunk"));
        let names: Vec<&str> = listed.refs.keys().map(String::as_str).collect();
        assert_eq!(names, ["refs/heads/trunk", "refs/merge-requests/3/head", "refs/pull/7/head", "refs/tags/v1"]);
    }

    #[test]
    fn complaints_become_sentences() {
        let address: Address = "https://git.example.org/a/b".parse().unwrap();
        for (complaint, part) in [
            ("fatal: Authentication failed for 'https://x'", "token"),
            ("fatal: unable to access 'https://x': The requested URL returned error: 301", "elsewhere"),
            ("fatal: repository 'https://x' not found", "no such repository"),
            ("fatal: unable to access 'https://x': Failed to connect to x port 1", "does not answer"),
            ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "deploy key"),
            ("Host key verification failed.\nfatal: Could not read", "another key"),
            ("fatal: odd\u{7} thing", "odd thing"),
        ] {
            let sentence = why(complaint, &address);
            assert!(sentence.contains(part), "{complaint}: {sentence}");
        }
    }
}
