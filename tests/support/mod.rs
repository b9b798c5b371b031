//! What tests of every area share.

pub(crate) mod app;
pub(crate) mod berth;
pub(crate) mod canary;
pub(crate) mod debian;
pub(crate) mod engine;
pub(crate) mod fill;
pub(crate) mod forge;
#[allow(dead_code)] // Not every image is asked for by a test yet.
pub(crate) mod images;
pub(crate) mod load;
mod migrations;
pub(crate) mod platform;
pub(crate) mod postgres;
pub(crate) mod process;
mod proof;
pub(crate) mod queue;
pub(crate) mod reads;

pub(crate) use migrations::migrations;
pub(crate) use proof::{left_out, proof};
