//! Rows of `users`.
