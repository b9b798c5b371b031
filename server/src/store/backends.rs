//! Rows of `backends`.
