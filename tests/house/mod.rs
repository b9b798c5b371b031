//! The house itself: layers, and that the README tells the truth.

mod layers;
mod readme;
pub(crate) mod source;
