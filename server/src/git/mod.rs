//! Hosted repositories: bare, one folder each, touched only through the `git` program with a fixed argv, an environment of
//! its own and a deadline.

mod address;
mod bundle;
mod diff;
mod group;
mod key;
mod left;
mod packet;
mod receive;
mod remote;
mod serve;

pub use address::{Address, NoAddress, Scheme};
pub use bundle::{Bundling, bundle, unbundle};
pub use diff::{Ancestry, ancestry, changed, files, tree};
pub use key::{fingerprints, new_key};
pub use left::clear_all;
pub use packet::{Band, Packets, band, flush, packet};
pub use receive::{Head, read_head};
pub use remote::{Credentials, Limits, Listed, Remote, RemoteError};
pub use serve::{Service, Serving, advertise, serve};

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{fs::File, io::AsyncWriteExt as _, process::Command};

/// How long a short question to `git` may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long making an archive may take.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(300);

/// What must fit on the disk before anything is begun there, in bytes.
const ROOM: usize = 128 << 10;

/// What can go wrong with `git`.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started at all.
    #[error("`git` could not be started: {0}. Is it installed?")]
    Start(std::io::Error),
    /// It said no.
    #[error("`git {what}` failed: {message}")]
    Failed {
        /// What was asked.
        what: &'static str,
        /// The last lines it wrote to its standard error.
        message: String,
    },
    /// There is no writing into the repository.
    #[error("the repository cannot be written: {0}")]
    Unwritable(#[source] std::io::Error),
    /// It took too long.
    #[error("`git {0}` did not end in time")]
    TooSlow(&'static str),
    /// The commit's name is none.
    #[error("`{0}` is no commit")]
    NoCommit(String),
}

/// Shorthand within `git`.
pub type Result<T, E = GitError> = std::result::Result<T, E>;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name: 40 hex digits.
    pub id: String,
    /// Its author's name.
    pub author: String,
    /// Its whole message.
    pub message: String,
}

impl Commit {
    /// The first line of the message, cut to 200 characters.
    pub fn title(&self) -> String {
        self.message.lines().next().unwrap_or_default().chars().take(200).collect()
    }
}

/// Where `git` is. By its whole path: for a name that the child's own `PATH` has to find, the standard library copies this process
/// (`fork`) in place of `posix_spawn`, which takes 10 ms of a Berth with a large store.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join("git")).find(|program| program.is_file());
    found.unwrap_or_else(|| PathBuf::from("git"))
});

/// A `git` command with nothing of Berth's own environment and no configuration but what is said here.
fn command(repository: Option<&Path>) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C.UTF-8")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .args(["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.fsync=all"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(repository) = repository {
        command.arg("--git-dir").arg(repository);
    }
    command
}

/// Runs a command to its end; its standard output.
async fn output(mut command: Command, what: &'static str, deadline: Duration) -> Result<Vec<u8>> {
    let done = tokio::time::timeout(deadline, command.output()).await.map_err(|_| GitError::TooSlow(what))?.map_err(GitError::Start)?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let message = String::from_utf8_lossy(&done.stderr).lines().rev().take(3).collect::<Vec<_>>().join("; ");
    Err(GitError::Failed { what, message })
}

/// Whether there is room for a push or a repository at all: a little is written into the folder and removed. What `git` itself
/// says of a full disk tells nobody what to do.
///
/// # Errors
/// Where nothing can be written.
pub async fn has_room(folder: &Path) -> Result<()> {
    let file = folder.join(format!("room-{}", crate::clock::new_id()));
    let written = async {
        let mut room = File::create(&file).await?;
        // It has no name any more when it is written: a crash leaves nothing.
        tokio::fs::remove_file(&file).await?;
        room.write_all(&vec![0; ROOM]).await?;
        room.flush().await
    };
    written.await.map_err(GitError::Unwritable)
}

