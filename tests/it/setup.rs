//! `setup`, `account add` and recovery, as the built binary does them below a folder of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use odoo_spoold::config::{Keys, RecordRef, Recovery, Settings};
use odoo_spoold::envelope::{self, Keyring};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json as value};
use sha2::Digest as _;

use crate::support::fake_odoo::{API_KEY, DATABASE, FakeOdoo, Flavor, LOGIN};

/// A root of its own, and an Odoo.
pub(crate) struct Host {
    dir: tempfile::TempDir,
    url: String,
}

pub(crate) fn odoo() -> FakeOdoo {
    FakeOdoo::start_new(Flavor::V19)
}

impl Host {
    pub(crate) fn new(odoo: &FakeOdoo) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/group"), "odoo:x:7003:\n").unwrap();
        std::fs::write(dir.path().join("api"), format!("{API_KEY}\n")).unwrap();
        std::fs::write(dir.path().join("word"), "correct horse battery\n").unwrap();
        Self { dir, url: odoo.url() }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odoo-spoold"));
        command.args(args).arg("--root").arg(self.dir.path()).current_dir(self.dir.path());
        command.env_remove("CREDENTIALS_DIRECTORY").stdin(Stdio::null());
        command
    }

    /// `setup` with everything that has to be said, and more.
    pub(crate) fn setup(&self, more: &[&str]) -> Command {
        self.setup_in("file", more)
    }

    fn setup_in(&self, keys_in: &str, more: &[&str]) -> Command {
        let mut command = self.command(&["setup", "--non-interactive", "--keys-in", keys_in]);
        command.args(["--odoo-url", &self.url, "--odoo-database", DATABASE]);
        command.args(["--odoo-login", LOGIN, "--odoo-api-key-file", "api", "--account", "eu"]);
        command.args(more);
        command
    }

    fn settings(&self) -> Settings {
        Settings::load(&self.at("etc/odoo-spoold/config.toml")).unwrap_or_else(|e| panic!("{e}"))
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::load(&self.settings()).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Every file below the root with its bytes, and every folder.
    fn census(&self) -> Vec<(PathBuf, u32, String)> {
        let (mut found, mut folders) = (Vec::new(), vec![self.dir.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                let bytes = if metadata.is_dir() {
                    folders.push(path.clone());
                    String::new()
                } else {
                    // Not the bytes: a failing test would print keys and fill screens.
                    format!("{:x}", sha2::Sha256::digest(std::fs::read(&path).unwrap()))
                };
                found.push((path, metadata.permissions().mode(), bytes));
            }
        }
        found.sort();
        found
    }
}

pub(crate) fn ok(mut command: Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", text(&done.stderr));
    text(&done.stdout)
}

pub(crate) fn json(mut command: Command) -> Value {
    command.arg("--json");
    serde_json::from_str(&ok(command)).unwrap()
}

