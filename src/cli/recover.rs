//! The recovery file: all keys, sealed by age to a passphrase or a recipient, for a safe.
//!
//! Promises: 0600, whole or absent, synced; what lay there before is kept beside it. It opens with
//! `age -d` too, without this program.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::config::{Keys, Recovery};
use crate::envelope::{Safe, SafeKey, lock_away, take_out};

use super::atomic::{Atomic, Existing};
use super::problem::Problem;
use super::prompt::Terminal;

/// Its mode.
const MODE: u32 = 0o600;
/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Shorter passphrases are refused where they are made.
const SHORTEST_PASSPHRASE_CHARS: usize = 12;

/// Where the recovery file goes and who opens it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RecoveryArgs {
    /// Write a recovery file: all keys, sealed; keep it away from this host
    #[arg(long, value_name = "FILE", conflicts_with = "no_recovery")]
    pub recovery: Option<PathBuf>,
    /// Seal it to this age recipient (age1…); can be given again
    #[arg(long, value_name = "RECIPIENT", requires = "recovery")]
    pub recovery_recipient: Vec<String>,
    /// Seal it to (or with --restore, open it with) the passphrase in this file
    #[arg(long, value_name = "FILE", conflicts_with = "recovery_recipient")]
    pub recovery_passphrase_file: Option<PathBuf>,
    /// Do without: if this host is lost, what is sealed is lost
    #[arg(long)]
    pub no_recovery: bool,
}

/// What was decided about it.
#[derive(Debug)]
pub(super) enum Decision {
    /// Write it.
    Write(PathBuf, Safe),
    /// There shall be none.
    Decline,
}

/// What is to happen; none: nothing new needs one. Asks where somebody is there.
pub(super) fn decide(
    args: &RecoveryArgs,
    needed: bool,
    terminal: Option<&Terminal>,
) -> Result<Option<Decision>, Problem> {
    if args.no_recovery {
        return Ok(needed.then_some(Decision::Decline));
    }
    let path = match (&args.recovery, terminal) {
        // Made by an earlier run, of these keys.
        (Some(path), _) if !needed && path.exists() => return Ok(None),
        (Some(path), _) => path.clone(),
        (None, _) if !needed => return Ok(None),
        (None, Some(terminal)) => {
            let said = terminal.ask(
                "Recovery file (all keys, sealed; keep it away from this host; - for none)",
                Some("./odoo-spoold-recovery.age"),
            )?;
            if said == "-" {
                return Ok(Some(Decision::Decline));
            }
            PathBuf::from(said)
        }
        (None, None) => {
            return Err(Problem::usage("the keys would have no recovery file").next(
                "--recovery FILE with --recovery-recipient age1… or --recovery-passphrase-file F; \
                 or --no-recovery",
            ));
        }
    };
    let safe = match (&args.recovery_passphrase_file, terminal) {
        (Some(file), _) => Safe::Passphrase(read_line(file)?),
        (None, _) if !args.recovery_recipient.is_empty() => {
            Safe::Recipients(args.recovery_recipient.clone())
        }
        (None, Some(terminal)) => Safe::Passphrase(new_passphrase(terminal)?),
        (None, None) => {
            return Err(Problem::usage("the recovery file has nobody who can open it")
                .next("--recovery-recipient age1… or --recovery-passphrase-file F"));
        }
    };
    if let Safe::Passphrase(passphrase) = &safe
        && is_short(passphrase)
    {
        return Err(Problem::usage(format!(
            "the passphrase is shorter than {SHORTEST_PASSPHRASE_CHARS} characters"
        )));
    }
    Ok(Some(Decision::Write(path, safe)))
}

/// Asks until it is long enough and the same twice.
fn new_passphrase(terminal: &Terminal) -> Result<SecretString, Problem> {
    let what = format!(
        "Passphrase of the recovery file (at least {SHORTEST_PASSPHRASE_CHARS} characters)"
    );
    loop {
        let first = terminal.secret(&what)?;
        if is_short(&first) {
            terminal.tell("That is too short.");
            continue;
        }
        let second = terminal.secret("The same again")?;
        if first.expose_secret() == second.expose_secret() {
            return Ok(first);
        }
        terminal.tell("The two differ.");
    }
}

fn is_short(passphrase: &SecretString) -> bool {
    passphrase.expose_secret().chars().count() < SHORTEST_PASSPHRASE_CHARS
}

/// Whether these keys still need a decision.
pub(super) fn needed(keys: &Keys) -> bool {
    match &keys.recovery {
        Recovery::Undecided => true,
        Recovery::Declined => false,
        Recovery::Covers(seals) => *seals != keys.seals(),
    }
}

/// Writes it.
pub(super) fn write(path: &Path, keys: &SecretString, safe: &Safe) -> Result<(), Problem> {
    let failed = |error: io::Error| Problem::file("writing the recovery file", path, &error);
    let sealed = lock_away(keys.expose_secret().as_bytes(), safe)?;
    let mut atomic = Atomic::create(path).map_err(failed)?;
    atomic.write_all(&sealed).map_err(failed)?;
    let _kept = step_aside(path).map_err(failed)?;
    atomic.keep(MODE, Existing::Stays).map_err(failed)
}

/// Renames what has the name already: it may be the only copy of older keys. Says what it is called
/// now.
pub(super) fn step_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let numbered = (1..10_000).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let free = numbered.into_iter().find(|name| name.symlink_metadata().is_err());
    let free = free.ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &free)?;
    Ok(Some(free))
}

/// The keys text in a recovery file.
pub(super) fn open(
    path: &Path,
    args: &RecoveryArgs,
    identity: Option<&Path>,
    terminal: Option<&Terminal>,
) -> Result<SecretString, Problem> {
    let sealed = read(path)?;
    let key = match (&args.recovery_passphrase_file, identity, terminal) {
        (Some(file), _, _) => SafeKey::Passphrase(read_line(file)?),
        (None, Some(file), _) => {
            let text = read(file)?;
            let text = std::str::from_utf8(&text);
            let text = text.map_err(|_| Problem::usage("this is no age identity").at(file))?;
            SafeKey::Identity(text.into())
        }
        (None, None, Some(terminal)) => {
            SafeKey::Passphrase(terminal.secret("Passphrase of the recovery file")?)
        }
        (None, None, None) => {
            return Err(Problem::usage("nothing to open the recovery file with")
                .next("--recovery-passphrase-file F or --recovery-identity F"));
        }
    };
    let plain = take_out(&sealed, &key)
        .map_err(|error| Problem::new(error.code(), error.to_string()).at(path))?;
    let text = std::str::from_utf8(&plain);
    Ok(text.map_err(|_| Problem::new("recovery-damaged", "it holds no keys").at(path))?.into())
}

/// The first line of a small file, or of stdin (`-`).
pub(super) fn read_line(path: &Path) -> Result<SecretString, Problem> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(Problem::new("file", "its first line is empty").at(path));
    }
    Ok(line.into())
}

/// A small file, or stdin (`-`).
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let failed = |error: io::Error| Problem::file("reading it", path, &error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    let read = if path == Path::new("-") {
        io::copy(&mut io::stdin().lock().take(MAX_BYTES), &mut *bytes)
    } else {
        let file = fs::File::open(path).map_err(failed)?;
        io::copy(&mut file.take(MAX_BYTES), &mut *bytes)
    };
    read.map_err(failed)?;
    Ok(bytes)
}
