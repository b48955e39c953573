//! What of `incoming/` is handed out, what waits, and what is left where it is.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use odoo_spoold::spool::{HintKind, NoticeKind, Scan, Scanner, SpoolDirs};

const SETTLE: Duration = Duration::from_secs(2);

fn spool() -> (tempfile::TempDir, SpoolDirs) {
    let root = tempfile::tempdir_in("/dev/shm").unwrap();
    let dirs = SpoolDirs::new(root.path(), "a");
    dirs.prepare().unwrap();
    (root, dirs)
}

fn scanner(dirs: &SpoolDirs) -> Scanner {
    Scanner::new(dirs.clone(), SETTLE).with_sidecars(|head| !head.starts_with(b"age"))
}

fn ready(scan: &Scan) -> Vec<OsString> {
    scan.ready.iter().map(|candidate| candidate.name.clone()).collect()
}

/// Two looks, a rest apart.
fn rested(scanner: &mut Scanner) -> Scan {
    let start = Instant::now();
    scanner.scan(start).unwrap();
    scanner.scan(start + Duration::from_mins(1)).unwrap()
}

#[test]
fn a_file_rests_until_nothing_changed_for_the_whole_time() {
    let (_root, dirs) = spool();
    let mut scanner = scanner(&dirs);
    let start = Instant::now();
    let mut file = File::create(dirs.incoming.join("slow")).unwrap();
    file.write_all(b"age 1").unwrap();
    for second in 0..5 {
        let scan = scanner.scan(start + Duration::from_secs(second)).unwrap();
        assert_eq!((scan.ready.len(), scan.waiting), (0, 1));
        assert_eq!(scan.next_look, Some(SETTLE));
        file.write_all(b"more").unwrap();
    }
    let first = start + Duration::from_secs(10);
    assert_eq!(scanner.scan(first).unwrap().waiting, 1);
    let early = scanner.scan(first + Duration::from_millis(1999)).unwrap();
    assert_eq!(early.next_look, Some(Duration::from_millis(1)));
    let scan = scanner.scan(first + SETTLE).unwrap();
    assert_eq!((ready(&scan), scan.waiting, scan.next_look), (vec!["slow".into()], 0, None));
}

#[test]
fn a_replaced_file_of_the_same_size_and_time_rests_again() {
    let (_root, dirs) = spool();
    let mut scanner = scanner(&dirs);
    let start = Instant::now();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (name, content) in [("one", b"age 1"), ("two", b"age 2")] {
        let path = dirs.incoming.join(format!(".{name}"));
        fs::write(&path, content).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    }
    fs::rename(dirs.incoming.join(".one"), dirs.incoming.join("file")).unwrap();
    scanner.scan(start).unwrap();
    fs::rename(dirs.incoming.join(".two"), dirs.incoming.join("file")).unwrap();
    assert_eq!(scanner.scan(start + SETTLE).unwrap().waiting, 1);
    assert_eq!(scanner.scan(start + SETTLE * 2).unwrap().ready.len(), 1);
}

#[test]
fn a_hint_makes_a_file_ready_at_once_but_not_an_empty_one_or_a_hard_link() {
    let (_root, dirs) = spool();
    let mut scanner = scanner(&dirs);
    for name in ["closed", "renamed"] {
        fs::write(dirs.incoming.join(name), b"age").unwrap();
    }
    fs::write(dirs.incoming.join("empty"), b"").unwrap();
    fs::write(dirs.root.join("elsewhere"), b"age").unwrap();
    fs::hard_link(dirs.root.join("elsewhere"), dirs.incoming.join("linked")).unwrap();
    scanner.hint(OsStr::new("closed"), HintKind::Closed);
    scanner.hint(OsStr::new("renamed"), HintKind::RenamedIn);
    scanner.hint(OsStr::new("empty"), HintKind::Closed);
    scanner.hint(OsStr::new("linked"), HintKind::Appeared);
    scanner.hint(OsStr::new("gone"), HintKind::Closed);
    let start = Instant::now();
    let scan = scanner.scan(start).unwrap();
    assert_eq!(ready(&scan), ["closed", "renamed"]);
    assert_eq!(scan.waiting, 2);
    // Nobody claimed them: they stay ready. What is written to after all is not.
    fs::write(dirs.incoming.join("closed"), b"age again").unwrap();
    let scan = scanner.scan(start + Duration::from_millis(1)).unwrap();
    assert_eq!(ready(&scan), ["renamed"]);
    assert_eq!(scanner.scan(start + SETTLE * 2).unwrap().ready.len(), 4);
}

