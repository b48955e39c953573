//! Companies that buy, and what is written on their orders.

use serde_json::json;

use odoo_spoold::model::Outcome;
use odoo_spoold::odoo::{Context, Verdict, Writer};

use crate::real_support::cells;
use crate::support::lab::{Lab, runtime, versions};
use crate::support::spoold::Installation;

const BOUGHT: (&str, &str) = ("purchase-date", "2026-03-01T10:00:00+00:00");

fn all_orders<'a>(id: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut row = vec![
        ("amazon-order-id", id),
        BOUGHT,
        ("last-updated-date", "2026-03-01T12:00:00+00:00"),
        ("order-status", "Unshipped"),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("item-status", "Unshipped"),
        ("quantity", "1"),
        ("currency", "EUR"),
        ("item-price", "11.90"),
        ("item-tax", "1.90"),
        ("ship-country", "DE"),
        ("is-business-order", "true"),
    ];
    row.extend(more);
    row
}

fn unshipped<'a>(id: &'a str, recipient: &'a str, number: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("order-id", id),
        ("order-item-id", "07000015000011"),
        BOUGHT,
        ("reporting-date", "2026-03-01T11:00:00+00:00"),
        ("buyer-email", "b2b-7000015@marketplace.example"),
        ("buyer-name", "Muster Einkauf"),
        ("buyer-company-name", "Muster GmbH"),
        ("sku", "SKU-0001"),
        ("quantity-purchased", "1"),
        ("quantity-to-ship", "1"),
        ("recipient-name", recipient),
        ("ship-address-1", "Probeweg 1"),
        ("ship-city", "Musterstadt"),
        ("ship-postal-code", "01234"),
        ("ship-country", "DE"),
        ("purchase-order-number", number),
        ("bill-address-1", "Rechnungsweg 2"),
        ("bill-city", "Musterstadt"),
        ("bill-postal-code", "01234"),
        ("bill-country", "DE"),
    ]
}

fn report_of_order<'a>(id: &'a str, item: &'a str, street: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("order-id", id),
        ("order-item-id", item),
        BOUGHT,
        ("buyer-email", "no-reply-amazon-iba-buyer@marketplace.example"),
        ("buyer-name", "Amazon Business EU SARL"),
        ("sku", "SKU-0001"),
        ("quantity-purchased", "1"),
        ("currency", "EUR"),
        ("item-price", "11.90"),
        ("item-tax", "1.90"),
        ("recipient-name", "Empfang GmbH"),
        ("ship-address-1", street),
        ("ship-city", "Musterstadt"),
        ("ship-postal-code", "01234"),
        ("ship-country", "DE"),
        ("bill-address-1", "1 Rue Exemple"),
        ("bill-city", "Luxembourg"),
        ("bill-postal-code", "L-0000"),
        ("bill-country", "LU"),
        ("sales-channel", "Amazon.de"),
    ]
}

