//! Answers that get lost: the first one to each kind of write.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Fault, Record};

/// Which fault, and the kinds of write that met it.
#[derive(Default)]
pub struct FirstAnswers {
    fault: Option<Fault>,
    met: BTreeSet<(String, String, Vec<String>)>,
}

impl FirstAnswers {
    pub fn begin(&mut self, fault: Fault) {
        self.met.clear();
        self.fault = Some(fault);
    }

    pub fn count(&self) -> usize {
        self.met.len()
    }

    /// Two writes of the same fields are of one kind.
    pub fn meet(&mut self, model: &str, method: &str, args: &Record) -> Option<Fault> {
        let fault = self.fault.as_ref()?;
        if !writes(method) {
            return None;
        }
        let listed = args.get("fields").and_then(Value::as_array).into_iter().flatten();
        let named = args.get("vals").and_then(Value::as_object).into_iter().flatten();
        let fields = listed
            .filter_map(|field| field.as_str().map(str::to_owned))
            .chain(named.map(|(field, _)| field.clone()));
        let kind = (model.to_owned(), method.to_owned(), fields.collect());
        self.met.insert(kind).then(|| fault.clone())
    }
}

/// Whether a method is not known to only read.
pub fn writes(method: &str) -> bool {
    let reads = [
        "search_read",
        "search",
        "search_count",
        "read",
        "fields_get",
        "get_external_id",
        "check_object_reference",
        "context_get",
        "name_search",
        "has_group",
        "check_access_rights",
        "get_metadata",
        "read_group",
        "formatted_read_group",
    ];
    !reads.contains(&method)
}
