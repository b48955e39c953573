//! What is asked of Odoo: a [`Call`] with named arguments and a [`Context`].
//!
//! JSON-2 takes every argument by name; JSON-RPC takes ids first, then positional arguments, then
//! names. Names changed between versions (`search(args)` became `search(domain)`) and `create`
//! insists on a positional argument there, so a call says which arguments lead.

use std::time::Duration;

use serde_json::{Map, Value};

/// One record as Odoo gives it: field name → value.
pub type Record = Map<String, Value>;

/// One method call.
#[derive(Clone)]
pub struct Call<'a> {
    pub(super) model: &'a str,
    pub(super) method: &'a str,
    pub(super) ids: Option<&'a [i64]>,
    pub(super) leading: Vec<(&'a str, Value)>,
    pub(super) named: Map<String, Value>,
    pub(super) context: Context,
}

/// A complete, successful answer.
pub struct Reply {
    /// What the method returned; null where it returned nothing.
    pub value: Value,
    /// From sending the request to the last byte of the answer.
    pub took: Duration,
}

/// Odoo's context of a call.
///
/// Every context asks for English texts (ours to classify), for the given companies only, and
/// keeps Odoo from mailing, texting or subscribing anybody. The history (creation note, field
/// tracking) is kept: [`Context::without_history`] drops it where the operator asked for that.
#[derive(Clone, PartialEq)]
pub struct Context(Map<String, Value>);

/// How a search is narrowed; the default finds every active record in the model's own order.
#[derive(Debug, Clone, Default)]
pub struct Find<'a> {
    /// At most so many.
    pub limit: Option<u32>,
    /// Odoo's order clause, e.g. `id`.
    pub order: Option<&'a str>,
    /// Archived records too.
    pub archived_too: bool,
}

/// Methods that only read. One that is not in here takes a [`Writer`](super::Writer).
const READS: [&str; 14] = [
    "check_access_rights",
    "check_object_reference",
    "context_get",
    "default_get",
    "fields_get",
    "get_external_id",
    "has_access",
    "has_group",
    "name_search",
    "read",
    "read_group",
    "search",
    "search_count",
    "search_read",
];

/// Whether a method only reads.
pub(super) fn reads(method: &str) -> bool {
    READS.contains(&method)
}

// === impl Call ===

impl<'a> Call<'a> {
    /// A call of `model.method` without arguments.
    pub fn new(model: &'a str, method: &'a str, context: Context) -> Self {
        Self { model, method, ids: None, leading: Vec::new(), named: Map::new(), context }
    }

    /// The records the method works on.
    #[must_use]
    pub fn on(mut self, ids: &'a [i64]) -> Self {
        self.ids = Some(ids);
        self
    }

    /// The next leading argument: positional in JSON-RPC, named in JSON-2. In signature order.
    #[must_use]
    pub fn leading(mut self, name: &'a str, value: impl Into<Value>) -> Self {
        self.leading.push((name, value.into()));
        self
    }

    /// An argument by name in both dialects.
    #[must_use]
    pub fn named(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.named.insert(name.to_owned(), value.into());
        self
    }

    /// The method is one that only reads, in every version of Odoo.
    pub(super) fn only_reads(&self) -> bool {
        reads(self.method)
    }

    /// Model and method can stand in a URL path without meaning something else there.
    pub(super) fn has_clean_names(&self) -> bool {
        let clean = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
                && !name.starts_with('.')
        };
        clean(self.model) && clean(self.method)
    }
}

impl std::fmt::Debug for Call<'_> {
    /// Arguments may hold buyer data: only their names are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leading = self.leading.iter().map(|(name, _)| *name);
        let names: Vec<_> = leading.chain(self.named.keys().map(String::as_str)).collect();
        f.debug_struct("Call")
            .field("model", &self.model)
            .field("method", &self.method)
            .field("ids", &self.ids.map(<[i64]>::len))
            .field("arguments", &names)
            .finish()
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("took", &self.took).finish_non_exhaustive()
    }
}

// === impl Context ===

