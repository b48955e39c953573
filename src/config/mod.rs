//! The settings file, validated; and the secrets beside it.
