//! The edge through the outside: real sockets, backends made by hand.

mod support;

mod routing;