/// Makes the bare repository if it is not there.
///
/// # Errors
/// Where it cannot be made.
pub async fn ensure_bare(repository: &Path, default_branch: &str) -> Result<()> {
    if repository.join("HEAD").is_file() && repository.join("objects").is_dir() {
        return Ok(());
    }
    if let Some(folder) = repository.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(GitError::Unwritable)?;
        has_room(folder).await?;
    }
    let mut init = command(None);
    init.args(["init", "--quiet", "--bare", "--template="]).arg(format!("--initial-branch={default_branch}")).arg("--").arg(repository);
    point!("git::before_init");
    output(init, "init", DEADLINE).await?;
    point!("git::after_init");
    Ok(())
}

/// The branches, tags and proposed changes with their commits; empty where the repository was not made yet.
///
/// # Errors
/// Where they cannot be read.
pub async fn refs(repository: &Path) -> Result<BTreeMap<String, String>> {
    if !repository.join("HEAD").is_file() {
        return Ok(BTreeMap::new());
    }
    let mut list = command(Some(repository));
    list.args(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/pull", "refs/merge-requests"]);
    let text = output(list, "for-each-ref", DEADLINE).await?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(|line| line.split_once(' ')).map(|(commit, name)| (name.to_owned(), commit.to_owned())).collect())
}

/// Has `HEAD` name the default branch.
///
/// # Errors
/// Where it cannot be written.
pub async fn set_head(repository: &Path, branch: &str) -> Result<()> {
    let mut set = command(Some(repository));
    set.args(["symbolic-ref", "HEAD"]).arg(format!("refs/heads/{branch}"));
    output(set, "symbolic-ref", DEADLINE).await.map(drop)
}

/// Whether a commit is in the history of one of the branches: somebody who may push has put it there.
///
/// # Errors
/// Where that cannot be told.
pub async fn in_a_branch(repository: &Path, commit: &str) -> Result<bool> {
    check_commit(commit)?;
    let mut list = command(Some(repository));
    list.args(["for-each-ref", "--count=1", "--format=%(refname)"]).arg(format!("--contains={commit}")).arg("refs/heads");
    Ok(!output(list, "for-each-ref", DEADLINE).await?.is_empty())
}