#[test]
fn case_r15_three_orders_of_a_company_with_purchase_order_numbers() {
    for version in versions("a company buys") {
        let lab = Lab::new(version, "company");
        // What refuses a VAT number; not every database has it.
        let said = lab.shell(
            "module = env['ir.module.module'].search([('name', '=', 'base_vat')])
if module.state != 'installed':
    module.button_immediate_install()
env.cr.commit()
print('do' + 'ne')
",
        );
        assert!(said.contains("done"), "{said}");
        // Only now does the server look at the database: with the module in it.
        lab.fee_products();
        let ids = [1, 2, 3].map(|n| format!("305-7000015-000000{n}"));
        let numbers = ["PO-201", "PO-202", "PO-203"];
        let recipients = numbers.map(|number| format!("Muster GmbH {number}"));
        let installation = Installation::new(&lab, &["--marketplace", "Amazon.de"]);
        let account = installation.account();
        let spoold = installation.start();
        let waiting: Vec<_> =
            (0..3).map(|n| unshipped(&ids[n], &recipients[n], numbers[n])).collect();
        installation.drop_bytes("eu", "unshipped.age", &cells(&waiting));
        spoold.wait_idle(&installation);
        let sales = |updated: &'static str| -> Vec<u8> {
            let rows: Vec<_> = (0..3)
                .map(|n| {
                    let mut row = all_orders(
                        &ids[n],
                        &[
                            ("purchase-order-number", numbers[n]),
                            ("buyer-company-name", "Muster GmbH"),
                            ("buyer-vat-number", "DE 000000000"),
                            ("is-amazon-invoiced", "true"),
                        ],
                    );
                    row[2].1 = updated;
                    row
                })
                .collect();
            cells(&rows)
        };
        installation.drop_bytes("eu", "sales.age", &sales("2026-03-01T12:00:00+00:00"));
        spoold.wait_idle(&installation);
        for id in &ids {
            assert_eq!(spoold.outcome(&account, id), Some(Outcome::Delivered), "Odoo {version}");
        }
        let companies =
            "select count(*) from res_partner where name = 'Muster GmbH' and is_company";
        assert_eq!(lab.count(companies), 1, "Odoo {version}: one company");
        let company = lab.sql(
            "select coalesce(vat, '-'), coalesce(street, '-'), coalesce(email, '-'), comment from res_partner \
             where name = 'Muster GmbH' and is_company",
        );
        assert!(company.starts_with("-|Rechnungsweg 2|-|"), "Odoo {version}: {company}");
        assert!(company.contains("DE000000000"), "Odoo {version}: {company}");
        let children = lab.sql(
            "select c.name, c.type, coalesce(c.email, '-'), c.street = 'Probeweg 1' from res_partner c \
             join res_partner p on p.id = c.parent_id where p.name = 'Muster GmbH' order by c.type",
        );
        assert_eq!(
            children,
            "Muster Einkauf|contact|b2b-7000015@marketplace.example|f\n\
             Muster GmbH|delivery|-|t",
            "Odoo {version}: the person, and one address"
        );
        let orders = lab.sql(
            "select o.client_order_ref, o.state, o.amount_total, p.is_company, o.partner_invoice_id = o.partner_id, \
             a.type, (select string_agg(l.name, ', ' order by l.id) from sale_order_line l where l.order_id = o.id \
             and l.display_type = 'line_note' and l.product_id is null) \
             from sale_order o join res_partner p on p.id = o.partner_id \
             join res_partner a on a.id = o.partner_shipping_id where o.client_order_ref like '305-7000015-%' order by 1",
        );
        let invoiced = "Amazon has invoiced this order: it needs no other invoice";
        let expected: Vec<String> = (0..3)
            .map(|n| {
                format!("{}|sale|11.90|t|t|delivery|Your order: {}, {invoiced}", ids[n], numbers[n])
            })
            .collect();
        assert_eq!(orders, expected.join("\n"), "Odoo {version}");

        // Heard again: what is compared knows nothing of the notes.
        let before = lab.last_write();
        installation.drop_bytes("eu", "again.age", &sales("2026-03-01T13:00:00+00:00"));
        spoold.wait_idle(&installation);
        assert_eq!(lab.last_write(), before, "Odoo {version}");
        for id in &ids {
            assert_eq!(spoold.outcome(&account, id), Some(Outcome::Delivered), "Odoo {version}");
        }
        spoold.stop();
        prints(&lab, &ids[0]);
    }
}

/// Odoo prints the note on the order and on its invoice, and charges nothing for it.
fn prints(lab: &Lab, id: &str) {
    let said = lab.shell(&format!(
        "order = env['sale.order'].search([('client_order_ref', '=', '{id}')])
for line in order.order_line.filtered(lambda l: not l.display_type):
    line.qty_delivered = line.product_uom_qty
invoice = order._create_invoices()
invoice.action_post()
def html(report, record):
    action = env.ref(report)
    try:
        text = env['ir.actions.report']._render_qweb_html(report, record.ids)[0]
    except Exception:
        text = action._render_qweb_html(record.ids)[0]
    return text.decode() if isinstance(text, bytes) else str(text)
print('ORDER', 'Your order: PO-201' in html('sale.action_report_saleorder', order))
print('INVOICE', 'Your order: PO-201' in html('account.account_invoices', invoice))
print('TOTAL', '%.2f' % order.amount_total, '%.2f' % invoice.amount_total, invoice.partner_id.name)
env.cr.commit()
"
    ));
    for line in ["ORDER True", "INVOICE True", "TOTAL 11.90 11.90 Muster GmbH"] {
        assert!(said.contains(line), "Odoo {}: {said}", lab.version);
    }
}

