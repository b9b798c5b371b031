//! Rows of `sessions`.
