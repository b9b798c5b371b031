//! Files out of a run's workspace, by globs. The workspace was written by whatever the steps ran, so its archive is read as
//! what a stranger sent: bounded in bytes, entries and files; only plain files are taken, no link is followed, and a path
//! that leads out ends the reading.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::Component,
    time::Duration,
};

use app::{
    model::{RunState, StepId},
    said,
};
use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use tokio::{sync::mpsc, time::timeout};

use super::{
    Context, artifacts,
    log::Log,
    reports,
    step::{Job, StepEnd},
};
use crate::{
    platform::{PlatformError, Workspace},
    store::{
        StoreError, Tx,
        artifacts::NewArtifact,
        db::Result as Stored,
        results::{self, NewResults},
        runs::RunRow,
    },
};

/// How much of a workspace is read for the globs of a step.
const MOST_BYTES: u64 = 1 << 30;
/// How many entries.
const MOST_ENTRIES: usize = 200_000;
/// How long that may take.
const LONGEST: Duration = Duration::from_secs(300);
/// How many sentences about single files are said.
const SAID: usize = 5;

/// What a step left that is kept with it.
#[derive(Debug, Default)]
pub struct Found {
    /// What its tests said.
    tests: Option<NewResults>,
    /// Its files.
    files: Vec<NewArtifact>,
    /// What the step is called by in its pipeline.
    step: String,
}

impl Found {
    /// Writes it down, in the transaction that ends the step.
    pub(super) async fn keep(&self, tx: &mut Tx, run: &RunRow, id: &StepId) -> Stored<()> {
        if let Some(tests) = &self.tests {
            results::insert(tx, run, id, tests).await?;
        }
        crate::store::artifacts::insert(tx, run, id, &self.step, &self.files).await
    }
}

/// What a step left, once its commands ended. Trouble is said in its log and changes nothing about its end.
pub(super) async fn found(ctx: &Context, job: &Job<'_>, end: &StepEnd, log: &mut Log) -> Result<Found, StoreError> {
    if !matches!(end.state, RunState::Passed | RunState::Failed | RunState::TimedOut) {
        return Ok(Found::default());
    }
    let tests = match &job.step.junit {
        Some(glob) => reports::read(ctx, job, glob, log).await?,
        None => None,
    };
    let files = if job.step.artifacts.is_empty() { Vec::new() } else { artifacts::keep(ctx, job, log).await? };
    Ok(Found { tests, files, step: job.key() })
}

/// How much is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many files.
    pub(super) files: usize,
    /// How large each may be.
    pub(super) each: u64,
    /// How large all of them may be.
    pub(super) all: u64,
}

/// What came of a look into a workspace.
#[derive(Debug)]
pub(super) struct Looked<T> {
    /// What was made of each file.
    pub(super) taken: Vec<T>,
    /// What is to be said of it.
    pub(super) notes: Vec<String>,
}

/// Reads the files that fit the globs, which are relative to `folder`. `take` gets each file's path in the workspace and its
/// content, and says what it makes of it.
pub(super) async fn files<T: Send + 'static>(
    ctx: &Context,
    workspace: &Workspace,
    folder: &str,
    globs: &[String],
    bounds: Bounds,
    take: impl FnMut(&str, &mut dyn Read) -> io::Result<T> + Send + 'static,
) -> Looked<T> {
    let wanted = match Wanted::new(folder, globs) {
        Ok(wanted) => wanted,
        Err(trouble) => return Looked { taken: Vec::new(), notes: vec![trouble] },
    };
    let mut walk = Walk {
        set: wanted.set,
        bounds,
        take,
        taken: Vec::new(),
        notes: Vec::new(),
        unsaid: 0,
        seen: BTreeSet::new(),
        entries: 0,
        streamed: 0,
        bytes: 0,
    };
    for root in wanted.roots {
        let mut archive = match ctx.platform.read_workspace(workspace, &root).await {
            Ok(Some(archive)) => archive,
            Ok(None) => continue,
            Err(error) => {
                walk.notes.push(said::workspace_unread(error));
                break;
            }
        };
        let (send, pieces) = mpsc::channel(8);
        let pump = async move {
            while let Some(piece) = archive.next().await {
                // Whoever reads may have had enough.
                if send.send(piece).await.is_err() {
                    return;
                }
            }
        };
        let work = tokio::task::spawn_blocking(move || {
            let end = walk.read(&root, Pieces { from: pieces, now: Bytes::new() });
            (walk, end)
        });
        let Ok(((), worked)) = timeout(LONGEST, async { tokio::join!(pump, work) }).await else {
            return Looked { taken: Vec::new(), notes: vec![said::workspace_late(LONGEST.as_secs())] };
        };
        let Ok((back, end)) = worked else { return Looked { taken: Vec::new(), notes: vec![said::workspace_unread("it broke off")] } };
        walk = back;
        if let Err(error) = end {
            walk.notes.push(said::workspace_unread(error));
            break;
        }
    }
    if walk.unsaid > 0 {
        walk.notes.push(said::files_more(walk.unsaid));
    }
    Looked { taken: walk.taken, notes: walk.notes }
}

