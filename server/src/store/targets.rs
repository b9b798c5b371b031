//! Rows of `targets`.