pub(crate) fn fails(mut command: Command) -> String {
    let done: Output = command.output().unwrap();
    assert!(!done.status.success(), "{command:?}: {}", text(&done.stdout));
    text(&done.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}

pub(crate) fn recipients(keys: &Keys, account: &str) -> Vec<String> {
    let own = keys.account(&account.parse().unwrap()).unwrap();
    let texts = own.identities.iter().map(secrecy::ExposeSecret::expose_secret);
    Keyring::from_identities(texts).unwrap().recipients()
}

#[test]
fn from_nothing_to_ready_and_again_without_a_change() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    // As the package installs it: comments only.
    std::fs::create_dir_all(host.at("etc/odoo-spoold")).unwrap();
    std::fs::write(host.at("etc/odoo-spoold/config.toml"), "# Settings of odoo-spoold.\n").unwrap();
    let said = json(host.setup(&["--no-recovery"]));
    assert_eq!(said["changed"], true);
    let settings = host.settings();
    assert_eq!(settings.odoo.login, LOGIN);
    assert!(matches!(settings.accounts[0].company, RecordRef::Name(_)));
    let keys = host.keys();
    assert_eq!(keys.api_key.expose_secret(), API_KEY);
    assert_eq!(keys.recovery, Recovery::Declined);
    assert!(keys.master.created.is_some());
    assert_eq!(mode(&host.at("etc/odoo-spoold/keys.toml")), 0o400);
    assert_eq!(mode(&host.at("var/spool/odoo-spoold/eu/incoming")), 0o3730);
    assert_eq!(mode(&host.at("var/lib/odoo-spoold")), 0o700);
    let recipient = &recipients(&keys, "eu")[0];
    assert_eq!(said["accounts"][0]["recipient"], recipient.as_str());
    let command = said["accounts"][0]["command"].as_str().unwrap();
    assert!(command.starts_with(&format!("age -r {recipient} -o ")), "{command}");
    assert!(said["check"]["rows"].as_array().unwrap().len() > 5);
    let everything = std::fs::read_to_string(host.at("etc/odoo-spoold/config.toml")).unwrap();
    assert!(!everything.contains(API_KEY) && !said.to_string().contains(API_KEY));

    let before = host.census();
    let said = json(host.setup(&["--no-recovery"]));
    assert_eq!(said["changed"], false, "{said}");
    assert_eq!(host.census(), before);
    // And with nothing said at all.
    let said = ok(host.command(&["setup", "--non-interactive"]));
    assert!(said.contains("nothing changed"), "{said}");
    assert_eq!(host.census(), before);
}

#[test]
fn what_is_missing_is_named_and_nothing_is_written() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    let before = host.census();
    let said = fails(host.setup(&[]));
    assert!(said.contains("--no-recovery") && said.contains("--recovery"), "{said}");
    let said = fails(host.setup(&["--recovery", "r.age"]));
    assert!(said.contains("--recovery-recipient"), "{said}");
    let said = fails(host.command(&["setup", "--non-interactive", "--no-recovery"]));
    assert!(said.contains("--odoo-url"), "{said}");
    let said = fails(host.setup(&["--no-recovery", "--company", "Nobody Ltd"]));
    assert!(said.contains("may not work"), "{said}");
    let said = fails(host.setup(&["--no-recovery", "--group", "nobody_here"]));
    assert!(said.contains("groupadd"), "{said}");
    std::fs::write(host.at("short"), "secret\n").unwrap();
    let short = ["--recovery", "r.age", "--recovery-passphrase-file", "short"];
    assert!(fails(host.setup(&short)).contains("12 characters"));
    std::fs::remove_file(host.at("short")).unwrap();
    odoo.set_key("another-key-0123456789");
    assert!(fails(host.setup(&["--no-recovery"])).contains("Odoo does not let us in"));
    assert_eq!(host.census(), before);
}

#[test]
fn stopped_anywhere_it_is_completed() {
    let odoo = odoo();
    let recovery = ["--recovery", "r.age", "--recovery-passphrase-file", "word"];
    for step in ["keys", "recovery", "noted", "config", "folders"] {
        let host = Host::new(&odoo);
        let mut command = host.setup(&recovery);
        let done = command.env("ODOO_SPOOLD_STOP_AFTER", step).output().unwrap();
        assert!(!done.status.success() && done.status.code().is_none(), "{step}: not stopped");
        let file = host.at("etc/odoo-spoold/keys.toml");
        let early = std::fs::read_to_string(&file).unwrap();
        let identity = early.lines().find(|line| line.starts_with("identities")).unwrap();
        assert!(step != "keys" || !host.at("r.age").exists());
        assert!(host.at("r.age").exists() || !host.at("etc/odoo-spoold/config.toml").exists());
        ok(host.setup(&recovery));
        let late = std::fs::read_to_string(&file).unwrap();
        assert!(late.contains(identity), "{step}: keys that existed were replaced");
        let keys = host.keys();
        assert_eq!(keys.recovery, Recovery::Covers(keys.seals()), "{step}");
        assert_eq!(mode(&host.at("r.age")), 0o600);
        assert_eq!(mode(&host.at("var/spool/odoo-spoold/eu/incoming")), 0o3730);
        let before = host.census();
        ok(host.setup(&recovery));
        assert_eq!(host.census(), before, "{step}");
    }
}

