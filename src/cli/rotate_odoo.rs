//! `keys rotate odoo`: another API key, made by Odoo itself.
//!
//! ```text
//! generate ─► sealed on disk, beside the old one ─► tried ─► in use by the daemon ─► old one revoked
//! ```
//!
//! Promises: at no moment does the disk hold only a key that was not proven or is revoked; stopped
//! anywhere, it is run again and goes on. The one thing that can be lost is a key whose making was
//! answered to nobody: it is named, and ends by itself. Shows no key.

use std::process::ExitCode;

use secrecy::SecretString;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::check::api_key::{self, KeyError, NewKey, Session};
use crate::clock::{Clock as _, System};
use crate::control::client::{ClientError, Patience};
use crate::model::KeyEnd;

use super::ask::connect;
use super::keys::Bunch;
use super::output::Output;
use super::problem::Problem;
use super::setup;

/// What Odoo allows internal users, unless a group of theirs says more.
pub(super) const DAYS: u16 = 90;

/// The two ways to a key that Odoo does not make for programs.
const CURES: &str = "make a key in Odoo as the integration user (Preferences, Account Security), \
     then `odoo-spoold setup --odoo-api-key-file FILE` and `systemctl restart odoo-spoold`; for \
     keys that live longer give the user a group whose \"API Keys maximum duration days\" is \
     larger (Settings, Groups, developer mode)";
/// How Odoo is told that it may.
const PARAMETER: &str = "an administrator sets the system parameter \
                         base.enable_programmatic_api_keys to True; or ";

/// What was done.
#[derive(Debug, Serialize)]
struct Rotated {
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    old_revoked: bool,
    restart_needed: bool,
    next_step: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_over: Vec<String>,
}

