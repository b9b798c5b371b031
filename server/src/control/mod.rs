//! Implements the seam: rights, then validation, then one transaction (state and event), then a wake-up.
