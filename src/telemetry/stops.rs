//! What an error code stops, and with that its effect: one text per kind, unless a code has its own.

/// What kind of thing a code stops, and with that its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stops {
    /// A whole file.
    File,
    /// The order of a row.
    Row,
    /// An account, until it is mended.
    Account,
    /// Nothing for good: it is tried again.
    Nothing,
    /// One order, for good.
    Order,
    /// One order, until a file brings what is missing.
    WaitsForFile,
    /// One order, until Odoo or the settings have what is missing.
    WaitsForOdoo,
    /// One order, until a person decides.
    WaitsForPerson,
    /// The command that was given.
    Command,
    /// The daemon's start, or a change of its settings or keys.
    Daemon,
}

impl Stops {
    /// The effect, in words.
    pub const fn effect(self) -> &'static str {
        match self {
            Self::File => {
                "The file lies in rejected/ with its reason; nothing of it was used. Other files go on."
            }
            Self::Row => {
                "The whole order of that row is held under `row` until a good file comes; other orders go on."
            }
            Self::Account => {
                "The account stops delivering and loses nothing; it is probed again by itself, and at once after a reload."
            }
            Self::Nothing => {
                "What is concerned waits and is tried again by itself; everything else goes on and nothing is lost."
            }
            Self::Order => "The order is dead until somebody requeues it; other orders go on.",
            Self::WaitsForFile => {
                "The order is not created, or not changed if it is in Odoo, until a report brings what is missing; it goes on by itself and uses up no attempt. Other orders go on."
            }
            Self::WaitsForOdoo => {
                "The order is not created, or not changed if it is in Odoo; it goes on by itself some minutes after that is mended and uses up no attempt. Other orders go on."
            }
            Self::WaitsForPerson => {
                "The order is not created, or not changed if it is in Odoo, until a person decides; it uses up no attempt. Other orders go on."
            }
            Self::Command => "The command ended; what was there before is as it was.",
            Self::Daemon => {
                "The daemon does not start, or goes on with what it had; nothing is lost."
            }
        }
    }
}
