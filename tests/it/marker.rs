//! Which Odoo is this, against a scripted one: one window a busy period, every meaning of the
//! counter, a crash between each step, and what reconciling mends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use odoo_spoold::control::ControlError;
use odoo_spoold::control::wire::{Reconcile, ReconcileReport};
use odoo_spoold::daemon::open_store;
use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::{Marker, OdooPin, Outcome};
use odoo_spoold::store::{Buried, End};
use serde_json::json;

use crate::support::fake_odoo::{self, FakeOdoo, Fault, Flavor};
use crate::support::sales::{Report, order_id, shipped_by_amazon, shipped_by_seller};
use crate::support::shop::{clock, start};
use crate::support::spoold::{Installation, Spoold, keys_text};

/// A fake Odoo, a daemon's files, and what was dropped so far.
struct Shop {
    fake: FakeOdoo,
    installation: Installation,
    next: u64,
}

impl Shop {
    fn new(flavor: Flavor) -> Self {
        let fake = FakeOdoo::start_new(flavor);
        let unit = fake.insert("uom.uom", json!({"name": "Units"}));
        let company = fake.records("res.company")[0]["id"].clone();
        for code in ["SKU-0001", "AMZ-SHIPPING", "AMZ-GIFT-WRAP", "AMZ-PROMOTION", "AMZ-ROUNDING"] {
            let product = json!({"name": code, "default_code": code, "uom_id": unit});
            fake.insert("product.product", product);
        }
        let warehouse = json!({"name": "Main", "code": "WH", "company_id": company});
        let warehouse = fake.insert("stock.warehouse", warehouse);
        let _used = warehouse;
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let text = format!(
            "[odoo]\nurl = \"{}\"\ndatabase = \"{}\"\nlogin = \"{}\"\nlimit_time_real = \"10s\"\n\
             [spool]\ndir = \"{at}/spool\"\n[state]\ndir = \"{at}/state\"\n\
             [keys]\nfile = \"{at}/keys.toml\"\n[control]\nsocket = \"{at}/control.sock\"\n\
             [[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany = \"Shop\"\nimport_from = 2001-01-01\n\
             [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
             fba_warehouse = \"WH\"\n\
             [[account.marketplace.tax]]\ndestination = \"*\"\nrate = \"0\"\ntax = \"none\"\ndefault = true\n",
            fake.url(),
            fake_odoo::DATABASE,
            fake_odoo::LOGIN
        );
        let keys = keys_text(&["eu".to_owned()], fake_odoo::API_KEY);
        Self { installation: Installation::from_text(dir, &text, &keys), fake, next: 1 }
    }

    /// A file with one order that Amazon ships, and one of a buyer.
    fn drop_two(&mut self) -> [String; 2] {
        let (one, two) = (self.next, self.next + 1);
        self.next += 2;
        let mut report = Report::all_orders();
        shipped_by_amazon(&mut report, one, "Shipped", &[("SKU-0001", 1, 1000)]);
        self.installation.drop_bytes("eu", &format!("a{one}.age"), report.text().as_bytes());
        let mut report = Report::order_report();
        shipped_by_seller(&mut report, two, two, "SKU-0001", 2000);
        self.installation.drop_bytes("eu", &format!("b{two}.age"), report.text().as_bytes());
        [order_id(one), order_id(two)]
    }

    /// Two orders more, from start to a closed window.
    fn deliver(&mut self) {
        let orders = self.drop_two();
        let spoold = self.installation.start();
        spoold.wait_idle(&self.installation);
        spoold.stop();
        self.assert_there(&orders);
        assert_eq!(self.pin().opened, None);
    }

    fn assert_there(&self, orders: &[String]) {
        let there = self.references();
        for order in orders {
            let count = there.iter().filter(|reference| *reference == order).count();
            assert_eq!(count, 1, "{order} in {there:?}");
        }
    }

    fn references(&self) -> Vec<String> {
        let orders = self.fake.records("sale.order");
        orders.iter().map(|o| o["client_order_ref"].as_str().unwrap().to_owned()).collect()
    }

