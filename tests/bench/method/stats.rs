//! Medians, and how sure they are.

use std::fmt;

/// Resamples for an interval.
const RESAMPLES: usize = 2_000;

/// A figure with the interval that holds it in 95 of 100 resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The lower end.
    pub(crate) low: f64,
    /// The median.
    pub(crate) middle: f64,
    /// The upper end.
    pub(crate) high: f64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2} to {:.2})", self.middle, self.low, self.high)
    }
}

/// The value that a part of the others is not above, `part` from 0 to 1; not a number where there are none.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The value in the middle; of two, the mean of both.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The median with its interval: medians of samples drawn from the values, with repetition. Always the same for the same values.
pub(crate) fn bootstrap(values: &[f64]) -> Interval {
    let mut random = Random(values.len() as u64);
    let medians: Vec<f64> =
        (0..RESAMPLES).map(|_| median(&values.iter().map(|_| values[random.below(values.len())]).collect::<Vec<_>>())).collect();
    Interval { low: quantile(&medians, 0.025), middle: median(values), high: quantile(&medians, 0.975) }
}

/// How a cost grows with size: 0 for not at all, 1 for in step.
pub(crate) fn growth((small, cost): (f64, f64), (large, more): (f64, f64)) -> f64 {
    (more / cost).ln() / (large / small).ln()
}

/// SplitMix64: small, and good enough to draw samples.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
