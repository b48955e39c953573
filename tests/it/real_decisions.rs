//! What people decide about orders in real Odoos: field by field, both ways of ending a conflict,
//! an order that Amazon revives, adopted orders, and a pause that outlives a restart.

use odoo_spoold::control::wire::{Decide, Release};
use odoo_spoold::control::{Handle, hold};
use odoo_spoold::model::{Accept, HoldCode, OrderId, Outcome};

use crate::real_support::{Sale, all_orders, order_id};
use crate::support::lab::{Lab, Seen, versions};
use crate::support::spoold::{Installation, Spoold};

const GROUP: u32 = 305;

fn id(n: u32) -> &'static str {
    order_id(GROUP, n).leak()
}

fn sale(n: u32) -> Sale<'static> {
    Sale { order: id(n), ..Sale::default() }
}

/// A newer report: two units.
fn two(n: u32, updated: u32) -> Sale<'static> {
    Sale { quantity: 2, price: "24.00", tax: "4.00", updated, ..sale(n) }
}

fn cancelled(n: u32, updated: u32) -> Sale<'static> {
    Sale { status: "Cancelled", item: "Cancelled", updated, ..sale(n) }
}

/// Its lines, as `quantity price`.
fn lines(seen: &Seen) -> Vec<String> {
    seen.lines.iter().map(|line| format!("{} {}", line.quantity, line.price_unit)).collect()
}

fn take(installation: &Installation, spoold: &Spoold, name: &str, sales: Vec<Sale<'_>>) {
    installation.drop_bytes("eu", &format!("{name}.age"), &all_orders(sales));
    spoold.wait_idle(installation);
}

fn conflicts(spoold: &Spoold, installation: &Installation, n: u32) -> Vec<String> {
    let mut holds = spoold.holds_of(&installation.account(), id(n));
    holds.retain(|hold| hold.code == HoldCode::Conflict);
    holds.into_iter().map(|hold| hold.text).collect()
}

fn decide(spoold: &Spoold, installation: &Installation, n: u32, accept: Accept) {
    let handle: Handle = spoold.daemon.handle();
    let order: OrderId = id(n).parse().unwrap();
    let request =
        Decide { account: installation.account(), order_id: Some(order), all: false, accept };
    assert_eq!(hold::decide(&handle, &request, Some(0)).unwrap().orders, 1);
    spoold.wait_idle(installation);
}

fn release(spoold: &Spoold, installation: &Installation, n: u32) {
    let handle: Handle = spoold.daemon.handle();
    let request = Release {
        account: installation.account(),
        order_id: Some(id(n).parse().unwrap()),
        code: None,
        key: None,
    };
    assert_eq!(hold::release(&handle, &request, Some(0)).unwrap().orders, 1);
    spoold.wait_idle(installation);
}

