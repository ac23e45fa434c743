//! The failure matrix: who fails, how, and on which kind of remote.

mod causes;
mod dump;
mod own;
mod place;
mod remote;
mod servers;
