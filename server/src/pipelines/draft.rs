//! What a `berth.yaml` that is being written would come to, if it were pushed to the default branch as it stands. Pure.

use std::collections::BTreeSet;

use app::{
    model::{DraftRun, RunEvent},
    said,
};

use super::{
    file::{When, resolve_in, types::File},
    select::is_whole,
};
use crate::store::repositories::BuiltHere;

/// A draft, held against the repository it is for.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The file.
    pub file: &'a File,
    /// The services built from the repository.
    pub services: &'a [BuiltHere],
    /// Its default branch.
    pub branch: &'a str,
    /// Whether the text is another than the one that is there: then all it describes run.
    pub changed: bool,
}

impl Draft<'_> {
    /// Whether the file describes any of the services.
    fn knows_any(&self) -> bool {
        self.services.iter().any(|service| self.file.services.contains_key(service.name.as_str()))
    }

    /// What a push of it would come to, service by service.
    pub fn push(&self) -> Vec<DraftRun> {
        self.services.iter().map(|service| self.run_of(service)).collect()
    }

    fn run_of(&self, service: &BuiltHere) -> DraftRun {
        let name = service.name.as_str();
        let when = When { branch: Some(self.branch), event: RunEvent::Push };
        let order = resolve_in(self.file, name).map(|pipeline| pipeline.on(when).order()).unwrap_or_default();
        let (runs, plan) = match self.file.services.get(name) {
            None if self.knows_any() => (false, said::not_described(name)),
            // Nothing it describes is built here: each run says so, and fails.
            None => (true, said::draft_describes_others(name)),
            Some(_) if self.changed => (true, said::plan_because(order, said::why_draft())),
            Some(described) if is_whole(described) => (true, order),
            Some(_) => (false, said::draft_where_touched(order)),
        };
        DraftRun { service: service.name.clone(), runs, plan }
    }

    /// The services it describes that are not built from the repository.
    pub fn elsewhere(&self) -> Vec<&str> {
        let here: BTreeSet<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
        self.file.services.keys().map(String::as_str).filter(|name| !here.contains(name)).collect()
    }

    /// The Dockerfiles it needs for the services built here.
    pub fn dockerfiles(&self) -> BTreeSet<String> {
        let named = self.services.iter().map(|service| service.name.as_str()).filter(|name| self.file.services.contains_key(*name));
        let pipelines = named.filter_map(|name| resolve_in(self.file, name));
        pipelines.filter(super::file::Pipeline::needs_dockerfile).map(|pipeline| pipeline.dockerfile_path()).collect()
    }
}

#[cfg(test)]
mod tests {
    use app::model::ServiceId;

    use super::*;
    use crate::pipelines::file::parse;

    fn services(names: &[&str]) -> Vec<BuiltHere> {
        names.iter().map(|name| BuiltHere { id: ServiceId::from_text(*name), name: name.parse().unwrap() }).collect()
    }

    fn said(file: &str, names: &[&str], changed: bool) -> Vec<(bool, String)> {
        let (file, services) = (parse(file).unwrap(), services(names));
        let draft = Draft { file: &file, services: &services, branch: "main", changed };
        draft.push().into_iter().map(|run| (run.runs, run.plan)).collect()
    }

    const TWO: &str = "version: 1
services:
  orders:
    path: orders
    stages:
      - { name: fast, steps: [{ name: unit, image: rust, run: [make] }] }
      - { name: slow, if: { branch: [release] }, steps: [{ name: e2e, image: rust, run: [make] }] }
  billing: { path: billing }
";

    #[test]
    fn what_a_push_of_a_draft_comes_to() {
        let changed = said(TWO, &["billing", "orders"], true);
        assert_eq!(changed[0], (true, "image, because berth.yaml is changed by it".to_owned()));
        assert!(changed[1].0 && changed[1].1.starts_with("fast, slow (") && changed[1].1.contains("only on release"), "{changed:?}");

        let same = said(TWO, &["orders"], false);
        assert!(!same[0].0 && same[0].1.ends_with("where something it is made of changed"), "{same:?}");
        assert_eq!(said("version: 1\nservices: { hello: {} }", &["hello"], false), [(true, "image".to_owned())], "all of the repository");

        let other = said(TWO, &["orders", "front"], true);
        assert_eq!(other[1], (false, said::not_described("front")));
        assert_eq!(said(TWO, &["front"], true), [(true, said::draft_describes_others("front"))]);
    }

    #[test]
    fn what_is_missing_for_it() {
        let (file, services) = (parse(TWO).unwrap(), services(&["orders"]));
        let draft = Draft { file: &file, services: &services, branch: "main", changed: true };
        assert_eq!(draft.elsewhere(), ["billing"]);
        assert_eq!(draft.dockerfiles().into_iter().collect::<Vec<_>>(), ["orders/Dockerfile"]);
    }
}
