//! A fresh account as the settings are by default: what was sold before today stays where it is.

use odoo_spoold::model::FileState;
use odoo_spoold::store::FileFilter;

use crate::real_orders::{ACCOUNTS, account_of, samples, vectors};
use crate::real_support::Tap;
use crate::support::lab::{Lab, versions};
use crate::support::spoold::Installation;

#[test]
fn a_fresh_account_imports_no_history() {
    for version in versions("the default configuration") {
        let lab = Lab::new(version, "default");
        lab.fee_products();
        let tap = Tap::new(&lab);
        let mut options = ACCOUNTS.to_vec();
        options.extend(["--url", &tap.url]);
        let installation = Installation::without(&lab, &options, &["import_from"]);
        let before = (lab.census(), lab.last_write());
        let mut files = vectors();
        files.extend(samples());
        for file in &files {
            installation.drop_file(account_of(file), file);
        }
        let spoold = installation.start();
        spoold.wait_idle(&installation);
        assert_eq!((lab.census(), lab.last_write()), before, "Odoo {version}: {:?}", tap.calls());
        assert_eq!(tap.writes(), 0, "Odoo {version}: {:?}", tap.calls());
        assert_eq!(lab.outgoing(), 0, "nobody may be mailed");

        let records = spoold.daemon.store.files(&FileFilter::default(), 1000).unwrap();
        assert_eq!(records.len(), files.len());
        let mut counted = 0;
        for record in &records {
            let told = format!("{:?} {:?} {:?}", record.name, record.counts, record.refusal);
            assert_eq!(record.state, FileState::Done, "{told}");
            let counts = record.counts;
            // A row without a readable date may be of any day: its order is held, not counted.
            let refused = counts.orders - counts.before_import_from;
            assert!(refused <= counts.refused, "{told}");
            assert_eq!(
                refused,
                counts.new + counts.changed + counts.unchanged + counts.older,
                "{told}"
            );
            counted += counts.before_import_from;
        }
        assert!(counted > 100, "Odoo {version}: only {counted} orders were counted");
        for (account, tally) in spoold.daemon.store.counts() {
            assert_eq!(tally.dead + tally.pending, 0, "{}", spoold.describe(&account));
            for (order, codes) in spoold.holds(&account) {
                assert!(codes.iter().all(|code| code.name() == "row"), "{order} {codes:?}");
            }
        }
        spoold.stop();
    }
}
