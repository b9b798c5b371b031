//! The edge through the outside: real sockets, backends made by hand.

mod support;

mod calls;
mod draining;
mod fields;
mod hostile;
mod life;
mod pressure;
mod protocols;
mod routing;
mod whole;
