//! The state is lost: the daemon waits, `rebuild` brings everything back, Odoo is not touched.

use std::collections::BTreeMap;
use std::path::Path;

use odoo_spoold::control::hold;
use odoo_spoold::control::status::status;
use odoo_spoold::control::wire::{Decide, GateStatus, Health, RebuildReport};
use odoo_spoold::model::{Accept, HoldCode, JobState, Mapping, Note, OrderId, Outcome};

use crate::real_support::{Sale, all_orders, order_id};
use crate::support::lab::{Lab, runtime, versions};
use crate::support::spoold::{Installation, Spoold};

const GROUP: u32 = 401;
/// Come back with everything that was known of them.
const WHOLE: [u32; 8] = [1, 2, 3, 5, 7, 9, 12, 15];
/// A person keeps what Odoo has: decided and done, decided after its files were gone, and decided
/// but not acted on yet.
const KEPT: [u32; 3] = [13, 14, 17];

fn id(n: u32) -> String {
    order_id(GROUP, n)
}

fn sale(n: u32) -> Sale<'static> {
    Sale { order: id(n).leak(), ..Sale::default() }
}

fn pending(n: u32) -> Sale<'static> {
    Sale { status: "Pending", item: "Unshipped", ..sale(n) }
}

fn without_product(n: u32) -> Sale<'static> {
    Sale { sku: "NO-SUCH-ARTICLE", ..sale(n) }
}