#[test]
fn one_that_came_back_rests_longer_each_time_whatever_the_hints_say() {
    let (_root, dirs) = spool();
    let mut scanner = scanner(&dirs);
    fs::write(dirs.incoming.join("x"), b"age").unwrap();
    let mut now = Instant::now();
    scanner.hint(OsStr::new("x"), HintKind::Closed);
    let mut candidate = scanner.scan(now).unwrap().ready.remove(0);
    for wait in [2, 4, 8, 16] {
        scanner.returned(&candidate, now);
        scanner.hint(OsStr::new("x"), HintKind::RenamedIn);
        let scan = scanner.scan(now).unwrap();
        assert_eq!((scan.waiting, scan.next_look), (1, Some(Duration::from_secs(wait))));
        now += Duration::from_secs(wait);
        candidate = scanner.scan(now).unwrap().ready.remove(0);
    }
    for _ in 0..100 {
        scanner.returned(&candidate, now);
    }
    assert_eq!(scanner.scan(now).unwrap().next_look, Some(Duration::from_mins(5)));
}

#[test]
fn sidecars_travel_with_their_document() {
    let (_root, dirs) = spool();
    let mut scanner = scanner(&dirs);
    let put = |name: &str, content: &str| fs::write(dirs.incoming.join(name), content).unwrap();
    let keys = r#"{"encryptionDetails":{"key":"x"}}"#;
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    put("a.txt", "cipher");
    put("b.txt", "age");
    put("alone.json", keys);
    put("list.json", "[]");
    // Not age, no sidecar yet: waits ten seconds for one.
    scanner.scan(at(0)).unwrap();
    let scan = scanner.scan(at(2)).unwrap();
    assert_eq!((ready(&scan), scan.waiting), (vec!["b.txt".into()], 3));
    assert_eq!(scan.next_look, Some(Duration::from_secs(8)));
    put("a.txt.json", keys);
    let scan = scanner.scan(at(3)).unwrap();
    assert_eq!(ready(&scan), ["b.txt"]);
    let scan = scanner.scan(at(5)).unwrap();
    let a = &scan.ready.iter().find(|candidate| candidate.name == "a.txt").unwrap();
    assert_eq!(a.sidecar.as_deref(), Some(OsStr::new("a.txt.json")));
    assert!(scan.notices.is_empty());
    // After the wait: keys without a document stay, other documents go on alone.
    let scan = scanner.scan(at(10)).unwrap();
    let mut names = ready(&scan);
    names.sort();
    assert_eq!(names, ["a.txt", "b.txt", "list.json"]);
    assert_eq!(scan.notices.len(), 1);
    assert_eq!((scan.notices[0].kind, scan.blocked), (NoticeKind::LoneSidecar, 1));
    assert!(scanner.scan(at(11)).unwrap().notices.is_empty());
    // Its document comes at last.
    put("alone", "cipher");
    scanner.scan(at(12)).unwrap();
    let scan = scanner.scan(at(14)).unwrap();
    let alone = scan.ready.iter().find(|candidate| candidate.name == "alone").unwrap();
    assert_eq!(alone.sidecar.as_deref(), Some(OsStr::new("alone.json")));
    assert_eq!(scan.blocked, 0);
}

#[test]
fn a_sidecar_has_a_sidecar_only_if_it_is_a_document() {
    let (_root, dirs) = spool();
    for name in ["x", "x.json", "x.json.json", "y.json", "y.json.json"] {
        fs::write(dirs.incoming.join(name), b"{}").unwrap();
    }
    let scan = rested(&mut scanner(&dirs));
    let mut pairs: Vec<_> = scan
        .ready
        .iter()
        .map(|c| (c.name.to_str().unwrap(), c.sidecar.as_ref().map(|s| s.to_str().unwrap())))
        .collect();
    pairs.sort_unstable();
    assert_eq!(
        pairs,
        [("x", Some("x.json")), ("x.json.json", None), ("y.json", Some("y.json.json"))]
    );
}

#[test]
fn names_of_every_kind_work_and_unfinished_ones_are_passed_over() {
    let (_root, dirs) = spool();
    let long = vec![b'n'; 255];
    let odd: [&[u8]; 7] =
        [b"\xff\xfe", b"new\nline", b"-rf", b" ", b"Max Mustermann", "ü漢".as_bytes(), &long];
    for name in odd {
        fs::write(dirs.incoming.join(OsStr::from_bytes(name)), b"age").unwrap();
    }
    for name in [".hidden", "x.tmp", "x.TMP", "x.part", "x.txt.filepart", ".F0000000000.in"] {
        fs::write(dirs.incoming.join(name), b"age").unwrap();
    }
    let future = File::options().write(true).open(dirs.incoming.join("-rf")).unwrap();
    future.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(2_500_000)).unwrap();
    let scan = rested(&mut scanner(&dirs));
    let mut names = ready(&scan);
    assert_eq!(names.last().unwrap(), "-rf", "oldest first");
    names.sort();
    let mut expected: Vec<_> = odd.iter().map(|name| OsStr::from_bytes(name).to_owned()).collect();
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!((scan.waiting, scan.blocked), (0, 0));
}

