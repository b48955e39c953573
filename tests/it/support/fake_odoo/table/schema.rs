//! Models, fields and method signatures, for both flavours, and searching.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{Flavor, Raise, Record, Tables};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain(&'static str),
    Many2one(&'static str),
    Many2many(&'static str),
    One2many(&'static str, &'static str),
    Computed,
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

/// `name:type`, `name:>model` many2one, `name:*model` many2many, `name:<model@inverse` lines,
/// `name:=` computed; `!` behind the name: required; `18/` before it: since then. Of the models in
/// [`told`] a version has only what its table has.
const MODELS: [(&str, &str); 23] = [
    ("res.users.apikeys", "name:char user_id:>res.users scope:char 18/expiration_date:datetime"),
    (
        "res.users",
        "login:char name:char lang:char tz:char company_id:>res.company company_ids:*res.company",
    ),
    ("res.company", "name:char currency_id:>res.currency stock_move_email_validation:boolean"),
    ("res.currency", "name:char decimal_places:integer active:boolean"),
    ("res.country", "name:char code:char"),
    ("res.country.state", "name:char code:char country_id:>res.country"),
    (
        "res.partner",
        "name!:char email:char phone:char mobile:char street:char street2:char zip:char city:char \
        state_id:>res.country.state country_id:>res.country parent_id:>res.partner type:selection \
        vat:char comment:html ref:char lang:char company_id:>res.company is_company:boolean active:boolean",
    ),
    (
        "product.product",
        "name:char default_code:char barcode:char type:selection active:boolean \
        is_storable:boolean uom_id:>uom.uom lst_price:float sale_ok:boolean taxes_id:*account.tax company_id:>res.company",
    ),
    (
        "product.pricelist",
        "name:char currency_id:>res.currency active:boolean company_id:>res.company",
    ),
    ("uom.uom", "name:char"),
    (
        "account.tax",
        "name:char amount:float amount_type:selection type_tax_use:selection \
        price_include:boolean price_include_override:selection active:boolean company_id:>res.company",
    ),
    ("account.fiscal.position", "name:char active:boolean company_id:>res.company"),
    ("account.journal", "name:char code:char type:selection company_id:>res.company"),
    ("crm.team", "name:char active:boolean company_id:>res.company"),
    ("stock.warehouse", "name:char code:char active:boolean company_id:>res.company"),
    ("stock.location", "name:char usage:selection active:boolean company_id:>res.company"),
    (
        "stock.picking",
        "name:char state:selection origin:char sale_id:>sale.order note:html carrier_tracking_ref:char \
        message_partner_ids:*res.partner",
    ),
    (
        "delivery.carrier",
        "name:char delivery_type:selection active:boolean company_id:>res.company",
    ),
    ("ir.model.data", "module:char name:char model:char res_id:integer"),
    ("ir.module.module", "name:char state:selection"),
    ("res.lang", "name:char code:char active:boolean"),
    (
        "sale.order",
        "name:char state:selection client_order_ref:char origin:char partner_id!:>res.partner \
        partner_invoice_id:>res.partner partner_shipping_id:>res.partner date_order:datetime \
        commitment_date:datetime pricelist_id:>product.pricelist currency_id:= company_id:>res.company \
        warehouse_id:>stock.warehouse team_id:>crm.team user_id:>res.users carrier_id:>delivery.carrier \
        fiscal_position_id:>account.fiscal.position note:html locked:boolean invoice_status:selection \
        order_line:<sale.order.line@order_id picking_ids:<stock.picking@sale_id \
        message_partner_ids:*res.partner sale_order_template_id:char amount_total:= amount_untaxed:= amount_tax:=",
    ),
    (
        "sale.order.line",
        "order_id!:>sale.order product_id:>product.product name:text sequence:integer \
        display_type:selection product_uom_qty:float qty_delivered:float qty_invoiced:float price_unit:float \
        discount:float tax_ids:*account.tax tax_id:*account.tax product_uom_id:>uom.uom \
        product_uom:>uom.uom state:selection price_subtotal:= price_total:=",
    ),
];

/// `None`: no such model.
pub fn fields(flavor: Flavor, model: &str) -> Option<Vec<Field>> {
    let (_, spec) = MODELS.iter().find(|(name, _)| *name == model)?;
    let common = "id:integer display_name:= create_date:datetime write_date:datetime";
    let words = common.split_whitespace().chain(spec.split_whitespace());
    let known = told(flavor).get(model);
    let fields = words.filter_map(|word| match word.split_once('/') {
        Some((since, word)) => {
            (flavor.number() >= since.parse().unwrap()).then(|| Field::parse(word))
        }
        None => Some(Field::parse(word)),
    });
    Some(fields.filter(|field| known.is_none_or(|known| known.contains_key(field.name))).collect())
}

/// What `fields_get` tells of a model of this version: by field its type, relation and so on.
type Told = BTreeMap<&'static str, BTreeMap<&'static str, Value>>;

/// The recorded answers of a version (`tests/fixtures/odoo-fields`).
pub fn told(flavor: Flavor) -> &'static Told {
    static ALL: OnceLock<[Told; 5]> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        [
            include_str!("../../../../fixtures/odoo-fields/14.tsv"),
            include_str!("../../../../fixtures/odoo-fields/16.tsv"),
            include_str!("../../../../fixtures/odoo-fields/17.tsv"),
            include_str!("../../../../fixtures/odoo-fields/18.tsv"),
            include_str!("../../../../fixtures/odoo-fields/19.tsv"),
        ]
        .map(read)
    });
    let place = Flavor::ALL.iter().position(|one| *one == flavor).unwrap();
    &all[place]
}

