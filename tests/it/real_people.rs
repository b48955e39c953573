//! What people do in a real Odoo while nobody looks, and totals that do not fit: held, and ended by
//! nothing but a person's word or by the thing itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::time::Duration;

use odoo_spoold::clock::Manual;
use odoo_spoold::control::hold;
use odoo_spoold::control::wire::{Decide, Release};
use odoo_spoold::model::{Accept, HoldCode, JobState, Note, Outcome};
use odoo_spoold::odoo::{Context, Find};
use odoo_spoold::store::Buried;
use serde_json::json;

use crate::real_support::{Sale, all_orders, order_id};
use crate::support::lab::{Lab, runtime, versions};
use crate::support::proxy::Proxy;
use crate::support::shop::{clock, fast_forward, start};
use crate::support::spoold::{Installation, Spoold};

const GROUP: u32 = 311;
const DELIVERED: JobState = JobState::Done(Outcome::Delivered);

fn id(n: u32) -> &'static str {
    order_id(GROUP, n).leak()
}

fn sale(n: u32, updated: u32) -> Sale<'static> {
    Sale { order: id(n), updated, ..Sale::default() }
}

fn second(sale: Sale<'static>) -> Sale<'static> {
    Sale { sku: "SKU-0002", price: "6.00", tax: "1.00", ..sale }
}

struct Run {
    lab: Lab,
    installation: Installation,
    clock: Manual,
    spoold: Spoold,
}

impl Run {
    fn new(version: u32, database: &str, options: &[&str]) -> Self {
        let lab = Lab::new(version, database);
        lab.fee_products();
        Self::on(lab, options)
    }

    fn on(lab: Lab, options: &[&str]) -> Self {
        let installation = Installation::new(&lab, options);
        let clock = clock();
        let spoold = start(&installation, &clock);
        Self { lab, installation, clock, spoold }
    }

    fn drop(&self, name: &str, sales: Vec<Sale<'_>>) {
        self.installation.drop_bytes("eu", &format!("{name}.age"), &all_orders(sales));
        self.spoold.wait("the file to be taken in", || {
            let empty = |folder: &str| {
                std::fs::read_dir(self.installation.folder("eu", folder))
                    .is_ok_and(|mut entries| entries.next().is_none())
            };
            self.spoold.tally(&self.installation.account()).total() > 0
                && empty("incoming")
                && empty("work")
        });
    }

    fn settle(&self) {
        fast_forward(&self.spoold, &self.clock, &self.installation.account());
    }

    fn take(&self, name: &str, sales: Vec<Sale<'_>>) {
        self.drop(name, sales);
        self.settle();
    }

    fn state(&self, n: u32) -> JobState {
        self.spoold.job(&self.installation.account(), id(n)).unwrap().state
    }

    fn codes(&self, n: u32) -> Vec<HoldCode> {
        let holds = self.spoold.holds_of(&self.installation.account(), id(n));
        holds.into_iter().map(|hold| hold.code).collect()
    }

    fn look_again(&self, n: u32) {
        let account = self.installation.account();
        let key = self.spoold.daemon.store.key(&account, &id(n).parse().unwrap()).unwrap();
        let now = odoo_spoold::clock::Clock::now(&self.clock);
        self.spoold.daemon.store.requeue(Buried::Record(key), now).unwrap();
        self.spoold.daemon.delivery.wake(&account);
        self.settle();
    }

    fn decide(&self, n: u32, accept: Accept) {
        let account = self.installation.account();
        let order_id = Some(id(n).parse().unwrap());
        let request = Decide { account, order_id, all: false, accept };
        hold::decide(&self.spoold.daemon.handle(), &request, Some(7)).unwrap();
        self.settle();
    }

    fn release(&self, n: u32) {
        let account = self.installation.account();
        let order_id = Some(id(n).parse().unwrap());
        let request = Release { account, order_id, code: None, key: None };
        hold::release(&self.spoold.daemon.handle(), &request, Some(7)).unwrap();
        self.settle();
    }

    fn gone_notes(&self) -> usize {
        let mut gone = 0;
        let count = |note| gone += usize::from(matches!(note, Note::Gone { .. }));
        self.spoold.daemon.store.notes(count).unwrap();
        gone
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
def quotation(n):
    order(n).with_context(disable_cancel_warning=True).action_cancel()
    order(n).action_draft()
{python}
env.cr.commit()
env.registry.signal_changes()
print('do' + 'ne')
"
        ));
        // The shell ends well also after a traceback.
        assert!(said.contains("done"), "{said}");
    }
}

