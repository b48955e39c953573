//! What a reload may change while the daemon runs, and what needs a restart.
//!
//! The rule: what only says how to work can change live; what says *where* things are, and which
//! Odoo it is, cannot. An account's id, region and company are its identity.

use std::fmt;

use crate::model::AccountId;

use super::settings::{Settings, SpoolSettings};

/// The difference between two settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reload {
    /// Changes that take effect at once.
    pub live: Vec<Live>,
    /// Keys whose change waits for a restart, as `table.key`.
    pub restart: Vec<&'static str>,
}

/// A change that takes effect at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// `log.level`
    LogLevel,
    /// `spool.keep`
    Keep,
    /// An account was added.
    AccountAdded(AccountId),
    /// An account was taken out: its files stay, its jobs wait.
    AccountRemoved(AccountId),
    /// Something in an account changed, other than its identity.
    AccountChanged(AccountId),
}

impl Settings {
    /// What changes from `self` to `new`.
    pub fn diff(&self, new: &Self) -> Reload {
        let mut reload = Reload::default();
        let mut restart = |changed: bool, name: &'static str| {
            if changed {
                reload.restart.push(name);
            }
        };
        restart(self.odoo.url != new.odoo.url, "odoo.url");
        restart(self.odoo.database != new.odoo.database, "odoo.database");
        restart(self.odoo.login != new.odoo.login, "odoo.login");
        restart(self.odoo.ca_file != new.odoo.ca_file, "odoo.ca_file");
        restart(self.odoo.connections != new.odoo.connections, "odoo.connections");
        restart(self.odoo.batch != new.odoo.batch, "odoo.batch");
        restart(self.odoo.confirm_batch != new.odoo.confirm_batch, "odoo.confirm_batch");
        let limit = self.odoo.limit_time_real != new.odoo.limit_time_real;
        restart(limit, "odoo.limit_time_real");
        let recheck = self.odoo.recheck_interval != new.odoo.recheck_interval;
        restart(recheck, "odoo.recheck_interval");
        let poll = self.spool.poll_interval != new.spool.poll_interval;
        restart(poll, "spool.poll_interval");
        restart(self.spool.settle != new.spool.settle, "spool.settle");
        restart(self.spool.min_free != new.spool.min_free, "spool.min_free");
        restart(self.spool.dir != new.spool.dir, "spool.dir");
        restart(self.state.dir != new.state.dir, "state.dir");
        restart(self.state.cache_bytes != new.state.cache_bytes, "state.cache");
        restart(self.state.min_free != new.state.min_free, "state.min_free");
        restart(self.keys != new.keys, "keys.file");
        restart(self.control != new.control, "control.socket");
        let pairs = || self.accounts.iter().filter_map(|old| Some((old, new.account(&old.id)?)));
        restart(pairs().any(|(old, new)| old.region != new.region), "account.region");
        restart(pairs().any(|(old, new)| old.company != new.company), "account.company");
        restart(pairs().any(|(old, new)| old.enabled != new.enabled), "account.enabled");

        let mut live = |changed: bool, what: Live| {
            if changed {
                reload.live.push(what);
            }
        };
        let effective = self.merged(new);
        live(self.log != effective.log, Live::LogLevel);
        live(self.spool.keep != effective.spool.keep, Live::Keep);
        for account in &effective.accounts {
            match self.account(&account.id) {
                None => live(true, Live::AccountAdded(account.id.clone())),
                Some(old) => live(old != account, Live::AccountChanged(account.id.clone())),
            }
        }
        for old in &self.accounts {
            live(new.account(&old.id).is_none(), Live::AccountRemoved(old.id.clone()));
        }
        reload
    }

    /// `new`, except that what needs a restart stays as in `self`: what runs after a reload.
    /// An account whose region or company changes stays as it was altogether.
    #[must_use]
    pub fn merged(&self, new: &Self) -> Self {
        let mut merged = Self {
            odoo: self.odoo.clone(),
            spool: SpoolSettings { keep: new.spool.keep, ..self.spool.clone() },
            state: self.state.clone(),
            keys: self.keys.clone(),
            control: self.control.clone(),
            log: new.log.clone(),
            accounts: new.accounts.clone(),
        };
        for account in &mut merged.accounts {
            if let Some(old) = self.account(&account.id)
                && (old.region != account.region || old.company != account.company)
            {
                // Half of a move to another company would be worse than none of it.
                *account = old.clone();
            }
        }
        merged
    }
}

impl Reload {
    /// Whether nothing changed at all.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogLevel => f.write_str("log level"),
            Self::Keep => f.write_str("spool.keep"),
            Self::AccountAdded(id) => write!(f, "account {id} added"),
            Self::AccountRemoved(id) => write!(f, "account {id} removed"),
            Self::AccountChanged(id) => write!(f, "account {id}"),
        }
    }
}
