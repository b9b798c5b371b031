//! The tests of a step as they are kept: all of them in one packed text, so that a million of them are a hundred rows.

use std::io::{Read as _, Write as _};

use app::model::TestOutcome;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use sha2::{Digest as _, Sha256};

use super::junit::Case;

/// No step has as much, unpacked.
const LARGEST: u64 = 128 << 20;

/// A test as it is kept: what a later run compares itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// What it came to.
    pub outcome: TestOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl From<&Case> for Kept {
    fn from(case: &Case) -> Self {
        Self { suite: case.suite.clone(), name: case.name.clone(), outcome: case.outcome, took_ms: case.took_ms }
    }
}

/// What a test is called by within its service.
pub fn id(suite: &str, name: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(suite.as_bytes());
    digest.update([0]);
    digest.update(name.as_bytes());
    hex::encode(&digest.finalize()[..10])
}

const fn letter(outcome: TestOutcome) -> u8 {
    match outcome {
        TestOutcome::Passed => 0,
        TestOutcome::Failed => 1,
        TestOutcome::Skipped => 2,
    }
}

const fn outcome(letter: u8) -> TestOutcome {
    match letter {
        0 => TestOutcome::Passed,
        1 => TestOutcome::Failed,
        _ => TestOutcome::Skipped,
    }
}

/// Packs tests.
pub fn pack(tests: &[Kept]) -> String {
    let rows: Vec<(&str, &str, u8, u64)> =
        tests.iter().map(|test| (test.suite.as_str(), test.name.as_str(), letter(test.outcome), test.took_ms)).collect();
    let json = serde_json::to_vec(&rows).unwrap_or_default();
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    // Into memory: it cannot fail.
    let packed = packer.write_all(&json).and_then(|()| packer.finish()).unwrap_or_default();
    STANDARD_NO_PAD.encode(packed)
}

/// Unpacks them; none where the text is none of [`pack`]'s.
pub fn unpack(text: &str) -> Option<Vec<Kept>> {
    let packed = STANDARD_NO_PAD.decode(text).ok()?;
    let mut json = Vec::new();
    DeflateDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut json).ok()?;
    let rows: Vec<(String, String, u8, u64)> = serde_json::from_slice(&json).ok()?;
    let kept = |(suite, name, letter, took_ms)| Kept { suite, name, outcome: outcome(letter), took_ms };
    Some(rows.into_iter().map(kept).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_packed_and_come_back() {
        let test = |at: u64| Kept {
            suite: format!("shop.orders.Test{}", at / 50),
            name: format!("takes {at} of ünïcode"),
            outcome: outcome(u8::try_from(at % 3).unwrap()),
            took_ms: at % 900,
        };
        let all: Vec<Kept> = (0..10_000).map(test).collect();
        let packed = pack(&all);
        assert_eq!(unpack(&packed).unwrap(), all);
        let each = packed.len() as f64 / 10_000.0;
        assert!(each < 30.0, "{each} bytes a test");
        println!("proof  kept tests: {each:.1} bytes each, 1,000,000 in {:.0} MiB of 100 rows", each * 1e6 / f64::from(1 << 20));
        for broken in ["", "!", "AAAA", &packed[..40]] {
            assert_eq!(unpack(broken), None, "{broken}");
        }
        assert_eq!(pack(&[]), pack(&[]));
        assert_eq!(unpack(&pack(&[])).unwrap(), []);
    }

    #[test]
    fn a_test_is_called_by_suite_and_name() {
        assert_eq!(id("a", "b"), id("a", "b"));
        assert_ne!(id("a", "bc"), id("ab", "c"));
        assert_eq!(id("a", "b").len(), 20);
    }
}
