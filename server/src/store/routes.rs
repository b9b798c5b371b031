//! Rows of `routes`.
