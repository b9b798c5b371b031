//! Everything that can be read, as addresses: the console's pages and the reads of the API, from the router's own lists, so
//! that none is forgotten. Shared by the tests and `make bench`.

use app::{
    model::{RolloutId, StepId},
    routes::PAGES,
};
use server::http::router;

/// What the addresses are made of.
#[derive(Clone)]
pub(crate) struct Sample {
    /// A team.
    pub(crate) team: String,
    /// A service of it.
    pub(crate) service: String,
    /// An environment it is in.
    pub(crate) environment: String,
    /// The number of a run.
    pub(crate) number: u64,
    /// A rollout.
    pub(crate) rollout: RolloutId,
    /// A step with a log.
    pub(crate) step: StepId,
}

impl Sample {
    /// A path with its names filled in.
    fn filled(&self, pattern: &str) -> String {
        let id = if pattern.contains("/steps/") { self.step.as_str() } else { self.rollout.as_str() };
        let number = self.number.to_string();
        let values =
            [("team", &*self.team), ("service", &self.service), ("environment", &self.environment), ("number", &number), ("id", id)];
        let more = [("rollout", self.rollout.as_str()), ("token", "spent"), ("other", &*number), ("base", "debian")];
        values.iter().chain(&more).fold(pattern.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
    }

    /// Every page: its pattern and an address of it.
    pub(crate) fn pages(&self) -> Vec<(String, String)> {
        PAGES.iter().map(|page| (page.path.to_owned(), self.filled(page.path))).collect()
    }

    /// Every read of the API but those that stream: its pattern and an address of it.
    pub(crate) fn api(&self) -> Vec<(String, String)> {
        let document = router::document();
        let paths = document["paths"].as_object().into_iter().flatten();
        // A kept file is no row of the store.
        let read = |path: &str| !path.ends_with("/stream") && !path.contains("/artifacts/");
        let reads = paths.filter(|(path, item)| item.get("get").is_some() && read(path));
        // One that looks for something is asked for what every line holds.
        let asked = |path: &str| if path.ends_with("/matches") { "?text=ok" } else { "" };
        reads.map(|(path, _)| (path.clone(), format!("{}{}", self.filled(path), asked(path)))).collect()
    }
}
