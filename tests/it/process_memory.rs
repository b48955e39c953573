//! What the program keeps in memory is nobody's to read, not even its own user's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::skip::skip;

const NOBODY: u32 = 65_534;

/// Whether somebody of the same user can read `name` of the process: one byte is enough.
fn is_read(child: &Child, name: &str) -> bool {
    let path = format!("/proc/{}/{name}", child.id());
    let read = Command::new("dd")
        .args([&format!("if={path}"), "bs=1", "count=1", "status=none"])
        .uid(NOBODY)
        .gid(NOBODY)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    // What cannot be read at address 0 is opened all the same: that is the question.
    read.status.success() || !String::from_utf8_lossy(&read.stderr).contains("Permission denied")
}

#[test]
fn its_own_user_cannot_read_it() {
    if !rustix::process::geteuid().is_root() {
        return skip("another user's processes: needs root");
    }
    let copy = tempfile::tempdir().unwrap();
    fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = copy.path().join("odoo-spoold");
    fs::copy(env!("CARGO_BIN_EXE_odoo-spoold"), &binary).unwrap();
    let waiting = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .env("SECRET", "value")
            .uid(NOBODY)
            .gid(NOBODY)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    // Both wait for what never comes on their stdin.
    let mut plain = waiting("cat", &[]);
    let recipient = "age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm";
    let mut ours = waiting(binary.to_str().unwrap(), &["seal", "-r", recipient, "-o", "-", "-"]);
    // It is closed as soon as the command line is read: `/proc` then belongs to root.
    let owner = || fs::metadata(format!("/proc/{}/environ", ours.id())).unwrap().uid();
    for _ in 0..400 {
        if owner() == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(25));
    }
    for name in ["mem", "environ", "maps", "auxv"] {
        assert!(
            is_read(&plain, name),
            "{name} of another program is closed, too: nothing is proven"
        );
        assert!(!is_read(&ours, name), "{name} is open");
    }
    for child in [&mut plain, &mut ours] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
