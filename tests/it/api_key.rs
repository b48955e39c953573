//! Odoo's API key ends: it is said in time, named when it has happened, and replaced without a gap.
//! Against the fake Odoo; on a real one in `real_api_key`.

use odoo_spoold::config::Keys;
use odoo_spoold::deliver::gate::{Closed, Gate};
use odoo_spoold::model::{AccountId, KeyEnd};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::keys::Running;
use crate::setup::{Host, fails, json as told, odoo, ok};
use crate::support::fake_odoo::{API_KEY, FakeOdoo, Fault, Flavor, UID};
use crate::support::shop::{installation, order_report, shop};
use crate::support::spoold::{Installation, Spoold};

const KEYS: &str = "res.users.apikeys";

/// An instant so many hours from now, as Odoo writes it.
fn hours(fake: &FakeOdoo, hours: i64) -> String {
    let now = fake.tables(|tables| tables.now());
    let at = now + jiff::SignedDuration::from_hours(hours);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn end_key(fake: &FakeOdoo, end: &str) {
    fake.tables(|tables| tables.end_key(&json!(end)));
}

fn notices(spoold: &Spoold) -> String {
    let notices = spoold.daemon.handle().desk.notices();
    notices.into_iter().map(|notice| notice.text).collect::<Vec<_>>().join("\n")
}

fn remembered(spoold: &Spoold, place: &Installation) -> Option<(KeyEnd, Option<u8>)> {
    let known = spoold.daemon.store.api_key(&place.keys.api_key_name()).unwrap()?;
    Some((known.end, known.warned.map(|(_, days)| days)))
}

/// Drops orders, and waits until Odoo has let us in and told of the key.
fn until_told(spoold: &Spoold, place: &Installation) -> (KeyEnd, Option<u8>) {
    spoold.wait("Odoo to tell of its key", || {
        remembered(spoold, place).is_some_and(|(end, _)| end != KeyEnd::Unknown)
    });
    remembered(spoold, place).unwrap()
}

fn paused(spoold: &Spoold, account: &AccountId) -> Closed {
    spoold.wait("the account to pause", || {
        matches!(spoold.daemon.delivery.gates()[account], Gate::Paused(_))
    });
    let Gate::Paused(closed) = spoold.daemon.delivery.gates()[account].clone() else {
        unreachable!()
    };
    closed
}

#[test]
fn the_end_is_warned_about_and_a_key_that_has_ended_is_named() {
    for flavor in [Flavor::V18, Flavor::V19] {
        let fake = shop(flavor);
        let end = hours(&fake, 5 * 24 + 1);
        end_key(&fake, &end);
        let place = installation(&fake, &["eu"], "");
        let eu: AccountId = "eu".parse().unwrap();
        let spoold = place.start();
        place.drop_bytes("eu", "one.age", &order_report(0..2));
        spoold.wait_idle(&place);
        let (known, warned) = until_told(&spoold, &place);
        assert_eq!(known.days_left(fake.tables(|t| t.now())), Some(5));
        assert_eq!(warned, Some(7), "the warning at 7 days is given");
        let said = notices(&spoold);
        assert!(said.contains("Odoo's API key ends on ") && said.contains("in 5 days"), "{said}");
        assert!(said.contains("odoo-spoold keys rotate odoo"), "{said}");
        let status = spoold.daemon.handle().desk.keys().unwrap();
        assert!(status.api_key_ends.is_some());
        spoold.stop();

        // Known before Odoo is asked again.
        let spoold = place.start();
        assert!(notices(&spoold).contains("in 5 days"));
        // It ends, and Odoo's nightly cleaning deletes it: nobody can be asked any more.
        end_key(&fake, &hours(&fake, -1));
        place.drop_bytes("eu", "two.age", &order_report(2..4));
        let closed = paused(&spoold, &eu);
        // By what is remembered it still lives: it may have been revoked.
        assert_eq!(closed.code, "access_denied", "{flavor:?}");
        spoold.stop();
    }
}

#[test]
fn a_refused_login_after_the_end_is_the_end() {
    for noted in [true, false] {
        let fake = shop(Flavor::V19);
        let mut place = installation(&fake, &["eu"], "");
        let eu: AccountId = "eu".parse().unwrap();
        let end = hours(&fake, 1);
        end_key(&fake, &end);
        if noted {
            // By setup, on a server that does not tell.
            fake.tables(|tables| tables.hide_keys = true);
            let line = format!("[odoo]\napi_key_ends = \"{}Z\"", end.replace(' ', "T"));
            let keys = place.keys_text().replacen("[odoo]", &line, 1);
            place.rewrite(&place.config_text(), &keys);
        }
        let spoold = place.start();
        place.drop_bytes("eu", "one.age", &order_report(0..2));
        spoold.wait_idle(&place);
        if noted {
            spoold.wait("a warning", || remembered(&spoold, &place).is_some_and(|m| m.1.is_some()));
        } else {
            until_told(&spoold, &place);
        }
        assert!(notices(&spoold).contains("in less than a day"), "{}", notices(&spoold));
        spoold.stop();
        // Two hours later by Odoo's clock.
        fake.tables(|tables| tables.clock_offset = jiff::SignedDuration::from_hours(2));
        for _ in 0..2 {
            let spoold = place.start();
            place.drop_bytes("eu", "two.age", &order_report(2..4));
            let closed = paused(&spoold, &eu);
            assert_eq!(closed.code, "api-key-ended");
            assert!(closed.next_step.contains("setup --odoo-api-key-file"), "{}", closed.next_step);
            spoold.stop();
        }
        // Another key, and everything goes on.
        let new = "fedcba9876543210fedcba9876543210fedcba98";
        fake.set_key(new);
        fake.tables(|tables| tables.end_key(&json!(false)));
        let keys = place.keys_text().replace(API_KEY, new);
        let keys: String =
            keys.lines().filter(|l| !l.contains("_ends")).map(|l| format!("{l}\n")).collect();
        place.rewrite(&place.config_text(), &keys);
        place.run_until_idle();
        assert_eq!(fake.records("sale.order").len(), 4);
    }
}

#[test]
fn before_18_no_key_ends() {
    for flavor in [Flavor::V14, Flavor::V16, Flavor::V17] {
        let fake = shop(flavor);
        let place = installation(&fake, &["eu"], "");
        let spoold = place.start();
        place.drop_bytes("eu", "one.age", &order_report(0..1));
        spoold.wait_idle(&place);
        assert_eq!(until_told(&spoold, &place), (KeyEnd::Never, None), "{flavor:?}");
        assert_eq!(notices(&spoold), "");
        spoold.stop();
    }
}

/// The row of `check` about the key.
fn row(host: &Host, what: &str) -> Option<Value> {
    let checked = host.command(&["check", "--json"]).output().unwrap();
    let rows: Value = serde_json::from_slice(&checked.stdout).unwrap();
    rows["rows"].as_array().unwrap().iter().find(|row| row["what"] == what).cloned()
}

#[test]
fn setup_stores_the_end_and_check_says_it() {
    let fake = odoo();
    let host = Host::new(&fake);
    end_key(&fake, &hours(&fake, 60 * 24 + 1));
    ok(host.setup(&["--no-recovery"]));
    let now = fake.tables(|tables| tables.now());
    assert_eq!(host.keys().api_key_ends.days_left(now), Some(60));
    assert_eq!(row(&host, "API key").unwrap()["state"], "ok");
    let listed = told(host.command(&["keys", "list"]));
    let key = listed.as_array().unwrap().last().unwrap();
    assert_eq!((key["kind"].as_str(), key["use"].as_str()), (Some("odoo"), Some("opens Odoo")));
    assert_eq!(key["ends"], host.keys().api_key_ends.to_string());

    end_key(&fake, &hours(&fake, 13 * 24 + 1));
    let close = row(&host, "API key").unwrap();
    assert_eq!(close["state"], "warn");
    assert!(close["detail"].as_str().unwrap().contains("13 full days"), "{close}");
    assert!(close["next_step"].as_str().unwrap().contains("keys rotate odoo"), "{close}");

    // It has ended by what setup stored: the cure is named, not "revoked or archived?".
    fake.tables(|tables| tables.clock_offset = jiff::SignedDuration::from_hours(14 * 24));
    let refused = row(&host, "login").unwrap();
    assert_eq!(refused["state"], "fail", "by this host's clock it lives: {refused}");
    ok(host.setup(&["--no-recovery", "--skip-odoo", "--odoo-api-key-ends", "2020-01-01"]));
    let ended = row(&host, "API key").unwrap();
    assert_eq!(ended["state"], "fail");
    assert!(ended["detail"].as_str().unwrap().contains("it ended on 2020-01-01"), "{ended}");
    assert!(ended["next_step"].as_str().unwrap().contains("--odoo-api-key-file"), "{ended}");
    assert!(row(&host, "login").is_none());
}

#[test]
fn which_of_several_keys_is_ours_is_said_once() {
    let fake = odoo();
    let host = Host::new(&fake);
    end_key(&fake, &hours(&fake, 80 * 24));
    let other = json!({"name": "backup", "user_id": UID, "scope": "rpc",
        "expiration_date": hours(&fake, 20 * 24)});
    fake.insert(KEYS, other);
    // Another purpose, and another user: not ours.
    fake.insert(
        KEYS,
        json!({"name": "mail", "user_id": UID, "scope": "odoo.plugin.outlook",
        "expiration_date": hours(&fake, 2)}),
    );
    let boss = fake.insert("res.users", json!({"login": "boss", "name": "Boss"}));
    fake.insert(KEYS, json!({"name": "else", "user_id": boss, "expiration_date": hours(&fake, 2)}));
    ok(host.setup(&["--no-recovery"]));
    assert_eq!(host.keys().api_key_ends, KeyEnd::Unknown);
    let several = row(&host, "API key").unwrap();
    assert_eq!(several["state"], "warn");
    assert!(several["detail"].as_str().unwrap().contains("has 2 keys"), "{several}");
    assert!(several["next_step"].as_str().unwrap().contains("--odoo-api-key-ends"), "{several}");
    let day = hours(&fake, 80 * 24).split(' ').next().unwrap().to_owned();
    ok(host.setup(&["--no-recovery", "--odoo-api-key-ends", &day]));
    let known = row(&host, "API key").unwrap();
    assert_eq!(known["state"], "ok", "{known}");
    assert!(known["detail"].as_str().unwrap().contains(&day), "{known}");
    let before = host.keys().generation();
    ok(host.setup(&["--no-recovery"]));
    assert_eq!(host.keys().generation(), before, "nothing changed");
    // Odoo shows no keys at all: what was said holds.
    fake.tables(|tables| tables.hide_keys = true);
    assert_eq!(row(&host, "API key").unwrap()["state"], "ok");
    let said = fails(host.setup(&["--no-recovery", "--odoo-api-key-ends", "soon"]));
    assert!(said.contains("2027-02-26"), "{said}");
}

// === keys rotate odoo ===

fn rotate(host: &Host) -> std::process::Command {
    host.command(&["keys", "rotate", "odoo"])
}

fn opens(fake: &FakeOdoo, key: &str) -> bool {
    fake.tables(|tables| tables.opens(key))
}

fn key_of(keys: &Keys) -> String {
    keys.api_key.expose_secret().to_owned()
}

#[test]
fn a_server_that_makes_no_keys_changes_nothing_and_both_cures_are_named() {
    for flavor in [Flavor::V14, Flavor::V17, Flavor::V19] {
        let fake = FakeOdoo::start_new(flavor);
        let host = Host::new(&fake);
        ok(host.setup(&["--no-recovery"]));
        let said = fails(rotate(&host));
        assert!(said.contains("makes no API keys for programs"), "{said}");
        assert!(said.contains("setup --odoo-api-key-file") && said.contains("duration"), "{said}");
        assert_eq!(key_of(&host.keys()), API_KEY);
    }
    let fake = odoo();
    fake.tables(|tables| tables.makes_keys = Some(false));
    let host = Host::new(&fake);
    ok(host.setup(&["--no-recovery"]));
    let said = fails(rotate(&host));
    assert!(said.contains("Programmatic API keys are not enabled"), "{said}");
    assert!(said.contains("base.enable_programmatic_api_keys"), "{said}");
    assert_eq!((key_of(&host.keys()), opens(&fake, API_KEY)), (API_KEY.to_owned(), true));
}

#[test]
fn a_key_is_replaced_and_the_old_one_revoked() {
    let fake = odoo();
    fake.tables(|tables| tables.makes_keys = Some(true));
    let host = Host::new(&fake);
    ok(host.setup(&["--no-recovery"]));
    let said = fails(host.command(&["keys", "rotate", "odoo", "--days", "91"]));
    assert!(said.contains("You cannot exceed 90"), "{said}");
    let said = ok(rotate(&host));
    assert!(said.contains("the old one revoked"), "{said}");
    let keys = host.keys();
    let new = key_of(&keys);
    assert_ne!(new, API_KEY);
    assert!(!said.contains(&new));
    assert!(opens(&fake, &new) && !opens(&fake, API_KEY));
    assert!(keys.api_key_before.is_none());
    let now = fake.tables(|tables| tables.now());
    assert_eq!(keys.api_key_ends.days_left(now), Some(89));
    let check = row(&host, "API key").unwrap();
    assert_eq!(check["state"], "ok", "{check}");
}

#[test]
fn stopped_at_each_step_it_is_run_again_and_goes_on() {
    for (step, left_over) in [("generated", 1), ("sealed", 0), ("revoked", 0)] {
        let fake = odoo();
        fake.tables(|tables| tables.makes_keys = Some(true));
        let host = Host::new(&fake);
        ok(host.setup(&["--no-recovery"]));
        let mut stopped = rotate(&host);
        stopped.env("ODOO_SPOOLD_STOP_AFTER", step);
        assert!(!stopped.output().unwrap().status.success(), "{step}");
        // Whatever happened, the key on the disk opens Odoo.
        let keys = host.keys();
        assert!(opens(&fake, &key_of(&keys)), "{step}");
        assert_eq!(opens(&fake, API_KEY), step != "revoked", "{step}");
        assert_eq!(keys.api_key_before.is_some(), step != "generated", "{step}");
        if step == "sealed" {
            let warned = row(&host, "API key before").unwrap();
            assert!(warned["next_step"].as_str().unwrap().contains("keys rotate odoo"));
            let listed = told(host.command(&["keys", "list"]));
            assert_eq!(listed.as_array().unwrap().last().unwrap()["use"], "to be revoked");
        }
        // Ends are whole seconds, and tell a key of ours from another.
        fake.tables(|tables| tables.clock_offset = jiff::SignedDuration::from_secs(60));
        let generated = fake.calls_of(KEYS, "generate").len();
        let said = told(rotate(&host));
        assert_eq!(said["old_revoked"], true, "{step}");
        let names = said["left_over"].as_array().map_or(0, Vec::len);
        assert_eq!(names, left_over, "{step}: a key that nobody knows is named");
        let again = fake.calls_of(KEYS, "generate").len() - generated;
        assert_eq!(again, usize::from(step == "generated"), "{step}");
        let keys = host.keys();
        assert!(opens(&fake, &key_of(&keys)) && !opens(&fake, API_KEY), "{step}");
        assert!(keys.api_key_before.is_none(), "{step}");
    }
}

#[test]
fn a_lost_answer_and_a_refused_key_leave_the_old_one_in_use() {
    let fake = odoo();
    fake.tables(|tables| tables.makes_keys = Some(true));
    let host = Host::new(&fake);
    ok(host.setup(&["--no-recovery"]));
    fake.fail_next(KEYS, "generate", Fault::ApplyThenDropConnection);
    let said = fails(rotate(&host));
    assert!(said.contains("perhaps the new key \"odoo-spoold "), "{said}");
    assert_eq!(key_of(&host.keys()), API_KEY);
    // The new key is refused (a second Odoo behind the same address): the old one comes back.
    let mut stopped = rotate(&host);
    stopped.env("ODOO_SPOOLD_STOP_AFTER", "sealed");
    assert!(!stopped.output().unwrap().status.success());
    fake.set_key(API_KEY);
    let new = key_of(&host.keys());
    fake.tables(|tables| {
        for id in tables.all_ids(KEYS) {
            let is_new = tables.row(KEYS, id).unwrap().get("key") == Some(&json!(new));
            if is_new {
                tables.delete(KEYS, id);
            }
        }
    });
    let said = fails(rotate(&host));
    assert!(said.contains("the old one is in its place again"), "{said}");
    let keys = host.keys();
    assert_eq!(key_of(&keys), API_KEY);
    assert!(keys.api_key_before.is_none() && opens(&fake, API_KEY));
}

#[test]
fn a_running_daemon_takes_the_new_key_before_the_old_one_goes() {
    let fake = odoo();
    fake.tables(|tables| tables.makes_keys = Some(true));
    let host = Host::new(&fake);
    ok(host.setup(&["--no-recovery"]));
    let running = Running::start(&host);
    let said = told(rotate(&host));
    assert_eq!(
        (said["old_revoked"].as_bool(), said["restart_needed"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(running.status()["keys"]["newer"], false, "a keys file is read at a reload");
    assert!(!opens(&fake, API_KEY));
}
