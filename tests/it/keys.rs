//! Rotation of keys under a running daemon: the built binary, stopped hard between the steps.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use odoo_spoold::config::Keys;
use odoo_spoold::envelope;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::setup::{Host, fails, json, odoo, ok, recipients};

/// Nothing takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// A daemon of its own process; killed when dropped.
pub(crate) struct Running<'a> {
    host: &'a Host,
    child: Child,
}

impl<'a> Running<'a> {
    pub(crate) fn start(host: &'a Host) -> Self {
        std::fs::create_dir_all(host.at("run")).unwrap();
        let mut command = host.command(&["run"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Self { host, child };
        // Not `status` at once: without a daemon that opens the store itself, and is in the way.
        let started = Instant::now();
        while UnixStream::connect(host.at("run/odoo-spoold.sock")).is_err() {
            assert!(started.elapsed() < PATIENCE, "the daemon does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        running.until("it answers", |status| status["running"] == true);
        running
    }

    pub(crate) fn status(&self) -> Value {
        let done = self.host.command(&["status", "--json"]).output().unwrap();
        serde_json::from_slice(&done.stdout).unwrap_or(Value::Null)
    }

    fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "never: {what}; {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Drops a file sealed to this recipient, and waits for its end.
    fn take(&self, name: &str, recipient: &str) {
        let mut sealer = envelope::seal(Vec::new(), &[recipient], false).unwrap();
        std::io::Write::write_all(&mut sealer, include_bytes!("../vectors/all_orders_29.txt"))
            .unwrap();
        let incoming = self.host.at("var/spool/odoo-spoold/eu/incoming");
        std::fs::write(incoming.join(format!(".{name}")), sealer.finish().unwrap()).unwrap();
        std::fs::rename(incoming.join(format!(".{name}")), incoming.join(name)).unwrap();
        let (done, rejected) = (self.folder("done"), self.folder("rejected"));
        let started = Instant::now();
        let came = |folder: &Path| {
            let mut names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
            names.any(|found| found.to_str().unwrap().starts_with(name))
        };
        while !came(&done) {
            assert!(!came(&rejected), "{name} was refused");
            assert!(started.elapsed() < PATIENCE, "{name} is not taken");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        self.host.at("var/spool/odoo-spoold/eu").join(name)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // kill -9: every restart in here is one after a crash.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn identities_and_the_master_key_are_rotated_with_crashes_between() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup(&["--no-recovery"]));
    let config = host.at("etc/odoo-spoold/config.toml");
    let settings = std::fs::read_to_string(&config).unwrap();
    let all = settings.replace("region = \"EU\"", "region = \"EU\"\nimport_from = 2000-01-01");
    std::fs::write(&config, all).unwrap();
    let first: Keys = host.keys();
    let old = recipients(&first, "eu").remove(0);
    {
        let running = Running::start(&host);
        running.take("before", &old);
        let orders = running.status()["store"]["orders"].as_u64().unwrap();
        assert!(orders > 0);
    }

    // A new identity: written, then the process ends; the daemon still has the old one.
    let mut rotate = host.command(&["keys", "rotate", "identity", "--account", "eu"]);
    assert!(!rotate.env("ODOO_SPOOLD_STOP_AFTER", "keys").output().unwrap().status.success());
    let new = recipients(&host.keys(), "eu");
    assert_eq!(new.len(), 2);
    assert_eq!(new[1], old);
    {
        let running = Running::start(&host);
        running.take("to-the-old", &old);
        running.take("to-the-new", &new[0]);
        let recipient = ok(host.command(&["recipient", "--account", "eu"]));
        assert_eq!(recipient.trim(), new[0], "the new one is handed out");

        // The master key, under the running daemon: nothing happens before the restart.
        let mut rotate = host.command(&["keys", "rotate", "master"]);
        assert!(!rotate.env("ODOO_SPOOLD_STOP_AFTER", "keys").output().unwrap().status.success());
        let said = fails(host.command(&["keys", "remove", "--master", "m1"]));
        assert!(said.contains("restart"), "{said}");
        let said = ok(host.command(&["reload"]));
        assert!(said.contains("keys: newer ones wait for a restart"), "{said}");
        let status = running.status();
        assert_eq!(status["keys"]["master"], "m1");
        assert_eq!(status["keys"]["newer"], false, "a reload of a keys file takes what it can");
    }
    let said = fails(host.command(&["keys", "rotate", "master"]));
    assert!(said.contains("was not removed yet"), "{said}");
    let orders = {
        let running = Running::start(&host);
        let status = running.until("all is sealed anew", |s| s["keys"]["resealed"] == true);
        assert_eq!(status["keys"]["master"], "m2");
        assert_eq!(status["keys"]["older"][0], "m1");
        let said = ok(host.command(&["keys", "remove", "--master", "m1"]));
        assert!(said.contains("restart"), "{said}");
        status["store"]["orders"].clone()
    };
    // Without the old master key everything is still there.
    let running = Running::start(&host);
    let status = running.status();
    assert_eq!(status["keys"]["older"].as_array().unwrap().len(), 0);
    assert_eq!(status["store"]["orders"], orders);
    let listed = ok(host.command(&["queue", "list", "--json"]));
    assert!(listed.contains("\"order_id\""), "the orders open: {listed}");
    let kinds = json(host.command(&["keys", "list"]));
    let uses: Vec<_> =
        kinds.as_array().unwrap().iter().map(|key| key["use"].as_str().unwrap()).collect();
    assert_eq!(uses, ["seals", "seals", "opens", "opens Odoo"]);
    assert_eq!(kinds[0]["age_days"], 0);
    assert!(!kinds.to_string().contains("SECRET"));

    // The old identity goes; the last one does not.
    let remove = |recipient: &str| {
        host.command(&["keys", "remove", "--account", "eu", "--recipient", recipient])
    };
    // Files in done/ are sealed to it: `reconcile` and `rebuild` need them.
    let said = fails(remove(&old));
    assert!(said.contains("files in the spool are sealed to it: 2 in "), "{said}");
    assert_eq!(recipients(&host.keys(), "eu").len(), 2);
    let mut forced = remove(&old);
    forced.arg("--force");
    ok(forced);
    assert_eq!(recipients(&host.keys(), "eu"), [new[0].clone()]);
    assert!(fails(remove(&new[0])).contains("only identity"));
    assert!(fails(remove(&old)).contains("no such identity"));
    let said = fails(host.command(&["keys", "remove", "--master", "m2"]));
    assert!(said.contains("current master key cannot be removed"), "{said}");
    drop(running);
}

#[test]
fn old_keys_are_warned_about() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup(&["--no-recovery"]));
    let path = host.at("etc/odoo-spoold/keys.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let made = host.keys().master.created.unwrap().to_string();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, text.replace(&made, "2020-01-01T00:00:00Z")).unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o400);
    std::fs::set_permissions(&path, closed).unwrap();
    let checked = host.command(&["check", "--json"]).output().unwrap();
    let rows: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let old: Vec<_> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| {
            row["state"] == "warn"
                && row["next_step"].as_str().is_some_and(|n| n.contains("keys rotate"))
        })
        .collect();
    assert_eq!(old.len(), 2, "{rows:#}");
    let running = Running::start(&host);
    let status = running.status();
    assert!(
        status["notices"].to_string().contains("days old: `odoo-spoold keys rotate`"),
        "{status}"
    );
    assert!(status["headline"].as_str().unwrap().starts_with("Attention"), "{status}");
}

#[test]
fn id_keys_travel_to_a_second_host_that_then_knows_the_same_buyers() {
    let odoo = odoo();
    let (first, second, third) = (Host::new(&odoo), Host::new(&odoo), Host::new(&odoo));
    ok(first.setup(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    ok(first.command(&["keys", "id-key", "--output", "id.toml"]));
    let travelled = std::fs::read_to_string(first.at("id.toml")).unwrap();
    assert!(!travelled.contains("AGE-SECRET") && !travelled.contains("master"));
    let mut command = second.setup(&["--no-recovery"]);
    command.arg("--id-key").arg(first.at("id.toml"));
    ok(command);
    let mut command = third.setup(&["--no-recovery", "--recovery-passphrase-file", "word"]);
    command.arg("--id-key").arg(first.at("r.age"));
    ok(command);
    let partner = |host: &Host| {
        let keys = host.keys();
        let own = keys.account(&"eu".parse().unwrap()).unwrap();
        let id_key = odoo_spoold::store::IdKey::new(own.id_key.expose_secret());
        id_key.mac("buyer", b"somebody@example.com")
    };
    assert_eq!(partner(&second), partner(&first));
    assert_eq!(partner(&third), partner(&first));
    assert_ne!(recipients(&second.keys(), "eu"), recipients(&first.keys(), "eu"));
    assert_ne!(second.keys().master.key.expose_secret(), first.keys().master.key.expose_secret());
    // One that has an id key keeps it.
    let fourth = Host::new(&odoo);
    ok(fourth.setup(&["--no-recovery"]));
    let mut command = fourth.setup(&["--no-recovery"]);
    command.arg("--id-key").arg(first.at("id.toml"));
    assert!(fails(command).contains("another id key"));
    assert_ne!(partner(&fourth), partner(&first));
}
