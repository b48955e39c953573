//! `check` against the fake Odoo (what fails before anything can be asked) and, on a
//! lab, against real Odoo 19 and 14.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use odoo_spoold::check::{self, Area, KeysOrError, Options, Report, Row, State};
use odoo_spoold::config::{Keys, KeysSource, Settings};
use odoo_spoold::deliver::catalog::Catalog;
use odoo_spoold::deliver::settings::{AccountSettings, Named};
use odoo_spoold::envelope::generate_identity;
use odoo_spoold::model::Sku;
use odoo_spoold::plan::{
    AccountPolicy, AlreadyShipped, Existing, FacilitatorTax, Fee, Found, Lookup, MarketplacePolicy,
    PartnerMode, Prices, TaxEntry, TaxRef, UnknownSku,
};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::support::fake_odoo::{API_KEY, DATABASE, FakeOdoo, Flavor, LOGIN};
use super::support::lab::{Lab, runtime, versions};

/// Settings, keys and folders of a daemon that could start.
struct Host {
    dir: TempDir,
    odoo: String,
    account: String,
    api_key: String,
    identity: String,
    recipient: String,
}

// === impl Host ===

impl Host {
    fn new(url: &str, database: &str, login: &str, api_key: &str, account: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["spool", "state"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::set_permissions(dir.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
        let (identity, recipient) = generate_identity();
        Self {
            dir,
            odoo: format!("url = \"{url}\"\ndatabase = \"{database}\"\nlogin = \"{login}\"\n"),
            account: account.to_owned(),
            api_key: api_key.to_owned(),
            identity: identity.expose_secret().to_owned(),
            recipient,
        }
    }

    fn fake(odoo: &FakeOdoo) -> Self {
        Self::new(&odoo.url(), DATABASE, LOGIN, API_KEY, PLAIN)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self) -> Settings {
        let text = format!(
            "[odoo]\n{}[spool]\ndir = \"{}\"\n[state]\ndir = \"{}\"\n[keys]\nfile = \"{}\"\n{}",
            self.odoo,
            self.path("spool").display(),
            self.path("state").display(),
            self.path("keys.toml").display(),
            self.account,
        );
        Settings::parse(Path::new("config.toml"), &text).unwrap()
    }

    fn keys_text(&self) -> String {
        let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        format!(
            "[odoo]\napi_key = \"{}\"\n[state.master]\nid = \"m1\"\nkey = \"{key}\"\n\
             [[account]]\nid = \"eu\"\nid_key = \"{key}\"\nidentities = [\"{}\"]\n",
            self.api_key, self.identity
        )
    }

    fn keys(&self) -> KeysOrError {
        let path = self.path("keys.toml");
        fs::write(&path, self.keys_text()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Keys::load(&self.settings())
    }

    fn check_with(&self, keys: &KeysOrError, options: &Options) -> Report {
        let report = runtime().block_on(check::run(&self.settings(), keys, options));
        let shown = format!("{report:?}");
        assert!(!shown.contains(&self.api_key), "the API key shows");
        let secret = self.identity.trim_start_matches("AGE-SECRET-KEY-1");
        let secret = self.identity.starts_with("AGE-SECRET").then_some(secret);
        assert!(secret.is_none_or(|secret| !shown.contains(secret)), "an identity shows");
        report
    }

    fn check(&self) -> Report {
        self.check_with(&self.keys(), &Options::default())
    }

    fn fix(&self) -> Report {
        self.check_with(&self.keys(), &Options { fix: true, ..Options::default() })
    }
}

fn row<'a>(report: &'a Report, area: Area, what: &str) -> &'a Row {
    let found = report.rows.iter().find(|row| row.area == area && row.what.contains(what));
    found.unwrap_or_else(|| panic!("no row {area:?} {what} in {:#?}", report.rows))
}

fn has(report: &Report, area: Area) -> bool {
    report.rows.iter().any(|row| row.area == area)
}

/// The rows that are not fine, for a message.
fn trouble(report: &Report) -> Vec<&Row> {
    report.rows.iter().filter(|row| matches!(row.state, State::Warn | State::Fail)).collect()
}

const PLAIN: &str = r#"
[[account]]
id = "eu"
region = "EU"
company = "My Company"
[[account.marketplace]]
name = "Amazon.de"
pricelist = "Amazon EUR"
prices = "gross"
"#;

// --- the fake one: nothing to ask ---

#[test]
fn an_odoo_that_is_down_is_one_failing_row_and_the_host_is_still_looked_at() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let host = Host::fake(&odoo);
    odoo.stop();
    let report = host.check();
    let reachable = row(&report, Area::Server, "reachable");
    assert_eq!(reachable.state, State::Fail);
    assert!(reachable.detail.contains(&odoo.url()), "{reachable:?}");
    assert_eq!(reachable.next_step.as_deref(), Some("is Odoo running?"));
    assert_eq!(row(&report, Area::Keys, "id key").state, State::Ok);
    assert!(row(&report, Area::Keys, "id key").detail.contains(&host.recipient));
    assert!(!has(&report, Area::Rights));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_wrong_key_is_tried_once_and_named() {
    for flavor in [Flavor::V19, Flavor::V14] {
        let odoo = FakeOdoo::start_new(flavor);
        let host = Host::fake(&odoo);
        odoo.set_key("another");
        let report = host.check();
        assert_eq!(row(&report, Area::Server, "reachable").state, State::Ok);
        assert_eq!(row(&report, Area::Server, "version").state, State::Ok);
        assert_eq!(row(&report, Area::Server, "database").state, State::Ok);
        let login = row(&report, Area::User, "login");
        assert_eq!(login.state, State::Fail);
        assert!(login.next_step.as_ref().unwrap().contains("API key"), "{login:?}");
        assert!(!has(&report, Area::Rights));
        assert_eq!(report.exit_code(), 1);
        assert!(odoo.write_calls().is_empty(), "{:?}", odoo.write_calls());
    }
}

#[test]
fn a_wrong_database_is_not_a_wrong_key() {
    for flavor in [Flavor::V19, Flavor::V14] {
        let odoo = FakeOdoo::start_new(flavor);
        let mut host = Host::fake(&odoo);
        host.odoo = host.odoo.replace(&format!("\"{DATABASE}\""), "\"elsewhere\"");
        let report = host.check();
        let database = row(&report, Area::Server, "database");
        assert_eq!(database.state, State::Fail);
        assert!(database.detail.contains("\"elsewhere\""), "{database:?}");
        assert!(database.next_step.as_ref().unwrap().contains("odoo.database"), "{database:?}");
        assert!(!has(&report, Area::User));
    }
}

#[test]
fn without_keys_the_server_is_asked_for_its_version_only() {
    let odoo = FakeOdoo::start_new(Flavor::V14);
    let host = Host::fake(&odoo);
    let keys = Keys::load(&host.settings());
    assert!(keys.is_err(), "the keys file does not exist yet");
    let report = host.check_with(&keys, &Options::default());
    assert_eq!(row(&report, Area::Keys, "keys").state, State::Fail);
    assert_eq!(row(&report, Area::Server, "version").state, State::Ok);
    assert_eq!(row(&report, Area::Server, "database").state, State::Warn);
    assert!(odoo.calls().is_empty());
    assert_eq!(report.exit_code(), 78);

    // A credential is systemd's to open: the row says how to ask it.
    let mut settings = host.settings();
    settings.keys = KeysSource::Credential;
    let keys = Keys::load(&settings);
    let report = runtime().block_on(check::run(&settings, &keys, &Options::default()));
    let next = row(&report, Area::Keys, "keys").next_step.clone().unwrap();
    assert!(next.contains("LoadCredentialEncrypted=odoo-spoold.keys"), "{next}");
}

#[test]
fn keys_that_are_no_identities_are_a_configuration_error() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let mut host = Host::fake(&odoo);
    host.identity = host.recipient.clone();
    let report = host.check();
    let identities = row(&report, Area::Keys, "id key");
    assert_eq!(identities.state, State::Fail);
    assert!(identities.detail.contains("recipient"), "{identities:?}");
    assert_eq!(report.exit_code(), 78);
}

