//! Whether keys are old, or would be lost with this host.

use std::time::Duration;

use crate::clock::{Clock as _, System};
use crate::config::{AccountSettings, Keys, Recovery, Settings, identity_created};
use crate::model::counted;

use super::report::{Area, Sheet};

/// Ages and recovery file.
pub(super) fn prove(
    settings: &Settings,
    keys: &Keys,
    accounts: &[&AccountSettings],
    sheet: &mut Sheet,
) {
    match &keys.recovery {
        Recovery::Covers(seals) if *seals == keys.seals() => {
            sheet.ok(Area::Keys, "recovery file", "made of these keys");
        }
        Recovery::Covers(_) => sheet.warn(
            Area::Keys,
            "recovery file",
            "made before the newest keys: it does not hold them",
            "odoo-spoold setup --recovery FILE",
        ),
        Recovery::Declined => sheet.ok(Area::Keys, "recovery file", "none is wanted"),
        Recovery::Undecided => sheet.warn(
            Area::Keys,
            "recovery file",
            "none is known of: what is sealed is lost with this host",
            "odoo-spoold setup --recovery FILE (or --no-recovery)",
        ),
    }
    let now = System.now();
    let mut age = |what: &str, made: Option<jiff::Timestamp>, next: String| {
        let Some(made) = made else { return };
        let old = Duration::try_from(now.duration_since(made)).unwrap_or_default();
        let detail = format!("{} old", counted(old.as_secs() / 86_400, "day"));
        if old > settings.keys_warn_after {
            sheet.warn(Area::Keys, what.to_owned(), detail, next);
        } else {
            sheet.ok(Area::Keys, what.to_owned(), detail);
        }
    };
    let next = "odoo-spoold keys rotate master".to_owned();
    age(&format!("master key {}", keys.master.id), keys.master.created, next);
    for account in accounts {
        let newest = keys.account(&account.id).and_then(|own| own.identities.first());
        let next = format!("odoo-spoold keys rotate identity --account {}", account.id);
        age(&format!("identity of {}", account.id), newest.and_then(identity_created), next);
    }
    if !keys.older.is_empty() {
        let ids: Vec<_> = keys.older.iter().map(|older| older.id.as_str()).collect();
        let detail = format!("still there: {}", ids.join(", "));
        sheet.ok(Area::Keys, "older master keys", detail);
    }
}
