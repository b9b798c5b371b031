//! Rows of `repositories`.
