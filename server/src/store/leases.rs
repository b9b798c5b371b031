//! Rows of `leases`.
