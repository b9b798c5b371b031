//! The binary as people run it: against a Berth on the platform in memory, and alone.

mod admin;
mod alone;
mod asking;
pub(crate) mod person;
mod shipping;
mod told;
