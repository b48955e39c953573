//! Orders that were bought before `import_from`: counted, and told where somebody looks for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

use odoo_spoold::control::queue;
use odoo_spoold::model::AccountId;
use odoo_spoold::store::FileFilter;

use crate::support::fake_odoo::Flavor;
use crate::support::shop::{clock, installation, order_id, order_report, shop, start};

#[test]
fn night_p7_who_looks_for_an_order_from_before_import_from_is_told_how_to_bring_it_in() {
    let fake = shop(Flavor::V19);
    let mut files = installation(&fake, &["eu"], "");
    let text = files.config_text().replace("import_from = 2001-01-01", "import_from = 2026-06-01");
    let keys = files.keys_text();
    files.rewrite(&text, &keys);
    let eu: AccountId = "eu".parse().unwrap();
    let spoold = start(&files, &clock());
    let handle = spoold.daemon.handle();
    let order = order_id(1).parse().unwrap();
    let next = || queue::show(&handle, &eu, &order).unwrap_err().next_step();
    assert!(!next().contains("import_from"), "{}", next());
    files.drop_bytes("eu", "1.txt.age", &order_report([1]));
    let filter = FileFilter { account: Some(eu.clone()), state: None };
    spoold.wait("the file to be done", || {
        let files = spoold.daemon.store.files(&filter, 10).unwrap();
        files.iter().any(|file| file.counts.before_import_from == 1)
    });
    let said = next();
    assert!(said.contains("1 order of the last files was bought before import_from"), "{said}");
    assert!(said.contains("`odoo-spoold reload`, drop the report again"), "{said}");
    spoold.stop();
}
