//! Remembers: the only module that knows sled.
