//! Decides: merged facts and known mappings in, operations out. Pure.
