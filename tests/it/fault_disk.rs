//! Disks that refuse: full, read-only, failing syncs, on the real daemon binary. It takes no more
//! files, keeps what is safe, says so, turns in no busy loop, and goes on by itself or is started
//! again by systemd (`Restart=always`); a sync that failed once is never believed later.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests may panic; clippy knows test functions, not what they share"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fault_support::{LOOK, Place, Running, points, shop, side_by_side};
use crate::support::fake_odoo::FakeOdoo;
use crate::support::sales::Random;
use crate::support::skip;

const ORDERS: u64 = 4;
/// Where a fault once made it spin, stand still, panic or end with the wrong code: the usual run.
/// `ODOO_SPOOLD_FAULT_POINTS=N|all` takes others, by the seed or all of them;
/// `ODOO_SPOOLD_DISK_FAULTS`, with spaces between them, those.
const ONCE_WRONG: [&str; 8] = [
    "52,0,30,sync",
    "54,1,122,",
    "241,3,30,",
    "275,0,30,",
    "19,0,30,sync",
    "4,1,30,sync",
    "123,3,30,",
    "235,3,28,",
];
/// ENOSPC, EDQUOT, EIO, EROFS.
const ERRNOS: [i32; 4] = [28, 122, 5, 30];

/// An undisturbed run has a few more; the last ones are those of its end.
const ACTIONS: u64 = 320;

/// From which action on, how often, with which error, which actions: as `IO_FAIL` wants it.
fn faults() -> Vec<String> {
    if let Ok(given) = std::env::var("ODOO_SPOOLD_DISK_FAULTS") {
        return given.split_whitespace().map(str::to_owned).collect();
    }
    let count = points(0);
    if count == 0 {
        return ONCE_WRONG.map(str::to_owned).to_vec();
    }
    let mut random = Random::seeded();
    // All: every action with every error.
    let all: Vec<(u64, i32)> = if count == usize::MAX {
        (1..=ACTIONS).flat_map(|from| ERRNOS.map(|errno| (from, errno))).collect()
    } else {
        (0..count).map(|_| (1 + random.below(ACTIONS), ERRNOS[random.below(4) as usize])).collect()
    };
    let fault = |(from, errno): (u64, i32)| {
        // Once, a few times, or until somebody mends it; all actions, or only syncs.
        let times = [1, 3, 0][random.below(3) as usize];
        let kind = ["", "sync", "spool", "state"][random.below(4) as usize];
        let from = if kind == "sync" { 1 + from / 4 } else { from };
        format!("{from},{times},{errno},{kind}")
    };
    all.into_iter().map(fault).collect()
}

fn whole(place: &Place, fake: &FakeOdoo) -> bool {
    let orders = fake.records("sale.order");
    place.files_undone() == 0
        && orders.len() as u64 == ORDERS
        && orders.iter().all(|order| order["state"] == "sale")
}

/// Runs it as systemd would, under a fault that goes away when the file `on` does. It may end (and
/// is started again) or stay.
fn ride_out(place: &Place, fake: &FakeOdoo, fail: &str, context: &str) {
    let on = place.installation.dir.path().join("failing");
    std::fs::write(&on, "").unwrap();
    let log = place.installation.dir.path().join("log");
    let env = [
        ("IO_FAIL", fail.to_owned()),
        ("IO_FAIL_WHILE", on.display().to_string()),
        ("IO_LOG", log.display().to_string()),
    ];
    let failed = || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().filter(|line| *line == "failed").count(), text.lines().count())
    };
    let mut running = place.start(&env);
    // Until the fault was met, or there was nothing left to meet it.
    for _ in 0..400 {
        if failed().0 > 0 || running.ended().is_some() || whole(place, fake) {
            break;
        }
        std::thread::sleep(LOOK / 2);
    }
    std::thread::sleep(Duration::from_millis(1200));
    let (_, actions) = failed();
    // Work for four orders takes about 400; a loop that spins makes thousands a second.
    assert!(actions < 3000, "{context}: {actions} actions: a busy loop");
    let lines = running.said().lines().count();
    assert!(lines < 200, "{context}: {lines} lines in the journal: {}", running.said());
    std::fs::remove_file(&on).unwrap();
    for starts in 0.. {
        assert!(starts < 5, "{context}: it ends again and again: {}", running.said());
        match until_whole(place, fake, &mut running) {
            None => break,
            Some(code) => {
                let said = running.said();
                assert_eq!(code, Some(1), "{context}: systemd starts it again after 1: {said}");
                assert!(!said.contains("panicked"), "{context}: {said}");
                running = place.start(&[]);
            }
        }
    }
    let (ended, said) = running.stop();
    assert!(!said.contains("panicked"), "{context}: {said}");
    if !ended.success() {
        assert_eq!(ended.code(), Some(1), "{context}: {said}");
    }
    place.run_until_idle(fake, ORDERS);
    place.assert_whole(fake, ORDERS, context);
}

/// Waits until all is done and it says so; its exit code if it ended before.
fn until_whole(place: &Place, fake: &FakeOdoo, running: &mut Running) -> Option<Option<i32>> {
    for _ in 0..2_400 {
        if let Some(ended) = running.ended() {
            return Some(ended.code());
        }
        if place.is_done(fake, ORDERS) {
            return None;
        }
        std::thread::sleep(LOOK);
    }
    let left = (place.names("incoming"), place.names("work"), place.counts());
    panic!("it stands still: {left:?}: {}", running.said());
}

