//! Reads report bytes into rows, and rows into facts.
