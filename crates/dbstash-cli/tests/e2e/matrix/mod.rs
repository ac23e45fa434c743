//! The failure matrix: who fails, how, and on which kind of remote.

mod causes;
pub mod dump;
mod own;
pub mod place;
mod remote;
mod servers;
