//! Rows of `teams`.