#[test]
fn a_recovery_file_brings_the_same_identities_to_another_host() {
    let odoo = odoo();
    let first = Host::new(&odoo);
    ok(first.setup(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    let keys = first.keys();

    let second = Host::new(&odoo);
    std::fs::copy(first.at("r.age"), second.at("r.age")).unwrap();
    let restore = |word: &str| {
        let mut command = second.command(&["setup", "--non-interactive", "--keys-in", "file"]);
        command.args(["--odoo-url", &second.url, "--odoo-database", DATABASE]);
        command.args(["--odoo-login", LOGIN, "--restore", "r.age"]);
        command.args(["--recovery-passphrase-file", word]);
        command
    };
    std::fs::write(second.at("wrong"), "something else entirely\n").unwrap();
    assert!(fails(restore("wrong")).contains("does not open it"));
    assert!(!second.at("etc/odoo-spoold").exists());
    ok(restore("word"));
    let again = second.keys();
    assert_eq!(again.seals(), keys.seals());
    assert_eq!(again.generation(), keys.generation());
    assert_eq!(recipients(&again, "eu"), recipients(&keys, "eu"));
    let before = second.census();
    ok(restore("word"));
    assert_eq!(second.census(), before);

    let third = Host::new(&odoo);
    ok(third.setup(&["--no-recovery"]));
    let kept = third.census();
    let mut command = third.command(&["setup", "--non-interactive"]);
    command.arg("--restore").arg(first.at("r.age")).args(["--recovery-passphrase-file", "word"]);
    let said = fails(command);
    assert!(said.contains("other keys on this host"), "{said}");
    assert_eq!(third.census(), kept);
}

/// The word of every command that misses keys which were here.
const GONE: &str = "the keys of this host are gone, but";

#[test]
fn night_p1_keys_that_are_gone_are_never_made_again() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    let keys = host.keys();
    let (file, state) = (host.at("etc/odoo-spoold/keys.toml"), host.at("var/lib/odoo-spoold"));
    std::fs::create_dir(state.join("store")).unwrap();
    std::fs::write(state.join("store/db"), "sealed").unwrap();
    std::fs::remove_file(&file).unwrap();
    let before = host.census();
    let trace = state.display().to_string();
    let refused = |said: &str, trace: &str| {
        let words = said.replace('\n', " ");
        assert!(words.contains(GONE) && words.contains(trace), "{said}");
        assert!(words.contains("setup --restore RECOVERY-FILE"), "{said}");
        assert!(words.contains("setup --new-keys"), "{said}");
        assert!(!words.contains("make keys with"), "{said}");
    };
    refused(&fails(host.setup(&["--no-recovery"])), &trace);
    refused(&fails(host.command(&["keys", "list"])), &trace);
    refused(&fails(host.command(&["recipient"])), &trace);
    refused(&fails(host.command(&["keygen", "--account", "eu"])), &trace);
    let run = host.command(&["run"]).output().unwrap();
    assert_eq!(run.status.code(), Some(78));
    refused(&text(&run.stderr), &trace);
    let checked = host.command(&["check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(78));
    refused(&text(&checked.stdout), &trace);
    assert_eq!(host.census(), before);

    // Without a state: the name of the newest keys says it.
    std::fs::rename(&state, host.at("state.kept")).unwrap();
    std::fs::create_dir(&state).unwrap();
    refused(&fails(host.setup(&["--no-recovery"])), "keys.newest");
    assert!(!file.exists());
    std::fs::remove_dir(&state).unwrap();
    std::fs::rename(host.at("state.kept"), &state).unwrap();

    // The recovery file brings them back, and the state with them.
    let restore = ["--restore", "r.age", "--recovery-passphrase-file", "word"];
    ok(host.setup(&restore));
    assert_eq!(host.keys().seals(), keys.seals());
    assert!(state.join("store/db").exists());

    // Somebody says that there shall be new ones: what was sealed is kept aside.
    std::fs::remove_file(&file).unwrap();
    let said = ok(host.setup(&["--no-recovery", "--new-keys"]));
    assert!(said.contains("does not open with the new keys"), "{said}");
    assert_ne!(host.keys().seals(), keys.seals());
    assert!(!state.join("store").exists());
    assert!(state.join("store.1/db").exists());
}

#[test]
fn night_p1_an_account_that_odoo_knows_gets_no_new_id_key_by_itself() {
    let odoo = odoo();
    let marker = |account: &str| {
        let text = format!("odoo-spoold {account} 0123 4 abcdef 2026-11-21T12:00:00Z");
        odoo.insert("res.partner", value!({ "name": "marker", "ref": text, "active": false }))
    };
    marker("eu_2");
    let host = Host::new(&odoo);
    ok(host.setup(&["--no-recovery"]));
    let second = Host::new(&odoo);
    marker("eu");
    let before = second.census();
    let said = fails(second.setup(&["--no-recovery"]));
    assert!(said.contains("marker of the account eu") && said.contains("--restore"), "{said}");
    assert!(said.contains("--id-key") && said.contains("--new-keys"), "{said}");
    assert_eq!(second.census(), before);
    ok(host.command(&["keys", "id-key", "--account", "eu", "--output", "id.key"]));
    let mut travelled = second.setup(&["--no-recovery", "--id-key"]);
    travelled.arg(host.at("id.key"));
    ok(travelled);
    let third = Host::new(&odoo);
    let said = ok(third.setup(&["--no-recovery", "--new-keys"]));
    assert!(said.contains("id-key-differs"), "{said}");
}

/// One that somebody wrote into config.toml, or that the keys have lost.
#[test]
fn an_account_of_the_settings_gets_no_new_id_key_by_itself() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    let config = host.at("etc/odoo-spoold/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let at = text.find("[[account]]").unwrap();
    let table = text[at..].replace("\"eu\"", "\"eu_2\"");
    std::fs::write(&config, format!("{text}\n{table}")).unwrap();
    assert_eq!(host.settings().accounts.len(), 2);
    let again = |more: &[&str]| {
        let mut command = host.command(&["setup", "--non-interactive"]);
        command.args(more);
        command
    };
    let restore = ["--restore", "r.age", "--recovery-passphrase-file", "word"];

    // Files of it were taken: it had keys here.
    let done = host.at("var/spool/odoo-spoold/eu_2/done");
    std::fs::create_dir_all(&done).unwrap();
    std::fs::write(done.join("report.age"), "sealed").unwrap();
    let before = host.census();
    let said = fails(again(&["--no-recovery", "--skip-odoo"]));
    assert!(said.contains("the keys of the account eu_2 are gone"), "{said}");
    assert_eq!(host.census(), before);
    std::fs::remove_file(done.join("report.age")).unwrap();

    // Odoo knows it.
    let text = "odoo-spoold eu_2 0123 4 abcdef 2026-11-21T12:00:00Z";
    odoo.insert("res.partner", value!({ "name": "marker", "ref": text, "active": false }));
    let before = host.census();
    let said = fails(again(&["--no-recovery"]));
    assert!(said.contains("marker of the account eu_2"), "{said}");
    assert!(said.contains("--id-key") && said.contains("id-key-differs"), "{said}");
    assert_eq!(host.census(), before);

    // The recovery file does not have it.
    std::fs::remove_file(host.at("etc/odoo-spoold/keys.toml")).unwrap();
    let before = host.census();
    let said = fails(again(&restore));
    assert!(said.contains("the recovery file has no keys for the account eu_2"), "{said}");
    assert_eq!(host.census(), before);
    ok(again(&[&restore[..], &["--new-keys", "--no-recovery"]].concat()));
    assert_eq!(recipients(&host.keys(), "eu_2").len(), 1);
}

#[test]
fn a_recovery_file_sealed_to_a_recipient_opens_with_its_identity() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    let (identity, recipient) = envelope::generate_identity();
    ok(host.setup(&["--recovery", "r.age", "--recovery-recipient", &recipient]));
    std::fs::write(host.at("id"), identity.expose_secret()).unwrap();
    let second = Host::new(&odoo);
    let mut command = second.setup(&["--restore"]);
    command.arg(host.at("r.age")).arg("--recovery-identity").arg(host.at("id"));
    ok(command);
    assert_eq!(second.keys().seals(), host.keys().seals());
}

#[test]
fn an_account_is_added_with_keys_settings_and_folders() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    let early = fails(host.command(&["account", "add", "na", "--non-interactive"]));
    assert!(early.contains("odoo-spoold setup"), "{early}");
    ok(host.setup(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    let before = host.keys();
    let add = |more: &[&str]| {
        let mut command = host.command(&["account", "add", "na_2", "--non-interactive"]);
        command.args(more);
        command
    };
    assert!(fails(add(&[])).contains("--no-recovery"), "new keys need a new recovery file");
    ok(add(&["--recovery", "r.age", "--recovery-passphrase-file", "word"]));
    assert!(host.at("r.age.1").exists(), "the one before is kept");
    let keys = host.keys();
    assert_eq!(recipients(&keys, "eu"), recipients(&before, "eu"));
    assert_eq!(recipients(&keys, "na_2").len(), 1);
    assert_eq!(host.settings().accounts.len(), 2);
    assert_eq!(mode(&host.at("var/spool/odoo-spoold/na_2/incoming")), 0o3730);
    let unchanged = host.census();
    ok(add(&[]));
    assert_eq!(host.census(), unchanged);
}

#[test]
fn where_the_host_seals_credentials_the_keys_are_one() {
    let probe = Command::new("systemd-creds")
        .args(["encrypt", "--with-key=host", "--name=x", "-", "-"])
        .stdin(Stdio::null())
        .output();
    if !probe.is_ok_and(|done| done.status.success()) {
        crate::support::skip::skip("systemd-creds seals nothing on this machine");
        return;
    }
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup_in("credential", &["--no-recovery"]));
    let sealed = std::fs::read(host.at("etc/credstore.encrypted/odoo-spoold.keys")).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("AGE-SECRET"));
    assert!(!host.at("etc/odoo-spoold/keys.toml").exists());
    assert_eq!(mode(&host.at("etc/credstore.encrypted/odoo-spoold.keys")), 0o600);
    let before = host.census();
    assert_eq!(json(host.setup_in("credential", &["--no-recovery"]))["changed"], false);
    assert_eq!(host.census(), before);
    ok(host.command(&["keys", "rotate", "identity", "--account", "eu"]));
    ok(host.command(&["keygen", "--credential", "--account", "na"]));
    let listed = json(host.command(&["keys", "list"]));
    assert_eq!(listed.as_array().unwrap().len(), 5, "{listed}");
    // Root's check opens the credential by itself.
    let checked = host.command(&["check"]).output().unwrap();
    assert!(text(&checked.stdout).contains("id key there"), "{}", text(&checked.stdout));
}

/// The keys of one account, piped over the credential, would take those of all the others with them.
#[test]
fn keygen_prints_no_keys_that_would_replace_this_hosts() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    ok(host.setup(&["--no-recovery"]));
    let config = host.at("etc/odoo-spoold/config.toml");
    let piped = || host.command(&["keygen", "--account", "na", "--output", "-"]);
    let state = host.at("var/lib/odoo-spoold/store");
    std::fs::create_dir(&state).unwrap();
    assert!(fails(piped()).contains(GONE));
    std::fs::remove_dir(&state).unwrap();
    std::fs::remove_file(host.at("etc/odoo-spoold/keys.newest")).unwrap();
    assert!(ok(piped()).contains("AGE-SECRET-KEY"));
    // Settings that do not load do not say what there is.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("wrong = 1\n{text}")).unwrap();
    assert!(fails(piped()).contains("wrong"));
    // The settings name no file, and there is a credential: it is added to, by another option.
    let named = text.find("[keys]").unwrap();
    let end = text[named + 1..].find("\n[").map_or(text.len(), |end| named + 1 + end);
    std::fs::write(&config, format!("{}{}", &text[..named], &text[end..])).unwrap();
    let credential = host.at("etc/credstore.encrypted/odoo-spoold.keys");
    std::fs::create_dir(credential.parent().unwrap()).unwrap();
    std::fs::write(&credential, "sealed").unwrap();
    for refused in [piped(), host.command(&["keygen", "--account", "na"])] {
        let said = fails(refused);
        assert!(said.contains("odoo-spoold keygen --credential --account"), "{said}");
        assert!(!said.contains("systemd-creds encrypt"), "{said}");
    }
    assert_eq!(std::fs::read(&credential).unwrap(), b"sealed");
    // A file that is not this host's can be made as before.
    ok(host.command(&["keygen", "--account", "na", "--output", "elsewhere"]));
}