fn read(table: &'static str) -> Told {
    let mut told = Told::new();
    for line in table.lines().skip(1) {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or_default();
        let (model, name, kind, relation) = (cell(), cell(), cell(), cell());
        let mut field = json!({"type": kind, "string": name, "name": name, "required": cell() == "1",
            "readonly": cell() == "1", "store": cell() == "1"});
        if !relation.is_empty() {
            field["relation"] = json!(relation);
        }
        let keys: Vec<&str> = cell().split(',').filter(|key| !key.is_empty()).collect();
        if !keys.is_empty() {
            field["selection"] = keys.iter().map(|key| json!([key, key])).collect();
        }
        told.entry(model).or_default().insert(name, field);
    }
    told
}

impl Field {
    fn parse(word: &'static str) -> Self {
        let (name, kind) = word.split_once(':').unwrap();
        let kind = match kind.split_at(1) {
            (">", to) => Kind::Many2one(to),
            ("*", to) => Kind::Many2many(to),
            ("<", to) => {
                let (line, inverse) = to.split_once('@').unwrap();
                Kind::One2many(line, inverse)
            }
            ("=", _) => Kind::Computed,
            _ => Kind::Plain(kind),
        };
        Self { name: name.trim_end_matches('!'), kind, required: name.ends_with('!') }
    }

    pub fn default(&self) -> Value {
        match (self.kind, self.name) {
            (Kind::Many2many(_) | Kind::One2many(..), _) => json!([]),
            (Kind::Plain("float"), _) => json!(0.0),
            (Kind::Plain("integer"), _) => json!(0),
            (_, "active") => json!(true),
            (_, "state") => json!("draft"),
            (_, "invoice_status") => json!("no"),
            _ => json!(false),
        }
    }

    pub fn describe(&self) -> Value {
        let (kind, relation) = match self.kind {
            Kind::Plain(kind) => (kind, None),
            Kind::Many2one(to) => ("many2one", Some(to)),
            Kind::Many2many(to) => ("many2many", Some(to)),
            Kind::One2many(to, _) => ("one2many", Some(to)),
            Kind::Computed if self.name == "currency_id" => ("many2one", Some("res.currency")),
            Kind::Computed if self.name == "display_name" => ("char", None),
            Kind::Computed => ("monetary", None),
        };
        let mut told = json!({"type": kind, "string": self.name, "required": self.required,
            "readonly": self.kind == Kind::Computed, "name": self.name});
        if let Some(relation) = relation {
            told["relation"] = json!(relation);
        }
        told
    }
}

/// `@api.model`: takes no ids.
pub fn is_model_method(method: &str) -> bool {
    matches!(
        method,
        "search"
            | "search_read"
            | "search_count"
            | "create"
            | "load"
            | "fields_get"
            | "default_get"
            | "context_get"
            | "check_object_reference"
            | "name_search"
            | "check_access_rights"
            | "generate"
            | "revoke"
    )
}

/// Names of positional arguments.
pub fn signature(method: &str) -> &'static [&'static str] {
    match method {
        "search" | "search_count" => &["domain", "offset", "limit", "order"],
        "search_read" => &["domain", "fields", "offset", "limit", "order"],
        "create" => &["vals_list"],
        "write" => &["vals"],
        "load" => &["fields", "data"],
        "read" => &["fields", "load"],
        "fields_get" => &["allfields", "attributes"],
        "default_get" => &["fields_list"],
        "check_object_reference" => &["module", "xml_id"],
        "generate" => &["key", "scope", "name", "expiration_date"],
        "revoke" => &["key"],
        "check_access_rights" => &["operation", "raise_exception"],
        "has_access" => &["operation"],
        "has_group" => &["group_ext_id"],
        _ => &[],
    }
}

// === searching ===

