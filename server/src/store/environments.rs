//! Rows of `environments`.
