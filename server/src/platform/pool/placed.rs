//! Which host has which run. Only a memory of what is there: lost, it is looked for.

use std::collections::{BTreeSet, HashMap};

use app::model::RunId;

/// Where runs are, and where something of them may be.
#[derive(Debug, Default)]
pub(super) struct Placed(HashMap<RunId, Places>);

#[derive(Debug, Default)]
struct Places {
    /// The host that was taken for it.
    at: Option<String>,
    /// The hosts that have something of it.
    left: BTreeSet<String>,
}

impl Placed {
    /// The host of a run.
    pub(super) fn at(&self, run: &RunId) -> Option<String> {
        self.0.get(run)?.at.clone()
    }

    /// From now on a run is on this host.
    pub(super) fn take(&mut self, run: &RunId, host: &str) {
        self.saw(run, host);
        self.0.entry(run.clone()).or_default().at = Some(host.to_owned());
    }

    /// What is known of runs that no host was taken for is about to be looked for again.
    pub(super) fn look_anew(&mut self) {
        self.0.retain(|_, places| places.at.is_some());
    }

    /// Something of a run is on this host.
    pub(super) fn saw(&mut self, run: &RunId, host: &str) {
        self.0.entry(run.clone()).or_default().left.insert(host.to_owned());
    }

    /// The hosts that have something of a run.
    pub(super) fn left(&self, run: &RunId) -> BTreeSet<String> {
        self.0.get(run).map(|places| places.left.clone()).unwrap_or_default()
    }

    /// Nothing is to be remembered of a run.
    pub(super) fn forget(&mut self, run: &RunId) {
        self.0.remove(run);
    }

    /// How many other runs are on a host.
    pub(super) fn count(&self, host: &str, but: &RunId) -> usize {
        self.0.iter().filter(|(run, places)| places.at.as_deref() == Some(host) && *run != but).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_moved_left_something_behind() {
        let (run, other) = (RunId::from_text("1"), RunId::from_text("2"));
        let mut placed = Placed::default();
        placed.take(&run, "a");
        placed.take(&other, "a");
        assert_eq!((placed.count("a", &run), placed.count("b", &run)), (1, 0), "not itself");
        placed.take(&run, "b");
        assert_eq!(placed.at(&run).as_deref(), Some("b"));
        assert_eq!(placed.left(&run), ["a", "b"].map(str::to_owned).into());
        placed.saw(&RunId::from_text("3"), "a");
        placed.look_anew();
        assert_eq!((placed.left(&RunId::from_text("3")).len(), placed.left(&run).len()), (0, 2));
        placed.forget(&run);
        assert_eq!((placed.at(&run), placed.left(&run)), (None, BTreeSet::new()));
        assert_eq!(placed.left(&other), ["a".to_owned()].into());
    }
}