#[test]
fn what_is_no_file_is_left_and_told_once_until_it_changes() {
    let (_root, dirs) = spool();
    let incoming = &dirs.incoming;
    fs::write(dirs.root.join("target"), b"age").unwrap();
    symlink(dirs.root.join("target"), incoming.join("link")).unwrap();
    symlink("nowhere", incoming.join("dangling")).unwrap();
    fs::create_dir(incoming.join("folder")).unwrap();
    fs::write(incoming.join("folder/inside"), b"age").unwrap();
    fs::create_dir(incoming.join("lost+found")).unwrap();
    let made = Command::new("mkfifo").arg(incoming.join("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(incoming.join("socket")).unwrap();
    let mut expected = vec![
        (OsString::from("dangling"), NoticeKind::Symlink),
        ("folder".into(), NoticeKind::Folder),
        ("link".into(), NoticeKind::Symlink),
        ("pipe".into(), NoticeKind::Pipe),
        ("socket".into(), NoticeKind::Socket),
    ];
    let device = Command::new("mknod").arg(incoming.join("device")).args(["c", "1", "3"]).output();
    if device.is_ok_and(|output| output.status.success()) {
        expected.insert(1, ("device".into(), NoticeKind::Device));
    }
    let mut scanner = scanner(&dirs);
    let scan = rested_first(&mut scanner, &expected);
    assert_eq!((scan.ready.len(), scan.waiting, scan.blocked), (0, 0, expected.len()));
    assert!(scan.notices.is_empty(), "told before");
    // Inside a folder may happen what will; another thing under the same name is news.
    fs::write(incoming.join("folder/more"), b"age").unwrap();
    assert!(scanner.scan(Instant::now()).unwrap().notices.is_empty());
    fs::remove_file(incoming.join("link")).unwrap();
    fs::create_dir(incoming.join("link")).unwrap();
    let notices = scanner.scan(Instant::now()).unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NoticeKind::Folder);
    assert_eq!(
        notices[0].to_string(),
        "a folder: folders are not entered: move the files up, remove the folder"
    );
    assert!(incoming.join("folder/inside").exists());
    assert_eq!(fs::read(dirs.root.join("target")).unwrap(), b"age");
}

fn rested_first(scanner: &mut Scanner, expected: &[(OsString, NoticeKind)]) -> Scan {
    let start = Instant::now();
    let first = scanner.scan(start).unwrap();
    let mut told: Vec<_> = first.notices.iter().map(|n| (n.name.clone(), n.kind)).collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(told, expected);
    scanner.scan(start + Duration::from_mins(1)).unwrap()
}

#[test]
fn batches_are_bounded_oldest_first_and_complete() {
    let (_root, dirs) = spool();
    for number in 0..1200_u32 {
        let path = dirs.incoming.join(format!("{number}"));
        fs::write(&path, b"age").unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(5000 - number));
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    }
    let mut scanner = scanner(&dirs);
    let start = Instant::now();
    assert_eq!(scanner.scan(start).unwrap().waiting, 1200);
    let mut order = Vec::new();
    loop {
        let scan = scanner.scan(start + SETTLE).unwrap();
        assert!(scan.ready.len() <= 512);
        for candidate in &scan.ready {
            order.push(candidate.name.to_str().unwrap().parse::<u32>().unwrap());
            fs::remove_file(dirs.incoming.join(&candidate.name)).unwrap();
        }
        match scan.next_look {
            Some(pause) => assert_eq!(pause, Duration::ZERO),
            None => break,
        }
    }
    assert_eq!(order, (0..1200).rev().collect::<Vec<_>>());
}

/// Root reads everything: the test runs itself again as nobody.
#[test]
fn a_file_that_may_not_be_read_stays_with_its_cure() {
    if !rustix::process::geteuid().is_root() {
        unreadable_file();
        return;
    }
    let test = "spool_scan::as_nobody";
    let copy = tempfile::tempdir().unwrap();
    fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = copy.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let output = Command::new(binary)
        .args(["--exact", test, "--ignored"])
        .uid(65534)
        .gid(65534)
        .current_dir("/")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[test]
#[ignore = "run by a_file_that_may_not_be_read_stays_with_its_cure"]
fn as_nobody() {
    unreadable_file();
}

fn unreadable_file() {
    let (_root, dirs) = spool();
    let allow =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let path = dirs.incoming.join("secret");
    fs::write(&path, b"age").unwrap();
    fs::write(dirs.incoming.join("fine"), b"age").unwrap();
    allow(&path, 0o000);
    let mut scanner = scanner(&dirs);
    let scan = rested(&mut scanner);
    assert_eq!((ready(&scan), scan.blocked), (vec!["fine".into()], 1));
    assert_eq!(scan.notices[0].kind, NoticeKind::Unreadable);
    assert!(scan.notices[0].to_string().contains("umask 002"));
    let later = Instant::now() + Duration::from_secs(100);
    assert!(scanner.scan(later).unwrap().notices.is_empty());
    allow(&path, 0o640);
    scanner.scan(later).unwrap();
    assert_eq!(scanner.scan(later + SETTLE).unwrap().ready.len(), 2);
    allow(&path, 0o000);
    assert!(scanner.scan(later + SETTLE * 2).unwrap().notices.is_empty(), "rests first");
    let scan = scanner.scan(later + SETTLE * 3).unwrap();
    assert_eq!(scan.notices.len(), 1, "told again: it had been readable");
    assert_eq!(fs::read_dir(&dirs.incoming).unwrap().count(), 2);
}
