//! A `git` with all that it starts, ended as one and in good order: killed at once, it leaves locks and half of what it wrote in
//! the repository, where nothing takes them away.

use std::{io, process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    time::timeout,
};

use super::{GitError, Result};

/// How long it may take to clear up once it is to end.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The processes. Dropped, they are told to end, and killed where they do not.
#[derive(Debug)]
pub(super) struct Group(Option<Child>);

impl Group {
    /// Starts it.
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        command.process_group(0);
        Ok(Self(Some(command.spawn().map_err(GitError::Start)?)))
    }

    /// The first of the processes, to take its pipes; none once it is being ended.
    pub(super) fn child(&mut self) -> Option<&mut Child> {
        self.0.as_mut()
    }

    /// The process and the group that it leads; none once it is over.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.0.as_ref().and_then(pid)
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.as_mut().ok_or(io::ErrorKind::NotFound)?.wait().await
    }

    /// Tells it to end, and waits until it has, or kills it.
    pub(super) async fn end(mut self) {
        if let Some(ending) = self.0.take().and_then(Ending::told) {
            ending.over().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Without a runtime, or with one that stops, it is killed at once.
        if let (Some(ending), Ok(runtime)) = (self.0.take().and_then(Ending::told), Handle::try_current()) {
            runtime.spawn(ending.over());
        }
    }
}

/// Processes that were told to end. Dropped, those that did not are killed.
struct Ending {
    child: Child,
    group: Pid,
}

impl Ending {
    /// None: the first of them is over, and has seen to the others.
    fn told(child: Child) -> Option<Self> {
        let group = pid(&child)?;
        let _ = kill_process_group(group, Signal::TERM);
        Some(Self { child, group })
    }

    async fn over(mut self) {
        let _ = timeout(GRACE, self.child.wait()).await;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if pid(&self.child).is_some() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}
