//! Rows of `candidates`.