#[test]
fn people_decide() {
    for version in versions("decisions of people") {
        let lab = Lab::new(version, "decide");
        lab.fee_products();
        let adopted = format!(
            "partner = env['res.partner'].create({{'name': 'By hand'}})
env['sale.order'].create({{'partner_id': partner.id, 'client_order_ref': '{}'}})
env.cr.commit()
print('do' + 'ne')",
            id(6)
        );
        assert!(lab.shell(&adopted).contains("done"));
        let installation = Installation::new(&lab, &[]);
        let spoold = installation.start();
        take(&installation, &spoold, "first", (1..=6).map(sale).collect());
        let account = installation.account();
        let outcome = |spoold: &Spoold, n| spoold.outcome(&account, id(n));
        assert_eq!(outcome(&spoold, 6), Some(Outcome::Adopted), "Odoo {version}");

        // A person changes prices of 1 and quantities of 2 and 3.
        let said = lab.shell(&format!(
            "def line(ref):
    return env['sale.order'].search([('client_order_ref', '=', ref)]).order_line
line('{}').price_unit = 11
line('{}').write({{'product_uom_qty': 5, 'price_unit': 12}})
line('{}').write({{'product_uom_qty': 5, 'price_unit': 12}})
env.cr.commit()
print('do' + 'ne')",
            id(1),
            id(2),
            id(3)
        ));
        assert!(said.contains("done"), "{said}");
        let mut second: Vec<Sale<'_>> = (1..=3).map(|n| two(n, 30)).collect();
        second.extend([cancelled(4, 30), cancelled(5, 30), two(6, 30)]);
        take(&installation, &spoold, "second", second);

        // Field by field: Amazon's quantity beside the person's price.
        let seen = lab.orders();
        assert_eq!(lines(&seen[id(1)]), ["2.00 11.00"], "Odoo {version}");
        // The person's price makes another total than Amazon's: a person says that it stays.
        let totals = |spoold: &Spoold| {
            let holds = spoold.holds_of(&account, id(1));
            holds.into_iter().map(|hold| (hold.code, hold.ours, hold.theirs)).collect::<Vec<_>>()
        };
        let [(HoldCode::Total, ours, theirs)] = &totals(&spoold)[..] else {
            panic!("Odoo {version}: {:?}", totals(&spoold))
        };
        assert!(ours.contains("22") && theirs.contains("24"), "{ours} {theirs}");
        release(&spoold, &installation, 1);
        assert_eq!(lines(&lab.orders()[id(1)]), ["2.00 11.00"], "Odoo {version}");
        assert_eq!(outcome(&spoold, 1), Some(Outcome::Delivered), "Odoo {version}");
        for n in [2, 3] {
            let [text] = &conflicts(&spoold, &installation, n)[..] else {
                panic!("Odoo {version}: {n}")
            };
            assert!(text.contains("quantity 5") && text.contains("quantity 2"), "{text}");
            assert_eq!(lines(&seen[id(n)]), ["5.00 12.00"], "Odoo {version}: {n}");
        }
        decide(&spoold, &installation, 2, Accept::Odoo);
        decide(&spoold, &installation, 3, Accept::Marketplace);
        let seen = lab.orders();
        assert_eq!(lines(&seen[id(2)]), ["5.00 12.00"], "Odoo {version}: Odoo is right");
        assert_eq!(lines(&seen[id(3)]), ["2.00 12.00"], "Odoo {version}: Amazon is right");
        for n in [2, 3] {
            assert_eq!(outcome(&spoold, n), Some(Outcome::Delivered), "Odoo {version}: {n}");
        }

        // An adopted order is not written, and what changed is to be looked at.
        let (noticed, _) = spoold.daemon.store.attention(None, 9).unwrap();
        let told: Vec<(String, &str)> =
            noticed.iter().map(|n| (n.subject.to_string(), n.entries[0].code.name())).collect();
        assert_eq!(told, [(id(6).to_owned(), "adopted-changed")], "Odoo {version}");
        assert!(noticed[0].entries[0].text.contains("2 units, 24 GBP"), "{noticed:?}");

        // Cancelled at Amazon, and alive again: nothing revives it but a decision.
        for n in [4, 5] {
            assert_eq!(seen[id(n)].state, "cancel", "Odoo {version}: {n}");
        }
        // Also another value of what was declined is asked anew.
        let three = Sale { quantity: 3, price: "36.00", tax: "6.00", ..two(2, 60) };
        take(&installation, &spoold, "third", vec![two(4, 60), two(5, 60), three]);
        let seen = lab.orders();
        for n in [4, 5] {
            assert_eq!(seen[id(n)].state, "cancel", "Odoo {version}: {n}");
            assert_eq!(conflicts(&spoold, &installation, n).len(), 1, "Odoo {version}: {n}");
        }
        assert!(conflicts(&spoold, &installation, 2)[0].contains("quantity 3"), "Odoo {version}");
        decide(&spoold, &installation, 4, Accept::Odoo);
        decide(&spoold, &installation, 5, Accept::Marketplace);
        let seen = lab.orders();
        assert_eq!(seen[id(4)].state, "cancel", "Odoo {version}");
        assert_eq!(outcome(&spoold, 4), Some(Outcome::KeptInOdoo), "Odoo {version}");
        assert_eq!(seen[id(5)].state, "sale", "Odoo {version}: {}", spoold.describe(&account));
        assert_eq!(lines(&seen[id(5)]), ["2.00 12.00"], "Odoo {version}");
        assert_eq!(seen[id(5)].date_order, "2025-03-02 10:00:00", "Odoo {version}");

        // A pause outlives a restart: taken in, not delivered; then it goes on by itself.
        let store = &spoold.daemon.store;
        assert!(store.pause(Some(&account), Some(0), false, spoold.daemon.clock.now()).unwrap());
        spoold.stop();
        let spoold = installation.start();
        installation.drop_bytes("eu", "paused.age", &all_orders([sale(7)]));
        spoold.wait("the order is taken in", || spoold.job(&account, id(7)).is_some());
        spoold.daemon.delivery.wake(&account);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(spoold.tally(&account).pending, 1, "Odoo {version}: nothing is delivered");
        assert!(!lab.orders().contains_key(id(7)), "Odoo {version}");
        spoold.daemon.store.resume(Some(&account), spoold.daemon.clock.now()).unwrap();
        spoold.daemon.delivery.wake(&account);
        spoold.wait_idle(&installation);
        assert_eq!(lab.orders()[id(7)].state, "sale", "Odoo {version}");
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");
    }
}
