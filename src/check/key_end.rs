//! When Odoo's API key ends.
//!
//! One row. Asks Odoo what it lists of the user's keys; writes nothing.

use jiff::Timestamp;

use super::report::{Area, Sheet};
use super::server::Connected;
use crate::clock::{Clock as _, System};
use crate::config::Keys;
use crate::deliver::api_key::{self, ENDED_NEXT};
use crate::model::{KeyEnd, KeyReading};

const WHAT: &str = "API key";
const ROTATE: &str = "odoo-spoold keys rotate odoo; or make a key in Odoo and odoo-spoold setup \
                      --odoo-api-key-file FILE";
const TELL: &str = "look in Odoo as the integration user (Preferences, Account Security), then \
                    odoo-spoold setup --odoo-api-key-ends DAY (or never)";

/// One row.
pub(super) async fn prove(odoo: &Connected, keys: &Keys, sheet: &mut Sheet) {
    let noted = keys.api_key_ends;
    let now = odoo.client.server_time().unwrap_or_else(|| System.now());
    let reading = match api_key::read(&odoo.client, odoo.server.uid, noted).await {
        Ok(reading) => reading,
        Err(fault) => return sheet.fault(Area::User, WHAT, &fault),
    };
    match reading {
        KeyReading::Sure(end) => known(end, now, sheet),
        KeyReading::OneOf { keys, first } => sheet.warn(
            Area::User,
            WHAT,
            format!(
                "the user has {keys} keys, of which one ends on {}; Odoo does not tell which one \
                 is in use",
                day(first)
            ),
            TELL,
        ),
        KeyReading::Hidden if noted == KeyEnd::Unknown => sheet.warn(
            Area::User,
            WHAT,
            "Odoo does not show the user's keys: nobody knows when this one ends",
            TELL,
        ),
        KeyReading::Hidden => known(noted, now, sheet),
    }
    if keys.api_key_before.is_some() {
        let detail = "it was replaced, and the one before it is still valid";
        sheet.warn(Area::User, "API key before", detail, "odoo-spoold keys rotate odoo");
    }
}

/// Odoo refused the login: whether the key has ended by what somebody noted. True if that is the
/// reason.
pub(super) fn ended(keys: &Keys, now: Timestamp, sheet: &mut Sheet) -> bool {
    let KeyEnd::At(end) = keys.api_key_ends else { return false };
    if end > now {
        return false;
    }
    sheet.fail(Area::User, WHAT, format!("it ended on {}", day(end)), ENDED_NEXT);
    true
}

fn known(end: KeyEnd, now: Timestamp, sheet: &mut Sheet) {
    let KeyEnd::At(at) = end else {
        return sheet.ok(Area::User, WHAT, "it does not end");
    };
    let left = end.days_left(now).unwrap_or_default();
    let detail = format!("it ends on {}, {left} full days from now", day(at));
    if end.warning(now).is_some() {
        sheet.warn(Area::User, WHAT, detail, ROTATE);
    } else {
        sheet.ok(Area::User, WHAT, detail);
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
