//! A large file keeps no small one waiting, and when the mouth closes it is left for the next opening.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::intake::{Intake, IntakeAccount};
use super::mouth::Mouth;
use super::room::Room;
use crate::clock::Manual;
use crate::envelope::{self, Keyring, Policy};
use crate::model::AccountId;
use crate::spool::SpoolDirs;
use crate::store::{Secret, Store, StoreKeys, StoreOptions};

/// Nothing takes longer, or it hangs.
const PATIENCE: Duration = Duration::from_mins(1);
/// Enough for more than a megabyte, and for a barrier in between.
const ORDERS: u64 = 5_000;

pub(super) const HEADER: &str = "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\t\
    fulfillment-channel\tsales-channel\torder-channel\turl\tship-service-level\tproduct-name\tsku\tasin\titem-status\t\
    quantity\tcurrency\titem-price\titem-tax\tshipping-price\tshipping-tax\tgift-wrap-price\tgift-wrap-tax\t\
    item-promotion-discount\tship-promotion-discount\tship-city\tship-state\tship-postal-code\tship-country\t\
    promotion-ids\n";

pub(super) fn report(orders: std::ops::Range<u64>) -> String {
    let mut text = HEADER.to_owned();
    for number in orders {
        writeln!(
            text,
            "303-0000000-{number:07}\t\t2026-01-01T10:00:00+00:00\t2026-01-01T10:00:00+00:00\tUnshipped\tMerchant\t\
             Amazon.de\tWebsiteOrderChannel\t\tStandard\tWeatherproof sign, with drill holes, for interior and exterior\t\
             SKU-0001\tB07TCQB001\tUnshipped\t1\tEUR\t11.90\t1.90\t\t\t\t\t\t\tBERLIN\t\t10115\tDE\t"
        )
        .unwrap();
    }
    text
}

pub(super) fn drop_sealed(incoming: &Path, recipient: &str, name: &str, text: &str) -> usize {
    let mut sealer = envelope::seal(Vec::new(), &[recipient], false).unwrap();
    sealer.write_all(text.as_bytes()).unwrap();
    let sealed = sealer.finish().unwrap();
    let hidden = incoming.join(format!(".{name}.tmp"));
    std::fs::write(&hidden, &sealed).unwrap();
    std::fs::rename(&hidden, incoming.join(name)).unwrap();
    sealed.len()
}

pub(super) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_large_file_keeps_no_small_one_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let dirs = SpoolDirs::new(&spool, "eu");
    dirs.prepare().unwrap();
    let id: AccountId = "eu".parse().unwrap();
    let secret = |byte: u8| Secret::new(Box::new([byte; 32]));
    let keys = StoreKeys::new("m1", secret(1)).unwrap().with_account(id.clone(), secret(2));
    let store = Store::open(&dir.path().join("state"), &keys, StoreOptions::default()).unwrap();
    let (identity, recipient) = envelope::generate_identity();
    let account = IntakeAccount {
        id: id.clone(),
        keyring: Arc::new(Keyring::from_identities([identity.expose_secret()]).unwrap()),
        policy: Policy::default(),
        max_file_bytes: 1 << 30,
        import_from: Timestamp::UNIX_EPOCH,
    };
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    let intake = Intake {
        store: Arc::new(store),
        clock: Arc::new(Manual::new(now)),
        courtesy: Arc::default(),
        stop: CancellationToken::new(),
    };
    let store = Arc::clone(&intake.store);
    // The large file is the first to wake anybody, half-way through: there it stays until let go.
    let (half_way, let_go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let wake: Arc<dyn Fn() + Send + Sync> = {
        let (half_way, let_go) = (Arc::clone(&half_way), Arc::clone(&let_go));
        Arc::new(move || {
            if !half_way.swap(true, Ordering::SeqCst) {
                wait("being let go", || let_go.load(Ordering::SeqCst));
            }
        })
    };
    let stop = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let open = |stop: &CancellationToken| {
        let mouth = Arc::new(Mouth {
            intake: Intake { stop: stop.clone(), ..intake.clone() },
            account: Arc::new(RwLock::new(Arc::new(account.clone()))),
            dirs: dirs.clone(),
            settle: Duration::from_millis(10),
            poll: Duration::from_millis(50),
            wake: Arc::clone(&wake),
            first_wait: Duration::from_millis(20),
            left: Arc::default(),
            expected: Arc::default(),
            room: Arc::new(Room::endless()),
        });
        runtime.spawn(mouth.run(stop.clone(), || ()))
    };
    let running = open(&stop);

    let bytes = drop_sealed(&dirs.incoming, &recipient, "large.age", &report(0..ORDERS));
    assert!(bytes > 1024 * 1024, "{bytes} bytes are not large");
    wait("the large file to be half-way", || half_way.load(Ordering::SeqCst));
    for number in ORDERS..ORDERS + 3 {
        let name = format!("small-{number}.age");
        drop_sealed(&dirs.incoming, &recipient, &name, &report(number..number + 1));
    }
    let ended = || std::fs::read_dir(&dirs.done).unwrap().count();
    // Each with its result beside it.
    wait("the small files", || ended() == 2 * 3);
    assert!(!let_go.load(Ordering::SeqCst));
    // Closing does not wait for the end of the large one.
    stop.cancel();
    let_go.store(true, Ordering::SeqCst);
    runtime.block_on(running).unwrap().unwrap();
    assert_eq!(ended(), 2 * 3);
    let known = store.counts()[&id].pending;
    assert!((3..ORDERS).contains(&known), "{known} orders are known half-way");
    // The next opening takes it up, and small ones still pass it.
    half_way.store(false, Ordering::SeqCst);
    let_go.store(false, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let running = open(&stop);
    wait("the large file to be taken up", || half_way.load(Ordering::SeqCst));
    let last = ORDERS + 3;
    drop_sealed(&dirs.incoming, &recipient, "small-last.age", &report(last..last + 1));
    wait("the last small file", || ended() == 2 * 4);
    let_go.store(true, Ordering::SeqCst);
    wait("all files", || ended() == 2 * 5);
    stop.cancel();
    runtime.block_on(running).unwrap().unwrap();
    assert_eq!(store.counts()[&id].pending, ORDERS + 4);
}
