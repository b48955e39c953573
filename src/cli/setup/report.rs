//! What `setup` did, for people and for scripts; and `check` at its end.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::check::{self, Options};
use crate::config::{Keys, Settings};
use crate::control::client::Patience;
use crate::envelope::Keyring;
use crate::model::{AccountId, counted};

use super::super::Global;
use super::super::ask::connect;
use super::super::check::print_table;
use super::super::keystore::Place;
use super::super::output::Output;
use super::super::problem::Problem;
use super::super::prompt::Terminal;

/// What was done.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct Report {
    changed: bool,
    steps: Vec<Step>,
    accounts: Vec<Sealing>,
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<String>,
    restart_needed: bool,
    next_step: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct Step {
    what: &'static str,
    done: &'static str,
    place: String,
}

/// How whoever drops files seals them.
#[derive(Debug, Serialize)]
struct Sealing {
    account: AccountId,
    recipient: String,
    incoming: String,
    command: String,
}

/// What `check --fix` would make.
fn makes(found: &check::Report) -> usize {
    let next = found.rows.iter().filter_map(|row| row.next_step.as_ref());
    next.filter(|next| next.contains("`odoo-spoold check --fix` makes")).count()
}

/// Whether the person wants it made now.
fn wanted(terminal: &Terminal, found: &check::Report) -> Result<bool, Problem> {
    let what = format!(
        "Odoo has no products yet for {} (shipping and the like). Make them now? (y or n)",
        counted(makes(found), "fee")
    );
    Ok(terminal.ask(&what, Some("y"))?.to_lowercase().starts_with('y'))
}

impl Report {
    /// Something worth a sentence.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// What became of one thing.
    pub(super) fn step(&mut self, what: &'static str, changed: bool, new: bool, place: &str) {
        let done = match (changed, new) {
            (true, true) => "made",
            (true, false) => "changed",
            (false, _) => "unchanged",
        };
        self.changed |= changed;
        self.steps.push(Step { what, done, place: place.to_owned() });
    }

    pub(super) fn keys(&mut self, place: &Place, changed: bool, new: bool) {
        self.step("keys", changed, new, &super::whereabouts(place));
    }

    pub(in crate::cli) fn recovery(&mut self, path: &Path) {
        self.changed = true;
        self.recovery = Some(path.display().to_string());
    }

    /// How to seal for each account.
    pub(super) fn recipients(&mut self, settings: &Settings, keys: &Keys) -> Result<(), Problem> {
        for account in &settings.accounts {
            let Some(own) = keys.account(&account.id) else { continue };
            let texts = own.identities.iter().map(secrecy::ExposeSecret::expose_secret);
            let recipient = Keyring::from_identities(texts)?.recipients().into_iter().next();
            let recipient = recipient.unwrap_or_default();
            let incoming = settings.spool.dir.join(account.id.as_str()).join("incoming");
            let incoming = incoming.display().to_string();
            let command = format!(
                "age -r {recipient} -o {incoming}/.report.tmp report.txt && \
                 mv {incoming}/.report.tmp {incoming}/report.txt.age"
            );
            self.accounts.push(Sealing {
                account: account.id.clone(),
                recipient,
                incoming,
                command,
            });
        }
        Ok(())
    }

    /// What is to be done now.
    pub(super) fn restart(&mut self, global: &Global, settings: &Settings, changed: bool) {
        // systemd listens for a daemon that does not start, too: only an answer shows that one runs.
        let asked = connect(global.is_systems(), &settings.control.socket, Patience::default());
        let running = asked.and_then(|client| client.status()).is_ok();
        self.restart_needed = running && changed;
        let account = settings.accounts.first().map_or("ACCOUNT", |account| account.id.as_str());
        let then = format!(
            "then `odoo-spoold process --sample --account {account}`: what an order becomes"
        );
        self.next_step = match (running, changed) {
            (true, true) => {
                format!(
                    "`systemctl restart odoo-spoold`: new keys and accounts wait for it; {then}"
                )
            }
            (true, false) => "nothing: it runs".to_owned(),
            (false, _) => {
                format!("`systemctl enable --now odoo-spoold.socket odoo-spoold.service`, {then}")
            }
        };
    }

    /// Checks (what is given) and tells everything. What `check` finds is told, and is no failure
    /// of what was set up.
    pub(super) fn tell(
        mut self,
        global: &Global,
        checked: Option<(&Settings, Keys)>,
        fix: bool,
        terminal: Option<&Terminal>,
        out: &mut Output,
    ) -> Result<ExitCode, Problem> {
        let found = match checked {
            None => None,
            Some((settings, keys)) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| Problem::new("host", error.to_string()))?;
                let options = Options { config: global.config(), fix, ..Options::default() };
                let keys = Ok(keys);
                let found = runtime.block_on(check::run(settings, &keys, &options));
                let options = Options { fix: true, ..options };
                match terminal {
                    Some(terminal) if !fix && makes(&found) > 0 && wanted(terminal, &found)? => {
                        Some(runtime.block_on(check::run(settings, &keys, &options)))
                    }
                    _ => Some(found),
                }
            }
        };
        if let Some(found) = &found {
            let rows = serde_json::to_value(&found.rows).unwrap_or_default();
            if makes(found) > 0 {
                self.next_step =
                    format!("`odoo-spoold check --fix` makes what is missing, {}", self.next_step);
            }
            self.check = Some(serde_json::json!({ "exit_code": found.exit_code(), "rows": rows }));
        }
        out.answer(&self, |out, report| {
            report.people(out)?;
            if let Some(found) = &found {
                let mut table = Vec::new();
                print_table(found, &mut table, false).map_err(Problem::stdout)?;
                out.line("")?;
                out.raw(&table)?;
            }
            out.line("")?;
            out.line(format_args!("next: {}", report.next_step))
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn people(&self, out: &mut Output) -> Result<(), Problem> {
        if !self.changed {
            out.line("everything was set up already: nothing changed")?;
        }
        for step in &self.steps {
            out.line(format_args!("{:<9} {:<10} {}", step.done, step.what, step.place))?;
        }
        if let Some(recovery) = &self.recovery {
            out.line(format_args!("made      recovery   {recovery}: keep it away from this host"))?;
        }
        for note in &self.notes {
            out.line(format_args!("note: {note}"))?;
        }
        for account in &self.accounts {
            out.line("")?;
            out.line(format_args!(
                "Files for {} are sealed to {}",
                account.account, account.recipient
            ))?;
            out.line(format_args!("  {}", account.command))?;
        }
        Ok(())
    }
}