#[test]
fn an_account_that_is_not_there_is_named_with_those_that_are() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let host = Host::fake(&odoo);
    let only = Some("us".parse().unwrap());
    let report = host.check_with(&host.keys(), &Options { account: only, ..Options::default() });
    let accounts = row(&report, Area::Configuration, "accounts");
    assert_eq!(accounts.state, State::Fail);
    assert!(accounts.next_step.as_ref().unwrap().contains("eu"));
    assert_eq!(report.exit_code(), 78);
}

#[test]
fn spool_folders_are_made_once_and_what_exists_is_left_alone() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let host = Host::fake(&odoo);
    odoo.stop();
    assert_eq!(row(&host.check(), Area::Spool, "folders").state, State::Warn);
    assert_eq!(row(&host.fix(), Area::Spool, "folders").state, State::Fixed);
    let incoming = host.path("spool/eu/incoming");
    assert_eq!(fs::metadata(&incoming).unwrap().permissions().mode() & 0o7777, 0o3730);
    let again = host.fix();
    assert_eq!(row(&again, Area::Spool, "folders").state, State::Ok, "{again:#?}");

    fs::set_permissions(&incoming, fs::Permissions::from_mode(0o1777)).unwrap();
    let open = host.fix();
    let folders = row(&open, Area::Spool, "folders");
    assert_eq!(folders.state, State::Warn);
    assert_eq!(folders.next_step.as_deref(), Some("chmod 3730"));
    assert_eq!(fs::metadata(&incoming).unwrap().permissions().mode() & 0o7777, 0o1777);

    fs::remove_dir_all(host.path("spool")).unwrap();
    assert_eq!(row(&host.check(), Area::Spool, "directory").state, State::Fail);
    assert_eq!(row(&host.fix(), Area::Spool, "directory").state, State::Fixed);
    assert!(incoming.is_dir());
}