#[test]
fn audit_01_a_total_that_differs_is_held_twice_and_released_by_a_person_only() {
    for version in versions("totals held") {
        let run = Run::new(version, "totals-held", &[]);
        // Somebody set the currency to whole pounds: Odoo rounds what the buyer paid to the penny.
        run.person("env.ref('base.GBP').rounding = 1.0");
        let odd = |updated| Sale { price: "12.34", tax: "2.06", ..sale(1, updated) };
        run.take("one", vec![odd(1)]);
        let (held, draft) = (vec![HoldCode::Total], "draft".to_owned());
        assert_eq!(
            (run.codes(1), run.lab.orders()[id(1)].state.clone()),
            (held.clone(), draft.clone())
        );
        // The next report, a look that nothing asked for: still held.
        run.take("two", vec![odd(60)]);
        assert_eq!(
            (run.codes(1), run.lab.orders()[id(1)].state.clone()),
            (held.clone(), draft.clone())
        );
        run.look_again(1);
        assert_eq!((run.codes(1), run.lab.orders()[id(1)].state.clone()), (held, draft));
        run.release(1);
        let stands = run.lab.orders()[id(1)].clone();
        assert_eq!((run.state(1), stands.state.as_str()), (DELIVERED, "sale"), "Odoo {version}");
        assert_eq!(stands.date_order, "2025-03-02 10:00:00", "Odoo {version}");
        assert_eq!(stands.lines.len(), 1, "Odoo {version}: no rounding line of 34 pence");
        run.spoold.stop();
    }
}

#[test]
fn audit_11_what_a_person_changes_before_the_first_look_stays() {
    for version in versions("edits before the first look") {
        let lab = Lab::new(version, "early-edits");
        lab.fee_products();
        let proxy = Proxy::before(&lab);
        let run = Run::on(lab, &["--url", &proxy.url()]);
        proxy.open(1);
        let both = |n| vec![sale(n, 1), second(sale(n, 1))];
        run.drop("one", [both(1), both(2), both(3), both(4)].concat());
        run.spoold.wait("the answer to be cut off", || proxy.cut() == 1);
        run.person(
            "line(1, 'SKU-0001').price_unit = 9.5
line(2, 'SKU-0001').product_uom_qty = 5
line(3, 'SKU-0002').unlink()",
        );
        run.settle();
        let seen = run.lab.orders();
        let lines = |n: u32| -> Vec<String> {
            let lines = seen[id(n)].lines.iter();
            lines.map(|l| format!("{} {} {}", l.reference, l.quantity, l.price_unit)).collect()
        };
        assert_eq!(lines(1), ["SKU-0001 1.00 9.50", "SKU-0002 1.00 6.00"], "Odoo {version}");
        // Some Odoos give a new quantity the price of the pricelist.
        assert!(lines(2)[0].starts_with("SKU-0001 5.00"), "Odoo {version}: {:?}", lines(2));
        assert_eq!(lines(3), ["SKU-0001 1.00 12.00"], "Odoo {version}: deleted stays deleted");
        for n in [1, 2, 3] {
            let state = seen[id(n)].state.as_str();
            assert_eq!(
                (run.codes(n), state),
                (vec![HoldCode::Total], "draft"),
                "Odoo {version}: {n}"
            );
        }
        assert_eq!(
            (run.state(4), seen[id(4)].state.as_str()),
            (DELIVERED, "sale"),
            "Odoo {version}"
        );
        run.spoold.stop();
    }
}

