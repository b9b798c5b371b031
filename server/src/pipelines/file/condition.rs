//! Whether a stage or a step is wanted in a run: decided by its branch and by what made it begin, and by nothing else.

use app::{
    model::{RunEvent, change_of, tag_of},
    said,
};
use globset::GlobBuilder;

use super::types::{Condition, Exception, On};

/// What conditions are held against.
#[derive(Clone, Copy, Debug)]
pub struct When<'a> {
    /// The branch; none where the run is of none: of a tag, for instance.
    pub branch: Option<&'a str>,
    /// What made the run begin.
    pub event: RunEvent,
}

impl<'a> When<'a> {
    /// Of a run whose branch may be the ref of a tag or of a proposed change.
    pub fn of(branch: &'a str, event: RunEvent) -> Self {
        Self { branch: (tag_of(branch).is_none() && change_of(branch).is_none()).then_some(branch), event }
    }
}

impl Condition {
    /// Why it is not wanted then; none where it is.
    pub fn unwanted(&self, when: When<'_>) -> Option<String> {
        let on = |globs: &[String]| when.branch.is_some_and(|branch| globs.iter().any(|glob| fits(glob, branch)));
        let (no_branch, no_event) = self.not.as_ref().map_or((&[][..], &[][..]), |not| (&not.branch, &not.event));
        if !self.branch.is_empty() && !on(&self.branch) {
            Some(said::only_on(self.branch.join(", ")))
        } else if on(no_branch) {
            Some(said::not_on(no_branch.join(", ")))
        } else if !self.event.is_empty() && !self.event.contains(&when.event) {
            Some(said::only_for(names(&self.event)))
        } else {
            no_event.contains(&when.event).then(|| said::not_for(names(no_event)))
        }
    }

    /// What it says, in a few words.
    pub fn says(&self) -> String {
        let Exception { branch, event } = self.not.clone().unwrap_or_default();
        let parts = [
            (!self.branch.is_empty()).then(|| said::only_on(self.branch.join(", "))),
            (!branch.is_empty()).then(|| said::not_on(branch.join(", "))),
            (!self.event.is_empty()).then(|| said::only_for(names(&self.event))),
            (!event.is_empty()).then(|| said::not_for(names(&event))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Whether a service that says this runs on this tag.
pub fn wants_tag(on: &On, tag: &str) -> bool {
    on.tag.iter().any(|glob| fits(glob, tag))
}

/// Whether a branch or a tag has a name like this. A star stays within one part, and two go on through all.
fn fits(glob: &str, name: &str) -> bool {
    GlobBuilder::new(glob).literal_separator(true).build().is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

fn names(events: &[RunEvent]) -> String {
    events.iter().map(|event| event.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(json: serde_json::Value) -> Condition {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_wanted_is_decided_by_branch_and_event() {
        use RunEvent::{Api, Manual, PullRequest, Push, Schedule, Tag};
        use serde_json::json;
        let main = || json!({ "branch": ["main"] });
        let release = || json!({ "branch": ["main", "release/*"] });
        let deep = || json!({ "branch": ["release/**"] });
        let hand = || json!({ "event": ["push", "manual"] });
        let both = || json!({ "branch": ["main"], "event": ["push"] });
        let not = || json!({ "not": { "branch": ["wip/*"], "event": ["schedule"] } });
        let mixed = || json!({ "branch": ["*"], "not": { "branch": ["gh-pages"] } });
        let cases = [
            (main(), Some("main"), Push, None),
            (main(), Some("main"), Schedule, None),
            (main(), Some("maintenance"), Push, Some("only on main")),
            (main(), Some("Main"), Push, Some("only on main")),
            (main(), None, Tag, Some("only on main")),
            (release(), Some("release/1"), Push, None),
            (release(), Some("release/1/hotfix"), Push, Some("only on main, release/*")),
            (release(), Some("topic"), Push, Some("only on main, release/*")),
            (deep(), Some("release/1/hotfix"), Push, None),
            (deep(), Some("releases"), Push, Some("only on release/**")),
            (hand(), Some("topic"), Push, None),
            (hand(), Some("topic"), Manual, None),
            (hand(), Some("topic"), Api, Some("only for push, manual")),
            (hand(), None, Tag, Some("only for push, manual")),
            (hand(), Some("main"), PullRequest, Some("only for push, manual")),
            (both(), Some("main"), Push, None),
            (both(), Some("main"), Manual, Some("only for push")),
            (both(), Some("topic"), Push, Some("only on main")),
            (both(), Some("topic"), Manual, Some("only on main")),
            (not(), Some("main"), Push, None),
            (not(), Some("wip/a"), Push, Some("not on wip/*")),
            (not(), Some("wip"), Push, None),
            (not(), Some("main"), Schedule, Some("not for schedule")),
            (not(), None, Tag, None),
            (mixed(), Some("main"), Push, None),
            (mixed(), Some("gh-pages"), Push, Some("not on gh-pages")),
            (mixed(), Some("a/b"), Push, Some("only on *")),
            (mixed(), None, Tag, Some("only on *")),
        ];
        let mut wrong = 0;
        for (json, branch, event, expected) in &cases {
            let found = condition(json.clone()).unwanted(When { branch: *branch, event: *event });
            if found.as_deref() != *expected {
                eprintln!("{json} on {branch:?} by {event:?}: {found:?}, and not {expected:?}");
                wrong += 1;
            }
        }
        println!("proof  conditions: {} cases of branch and event, {wrong} wrong", cases.len());
        assert_eq!(wrong, 0);
    }

    #[test]
    fn a_service_runs_on_the_tags_it_names() {
        let cases: &[(&[&str], &str, bool)] = &[
            (&[], "v1", false),
            (&["v*"], "v1.2.3", true),
            (&["v*"], "rc-v1", false),
            (&["v*"], "v1/rc", false),
            (&["v*", "v*/**"], "v1/rc", true),
            (&["**"], "any/thing", true),
            (&["v[0-9]*"], "vx", false),
            (&["v1", "release/*"], "release/7", true),
            (&["V*"], "v1", false),
        ];
        for (globs, tag, wanted) in cases {
            let on = On { tag: globs.iter().map(|glob| (*glob).to_owned()).collect(), ..On::default() };
            assert_eq!(wants_tag(&on, tag), *wanted, "{globs:?} {tag}");
        }
    }

    #[test]
    fn a_condition_says_what_it_asks_for() {
        let all =
            serde_json::json!({ "branch": ["main", "release/*"], "event": ["push"], "not": { "branch": ["x"], "event": ["tag", "api"] } });
        assert_eq!(condition(all).says(), "only on main, release/*, not on x, only for push, not for tag, api");
    }
}