    /// What the store remembers, while no daemon runs.
    fn pin(&self) -> OdooPin {
        self.stored(|pin| pin.clone())
    }

    /// Reads or changes what the store remembers, while no daemon runs.
    fn stored<T>(&self, with: impl FnOnce(&mut OdooPin) -> T) -> T {
        let store = open_store(&self.installation.settings, &self.installation.keys).unwrap();
        let account = self.installation.account();
        let mut pin = store.pin(&account).unwrap().expect("a pin");
        let before = pin.clone();
        let out = with(&mut pin);
        if pin != before {
            store.put_pin(&account, &pin).unwrap();
        }
        store.close().unwrap();
        out
    }

    fn installation_id(&self) -> String {
        let store = open_store(&self.installation.settings, &self.installation.keys).unwrap();
        let id = store.installation().to_owned();
        store.close().unwrap();
        id
    }

    fn marker_id(&self) -> i64 {
        self.marker_id_of(&self.installation_id())
    }

    fn marker_id_of(&self, installation: &str) -> i64 {
        let name = format!("spoold_eu.marker_{installation}");
        let (model, id) = self.fake.external_id(&name).expect("a marker");
        assert_eq!(model, "res.partner");
        id
    }

    fn marker(&self) -> Marker {
        let id = self.marker_id();
        let text = self.fake.tables(|tables| {
            let row = tables.row("res.partner", id).unwrap();
            assert_eq!(row["active"], json!(false));
            row["ref"].as_str().unwrap().to_owned()
        });
        Marker::parse(&text, &self.installation.account(), &self.installation_id()).unwrap()
    }

    fn set_marker(&self, change: impl FnOnce(&mut Marker)) {
        let mut marker = self.marker();
        change(&mut marker);
        let text = marker.text(&self.installation.account(), &self.installation_id());
        let id = self.marker_id();
        self.fake.tables(|tables| tables.set("res.partner", id, "ref", json!(text)));
    }

    /// Starts on new work and expects it to be delivered.
    fn goes_on(&mut self, what: &str) {
        let before = self.fake.records("sale.order").len();
        self.deliver();
        assert_eq!(self.fake.records("sale.order").len(), before + 2, "{what}");
        let pin = self.pin();
        assert!(!pin.raising, "{what}");
        assert_eq!(self.marker().counter, pin.counter, "{what}");
    }

    /// Starts on new work, expects a pause with this code and not one write, then reconciles and
    /// expects all to be delivered.
    fn pauses_then_reconciles(&mut self, code: &str) -> ReconcileReport {
        let orders = self.drop_two();
        self.fake.forget_calls();
        let spoold = self.installation.start();
        let words = paused(&spoold, code);
        assert!(words.contains("odoo-spoold reconcile --account eu"), "{words}");
        spoold.wait("the file to be taken in", || self.tally(&spoold).pending >= 2);
        assert!(self.fake.write_calls().is_empty(), "{code}: {:?}", self.fake.write_calls());
        let told = reconcile(&spoold, true).unwrap();
        assert!(self.fake.write_calls().is_empty(), "a dry run writes: {code}");
        assert_eq!(told.doubt.as_deref(), Some(code));
        assert_eq!(self.tally(&spoold).pending, 2, "a dry run moves jobs: {code}");
        let report = reconcile(&spoold, false).unwrap();
        assert_eq!(
            (report.checked, report.missing, report.stay_deleted, report.older),
            (told.checked, told.missing, told.stay_deleted, told.older),
            "the dry run said something else: {code}"
        );
        spoold.wait("the gate to open", || {
            spoold.daemon.delivery.gates()[&self.installation.account()] == Gate::Open
        });
        self.settled(&spoold);
        spoold.stop();
        self.assert_there(&orders);
        assert_eq!(self.marker().counter, self.pin().counter);
        report
    }

