//! What an operator sees when `config.toml` or the keys are wrong.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odoo_spoold::config::{
    AlreadyShipped, ConfigError, Destination, ExistingOrders, ImportFrom, Keys, KeysSource, Live,
    RecordRef, Settings, TaxRef, UnknownSku, Warehouse,
};

const ODOO: &str =
    "[odoo]\nurl = \"https://odoo.example.com\"\ndatabase = \"prod\"\nlogin = \"spool\"\n";

/// `[odoo]` is lines 1 to 4; what a test adds begins in line 5.
fn with(more: &str) -> String {
    format!("{ODOO}{more}")
}

/// An account from line 5 on: `[[account]]` 5, id 6, region 7, company 8, then `account`;
/// then `[[account.marketplace]]`, name, pricelist, prices, then `marketplace`.
fn account(account: &str, marketplace: &str) -> String {
    with(&format!(
        "[[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany = \"My Company\"\n{account}\
         [[account.marketplace]]\nname = \"Amazon.de\"\npricelist = \"EUR\"\nprices = \"gross\"\n\
         {marketplace}"
    ))
}

fn parse(text: &str) -> Result<Settings, ConfigError> {
    Settings::parse(Path::new("c.toml"), text)
}

/// `line:column message` of every fault.
fn faults(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Faulty(faults)) => {
            let one = |f: &odoo_spoold::config::error::Fault| {
                format!("{}:{} {}", f.line, f.column, f.message)
            };
            faults.list.iter().map(one).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_mistake_has_its_place() {
    let tax = |rows: &str| account("", rows);
    let cases: Vec<(String, &str)> = vec![
        // the TOML itself
        (with("[spool\n"), "5:7 unclosed table, expected `]`"),
        (
            with("[spool]\ndir = /var\n"),
            "6:7 string values must be quoted, expected literal string",
        ),
        ("[spool]\n".into(), "1:1 the key `odoo` is missing"),
        (
            "[odoo]\nurl = \"https://a\"\nlogin = \"x\"\n".into(),
            "1:1 the key `database` is missing",
        ),
        (with("[spool]\ndirr = \"/x\"\n"), "6:1 unknown key `dirr`"),
        (with("[odo]\n"), "5:2 unknown key `odo`"),
        (with("batch = \"many\"\n"), "5:9 invalid type: string \"many\", expected i64"),
        (with("[spool]\n[spool]\n"), "6:2 duplicate key"),
        // odoo
        (
            "[odoo]\nurl = \"odoo.example.com\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 this URL has no scheme",
        ),
        (
            "[odoo]\nurl = \"http://odoo.example.com\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 odoo.example.com would get the API key and buyers' addresses unencrypted",
        ),
        (
            "[odoo]\nurl = \"http://localhost.evil.com\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 localhost.evil.com would get the API key and buyers' addresses unencrypted",
        ),
        (
            "[odoo]\nurl = \"https://o.example/web\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 this URL has a path",
        ),
        (
            "[odoo]\nurl = \"https://a:pw@o.example\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 this URL contains a user or password",
        ),
        (
            "[odoo]\nurl = \"https://\"\ndatabase = \"p\"\nlogin = \"s\"\n".into(),
            "2:7 this URL has no usable host or port",
        ),
        (
            "[odoo]\nurl = \"https://o.example\"\ndatabase = \" \"\nlogin = \"s\"\n".into(),
            "3:12 this text is empty",
        ),
        (with("connections = 0\n"), "5:15 0 is out of range"),
        (with("batch = -1\n"), "5:9 -1 is out of range"),
        (with("confirm_batch = 1001\n"), "5:17 1001 is out of range"),
        (with("limit_time_real = \"2 min\"\n"), "5:19 this is not a duration"),
        (with("limit_time_real = \"0s\"\n"), "5:19 0s is out of range"),
        (with("ca_file = \"ca.pem\"\n"), "5:11 this path is not absolute"),
        (
            with("api_key = \"s3cret\"\n"),
            "5:1 `api_key` is a secret and does not belong into this file",
        ),
        (
            with("Password = \"s3cret\"\n"),
            "5:1 `Password` is a secret and does not belong into this file",
        ),
        // the other tables
        (with("[spool]\ndir = \"/a/../b\"\n"), "6:7 this path is not absolute"),
        (with("[spool]\nsettle = \"100ms\"\n"), "6:10 100ms is out of range"),
        (with("[state]\ncache = \"256M\"\n"), "6:9 this is not a size"),
        (with("[state]\ncache = \"1MiB\"\n"), "6:9 1MiB is out of range"),
        (
            with("[state]\ndir = \"/var/spool/odoo-spoold/state\"\n"),
            "6:7 the spool (/var/spool/odoo-spoold) and the state (/var/spool/odoo-spoold/state) overlap",
        ),
        (with("[log]\nlevel = \"loud\"\n"), "6:9 this word is not known here"),
        // accounts
        (
            with("[[account]]\nid = \"EU\"\nregion = \"EU\"\ncompany_id = 1\n"),
            "6:6 this account id has a character that is not allowed",
        ),
        (account("", "").replace("\"EU\"", "\"XX\""), "7:10 this word is not known here"),
        (
            account("", "").replace("company = \"My Company\"\n", ""),
            "5:1 the key `company` is missing",
        ),
        (account("company_id = 1\n", ""), "9:14 both `company` and `company_id` are given"),
        (
            account("", "").replace("company = \"My Company\"", "company_id = 0"),
            "8:14 this is no database id",
        ),
        (
            account("default_marketplace = \"Amazon.fr\"\n", ""),
            "9:23 Amazon.fr is not configured for this account",
        ),
        (account("default_marketplace = \"Amazon\"\n", ""), "9:23 this is not a marketplace"),
        (account("import_from = 5\n", ""), "9:15 this is neither a date nor an instant"),
        (
            account("import_from = 2026-11-21T00:00:00\n", ""),
            "9:15 this is neither a date nor an instant",
        ),
        (
            account("import_from = 2026-02-30\n", ""),
            "9:15 invalid date, expected day between 01 and 28",
        ),
        (account("already_shipped = \"Draft\"\n", ""), "9:19 this word is not known here"),
        (account("existing = \"ignore\"\n", ""), "9:12 this word is not known here"),
        (account("partner = \"none\"\n", ""), "9:11 this word is not known here"),
        (account("unknown_sku = \"default\"\n", ""), "9:15 the key `default_product` is missing"),
        (account("default_product = \"X\"\n", ""), "9:19 `default_product` has no effect here"),
        (
            account("unknown_sku = \"default\"\ndefault_product = \"5.80293E+13\"\n", ""),
            "10:19 this internal reference was rewritten by a spreadsheet",
        ),
        (account("max_file_size = \"1B\"\n", ""), "9:17 1B is out of range"),
        (
            account("[account.products]\nshipping = \"\"\n", ""),
            "10:12 this internal reference is empty",
        ),
        (
            account(
                "",
                "[[account]]\nid = \"eu\"\nregion = \"EU\"\ncompany_id = 1\n\
            [[account.marketplace]]\nname = \"Amazon.it\"\npricelist_id = 1\nprices = \"net\"\n",
            ),
            "14:6 this account id is used twice; first in line 6",
        ),
        // marketplaces
        (
            account("", "").replace("Amazon.de", "Amazon.com"),
            "10:8 Amazon.com does not belong to the region EU",
        ),
        (account("", "").replace("Amazon.de", "eBay"), "10:8 this is not a marketplace"),
        (
            account(
                "",
                "[[account.marketplace]]\nname = \"A1PA6795UKMFR9\"\npricelist_id = 1\n\
            prices = \"net\"\n",
            ),
            "14:8 Amazon.de is configured twice; first in line 10",
        ),
        (
            account("", "").replace("pricelist = \"EUR\"\n", ""),
            "9:1 the key `pricelist` is missing",
        ),
        (account("", "").replace("prices = \"gross\"\n", ""), "9:1 the key `prices` is missing"),
        (account("", "facilitator_tax = \"maybe\"\n"), "13:19 this word is not known here"),
        (account("", "warehouse = \"\"\n"), "13:13 this text is empty"),
        (account("", "carriers = { \"Standard\" = \" \" }\n"), "13:27 this text is empty"),
        // taxes: the table's header is line 13
        (
            tax("[[account.marketplace.tax]]\ndestination = \"UK\"\nrate = 20\ntax = \"none\"\n"),
            "14:15 this is not a country code",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"de\"\nrate = 20\ntax = \"none\"\n"),
            "14:15 this is not a country code",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = \"19 %\"\ntax_id = 3\n"),
            "15:8 this is not a tax rate",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 101\ntax_id = 3\n"),
            "15:8 this is not a tax rate",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 1e1\ntax_id = 3\n"),
            "15:8 this is not a tax rate",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 19\n"),
            "13:1 the key `tax` is missing",
        ),
        (
            tax("[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 19\ntax_id = 3\n\
              [[account.marketplace.tax]]\ndestination = \"DE\"\nrate = \"19.0\"\ntax_id = 4\n"),
            "19:8 19 % to DE has two taxes; the first in line 15",
        ),
        (
            tax(
                "[[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 19\ntax_id = 3\ndefault = true\n\
              [[account.marketplace.tax]]\ndestination = \"DE\"\nrate = 7\ntax_id = 4\ndefault = true\n",
            ),
            "19:15 DE has two default taxes",
        ),
    ];
    let mut wrong = String::new();
    for (text, expected) in &cases {
        let found = faults(text).join("|");
        if found != *expected {
            writeln!(wrong, "expected {expected}\n   found {found}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_mistakes_are_told_at_once_with_line_caret_and_help() {
    let text = account("partner = \"none\"\n", "")
        .replace("login = \"spool\"", "login = \"\"\nbatch = 5000");
    insta::assert_snapshot!(parse(&text).unwrap_err(), @r#"
    c.toml:4:9: this text is empty
    4 | login = ""
      |         ^^
      = help: write a value

    c.toml:5:9: 5000 is out of range
    5 | batch = 5000
      |         ^^^^
      = help: from 1 to 1000

    c.toml:10:11: this word is not known here
    10 | partner = "none"
       |           ^^^^^^
       = help: one of "buyer", "anonymous"
    "#);
}

#[test]
fn secrets_in_the_settings_are_not_shown() {
    let texts = [
        with("api_key = \"s3cret\"\n"),
        with("[spool]\npassword = { a = \"s3cret\" }\n"),
        with("api_key = \"s3cret\n"),
        with("api_key = s3cret\n"),
        "[odoo]\nurl = \"https://joe:s3cret@o.example\"\ndatabase = \"p\"\nlogin = \"l\"\n".into(),
        account("", "[[account.marketplace.tax]]\nid_key = \"s3cret\"\n"),
    ];
    for text in texts {
        let error = parse(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[test]
fn what_is_written_is_what_holds() {
    let text = account(
        "import_from = 2026-11-21T00:00:00+01:00\nalready_shipped = \"skip\"\nexisting = \"hold\"\n\
         unknown_sku = \"default\"\ndefault_product = \"X 1\"\ndefault_marketplace = \"amazon.DE\"\n",
        "warehouse = \"WH\"\ncarriers = { \"Standard\" = \"DHL\" }\n\
         [[account.marketplace.tax]]\ndestination = \"*\"\nrate = 8.10\ntax = \"none\"\n\
         [[account.marketplace.tax]]\ndestination = \"DE\"\nrate = \"19\"\ntax = \" 19% \"\n",
    );
    let settings = parse(&text).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(settings.odoo.url.as_str(), "https://odoo.example.com");
    assert_eq!((settings.odoo.batch, settings.odoo.confirm_batch), (100, 50));
    assert_eq!(settings.odoo.limit_time_real, Duration::from_mins(2));
    assert_eq!(settings.keys, KeysSource::Credential);
    let account = settings.account(&"eu".parse().unwrap()).unwrap();
    assert_eq!(account.import_from, ImportFrom::At("2026-11-20T23:00:00Z".parse().unwrap()));
    assert_eq!(account.already_shipped, AlreadyShipped::Skip);
    assert_eq!(account.existing, ExistingOrders::Hold);
    assert_eq!(account.unknown_sku, UnknownSku::Default("X 1".parse().unwrap()));
    let marketplace = account.marketplace(account.default_marketplace.unwrap()).unwrap();
    assert_eq!(marketplace.warehouse, Warehouse::Code("WH".into()));
    assert_eq!(marketplace.fba_warehouse, None);
    assert_eq!(marketplace.anonymous_partner, "Amazon.de customer");
    assert_eq!(marketplace.carriers["Standard"], "DHL");
    let [any, de] = &marketplace.taxes[..] else { panic!() };
    assert_eq!((any.destination, any.rate.to_string()), (Destination::Any, "8.10".into()));
    assert_eq!(any.tax, TaxRef::None);
    assert_eq!(de.destination, Destination::Country(*b"DE"));
    assert_eq!(de.tax, TaxRef::Tax(RecordRef::Name("19%".into())));
    let day = account_with("import_from = 2026-11-21\n");
    assert_eq!(day, ImportFrom::At("2026-11-21T00:00:00Z".parse().unwrap()));
    assert_eq!(account_with(""), ImportFrom::DayOfInstallation);
}

fn account_with(line: &str) -> ImportFrom {
    parse(&account(line, "")).unwrap().accounts[0].import_from
}

#[test]
fn a_reload_takes_what_can_change_and_names_what_cannot() {
    let old = parse(&account("", "")).unwrap();
    assert!(old.diff(&old).is_empty());

    let text = account("confirm = false\n", "")
        .replace("login = \"spool\"", "login = \"other\"\nbatch = 7")
        + "[spool]\npoll_interval = \"45s\"\nkeep = \"7d\"\n[log]\nlevel = \"debug\"\n[state]\ncache = \"1GiB\"\n";
    let new = parse(&text).unwrap();
    let eu: odoo_spoold::model::AccountId = "eu".parse().unwrap();
    let reload = old.diff(&new);
    assert_eq!(reload.restart, ["odoo.login", "odoo.batch", "spool.poll_interval", "state.cache"]);
    let changed = Live::AccountChanged(eu.clone());
    assert_eq!(reload.live, [Live::LogLevel, Live::Keep, changed]);
    let merged = old.merged(&new);
    assert_eq!((merged.odoo.login.as_str(), merged.odoo.batch), ("spool", old.odoo.batch));
    assert_eq!(merged.state, old.state);
    assert_eq!(merged.spool.keep, Duration::from_hours(7 * 24));
    assert_eq!(merged.spool.poll_interval, old.spool.poll_interval);
    assert!(!merged.accounts[0].confirm);

    // Files may hold buyers: never longer than the marketplace allows.
    assert_eq!(old.spool.keep, Duration::from_hours(30 * 24));
    for bad in ["31d", "59m", "0s"] {
        let text = account("", "") + &format!("[spool]\nkeep = \"{bad}\"\n");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("from 1h to 30d"), "{error}");
    }

    // An account that moves to another company stays whole until the restart.
    let moved = parse(&account("confirm = false\n", "").replace("My Company", "Other")).unwrap();
    assert_eq!(old.diff(&moved).restart, ["account.company"]);
    assert!(old.diff(&moved).live.is_empty());
    assert_eq!(old.merged(&moved), old);

    let other = parse(&account("", "").replace("id = \"eu\"", "id = \"eu2\"")).unwrap();
    let added = Live::AccountAdded("eu2".parse().unwrap());
    assert_eq!(old.diff(&other).live, [added, Live::AccountRemoved(eu)]);
}

// --- keys ---

const KEY_A: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const KEY_B: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// `KEY_B` without its first characters: 29 bytes.
const SHORT_B: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const IDENTITY: &str = "AGE-SECRET-KEY-1QQQQ";

fn keys_text() -> String {
    format!(
        "[odoo]\napi_key = \"k-secret\"\n[state]\nmaster = {{ id = \"m1\", key = \"{KEY_A}\" }}\n\
         [[account]]\nid = \"eu\"\nid_key = \"{KEY_B}\"\nidentities = [\n  \"{IDENTITY}\",\n]\n"
    )
}

/// A settings file that names a keys file with this text and mode.
fn on_disk(text: &str, mode: u32) -> (tempfile::TempDir, Settings, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let config = account("", "") + &format!("[keys]\nfile = \"{}\"\n", path.display());
    let config_path = folder.path().join("config.toml");
    std::fs::write(&config_path, config).unwrap();
    let settings = Settings::load(&config_path).unwrap();
    (folder, settings, path)
}

#[test]
fn keys_are_read_and_never_printed() {
    let (_folder, settings, _) = on_disk(&keys_text(), 0o400);
    let keys = Keys::load(&settings).unwrap();
    assert_eq!(keys.master.id, "m1");
    assert!(keys.account(&"eu".parse().unwrap()).is_some());
    let shown = format!("{keys:?}");
    for secret in ["k-secret", KEY_A, KEY_B, IDENTITY, "1, 1, 1", "2, 2, 2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("REDACTED"));
}

#[test]
fn keys_that_others_can_read_are_refused() {
    for mode in [0o400, 0o600] {
        let (_folder, settings, _) = on_disk(&keys_text(), mode);
        assert!(Keys::load(&settings).is_ok(), "{mode:o}");
    }
    for mode in [0o440, 0o404, 0o640, 0o620, 0o700, 0o4600] {
        let (_folder, settings, path) = on_disk(&keys_text(), mode);
        let error = Keys::load(&settings).unwrap_err();
        assert!(matches!(error, ConfigError::Unsafe { .. }), "{mode:o}: {error}");
        assert!(error.to_string().contains(&format!("chmod 0400 {}", path.display())), "{error}");
    }
}

#[test]
fn keys_of_a_stranger_are_refused() {
    let (_folder, settings, path) = on_disk(&keys_text(), 0o400);
    // Only root can give a file away; elsewhere there is nothing to try.
    if std::os::unix::fs::chown(&path, Some(54_321), None).is_ok() {
        let error = Keys::load(&settings).unwrap_err().to_string();
        assert!(error.contains("belongs to neither root nor the daemon's user"), "{error}");
    }
}

#[test]
fn keys_must_be_a_plain_file() {
    let (folder, settings, path) = on_disk(&keys_text(), 0o400);
    std::fs::remove_file(&path).unwrap();
    let error = Keys::load(&settings).unwrap_err();
    assert!(matches!(error, ConfigError::NoKeys { .. }), "{error}");
    std::fs::create_dir(&path).unwrap();
    assert!(Keys::load(&settings).unwrap_err().to_string().contains("not a regular file"));
    std::fs::remove_dir(&path).unwrap();
    rustix_fifo(&path);
    assert!(Keys::load(&settings).unwrap_err().to_string().contains("not a regular file"));
    drop(folder);
}

/// A named pipe that nobody writes to: opening it must not hang.
fn rustix_fifo(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn an_account_without_keys_names_the_command() {
    let text = keys_text().replace("\"eu\"", "\"na\"");
    let (_folder, settings, _) = on_disk(&text, 0o400);
    let error = Keys::load(&settings).unwrap_err().to_string();
    assert!(error.contains("odoo-spoold setup"), "{error}");
    assert!(error.contains("odoo-spoold keygen --account eu"), "{error}");
}

#[test]
fn mistakes_in_keys_have_a_place_and_no_value() {
    let cases = [
        (keys_text().replace("k-secret", ""), "2:11 the API key is empty"),
        (keys_text().replace("k-secret", "k secret"), "2:11 the API key is empty"),
        (keys_text().replace("\"m1\"", "\"m 1 secret\""), "4:17 this is not the id"),
        (keys_text().replace(KEY_A, "AQEB-secret"), "4:29 this is not a key"),
        (keys_text().replace(KEY_B, SHORT_B), "7:10 this is not a key"),
        (
            keys_text().replace(KEY_B, &"A".repeat(43)).replace("AAA\"", "AAA=\""),
            "7:10 this is not a key",
        ),
        (keys_text().replace("\"k-secret\"", "4242"), "2:11 this is not valid here"),
        (keys_text().replace("\"k-secret\"", "k-secret"), "2:11 this is not valid here"),
        (keys_text().replace("\"k-secret\"", "\"k-secret"), "2:20 this is not valid here"),
        (keys_text().replace("id_key", "idkey"), "7:1 unknown key, expected"),
        (keys_text().replace("api_key = ", "k-secret = "), "2:1 unknown key, expected"),
        (keys_text().replace("  \"AGE", "  4242, \"AGE"), "9:3 this is not valid here"),
        (keys_text().replace(IDENTITY, " "), "8:14 an age identity is missing"),
        (
            keys_text().replace(
                "[[account]]\nid =",
                "older = [{ id = \"m1\", key = \"x\" }]\n[[account]]\nid =",
            ),
            "5:17 two master keys have this id|5:29 this is not a key",
        ),
        (
            format!(
                "{0}[[account]]\nid = \"na\"\nid_key = \"{KEY_B}\"\nidentities = [\"x\"]\n",
                keys_text()
            ),
            "13:10 another account has the same id key",
        ),
        (
            format!(
                "{0}[[account]]\nid = \"eu\"\nid_key = \"{KEY_A}\"\nidentities = [\"x\"]\n",
                keys_text()
            ),
            "12:6 two accounts have this id",
        ),
    ];
    for (text, expected) in cases {
        let error = Keys::parse(Path::new("keys.toml"), &text).unwrap_err();
        let shown = format!("{error}\n{error:?}");
        for secret in ["secret", KEY_A, SHORT_B, IDENTITY, "4242"] {
            assert!(!shown.contains(secret), "{error}");
        }
        let ConfigError::Faulty(faults) = error else { panic!("{error}") };
        let found: Vec<_> =
            faults.list.iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect();
        let expected: Vec<_> = expected.split('|').collect();
        assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "expected {expected}, found {found}");
        }
    }
}

#[test]
fn a_fault_in_the_keys_looks_like_this() {
    let text = keys_text().replace(KEY_A, "AQEB");
    insta::assert_snapshot!(Keys::parse(Path::new("keys.toml"), &text).unwrap_err(), @r#"
    keys.toml:4:29: this is not a key
    4 | master = …
      |          ^
      = help: 32 random bytes in base64 (44 characters); `odoo-spoold keygen` makes them
    "#);
}

#[test]
fn files_that_are_no_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    assert!(matches!(Settings::load(&path), Err(ConfigError::Unreadable { .. })));
    std::fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
    assert!(matches!(Settings::load(&path), Err(ConfigError::TooLarge { .. })));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(Settings::load(&path), Err(ConfigError::Unreadable { .. })));
}
