//! Rows of `links`.
