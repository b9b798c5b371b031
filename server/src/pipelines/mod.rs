//! From a push to a candidate: which runs a push makes, who works on them, and how.

pub mod file;
