//! Asks a person on the terminal; secrets without echo.
//!
//! Questions go to stderr, so that stdout holds answers only. Does not judge what is said.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::output::clean;
use super::problem::Problem;

/// Somebody who can be asked.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// The terminal, if a person sits there.
    pub(super) fn open() -> Option<Self> {
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then_some(Self(()))
    }

    /// A line; empty means `default`. Asks again where there is none.
    pub(super) fn ask(&self, what: &str, default: Option<&str>) -> Result<String, Problem> {
        loop {
            match default {
                Some(default) => say(&clean(&format!("{what} [{default}]: "))),
                None => say(&clean(&format!("{what}: "))),
            }
            let said = line()?;
            let said = said.trim();
            match (said.is_empty(), default) {
                (false, _) => return Ok(said.to_owned()),
                (true, Some(default)) => return Ok(default.to_owned()),
                (true, None) => {}
            }
        }
    }

    /// A line that is not shown.
    pub(super) fn secret(&self, what: &str) -> Result<SecretString, Problem> {
        let failed = |error: rustix::io::Errno| {
            Problem::new("terminal", format!("the terminal does not hide what is typed: {error}"))
        };
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(failed)?;
        // Asked only now: what is typed before is thrown away and not shown.
        say(&clean(&format!("{what} (not shown): ")));
        let said = line();
        tcsetattr(&stdin, OptionalActions::Drain, &before).map_err(failed)?;
        Ok(said?.trim().into())
    }

    /// Something to know between two questions.
    pub(super) fn tell(&self, text: &str) {
        say(&format!("{}\n", clean(text)));
    }
}

fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _unheard = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

fn line() -> Result<Zeroizing<String>, Problem> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let read = io::stdin().lock().read_line(&mut text);
    match read {
        Ok(0) => Err(Problem::new("terminal", "the terminal was closed")),
        Ok(_) => Ok(text),
        Err(error) => Err(Problem::new("terminal", format!("reading the terminal: {error}"))),
    }
}
