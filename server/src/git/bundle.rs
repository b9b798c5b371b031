//! A whole repository as one stream, and back: Git's own bundles.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdout},
};

use super::{DEADLINE, GitError, Result, check_commit, command, ensure_bare, output};

/// How long putting one back may take.
const FETCH: Duration = Duration::from_secs(3_600);

/// A repository on its way out.
#[derive(Debug)]
pub struct Bundling {
    child: Child,
    out: ChildStdout,
}

impl Bundling {
    /// The next piece, of up to `size` bytes; none at the end.
    ///
    /// # Errors
    /// Where `git` failed: what was read is no bundle then.
    pub async fn next(&mut self, size: usize) -> Result<Option<Vec<u8>>> {
        let mut piece = Vec::with_capacity(size);
        (&mut self.out).take(size as u64).read_to_end(&mut piece).await.map_err(GitError::Start)?;
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
        let status = self.child.wait().await.map_err(GitError::Start)?;
        if status.success() { Ok(None) } else { Err(GitError::Failed { what: "bundle", message: status.to_string() }) }
    }
}

/// Begins a bundle of every ref and of these commits, which no ref may lead to any more. None where there is nothing in the
/// repository. A push meanwhile is in it or not: refs are read before objects, and objects never go away.
///
/// # Errors
/// Where `git` fails.
pub async fn bundle(repository: &Path, commits: &[String]) -> Result<Option<Bundling>> {
    if !repository.join("HEAD").is_file() {
        return Ok(None);
    }
    let mut any = command(Some(repository));
    any.args(["for-each-ref", "--count=1"]);
    if output(any, "for-each-ref", DEADLINE).await?.is_empty() {
        return Ok(None);
    }
    let there = existing(repository, commits).await?;
    let mut bundle = command(Some(repository));
    bundle.args(["bundle", "create", "--quiet", "-", "--all", "--stdin"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = fed(bundle, &there).await?;
    let Some(out) = child.stdout.take() else { return Err(GitError::Failed { what: "bundle", message: "no pipe".into() }) };
    Ok(Some(Bundling { child, out }))
}

/// Those of the commits that are there.
async fn existing(repository: &Path, commits: &[String]) -> Result<Vec<String>> {
    let named: Vec<String> = commits.iter().filter(|commit| check_commit(commit).is_ok()).cloned().collect();
    let mut check = command(Some(repository));
    check.args(["cat-file", "--batch-check=%(objecttype) %(objectname)"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let done = fed(check, &named).await?.wait_with_output().await.map_err(GitError::Start)?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_prefix("commit ")).map(ToOwned::to_owned).collect())
}

/// Starts a command and writes lines to it, from beside: it may answer before it has read them all.
async fn fed(mut command: tokio::process::Command, lines: &[String]) -> Result<Child> {
    let mut child = command.spawn().map_err(GitError::Start)?;
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    if let Some(mut input) = child.stdin.take() {
        tokio::spawn(async move {
            // A command that ends early says so by its status.
            let _ = input.write_all(text.as_bytes()).await;
        });
    }
    Ok(child)
}

/// Makes a bare repository of a bundle; an empty one where there is none.
///
/// # Errors
/// Where the bundle is damaged, or what its refs lead to is not in it.
pub async fn unbundle(repository: &Path, default_branch: &str, bundle: Option<&Path>) -> Result<()> {
    ensure_bare(repository, default_branch).await?;
    let Some(bundle) = bundle else { return Ok(()) };
    let mut fetch = command(Some(repository));
    fetch.args(["-c", "fetch.fsckObjects=true", "-c", "protocol.file.allow=always"]);
    fetch.args(["fetch", "--quiet", "--no-write-fetch-head", "--end-of-options"]).arg(bundle).arg("+refs/*:refs/*");
    output(fetch, "fetch", FETCH).await?;
    Ok(())
}
