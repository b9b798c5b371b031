//! All that the browser runs, and nothing else.
