//! A real Odoo that cannot be reached, refuses us, or is the wrong one: orders wait, nothing is used up, and the
//! gate says what helps. Once it is mended everything arrives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::Path;
use std::time::Duration;

use odoo_spoold::deliver::gate::{Closed, Gate};

use crate::support::expected::{differences, expected};
use crate::support::lab::{Lab, versions};
use crate::support::proxy::Proxy;
use crate::support::sales::{Report, order_id, shipped_by_amazon};
use crate::support::spoold::{Installation, Spoold};

const ORDERS: u64 = 5;

struct Trouble {
    lab: Lab,
    installation: Installation,
    copies: tempfile::TempDir,
    next: u64,
}

#[test]
fn what_cannot_be_delivered_waits_and_says_why() {
    for version in versions("trouble") {
        let lab = Lab::new(version, "trouble");
        lab.fee_products();
        let proxy = Proxy::before(&lab);
        let url = proxy.url();
        // An answer that never came: so long the call may still be running.
        let options = ["--url", url.as_str(), "--set", "odoo.limit_time_real=\"10s\""];
        let installation = Installation::new(&lab, &options);
        let mut trouble =
            Trouble { lab, installation, copies: tempfile::tempdir().unwrap(), next: 0 };
        trouble.unreachable_then_cut(&proxy);
        let direct = trouble.installation.config_text().replace(&url, &trouble.lab.text("url"));
        let keys = trouble.installation.keys_text();
        trouble.installation.rewrite(&direct, &keys);
        trouble.moved();
        trouble.wrong_key();
        trouble.wrong_database();
        trouble.user_without_rights();
    }
}

impl Trouble {
    fn drop_orders(&mut self) -> std::ops::Range<u64> {
        let numbers = self.next..self.next + ORDERS;
        self.next += ORDERS;
        let mut report = Report::all_orders();
        for n in numbers.clone() {
            shipped_by_amazon(&mut report, n, "Shipped", &[("SKU-0001", 1, 1000 + n)]);
        }
        let path = self.copies.path().join(format!("sales_{}.txt", numbers.start));
        std::fs::write(&path, report.text()).unwrap();
        self.installation.drop_file("eu", &path);
        numbers
    }

    /// All orders wait, untried.
    fn assert_waiting(&self, spoold: &Spoold, numbers: std::ops::Range<u64>) {
        let account = self.installation.account();
        for n in numbers {
            let job = spoold.job(&account, &order_id(n)).unwrap();
            assert_eq!(job.attempt, 0, "{:?} {:?}", job.state, job.last_fault);
        }
        let tally = spoold.tally(&account);
        assert_eq!((tally.pending + tally.started, tally.dead, tally.held), (ORDERS, 0, 0));
    }

    fn assert_delivered(&self, numbers: std::ops::Range<u64>) {
        let path = self.copies.path().join(format!("sales_{}.txt", numbers.start));
        let seen = self.lab.orders();
        let want = expected(&[Path::new(&path)], &[]);
        assert_eq!(want.len() as u64, ORDERS);
        let wrong: Vec<String> =
            want.iter().flat_map(|(id, order)| differences(order, seen.get(id))).collect();
        assert!(wrong.is_empty(), "Odoo {}:\n{}", self.lab.version, wrong.join("\n"));
        assert_eq!(seen.len() as u64, self.next, "orders nobody asked for");
    }

    fn paused(&self, spoold: &Spoold) -> Closed {
        let account = self.installation.account();
        spoold.wait("the account to pause", || {
            matches!(spoold.daemon.delivery.gates()[&account], Gate::Paused(_))
        });
        let Gate::Paused(closed) = spoold.daemon.delivery.gates()[&account].clone() else {
            unreachable!()
        };
        closed
    }

    fn stored(&self, spoold: &Spoold) {
        let account = self.installation.account();
        spoold.wait("the file to be taken in", || spoold.tally(&account).pending >= ORDERS);
    }

