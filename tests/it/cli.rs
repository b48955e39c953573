//! The built binary, as a person or a script sees it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use odoo_spoold::config::{Keys, Settings};
use odoo_spoold::control::wire::{Files, Held, Jobs, Recipients, Status};
use odoo_spoold::envelope::{self, Keyring, Policy};
use secrecy::ExposeSecret;

use crate::control::{Served, served};
use crate::store_support::{at, fact, file, order};

/// A folder with a config.toml for one account, `eu_1`.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new(socket: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let socket = socket.map_or_else(|| at("control.sock"), |path| path.display().to_string());
        let text = include_str!("../../config.example.toml")
            .replace("id = \"eu\"", "id = \"eu_1\"")
            .replace("#dir = \"/var/spool/odoo-spoold\"", &format!("dir = \"{}\"", at("spool")))
            .replace("#dir = \"/var/lib/odoo-spoold\"", &format!("dir = \"{}\"", at("state")))
            .replace(
                "# file = \"/etc/odoo-spoold/keys.toml\"",
                &format!("file = \"{}\"", at("keys")),
            )
            .replace("#socket = \"/run/odoo-spoold.sock\"", &format!("socket = \"{socket}\""));
        std::fs::write(dir.path().join("config.toml"), text).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary(args);
        command.arg("--config").arg(self.path("config.toml")).current_dir(self.dir.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and expects success.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs it and expects this exit code; what it said on stderr.
    fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
        said
    }

    fn json<T: serde::de::DeserializeOwned>(&self, args: &[&str]) -> T {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&args)).unwrap()
    }

    fn keygen(&self) {
        std::fs::write(self.path("api"), "odoo-key\n").unwrap();
        self.ok(&["keygen", "--api-key-file", "api"]);
    }

    fn settings(&self) -> Settings {
        Settings::load(&self.path("config.toml")).unwrap()
    }
}

fn binary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odoo-spoold"));
    command.args(args).env_remove("CREDENTIALS_DIRECTORY").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The binary beside a served store.
fn live() -> (Served, Home) {
    let served = served();
    let home = Home::new(Some(&served.socket));
    (served, home)
}

