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

    /// Ends it, and waits until it is over.
    pub(super) async fn end(mut self) {
        if let Some(child) = self.0.take() {
            end(child).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(child) = self.0.take() else { return };
        match (pid(&child), Handle::try_current()) {
            (None, _) => {}
            (Some(_), Ok(runtime)) => drop(runtime.spawn(end(child))),
            (Some(group), Err(_)) => {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }
}

async fn end(mut child: Child) {
    let Some(group) = pid(&child) else { return };
    let _ = kill_process_group(group, Signal::TERM);
    if timeout(GRACE, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}
