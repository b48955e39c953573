//! What we talk about: Amazon and Odoo facts as types. Imports nothing of ours.
//!
//! A line of a report is a *row*; what one file's rows say of one order is a [`Fact`] (plus a
//! [`BuyerFact`], the personal part, kept apart because it is sealed and forgotten apart);
//! what all families together say is a *record* (`plan::merge`). What we know to stand in Odoo is
//! a [`Mapping`]; whether work is left to do on an order is its [`Job`].

pub mod attention;
pub mod dossier;
pub mod fact;
pub mod file;
pub mod file_id;
pub mod hold;
pub mod ids;
pub mod job;
pub mod key_end;
pub mod mapping;
pub mod marker;
pub mod marketplace;
pub mod money;
pub mod note;
pub mod refusals;
mod ruling;
mod words;

pub use attention::{Attention, AttentionCode, Subject};
pub use dossier::{Dossier, RefusedFact, Standing};
pub use fact::{
    BillTo, BuyerFact, Fact, FactLine, Family, Fulfilment, Head, ItemStatus, OrderStatus, Rank,
    RowFault, UnknownAmount, UnknownWord,
};
pub use file::{Counts, DocumentInfo, FileNotice, FileRecord, FileState, FileWait, Refusal};
pub use file_id::FileId;
pub use hold::{EndedBy, Hold, HoldCode};
pub use ids::{AccountId, IdError, IdGrammar, OdooId, OrderId, OrderItemId, Sku};
pub use job::{Death, Job, JobState, Outcome};
pub use key_end::{KeyEnd, KeyReading, NotAnEnd, WARNING_DAYS};
pub use mapping::{
    Base, MappedItem, MappedLine, Mapping, NoteKind, Origin, OtherAmounts, Stage, is_confirmed,
};
pub use marker::{Doubt, Marker, OdooPin};
pub use marketplace::Marketplace;
pub use money::Currency;
pub use note::{Decision, Note};
pub use refusals::Refusals;
pub use ruling::{Accept, Declined, Released, Ruling};
pub use words::counted;
