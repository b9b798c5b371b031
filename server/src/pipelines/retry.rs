//! Whether a step is tried again by itself: decided by how its tries ended so far, and by nothing else.
//!
//! A holder that vanished is another matter: its whole stage is begun anew (`lost`, in [`super::runner`]).

use serde::{Deserialize, Serialize};

/// How often a step is tried again, by what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retries {
    /// Where its commands failed.
    pub failed: u32,
    /// The exit codes to which that is limited; empty: every code.
    pub exit_codes: Vec<i64>,
    /// Where it took too long.
    pub timeout: u32,
    /// Where its image could not be pulled.
    pub pull: u32,
}

/// How a try ended, as far as trying again goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Its commands failed with this code.
    Failed(i64),
    /// It took too long.
    TooLong,
    /// Its image could not be had.
    NoImage,
    /// It passed, was cancelled, or something that a further try does not change.
    Done,
}

/// A further try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its number, from 2.
    pub number: usize,
    /// How many there may be.
    pub of: usize,
}

impl Retries {
    /// The further try after these, if there is one: each way to fail has a number of its own.
    pub fn next(&self, tries: &[Tried]) -> Option<Next> {
        let last = tries.last()?;
        let allowed = match last {
            Tried::Failed(code) if self.exit_codes.is_empty() || self.exit_codes.contains(code) => self.failed,
            Tried::TooLong => self.timeout,
            Tried::NoImage => self.pull,
            Tried::Failed(_) | Tried::Done => 0,
        };
        let used = tries.iter().filter(|tried| std::mem::discriminant(*tried) == std::mem::discriminant(last)).count() - 1;
        let left = usize::try_from(allowed).ok()?.saturating_sub(used);
        (left > 0).then_some(Next { number: tries.len() + 1, of: tries.len() + left })
    }
}

#[cfg(test)]
mod tests {
    use super::{Tried::*, *};

    #[test]
    fn what_is_tried_again_is_decided_by_class_code_and_number() {
        let retries = |failed, exit_codes: &[i64], timeout, pull| Retries { failed, exit_codes: exit_codes.to_vec(), timeout, pull };
        type Case<'a> = (Retries, &'a [Tried], Option<(usize, usize)>);
        let cases: [Case<'_>; 17] = [
            (Retries::default(), &[Failed(1)], None),
            (Retries::default(), &[TooLong], None),
            (Retries::default(), &[NoImage], None),
            (retries(2, &[], 0, 0), &[], None),
            (retries(2, &[], 0, 0), &[Failed(1)], Some((2, 3))),
            (retries(2, &[], 0, 0), &[Failed(1), Failed(7)], Some((3, 3))),
            (retries(2, &[], 0, 0), &[Failed(1), Failed(7), Failed(1)], None),
            (retries(2, &[], 0, 0), &[Done], None),
            (retries(2, &[], 0, 0), &[Failed(1), Done], None),
            (retries(2, &[], 0, 0), &[TooLong], None),
            (retries(2, &[75], 0, 0), &[Failed(1)], None),
            (retries(2, &[1, 75], 0, 0), &[Failed(75)], Some((2, 3))),
            (retries(2, &[75], 0, 0), &[Failed(75), Failed(1)], None),
            (retries(0, &[], 1, 0), &[TooLong], Some((2, 2))),
            (retries(0, &[], 0, 1), &[NoImage], Some((2, 2))),
            // Each class has its own number: one of the one uses up nothing of the other.
            (retries(1, &[], 1, 1), &[TooLong, Failed(1)], Some((3, 3))),
            (retries(1, &[], 1, 1), &[TooLong, Failed(1), NoImage, TooLong], None),
        ];
        for (retries, tries, expected) in cases {
            assert_eq!(retries.next(tries).map(|next| (next.number, next.of)), expected, "{retries:?} after {tries:?}");
        }
    }
}
