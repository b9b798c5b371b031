//! How figures are taken, so that they hold on a machine that is shared and noisy.
//!
//! Two things that are compared run in turn, A B B A A B B A …, so that whatever drifts meanwhile meets both alike. The figure
//! is the median of the ratios of the pairs, with an interval by resampling. The same thing against itself says how far a
//! ratio may be off by chance alone. Work is counted where it can be (CPU time from `/proc`, bytes, failures) rather than
//! timed. Beside each figure stands row 0: what the machine itself needs for it.

mod pairs;
mod process;
mod stats;
mod table;

#[allow(unused_imports)] // The same.
pub(crate) use self::{
    pairs::{Pairs, Side, control, interleaved},
    process::{Sut, cpu_seconds, pinned, pss_kib},
    stats::{Interval, bootstrap, growth, median, quantile},
    table::{Row, Table, said},
};