    /// Waits for a lost answer, then knocks again at once instead of when the call must be over.
    fn hurry(&self, spoold: &Spoold) {
        let account = self.installation.account();
        spoold.wait("the answer to be lost", || {
            self.fake.faults_left() == 0
                && matches!(spoold.daemon.delivery.gates()[&account], Gate::Down(_))
        });
        let Gate::Down(closed) = spoold.daemon.delivery.gates()[&account].clone() else {
            panic!("the gate is open")
        };
        let wait = closed.next.duration_since(closed.since);
        assert!(wait.as_secs() >= 10, "a raise that may still come is waited for: {wait:?}");
        spoold.daemon.reload().unwrap();
    }

    fn settled(&self, spoold: &Spoold) {
        spoold.wait_idle(&self.installation);
        spoold.wait("nothing to be held", || self.tally(spoold).held == 0);
        spoold.wait_idle(&self.installation);
    }

    fn tally(&self, spoold: &Spoold) -> odoo_spoold::store::Tally {
        spoold.tally(&self.installation.account())
    }
}

fn paused(spoold: &Spoold, code: &str) -> String {
    let account = "eu".parse().unwrap();
    let mut words = String::new();
    spoold.wait("the account to pause", || match &spoold.daemon.delivery.gates()[&account] {
        Gate::Paused(closed) => {
            assert_eq!(closed.code, code, "{}", closed.next_step);
            words.clone_from(&closed.next_step);
            true
        }
        _ => false,
    });
    words
}

fn reconcile(spoold: &Spoold, dry_run: bool) -> Result<ReconcileReport, ControlError> {
    let request = Reconcile { account: "eu".parse().unwrap(), since: None, dry_run };
    let desk = spoold.daemon.handle().desk;
    crate::support::lab::runtime().block_on(desk.reconcile(request))
}

#[test]
fn a_busy_period_is_one_window() {
    for flavor in [Flavor::V19, Flavor::V14] {
        let mut shop = Shop::new(flavor);
        shop.drop_two();
        let spoold = shop.installation.start();
        spoold.wait_idle(&shop.installation);
        let account = shop.installation.account();
        spoold.wait("the window to close", || {
            spoold.daemon.store.pin(&account).unwrap().is_some_and(|pin| pin.opened.is_none())
        });
        let marks = |shop: &Shop| -> Vec<String> {
            let writes = shop.fake.write_calls();
            let ours = writes.iter().filter(|call| {
                call.model == "res.partner"
                    && (call.method == "write" || call.args.to_string_lossy().contains("marker of"))
            });
            ours.map(|call| call.method.clone()).collect()
        };
        let seen = marks(&shop);
        assert_eq!(seen.first().map(String::as_str), Some("load"));
        // Two files may come in one busy period or in two.
        assert!(seen.len() == 2 || seen.len() == 4, "{seen:?}");
        // Its first write is the first of all.
        let first = &shop.fake.write_calls()[0];
        assert_eq!((first.model.as_str(), first.method.as_str()), ("res.partner", "load"));
        assert!(first.args.to_string_lossy().contains("marker of account eu"));

        // Known, unchanged orders: not one call. A person's look at them: no write.
        shop.fake.forget_calls();
        shop.next = 1;
        shop.drop_two();
        spoold.wait_idle(&shop.installation);
        assert!(shop.fake.calls().is_empty(), "{:?}", shop.fake.calls());
        let key = spoold.daemon.store.key(&account, &order_id(1).parse().unwrap()).unwrap();
        let again = odoo_spoold::store::Buried::Record(key);
        assert_eq!(spoold.daemon.store.requeue(again, jiff::Timestamp::UNIX_EPOCH).unwrap(), 1);
        spoold.daemon.delivery.wake(&account);
        spoold.wait_idle(&shop.installation);
        spoold.stop();
        assert!(!shop.fake.calls().is_empty());
        assert!(shop.fake.write_calls().is_empty(), "{:?}", shop.fake.write_calls());
        let marker = shop.marker();
        assert_eq!(marker.counter, shop.pin().counter);
        assert_eq!(marker.counter, seen.len() as u64);
    }
}