/// Root runs `check --fix`, and the spool belongs to the service.
#[test]
fn audit_28_check_fix_makes_nothing_behind_a_link() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let host = Host::fake(&odoo);
    odoo.stop();
    let elsewhere = host.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir_all(host.path("spool")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, host.path("spool/eu")).unwrap();
    let row = row(&host.fix(), Area::Spool, "folders").clone();
    assert_eq!(row.state, State::Fail, "{row:?}");
    assert!(fs::read_dir(&elsewhere).unwrap().next().is_none(), "something was made there");
}

#[test]
fn a_state_directory_open_to_others_is_told() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    let host = Host::fake(&odoo);
    odoo.stop();
    assert_eq!(row(&host.check(), Area::State, "directory").state, State::Ok);
    let state = host.path("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(row(&host.check(), Area::State, "directory").state, State::Warn);
    fs::remove_dir(&state).unwrap();
    assert_eq!(row(&host.check(), Area::State, "directory").state, State::Warn);
    fs::write(&state, "").unwrap();
    assert_eq!(row(&host.check(), Area::State, "directory").state, State::Fail);
}

#[test]
fn fields_that_somebodys_module_made_required_are_named_beforehand() {
    let odoo = FakeOdoo::start_new(Flavor::V19);
    odoo.tables(|tables| {
        for (model, name, default) in [
            ("sale.order", "project_code", false),
            ("sale.order", "sales_channel", true),
            ("sale.order.line", "analytic_code", false),
            ("res.partner", "x_sector", false),
        ] {
            tables.more_fields.push((model.to_owned(), name.to_owned(), default));
        }
    });
    let report = Host::fake(&odoo).check();
    let rows = report.rows.iter().filter(|row| row.what == "mandatory fields");
    let told: Vec<(State, &str)> = rows.map(|row| (row.state, row.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            (State::Warn, "sale.order requires project_code, which is not sent and has no default"),
            (
                State::Warn,
                "sale.order.line requires analytic_code, which is not sent and has no default"
            ),
            (State::Fail, "res.partner cannot be created without x_sector"),
        ]
    );
}

