//! Codes of the attention list: what holds nothing and should be seen.

use super::Stops::Nothing;
use super::{Code, row};

const HOLDS_NOTHING: &str =
    "Nothing waits because of it; the entry stays in the list until a person dismisses it.";
const LOOK: &str = "look at the order in Odoo; odoo-spoold attention dismiss ACCOUNT ORDER";

pub(super) const ROWS: &[Code] = &[
    row(
        "adopted-changed",
        Nothing,
        "the marketplace changed an order that stood in Odoo before and is never written",
        LOOK,
    )
    .but(HOLDS_NOTHING),
    row(
        "below-delivered",
        Nothing,
        "the marketplace sells fewer than have been delivered or invoiced",
        LOOK,
    )
    .but(HOLDS_NOTHING),
    row(
        "buyer-after-confirm",
        Nothing,
        "a report names the buyer of an order that was confirmed without one",
        LOOK,
    )
    .but(HOLDS_NOTHING),
    row("reopened", Nothing, "the marketplace revived an order that had been cancelled", LOOK)
        .but(HOLDS_NOTHING),
    row(
        "file-notice",
        Nothing,
        "something in a file that was taken in may mean that money is missing in Odoo",
        "odoo-spoold files show FILE; odoo-spoold attention dismiss ACCOUNT FILE",
    )
    .but(HOLDS_NOTHING),
    row(
        "carrier",
        Nothing,
        "an order was created without its delivery method: Odoo has none of the configured name, or several",
        "correct carriers in config.toml or the name in Odoo, set the method on the order; odoo-spoold attention dismiss ACCOUNT ORDER",
    )
    .but(HOLDS_NOTHING),
];
