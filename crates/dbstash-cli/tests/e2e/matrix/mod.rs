//! The failure matrix: who fails, how, and on which remote.

mod own;
