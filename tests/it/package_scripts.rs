//! What the package's scripts do as root in folders that belong to the service: no link of its making is
//! followed, no pipe is waited for. They run here as they stand, with the folders elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A root folder of its own with the package's folders in it.
struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["var/lib/odoo-spoold", "var/spool/odoo-spoold", "etc/odoo-spoold"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let settings = "[odoo]\nurl = \"https://erp.example\"\nlogin = \"bot\"\n[[account]]\n";
        fs::write(root.path().join("etc/odoo-spoold/config.toml"), settings).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs a script of the package; one that hangs is ended and fails.
    fn run(&self, script: &str, step: &str) -> Output {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("packaging/debian/odoo-spoold.{script}"));
        let root = self.root.path().display().to_string();
        let text =
            fs::read_to_string(source).unwrap().replace("#DEBHELPER#", "").replace("@SCHEMA@", "7");
        let text = ["/var/", "/etc/", "/run/"].into_iter().fold(text, |text, folder| {
            text.replace(&format!(" {folder}"), &format!(" {root}{folder}"))
                .replace(&format!("={folder}"), &format!("={root}{folder}"))
        });
        // What it removes as root it must not remove here.
        assert!(
            !text.replace(&root, "").is_empty()
                && text.matches("rm -rf /").count()
                    == text.matches(&format!("rm -rf {root}")).count()
        );
        Command::new("timeout")
            .args(["--kill-after=1", "60", "sh", "-c", &text, script, step])
            .env("DPKG_ROOT", &root)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn audit_27_a_removal_writes_through_no_link_of_the_service() {
    let host = Host::new();
    let victim = host.path("victim");
    fs::write(&victim, "precious\n").unwrap();
    symlink(&victim, host.path("var/lib/odoo-spoold/purge-notice")).unwrap();
    let removed = host.run("prerm", "remove");
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
}

#[test]
fn audit_27_a_purge_waits_for_no_pipe_and_still_says_where_the_api_key_is_good() {
    let host = Host::new();
    fs::write(host.path("etc/odoo-spoold/keys.toml"), "").unwrap();
    assert!(host.run("prerm", "remove").status.success());
    // A purge comes when the settings are gone.
    fs::remove_file(host.path("etc/odoo-spoold/config.toml")).unwrap();
    fifo(&host.path("var/lib/odoo-spoold/purge-notice"));
    let purged = host.run("postrm", "purge");
    assert!(purged.status.success(), "{}", text(&purged.stderr));
    assert!(text(&purged.stdout).contains("https://erp.example"), "{}", text(&purged.stdout));
    for folder in ["var/lib/odoo-spoold", "var/spool/odoo-spoold", "etc/odoo-spoold"] {
        assert!(!host.path(folder).exists(), "{folder} is left");
    }
}

#[test]
fn audit_27_an_installation_waits_for_no_pipe_and_reads_through_no_link() {
    let host = Host::new();
    let schema = host.path("var/lib/odoo-spoold/SCHEMA");
    fifo(&schema);
    for step in ["install", "upgrade"] {
        let installed = host.run("preinst", step);
        assert!(installed.status.success(), "{step}: {}", text(&installed.stderr));
    }
    fs::remove_file(&schema).unwrap();
    let elsewhere = host.path("elsewhere");
    fs::write(&elsewhere, "99\n").unwrap();
    symlink(&elsewhere, &schema).unwrap();
    let installed = host.run("preinst", "upgrade");
    assert!(installed.status.success(), "it was read: {}", text(&installed.stderr));
}

#[test]
fn night_f9_an_installation_names_both_groups_and_a_purge_says_what_goes() {
    let host = Host::new();
    fs::write(host.path("etc/odoo-spoold/config.toml"), "# Nothing yet.\n").unwrap();
    let said = text(&host.run("postinst", "configure").stdout);
    for words in ["odoo-spoold-drop", "odoo-spoold-ctl", "odoo-spoold setup", "systemctl enable"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    fs::write(host.path("etc/odoo-spoold/keys.toml"), "").unwrap();
    let purged = text(&host.run("postrm", "purge").stdout);
    let (before, after) = (purged.find("Only a recovery file"), purged.find("are gone from"));
    assert!(before.unwrap() < after.unwrap(), "{purged}");
}

#[test]
fn a_state_of_another_schema_is_refused_before_anything_changes() {
    let host = Host::new();
    let schema = host.path("var/lib/odoo-spoold/SCHEMA");
    for (found, words) in [("8\n", "newer version (schema 8"), ("6\n", "older version (schema 6")] {
        fs::write(&schema, found).unwrap();
        let refused = host.run("preinst", "upgrade");
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(words), "{}", text(&refused.stderr));
        assert_eq!(fs::read_to_string(&schema).unwrap(), found);
    }
    for found in ["7\n", "", "garbage", "99999999999999999999\n", "-1"] {
        fs::write(&schema, found).unwrap();
        let installed = host.run("preinst", "upgrade");
        assert!(installed.status.success(), "{found:?}: {}", text(&installed.stderr));
    }
    fs::remove_file(&schema).unwrap();
    assert!(host.run("preinst", "install").status.success());
}
