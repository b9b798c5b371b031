//! How many connections the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most connections of clients at a time, whatever the system allows.
const MOST: usize = 65_536;
/// What else needs a file handle: connections to services, files, the store.
const OTHERS: usize = 1_024;

/// Takes as many file handles as the system allows without asking anybody, and says how many those are. The usual 1,024 are
/// kept for programs that use `select`; this one does not.
pub fn take() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = if raised.is_ok() { limit.maximum } else { limit.current };
    now.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX))
}

/// How many clients may be connected with this many file handles: never so many that none are left to ask a service.
pub(super) fn connections(handles: usize) -> usize {
    handles.saturating_sub(OTHERS).max(handles / 2).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_handles_are_left_for_others() {
        for (handles, clients) in [(256, 128), (1_024, 512), (20_000, 18_976), (1_048_576, MOST), (usize::MAX, MOST)] {
            assert_eq!(connections(handles), clients, "{handles}");
        }
    }
}
