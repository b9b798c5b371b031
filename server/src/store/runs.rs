//! Rows of `runs`.
