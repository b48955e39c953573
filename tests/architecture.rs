//! One-way streets between the modules.
