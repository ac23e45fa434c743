//! The failure matrix: what can go wrong, on every kind of remote.

mod dump;
