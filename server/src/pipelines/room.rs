//! How many steps may be under way at once: of one run, so that a large matrix leaves room for others, and on each host, so that
//! all of them together do not take more than it has. Who waits is begun in the order in which they came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The room on the hosts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Room {
    /// By name; none: the only one.
    hosts: Arc<Mutex<HashMap<Option<String>, Arc<Semaphore>>>>,
    all: usize,
    each: usize,
}

impl Room {
    /// For so many steps at once on each host, of which each run may have so many. Both are at least 1.
    pub fn new(all: usize, each: usize) -> Self {
        let all = all.clamp(1, Semaphore::MAX_PERMITS);
        Self { hosts: Arc::default(), all, each: each.clamp(1, all) }
    }

    /// The room of a run that is carried out on this host.
    pub fn of_run_on(&self, host: Option<String>) -> OfRun {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(host).or_insert_with(|| Arc::new(Semaphore::new(self.all)));
        OfRun { run: Arc::new(Semaphore::new(self.each)), host: Arc::clone(host) }
    }

    /// How many steps a run may have under way at once, and how many all runs on a host.
    pub(super) const fn limits(&self) -> (usize, usize) {
        (self.each, self.all)
    }
}

/// The room that the steps of one run have.
#[derive(Debug)]
pub struct OfRun {
    run: Arc<Semaphore>,
    host: Arc<Semaphore>,
}

/// The place of a step under way; free again once this is dropped.
#[derive(Debug)]
pub struct Place {
    _in_run: OwnedSemaphorePermit,
    _on_host: OwnedSemaphorePermit,
}

impl OfRun {
    /// A place, where one is free.
    pub fn at_once(&self) -> Option<Place> {
        let in_run = Arc::clone(&self.run).try_acquire_owned().ok()?;
        let on_host = Arc::clone(&self.host).try_acquire_owned().ok()?;
        Some(Place { _in_run: in_run, _on_host: on_host })
    }

    /// A place, as soon as one is free. That of the run comes first: a run waits on the host with no more steps than it may
    /// have under way. None: it is not waited for any longer.
    pub async fn wait(&self, cancel: &CancellationToken) -> Option<Place> {
        cancel.run_until_cancelled(self.next()).await.flatten()
    }

    async fn next(&self) -> Option<Place> {
        let in_run = Arc::clone(&self.run).acquire_owned().await.ok()?;
        let on_host = Arc::clone(&self.host).acquire_owned().await.ok()?;
        Some(Place { _in_run: in_run, _on_host: on_host })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn no_run_has_more_than_its_share_and_nobody_more_than_there_is() {
        let room = Room::new(3, 2);
        let (one, other) = (room.of_run_on(None), room.of_run_on(None));
        let (first, second) = (one.at_once().unwrap(), one.at_once().unwrap());
        assert!(one.at_once().is_none(), "its share");
        let third = other.at_once().unwrap();
        assert!(other.at_once().is_none(), "the host is full");
        let go_on = CancellationToken::new();
        let mut waiting = Box::pin(other.wait(&go_on));
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        assert!(waiting.now_or_never().flatten().is_some());
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert!(room.of_run_on(None).wait(&stopped).now_or_never().flatten().is_none(), "who is cancelled waits for nothing");
        let elsewhere = room.of_run_on(Some("b1".into()));
        assert!(elsewhere.at_once().is_some(), "another host has room of its own");
        drop((second, third));
        assert!(one.at_once().is_some() && other.at_once().is_some());
        assert_eq!(Room::new(0, 9).limits(), (1, 1));
    }
}
