//! Rows of `releases`.
