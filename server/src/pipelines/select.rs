//! What a push comes to: which runs a change of a ref makes, and for which services. Pure.
//!
//! A service runs with a push that changed something in its folder or of what it watches, since it came to a candidate last.
//! The others keep the candidate they have, and say so.

mod as_one;
mod choose;
mod watched;

pub use as_one::as_one;
pub use choose::{Choice, Since, choose};
pub use watched::{Seen, Watched, is_whole};

use app::{
    model::{PushPolicy, RunEvent, tag_of},
    said,
};

/// What a change of a ref comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A run, for this reason.
    Run(String),
    /// A run that is written down as skipped, for this reason.
    Skip(String),
    /// Nothing: a deleted branch, what is neither branch nor tag.
    Nothing,
}

/// The branch a ref names, if it names one. One whose own name looks like a ref is none: a run has the ref of a tag where others
/// have a branch.
pub fn branch(reference: &str) -> Option<&str> {
    reference.strip_prefix("refs/heads/").filter(|branch| !branch.is_empty() && !branch.starts_with("refs/"))
}

/// What a ref that now names a commit with this message comes down to. `known` is false where the branch is new.
pub fn decide(reference: &str, message: Option<&str>, known: bool, by: &str) -> Decision {
    let (branch, tag) = (branch(reference), tag_of(reference));
    let (Some(name), Some(message)) = (branch.or(tag), message) else { return Decision::Nothing };
    if let Some(why) = skipped(message) {
        return Decision::Skip(why);
    }
    Decision::Run(match (tag, known) {
        (Some(tag), _) => said::reason_tag(by, tag),
        (None, true) => said::reason_pushed(by, name),
        (None, false) => said::reason_new_branch(by, name),
    })
}

/// Why a commit with this message makes no run, where it asks for none.
pub fn skipped(message: &str) -> Option<String> {
    skip_mark(message).map(|mark| format!("The commit says `{mark}`."))
}

/// The words of a commit message that ask for no run.
fn skip_mark(message: &str) -> Option<&'static str> {
    let lower = message.to_lowercase();
    ["[skip ci]", "[ci skip]", "[no ci]"].into_iter().find(|mark| lower.contains(mark))
}

/// Which runs of its branch a newer one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supersedes {
    /// None: each commit is run.
    None,
    /// Those that wait.
    Queued,
    /// Those under way too.
    Running,
}

/// Which runs of this branch a newer one takes the place of: on every branch but the default one, where each commit is a
/// candidate unless the team asks for less. So does a newer commit of a proposed change of those before it. Nothing else takes
/// anybody's place.
pub fn supersedes(event: RunEvent, branch: &str, default_branch: &str, policy: PushPolicy) -> Supersedes {
    if !matches!(event, RunEvent::Push | RunEvent::PullRequest) {
        return Supersedes::None;
    }
    match (branch != default_branch || policy.default_branch, policy.running) {
        (false, _) => Supersedes::None,
        (true, false) => Supersedes::Queued,
        (true, true) => Supersedes::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_comes_down_to() {
        let run = |text: &str| Decision::Run(text.to_owned());
        let cases = [
            ("refs/heads/main", Some("Fix"), true, run("ann pushed to main")),
            ("refs/heads/a/b", Some("Fix"), false, run("ann pushed the new branch a/b")),
            ("refs/heads/main", Some("Docs [Skip CI]"), true, Decision::Skip("The commit says `[skip ci]`.".into())),
            ("refs/heads/main", Some("Docs\n\n[ci skip]"), true, Decision::Skip("The commit says `[ci skip]`.".into())),
            ("refs/heads/main", None, true, Decision::Nothing),
            ("refs/tags/v1", Some("Fix"), false, run("ann pushed the tag v1")),
            ("refs/tags/a/b", Some("Fix"), true, run("ann pushed the tag a/b")),
            ("refs/tags/v1", Some("Docs [no ci]"), false, Decision::Skip("The commit says `[no ci]`.".into())),
            ("refs/tags/v1", None, true, Decision::Nothing),
            ("refs/heads/refs/tags/v1", Some("Fix"), false, Decision::Nothing),
            ("refs/notes/commits", Some("Fix"), false, Decision::Nothing),
            ("refs/heads/", Some("Fix"), false, Decision::Nothing),
        ];
        for (reference, message, known, expected) in cases {
            assert_eq!(decide(reference, message, known, "ann"), expected, "{reference} {message:?}");
        }
    }

    #[test]
    fn what_newer_pushes_take_the_place_of() {
        use Supersedes::{None, Queued, Running};
        let cases = [("topic", false, false, Queued), ("topic", false, true, Running), ("topic", true, true, Running)];
        let main =
            [("main", false, false, None), ("main", false, true, None), ("main", true, false, Queued), ("main", true, true, Running)];
        for (branch, default_branch, running, wanted) in cases.into_iter().chain(main) {
            let policy = PushPolicy { default_branch, running };
            assert_eq!(supersedes(RunEvent::Push, branch, "main", policy), wanted, "{branch} {policy:?}");
            for event in RunEvent::ALL.into_iter().filter(|event| !matches!(event, RunEvent::Push | RunEvent::PullRequest)) {
                assert_eq!(supersedes(event, branch, "main", policy), None, "{branch} {policy:?} by {}", event.name());
            }
            let of_change = supersedes(RunEvent::PullRequest, "refs/pull/7/head", "main", policy);
            assert_eq!(of_change, if running { Running } else { Queued }, "{policy:?}");
        }
    }
}
