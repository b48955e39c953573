//! What an error code stops, and with that its effect: one text per kind.

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
    /// The command that was given.
    Command,
    /// The daemon's start, or a change of its settings or keys.
    Daemon,
}

impl Stops {
    /// The effect, in words.
    pub fn effect(self) -> &'static str {
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
                "Delivery of what is concerned waits and is tried again by itself; nothing is lost."
            }
            Self::Order => "The order is dead until somebody requeues it; other orders go on.",
            Self::Command => "The command ended; what was there before is as it was.",
            Self::Daemon => {
                "The daemon does not start, or goes on with what it had; nothing is lost."
            }
        }
    }
}
