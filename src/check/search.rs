//! Exact search in one company, the way delivery searches, and why something is not found.
//!
//! Promises: finds what [`crate::deliver::catalog`] finds: same domains, same language, same
//! comparison. Where nothing is found it looks wider, only to tell the operator what is in the way:
//! an archived record, another company, a translated name.

use serde_json::{Value, json};

use super::server::Connected;
use crate::config::RecordRef;
use crate::deliver::{domain, value};
use crate::model::OdooId;
use crate::odoo::{Client, Context, Fault, Find, Record};

/// Searches for one account.
#[derive(Debug)]
pub(super) struct Searcher<'a> {
    pub(super) odoo: &'a Connected,
    /// The account's company.
    pub(super) company: OdooId,
    /// It and the companies above it.
    pub(super) lineage: Vec<OdooId>,
}

/// How many there are.
#[derive(Debug)]
pub(super) enum Hit<'a> {
    One(&'a Record),
    Nothing,
    Several(usize),
}

/// Why nothing was found: what there is instead, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instead {
    pub(super) detail: String,
    pub(super) next: String,
}

// === impl Searcher ===

impl<'a> Searcher<'a> {
    pub(super) async fn new(odoo: &'a Connected, company: OdooId) -> Result<Self, Fault> {
        let context = Context::new(&[company]);
        let lineage = domain::lineage(&odoo.client, company, context).await?;
        Ok(Self { odoo, company, lineage })
    }

    pub(super) fn client(&self) -> &Client {
        &self.odoo.client
    }

    pub(super) fn context(&self) -> Context {
        Context::new(&[self.company])
    }

    /// Everything of the domain.
    pub(super) async fn list(
        &self,
        model: &str,
        domain: Value,
        fields: &[&str],
    ) -> Result<Vec<Record>, Fault> {
        let find = Find { order: Some("id"), ..Find::default() };
        self.client().search_read(model, domain, fields, &find, self.context()).await
    }

    /// What there is where `wanted` is not among the records of `domain`; `kind` is what people
    /// call it, `key` its name in the settings.
    pub(super) async fn instead(
        &self,
        model: &str,
        domain: Value,
        wanted: &RecordRef,
        kind: &str,
        key: &str,
    ) -> Result<Option<Instead>, Fault> {
        if let Some(wider) = self.wider(model, wanted, kind).await? {
            return Ok(Some(wider));
        }
        let RecordRef::Name(name) = wanted else { return Ok(None) };
        let known = self.list(model, domain.clone(), &["name"]).await?;
        let alike = known.iter().map(|record| value::text(record, "name"));
        let same = |other: &String| other.trim().to_lowercase() == name.trim().to_lowercase();
        if let Some(other) = alike.into_iter().find(same) {
            return Ok(Some(Instead {
                detail: format!("Odoo has \"{other}\""),
                next: format!("write {key} = \"{other}\": names are compared exactly"),
            }));
        }
        self.translated(model, domain, name, key).await
    }

    /// Archived, or of another company or kind.
    async fn wider(
        &self,
        model: &str,
        wanted: &RecordRef,
        kind: &str,
    ) -> Result<Option<Instead>, Fault> {
        let domain = match wanted {
            RecordRef::Name(name) => json!([["name", "=", name]]),
            RecordRef::Id(id) => json!([["id", "=", id]]),
        };
        let find = Find { archived_too: true, order: Some("id"), ..Find::default() };
        let context = Context::new(&self.odoo.server.company_ids);
        let fields = ["name", "active", "company_id"];
        let found = self.client().search_read(model, domain, &fields, &find, context).await?;
        let Some(first) = found.iter().find(|record| matches(wanted, record)) else {
            return Ok(None);
        };
        let (id, company) = (value::id(first, "id"), value::id(first, "company_id"));
        let instead = if company != 0 && company != self.company {
            Instead {
                detail: format!("id {id} belongs to company {company}"),
                next: format!("name the {kind} of company {}, or make one", self.company),
            }
        } else if value::flag(first, "active") {
            Instead {
                detail: format!("id {id} is of another kind"),
                next: format!("name a {kind}"),
            }
        } else {
            Instead {
                detail: format!("id {id} is archived"),
                next: "unarchive it in Odoo, or name another".to_owned(),
            }
        };
        Ok(Some(instead))
    }

    /// Names are compared in English; people see them in their own language.
    async fn translated(
        &self,
        model: &str,
        domain: Value,
        name: &str,
        key: &str,
    ) -> Result<Option<Instead>, Fault> {
        // Who may not read languages gets no hint.
        let languages = self.list("res.lang", json!([]), &["code"]).await.unwrap_or_default();
        for language in languages.iter().map(|language| value::text(language, "code")) {
            if language == "en_US" {
                continue;
            }
            let context = self.context().with("lang", language.as_str());
            let find = Find::default();
            let found =
                self.client().search_read(model, domain.clone(), &["name"], &find, context).await?;
            let same = |record: &&Record| value::text(record, "name") == name;
            if let Some(id) = found.iter().find(same).map(|record| value::id(record, "id")) {
                let english = self.client().read(model, &[id], &["name"], self.context()).await?;
                let english = english.first().map(|record| value::text(record, "name"));
                let english = english.unwrap_or_default();
                return Ok(Some(Instead {
                    detail: format!(
                        "that is its name in {language}; in English it is \"{english}\""
                    ),
                    next: format!("write {key} = \"{english}\" or {key}_id = {id}"),
                }));
            }
        }
        Ok(None)
    }
}

/// Whether this record is the one that the settings name.
pub(super) fn matches(wanted: &RecordRef, record: &Record) -> bool {
    match wanted {
        RecordRef::Name(name) => value::text(record, "name") == *name,
        RecordRef::Id(id) => value::id(record, "id") == *id,
    }
}

/// How many of the records are the one.
pub(super) fn pick(records: &[Record], wanted: impl Fn(&Record) -> bool) -> Hit<'_> {
    let mut hits = records.iter().filter(|record| wanted(record));
    match (hits.next(), hits.count()) {
        (None, _) => Hit::Nothing,
        (Some(only), 0) => Hit::One(only),
        (Some(_), more) => Hit::Several(more.saturating_add(1)),
    }
}
