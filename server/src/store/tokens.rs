//! Rows of `tokens`.