/// The branches that hold something which this one does not, 200 at most; none where there is no such branch.
///
/// # Errors
/// Where they cannot be read.
pub async fn unmerged(repository: &Path, branch: &str) -> Result<Vec<String>> {
    if !repository.join("HEAD").is_file() {
        return Ok(Vec::new());
    }
    let mut list = command(Some(repository));
    list.args(["for-each-ref", "--format=%(refname)", "--count=200"]).arg(format!("--no-merged=refs/heads/{branch}")).arg("refs/heads");
    match output(list, "for-each-ref", DEADLINE).await {
        Ok(text) => Ok(String::from_utf8_lossy(&text).lines().map(ToOwned::to_owned).collect()),
        // Nothing was pushed there yet.
        Err(GitError::Failed { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The repositories in this folder, each by its name without `.git` and with when a ref of it moved last, in nanoseconds.
pub fn all_moved_at(folder: &Path) -> Vec<(String, i64)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let moved = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_str()?.strip_suffix(".git")?.to_owned();
        let since = moved_at(&entry.path())?.duration_since(UNIX_EPOCH).ok()?;
        Some((name, i64::try_from(since.as_nanos()).ok()?))
    };
    entries.filter_map(moved).collect()
}

/// When a ref moved last, told from the folders without starting anything; none where nothing was ever pushed. A moved ref
/// is a renamed file, which its folder's time tells.
fn moved_at(repository: &Path) -> Option<SystemTime> {
    let packed = repository.join("packed-refs").metadata().and_then(|meta| meta.modified()).ok();
    newest(&repository.join("refs")).max(packed)
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let own = folder.metadata().and_then(|meta| meta.modified()).ok()?;
    let folders = std::fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| newest(&entry.path())).chain([own]).max()
}

/// Whether the text is the name of a commit: 40 (or 64) hex digits, so that it is never an option.
fn check_commit(commit: &str) -> Result<()> {
    let good = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if good { Ok(()) } else { Err(GitError::NoCommit(commit.to_owned())) }
}

/// The commit that a tag leads to, perhaps by way of an object of its own; none where it leads to something else.
///
/// # Errors
/// Where Git cannot be asked.
pub async fn of_tag(repository: &Path, id: &str) -> Result<Option<Commit>> {
    match commit(repository, id).await {
        Ok(commit) => Ok(Some(commit).filter(|commit| !commit.id.is_empty())),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A commit's author and message.
///
/// # Errors
/// Where there is no such commit.
pub async fn commit(repository: &Path, commit: &str) -> Result<Commit> {
    check_commit(commit)?;
    let mut show = command(Some(repository));
    show.args(["log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%B", "--end-of-options", commit]);
    let text = output(show, "log", DEADLINE).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut parts = text.splitn(3, '\0').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Ok(Commit { id: next(), author: next().chars().take(200).collect(), message: next().trim_end().to_owned() })
}

/// The commits that `to` has and `from` has not, newest first, each with the first line of its message; at most so many.
///
/// # Errors
/// Where one of them is not there.
pub async fn between(repository: &Path, from: &str, to: &str, most: usize) -> Result<Vec<Commit>> {
    check_commit(from)?;
    check_commit(to)?;
    let mut log = command(Some(repository));
    log.args(["log", "-z", "--no-show-signature", "--format=%H%x1f%an%x1f%s"]).arg(format!("--max-count={most}"));
    log.arg("--end-of-options").arg(format!("{from}..{to}"));
    let text = output(log, "log", DEADLINE).await?;
    let text = String::from_utf8_lossy(&text);
    let read = |line: &str| {
        let mut parts = line.splitn(3, '\u{1f}').map(|part| part.chars().take(200).collect::<String>());
        let mut next = || parts.next().unwrap_or_default();
        Commit { id: next(), author: next(), message: next() }
    };
    Ok(text.split('\0').filter(|line| !line.is_empty()).map(read).collect())
}

/// The size of a file at a commit; none where it is not there or is no file.
async fn size(repository: &Path, commit: &str, path: &str) -> Result<Option<u64>> {
    check_commit(commit)?;
    let mut ask = command(Some(repository));
    ask.args(["ls-tree", "-z", "--long", "--full-tree", "--end-of-options", commit, "--"]).arg(path);
    ask.env("GIT_LITERAL_PATHSPECS", "1");
    let text = output(ask, "ls-tree", DEADLINE).await?;
    let text = String::from_utf8_lossy(&text);
    let mut words = text.split('\t').next().unwrap_or_default().split_whitespace();
    let is_blob = words.nth(1) == Some("blob");
    Ok(if is_blob { words.nth(1).and_then(|size| size.parse().ok()) } else { None })
}

/// Whether there is a file of this path at a commit.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn has_file(repository: &Path, commit: &str, path: &str) -> Result<bool> {
    Ok(size(repository, commit, path).await?.is_some())
}

/// A file at a commit, cut at `most` bytes; none where it is not there.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn read_file(repository: &Path, commit: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
    let Some(size) = size(repository, commit, path).await? else { return Ok(None) };
    if usize::try_from(size).unwrap_or(usize::MAX) > most {
        return Ok(Some(vec![b'#'; most + 1]));
    }
    let mut cat = command(Some(repository));
    cat.args(["cat-file", "blob", "--end-of-options"]).arg(format!("{commit}:{path}"));
    output(cat, "cat-file", DEADLINE).await.map(Some)
}

/// Writes the files of a commit (those under `folder`, or all where it is empty) to a tar file.
///
/// # Errors
/// Where there is no such folder, or the disk is full.
pub async fn archive(repository: &Path, commit: &str, folder: &str, to: &Path) -> Result<()> {
    check_commit(commit)?;
    let tree = if folder.is_empty() { commit.to_owned() } else { format!("{commit}:{folder}") };
    let mut archive = command(Some(repository));
    archive.args(["archive", "--format=tar"]).arg(format!("--output={}", to.display())).arg("--end-of-options").arg(tree);
    output(archive, "archive", ARCHIVE_DEADLINE).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