fn two(sale: Sale<'static>) -> Sale<'static> {
    Sale { quantity: 2, price: "24.00", tax: "4.00", updated: 60, ..sale }
}

fn cancelled(sale: Sale<'static>) -> Sale<'static> {
    Sale { status: "Cancelled", item: "Cancelled", updated: 60, ..sale }
}

/// So many units of an order in Odoo, by hand.
fn units(n: u32, units: u32) -> String {
    let order = id(n);
    format!("order('{order}').order_line.write({{'product_uom_qty': {units}, 'price_unit': 12}})\n")
}

fn decide(spoold: &Spoold, installation: &Installation, n: u32, accept: Accept) {
    let order_id = Some(id(n).parse().unwrap());
    let request = Decide { account: installation.account(), order_id, all: false, accept };
    let answer = hold::decide(&spoold.daemon.handle(), &request, Some(1000)).unwrap();
    assert_eq!(answer.orders, 1);
}

/// What a person does in `odoo shell`.
fn person(lab: &Lab, python: &str) {
    let said = lab.shell(&format!(
        "def order(ref):
    found = env['sale.order'].search([('client_order_ref', '=', ref)])
    assert len(found) == 1
    return found
{python}
env.cr.commit()
print('do' + 'ne')
"
    ));
    assert!(said.contains("done"), "{said}");
}

fn take(installation: &Installation, spoold: &Spoold, name: &str, sales: Vec<Sale<'_>>) {
    installation.drop_bytes("eu", &format!("{name}.age"), &all_orders(sales));
    spoold.wait_idle(installation);
}

/// The file that was dropped as `name` expires.
fn expire(installation: &Installation, name: &str) {
    let gone: Vec<_> = std::fs::read_dir(installation.folder("eu", "done"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name))
        .map(|path| std::fs::remove_file(path).unwrap())
        .collect();
    assert_eq!(gone.len(), 2, "{name}");
}

/// What is known of the orders: job and mapping.
fn digest(
    spoold: &Spoold,
    installation: &Installation,
    orders: &[u32],
) -> BTreeMap<u32, (JobState, Option<Mapping>)> {
    let account = installation.account();
    let known = |n: u32| {
        let order: OrderId = id(n).parse().unwrap();
        let state = spoold.job(&account, order.as_str()).unwrap().state;
        let mut mapping = spoold.daemon.store.dossier(&account, &order).unwrap().unwrap().mapping;
        if let Some(mapping) = &mut mapping {
            mapping.lines.sort_by(|a, b| a.external.cmp(&b.external));
            // When we wrote, not what: after a rebuild it is when the note was made.
            (mapping.created, mapping.written) = (None, None);
            // A rebuild takes every note line for sent: a line that a person deleted stays away.
            mapping.notes.clear();
        }
        (n, (state, mapping))
    };
    orders.iter().copied().map(known).collect()
}

/// What a person declined of an order, once that was acted on; the state of its job beside it.
fn declined(spoold: &Spoold, installation: &Installation, n: u32) -> (JobState, String) {
    let (state, mapping) = digest(spoold, installation, &[n]).remove(&n).unwrap();
    let mapping = mapping.unwrap();
    assert_eq!((mapping.ruling, mapping.base_lost), (None, false), "{n}");
    let said = mapping.declined.iter().map(|d| format!("{} {}: {}", d.field, d.wanted, d.kept));
    (state, said.collect::<Vec<_>>().join(", "))
}

fn rebuild(spoold: &Spoold, dry_run: bool) -> RebuildReport {
    let desk = spoold.daemon.handle().desk;
    let runtime = runtime();
    let _inside = runtime.enter();
    desk.rebuild(None, dry_run).unwrap();
    spoold.wait("the rebuild to end", || !desk.rebuilding().running);
    let report = desk.rebuilding();
    assert_eq!(report.error, None, "{report:?}");
    report
}

/// Garbage in the middle of the database.
fn corrupt(state: &Path) {
    let db = state.join("store/db");
    let mut bytes = std::fs::read(&db).unwrap();
    let (from, to) = (bytes.len() / 8, bytes.len() / 2);
    bytes[from..to].fill(0xA5);
    std::fs::write(&db, bytes).unwrap();
    for entry in std::fs::read_dir(state.join("store")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            std::fs::write(path, b"no snapshot").unwrap();
        }
    }
}

#[test]
fn what_was_known_comes_back() {
    for version in versions("rebuild") {
        let lab = Lab::new(version, "rebuild");
        lab.fee_products();
        person(
            &lab,
            &format!(
                "partner = env['res.partner'].create({{'name': 'By Hand'}})
product = env['product.product'].search([('default_code', '=', 'SKU-0003')])
env['sale.order'].create({{'client_order_ref': '{}', 'partner_id': partner.id, 'company_id': 1,
    'order_line': [(0, 0, {{'product_id': product.id, 'product_uom_qty': 3, 'price_unit': 7}})]}})",
                id(5)
            ),
        );
        let installation = Installation::new(&lab, &["--existing", "adopt"]);
        let account = installation.account();
        let state = installation.settings.state.dir.clone();
        let spoold = installation.start();
        let first = vec![
            sale(1),
            pending(2),
            without_product(3),
            pending(4),
            sale(5),
            pending(6),
            sale(8),
            sale(9),
            cancelled(sale(12)),
            sale(13),
            sale(15),
            sale(16),
            sale(17),
        ];
        take(&installation, &spoold, "first", first);
        take(&installation, &spoold, "held", vec![without_product(7)]);
        take(&installation, &spoold, "expired", vec![sale(10), sale(11)]);
        person(
            &lab,
            &format!(
                "order('{}').unlink(); order('{}').unlink(); order('{}').order_line[0].price_unit = 99",
                id(4),
                id(6),
                id(8)
            ),
        );
        take(&installation, &spoold, "noticed", vec![Sale { updated: 30, ..two(pending(4)) }]);
        // A person and Amazon change the same quantities.
        take(&installation, &spoold, "aged", vec![sale(14)]);
        let disputed = [13, 14, 15, 16, 17];
        person(&lab, &disputed.map(|n| units(n, 5)).concat());
        take(&installation, &spoold, "older", vec![two(sale(14))]);
        let others = [13, 15, 16, 17];
        take(&installation, &spoold, "disputed", others.map(|n| two(sale(n))).to_vec());
        for n in disputed {
            let holds = spoold.holds_of(&account, &id(n));
            assert!(matches!(&holds[..], [hold] if hold.code == HoldCode::Conflict), "{holds:?}");
        }
        // Retention notes what is not settled before its file goes.
        for n in [7, 14] {
            let held: OrderId = id(n).parse().unwrap();
            let job = spoold.job(&account, held.as_str()).unwrap();
            assert!(matches!(job.state, JobState::Held(_)));
            let dossier = spoold.daemon.store.dossier(&account, &held).unwrap().unwrap();
            let kept = Note::Kept {
                account: account.clone(),
                dossier: Box::new(dossier),
                state: job.state,
                since: job.since,
            };
            spoold.daemon.store.note(&[kept]).unwrap();
        }
        for name in ["held", "expired", "aged", "older"] {
            expire(&installation, name);
        }
        for n in [13, 14, 16] {
            decide(&spoold, &installation, n, Accept::Odoo);
        }
        decide(&spoold, &installation, 15, Accept::Marketplace);
        spoold.wait_idle(&installation);
        assert_eq!(lab.orders()[&id(15)].lines[0].quantity, "2.00", "Odoo {version}");
        // What the person goes on to change is theirs, and not what was decided on.
        person(&lab, &units(16, 6));
        let before = digest(&spoold, &installation, &WHOLE);
        let expired = digest(&spoold, &installation, &[10, 11]);
        assert_eq!(spoold.outcome(&account, &id(4)), Some(Outcome::DeletedInOdoo));
        assert_eq!(spoold.outcome(&account, &id(12)), Some(Outcome::CancelledUnseen));
        let installed = spoold.daemon.store.installation().to_owned();
        // Decided while the account is paused: not acted on.
        let now = spoold.daemon.clock.now();
        spoold.daemon.store.pause(Some(&account), Some(1000), true, now).unwrap();
        let paused = spoold.daemon.store.paused(&account);
        decide(&spoold, &installation, 17, Accept::Odoo);
        let kept = declined(&spoold, &installation, 13);
        assert_eq!(kept.0, JobState::Done(Outcome::Delivered), "Odoo {version}");
        assert!(kept.1.ends_with(" quantity 2: 5"), "{}", kept.1);
        spoold.stop();
        let untouched = (lab.last_write(), lab.census());

        for loss in ["deleted", "corrupt"] {
            let about = format!("Odoo {version}, {loss}");
            if loss == "deleted" {
                std::fs::remove_dir_all(state.join("store")).unwrap();
            } else {
                corrupt(&state);
            }
            let spoold = installation.start();
            assert!(spoold.daemon.store.is_lost(&account), "{about}");
            assert_eq!(spoold.daemon.store.moved_aside().is_some(), loss == "corrupt", "{about}");
            let told = status(&spoold.daemon.handle()).unwrap();
            assert_eq!(told.health, Health::Fault, "{about}");
            assert!(told.headline.contains("odoo-spoold rebuild"), "{about}: {}", told.headline);
            assert!(
                matches!(&told.accounts[0].gate, GateStatus::Paused(c) if c.code == "state-lost")
            );
            // A restart does not forget it, and a dry run stores nothing.
            spoold.stop();
            let spoold = installation.start();
            let counted = rebuild(&spoold, true);
            assert_eq!(spoold.tally(&account).total(), 0, "{about}");
            assert!(spoold.daemon.store.is_lost(&account), "{about}");

            let report = rebuild(&spoold, false);
            assert_eq!(report.accounts, counted.accounts, "{about}");
            let rebuilt = &report.accounts[0];
            assert_eq!(
                (rebuilt.orders, rebuilt.adopted, rebuilt.deleted, rebuilt.kept, rebuilt.files),
                (11, 1, 2, 2, 3),
                "{about}"
            );
            assert_eq!(
                spoold.daemon.store.paused(&account),
                paused,
                "{about}: who, and since when"
            );
            spoold.daemon.store.resume(Some(&account), spoold.daemon.clock.now()).unwrap();
            spoold.daemon.delivery.wake(&account);
            spoold.wait_idle(&installation);
            assert_eq!(digest(&spoold, &installation, &WHOLE), before, "{about}");
            for (n, (state, mapping)) in digest(&spoold, &installation, &[10, 11]) {
                assert_eq!(state, expired[&n].0, "{about}");
                let (mapping, known) = (mapping.unwrap(), expired[&n].1.as_ref().unwrap());
                assert_eq!(mapping.lines, known.lines, "{about}");
                assert_eq!((mapping.odoo_id, &mapping.base), (known.odoo_id, &known.base));
                assert!(mapping.base_lost, "{about}");
            }
            for deleted in [4, 6] {
                let outcome = spoold.outcome(&account, &id(deleted));
                assert_eq!(outcome, Some(Outcome::DeletedInOdoo), "{about}: {deleted}");
            }
            let holds = spoold.holds_of(&account, &id(8));
            assert!(matches!(&holds[..], [hold] if hold.code == HoldCode::Conflict), "{about}");
            // What was decided is not asked again, unless one side changed since.
            for n in KEPT {
                let (state, said) = declined(&spoold, &installation, n);
                assert_eq!(state, kept.0, "{about}: {n}");
                assert_eq!(said, kept.1.replace(&id(13), &id(n)), "{about}: {n}");
            }
            let holds = spoold.holds_of(&account, &id(16));
            assert!(matches!(&holds[..], [hold] if hold.text.contains("quantity 6")), "{holds:?}");
            assert_eq!(spoold.daemon.store.installation(), installed, "{about}");
            assert_eq!((lab.last_write(), lab.census()), untouched, "{about}");
            // As it was, for the next loss.
            let since = paused.unwrap().since;
            spoold.daemon.store.pause(Some(&account), Some(1000), true, since).unwrap();
            spoold.stop();
        }

        // What comes later: conflicts where the base is lost, cancellations, and nothing else.
        let spoold = installation.start();
        spoold.daemon.store.resume(None, spoold.daemon.clock.now()).unwrap();
        let kept: Vec<_> = [8, 10].map(|n| lab.orders()[&id(n)].clone()).to_vec();
        let mut later =
            vec![two(sale(8)), two(sale(10)), cancelled(sale(11)), two(pending(4)), two(sale(9))];
        // Amazon says what was declined once more, and another value.
        let same = Sale { updated: 90, ..two(sale(14)) };
        let three = Sale { quantity: 3, price: "36.00", tax: "6.00", ..two(sale(13)) };
        later.extend([same, Sale { updated: 90, ..three }]);
        take(&installation, &spoold, "later", later);
        let seen = lab.orders();
        assert_eq!([8, 10].map(|n| seen[&id(n)].clone()).to_vec(), kept, "Odoo {version}");
        for n in [8, 10] {
            let holds = spoold.holds_of(&account, &id(n));
            assert!(
                holds.iter().all(|hold| hold.code == HoldCode::Conflict) && !holds.is_empty(),
                "Odoo {version}: {n}: {holds:?}"
            );
        }
        assert_eq!(seen[&id(11)].state, "cancel", "Odoo {version}");
        for n in [13, 14] {
            assert_eq!(
                seen[&id(n)].lines[0].quantity,
                "5.00",
                "Odoo {version}: {n} is overwritten"
            );
        }
        let holds = spoold.holds_of(&account, &id(13));
        assert!(matches!(&holds[..], [hold] if hold.text.contains("quantity 3")), "{holds:?}");
        assert_eq!(spoold.outcome(&account, &id(14)), Some(Outcome::Delivered), "Odoo {version}");
        assert!(!seen.contains_key(&id(4)), "Odoo {version}");
        // Where Odoo and the marketplace had agreed, there is a base again.
        assert_eq!(seen[&id(9)].lines[0].quantity, "2.00", "Odoo {version}");
        spoold.stop();
    }
}