#[test]
fn audit_10_set_back_to_quotation_is_a_conflict() {
    for version in versions("set back to quotation") {
        let run = Run::new(version, "set-back", &[]);
        run.take("one", vec![sale(1, 1), sale(2, 1)]);
        run.person("quotation(1); quotation(2)");
        run.take("two", vec![sale(1, 60), sale(2, 60)]);
        for n in [1, 2] {
            let state = run.lab.orders()[id(n)].state.clone();
            assert_eq!((run.codes(n), state.as_str()), (vec![HoldCode::Conflict], "draft"), "{n}");
        }
        run.decide(1, Accept::Odoo);
        run.decide(2, Accept::Marketplace);
        let seen = run.lab.orders();
        assert_eq!(seen[id(1)].state, "draft", "Odoo {version}");
        assert_eq!(run.state(1), JobState::Done(Outcome::KeptInOdoo), "Odoo {version}");
        assert_eq!(
            (run.state(2), seen[id(2)].state.as_str()),
            (DELIVERED, "sale"),
            "Odoo {version}"
        );
        assert_eq!(seen[id(2)].date_order, "2025-03-02 10:00:00", "Odoo {version}");
        run.spoold.stop();
    }
}

/// What `deliver::absent` relies on, on every version: `get_external_id` answers for a record that a
/// rule hides from our user, and does not for one that was deleted.
#[test]
fn audit_12_hidden_is_held_and_goes_on_and_gone_is_gone() {
    for version in versions("hidden orders") {
        let run = Run::new(version, "hidden", &[]);
        run.take("one", vec![sale(1, 1), sale(2, 1), sale(3, 1)]);
        let seen = run.lab.orders();
        let ids = [1, 2, 3].map(|n| seen[id(n)].id);
        run.person(&format!(
            "env['ir.rule'].create({{'name': 'hide', 'model_id': env.ref('sale.model_sale_order').id,
    'domain_force': \"[('id', '!=', {})]\"}})
quotation(2)
order(2).action_cancel()
order(2).unlink()",
            ids[0]
        ));
        let (client, context) = (run.lab.client(), Context::new(&[1]));
        let (shown, names) = runtime().block_on(async {
            let find = Find { archived_too: true, ..Find::default() };
            let domain = json!([["id", "in", ids]]);
            let shown = client.search("sale.order", domain, &find, context.clone()).await.unwrap();
            (shown, client.get_external_id("sale.order", &ids, context).await.unwrap())
        });
        assert_eq!(shown, [ids[2]], "Odoo {version}: only the third is shown");
        let named: Vec<i64> = names.keys().copied().collect();
        let mut exist = vec![ids[0], ids[2]];
        exist.sort_unstable();
        assert_eq!(named, exist, "Odoo {version}: the hidden one has its external id");

        let cancelled = |n| Sale { status: "Cancelled", item: "Cancelled", ..sale(n, 60) };
        run.take("two", vec![cancelled(1), cancelled(2), cancelled(3)]);
        assert_eq!(run.codes(1), [HoldCode::Invisible], "Odoo {version}");
        assert_eq!(run.state(2), JobState::Done(Outcome::DeletedInOdoo), "Odoo {version}");
        assert_eq!(run.state(3), JobState::Done(Outcome::Cancelled), "Odoo {version}");
        assert_eq!(run.gone_notes(), 1, "Odoo {version}");
        let by_id = format!("select state from sale_order where id = {}", ids[0]);
        assert_eq!(run.lab.sql(&by_id), "sale", "Odoo {version}: nothing is written to it");

        // Given back: the cancellation that came meanwhile is done without anybody's help.
        run.person("env['ir.rule'].search([('name', '=', 'hide')]).unlink()");
        run.clock.advance(Duration::from_secs(301));
        run.spoold.daemon.delivery.wake(&run.installation.account());
        run.spoold.wait("the order to be seen", || matches!(run.state(1), JobState::Done(_)));
        assert_eq!(run.state(1), JobState::Done(Outcome::Cancelled), "Odoo {version}");
        assert_eq!(run.lab.sql(&by_id), "cancel", "Odoo {version}");
        run.spoold.stop();
    }
}
