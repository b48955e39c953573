//! Values of options that are words: shells complete them, and errors list them.

use crate::control::wire::JobWord;
use crate::model::{AttentionCode, FileState, HoldCode};

/// A word of the control API; the error lists the ones there are.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Types whose values are words that people type.
pub(super) trait Words: serde::de::DeserializeOwned + Clone + Send + Sync + 'static {
    /// All of them.
    fn all() -> Vec<&'static str>;
}

impl Words for HoldCode {
    fn all() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }
}

impl Words for AttentionCode {
    fn all() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }
}

impl Words for FileState {
    fn all() -> Vec<&'static str> {
        [Self::Work, Self::Done, Self::Rejected].into_iter().map(Self::name).collect()
    }
}

impl Words for JobWord {
    fn all() -> Vec<&'static str> {
        vec!["pending", "started", "held", "dead", "done"]
    }
}

/// Takes the words of a type; shells complete them.
pub(super) fn one_of<T: Words>() -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(T::all()).try_map(|text| word::<T>(&text))
}