#[test]
fn refused_at_every_step_it_says_so_and_goes_on_when_the_disk_is_well() {
    let faults: Vec<_> = faults().into_iter().map(|fail| (fail, ())).collect();
    let count = faults.len();
    let each = side_by_side(faults, |fail, ()| {
        let fake = shop();
        let place = Place::of(&fake);
        place.drop_files(ORDERS);
        ride_out(&place, &fake, fail, fail);
    });
    println!("counts: {count} disk faults, {each}");
}

#[test]
fn a_sync_of_the_store_that_failed_once_ends_the_daemon() {
    let fake = shop();
    let place = Place::of(&fake);
    // Let it make its folders first: the sync that fails is one of a file taken in.
    let (ended, said) = {
        let mut running = place.start(&[]);
        running.wait_said("ready:");
        running.stop()
    };
    assert!(ended.success(), "{said}");
    let log = place.installation.dir.path().join("log");
    let mut running = place.start(&[
        ("IO_FAIL", "3,1,5,state/store/db".to_owned()),
        ("IO_LOG", log.display().to_string()),
    ]);
    place.drop_files(ORDERS);
    let ended = running.end();
    let said = running.said();
    assert_eq!(ended.code(), Some(1), "{said}");
    place.run_until_idle(&fake, ORDERS);
    place.assert_whole(&fake, ORDERS, "after EIO");
}

/// A disk of its own, as small as wanted; gone afterwards.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={mib}m");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "none"], dir.path());
        if !mounted {
            skip::skip("small disks: mounting a tmpfs needs root");
            return None;
        }
        Some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fill(&self, leave_mib: u64) {
        let ballast = std::fs::File::create(self.path().join("ballast")).unwrap();
        let free = || {
            let space = rustix::fs::statvfs(self.path()).unwrap();
            space.f_bavail * space.f_frsize
        };
        // The daemon may take some of it meanwhile.
        for slack in 0..100 {
            let room = free().saturating_sub((leave_mib << 20) + slack * 65_536);
            let none = rustix::fs::FallocateFlags::empty();
            if room == 0 || rustix::fs::fallocate(&ballast, none, 0, room).is_ok() {
                return;
            }
        }
        panic!("the disk cannot be filled");
    }

    fn empty(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whatever still has it open goes with the test.
        let _status = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    Command::new("mount").args(args).arg(at).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_nearly_full_disk_takes_no_file_delivers_on_and_resumes_by_itself() {
    let Some(disk) = Disk::of(64) else { return };
    let fake = shop();
    let place = Place::at(&fake, Some(disk.path()), "min_free = \"16MiB\"");
    disk.fill(12);
    place.drop_files(ORDERS);
    let mut running = place.start(&[]);
    running.wait_said("nearly full");
    assert!(place.status().contains("nearly full"), "{}", place.status());
    assert!(place.status().contains("no file is taken"), "{}", place.status());
    // Four documents and a sidecar.
    assert_eq!(place.names("incoming").len(), 5, "nothing was taken");
    assert_eq!(place.files_undone(), 5);
    disk.empty();
    running.wait("room", || whole(&place, &fake));
    running.wait_said("has room again");
    let (ended, said) = running.stop();
    assert!(ended.success(), "{said}");
    assert_eq!(said.matches("nearly full").count(), 1, "once, not at every look: {said}");
    place.run_until_idle(&fake, ORDERS);
    place.assert_whole(&fake, ORDERS, "after low disk");
}

#[test]
fn a_full_disk_and_a_read_only_one_lose_nothing() {
    for how in ["full", "read-only"] {
        let Some(disk) = Disk::of(64) else { return };
        let fake = shop();
        let place = Place::at(&fake, Some(disk.path()), "min_free = \"0B\"");
        let mut running = place.start(&[]);
        running.wait_said("ready:");
        place.drop_files(ORDERS);
        if how == "full" {
            disk.fill(0);
        } else {
            let remounted = mount(&["-o", "remount,ro"], disk.path());
            if !remounted {
                // Somebody writes at this moment: as good as full.
                disk.fill(0);
            }
        }
        std::thread::sleep(Duration::from_secs(2));
        let lines = running.said().lines().count();
        assert!(lines < 100, "{how}: {lines} lines: {}", running.said());
        if disk.path().join("ballast").exists() && mount(&["-o", "remount,rw"], disk.path()) {
            disk.empty();
        }
        assert!(mount(&["-o", "remount,rw"], disk.path()));
        for starts in 0.. {
            assert!(starts < 5, "{how}: it ends again and again: {}", running.said());
            match until_whole(&place, &fake, &mut running) {
                None => break,
                Some(code) => {
                    assert_eq!(code, Some(1), "{how}: {}", running.said());
                    running = place.start(&[]);
                }
            }
        }
        let said = running.said();
        assert!(!said.contains("panicked"), "{how}: {said}");
        drop(running);
        place.run_until_idle(&fake, ORDERS);
        place.assert_whole(&fake, ORDERS, how);
    }
}
