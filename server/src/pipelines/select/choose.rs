//! Whether a service runs with a push, or keeps the candidate it has.

use app::said;

use super::watched::Seen;

/// What is known of how the sources of a service changed since it came to a candidate last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since<'a> {
    /// It is the whole repository: every push changes it.
    Whole,
    /// It never came to one, neither on this branch nor on the one this branch began from.
    Never,
    /// The commit of that candidate is not in the repository.
    Missing(u64),
    /// The commit of that candidate is not in the history of this one.
    Rewritten(u64),
    /// What changed since that candidate cannot be read.
    Unread(u64),
    /// What changed since that candidate, and the service's place in it.
    Read(u64, &'a Seen, usize),
}

/// What becomes of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It runs: why, where that is not clear anyway.
    Run(Option<String>),
    /// It keeps this candidate.
    Keep(u64),
}

/// The decision. In doubt a service runs.
pub fn choose(since: Since<'_>) -> Choice {
    let run = |why: String| Choice::Run(Some(why));
    match since {
        Since::Whole => Choice::Run(None),
        Since::Never => run(said::why_first()),
        Since::Missing(number) => run(said::why_missing(number)),
        Since::Rewritten(number) => run(said::why_rewritten(number)),
        Since::Unread(number) => run(said::why_unread(number)),
        Since::Read(number, seen, _) if seen.file() => run(said::why_file(number)),
        Since::Read(number, seen, place) => match seen.touched(place) {
            Some(path) => run(said::why_changed(path, number)),
            None => Choice::Keep(number),
        },
    }
}
