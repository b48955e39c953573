//! Wires everything together.

pub mod lifecycle;