    fn unreachable_then_cut(&mut self, proxy: &Proxy) {
        let numbers = self.drop_orders();
        let account = self.installation.account();
        let spoold = self.installation.start();
        spoold.wait("the gate to close", || {
            matches!(spoold.daemon.delivery.gates()[&account], Gate::Down(_))
        });
        self.stored(&spoold);
        // A few probes go by.
        std::thread::sleep(Duration::from_secs(2));
        self.assert_waiting(&spoold, numbers.clone());
        assert_eq!(self.lab.orders().len(), 0);
        spoold.stop();
        // Also over a restart; and the answer to creating is lost.
        let spoold = self.installation.start();
        self.assert_waiting(&spoold, numbers.clone());
        proxy.open(1);
        spoold.wait_idle(&self.installation);
        assert_eq!(proxy.cut(), 1, "an answer that never came");
        let tally = spoold.tally(&account);
        assert_eq!((tally.done, tally.dead), (ORDERS, 0), "{}", spoold.describe(&account));
        spoold.stop();
        self.assert_delivered(numbers);
    }

    /// Another URL is another Odoo until a person says that it is not.
    fn moved(&self) {
        let spoold = self.installation.start();
        assert_eq!(self.paused(&spoold).code, "odoo-other-database");
        let request = odoo_spoold::control::wire::Reconcile {
            account: self.installation.account(),
            since: None,
            dry_run: false,
        };
        let desk = spoold.daemon.handle().desk;
        let report = crate::support::lab::runtime().block_on(desk.reconcile(request)).unwrap();
        assert_eq!(report.checked, 0, "it only moved");
        spoold.stop();
    }

    fn wrong_key(&mut self) {
        let (config, right) = (self.installation.config_text(), self.installation.keys_text());
        let wrong =
            right.replace(&self.lab.text("api_key"), "0123456789abcdef0123456789abcdef01234567");
        assert_ne!(wrong, right);
        self.installation.rewrite(&config, &wrong);
        let numbers = self.drop_orders();
        let spoold = self.installation.start();
        let closed = self.paused(&spoold);
        assert_eq!(closed.code, "access_denied");
        assert!(closed.next_step.contains("API key"), "{}", closed.next_step);
        self.stored(&spoold);
        self.assert_waiting(&spoold, numbers.clone());
        // A reload takes the right key, and knocks at once.
        self.installation.rewrite(&config, &right);
        spoold.daemon.reload().unwrap();
        spoold.wait_idle(&self.installation);
        spoold.stop();
        self.assert_delivered(numbers);
    }

    fn wrong_database(&mut self) {
        let (right, keys) = (self.installation.config_text(), self.installation.keys_text());
        let named = format!("database = \"{}\"", self.lab.database);
        let wrong = right.replace(&named, "database = \"t_nowhere\"");
        assert_ne!(wrong, right);
        self.installation.rewrite(&wrong, &keys);
        let numbers = self.drop_orders();
        let spoold = self.installation.start();
        let closed = self.paused(&spoold);
        // Told without asking: it is not the one the orders stand in.
        assert_eq!(closed.code, "odoo-other-database");
        assert!(closed.next_step.contains("config.toml names another"), "{}", closed.next_step);
        self.stored(&spoold);
        self.assert_waiting(&spoold, numbers.clone());
        spoold.stop();
        self.installation.rewrite(&right, &keys);
        self.installation.run_until_idle();
        self.assert_delivered(numbers);
    }

    fn user_without_rights(&mut self) {
        let (right, keys) = (self.installation.config_text(), self.installation.keys_text());
        let login = |name: &str| format!("login = \"{name}\"");
        let wrong =
            right.replace(&login(&self.lab.text("login")), &login(&self.lab.text("low_login")));
        assert_ne!(wrong, right);
        let low = keys.replace(&self.lab.text("api_key"), &self.lab.text("low_api_key"));
        self.installation.rewrite(&wrong, &low);
        let numbers = self.drop_orders();
        let spoold = self.installation.start();
        let closed = self.paused(&spoold);
        assert_eq!(closed.code, "access_error");
        assert!(closed.next_step.contains("groups"), "{}", closed.next_step);
        self.stored(&spoold);
        self.assert_waiting(&spoold, numbers.clone());
        spoold.stop();
        self.installation.rewrite(&right, &keys);
        self.installation.run_until_idle();
        self.assert_delivered(numbers);
    }
}
