//! How two commits stand to each other, and what changed between them.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{ARCHIVE_DEADLINE, DEADLINE, GitError, Result, check_commit, command, output};

/// How many paths are asked about in one go.
const AT_ONCE: usize = 500;

/// How a commit stands to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// It is in its history.
    Within,
    /// It is not: history was rewritten.
    Beside,
    /// It is not there at all.
    Missing,
}

/// How `base` stands to `head`.
///
/// # Errors
/// Where `git` does not answer.
pub async fn ancestry(repository: &Path, base: &str, head: &str) -> Result<Ancestry> {
    check_commit(base)?;
    check_commit(head)?;
    let mut there = command(Some(repository));
    there.args(["cat-file", "-e"]).arg(format!("{base}^{{commit}}"));
    if !says_yes(there, "cat-file").await? {
        return Ok(Ancestry::Missing);
    }
    let mut ask = command(Some(repository));
    ask.args(["merge-base", "--is-ancestor", base, head]);
    Ok(if says_yes(ask, "merge-base").await? { Ancestry::Within } else { Ancestry::Beside })
}

/// Runs a command that answers by how it ends.
async fn says_yes(mut command: Command, what: &'static str) -> Result<bool> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = tokio::time::timeout(DEADLINE, command.status()).await.map_err(|_| GitError::TooSlow(what))?;
    Ok(status.map_err(GitError::Start)?.success())
}

/// Gives every path that differs between two commits, one after the other, however many there are.
///
/// # Errors
/// Where one of the commits is not there, or `git` takes too long.
pub async fn changed(repository: &Path, base: &str, head: &str, each: impl FnMut(&str)) -> Result<()> {
    tokio::time::timeout(ARCHIVE_DEADLINE, stream(repository, base, head, each)).await.map_err(|_| GitError::TooSlow("diff-tree"))?
}

async fn stream(repository: &Path, base: &str, head: &str, each: impl FnMut(&str)) -> Result<()> {
    check_commit(base)?;
    check_commit(head)?;
    let mut diff = command(Some(repository));
    diff.args(["diff-tree", "-r", "-z", "--name-only", "--no-renames", base, head]);
    records(diff, "diff-tree", each).await
}

/// Runs a command and gives what it says, record by record: each ends with a NUL.
async fn records(mut command: Command, what: &'static str, mut each: impl FnMut(&str)) -> Result<()> {
    let mut child = command.stderr(Stdio::null()).spawn().map_err(GitError::Start)?;
    let failed = |message: String| GitError::Failed { what, message };
    let mut records = BufReader::new(child.stdout.take().ok_or_else(|| failed("no pipe".into()))?);
    let mut record = Vec::new();
    while records.read_until(0, &mut record).await.map_err(|error| failed(error.to_string()))? > 0 {
        each(&String::from_utf8_lossy(record.strip_suffix(&[0]).unwrap_or(&record)));
        record.clear();
    }
    let status = child.wait().await.map_err(GitError::Start)?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}

/// Gives every file of a commit in a folder (empty: all of them), in the order of their paths: the path, and what Git calls its
/// content.
///
/// # Errors
/// Where the commit is not there, or `git` takes too long.
pub async fn tree(repository: &Path, commit: &str, folder: &str, each: impl FnMut(&str, &str)) -> Result<()> {
    tokio::time::timeout(ARCHIVE_DEADLINE, stream_tree(repository, commit, folder, each)).await.map_err(|_| GitError::TooSlow("ls-tree"))?
}

async fn stream_tree(repository: &Path, commit: &str, folder: &str, mut each: impl FnMut(&str, &str)) -> Result<()> {
    check_commit(commit)?;
    let mut list = command(Some(repository));
    list.args(["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit]);
    if !folder.is_empty() {
        list.arg(folder).env("GIT_LITERAL_PATHSPECS", "1");
    }
    records(list, "ls-tree", |entry| {
        let Some((about, path)) = entry.split_once('\t') else { return };
        let mut about = about.split(' ').skip(1);
        if let (Some("blob"), Some(object)) = (about.next(), about.next()) {
            each(path, object);
        }
    })
    .await
}

/// Those of the paths at which a commit has a file.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn files(repository: &Path, commit: &str, paths: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    check_commit(commit)?;
    let all: Vec<&String> = paths.iter().collect();
    let mut found = BTreeSet::new();
    for some in all.chunks(AT_ONCE) {
        let mut ask = command(Some(repository));
        ask.args(["ls-tree", "-z", "--full-tree", "--end-of-options", commit, "--"]).args(some);
        ask.env("GIT_LITERAL_PATHSPECS", "1");
        let text = output(ask, "ls-tree", DEADLINE).await?;
        let text = String::from_utf8_lossy(&text);
        // Where one of the paths is a folder of another, Git lists more than was asked for.
        let entries = text.split('\0').filter_map(|entry| entry.split_once('\t')).filter(|(_, path)| paths.contains(*path));
        found.extend(entries.filter(|(about, _)| about.split(' ').nth(1) == Some("blob")).map(|(_, path)| path.to_owned()));
    }
    Ok(found)
}
