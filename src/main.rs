//! odoo-spoold.

fn main() {}