/// Begins a rotation, or goes on with one that was begun.
pub(super) fn run(bunch: Bunch, days: u16, out: &mut Output) -> Result<ExitCode, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::new("host", error.to_string()))?;
    let rotated = Rotation { runtime, bunch }.run(days)?;
    out.answer(&rotated, |out, rotated| {
        out.line(rotated.done)?;
        if let Some(ends) = &rotated.ends {
            out.line(format_args!("ends: {ends}"))?;
        }
        for name in &rotated.left_over {
            out.line(format_args!(
                "left over: the key \"{name}\" is used by nothing here any more: remove it in Odoo \
                 (Preferences, Account Security)"
            ))?;
        }
        out.line(format_args!("next: {}", rotated.next_step))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The keys on their way.
struct Rotation {
    runtime: Runtime,
    bunch: Bunch,
}

impl Rotation {
    fn run(mut self, days: u16) -> Result<Rotated, Problem> {
        let begun = self.bunch.keys.api_key_before.is_some();
        if !begun {
            let made = self.generate(days)?;
            setup::stop_after("generated");
            self.seal(&made)?;
            setup::stop_after("sealed");
        }
        let Some(old) = self.bunch.keys.api_key_before.clone() else {
            return Err(Problem::new("file", "the keys do not hold what was just written"));
        };
        let session = match self.login(&self.bunch.keys.api_key) {
            Ok(session) => session,
            Err(KeyError::Denied) => return Err(self.put_back(&old)),
            Err(error) => return Err(problem(error)),
        };
        let end = self.bunch.keys.api_key_ends;
        let ends = (end != KeyEnd::Unknown).then(|| end.to_string());
        if !in_use(&self.bunch)? {
            return Ok(Rotated {
                done: "the new API key is stored and opens Odoo; the daemon still uses the old one",
                ends,
                old_revoked: false,
                restart_needed: true,
                next_step: "`systemctl restart odoo-spoold`, then `odoo-spoold keys rotate odoo` \
                            again: it revokes the old key"
                    .to_owned(),
                left_over: Vec::new(),
            });
        }
        self.runtime.block_on(session.revoke(&old)).map_err(problem)?;
        setup::stop_after("revoked");
        let mut draft = self.bunch.draft()?;
        draft.set_api_key_before(None)?;
        self.bunch.write(draft)?;
        Ok(Rotated {
            done: if begun {
                "the rotation that was begun is finished: the old API key is revoked"
            } else {
                "the API key is replaced, and the old one revoked"
            },
            ends,
            old_revoked: true,
            restart_needed: false,
            next_step: "nothing; recovery files from before hold the old API key: after a restore \
                        give the new one with `odoo-spoold setup --odoo-api-key-file FILE`"
                .to_owned(),
            left_over: self.left_over(&session, end),
        })
    }

    fn login(&self, key: &SecretString) -> Result<Session, KeyError> {
        self.runtime.block_on(api_key::login(&self.bunch.settings, key))
    }

    /// Has Odoo make a key.
    fn generate(&self, days: u16) -> Result<NewKey, Problem> {
        let key = &self.bunch.keys.api_key;
        let session = self.login(key).map_err(problem)?;
        let name = format!("{}{}", prefix(), System.now().strftime("%Y-%m-%dT%H:%M:%SZ"));
        match self.runtime.block_on(session.generate(key, &name, days)) {
            Ok(made) => Ok(made),
            Err(KeyError::Lost(why)) => Err(Problem::new(
                "api-key-lost",
                format!("the answer was lost, and with it perhaps the new key \"{name}\": {why}"),
            )
            .next("run this again; then remove that key in Odoo (Preferences, Account Security)")),
            Err(error) => Err(problem(error)),
        }
    }

    /// Both keys go to the disk: the new one as the one to use.
    fn seal(&mut self, made: &NewKey) -> Result<(), Problem> {
        let old = self.bunch.keys.api_key.clone();
        let mut draft = self.bunch.draft()?;
        draft.set_api_key(&made.key)?;
        draft.set_api_key_ends(KeyEnd::At(made.end))?;
        draft.set_api_key_before(Some(&old))?;
        self.bunch.write(draft)
    }

    /// Odoo refuses the new key: the old one is used again, if it still opens.
    fn put_back(&mut self, old: &SecretString) -> Problem {
        let refused = |text: &str, next: &str| Problem::new("api-key-refused", text).next(next);
        if self.login(old).is_err() {
            return refused("Odoo refuses the new API key, and the old one too", CURES);
        }
        match self.restore(old) {
            Ok(()) => refused(
                "Odoo refuses the new API key: the old one is in its place again",
                "run this again, or make a key by hand; `odoo-spoold check`",
            ),
            Err(problem) => problem,
        }
    }

    fn restore(&mut self, old: &SecretString) -> Result<(), Problem> {
        let mut draft = self.bunch.draft()?;
        draft.set_api_key(old)?;
        draft.set_api_key_before(None)?;
        self.bunch.write(draft)
    }

    /// Keys that earlier tries of this host left behind: named as ours, and not the one in use,
    /// whose end is known to the second.
    fn left_over(&self, session: &Session, end: KeyEnd) -> Vec<String> {
        let named = self.runtime.block_on(session.named(&prefix())).unwrap_or_default();
        named.into_iter().filter(|(_, theirs)| *theirs != end).map(|(name, _)| name).collect()
    }
}

/// Whether no daemon works with the old key any more. One that reads its keys from a file takes the
/// new one at a reload.
fn in_use(bunch: &Bunch) -> Result<bool, Problem> {
    let client = match connect(bunch.systems, &bunch.settings.control.socket, Patience::default()) {
        Ok(client) => client,
        // No daemon uses a key: the next one reads the new one.
        Err(ClientError::NotRunning { .. }) => return Ok(true),
        // One that cannot be asked may use the old one still.
        Err(error) => return Err(error.into()),
    };
    let newer =
        || -> Result<bool, Problem> { Ok(client.status()?.keys.is_some_and(|keys| keys.newer)) };
    if !newer()? {
        return Ok(true);
    }
    // What it says of other settings is for another command.
    drop(client.reload());
    Ok(!newer()?)
}

/// What the names of this host's keys begin with.
fn prefix() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("odoo-spoold {} ", host.trim())
}

fn problem(error: KeyError) -> Problem {
    let text = error.to_string();
    match error {
        KeyError::NotOffered => Problem::new("api-key-by-hand", text).next(CURES),
        KeyError::Refused { .. } => {
            Problem::new("api-key-refused", text).next(format!("{PARAMETER}{CURES}"))
        }
        KeyError::Denied => Problem::new("api-key-refused", text).next(CURES),
        KeyError::Fault(fault) => Problem::new("odoo", text).next(fault.next_step()),
        KeyError::Lost(_) | KeyError::Wrong(_) => {
            Problem::new("odoo", text).next("odoo-spoold check")
        }
    }
}
