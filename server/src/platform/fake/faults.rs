//! Faults on demand: what the next calls of a verb run into.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::super::PlatformError;

/// The calls a platform takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Verb {
    Ensure,
    Remove,
    Observe,
    RunToEnd,
    Exec,
    ExecTask,
    Logs,
    Events,
    Hosts,
    Image,
    Build,
    BuiltImages,
    BuildBase,
    BaseImages,
    ForgetBuilds,
    ReadImage,
    RemoveImage,
    FillWorkspace,
    ReadWorkspace,
    CopyWorkspace,
    SettleRun,
    CleanRun,
    RunsWithLeftovers,
    Caches,
    CacheSizes,
    CopyCache,
    RemoveCache,
}

/// What a call runs into.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It fails, and nothing was done.
    Fail(PlatformError),
    /// It is done, and the answer is lost: the caller sees a hung engine.
    Lose,
    /// It is never answered and never done: the caller sees a hung engine once the deadline has passed.
    Hang,
    /// It is done late.
    Delay(Duration),
}

/// The faults that lie ahead, by verb: each is met once, in order.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<Verb, VecDeque<Fault>>);

impl Faults {
    pub(super) fn add(&mut self, verb: Verb, fault: &Fault, times: usize) {
        self.0.entry(verb).or_default().extend(std::iter::repeat_n(fault.clone(), times));
    }

    pub(super) fn next(&mut self, verb: Verb) -> Option<Fault> {
        self.0.get_mut(&verb)?.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