/// Types the answers as a person does: through a pseudo-terminal.
#[test]
fn a_person_is_asked_on_a_terminal_and_secrets_do_not_show() {
    let odoo = odoo();
    let host = Host::new(&odoo);
    // As the package installs it.
    std::fs::create_dir_all(host.at("etc/odoo-spoold")).unwrap();
    let package = include_str!("../../packaging/debian/config.toml");
    std::fs::write(host.at("etc/odoo-spoold/config.toml"), package).unwrap();
    let answers = [
        "127.0.0.1:8069",
        host.url.as_str(),
        "nowhere",
        DATABASE,
        LOGIN,
        API_KEY,
        "eu",
        "someday",
        "2026-01-02",
        "./r.age",
        "short",
        "correct horse battery",
        "something else again",
        "correct horse battery",
        "correct horse battery",
        "y",
    ];
    let done = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/answer.py"))
        .arg(serde_json::to_string(&answers).unwrap())
        .arg(env!("CARGO_BIN_EXE_odoo-spoold"))
        .args(["setup", "--keys-in", "file", "--root"])
        .arg(host.dir.path())
        .current_dir(host.dir.path())
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .unwrap();
    let screen = text(&done.stdout);
    assert!(done.status.success(), "{screen}{}", text(&done.stderr));
    assert!(screen.contains("Odoo's database") && screen.contains("age -r "), "{screen}");
    assert!(!screen.contains(API_KEY) && !screen.contains("battery"), "a secret was shown");
    assert_eq!(host.keys().api_key.expose_secret(), API_KEY);
    // Night F2 to F8: each answer is proven when it is given, and nothing frightens afterwards.
    for words in [
        "not a URL",
        "no such database",
        "That is not a day",
        "at least 12 characters",
        "That is too short",
        "The two differ",
        "Make them now?",
        "odoo-spoold process --sample --account eu",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    for words in ["none is known of", "--no-recovery", "restart odoo-spoold"] {
        assert!(!screen.contains(words), "{words}: {screen}");
    }
    let config = std::fs::read_to_string(host.at("etc/odoo-spoold/config.toml")).unwrap();
    assert!(config.contains("import_from = 2026-01-02"), "{config}");
    assert!(!config.contains("While there are none below"), "{config}");
    let second = Host::new(&odoo);
    let mut restore = second.setup(&["--recovery-passphrase-file", "word"]);
    restore.arg("--restore").arg(host.at("r.age"));
    ok(restore);
}
