//! Failures of dbstash itself and of the machine it runs on.

mod clock;
mod full;
mod limits;
mod rivals;
mod seen;
mod signals;