#[test]
fn case_r07_what_amazon_business_invoices_has_its_own_address_and_no_end_customers() {
    for version in versions("Amazon Business buys") {
        let lab = Lab::new(version, "amazon-business");
        lab.fee_products();
        let ids = [1, 2].map(|n| format!("305-7000007-000000{n}"));
        let installation = Installation::new(&lab, &["--marketplace", "Amazon.de"]);
        let spoold = installation.start();
        let reports = [
            report_of_order(&ids[0], "07000007000011", "Probeweg 1"),
            report_of_order(&ids[1], "07000007000021", "Andere Gasse 9"),
        ];
        installation.drop_bytes("eu", "report.age", &cells(&reports));
        spoold.wait_idle(&installation);
        let sales = [0, 1].map(|n| {
            all_orders(
                &ids[n],
                &[
                    ("purchase-order-number", "PO-1"),
                    ("buyer-company-name", "Amazon Business EU SARL"),
                    ("buyer-vat-number", "LU00000000"),
                    ("is-iba", "true"),
                ],
            )
        });
        installation.drop_bytes("eu", "sales.age", &cells(&sales));
        spoold.wait_idle(&installation);
        let account = installation.account();
        for id in &ids {
            assert_eq!(spoold.outcome(&account, id), Some(Outcome::Delivered), "Odoo {version}");
        }
        spoold.stop();
        let orders = lab.sql(
            "select p.name, p.is_company, p.street, p.city, o.partner_invoice_id = p.id, a.street, \
             (select count(*) from sale_order_line l where l.order_id = o.id and l.display_type = 'line_note') \
             from sale_order o join res_partner p on p.id = o.partner_id \
             join res_partner a on a.id = o.partner_shipping_id where o.client_order_ref like '305-7000007-%' \
             order by o.client_order_ref",
        );
        let company = "Amazon Business EU SARL|t|1 Rue Exemple|Luxembourg|t";
        // The number, and whose invoice it is.
        let expected = format!("{company}|Probeweg 1|2\n{company}|Andere Gasse 9|2");
        assert_eq!(orders, expected, "Odoo {version}");
        let one = "select count(distinct partner_id) from sale_order where client_order_ref like '305-7000007-%'";
        assert_eq!(lab.count(one), 1, "Odoo {version}");
    }
}

/// Odoo's mark "not to be mailed" is no field of a contact: it is a list of e-mail addresses that an
/// integration user may not write.
#[test]
fn design_7_buyers_cannot_be_marked_as_not_to_be_mailed() {
    for version in versions("the mail blacklist") {
        let lab = Lab::new(version, "blacklist");
        runtime().block_on(async {
            let client = lab.client();
            let fields = client.fields_get("res.partner", &["readonly", "store"], Context::user());
            let fields = fields.await.unwrap();
            for other in ["opt_out", "no_mail", "mailing_opt_out"] {
                assert!(!fields.contains_key(other), "Odoo {version}: {other}");
            }
            if let Some(listed) = fields.get("is_blacklisted") {
                assert_eq!((&listed["readonly"], &listed["store"]), (&json!(true), &json!(false)));
            }
            let rows = vec![vec![json!("spoold_eu.b1"), json!("b1@marketplace.example")]];
            let fields = ["id", "email"];
            let reply =
                Writer::on(&client).load("mail.blacklist", &fields, rows, Context::user()).await;
            let refused = match reply {
                Ok(reply) => !matches!(reply.verdict(1, &[]), Verdict::Loaded(_)),
                Err(_) => true,
            };
            assert!(refused, "Odoo {version}: an ordinary user may blacklist an address by now");
        });
    }
}
