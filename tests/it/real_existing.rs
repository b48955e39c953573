//! Orders that stood in Odoo before us: adopted or held, never doubled, never written.

use odoo_spoold::model::{HoldCode, Outcome};

use crate::real_support::{Sale, all_orders, order_id};
use crate::support::lab::{Lab, versions};
use crate::support::spoold::Installation;

const GROUP: u32 = 201;
const BEFORE: u32 = 50;
const NEW: u32 = 4;
/// The order that another connector of ours made.
const FOREIGN: u32 = 90;

/// Orders made by hand, a third each with the Amazon id in another place; one under the external id of another account.
fn made_by_hand(lab: &Lab) {
    let ids: Vec<String> = (0..BEFORE).map(|n| order_id(GROUP, n)).collect();
    let said = lab.shell(&format!(
        "ids = {ids:?}
foreign = '{}'
partner = env['res.partner'].create({{'name': 'By Hand'}})
product = env['product.product'].search([('default_code', '=', 'SKU-0003')])
def order(**values):
    return env['sale.order'].create(dict(values, partner_id=partner.id, company_id=1, order_line=[(0, 0, {{
        'product_id': product.id, 'product_uom_qty': 3, 'price_unit': 7}})]))
for n, amazon in enumerate(ids):
    order(**{{('client_order_ref', 'origin', 'name')[n % 3]: amazon}})
theirs = order(client_order_ref=foreign)
env['ir.model.data'].create({{'module': 'spoold_other', 'name': 'order_' + foreign, 'model': 'sale.order',
                             'res_id': theirs.id, 'noupdate': True}})
env.cr.commit()
print('do' + 'ne')
",
        order_id(GROUP, FOREIGN)
    ));
    // The shell ends well also after a traceback.
    assert!(said.contains("done"), "{said}");
}

fn sales(status: &'static str, updated: u32) -> Vec<u8> {
    let numbers = (0..BEFORE + NEW).chain([FOREIGN]);
    all_orders(numbers.map(|n| Sale {
        order: order_id(GROUP, n).leak(),
        status,
        item: status,
        updated,
        ..Sale::default()
    }))
}

/// When orders and lines made by hand were last written, and what they hold.
fn by_hand(lab: &Lab) -> String {
    lab.sql(
        "select o.id, o.write_date, o.state, o.amount_total, o.date_order, l.id, l.write_date, l.price_unit, \
         l.product_uom_qty from sale_order o join sale_order_line l on l.order_id = o.id \
         join res_partner p on p.id = o.partner_id where p.name = 'By Hand' order by o.id, l.id",
    )
}

#[test]
fn orders_from_before_are_adopted_or_held() {
    for version in versions("orders from before") {
        let lab = Lab::new(version, "existing");
        lab.fee_products();
        made_by_hand(&lab);
        let hand_made = by_hand(&lab);
        assert_eq!(hand_made.lines().count(), 51);

        // Adopted: only remembered.
        let installation = Installation::new(&lab, &["--existing", "adopt"]);
        let account = installation.account();
        installation.drop_bytes("eu", "sales.age", &sales("Shipped", 1));
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        for n in 0..BEFORE {
            let outcome = spoold.outcome(&account, &order_id(GROUP, n));
            assert_eq!(outcome, Some(Outcome::Adopted), "Odoo {version}: {n}");
            let dossier =
                spoold.daemon.store.dossier(&account, &order_id(GROUP, n).parse().unwrap());
            assert!(dossier.unwrap().unwrap().mapping.unwrap().odoo_id > 0);
        }
        for n in BEFORE..BEFORE + NEW {
            assert_eq!(
                spoold.outcome(&account, &order_id(GROUP, n)),
                Some(Outcome::Delivered),
                "{n}"
            );
        }
        let codes = |spoold: &crate::support::spoold::Spoold, n| -> Vec<HoldCode> {
            spoold.holds_of(&account, &order_id(GROUP, n)).iter().map(|hold| hold.code).collect()
        };
        assert_eq!(codes(&spoold, FOREIGN), [HoldCode::Account], "Odoo {version}");
        assert_eq!(lab.count("select count(*) from sale_order"), i64::from(BEFORE + 1 + NEW));
        assert_eq!(by_hand(&lab), hand_made, "Odoo {version}: adopted orders are not written");

        // What Amazon says later is not written either.
        installation.drop_bytes("eu", "cancelled.age", &sales("Cancelled", 2));
        spoold.wait_idle(&installation);
        assert_eq!(by_hand(&lab), hand_made, "Odoo {version}: adopted orders are never written");
        assert_eq!(spoold.outcome(&account, &order_id(GROUP, 0)), Some(Outcome::Adopted));
        let ours = lab.count("select count(*) from sale_order where state = 'cancel'");
        assert_eq!(ours, i64::from(NEW), "Odoo {version}: our own orders are cancelled");
        spoold.stop();

        // Held, by an installation that knows nothing yet; what is ours it recognises.
        let keys = installation.keys_text();
        let installation = Installation::with_keys(&lab, &["--existing", "hold"], &keys);
        installation.drop_bytes("eu", "sales.age", &sales("Shipped", 1));
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        for n in 0..BEFORE {
            assert_eq!(codes(&spoold, n), [HoldCode::Existing], "Odoo {version}: {n}");
        }
        assert_eq!(codes(&spoold, FOREIGN), [HoldCode::Account], "Odoo {version}");
        assert_eq!(lab.count("select count(*) from sale_order"), i64::from(BEFORE + 1 + NEW));
        assert_eq!(by_hand(&lab), hand_made, "Odoo {version}: held orders are not written");
        spoold.stop();

        one_order_in_two_accounts(&lab);
    }
}