/// What is in a sealed file, opened with the home's keys.
fn opened(home: &Home, sealed: &[u8]) -> Vec<u8> {
    let keys = Keys::load(&home.settings()).unwrap();
    let texts = keys.accounts[0].identities.iter().map(ExposeSecret::expose_secret);
    let keyring = Keyring::from_identities(texts).unwrap();
    let mut plain = Vec::new();
    let mut opened = envelope::open(sealed, None, &keyring, &Policy::default()).unwrap();
    opened.reader.read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn what_people_decide_at_the_prompt() {
    let served = served();
    let home = Home::new(Some(&served.socket));
    let uid = rustix::process::getuid().as_raw();
    assert!(home.ok(&["pause", "--all"]).starts_with("eu_1 paused since "));
    let status: Status = home.json(&["status"]);
    assert!(
        status.headline.contains(&format!("all accounts are paused by uid {uid}")),
        "{status:?}"
    );
    assert!(status.headline.contains("`odoo-spoold resume --all`"), "{status:?}");
    assert_eq!(home.ok(&["resume", "--all"]), "no account is paused\n");
    assert_eq!(home.ok(&["dead", "drop", "eu_1", &order(4)]), "1 order dropped\n");
    assert!(home.ok(&["queue", "show", "eu_1", &order(4)]).contains("dropped"));
    assert_eq!(home.ok(&["attention"]), "nothing to look at\n");
    assert_eq!(home.ok(&["hold", "accept-odoo", "eu_1", "--all", "--yes"]), "0 orders decided\n");
    home.fails(&["hold", "accept-odoo", "eu_1", "--all"], 2);
    home.fails(&["hold", "accept-marketplace", "eu_1"], 2);
    home.fails(&["pause"], 2);
    assert!(home.fails(&["hold", "accept-odoo", "eu_1", &order(2)], 1).contains("conflict"));
    // Global options stand anywhere; those of a listing behind its verb.
    let config = home.path("config.toml").display().to_string();
    for args in [["hold", "-c", &config, "list"], ["hold", "--config", &config, "list"]] {
        let output = binary(&args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    home.fails(&["hold", "--code", "sku", "list"], 2);
}

#[test]
fn exit_codes_tell_usage_from_configuration_from_failure() {
    let home = Home::new(None);
    let code = |args: &[&str]| binary(args).output().unwrap().status.code();
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["statsu"]), Some(2));
    assert_eq!(code(&["queue", "--state", "tired"]), Some(2));
    assert_eq!(code(&["hold", "release", "eu_1"]), Some(2));
    assert_eq!(code(&["dead", "requeue", "eu_1", "--all", "--code", "x"]), Some(2));
    assert_eq!(code(&["status", "--config", "/nonexistent.toml"]), Some(78));
    std::fs::write(home.path("bad.toml"), "[odoo]\nurl = 5\n").unwrap();
    let output = home.command(&["queue", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "not-running");
    assert!(error["next_step"].as_str().unwrap().contains("systemctl start"));
    let output = binary(&["queue", "--config"]).arg(home.path("bad.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("bad.toml:2:7"), "{}", text(&output.stderr));
    let help = text(&binary(&["--help"]).output().unwrap().stdout);
    assert!(help.contains("Exit codes") && help.contains("78"), "{help}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for args in [vec!["generate", "completions", "bash"], vec!["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = binary(&args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    }
}

#[test]
fn generated_texts_know_every_verb() {
    let home = Home::new(None);
    let man = home.ok(&["generate", "man"]);
    assert!(man.contains(".TH") && man.contains("Exit codes"), "{man}");
    home.ok(&["generate", "man", "--output", "man"]);
    for page in ["odoo-spoold.8", "odoo-spoold-hold-release.8", "odoo-spoold-seal.8"] {
        assert!(home.path("man").join(page).exists(), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let text = home.ok(&["generate", "completions", shell]);
        assert!(text.contains("keygen"), "{shell}");
        // Fish is not told the values of arguments.
        assert!(shell == "fish" || text.contains("envelope-truncated"), "{shell}");
    }
    assert!(home.ok(&["generate", "catalog"]).contains("Subject:"));
}

/// On a host that has nothing but the program.
#[test]
fn a_code_is_explained_without_daemon_and_settings() {
    let explain = |args: &[&str]| binary(&[&["explain"], args].concat()).output().unwrap();
    for code in ["sku", "envelope-truncated", "access_denied", "store-broken", "no-keys"] {
        let said = explain(&[code, "--json"]);
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(said["code"], code);
        let people = text(&explain(&[code]).stdout);
        for part in ["cause", "effect", "next"] {
            let words = said[part].as_str().unwrap();
            assert!(people.contains(words), "{code}: {words:?} is not in {people}");
        }
    }
    let all = text(&explain(&[]).stdout);
    assert!(all.lines().count() > 100 && all.starts_with("CODE"), "{all}");
    assert!(all.lines().any(|line| line.starts_with("envelope-truncated ")), "{all}");
    // A code that says where to look does not send on to what said the code.
    let down = text(&explain(&["database_down"]).stdout);
    assert!(!down.contains("odoo-spoold status") && down.contains("PostgreSQL"), "{down}");
    let denied = text(&explain(&["access_denied"]).stdout);
    let next = denied.lines().find(|line| line.starts_with("next ")).unwrap();
    assert!(next.contains("systemctl restart") && !next.contains("reload"), "{denied}");
    let wrong = explain(&["envelope-truncate"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = text(&wrong.stderr);
    assert!(said.contains("envelope-truncated") && said.len() < 400, "{said}");
}

#[test]
fn keys_are_made_once_and_added_to() {
    let home = Home::new(None);
    let keys = home.path("keys");
    let said = home.ok(&["keygen"]);
    let recipient = said.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&keys), 0o400);
    let first = std::fs::read_to_string(&keys).unwrap();
    assert!(first.contains(recipient) && !said.contains("SECRET"));
    assert!(home.fails(&["keygen"], 2).contains("--account"));
    assert!(home.fails(&["keygen", "--account", "eu_1"], 78).contains("has keys already"));
    assert_eq!(std::fs::read_to_string(&keys).unwrap(), first);
    home.ok(&["keygen", "--account", "na", "--account", "fe"]);
    let both = std::fs::read_to_string(&keys).unwrap();
    assert!(both.starts_with(&first) && both.contains("\"na\"") && both.contains("\"fe\""));
    assert_eq!(mode(&keys), 0o400);
    // Without the API key nothing else works, and it says so without showing anything.
    let said = home.fails(&["recipient"], 78);
    assert!(said.contains("API key is empty") && !said.contains("SECRET"), "{said}");
    std::fs::remove_file(&keys).unwrap();
    home.keygen();
    let known: Recipients = home.json(&["recipient"]);
    assert_eq!(known.accounts.len(), 1);
    let newest = home.ok(&["recipient", "--account", "eu_1"]);
    assert_eq!(newest.trim(), known.accounts[0].recipients[0]);
    assert!(home.fails(&["recipient", "--account", "na"], 1).contains("no keys"));
    let entries = std::fs::read_dir(home.dir.path()).unwrap();
    assert!(
        entries.into_iter().all(|e| !e.unwrap().file_name().to_string_lossy().contains(".tmp"))
    );
}

#[test]
fn keys_go_through_a_pipe_into_a_credential() {
    let home = Home::new(None);
    std::fs::write(home.path("api"), "odoo-key\n").unwrap();
    let args = ["keygen", "-a", "eu_1", "-o", "-", "--api-key-file", "api"];
    let output = home.run(&args);
    assert!(output.status.success());
    let keys = Keys::parse(Path::new("-"), &text(&output.stdout)).unwrap();
    assert_eq!(keys.api_key.expose_secret(), "odoo-key");
    let said = text(&output.stderr);
    assert!(said.contains("eu_1: age1") && !said.contains("SECRET"), "{said}");
}

#[test]
fn a_sealed_file_opens_with_the_accounts_keys() {
    let home = Home::new(None);
    home.keygen();
    let report = "order-id\tsku\r\n".repeat(20_000);
    std::fs::write(home.path("orders.txt"), &report).unwrap();
    home.ok(&["seal", "-a", "eu_1", "orders.txt"]);
    let sealed = home.path("orders.txt.age");
    assert_eq!(opened(&home, &std::fs::read(&sealed).unwrap()), report.as_bytes());
    assert_eq!(std::fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o640);
    let said = home.fails(&["seal", "-a", "eu_1", "orders.txt"], 1);
    assert!(said.contains("is not overwritten") && said.contains("where: "), "{said}");
    let said = home.fails(&["seal", "-a", "eu_1", "orders.txt.age"], 1);
    assert!(said.contains("sealed already"), "{said}");
    // Several into a folder that can be written but not listed, as incoming/ is.
    std::fs::create_dir(home.path("incoming")).unwrap();
    std::fs::write(home.path("b.txt"), "x").unwrap();
    home.ok(&["seal", "-a", "eu_1", "-o", "incoming", "orders.txt", "b.txt"]);
    let mut names: Vec<_> = std::fs::read_dir(home.path("incoming"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["b.txt.age", "orders.txt.age"]);
    assert!(
        home.fails(&["seal", "-a", "eu_1", "-o", "c", "orders.txt", "b.txt"], 2).contains("DIR")
    );
    assert!(home.fails(&["seal", "-a", "na", "b.txt"], 1).contains("no keys"));
}

#[test]
fn sealing_to_a_recipient_needs_no_settings() {
    let home = Home::new(None);
    home.keygen();
    let recipient = home.ok(&["recipient", "-a", "eu_1"]).trim().to_owned();
    let mut child = binary(&["seal", "-r", &recipient, "--armor", "-o", "-", "-"])
        .args(["--config", "/nonexistent.toml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"order-id\tsku\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"-----BEGIN AGE"));
    assert_eq!(opened(&home, &output.stdout), b"order-id\tsku\n");
    std::fs::write(home.path("b.txt"), "x").unwrap();
    let keys = std::fs::read_to_string(home.path("keys")).unwrap();
    let secret = keys[keys.find("AGE-SECRET").unwrap()..].split('"').next().unwrap();
    let said = home.fails(&["seal", "-r", secret, "b.txt"], 1);
    assert!(said.contains("secret key") && !said.contains(secret), "{said}");
    assert!(!home.path("b.txt.age").exists());
    assert!(home.fails(&["seal", "-r", &recipient, "none.txt"], 1).contains("none.txt"));
    assert!(home.fails(&["seal", "-r", &recipient, "-a", "eu_1", "b.txt"], 2).contains("cannot"));
}

#[test]
fn without_a_daemon_the_store_itself_answers() {
    let home = Home::new(None);
    home.keygen();
    let stopped = home.run(&["status"]);
    assert_eq!(stopped.status.code(), Some(1));
    let said = text(&stopped.stdout);
    assert!(said.starts_with("Fault: the daemon is not running; `systemctl start"), "{said}");
    assert!(said.contains("the daemon never ran"), "{said}");
    assert!(!home.path("state").exists(), "asking made a store");
    // As monitoring asks: one line, and an exit code of its own.
    let checked = home.run(&["status", "--check"]);
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stdout);
    assert!(said.starts_with("ODOO-SPOOLD CRITICAL - Fault: the daemon is not running"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let keys = Keys::load(&home.settings()).unwrap();
    let store = odoo_spoold::daemon::open_store(&home.settings(), &keys).unwrap();
    let facts = vec![(fact(&order(1), odoo_spoold::model::Family::AllOrders, Some(1), 1), None)];
    store.take(&"eu_1".parse().unwrap(), &file(1), facts, None, at(0)).unwrap();
    // Somebody has it open, but no socket: nothing is forced.
    assert!(home.fails(&["queue"], 1).contains("has this state directory open"));
    store.close().unwrap();

    let output = home.run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let status: Status = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!status.running && status.accounts[0].orders.pending == 1);
    let jobs: Jobs = home.json(&["queue"]);
    assert_eq!(jobs.jobs[0].order_id.as_str(), order(1));
    let said = home.fails(&["hold", "release", "eu_1", "--code", "sku"], 1);
    assert!(said.contains("the daemon is not running"), "{said}");
    home.fails(&["reload"], 1);
    std::fs::write(home.path("b.txt"), "x").unwrap();
    home.fails(&["process", "b.txt", "-a", "eu_1", "--dry-run"], 1);
}

#[test]
fn a_running_daemon_answers_in_tables_and_in_json() {
    let (served, home) = live();
    let status = home.ok(&["status"]);
    assert!(
        status.starts_with("Attention: file F0000000002 was rejected (header-unknown)"),
        "{status}"
    );
    // The others stand below, and all are counted; nothing sends the reader to where he is.
    assert!(status.contains("notice       account eu_1 has 1 order that Odoo refused"), "{status}");
    assert!(
        status.contains("counts       rejected 1, left 1, dead 1, held-for-odoo 1"),
        "{status}"
    );
    assert!(
        !status.contains("other thing") && !status.contains("`odoo-spoold status`"),
        "{status}"
    );
    assert_eq!(home.ok(&["status", "--quiet"]).lines().count(), 1);
    let json: Status = home.json(&["status"]);
    assert_eq!(json.headline, status.lines().next().unwrap());
    let checked = home.run(&["status", "--check"]);
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(said.starts_with("ODOO-SPOOLD WARNING - Attention: file F0000000002"), "{said}");
    assert!(said.contains(" | pending=") && said.contains(" dead=1 "), "{said}");
    let mut gate = odoo_spoold::deliver::gate::Gate::Open;
    gate.pause("odoo-access-denied", "renew the API key", at(0));
    served.desk.gates.lock().unwrap().insert("eu_1".parse().unwrap(), gate);
    assert_eq!(home.run(&["status"]).status.code(), Some(1));
    assert_eq!(home.run(&["status", "--check"]).status.code(), Some(2));

    let table = home.ok(&["queue", "list", "--state", "pending"]);
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    assert!(head.starts_with("ACCOUNT  ORDER"), "{table}");
    let column = head.find("STATE").unwrap();
    assert!(
        lines.clone().count() == 2
            && lines.all(|line| line.get(column..).is_some_and(|rest| rest.starts_with("pending")))
    );
    let page = home.run(&["queue", "-n", "2"]);
    assert!(text(&page.stderr).contains("--after "), "{}", text(&page.stderr));
    let files: Files = home.json(&["files"]);
    assert_eq!(files.files.len(), 2);
    let shown = home.ok(&["files", "show", file(2).as_str()]);
    assert!(shown.contains("no known report has this header (header-unknown)"), "{shown}");
    let held: Held = home.json(&["hold", "list", "--code", "sku"]);
    assert_eq!((held.groups.len(), held.page.jobs.len()), (1, 1));
    assert!(home.ok(&["hold"]).contains("CANARY-SKU"));
    assert!(home.ok(&["hold", "show", "eu_1", &order(2)]).contains("sku CANARY-SKU: missing"));
    assert_eq!(home.ok(&["hold", "release", "eu_1", &order(2)]), "1 order released\n");
    assert!(home.ok(&["map", "get", "eu_1", &order(1)]).contains("S00042"));
    let said = home.fails(&["map", "get", "eu_1", &order(3)], 1);
    assert!(said.contains(" next: `odoo-spoold queue show ACCOUNT"), "{said}");
    assert_eq!(home.ok(&["reload"]), "log level\n");
    std::fs::write(home.path("b.txt"), "x").unwrap();
    assert!(home.ok(&["process", "b.txt", "-a", "eu_1", "--dry-run"]).contains("all-orders"));
    std::fs::write(home.path("b.txt"), "refuse").unwrap();
    let said = home.fails(&["process", "b.txt", "-a", "eu_1"], 1);
    assert!(said.contains("no key opens it") && said.contains("seal it again"), "{said}");
    assert_eq!(home.ok(&["recipient", "-a", "eu_1"]), "age1new\n");
}

/// The socket of a daemon that was stopped by a signal, or that systemd holds for one that does not start:
/// connections are taken and nothing ever comes back.
#[test]
fn night_p2_no_command_waits_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let home = Home::new(Some(&socket));
    home.keygen();
    std::fs::write(home.path("b.txt"), "x").unwrap();
    for args in [
        vec!["files"],
        vec!["queue", "show", "eu_1", "205-3614839-6174823"],
        vec!["hold", "release", "eu_1", "--code", "sku"],
        vec!["reload"],
        vec!["pause", "--all"],
        vec!["rebuild", "--dry-run"],
        vec!["attention", "dismiss", "eu_1"],
        // What takes as long as it takes ends, too, where nothing else is answered either.
        vec!["process", "b.txt", "-a", "eu_1"],
        vec!["reconcile", "-a", "eu_1", "--dry-run"],
    ] {
        let said = home.fails(&[&args[..], &["--timeout", "1"]].concat(), 1);
        assert!(said.contains("there was no answer within 1 s"), "{args:?} {said}");
    }
    let status = home.run(&["status", "--timeout", "1"]);
    assert_eq!(status.status.code(), Some(1));
    let said = text(&status.stdout);
    assert!(said.starts_with("Fault: the daemon does not answer; `journalctl"), "{said}");
    let checked = home.run(&["status", "--check", "--timeout", "1"]);
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stdout);
    assert!(said.starts_with("ODOO-SPOOLD CRITICAL - Fault: the daemon does not"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn night_p10_unknown_is_what_monitoring_hears_where_nothing_can_be_told() {
    let output = binary(&["status", "--check", "--config", "/nonexistent.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stdout);
    assert!(said.starts_with("ODOO-SPOOLD UNKNOWN - ") && said.lines().count() == 1, "{said}");
}

#[test]
fn night_p8_what_waits_is_told_before_it_is_read() {
    let (served, home) = live();
    let status = home.ok(&["status"]);
    let row =
        |status: &str| status.lines().find(|line| line.starts_with("eu_1 ")).unwrap().to_owned();
    assert!(status.contains("WAITING  IN WORK") && row(&status).contains(" ? "), "{status}");
    let unread = odoo_spoold::control::Unread { files: 3_330, oldest: Some(at(-40)) };
    *served.desk.unread.lock().unwrap() = Some(unread);
    let status = home.ok(&["status"]);
    assert!(row(&status).contains(" 3,330 ("), "{status}");
    let json: Status = home.json(&["status"]);
    assert_eq!(
        (json.accounts[0].files_waiting, json.accounts[0].waiting_since),
        (Some(3_330), Some(at(-40)))
    );
    let said = home.fails(&["queue", "show", "eu_1", "205-3614839-6174823"], 1);
    assert!(
        said.contains("knows no order 205-3614839-6174823; 3,330 files are not read yet"),
        "{said}"
    );
    assert!(
        said.contains("wait until they are read") && !said.contains("drop the report"),
        "{said}"
    );
}

#[test]
fn odoos_words_are_shown_only_to_who_asks_and_cannot_steer_the_terminal() {
    let (_served, home) = live();
    for args in [
        vec!["status"],
        vec!["queue"],
        vec!["queue", "--json"],
        vec!["dead"],
        vec!["dead", "list", "--json"],
        vec!["files", "show", file(1).as_str()],
        vec!["queue", "show", "eu_1", &order(4)],
    ] {
        assert!(!home.ok(&args).contains("Mustermann"), "{args:?}");
    }
    let shown = home.ok(&["dead", "show", "eu_1", &order(4)]);
    assert!(shown.contains("Erika Mustermann\u{fffd}[31m\nhas no street"), "{shown}");
    assert_eq!(home.ok(&["dead", "requeue", "eu_1", "--all"]), "1 order queued again\n");
    assert_eq!(home.ok(&["dead"]), "nothing is dead\n");
}
