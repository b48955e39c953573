//! Modules that are needed, what mails or texts buyers, and what an Odoo has of its own.
//!
//! Modules are told by the fields they bring, since their list is closed to ordinary users. Which
//! of these rows fail: without it orders cannot be written. The others are what surprises people.

use super::report::{Area, Sheet};
use super::required;
use super::server::Connected;
use crate::deliver::value;
use crate::model::OdooId;
use crate::odoo::{Context, Fault, FaultKind, Record};

/// Models of other connectors to Amazon: Odoo's own, and two that are widely used.
const CONNECTORS: [(&str, &str); 3] = [
    ("amazon.account", "Odoo's Amazon connector"),
    ("amazon.seller.ept", "Emipro's Amazon connector"),
    ("amazon.backend", "the community's Amazon connector"),
];

// --- modules ---

/// sale, stock, account, delivery.
pub(super) async fn modules(odoo: &Connected, carriers: bool, sheet: &mut Sheet) {
    let order = fields(odoo, "sale.order").await;
    let picking = fields(odoo, "stock.picking").await;
    let tax = fields(odoo, "account.tax").await;
    let has = |found: &Result<Option<Record>, Fault>, field: &str| match found {
        Ok(Some(fields)) => Ok(fields.contains_key(field)),
        Ok(None) => Ok(false),
        Err(fault) => Err(fault.clone()),
    };
    let needed = [
        ("sale", "Sales", has(&order, "order_line")),
        ("stock", "Inventory", has(&picking, "sale_id")),
        ("account", "Invoicing", has(&tax, "price_include")),
    ];
    for (module, app, there) in needed {
        match there {
            Ok(true) => sheet.ok(Area::Modules, module, "installed"),
            Ok(false) => sheet.fail(
                Area::Modules,
                module,
                "not installed",
                format!("install {app} in Odoo's Apps"),
            ),
            Err(fault) => sheet.fault(Area::Modules, module, &fault),
        }
    }
    match (has(&order, "carrier_id"), carriers) {
        (Ok(true), _) => sheet.ok(Area::Modules, "delivery", "installed"),
        (Ok(false), false) => {
            sheet.ok(Area::Modules, "delivery", "not installed, and no carriers are configured");
        }
        (Ok(false), true) => sheet.fail(
            Area::Modules,
            "delivery",
            "not installed, but carriers are configured",
            "install Delivery Costs (delivery) in Odoo's Apps, or remove carriers",
        ),
        (Err(fault), _) => sheet.fault(Area::Modules, "delivery", &fault),
    }
}

// --- mail ---

/// What this company's Odoo sends to buyers without being asked.
pub(super) async fn mail(odoo: &Connected, company: OdooId, sheet: &mut Sheet) {
    match switches(odoo, company).await {
        Ok(switches) => judge(company, &switches, sheet),
        Err(fault) => sheet.fault(Area::Mail, format!("company {company}"), &fault),
    }
}

/// What is switched on; none where this Odoo has no such switch.
#[derive(Debug, Default)]
struct Switches {
    delivery_mail: Option<bool>,
    delivery_text: Option<bool>,
    /// A default quotation template that comes with a mail.
    confirmation_mail: Option<bool>,
}

async fn switches(odoo: &Connected, company: OdooId) -> Result<Switches, Fault> {
    let known = fields(odoo, "res.company").await?.unwrap_or_default();
    let names = [
        "stock_move_email_validation",
        "stock_move_sms_validation",
        "stock_text_confirmation",
        "sale_order_template_id",
    ];
    let there: Vec<&str> = names.into_iter().filter(|name| known.contains_key(*name)).collect();
    let context = Context::new(&[company]);
    let read = odoo.client.read("res.company", &[company], &there, context.clone()).await?;
    let record = read.into_iter().next().unwrap_or_default();
    let on = |name: &str| there.contains(&name).then(|| value::flag(&record, name));
    let mut switches = Switches {
        delivery_mail: on("stock_move_email_validation"),
        delivery_text: on("stock_move_sms_validation").or_else(|| on("stock_text_confirmation")),
        confirmation_mail: there.contains(&"sale_order_template_id").then_some(false),
    };
    let template = value::id(&record, "sale_order_template_id");
    if template != 0 {
        let fields = ["mail_template_id"];
        let found = odoo.client.read("sale.order.template", &[template], &fields, context).await?;
        let mails = found.first().is_some_and(|found| value::id(found, "mail_template_id") != 0);
        switches.confirmation_mail = Some(mails);
    }
    Ok(switches)
}

fn judge(company: OdooId, switches: &Switches, sheet: &mut Sheet) {
    let rows = [
        (
            "delivery e-mails",
            switches.delivery_mail,
            "buyers get an e-mail when a delivery is validated",
            "switch off Inventory / Configuration / Settings / Email Confirmation: Amazon tells \
             buyers itself",
        ),
        (
            "delivery text messages",
            switches.delivery_text,
            "buyers get a text message when somebody validates a delivery in Odoo",
            "switch off Inventory / Configuration / Settings / SMS Confirmation",
        ),
        (
            "confirmation e-mails",
            switches.confirmation_mail,
            "the default quotation template sends an e-mail when an order is confirmed",
            "take the e-mail out of the template, or the default template out of Sales / \
             Configuration / Settings",
        ),
    ];
    for (what, on, detail, next) in rows {
        let what = format!("{what}, company {company}");
        match on {
            Some(true) => sheet.warn(Area::Mail, what, detail, next),
            Some(false) => sheet.ok(Area::Mail, what, "off"),
            None => {}
        }
    }
}

// --- traps ---

/// What else gets in the way.
pub(super) async fn own(odoo: &Connected, sheet: &mut Sheet) {
    reasons(odoo, sheet).await;
    if let Ok(true) = odoo.has_group("sale.group_auto_done_setting").await {
        sheet.warn(
            Area::Traps,
            "locked orders",
            "orders are locked as soon as they are confirmed",
            "switch off Sales / Configuration / Settings / Lock Confirmed Sales, or decide later \
             changes and cancellations by hand",
        );
    } else {
        sheet.ok(Area::Traps, "locked orders", "confirmed orders stay open to changes");
    }
    required::prove(odoo, sheet).await;
    for (model, name) in CONNECTORS {
        if let Ok(Some(_)) = fields(odoo, model).await {
            sheet.warn(
                Area::Traps,
                "another connector",
                format!("{name} is installed"),
                "let only one of the two import a marketplace's orders",
            );
        }
    }
}

/// Does Odoo tell why it refuses? With several databases in sight, 14 answers with a bare page.
async fn reasons(odoo: &Connected, sheet: &mut Sheet) {
    let what = "reasons of refusals";
    let absent = odoo.client.check_object_reference("spoold", "absent", Context::user()).await;
    match absent {
        Ok(_) => sheet.ok(Area::Traps, what, "told"),
        Err(fault) => sheet.fault(Area::Traps, what, &fault),
    }
}

/// The fields of a model; none where there is no such model.
async fn fields(odoo: &Connected, model: &str) -> Result<Option<Record>, Fault> {
    match odoo.client.fields_get(model, &["type"], Context::user()).await {
        Ok(fields) => Ok(Some(fields)),
        Err(fault) if fault.kind == FaultKind::MissingModel => Ok(None),
        Err(fault) => Err(fault),
    }
}
