//! Codes of holds: what orders wait for.

use super::Stops::{WaitsForFile, WaitsForOdoo, WaitsForPerson};
use super::{Code, row};

const QUOTATION: &str = "The order stands in Odoo as a quotation and is not confirmed before a report brings it; it goes on by itself and uses up no attempt. Other orders go on.";
const RELEASE: &str =
    "odoo-spoold hold show ACCOUNT ORDER; mend it, then odoo-spoold hold release ACCOUNT ORDER";

pub(super) const ROWS: &[Code] = &[
    row("sku", WaitsForOdoo, "no product, or more than one, has the SKU as its internal reference", "make or mend the product in Odoo; odoo-spoold hold list --code sku names the SKUs"),
    row("price", WaitsForFile, "a line of the order has no price yet", "nothing: an All Orders report or an order report brings it"),
    row("address", WaitsForFile, "the seller ships, and no report gives the ship address yet", "nothing: an unshipped report or an order report brings it").but(QUOTATION),
    row("release", WaitsForFile, "nothing says yet that the order may be shipped", "nothing: an unshipped report or a later order status brings it").but(QUOTATION),
    row("marketplace", WaitsForOdoo, "no report names the marketplace, or config.toml does not have it", "set default_marketplace or add its [[account.marketplace]], then odoo-spoold reload"),
    row("warehouse", WaitsForOdoo, "the marketplace's warehouse is not in config.toml, or not in Odoo", "set fba_warehouse or warehouse to the short name in Odoo, then odoo-spoold reload").but("The order stands in Odoo as a quotation and is not confirmed; it goes on by itself some minutes after that is mended and uses up no attempt. Other orders go on."),
    row("pricelist", WaitsForOdoo, "there is no pricelist, or more than one, of that name and the order's currency", "correct the marketplace's pricelist in config.toml or in Odoo, then odoo-spoold reload"),
    row("tax", WaitsForOdoo, "no configured tax fits, or the report's columns contradict each other", "odoo-spoold hold show ACCOUNT ORDER gives both amounts, or what Odoo lacks; add the tax to config.toml, then odoo-spoold reload; or, where there are two amounts, odoo-spoold hold release ACCOUNT ORDER for the default tax"),
    row("row", WaitsForFile, "a row of the order was refused, or none of it could be read yet", "odoo-spoold files show ID names line and column; drop a good report"),
    row("account", WaitsForPerson, "another account of this Odoo has an order with this id", "see which account the report belongs to; odoo-spoold hold show ACCOUNT ORDER"),
    row("existing", WaitsForPerson, "an order in Odoo has this Amazon id already, and it is not to be adopted (existing = \"hold\"), has it only within a longer text, or is one of several", "look at the orders that the hold names; set existing = \"adopt\", or write the id alone into the reference of the one that counts, or cancel it; then odoo-spoold hold release ACCOUNT ORDER").but("The order in Odoo is not touched and no second one is made, until a person decides. Other orders go on."),
    row("total", WaitsForPerson, "Odoo's total differs from Amazon's by more than rounding", RELEASE).but("The order stands in Odoo and is not confirmed until a person decides; it uses up no attempt. Other orders go on."),
    row("conflict", WaitsForPerson, "a person and the marketplace changed the same thing", "odoo-spoold hold show ACCOUNT ORDER, then odoo-spoold hold accept-odoo or accept-marketplace ACCOUNT ORDER").but("What a person changed is not overwritten: the order waits for a decision and uses up no attempt. Other orders go on."),
    row("cancellation-requested", WaitsForPerson, "the buyer asked for cancellation", "cancel the order at Amazon; or odoo-spoold hold release ACCOUNT ORDER, and it is confirmed all the same").but("The order stands in Odoo as a quotation and is not confirmed until a person decides; it uses up no attempt. Other orders go on."),
    row("wizard", WaitsForPerson, "Odoo asks a question instead of confirming or cancelling the order", "open the order in Odoo and answer it, then odoo-spoold hold release ACCOUNT ORDER").but("The order stays in Odoo in the state it is in until a person answers; it uses up no attempt. Other orders go on."),
    row("address-expired", WaitsForFile, "the buyer's data was destroyed after 30 days, before the order was delivered", "drop a report that lists it; or set anonymous_partner, odoo-spoold reload, odoo-spoold hold release ACCOUNT ORDER").but("The order is not created, or stays a quotation; it uses up no attempt. Other orders go on."),
    row("unknown-amount", WaitsForPerson, "a column that odoo-spoold does not know, and whose name says money, has a value for the order", "odoo-spoold hold show ACCOUNT ORDER names column and sum; correct the order in Odoo if it must be, then odoo-spoold hold release ACCOUNT ORDER").but("The order stands in Odoo as a quotation and is not confirmed until a person decides; it uses up no attempt. Other orders go on."),
    row("refused", WaitsForOdoo, "Odoo refused the order, and nothing shows yet whether the order or the configuration is the cause", "odoo-spoold hold show ACCOUNT ORDER gives Odoo's words; correct it in Odoo. One order is sent again to try, then all").but("The order waits and is not given up; once Odoo takes one such order it goes on by itself. It uses up no attempt."),
    row("invisible", WaitsForOdoo, "the order exists in Odoo, but the daemon's user may not see it", "give the user back the right to see the order: its company, sales team or a record rule hides it").but("Nothing is written for the order, not even a cancellation; it goes on by itself some minutes after the user sees it again and uses up no attempt. Other orders go on."),
];
