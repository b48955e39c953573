//! Wires everything together.

mod intake;
mod policy;
