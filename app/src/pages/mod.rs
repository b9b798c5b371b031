//! The screens: one file each, with what it shows and what its forms do.