// --- real ones ---

/// A database of one's own in each version that is there.
fn labs(name: &str) -> impl Iterator<Item = Lab> {
    let test = format!("check_{name}");
    versions(&test).into_iter().map(move |version| Lab::new(version, &test))
}

/// A host for one of the lab's users: none, `de_` or `low_` before its keys in the lab's facts.
fn host_of(lab: &Lab, user: &str, account: &str) -> Host {
    let login = match user {
        "de_" => "integration_de".to_owned(),
        "low_" => "low".to_owned(),
        _ => lab.text("login"),
    };
    let key = lab.text(&format!("{user}api_key"));
    Host::new(&lab.text("url"), &lab.text("database"), &login, &key, account)
}

/// Runs Python as superuser, and keeps what it did.
fn shell(lab: &Lab, script: &str) -> String {
    lab.shell(&format!("{script}\nenv.cr.commit()\n"))
}

/// What a Python expression is.
fn ask(lab: &Lab, expression: &str) -> String {
    let told = shell(lab, &format!("print('TOLD', {expression})"));
    let line = told.lines().find_map(|line| line.strip_prefix("TOLD "));
    line.unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// Everything the lab's template has, by its right name.
const GOOD: &str = r#"
[[account]]
id = "eu"
region = "EU"
company = "My Company"
[[account.marketplace]]
name = "Amazon.de"
pricelist = "Amazon EUR"
prices = "gross"
warehouse = "WH"
fba_warehouse = "FBA"
carriers = { "Standard" = "Amazon Standard", "Expedited" = "Amazon Expedited" }
[[account.marketplace.tax]]
destination = "DE"
rate = "19"
tax = "Amazon 19% incl"
default = true
[[account.marketplace.tax]]
destination = "DE"
rate = "7"
tax = "Amazon 7% incl"
[[account.marketplace.tax]]
destination = "*"
rate = "0"
tax = "none"
default = true
"#;

/// The template wants to mail and text buyers; a careful operator has switched that off.
const QUIET: &str = "
for company in env['res.company'].search([]):
    for name in ('stock_move_email_validation', 'stock_move_sms_validation', 'stock_text_confirmation'):
        if name in company._fields:
            company[name] = False
";

#[test]
fn a_good_account_is_fixed_once_and_then_all_fine() {
    for lab in labs("good") {
        shell(&lab, QUIET);
        // Products get a tax by themselves: the fees must not.
        shell(
            &lab,
            "tax = env['account.tax'].search([('name', '=', 'Amazon 19% incl'), ('company_id', '=', 1)])\n\
             env['res.company'].browse(1).account_sale_tax_id = tax",
        );
        for user in ["", "de_"] {
            let host = host_of(&lab, user, GOOD);
            let first = host.check();
            if user.is_empty() {
                assert_eq!(first.count(State::Fail), 4, "{:#?}", trouble(&first));
                let fee = row(&first, Area::Products, "shipping AMZ-SHIPPING");
                assert!(fee.next_step.as_ref().unwrap().contains("--fix"));
                let fixed = host.fix();
                assert_eq!(fixed.count(State::Fail), 0, "{:#?}", trouble(&fixed));
                // Four products and the folders.
                assert_eq!(fixed.count(State::Fixed), 5, "{fixed:#?}");
            } else {
                let language = row(&first, Area::User, "language");
                assert_eq!(language.state, State::Ok);
                assert!(language.detail.starts_with("de_DE"), "{language:?}");
            }
            let products = "len(env['product.product'].with_context(active_test=False).search([]))";
            let before = ask(&lab, products);
            let again = host.fix();
            assert_eq!(ask(&lab, products), before);
            assert_eq!(again.count(State::Fail), 0, "{:#?}", trouble(&again));
            let made = again.rows.iter().filter(|row| row.state == State::Fixed);
            assert!(made.clone().all(|row| row.area == Area::Spool), "{again:#?}");
            let warned: Vec<_> =
                trouble(&again).into_iter().filter(|row| row.area != Area::Spool).collect();
            // These keys are made for a test: nobody wrote a recovery file.
            let what: Vec<_> = warned.iter().map(|row| row.what.as_str()).collect();
            assert_eq!(what, ["recovery file"], "{warned:#?}");
            assert_eq!(again.exit_code(), 0);
        }
        let fee = ask(
            &lab,
            "[(p.type, p.sale_ok, p.taxes_id.ids, p.company_id.id, p.invoice_policy) for p in \
             env['product.product'].browse(env.ref('spoold_eu.product_shipping').id)]",
        );
        assert_eq!(fee, "[('service', True, [], False, 'order')]");
        delivery_finds_the_same(&lab);
    }
}

/// What `check` calls fine is what delivery's own catalog finds.
fn delivery_finds_the_same(lab: &Lab) {
    let name = |text: &str| Some(TaxRef::Name(text.to_owned()));
    let de = "Amazon.de".parse().unwrap();
    let entry = |tax, rate: i64| TaxEntry {
        destination: Some("DE".to_owned()),
        rate: rate.into(),
        tax,
        default: rate == 19,
    };
    let rules = MarketplacePolicy {
        prices: Prices::Gross,
        facilitator_tax: FacilitatorTax::Exclude,
        taxes: vec![entry(name("Amazon 19% incl"), 19), entry(name("Amazon 7% incl"), 7)],
        warehouse: Some("WH".to_owned()),
        fba_warehouse: Some("FBA".to_owned()),
        carriers: [("Standard".to_owned(), "Amazon Standard".to_owned())].into(),
        anonymous_partner: "x".to_owned(),
        anonymous_named: false,
    };
    let fees: Vec<(Fee, Sku)> = [
        (Fee::Shipping, "AMZ-SHIPPING"),
        (Fee::GiftWrap, "AMZ-GIFT-WRAP"),
        (Fee::Promotion, "AMZ-PROMOTION"),
        (Fee::Rounding, "AMZ-ROUNDING"),
    ]
    .map(|(fee, sku)| (fee, sku.parse().unwrap()))
    .into();
    let account = AccountSettings {
        policy: AccountPolicy {
            account: "eu".parse().unwrap(),
            import_from: jiff::Timestamp::UNIX_EPOCH,
            already_shipped: AlreadyShipped::Draft,
            existing: Existing::Adopt,
            confirm: true,
            partner: PartnerMode::Buyer,
            unknown_sku: UnknownSku::Hold,
            products: fees.iter().cloned().collect(),
            default_marketplace: None,
            marketplaces: [(de, rules)].into(),
        },
        company: Named::Name("My Company".to_owned()),
        pricelists: [(de, Named::Name("Amazon EUR".to_owned()))].into(),
    };
    runtime().block_on(async {
        let client = lab.client();
        let catalog = Catalog::load(&client, &account).await.unwrap();
        let skus = fees.iter().map(|(_, sku)| sku.clone()).collect();
        catalog.want_products(&client, &skus).await.unwrap();
        for sku in &skus {
            assert!(matches!(catalog.product(sku), Found::One(_)), "{sku}");
        }
        assert!(matches!(catalog.pricelist(de), Found::One(_)));
        for tax in account.policy.tax_refs() {
            assert!(matches!(catalog.tax(&tax), Found::One(_)), "{tax:?}");
        }
        for code in ["WH", "FBA"] {
            assert!(matches!(catalog.warehouse(code), Found::One(_)), "{code}");
        }
        assert!(matches!(catalog.carrier("Amazon Standard"), Found::One(_)));
    });
}

/// Everything named wrongly, one way or another.
const WRONG: &str = r#"
[[account]]
id = "eu"
region = "EU"
company = "My Company"
unknown_sku = "default"
default_product = "NO-SUCH"
[account.products]
shipping = "SKU-0001"
gift_wrap = "TWICE"
promotion = "ASLEEP"
rounding = "TAXED"
[[account.marketplace]]
name = "Amazon.de"
pricelist = "Amazon USD"
prices = "gross"
warehouse = "XX"
fba_warehouse = "FBA"
carriers = { "A" = "Buys Labels", "B" = "Nobody", "C" = "amazon standard" }
[[account.marketplace.tax]]
destination = "DE"
rate = "19"
tax = "Amazon 20% excl"
[[account.marketplace.tax]]
destination = "DE"
rate = "7"
tax = "Amazon 5% incl"
[[account.marketplace.tax]]
destination = "DE"
rate = "0"
tax = "Second 19% incl"
[[account.marketplace]]
name = "Amazon.fr"
pricelist = "Asleep"
prices = "gross"
warehouse = "FBA"
fba_warehouse = "FBA"
[[account.marketplace]]
name = "Amazon.ae"
pricelist = "New AED"
prices = "gross"
[[account.marketplace]]
name = "Amazon.pl"
pricelist = "Cennik"
prices = "gross"
[[account.marketplace]]
name = "Amazon.se"
pricelist = "New SEK"
prices = "gross"
"#;

/// What the template lacks for it.
const WRONG_IN_ODOO: &str = r#"
P = env['product.product']
P.create([{'name': n, 'default_code': c, 'type': 'service'} for n, c in (('a', 'TWICE'), ('b', 'TWICE'))])
P.create({'name': 'c', 'default_code': 'ASLEEP', 'type': 'service'}).active = False
tax = env['account.tax'].search([('name', '=', 'Amazon 5% incl')])
P.create({'name': 'd', 'default_code': 'TAXED', 'type': 'service', 'taxes_id': [(6, 0, tax.ids)]})
eur = env['res.currency'].search([('name', '=', 'EUR')])
env['product.pricelist'].create({'name': 'Asleep', 'currency_id': eur.id}).active = False
env['res.lang']._activate_lang('pl_PL')
pln = env['res.currency'].search([('name', '=', 'PLN')])
pl = env['product.pricelist'].create({'name': 'Price list PL', 'currency_id': pln.id})
if env['product.pricelist']._fields['name'].translate:
    pl.with_context(lang='pl_PL').name = 'Cennik'

service = P.create({'name': 'e', 'type': 'service'})
carrier = env['delivery.carrier'].create({'name': 'Buys Labels', 'product_id': service.id, 'delivery_type': 'fixed'})
env.flush_all() if hasattr(env, 'flush_all') else carrier.flush()
env.cr.execute("update delivery_carrier set delivery_type='ups' where id=%s", [carrier.id])
"#;

#[test]
fn everything_that_is_named_wrongly_has_its_row() {
    for lab in labs("wrong") {
        shell(&lab, WRONG_IN_ODOO);
        let records = "(len(env['product.product'].with_context(active_test=False).search([])), \
                       len(env['product.pricelist'].with_context(active_test=False).search([])))";
        let before = ask(&lab, records);
        let host = host_of(&lab, "", WRONG);
        let report = host.check();
        let translated = "env['product.pricelist']._fields['name'].translate";
        let translates = ask(&lab, &format!("bool({translated})")) == "True";
        each_has_its_row(&report, lab.version, translates);
        assert_eq!(report.exit_code(), 1);
        assert_eq!(ask(&lab, records), before, "a look makes nothing");

        let market = Area::Marketplace;
        let fixed = host.fix();
        let aed = row(&fixed, market, "Amazon.ae pricelist");
        assert_eq!(aed.state, State::Fail);
        assert!(aed.next_step.as_ref().unwrap().contains("activate AED"), "{aed:?}");
        let sek = row(&fixed, market, "Amazon.se pricelist");
        assert_eq!(sek.state, State::Fixed, "{sek:?}");
        for (what, state) in [("TWICE", State::Fail), ("ASLEEP", State::Fail)] {
            assert_eq!(row(&fixed, Area::Products, what).state, state);
        }
        let made = ask(
            &lab,
            "[(p.currency_id.name, p.company_id.id) for p in \
             env['product.pricelist'].search([('name', '=', 'New SEK')])]",
        );
        assert_eq!(made, "[('SEK', False)]");
        let after = ask(&lab, records);
        let again = host.fix();
        assert_eq!(row(&again, market, "Amazon.se pricelist").state, State::Ok);
        assert_eq!(ask(&lab, records), after, "the second run makes nothing");

        // Renamed by a person: not made again behind their back.
        shell(&lab, "env['product.pricelist'].search([('name', '=', 'New SEK')]).name = 'Mine'");
        let renamed = host.fix();
        let sek = row(&renamed, market, "Amazon.se pricelist");
        assert_eq!(sek.state, State::Fail);
        assert!(sek.detail.contains("was made before"), "{sek:?}");
        assert_eq!(ask(&lab, records), after);
    }
}

fn each_has_its_row(report: &Report, version: u32, translates: bool) {
    let expect = |area, what: &str, state, piece: &str| {
        let found = row(report, area, what);
        assert_eq!(found.state, state, "{version} {found:?}");
        let next = found.next_step.clone().unwrap_or_default();
        let text = format!("{} {next}", found.detail);
        assert!(text.contains(piece), "{version} {piece}: {found:?}");
    };
    let (market, products) = (Area::Marketplace, Area::Products);
    expect(market, "Amazon.de pricelist", State::Warn, "usually pay in EUR");
    expect(market, "Amazon.fr pricelist", State::Fail, "archived");
    expect(market, "Amazon.ae pricelist", State::Fail, "--fix");
    expect(market, "Amazon.se pricelist", State::Fail, "--fix");
    expect(market, "tax \"Amazon 20% excl\"", State::Fail, "on top of the price");
    expect(market, "tax \"Amazon 5% incl\"", State::Warn, "the table says 7 % to DE");
    expect(market, "tax \"Second 19% incl\"", State::Fail, "belongs to company 2");
    expect(market, "Amazon.de tax table", State::Warn, "no default for DE");
    let countries = |row: &&Row| row.detail.contains("other countries");
    assert_eq!(report.rows.iter().filter(countries).count(), 1, "{version}");
    expect(market, "Amazon.fr tax table", State::Warn, "empty");
    expect(market, "Amazon.de warehouse", State::Fail, "it has: WH, FBA");
    expect(market, "Amazon.de fba_warehouse", State::Ok, "FBA");
    expect(market, "Amazon.fr fba_warehouse", State::Warn, "own warehouse too");
    expect(market, "Amazon.ae fba_warehouse", State::Warn, "held `warehouse`");
    expect(market, "carrier \"Buys Labels\"", State::Fail, "buy labels");
    expect(market, "carrier \"Nobody\"", State::Fail, "no such delivery method");
    expect(market, "carrier \"amazon standard\"", State::Fail, "Odoo has \"Amazon Standard\"");
    expect(products, "shipping SKU-0001", State::Warn, "ask the warehouse");
    expect(products, "gift_wrap TWICE", State::Fail, "2 products");
    expect(products, "promotion ASLEEP", State::Fail, "archived");
    expect(products, "rounding TAXED", State::Warn, "taxes of its own");
    expect(products, "default_product NO-SUCH", State::Fail, "no product");
    expect(Area::Mail, "delivery e-mails", State::Warn, "Email Confirmation");
    expect(Area::Mail, "delivery text messages", State::Warn, "SMS Confirmation");
    expect(Area::Mail, "confirmation e-mails", State::Ok, "off");
    if translates {
        expect(market, "Amazon.pl pricelist", State::Fail, "\"Price list PL\"");
    }
}

#[test]
fn a_user_without_rights_is_told_which_groups_it_needs() {
    for lab in labs("low") {
        let report = host_of(&lab, "low_", GOOD).fix();
        for (model, group) in [
            ("res.partner", "Contact Creation"),
            ("sale.order", "All Documents"),
            ("stock.picking", "All Documents"),
            ("delivery.carrier", "All Documents"),
        ] {
            let found = row(&report, Area::Rights, model);
            assert_eq!(found.state, State::Fail, "{} {found:?}", lab.version);
            assert!(found.next_step.as_ref().unwrap().contains(group), "{found:?}");
        }
        assert_eq!(row(&report, Area::Rights, "account.tax").state, State::Ok);
        assert_eq!(row(&report, Area::User, "sees all orders").state, State::Warn);
        let fee = row(&report, Area::Products, "shipping");
        assert_eq!(fee.state, State::Fail, "{fee:?}");
        assert!(fee.next_step.as_ref().unwrap().contains("make it yourself"), "{fee:?}");
        assert_eq!(report.exit_code(), 1);

        // The only company it sees is the first.
        let second = GOOD.replace("\"My Company\"", "\"Second Company\"");
        let report = host_of(&lab, "low_", &second).check();
        let company = row(&report, Area::Company, "company");
        assert_eq!(company.state, State::Fail);
        assert!(company.detail.contains("it sees: My Company"), "{company:?}");
        assert!(!has(&report, Area::Marketplace));
    }
}

#[test]
fn traps_of_an_odoo_of_ones_own_are_found() {
    for lab in labs("traps") {
        shell(
            &lab,
            "model = env['ir.model'].search([('model', '=', 'sale.order')])\n\
             env['ir.model.fields'].create({'name': 'x_must', 'model_id': model.id, 'ttype': 'char', \
             'field_description': 'Must', 'required': True})\n\
             mail = env['mail.template'].search([('model', '=', 'sale.order')], limit=1)\n\
             template = env['sale.order.template'].create({'name': 'T', 'mail_template_id': mail.id})\n\
             env['res.company'].browse(1).sale_order_template_id = template\n\
             group = env.ref('sale.group_auto_done_setting')\n\
             env.ref('base.group_user').write({'implied_ids': [(4, group.id)]})\n\
             admin = env.ref('base.group_system')\n\
             field = 'group_ids' if 'group_ids' in env['res.users']._fields else 'groups_id'\n\
             env['res.users'].search([('login', '=', 'integration')]).write({field: [(4, admin.id)]})",
        );
        let report = host_of(&lab, "", GOOD).check();
        let version = lab.version;
        for (area, what, state) in [
            (Area::Traps, "mandatory fields", State::Fail),
            (Area::Traps, "locked orders", State::Warn),
            (Area::Traps, "reasons of refusals", State::Ok),
            (Area::Mail, "confirmation e-mails", State::Warn),
            (Area::User, "administrator", State::Warn),
        ] {
            let found = row(&report, area, what);
            assert_eq!(found.state, state, "{version} {found:?}");
        }
        assert!(row(&report, Area::Traps, "mandatory fields").detail.contains("x_must"));
    }
}

#[test]
fn several_databases_in_sight_of_14_are_told() {
    for lab in labs("sight") {
        if lab.version != 14 {
            continue;
        }
        // At the bare address all databases are in sight, and refusals have no reason.
        let mut host = host_of(&lab, "", GOOD);
        let url = lab.text("url");
        let port = url.rsplit(':').next().unwrap();
        host.odoo = host.odoo.replace(&lab.text("url"), &format!("http://127.0.0.1:{port}"));
        let report = host.check();
        let reasons = row(&report, Area::Traps, "reasons of refusals");
        assert_eq!(reasons.state, State::Fail);
        assert!(reasons.next_step.as_ref().unwrap().contains("dbfilter"), "{reasons:?}");
    }
}

#[test]
fn a_real_odoo_tells_wrong_key_and_wrong_database_apart() {
    for lab in labs("login") {
        let mut host = host_of(&lab, "", GOOD);
        host.api_key = "0".repeat(40);
        let report = host.check();
        assert_eq!(row(&report, Area::Server, "database").state, State::Ok, "{}", lab.version);
        assert_eq!(row(&report, Area::User, "login").state, State::Fail);

        let mut host = host_of(&lab, "", GOOD);
        host.odoo = host.odoo.replace(&lab.database, "spoold_no_such_database");
        let report = host.check();
        let database = row(&report, Area::Server, "database");
        assert_eq!(database.state, State::Fail, "{} {database:?}", lab.version);
        assert!(!has(&report, Area::User), "{} {report:#?}", lab.version);
    }
}
