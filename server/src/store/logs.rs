//! Rows of `logs`.
