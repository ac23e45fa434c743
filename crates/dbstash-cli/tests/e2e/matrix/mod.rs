//! The failure matrix: who fails, how, and on which kind of remote.

mod dump;
mod own;