/// Checked against the sources of Odoo 14 and 19; an unknown key is ignored by Odoo.
const QUIET: [(&str, bool); 8] = [
    // mail.thread: the calling user does not become a follower of what it creates.
    ("mail_create_nosubscribe", true),
    // mail.thread: nor of what it posts on (19).
    ("mail_post_autofollow_author_skip", true),
    // mail.thread: recipients of a message do not become followers.
    ("mail_post_autofollow", false),
    // mail.thread: "you have been assigned to" is not sent to salespeople.
    ("mail_auto_subscribe_no_notify", true),
    // mail.thread: whatever still notifies goes to the mail queue, not to SMTP in our transaction.
    ("mail_notify_force_send", false),
    // mail.activity.mixin: no automatic to-dos, which mail and subscribe their assignee.
    ("mail_activity_automation_skip", true),
    // stock_sms: no text message, and no wizard asking about it, when a delivery is validated.
    ("skip_sms", true),
    // auth_signup: no invitation should a rule make a portal user of a partner.
    ("no_reset_password", true),
];

impl Context {
    /// The quiet English context for these companies.
    pub fn new(companies: &[i64]) -> Self {
        let mut keys = Self::user();
        keys.0.insert("allowed_company_ids".to_owned(), companies.into());
        keys
    }

    /// The same with the companies Odoo has stored as the user's default.
    pub fn user() -> Self {
        let mut keys = Map::new();
        keys.insert("lang".to_owned(), "en_US".into());
        keys.extend(QUIET.iter().map(|(key, on)| ((*key).to_owned(), Value::from(*on))));
        Self(keys)
    }

    /// For `load()`: create what is absent, skip what is known, and mark what is created so that
    /// the next `load()` can skip it.
    #[must_use]
    pub fn noupdate(self) -> Self {
        self.with("mode", "update").with("noupdate", true)
    }

    /// No creation note and no field tracking in the record's history.
    #[must_use]
    pub fn without_history(self) -> Self {
        self.with("tracking_disable", true).with("mail_create_nolog", true)
    }

    /// Sets a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Removes a key, e.g. `mail_activity_automation_skip` where the warehouse should get Odoo's
    /// to-do about a cancelled order.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn contexts_are_english_quiet_and_bound_to_companies() {
        let context = Context::new(&[3, 1]).noupdate().with("warehouse_id", 7);
        assert_eq!(context.get("lang"), Some(&json!("en_US")));
        assert_eq!(context.get("allowed_company_ids"), Some(&json!([3, 1])));
        assert_eq!(context.get("mode"), Some(&json!("update")));
        assert_eq!(context.get("noupdate"), Some(&json!(true)));
        assert_eq!(context.get("warehouse_id"), Some(&json!(7)));
        assert_eq!(context.get("mail_create_nosubscribe"), Some(&json!(true)));
        assert_eq!(context.get("mail_notify_force_send"), Some(&json!(false)));
        assert_eq!(context.get("tracking_disable"), None);
        assert_eq!(context.get("send_email"), None);
        let bare = context.without_history().without("skip_sms");
        assert_eq!(bare.get("tracking_disable"), Some(&json!(true)));
        assert_eq!(bare.get("skip_sms"), None);
        assert_eq!(Context::user().get("allowed_company_ids"), None);
    }

    #[test]
    fn names_that_would_leave_the_path_are_seen() {
        let clean = |model, method| Call::new(model, method, Context::user()).has_clean_names();
        assert!(clean("sale.order", "action_confirm"));
        assert!(!clean("sale.order/../x", "read"));
        assert!(!clean("..", "read"));
        assert!(!clean("sale.order", ""));
        assert!(!clean("sale.order", "a?b"));
        assert!(!clean("sale order", "read"));
    }

    #[test]
    fn debug_shows_no_values() {
        let call = Call::new("res.partner", "write", Context::user().with("k", "Ada"))
            .on(&[1])
            .leading("vals", json!({"name": "Ada Lovelace"}));
        let shown = format!("{call:?} {:?}", call.context);
        assert!(!shown.contains("Ada"), "{shown}");
        assert!(shown.contains("vals"), "{shown}");
    }
}
