//! Moves a target from one release to the next, with proof: the old release is untouched until the new one is proven.
//!
//! A pass starts from scratch each time: load what should be, observe what is, [`plan`], apply one action at a time, record
//! evidence. The order: release command → start → healthy for the stabilisation time → route → first request seen →
//! drain → stop. [`keep`] holds a target to its release between rollouts.

pub mod apply;
pub mod cause;
pub mod context;
pub mod health;
pub mod keep;
pub mod plan;
pub mod progress;
pub mod request;
pub mod trust;
pub mod workload;

pub use context::Context;
