//! Hints: they come when something happens, also after the folder was replaced, and never from our own looking.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use odoo_spoold::spool::{FileId, Hint, HintKind, Scanner, SpoolDirs, Watch, claim};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// Longer than any test: what arrives came from an event.
const NEVER: Duration = Duration::from_hours(1);
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn spool() -> (tempfile::TempDir, SpoolDirs) {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let dirs = SpoolDirs::new(root.path(), "a");
    dirs.prepare().unwrap();
    (root, dirs)
}

async fn next(hints: &mut Receiver<Hint>) -> Hint {
    timeout(PATIENCE, hints.recv()).await.expect("a hint in time").expect("the watch lives")
}

/// Waits until `name` was hinted at; returns how.
async fn hint_for(hints: &mut Receiver<Hint>, wanted: &str) -> Vec<HintKind> {
    loop {
        let hint = next(hints).await;
        let kinds: Vec<_> =
            hint.names.iter().filter(|(name, _)| name == wanted).map(|(_, kind)| *kind).collect();
        if kinds.iter().any(|kind| *kind != HintKind::Appeared) {
            return kinds;
        }
    }
}

async fn quiet(hints: &mut Receiver<Hint>) {
    let hint = timeout(Duration::from_millis(300), hints.recv()).await;
    assert!(hint.is_err(), "{hint:?}");
}

fn drop_in(dirs: &SpoolDirs, name: &str) {
    let outside = dirs.root.join(name);
    fs::write(&outside, b"age").unwrap();
    fs::rename(outside, dirs.incoming.join(name)).unwrap();
}

#[tokio::test]
async fn what_happens_is_hinted_at_and_our_own_looking_is_not() {
    let (_root, dirs) = spool();
    let (_watch, mut hints) = Watch::start(std::slice::from_ref(&dirs.incoming), NEVER).unwrap();
    assert_eq!(next(&mut hints).await, Hint { dir: dirs.incoming.clone(), names: vec![] });
    quiet(&mut hints).await;

    drop_in(&dirs, "renamed");
    assert_eq!(hint_for(&mut hints, "renamed").await, [HintKind::RenamedIn]);
    fs::write(dirs.incoming.join("written"), b"age").unwrap();
    assert_eq!(hint_for(&mut hints, "written").await.last(), Some(&HintKind::Closed));
    while timeout(Duration::from_millis(300), hints.recv()).await.is_ok() {}

    // Unfinished names, reading, listing, claiming: nothing.
    fs::write(dirs.incoming.join("x.tmp"), b"age").unwrap();
    fs::write(dirs.incoming.join(".x"), b"age").unwrap();
    let mut scanner = Scanner::new(dirs.clone(), Duration::ZERO);
    for _ in 0..5 {
        assert_eq!(scanner.scan(Instant::now()).unwrap().ready.len(), 2);
    }
    for candidate in scanner.scan(Instant::now()).unwrap().ready {
        claim(&dirs, &candidate, FileId::random(), "").unwrap();
    }
    quiet(&mut hints).await;

    // From .tmp to its name inside the folder.
    fs::rename(dirs.incoming.join("x.tmp"), dirs.incoming.join("x")).unwrap();
    assert_eq!(hint_for(&mut hints, "x").await, [HintKind::RenamedIn]);
}

#[tokio::test]
async fn a_replaced_folder_is_watched_again() {
    let (_root, dirs) = spool();
    let other = SpoolDirs::new(dirs.root.parent().unwrap(), "b");
    other.prepare().unwrap();
    let both = [dirs.incoming.clone(), other.incoming.clone()];
    let (watch, mut hints) = Watch::start(&both, NEVER).unwrap();
    next(&mut hints).await;
    next(&mut hints).await;

    let replacements: [fn(&Path); 3] = [
        |dir| fs::remove_dir_all(dir).unwrap(),
        |dir| fs::rename(dir, dir.with_extension("away")).unwrap(),
        |dir| {
            fs::remove_dir_all(dir).unwrap();
            // Long enough to be missed by whoever looks only once.
            std::thread::sleep(Duration::from_millis(600));
        },
    ];
    for (round, replace) in replacements.into_iter().enumerate() {
        replace(&dirs.incoming);
        fs::create_dir(&dirs.incoming).unwrap();
        // The hint that follows every new watch.
        while next(&mut hints).await.dir != dirs.incoming {}
        assert_eq!(watch.trouble(), []);
        let name = format!("file{round}");
        drop_in(&dirs, &name);
        assert_eq!(hint_for(&mut hints, &name).await, [HintKind::RenamedIn]);
        drop_in(&other, &name);
        assert_eq!(hint_for(&mut hints, &name).await, [HintKind::RenamedIn]);
    }
    // What happens in the folder that was renamed away is no longer our business.
    while timeout(Duration::from_millis(300), hints.recv()).await.is_ok() {}
    fs::write(dirs.incoming.with_extension("away").join("late"), b"age").unwrap();
    quiet(&mut hints).await;
}

