//! What is in a dump, counted as it passes: as fast as the dump comes, and knowing no more than that takes.

mod lines;
mod names;
mod script;
#[cfg(test)]
mod tests;

pub(crate) use self::lines::Lines;
pub(crate) use self::names::{shown, table};
pub(crate) use self::script::{Script, Writer};