/// The orders of a former connector: a prefix before the id, a text around it, blanks.
#[test]
fn case_r16_a_former_connectors_orders_are_not_doubled() {
    for version in versions("a former connector") {
        for existing in ["hold", "adopt"] {
            let lab = Lab::new(version, "former");
            lab.fee_products();
            let ids: Vec<String> = (1..=5).map(|n| order_id(216, n)).collect();
            let said = lab.shell(&format!(
                "ids = {ids:?}
partner = env['res.partner'].create({{'name': 'By Hand'}})
product = env['product.product'].search([('default_code', '=', 'SKU-0003')])
for values in ({{'client_order_ref': ids[0]}}, {{'name': 'AMZ-' + ids[1]}}, {{'origin': 'Amazon Order ' + ids[2]}},
               {{'client_order_ref': ' %s ' % ids[3]}}):
    env['sale.order'].create(dict(values, partner_id=partner.id, company_id=1, order_line=[(0, 0, {{
        'product_id': product.id, 'product_uom_qty': 3, 'price_unit': 7}})])).action_confirm()
cancelled = env['sale.order'].create({{'partner_id': partner.id, 'company_id': 1, 'name': 'AMZ-' + ids[4]}})
cancelled.state = 'cancel'
env.cr.commit()
print('do' + 'ne')
"
            ));
            assert!(said.contains("done"), "{said}");
            let hand_made = by_hand(&lab);
            let installation = Installation::new(&lab, &["--existing", existing]);
            let account = installation.account();
            let file = all_orders(ids.iter().map(|order| Sale { order, ..Sale::default() }));
            installation.drop_bytes("eu", "sales.age", &file);
            let spoold = installation.start();
            spoold.wait_idle(&installation);
            let context = format!("Odoo {version}, {existing}");
            for (n, id) in ids.iter().enumerate() {
                let holds = spoold.holds_of(&account, id);
                let codes: Vec<HoldCode> = holds.iter().map(|hold| hold.code).collect();
                match (n, existing) {
                    (0, "adopt") => {
                        assert_eq!(
                            spoold.outcome(&account, id),
                            Some(Outcome::Adopted),
                            "{context}"
                        );
                    }
                    (4, _) => {
                        let outcome = spoold.outcome(&account, id);
                        assert_eq!(outcome, Some(Outcome::Delivered), "{context}: {holds:?}");
                    }
                    _ => assert_eq!(codes, [HoldCode::Existing], "{context}: {n}"),
                }
            }
            assert_eq!(spoold.holds_of(&account, &ids[1])[0].key, format!("AMZ-{}", ids[1]));
            assert_eq!(lab.count("select count(*) from sale_order"), 6, "{context}");
            assert_eq!(by_hand(&lab), hand_made, "{context}: they are not written");
            spoold.stop();
        }
    }
}

/// Of two accounts that see the same order the second is held.
fn one_order_in_two_accounts(lab: &Lab) {
    let installation = Installation::new(lab, &["--account", "one:EU", "--account", "two:EU"]);
    let id = order_id(202, 1);
    let file = all_orders([Sale { order: &id, ..Sale::default() }]);
    let spoold = installation.start();
    installation.drop_bytes("one", "sales.age", &file);
    spoold.wait_idle(&installation);
    installation.drop_bytes("two", "sales.age", &file);
    spoold.wait_idle(&installation);
    let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
    assert_eq!(spoold.outcome(&one, &id), Some(Outcome::Delivered), "Odoo {}", lab.version);
    let held = spoold.holds_of(&two, &id);
    assert_eq!(held.len(), 1, "Odoo {}", lab.version);
    assert_eq!((held[0].code, held[0].key.as_str()), (HoldCode::Account, "spoold_one"));
    let count = format!("select count(*) from sale_order where client_order_ref = '{id}'");
    assert_eq!(lab.count(&count), 1, "Odoo {}", lab.version);
    spoold.stop();
}
