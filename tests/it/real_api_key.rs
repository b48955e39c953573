//! The end of an API key on real Odoos, by moving `expiration_date` in the database of 19.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use odoo_spoold::check::{self, Area, Options, Row, State};
use odoo_spoold::deliver::gate::Gate;
use odoo_spoold::model::KeyEnd;

use crate::support::lab::{Lab, runtime, versions};
use crate::support::sales::{Report, shipped_by_amazon};
use crate::support::spoold::{Installation, Spoold};

/// Whether keys of this server end.
fn keys_end(lab: &Lab) -> bool {
    let column = "select count(*) from information_schema.columns where table_name = \
                  'res_users_apikeys' and column_name = 'expiration_date'";
    lab.count(column) == 1
}

fn end_in(lab: &Lab, when: &str) {
    lab.sql(&format!(
        "update res_users_apikeys set expiration_date = (now() at time zone 'utc') + interval \
         '{when}' where user_id = {}",
        lab.env["uid"]
    ));
}

fn key_row(place: &Installation) -> Row {
    let options = Options { config: place.config.clone(), ..Options::default() };
    let keys = odoo_spoold::config::Keys::load(&place.settings);
    let report = runtime().block_on(check::run(&place.settings, &keys, &options));
    let found = report.rows.iter().find(|row| row.what == "API key");
    found.unwrap_or_else(|| panic!("{:#?}", report.rows)).clone()
}

fn drop_order(place: &Installation, number: u64) {
    let mut report = Report::all_orders();
    shipped_by_amazon(&mut report, number, "Shipped", &[("SKU-0001", 1, 1000)]);
    place.drop_bytes("eu", &format!("{number}.age"), report.text().as_bytes());
}

fn remembered(spoold: &Spoold, place: &Installation) -> Option<(KeyEnd, Option<u8>)> {
    let known = spoold.daemon.store.api_key(&place.keys.api_key_name()).unwrap()?;
    Some((known.end, known.warned.map(|(_, days)| days)))
}

#[test]
fn the_end_of_the_key_is_read_warned_about_and_named() {
    for version in versions("key_end") {
        let lab = Lab::new(version, "key_end");
        lab.fee_products();
        let place = Installation::new(&lab, &[]);
        let account = place.account();
        if !keys_end(&lab) {
            let row = key_row(&place);
            assert_eq!((row.state, row.detail.as_str()), (State::Ok, "it does not end"));
            continue;
        }
        // Made by the lab without an end.
        assert_eq!(key_row(&place).detail, "it does not end");
        for (when, state, left) in [
            ("60 days 1 hour", State::Ok, "60 full days"),
            ("6 days 1 hour", State::Warn, "6 full"),
        ] {
            end_in(&lab, when);
            let row = key_row(&place);
            assert_eq!((row.area, row.state), (Area::User, state), "{row:?}");
            assert!(row.detail.contains(left), "{row:?}");
        }
        let spoold = place.start();
        drop_order(&place, 1);
        spoold.wait_idle(&place);
        spoold.wait("the key's end to be read", || {
            remembered(&spoold, &place).is_some_and(|(_, warned)| warned == Some(7))
        });
        spoold.stop();
        end_in(&lab, "3 seconds");
        let spoold = place.start();
        drop_order(&place, 2);
        spoold.wait_idle(&place);
        spoold.wait("the key's end to be read again", || {
            remembered(&spoold, &place).is_some_and(|(_, warned)| warned == Some(1))
        });
        std::thread::sleep(std::time::Duration::from_secs(4));
        // What Odoo's vacuum does with keys that have ended.
        lab.shell("env['res.users.apikeys']._gc_user_apikeys(); env.cr.commit()");
        drop_order(&place, 3);
        spoold.wait("the account to pause", || {
            matches!(spoold.daemon.delivery.gates()[&account], Gate::Paused(_))
        });
        let Gate::Paused(closed) = spoold.daemon.delivery.gates()[&account].clone() else {
            unreachable!()
        };
        assert_eq!(closed.code, "api-key-ended");
        assert!(closed.next_step.contains("setup --odoo-api-key-file"), "{}", closed.next_step);
        spoold.stop();
        // Also known to a daemon that starts then.
        let spoold = place.start();
        spoold.wait("the account to pause again", || {
            matches!(&spoold.daemon.delivery.gates()[&account],
                Gate::Paused(closed) if closed.code == "api-key-ended")
        });
        let job = spoold.tally(&account);
        assert_eq!((job.dead, job.done), (0, 2), "{}", spoold.describe(&account));
        spoold.stop();
    }
}
