//! Handing a document to the running daemon, and asking what it would do.

use std::sync::Arc;
use std::time::Duration;

use odoo_spoold::control::wire::ProcessReport;
use odoo_spoold::control::{ControlError, ProcessSource};
use odoo_spoold::model::{
    AccountId, Counts, DocumentInfo, FileId, FileRecord, FileState, HoldCode,
};

use crate::support::fake_odoo::Flavor;
use crate::support::shop::{clock, installation, order_report, shop, start};
use crate::support::spoold::{Installation, Spoold};

fn eu() -> AccountId {
    "eu".parse().unwrap()
}

fn source(installation: &Installation, numbers: impl IntoIterator<Item = usize>) -> ProcessSource {
    ProcessSource {
        bytes: installation.sealed("eu", &order_report(numbers), false).into(),
        name: "orders.age".into(),
        sidecar: None,
    }
}

fn process(
    spoold: &Spoold,
    source: ProcessSource,
    dry_run: bool,
) -> Result<ProcessReport, ControlError> {
    let desk = spoold.daemon.handle().desk;
    crate::support::lab::runtime().block_on(desk.process(&eu(), source, dry_run))
}

#[test]
fn house_6_a_file_that_was_handed_in_is_found_among_any_number_of_others() {
    let fake = shop(Flavor::V19);
    let installation = installation(&fake, &["eu"], "");
    let spoold = start(&installation, &clock());
    let later = spoold.daemon.clock.now() + jiff::SignedDuration::from_hours(1);
    for number in 0..300 {
        let record = FileRecord {
            id: FileId::from_bits(number),
            account: eu(),
            name: None,
            sha256: [0; 32],
            bytes: 1,
            claimed_at: later,
            state: FileState::Done,
            since: later,
            envelope: "age".into(),
            family: None,
            charset: String::new(),
            counts: Counts::default(),
            faults: Vec::new(),
            notices: Vec::new(),
            refusal: None,
            described: DocumentInfo::default(),
            wait: None,
        };
        spoold.daemon.store.put_file(&record).unwrap();
    }
    let report = process(&spoold, source(&installation, 0..2), false).unwrap();
    assert_eq!((report.refusal, report.counts.orders), (None, 2));
    assert!(spoold.daemon.store.file(&report.id.unwrap()).unwrap().is_some());
}