/// Globs of a step, relative to its folder, as one set.
pub(super) fn globs(folder: &str, globs: &[String]) -> Result<GlobSet, String> {
    Wanted::new(folder, globs).map(|wanted| wanted.set)
}

/// The globs of a step, and where in the workspace to begin.
#[derive(Debug)]
struct Wanted {
    set: GlobSet,
    /// Folders or files, none within another.
    roots: Vec<String>,
}

impl Wanted {
    fn new(folder: &str, globs: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        let mut roots = BTreeSet::new();
        for glob in globs {
            let plain = glob.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
            if glob.starts_with('/') || plain.split('/').any(|part| part == "..") {
                return Err(said::glob_outside(glob));
            }
            let whole = if folder.is_empty() { plain } else { format!("{}/{plain}", escaped(folder)) };
            let one = GlobBuilder::new(&whole).literal_separator(true).build().map_err(|error| said::glob_bad(glob, error.kind()))?;
            set.add(one);
            roots.insert(root(&whole));
        }
        let set = set.build().map_err(|error| said::glob_bad(globs.join(", "), error.kind()))?;
        let within = |root: &String, other: &String| root != other && (other.is_empty() || root.starts_with(&format!("{other}/")));
        let top = |root: &&String| !roots.iter().any(|other| within(root, other));
        let roots = roots.iter().filter(top).cloned().collect();
        Ok(Self { set, roots })
    }
}

/// A folder's name as a part of a glob: a character that would mean something else fits as any does.
fn escaped(folder: &str) -> String {
    folder.chars().map(|c| if "*[]{}\\".contains(c) { '?' } else { c }).collect()
}

/// The parts of a glob before the first that stands for several names.
fn root(glob: &str) -> String {
    let plain = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}', '\\']);
    glob.split('/').take_while(plain).collect::<Vec<_>>().join("/")
}

/// Pieces that come from elsewhere, as something to read from.
struct Pieces {
    from: mpsc::Receiver<Result<Bytes, PlatformError>>,
    now: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.from.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.now = piece.map_err(io::Error::other)?,
            }
        }
        let length = buffer.len().min(self.now.len());
        self.now.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// A walk through archives.
struct Walk<T, F> {
    set: GlobSet,
    bounds: Bounds,
    take: F,
    taken: Vec<T>,
    notes: Vec<String>,
    /// Sentences left out because there were enough.
    unsaid: usize,
    seen: BTreeSet<String>,
    entries: usize,
    streamed: u64,
    bytes: u64,
}

impl<T, F: FnMut(&str, &mut dyn Read) -> io::Result<T>> Walk<T, F> {
    fn note(&mut self, note: String) {
        if self.notes.len() < SAID { self.notes.push(note) } else { self.unsaid += 1 }
    }

