//! Completions as bash makes them: of verbs, codes, options, states and accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-spoold");

/// The script of a shell, with the settings file elsewhere.
fn script(shell: &str, config: &Path) -> String {
    let made = Command::new(PROGRAM).args(["generate", "completions", shell]).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout)
        .unwrap()
        .replace("/etc/odoo-spoold/config.toml", &config.display().to_string())
}

/// What bash offers for the last word of a line.
fn offered(script: &Path, line: &[&str]) -> Vec<String> {
    let words: String = line.iter().map(|word| format!("'{word}' ")).collect();
    let asked = format!(
        "source '{}'\nCOMP_WORDS=({words})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         function_name=$(complete -p odoo-spoold | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n\
         \"$function_name\" odoo-spoold \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script.display()
    );
    let said =
        Command::new("bash").args(["--norc", "-c", &asked]).stdin(Stdio::null()).output().unwrap();
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn night_p9_bash_completes_behind_the_first_word() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    let text =
        "[odoo]\nurl = \"https://x\"\n[[account]]\nid = \"eu_1\"\n  [[account]]\n  id=\"na\"\n";
    std::fs::write(&config, text).unwrap();
    let path = dir.path().join("bash");
    std::fs::write(&path, script("bash", &config)).unwrap();
    let offered = |line: &str| offered(&path, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(offered("odoo-spoold ho"), ["hold"]);
    assert_eq!(offered("odoo-spoold hold re"), ["release"]);
    assert_eq!(offered("odoo-spoold hold accept-m"), ["accept-marketplace"]);
    assert_eq!(offered("odoo-spoold explain ta"), ["tax", "task-panicked"]);
    assert_eq!(offered("odoo-spoold explain state-schema-o"), ["state-schema-old"]);
    assert!(offered("odoo-spoold setup --rec").contains(&"--recovery-identity".to_owned()));
    assert_eq!(offered("odoo-spoold queue list --state he"), ["held"]);
    assert_eq!(offered("odoo-spoold hold list --code wa"), ["warehouse"]);
    assert_eq!(offered("odoo-spoold files list --state rej"), ["rejected"]);
    // Accounts, as options and as words.
    assert_eq!(offered("odoo-spoold queue list --account e"), ["eu_1"]);
    assert_eq!(offered("odoo-spoold queue list -a "), ["eu_1", "na"]);
    assert_eq!(offered("odoo-spoold hold release n"), ["na"]);
    assert_eq!(offered("odoo-spoold queue show e"), ["eu_1"]);
    // Files of the file system where a file is meant.
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let line = format!("odoo-spoold status --config {}", dir.path().join("a-f").display());
    assert_eq!(offered(&line), [file.display().to_string()]);
}

/// Where the other shells are installed, they read their scripts.
#[test]
fn other_shells_read_their_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    for (shell, check) in [("zsh", "-n"), ("fish", "--no-execute"), ("bash", "-n")] {
        let path = dir.path().join(shell);
        std::fs::write(&path, script(shell, &config)).unwrap();
        match Command::new(shell).arg(check).arg(&path).output() {
            Ok(read) => {
                assert!(
                    read.status.success(),
                    "{shell}: {}",
                    String::from_utf8_lossy(&read.stderr)
                );
            }
            Err(_) => eprintln!("{shell} is not installed: not tried"),
        }
    }
}

/// Where fish is installed, it completes what stands behind a verb, too.
#[test]
fn night_p9_fish_completes_words_behind_a_verb() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    std::fs::write(&config, "[[account]]\nid = \"eu\"\n").unwrap();
    let path = dir.path().join("fish");
    std::fs::write(&path, script("fish", &config)).unwrap();
    let offered = |line: &str| {
        let asked = format!("source '{}'; complete -C'{line}'", path.display());
        let fish = Command::new("fish").args(["--no-config", "-c", &asked]).output();
        let said = String::from_utf8(fish.ok()?.stdout).unwrap();
        let first = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        Some(said.lines().map(first).collect::<Vec<_>>())
    };
    if offered("odoo-spoold ho").is_none() {
        eprintln!("fish is not installed: not tried");
        return;
    }
    for (line, wanted) in [
        ("odoo-spoold ho", "hold"),
        ("odoo-spoold hold re", "release"),
        ("odoo-spoold explain pricel", "pricelist"),
        ("odoo-spoold queue list --state he", "held"),
        ("odoo-spoold queue list --account e", "eu"),
        ("odoo-spoold hold release e", "eu"),
        ("odoo-spoold generate completions z", "zsh"),
    ] {
        assert_eq!(offered(line).unwrap(), [wanted], "{line}");
    }
}