/// A call's arguments, as a text to look into.
trait Lossy {
    fn to_string_lossy(&self) -> String;
}

impl Lossy for fake_odoo::Record {
    fn to_string_lossy(&self) -> String {
        serde_json::Value::Object(self.clone()).to_string()
    }
}

#[test]
fn a_crash_between_any_two_steps_is_no_doubt() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    let now = jiff::Timestamp::UNIX_EPOCH;
    // Opening: stored, not written; written, answer not stored; open.
    shop.stored(|pin| (pin.counter, pin.raising, pin.opened) = (pin.counter + 1, true, Some(now)));
    shop.goes_on("killed between store and call of the opening");
    shop.stored(|pin| (pin.counter, pin.raising, pin.opened) = (pin.counter + 1, true, Some(now)));
    shop.set_marker(|marker| marker.counter += 1);
    shop.goes_on("killed between call and store of the opening");
    shop.stored(|pin| (pin.counter, pin.opened) = (pin.counter + 1, Some(now)));
    shop.set_marker(|marker| marker.counter += 1);
    shop.goes_on("killed within the window");
    // Closing: stored, not written; written, answer not stored. The window is still open then.
    shop.stored(|pin| (pin.counter, pin.raising, pin.opened) = (pin.counter + 1, true, Some(now)));
    shop.goes_on("killed between store and call of the closing");
    // An unfinished window is closed by the next start, also without work.
    shop.stored(|pin| (pin.counter, pin.opened) = (pin.counter + 1, Some(now)));
    shop.set_marker(|marker| marker.counter += 1);
    let spoold = shop.installation.start();
    let account = shop.installation.account();
    spoold.wait("the window to close", || {
        spoold.daemon.store.pin(&account).unwrap().is_some_and(|pin| pin.opened.is_none())
    });
    spoold.stop();
    assert_eq!(shop.marker().counter, shop.pin().counter);
}

#[test]
fn the_first_marker_may_be_lost_on_its_way() {
    for lost in [Fault::DropBefore, Fault::ApplyThenDropConnection, Fault::Http500AfterCommit] {
        let mut shop = Shop::new(Flavor::V19);
        shop.fake.fail_next("res.partner", "load", lost);
        let orders = shop.drop_two();
        let spoold = shop.installation.start();
        shop.hurry(&spoold);
        spoold.wait_idle(&shop.installation);
        spoold.stop();
        shop.assert_there(&orders);
        assert_eq!(shop.marker().counter, shop.pin().counter);
        let partners = shop.fake.records("res.partner");
        let markers = partners.iter().filter(|p| p["name"].as_str().unwrap().contains("marker"));
        assert_eq!(markers.count(), 1);
    }
}

#[test]
fn a_lost_answer_to_a_raise_is_no_doubt() {
    for lost in [Fault::DropBefore, Fault::ApplyThenDropConnection] {
        let mut shop = Shop::new(Flavor::V19);
        shop.deliver();
        // The opening's, then the closing's.
        shop.fake.fail_next("res.partner", "write", lost.clone());
        let orders = shop.drop_two();
        let spoold = shop.installation.start();
        shop.hurry(&spoold);
        spoold.wait_idle(&shop.installation);
        let account = shop.installation.account();
        let closed = |spoold: &Spoold| {
            let pin = spoold.daemon.store.pin(&account).unwrap();
            pin.is_some_and(|pin| pin.opened.is_none())
        };
        spoold.wait("the window to close", || closed(&spoold));
        spoold.stop();
        shop.stored(|pin| {
            (pin.counter, pin.opened) = (pin.counter + 1, Some(jiff::Timestamp::UNIX_EPOCH));
        });
        shop.set_marker(|marker| marker.counter += 1);
        shop.fake.fail_next("res.partner", "write", lost);
        let spoold = shop.installation.start();
        shop.hurry(&spoold);
        spoold.wait("the window to close", || closed(&spoold));
        spoold.stop();
        shop.assert_there(&orders);
        shop.fake.heal();
        shop.goes_on("after lost answers");
    }
}

