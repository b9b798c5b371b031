//! What the make-believe images, tasks and builds of the fake platform do.

use std::{collections::BTreeMap, time::Duration};

use super::super::{Build, ImageInfo, PlatformError, Task, TaskEnd};

/// How every copy of an image behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The ports its copies answer HTTP on, which the image exposes too. A copy listens on an address of its own,
    /// `127.x.y.z`, if the fake was made with listeners.
    pub ports: Vec<u16>,
    /// How long a copy takes from its start until it listens.
    pub listens_after: Duration,
    /// Whether it listens at all.
    pub listens: bool,
    /// The status of its answers: 200, or 500 for one that never gets healthy.
    pub status: u16,
    /// The text of its answers. A variable `TEXT` of the copy is stronger.
    pub text: String,
    /// How long each answer takes.
    pub answers_after: Duration,
    /// It exits with this code at once, every time it is started.
    pub exits: Option<i64>,
    /// It is ended for want of memory at once.
    pub out_of_memory: bool,
    /// It dies like this where one of these variables is missing: exit code 1 and a line that names it.
    pub needs: Vec<String>,
    /// What a command inside of it (a health check) exits with.
    pub exec: i64,
    /// The lines it writes at its start.
    pub lines: Vec<String>,
    /// The size the image is said to have.
    pub size: u64,
    /// The user the image names.
    pub user: String,
    /// The files of the image, by path.
    pub files: BTreeMap<String, String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            ports: vec![8080],
            listens_after: Duration::ZERO,
            listens: true,
            status: 200,
            text: "hello".into(),
            answers_after: Duration::ZERO,
            exits: None,
            out_of_memory: false,
            needs: Vec::new(),
            exec: 0,
            lines: vec!["started".into()],
            size: 1 << 20,
            user: String::new(),
            files: BTreeMap::new(),
        }
    }
}

impl Behaviour {
    /// One that answers with this text.
    pub fn saying(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// One that exits with this code at its start: a crash loop.
    pub fn crashing(code: i64) -> Self {
        Self { exits: Some(code), lines: vec!["about to fail".into()], ..Self::default() }
    }

    /// One that runs and answers every health check with an error.
    pub fn unhealthy() -> Self {
        Self { status: 500, exec: 1, ..Self::default() }
    }

    /// One that runs and listens nowhere.
    pub fn deaf() -> Self {
        Self { listens: false, ..Self::default() }
    }

    /// One that is ended for want of memory at its start.
    pub fn starving() -> Self {
        Self { out_of_memory: true, ..Self::default() }
    }

    /// How a copy with these variables ends at its start, if it does: exit code, memory, last line.
    pub(super) fn end(&self, env: &BTreeMap<String, String>) -> Option<(i64, bool, Option<String>)> {
        if self.out_of_memory {
            return Some((137, true, None));
        }
        if let Some(missing) = self.needs.iter().find(|name| !env.contains_key(*name)) {
            return Some((1, false, Some(format!("variable {missing} is not set"))));
        }
        self.exits.map(|code| (code, false, None))
    }

    pub(super) fn info(&self, id: &str) -> ImageInfo {
        ImageInfo {
            id: id.into(),
            size: self.size,
            ports: self.ports.clone(),
            volumes: Vec::new(),
            user: self.user.clone(),
            triggers: Vec::new(),
        }
    }
}

/// What a task does: its lines (standard error where the flag is set), how long it takes after them, how it ends.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The lines it writes, in order; a line feed is added to each.
    pub lines: Vec<(bool, String)>,
    /// What it writes after them, piece by piece, as it stands.
    pub pieces: Vec<String>,
    /// How long it takes.
    pub takes: Duration,
    /// Its exit code.
    pub code: i64,
    /// Whether the kernel ends it for want of memory.
    pub out_of_memory: bool,
    /// What it leaves in the workspace, by path.
    pub leaves: Vec<(String, Leaves)>,
}

/// Something in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A file that is told to be as large as this and holds zeros.
    Large(u64),
    /// A symbolic link to there.
    Link(String),
    /// A further name of this file.
    Name(String),
    /// A named pipe.
    Pipe,
    /// A device.
    Device,
}

impl Script {
    /// One that writes these lines and exits with this code.
    pub fn new(lines: &[&str], code: i64) -> Self {
        Self { lines: lines.iter().map(|line| (false, (*line).to_owned())).collect(), code, ..Self::default() }
    }

    /// One that takes this long.
    #[must_use]
    pub const fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    /// One that leaves this file.
    #[must_use]
    pub fn leaving(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.leaves.push((path.to_owned(), Leaves::File(text.into())));
        self
    }

    pub(super) const fn end(&self) -> TaskEnd {
        TaskEnd::Exited { code: self.code, out_of_memory: self.out_of_memory }
    }
}

/// Decides what a task does; `None`: it writes nothing and exits 0.
pub type OnTask = Box<dyn Fn(&Task) -> Option<Script> + Send + Sync>;

/// What a build comes to: the lines it writes, and either how copies of the image behave or its error.
pub type Built = (Vec<String>, Result<Behaviour, PlatformError>);

/// Decides what a build comes to; `None`: an image with the default behaviour.
pub type OnBuild = Box<dyn Fn(&Build) -> Option<Built> + Send + Sync>;
