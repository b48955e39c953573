//! What happens after an order stands in Odoo: cancellations, changes at Amazon, changes by people.

use odoo_spoold::model::{HoldCode, Outcome};

use crate::real_support::{Sale, all_orders, order_id};
use crate::support::lab::{Lab, Seen, versions};
use crate::support::spoold::{Installation, Spoold};

const GROUP: u32 = 301;

fn id(n: u32) -> &'static str {
    order_id(GROUP, n).leak()
}

/// Confirmed when seen.
fn sale(n: u32) -> Sale<'static> {
    Sale { order: id(n), ..Sale::default() }
}

/// Stays a quotation: Amazon has not released it.
fn pending(n: u32) -> Sale<'static> {
    Sale { status: "Pending", item: "Unshipped", ..sale(n) }
}

fn second(sale: Sale<'static>) -> Sale<'static> {
    Sale { sku: "SKU-0002", price: "6.00", tax: "1.00", ..sale }
}

fn cancelled(sale: Sale<'static>) -> Sale<'static> {
    Sale { status: "Cancelled", item: "Cancelled", updated: 60, ..sale }
}

fn later(sale: Sale<'static>) -> Sale<'static> {
    Sale { updated: 60, ..sale }
}

fn two(sale: Sale<'static>) -> Sale<'static> {
    Sale { quantity: 2, price: "24.00", tax: "4.00", ..sale }
}

/// An order's lines, as `reference quantity price`.
fn lines(seen: &Seen) -> Vec<String> {
    let text = |line: &crate::support::lab::SeenLine| {
        format!("{} {} {}", line.reference, line.quantity, line.price_unit)
    };
    seen.lines.iter().map(text).collect()
}

/// Everything of an order that a write would change.
fn untouched(lab: &Lab, n: u32) -> String {
    let order = id(n);
    lab.sql(&format!(
        "select o.write_date, o.state, o.amount_total, o.client_order_ref, l.id, l.write_date, l.price_unit, \
         l.product_uom_qty from sale_order o join sale_order_line l on l.order_id = o.id \
         where o.client_order_ref = '{order}' order by l.id"
    ))
}

struct Run {
    version: u32,
    lab: Lab,
    installation: Installation,
    spoold: Spoold,
}

impl Run {
    fn new(version: u32, database: &str, sales: Vec<Sale<'_>>) -> Self {
        let lab = Lab::new(version, database);
        lab.fee_products();
        let installation = Installation::new(&lab, &[]);
        let spoold = installation.start();
        let run = Self { version, lab, installation, spoold };
        run.take("first", sales);
        run
    }

    fn take(&self, name: &str, sales: Vec<Sale<'_>>) {
        self.installation.drop_bytes("eu", &format!("{name}.age"), &all_orders(sales));
        self.spoold.wait_idle(&self.installation);
    }

    fn outcome(&self, n: u32) -> Option<Outcome> {
        self.spoold.outcome(&self.installation.account(), id(n))
    }

    /// The text of the conflict.
    fn conflict(&self, n: u32) -> String {
        let account = self.installation.account();
        let mut holds = self.spoold.holds_of(&account, id(n));
        holds.retain(|hold| hold.code == HoldCode::Conflict);
        let [hold] = holds.as_slice() else {
            panic!("Odoo {}: {}", self.version, self.spoold.describe(&account));
        };
        hold.text.clone()
    }

    /// What a person does, in `odoo shell`; `order(n)` finds an order.
    fn person(&self, python: &str) {
        let said = self.lab.shell(&format!(
            "def order(n):
    found = env['sale.order'].search([('client_order_ref', '=', '{GROUP:03}-%07d-%07d' % (n * 7919 % 10000000, n))])
    assert len(found) == 1
    return found
def line(n, sku):
    return order(n).order_line.filtered(lambda l: l.product_id.default_code == sku)
{python}
env.cr.commit()
print('do' + 'ne')
"
        ));
        // The shell ends well also after a traceback.
        assert!(said.contains("done"), "{said}");
    }
}

#[test]
fn cancelled_at_amazon() {
    for version in versions("cancellations") {
        let run = Run::new(
            version,
            "cancel",
            vec![
                pending(1),
                sale(2),
                sale(3),
                pending(4),
                second(pending(4)),
                sale(5),
                second(sale(5)),
            ],
        );
        let seen = run.lab.orders();
        let states: Vec<&str> = (1..6).map(|n| seen[id(n)].state.as_str()).collect();
        assert_eq!(states, ["draft", "sale", "sale", "draft", "sale"], "Odoo {version}");
        assert_eq!(run.lab.outgoing(), 0, "nobody may be mailed");

        // `_action_done` is what the Validate button ends in.
        run.person(
            "picking = order(3).picking_ids
moves = picking.move_ids if 'move_ids' in picking._fields else picking.move_lines
for move in moves:
    if 'quantity_done' in move._fields:
        move.quantity_done = move.product_uom_qty
    else:
        move.write({'quantity': move.product_uom_qty, 'picked': True})
picking._action_done()
assert order(3).order_line.qty_delivered == 1",
        );
        let delivered = untouched(&run.lab, 3);
        run.take(
            "cancelled",
            vec![
                cancelled(pending(1)),
                cancelled(sale(2)),
                cancelled(sale(3)),
                later(pending(4)),
                Sale { item: "Cancelled", ..later(second(pending(4))) },
                later(sale(5)),
                Sale { item: "Cancelled", ..later(second(sale(5))) },
                // First seen cancelled.
                cancelled(sale(6)),
            ],
        );
        let seen = run.lab.orders();
        let states: Vec<&str> = (1..6).map(|n| seen[id(n)].state.as_str()).collect();
        assert_eq!(states, ["cancel", "cancel", "sale", "draft", "sale"], "Odoo {version}");
        assert!(!seen.contains_key(id(6)), "Odoo {version}: first seen cancelled");
        let outcomes = [1, 2, 6].map(|n| run.outcome(n));
        assert_eq!(
            outcomes,
            [Some(Outcome::Cancelled), Some(Outcome::Cancelled), Some(Outcome::CancelledUnseen)],
            "Odoo {version}"
        );
        let open = "select count(*) from stock_picking where state <> 'cancel' and origin = ";
        let order = &seen[id(2)].name;
        assert_eq!(
            run.lab.count(&format!("{open}'{order}'")),
            0,
            "Odoo {version}: nothing to ship"
        );

        let text = run.conflict(3);
        assert!(text.contains("cancelled at Amazon") && text.contains("delivered"), "{text}");
        assert_eq!(untouched(&run.lab, 3), delivered, "Odoo {version}: a delivered order stays");

        for n in [4, 5] {
            let left = lines(&seen[id(n)]);
            assert_eq!(left, ["SKU-0001 1.00 12.00", "SKU-0002 0.00 6.00"], "Odoo {version}: {n}");
        }
        assert_eq!(run.outcome(5), Some(Outcome::Delivered), "Odoo {version}");

        // Again, and nothing more happens.
        let last = run.lab.last_write();
        run.take("again", vec![cancelled(pending(1)), cancelled(sale(2)), cancelled(sale(3))]);
        assert_eq!(run.lab.last_write(), last, "Odoo {version}");
    }
}

#[test]
fn what_people_change_stays() {
    for version in versions("changes by people") {
        let run = Run::new(
            version,
            "people",
            vec![
                sale(1),
                pending(2),
                sale(3),
                second(sale(3)),
                sale(4),
                pending(5),
                pending(6),
                sale(7),
            ],
        );
        let before = run.lab.orders();
        assert_eq!(before.len(), 7);

        run.person(
            "line(1, 'SKU-0001').price_unit = 9.5
line(2, 'SKU-0001').price_unit = 9.5
line(3, 'SKU-0002').price_unit = 5.5
order(4).note = 'call before you ship'
order(5).unlink()
line(7, 'SKU-0001').price_unit = 24",
        );
        // The same file: everything is as people left it.
        let people = [1, 2, 3, 4, 6, 7].map(|n| untouched(&run.lab, n));
        run.take("first-again", vec![sale(1), pending(2), pending(5), sale(7)]);
        assert_eq!([1, 2, 3, 4, 6, 7].map(|n| untouched(&run.lab, n)), people, "Odoo {version}");
        assert!(!run.lab.orders().contains_key(id(5)), "Odoo {version}: deleted stays deleted");

        run.take(
            "newer",
            vec![
                // The same line as a person.
                Sale { price: "15.00", tax: "2.50", ..later(sale(1)) },
                Sale { price: "15.00", tax: "2.50", ..later(pending(2)) },
                // Another line than a person.
                two(later(sale(3))),
                later(second(sale(3))),
                two(later(sale(4))),
                // Deleted by a person, and now released.
                later(sale(5)),
                two(later(pending(6))),
                // What a person wrote already.
                Sale { price: "24.00", tax: "4.00", ..later(sale(7)) },
            ],
        );
        let seen = run.lab.orders();
        for (n, left) in [1, 2].into_iter().zip(&people) {
            assert_eq!(lines(&seen[id(n)]), ["SKU-0001 1.00 9.50"], "Odoo {version}: {n}");
            let text = run.conflict(n);
            assert!(text.contains("9.5") && text.contains("15"), "both values: {text}");
            assert_eq!(&untouched(&run.lab, n), left, "Odoo {version}: {n}");
        }
        assert_eq!(
            lines(&seen[id(3)]),
            ["SKU-0001 2.00 12.00", "SKU-0002 1.00 5.50"],
            "Odoo {version}: Amazon's line is written, the person's stays"
        );
        // It was written to, and the person's price makes another total than Amazon's.
        let account = run.installation.account();
        let codes: Vec<HoldCode> =
            run.spoold.holds_of(&account, id(3)).into_iter().map(|hold| hold.code).collect();
        assert_eq!(codes, [HoldCode::Total], "Odoo {version}: a person decides");
        assert_eq!(lines(&seen[id(4)]), ["SKU-0001 2.00 12.00"], "Odoo {version}");
        let notes = "select count(*) from sale_order where note like '%call before you ship%'";
        assert_eq!(run.lab.count(notes), 1, "Odoo {version}");
        assert_eq!(run.outcome(4), Some(Outcome::Delivered), "Odoo {version}");
        assert!(!seen.contains_key(id(5)), "Odoo {version}: deleted stays deleted");
        assert_eq!(run.outcome(5), Some(Outcome::DeletedInOdoo), "Odoo {version}");
        assert_eq!(lines(&seen[id(6)]), ["SKU-0001 2.00 12.00"], "Odoo {version}");
        assert_eq!(seen[id(6)].state, "draft");
        // Nobody changed these two, and the date stays that of the purchase.
        for n in [4, 6] {
            assert_eq!(seen[id(n)].date_order, "2025-03-02 10:00:00", "Odoo {version}: {n}");
            assert_eq!(seen[id(n)].total, "24.00", "Odoo {version}: {n}");
        }
        assert_eq!(
            untouched(&run.lab, 7),
            people[5],
            "Odoo {version}: it holds the new value already"
        );
        assert_eq!(run.outcome(7), Some(Outcome::Delivered), "Odoo {version}");
        let demand = "select sum(m.product_uom_qty)::int from stock_move m join stock_picking p on p.id = m.picking_id \
                      where m.state <> 'cancel' and p.origin = ";
        assert_eq!(run.lab.count(&format!("{demand}'{}'", seen[id(4)].name)), 2, "Odoo {version}");

        run.take(
            "newest",
            vec![Sale { updated: 90, ..cancelled(sale(5)) }, Sale { updated: 90, ..two(sale(6)) }],
        );
        let seen = run.lab.orders();
        assert!(!seen.contains_key(id(5)), "Odoo {version}: deleted stays deleted");
        assert_eq!(seen[id(6)].state, "sale", "Odoo {version}: released at last");
        assert_eq!(run.lab.outgoing(), 0, "nobody may be mailed");
    }
}
