//! Rows of `rollouts`.