#[tokio::test]
async fn a_missing_folder_is_no_error_and_found_when_it_comes() {
    let (_root, dirs) = spool();
    fs::remove_dir(&dirs.incoming).unwrap();
    let (watch, mut hints) = Watch::start(std::slice::from_ref(&dirs.incoming), NEVER).unwrap();
    assert_eq!(watch.trouble().len(), 1);
    next(&mut hints).await;
    fs::create_dir(&dirs.incoming).unwrap();
    next(&mut hints).await;
    assert_eq!(watch.trouble(), []);
    drop_in(&dirs, "file");
    hint_for(&mut hints, "file").await;
}

#[tokio::test]
async fn the_poll_timer_hints_without_any_event() {
    let (_root, dirs) = spool();
    let (watch, mut hints) =
        Watch::start(std::slice::from_ref(&dirs.incoming), Duration::from_millis(20)).unwrap();
    for _ in 0..5 {
        assert_eq!(next(&mut hints).await.names, []);
    }
    drop(watch);
    let ended = async { while hints.recv().await.is_some() {} };
    timeout(PATIENCE, ended).await.expect("the thread ends with the watch");
}

/// Runs itself again in a mount namespace of its own; needs root.
#[test]
fn a_late_mount_over_the_folder_is_noticed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "spool_watch::mounted_over", "--ignored"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[tokio::test]
#[ignore = "run by a_late_mount_over_the_folder_is_noticed"]
async fn mounted_over() {
    let (_root, dirs) = spool();
    let poll = Duration::from_millis(200);
    let (_watch, mut hints) = Watch::start(std::slice::from_ref(&dirs.incoming), poll).unwrap();
    next(&mut hints).await;
    let mount = |what: &[&str]| {
        let done = Command::new(what[0]).args(&what[1..]).arg(&dirs.incoming).status().unwrap();
        assert!(done.success());
    };
    // No event tells of it; the timer finds another folder there.
    for what in [["mount", "-t", "tmpfs", "none"].as_slice(), &["umount", "-l"]] {
        mount(what);
        for _ in 0..3 {
            next(&mut hints).await;
        }
        fs::write(dirs.incoming.join(what[0]), b"age").unwrap();
        assert_eq!(hint_for(&mut hints, what[0]).await.last(), Some(&HintKind::Closed));
    }
}

/// Far more events than the kernel's queue holds, from a receiver that does not listen meanwhile.
#[tokio::test]
async fn twenty_thousand_files_at_once_are_all_found_once() {
    const FILES: usize = 20_000;
    let (_root, dirs) = spool();
    let (_watch, mut hints) = Watch::start(std::slice::from_ref(&dirs.incoming), NEVER).unwrap();
    let incoming: PathBuf = dirs.incoming.clone();
    tokio::task::spawn_blocking(move || {
        for number in 0..FILES {
            fs::write(incoming.join(number.to_string()), b"age").unwrap();
        }
    })
    .await
    .unwrap();
    let mut scanner = Scanner::new(dirs.clone(), Duration::from_millis(200));
    let mut found: HashSet<OsString> = HashSet::new();
    let mut pause = PATIENCE;
    while found.len() < FILES {
        // Either a hint, or the time the last look asked for.
        if let Ok(hint) = timeout(pause, hints.recv()).await {
            for (name, kind) in hint.unwrap().names {
                scanner.hint(&name, kind);
            }
        }
        let scan = scanner.scan(Instant::now()).unwrap();
        assert!(scan.ready.len() <= 512);
        for candidate in scan.ready {
            fs::remove_file(dirs.incoming.join(&candidate.name)).unwrap();
            assert!(found.insert(candidate.name), "handed out twice");
        }
        pause = scan.next_look.unwrap_or(PATIENCE);
    }
    assert_eq!(fs::read_dir(&dirs.incoming).unwrap().count(), 0);
}

/// `cargo test --test it -- --ignored --nocapture latency`: rename → our copy, on this disk.
#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn latency_from_rename_to_claim() {
    let root = tempfile::tempdir().unwrap();
    let dirs = SpoolDirs::new(root.path(), "a");
    dirs.prepare().unwrap();
    let (_watch, mut hints) = Watch::start(std::slice::from_ref(&dirs.incoming), NEVER).unwrap();
    let mut scanner = Scanner::new(dirs.clone(), Duration::from_secs(2));
    let mut times = Vec::new();
    for round in 0..50 {
        while timeout(Duration::from_millis(20), hints.recv()).await.is_ok() {}
        let outside = dirs.root.join("outside");
        fs::write(&outside, b"age one order").unwrap();
        let start = Instant::now();
        fs::rename(outside, dirs.incoming.join(format!("{round}"))).unwrap();
        loop {
            for (name, kind) in next(&mut hints).await.names {
                scanner.hint(&name, kind);
            }
            let scan = scanner.scan(Instant::now()).unwrap();
            if let Some(candidate) = scan.ready.first() {
                let seen = start.elapsed();
                claim(&dirs, candidate, FileId::random(), "").unwrap();
                times.push((start.elapsed(), seen));
                break;
            }
        }
    }
    times.sort_unstable();
    println!("claimed, of which until ready: median {:?}, worst {:?}", times[25], times[49]);
}
