//! The failure matrix: what can go wrong, on every kind of remote it can go wrong on.

mod causes;
mod place;
mod remote;
mod servers;
