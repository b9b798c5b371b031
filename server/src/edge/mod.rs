//! The edge: leads requests from outside to proven instances.