    /// Reads an archive of what is at `root`; an error ends the whole reading.
    fn read(&mut self, root: &str, from: impl Read) -> io::Result<()> {
        let from = from.take(MOST_BYTES.saturating_sub(self.streamed));
        let mut archive = tar::Archive::new(from);
        for entry in archive.entries()? {
            let mut entry = entry?;
            self.entries += 1;
            let size = entry.size();
            self.streamed = self.streamed.saturating_add(size);
            if self.entries > MOST_ENTRIES || self.streamed > MOST_BYTES {
                let where_at = if root.is_empty() { "/" } else { root };
                return Err(io::Error::other(said::workspace_large(where_at, MOST_BYTES >> 20, MOST_ENTRIES)));
            }
            let Some(path) = path_of(root, &entry.path()?)? else { continue };
            let kind = entry.header().entry_type();
            if kind.is_dir() || !self.set.is_match(&path) || !self.seen.insert(path.clone()) {
                continue;
            }
            if !kind.is_file() {
                self.note(said::file_no_file(&path));
            } else if size > self.bounds.each {
                self.note(said::file_large(&path, self.bounds.each >> 20));
            } else if self.taken.len() >= self.bounds.files || self.bytes + size > self.bounds.all {
                self.note(said::files_many(&path, self.bounds.files, self.bounds.all >> 20));
                return Ok(());
            } else {
                self.bytes += size;
                let made = (self.take)(&path, &mut entry)?;
                self.taken.push(made);
            }
        }
        Ok(())
    }
}

/// The path in the workspace of an entry whose name begins with the last part of `root`; none where it is no text.
///
/// # Errors
/// Where it leads out: then the archive is no engine's.
fn path_of(root: &str, name: &std::path::Path) -> io::Result<Option<String>> {
    let mut parts = Vec::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => match part.to_str().filter(|part| !part.contains(char::is_control)) {
                Some(part) => parts.push(part),
                None => return Ok(None),
            },
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(io::Error::other(said::path_outside(name.display())));
            }
        }
    }
    // The first part is the name of what was asked for.
    let below = parts.get(1..).unwrap_or_default();
    let all: Vec<&str> = Some(root).filter(|root| !root.is_empty()).into_iter().chain(below.iter().copied()).collect();
    Ok(Some(all.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_begins_at_the_folder_that_is_named() {
        let roots = |folder: &str, globs: &[&str]| {
            Wanted::new(folder, &globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>()).map(|wanted| wanted.roots)
        };
        for (folder, globs, expected) in [
            ("", &["target/junit/*.xml"][..], &["target/junit"][..]),
            ("services/a", &["./out/**/t.xml"], &["services/a/out"]),
            ("", &["**/*.xml"], &[""]),
            ("", &["report.xml"], &["report.xml"]),
            ("", &["out/a.xml", "out/*.xml", "out/b/c-*.xml", "other/x?"], &["other", "out"]),
            ("", &["a/*.x", "**/y"], &[""]),
            ("odd[1]", &["*.xml"], &[""]),
        ] {
            assert_eq!(roots(folder, globs).unwrap(), expected, "{folder} {globs:?}");
        }
        for bad in ["/etc/*", "../x", "a/../../b", "a/[", "{a"] {
            assert!(roots("", &[bad]).is_err(), "{bad}");
        }
        assert!(Wanted::new("odd[1]", &["*.xml".into()]).unwrap().set.is_match("odd[1]/a.xml"));
        assert!(!Wanted::new("", &["*.xml".into()]).unwrap().set.is_match("a/b.xml"), "a star stays in its folder");
    }

    #[test]
    fn an_entry_is_placed_below_what_was_asked_for() {
        for (root, name, expected) in [
            ("target/junit", "junit/a.xml", Some("target/junit/a.xml")),
            ("target/junit", "junit/", Some("target/junit")),
            ("report.xml", "report.xml", Some("report.xml")),
            ("", "workspace/a/b", Some("a/b")),
            ("", "./workspace/a", Some("a")),
        ] {
            assert_eq!(path_of(root, std::path::Path::new(name)).unwrap().as_deref(), expected, "{name}");
        }
        for bad in ["junit/../../etc/passwd", "/etc/passwd", "../x"] {
            assert!(path_of("target/junit", std::path::Path::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(path_of("", std::path::Path::new("workspace/a\u{1b}b")).unwrap(), None);
    }
}