#[test]
fn a_lower_counter_is_a_restored_odoo() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    let backup = shop.fake.tables(|tables| tables.clone());
    shop.deliver();
    shop.deliver();
    // Deleted by a person before the backup: stays deleted.
    let gone = order_id(1);
    shop.fake.tables(|tables| {
        *tables = backup;
        let orders = tables.all_ids("sale.order");
        let first = orders
            .into_iter()
            .find(|id| tables.row("sale.order", *id).unwrap()["client_order_ref"] == json!(gone));
        tables.delete("sale.order", first.unwrap());
    });
    let report = shop.pauses_then_reconciles("odoo-restored");
    assert_eq!((report.missing, report.stay_deleted, report.present), (4, 1, 1), "{report:?}");
    // The two with buyers wait for their files, which are read again by themselves.
    assert_eq!((report.buyers, report.files, report.files_missing), (2, 2, 0), "{report:?}");
    let there = shop.references();
    assert_eq!(there.len(), 7, "{there:?}");
    assert!(!there.contains(&gone));
    // The buyers are there again, and no order is anonymous that was not.
    let partners = shop.fake.records("res.partner");
    for buyer in ["Buyer 2", "Buyer 4", "Buyer 6", "Buyer 8"] {
        assert!(partners.iter().any(|p| p["name"] == json!(buyer)), "{buyer}");
    }
    shop.goes_on("after a restore");
}

#[test]
fn a_counter_one_lower_is_right_only_while_it_is_raised() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    shop.set_marker(|marker| marker.counter -= 1);
    let report = shop.pauses_then_reconciles("odoo-restored");
    assert_eq!((report.missing, report.stay_deleted), (0, 0), "{report:?}");
}

#[test]
fn a_missing_marker_pauses() {
    let mut shop = Shop::new(Flavor::V14);
    shop.deliver();
    let id = shop.marker_id();
    shop.fake.tables(|tables| tables.delete("res.partner", id));
    let report = shop.pauses_then_reconciles("odoo-marker-gone");
    assert_eq!((report.missing, report.present), (0, 2), "{report:?}");
    shop.goes_on("with a new marker");
}

#[test]
fn a_higher_counter_is_an_older_state() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    shop.set_marker(|marker| marker.counter += 1);
    shop.pauses_then_reconciles("state-older");
    shop.goes_on("after an old state");
}

#[test]
fn another_address_pauses_and_is_taken_where_the_marker_fits() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    let keys = shop.installation.keys_text();
    let moved = shop.installation.config_text().replace("127.0.0.1", "localhost");
    shop.installation.rewrite(&moved, &keys);
    let report = shop.pauses_then_reconciles("odoo-other-database");
    assert_eq!(report.checked, 0, "it only moved: no order has to be looked for");
    shop.goes_on("at the new address");
}

#[test]
fn another_id_key_pauses_and_cannot_be_reconciled() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    shop.set_marker(|marker| marker.check = "00".repeat(16));
    shop.fake.forget_calls();
    shop.drop_two();
    let spoold = shop.installation.start();
    paused(&spoold, "id-key-differs");
    let refused = reconcile(&spoold, false).unwrap_err();
    assert_eq!(refused.code(), "id-key-differs");
    assert!(shop.fake.write_calls().is_empty());
}

#[test]
fn a_new_state_with_another_id_key_is_seen_at_the_first_look() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    let config = shop.installation.config_text();
    std::fs::remove_dir_all(&shop.installation.settings.state.dir).unwrap();
    let keys = keys_text(&["eu".to_owned()], fake_odoo::API_KEY);
    shop.installation.rewrite(&config, &keys);
    shop.fake.forget_calls();
    shop.drop_two();
    let spoold = shop.installation.start();
    paused(&spoold, "id-key-differs");
    assert!(shop.fake.write_calls().is_empty());
}

