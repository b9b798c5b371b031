//! Reading a Dockerfile before an engine does: what the image starts and copies from, and what is not let in.
//!
//! What an engine would find and this does not would go round the check of teams' images. So lines, flags and words are cut as
//! engines cut them, and where engines of different ages read something differently it is refused.

mod images;
mod lines;
mod refusals;
mod unfold;

pub use self::{
    images::{Triggers, images_of},
    refusals::{refusal, triggered},
    unfold::unfolded,
};

use app::said;

/// Whether a Dockerfile says that something else than a backslash continues a line (its directive `escape`): then what it
/// starts from could not be told.
pub fn escapes(dockerfile: &str) -> bool {
    let directive = |line: &str| Some(line.trim().strip_prefix('#')?.split_once('=')?.0.trim().eq_ignore_ascii_case("escape"));
    dockerfile.trim_start_matches('\u{feff}').lines().any(|line| directive(line) == Some(true))
}

/// Whether a Dockerfile asks to be read by another program, an image from anywhere (its directive `syntax`): directives
/// stand before everything else. Newer engines find one behind `//` and in a map of JSON too.
pub fn names_its_reader(dockerfile: &str) -> bool {
    let comment = |line: &&str| line.is_empty() || line.starts_with('#') || line.starts_with("//");
    let lines = || dockerfile.trim_start_matches('\u{feff}').lines().map(str::trim);
    let named = |line: &str| Some(line.trim_start_matches(['#', '/']).split_once('=')?.0.trim().eq_ignore_ascii_case("syntax"));
    lines().take_while(comment).any(|line| named(line) == Some(true))
        || lines().find(|line| !comment(line)).is_some_and(|line| line.starts_with('{'))
}

/// That a line is read in more than one way.
fn unclear(line: &str) -> String {
    const SHOWN: usize = 60;
    let shown: String = line.trim().chars().take(SHOWN).flat_map(char::escape_debug).filter(|c| *c != '`').collect();
    said::dockerfile_unclear(shown)
}

#[cfg(test)]
mod tests;