impl Tables {
    pub fn search(&self, model: &str, args: &Record, context: &Record) -> Result<Vec<i64>, Raise> {
        let domain = args.get("domain").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut found = Vec::new();
        let archived = context.get("active_test") == Some(&json!(false))
            || domain.iter().any(|term| term[0] == "active");
        for id in self.all_ids(model) {
            let row = self.row(model, id).unwrap();
            if !self.is_hidden(model, id)
                && (archived || row.get("active") != Some(&json!(false)))
                && self.matches(model, id, &domain)?
            {
                found.push(id);
            }
        }
        if args
            .get("order")
            .and_then(Value::as_str)
            .is_some_and(|order| order.starts_with("id desc"))
        {
            found.reverse();
        }
        if let Some(limit) = args.get("limit").and_then(Value::as_u64) {
            found.truncate(usize::try_from(limit).unwrap());
        }
        Ok(found)
    }

    /// Polish notation, terms without operator joined by "and".
    fn matches(&self, model: &str, id: i64, domain: &[Value]) -> Result<bool, Raise> {
        let mut rest = domain.iter();
        let mut all = true;
        while rest.len() > 0 {
            all &= self.next_term(model, id, &mut rest)?;
        }
        Ok(all)
    }

    fn next_term(
        &self,
        model: &str,
        id: i64,
        rest: &mut std::slice::Iter<'_, Value>,
    ) -> Result<bool, Raise> {
        let term = rest.next().ok_or_else(|| Raise::new("builtins.ValueError", 500, "domain"))?;
        Ok(match term.as_str() {
            Some("!") => !self.next_term(model, id, rest)?,
            Some("|") => self.next_term(model, id, rest)? | self.next_term(model, id, rest)?,
            Some("&") => self.next_term(model, id, rest)? & self.next_term(model, id, rest)?,
            Some(other) => return Err(Raise::new("builtins.ValueError", 500, other)),
            None => self.leaf(model, id, term)?,
        })
    }

    fn leaf(&self, model: &str, id: i64, term: &Value) -> Result<bool, Raise> {
        let path = term[0].as_str().unwrap_or_default();
        let (operator, wanted) = (term[1].as_str().unwrap_or_default(), &term[2]);
        if let Some((first, further)) = path.split_once('.') {
            let field = self.field(model, first)?;
            let step = json!([further, operator, wanted]);
            let (to, targets) = match field.kind {
                Kind::Many2one(to) => {
                    (to, self.row(model, id).unwrap()[first].as_i64().into_iter().collect())
                }
                Kind::One2many(to, inverse) => (to, self.children(to, inverse, id)),
                _ => return Err(Raise::new("builtins.ValueError", 500, path)),
            };
            for target in targets {
                if self.row(to, target).is_some() && self.leaf(to, target, &step)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        self.field(model, path)?;
        let names = [path.to_owned()];
        let row = self.read(model, &[id], &names, false)?;
        let held = row[0].get(path).cloned().unwrap_or(json!(false));
        let blank =
            |value: &Value| matches!(value, Value::Bool(false) | Value::Null) || value == "";
        let same = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            _ => a == b || (blank(a) && blank(b)),
        };
        let within = |value: &Value| match &held {
            Value::Array(many) => many.iter().any(|one| same(one, value)),
            one => same(one, value),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let order = || match (held.as_f64(), wanted.as_f64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap(),
            _ => text(&held).cmp(&text(wanted)),
        };
        Ok(match operator {
            "=" => within(wanted),
            "!=" => !within(wanted),
            "in" => wanted.as_array().is_some_and(|list| list.iter().any(within)),
            "not in" => !wanted.as_array().is_some_and(|list| list.iter().any(within)),
            "ilike" => text(&held).contains(&text(wanted).replace('%', "")),
            "=ilike" => text(&held) == text(wanted).replace("\\_", "_").replace("\\%", "%"),
            "=like" => like(held.as_str().unwrap_or_default(), wanted.as_str().unwrap_or_default()),
            "<" => order().is_lt(),
            "<=" => order().is_le(),
            ">" => !blank(&held) && order().is_gt(),
            ">=" => !blank(&held) && order().is_ge(),
            _ => return Err(Raise::new("builtins.ValueError", 500, operator)),
        })
    }
}

/// PostgreSQL's LIKE: `%` is any text, `_` any character, a backslash takes the next one as it is.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts.any(|at| like(&text[at..], rest))
        }
        Some(wanted) => {
            let any = wanted == '_';
            let wanted = if wanted == '\\' { rest.next().unwrap_or(wanted) } else { wanted };
            let mut held = text.chars();
            held.next().is_some_and(|c| any || c == wanted) && like(held.as_str(), rest.as_str())
        }
    }
}