#[test]
fn orders_of_an_unfinished_window_are_looked_for() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    // As after a crash in the window and a restore of a backup made within it.
    shop.stored(|pin| pin.opened = Some(jiff::Timestamp::UNIX_EPOCH));
    shop.set_marker(|marker| marker.at = jiff::Timestamp::UNIX_EPOCH);
    shop.fake.tables(|tables| {
        let last = tables.all_ids("sale.order").into_iter().max().unwrap();
        tables.delete("sale.order", last);
    });
    let report = shop.pauses_then_reconciles("odoo-restored");
    assert_eq!(report.missing, 1, "{report:?}");
    assert_eq!(shop.references().len(), 4);
}

#[test]
fn a_restored_odoo_is_told_at_the_start_without_work() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    shop.set_marker(|marker| marker.counter -= 1);
    shop.fake.forget_calls();
    let spoold = shop.installation.start();
    let words = paused(&spoold, "odoo-restored");
    assert!(words.contains("the last good delivery window ended"), "{words}");
    let handle = spoold.daemon.handle();
    let said =
        crate::support::lab::runtime().block_on(odoo_spoold::control::sentence(&handle, 1_000));
    assert!(said.starts_with("Fault: account eu is paused since"), "{said}");
    assert!(said.contains("odoo-spoold reconcile --account eu --dry-run"), "{said}");
    assert!(shop.fake.write_calls().is_empty());
}

/// After a change of settings and a restart nothing may be due: what is wrong is told all the same.
#[test]
fn night_3_an_odoo_that_does_not_let_us_in_is_told_at_the_start_without_work() {
    let mut shop = Shop::new(Flavor::V19);
    shop.deliver();
    shop.fake.set_key("another key");
    shop.fake.forget_calls();
    let clock = clock();
    let spoold = start(&shop.installation, &clock);
    paused(&spoold, "access_denied");
    assert!(shop.fake.write_calls().is_empty());
    // And it goes on by itself, still without work.
    shop.fake.set_key(fake_odoo::API_KEY);
    knock(&spoold, &clock);
    let account = shop.installation.account();
    spoold.wait("the gate to open", || spoold.daemon.delivery.gates()[&account] == Gate::Open);
    spoold.stop();
}

/// The gate's next knock; the clock is put there.
fn knock(spoold: &Spoold, clock: &odoo_spoold::clock::Manual) {
    let account = "eu".parse().unwrap();
    let now = odoo_spoold::clock::Clock::now(clock);
    if let Some(wait) = spoold.daemon.delivery.gates()[&account].wait(now) {
        clock.advance(wait);
    }
    spoold.daemon.delivery.wake(&account);
}