#[test]
fn audit_08_a_document_that_is_larger_than_the_account_takes_is_refused_before_it_is_dropped() {
    let fake = shop(Flavor::V19);
    let mut installation = installation(&fake, &["eu"], "");
    let text = installation
        .config_text()
        .replace("region = \"EU\"", "region = \"EU\"\nmax_file_size = \"1KiB\"");
    let keys = installation.keys_text();
    installation.rewrite(&text, &keys);
    let spoold = start(&installation, &clock());
    for dry_run in [true, false] {
        let report = process(&spoold, source(&installation, 0..20), dry_run).unwrap();
        assert_eq!(report.refusal.unwrap().code, "file-too-large", "dry run: {dry_run}");
    }
    let incoming = installation.folder("eu", "incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

/// `systemctl reload` says nothing of what it could not take over; status does, until the restart.
#[test]
fn night_p15_what_waits_for_a_restart_stands_in_the_status() {
    let fake = shop(Flavor::V19);
    let mut place = installation(&fake, &["eu"], "");
    let spoold = start(&place, &clock());
    let restart = || {
        let status = odoo_spoold::control::status::status(&spoold.daemon.handle()).unwrap();
        let mut found =
            status.concerns.into_iter().filter(|concern| concern.kind.name() == "restart");
        found.next().map(|concern| concern.text)
    };
    let (old, keys) = (place.config_text(), place.keys_text());
    assert_eq!(restart(), None);
    place.rewrite(&old.replacen("[odoo]\n", "[odoo]\nlimit_time_real = \"77s\"\n", 1), &keys);
    let said = spoold.daemon.reload().unwrap();
    assert_eq!(said, ["odoo.limit_time_real: waits for a restart"]);
    assert_eq!(
        restart().unwrap(),
        "config.toml is newer than what runs: odoo.limit_time_real; `systemctl restart odoo-spoold`"
    );
    place.rewrite(&old, &keys);
    assert!(spoold.daemon.reload().unwrap().is_empty());
    assert_eq!(restart(), None);
    spoold.stop();
}

#[test]
fn house_2_a_dry_run_knows_the_default_product_of_unknown_skus() {
    let fake = shop(Flavor::V19);
    let unit = fake.records("uom.uom")[0]["id"].clone();
    fake.insert(
        "product.product",
        serde_json::json!({"name": "Anything", "default_code": "ANYTHING", "uom_id": unit}),
    );
    let mut installation = installation(&fake, &["eu"], "");
    let text = installation.config_text().replace(
        "region = \"EU\"",
        "region = \"EU\"\nunknown_sku = \"default\"\ndefault_product = \"ANYTHING\"",
    );
    let keys = installation.keys_text();
    installation.rewrite(&text, &keys);
    let spoold = start(&installation, &clock());
    let text = String::from_utf8(order_report(0..3)).unwrap().replace("SKU-00", "OTHER-");
    let bytes = installation.sealed("eu", text.as_bytes(), false).into();
    let source = ProcessSource { bytes, name: "orders.age".into(), sidecar: None };
    let report = process(&spoold, source, true).unwrap();
    let would = report.would.unwrap();
    assert_eq!(would.hold.get(&HoldCode::Sku), None, "{would:?}");
    assert_eq!(would.create, 3, "{would:?}");
}

#[test]
fn audit_18_two_dry_runs_at_once_and_each_counts_every_order_of_a_long_file() {
    let fake = shop(Flavor::V19);
    let installation = installation(&fake, &["eu"], "");
    let spoold = start(&installation, &clock());
    let report = process(&spoold, source(&installation, 0..1_300), true).unwrap();
    let would = report.would.unwrap();
    assert_eq!((report.counts.orders, would.create), (1_300, 1_300), "{would:?}");
    assert!(would.examples.len() <= 50);

    fake.set_latency(Duration::from_secs(2));
    let desk = spoold.daemon.handle().desk;
    let answers = crate::support::lab::runtime().block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for number in 0..3 {
            let (desk, source) = (Arc::clone(&desk), source(&installation, number..number + 1));
            running.spawn(async move { desk.process(&eu(), source, true).await });
        }
        running.join_all().await
    });
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let [ControlError::Process { code, .. }] = refused.as_slice() else { panic!("{answers:?}") };
    assert_eq!(code, "dry-runs-busy");
}

#[test]
fn night_p14_one_command_seals_a_sample_and_says_what_it_would_become() {
    let fake = shop(Flavor::V19);
    let installation = installation(&fake, &["eu"], "");
    let spoold = start(&installation, &clock());
    let (socket, handle) = (installation.settings.control.socket.clone(), spoold.daemon.handle());
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    let serving = std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let listener = odoo_spoold::control::bind(&socket).unwrap();
            odoo_spoold::control::serve(listener, handle, stopped).await.unwrap();
        });
    });
    let asked = |more: &[&str]| {
        spoold.wait("the socket", || installation.settings.control.socket.exists());
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_odoo-spoold"));
        command.args(["process", "--sample", "--account", "eu", "--json", "--config"]);
        let done = command.arg(&installation.config).args(more).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{told}");
        serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()
    };
    let said = asked(&["--sku", "SKU-0001"]);
    assert_eq!((&said["dry_run"], &said["would"]["create"]), (&true.into(), &1.into()), "{said}");
    let said = asked(&[]);
    assert_eq!(said["would"]["hold"]["sku"], 1, "{said}");
    assert!(fake.records("sale.order").is_empty());
    stop.cancel();
    serving.join().unwrap();
    spoold.stop();
}
