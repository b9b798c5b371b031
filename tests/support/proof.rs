//! One line for each proof: what was tried, how many times, what failed.

use std::{fs::OpenOptions, io::Write};

/// Says what a proof measured. The line goes to the test's output, and to the file `BERTH_PROOFS` names, whose lines
/// `.ci/test` prints when every test has run: a runner hides the output of tests that pass.
pub(crate) fn proof(name: &str, figures: &str) {
    let line = format!("proof: {name}: {figures}");
    println!("{line}");
    let Some(file) = std::env::var_os("BERTH_PROOFS") else { return };
    // One write of one line to a file opened for appending: tests of other processes cannot come in between.
    let written =
        OpenOptions::new().create(true).append(true).open(file).and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.expect("the file of BERTH_PROOFS can be written");
}

/// Says that a proof was left out, and why. Not where CI asks: what it says is to be true.
pub(crate) fn left_out(name: &str, why: &str) {
    let checked = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!checked, "{name} cannot be proven here, and CI is to prove it: {why}");
    proof(name, &format!("left out: {why}"));
}