#[test]
fn an_odoo_that_is_right_again_is_noticed_without_work() {
    let mut shop = Shop::new(Flavor::V19);
    shop.drop_two();
    let clock = clock();
    let spoold = start(&shop.installation, &clock);
    spoold.wait_idle(&shop.installation);
    let account = shop.installation.account();
    let (store, delivery) = (&spoold.daemon.store, &spoold.daemon.delivery);
    spoold.wait("the window to close", || {
        store.pin(&account).unwrap().is_some_and(|pin| pin.opened.is_none())
    });
    // Another Odoo's backup takes its place, and an order is to be looked at.
    let id = shop.marker_id_of(store.installation());
    let text = |shop: &Shop| {
        shop.fake.tables(|tables| tables.row("res.partner", id).unwrap()["ref"].clone())
    };
    let right = text(&shop);
    let installation = store.installation().to_owned();
    let mut marker = Marker::parse(right.as_str().unwrap(), &account, &installation).unwrap();
    marker.counter -= 1;
    let wrong = json!(marker.text(&account, &installation));
    shop.fake.tables(|tables| tables.set("res.partner", id, "ref", wrong));
    let key = store.key(&account, &order_id(1).parse().unwrap()).unwrap();
    let now = odoo_spoold::clock::Clock::now(&clock);
    assert_eq!(store.requeue(Buried::Record(key), now).unwrap(), 1);
    delivery.wake(&account);
    paused(&spoold, "odoo-restored");
    // A person sees to the order otherwise: nothing is due any more.
    let leased = store.lease(&account, now, 9).unwrap().jobs;
    let done = leased.iter().map(|l| l.settlement(None, End::Done(Outcome::Delivered))).collect();
    assert!(store.settle(done, now).unwrap().is_empty());
    assert_eq!(store.next_due(&account).unwrap(), None);

    // Not right yet: asked again in the rhythm of a pause, and told since when.
    let Gate::Paused(first) = delivery.gates()[&account].clone() else { panic!("not paused") };
    shop.fake.forget_calls();
    for minutes in [5, 15] {
        knock(&spoold, &clock);
        let now = odoo_spoold::clock::Clock::now(&clock);
        spoold.wait("a look at the marker", || match &delivery.gates()[&account] {
            Gate::Paused(closed) => {
                assert_eq!((closed.since, &closed.code), (first.since, &first.code));
                closed.next.duration_since(now).as_secs() == minutes * 60
            }
            _ => false,
        });
    }
    assert!(shop.fake.write_calls().is_empty(), "{:?}", shop.fake.write_calls());
    shop.fake.tables(|tables| tables.set("res.partner", id, "ref", right));
    knock(&spoold, &clock);
    spoold.wait("the gate to open", || delivery.gates()[&account] == Gate::Open);
    // And then it is left alone again.
    spoold.wait("all to be looked up", || {
        store.pin(&account).unwrap().is_some_and(|pin| pin.opened.is_none())
    });
    spoold.stop();
    assert!(shop.fake.write_calls().is_empty(), "{:?}", shop.fake.write_calls());
    shop.goes_on("after the right database came back");
}

/// AUDIT 23, HOUSE 1: the customer of a quotation is written by a plain `write`; the marker is
/// raised before that, too.
#[test]
fn audit_23_no_write_slips_past_the_window() {
    let mut shop = Shop::new(Flavor::V19);
    // Order 2 makes its buyer known, so that nothing but the customer is left to write of order 3.
    shop.drop_two();
    let mut report = Report::all_orders();
    let id = order_id(3);
    report.row(&[
        ("amazon-order-id", &id),
        ("purchase-date", "2025-04-04T03:03:00+00:00"),
        ("last-updated-date", "2025-04-04T03:03:00+00:00"),
        ("order-status", "Pending"),
        ("fulfillment-channel", "Merchant"),
        ("sales-channel", "Amazon.de"),
        ("sku", "SKU-0001"),
        ("item-status", "Unshipped"),
        ("quantity", "1"),
        ("currency", "EUR"),
        ("item-price", "20.00"),
    ]);
    shop.installation.drop_bytes("eu", "pending.age", report.text().as_bytes());
    let spoold = shop.installation.start();
    spoold.wait_idle(&shop.installation);
    let account = shop.installation.account();
    let closed = || spoold.daemon.store.pin(&account).unwrap().is_some_and(|p| p.opened.is_none());
    spoold.wait("the window to close", closed);
    shop.fake.forget_calls();
    let mut report = Report::order_report();
    shipped_by_seller(&mut report, 3, 2, "SKU-0001", 2000);
    shop.installation.drop_bytes("eu", "buyer.age", report.text().as_bytes());
    spoold.wait_idle(&shop.installation);
    spoold.wait("the window to close", closed);
    spoold.stop();
    let writes: Vec<(String, String)> =
        shop.fake.write_calls().into_iter().map(|call| (call.model, call.method)).collect();
    let of_order = writes.iter().position(|call| *call == ("sale.order".into(), "write".into()));
    let marker = writes.iter().position(|call| *call == ("res.partner".into(), "write".into()));
    assert!(of_order.is_some() && marker < of_order, "{writes:?}");
    assert_eq!(writes[0], ("res.partner".into(), "write".into()), "{writes:?}");
}
