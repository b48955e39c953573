//! odoo-spoold: encrypted order reports in, sale orders in Odoo out.
//!
//! This page is the tour of the house, five minutes long. What the program is for, how it is
//! installed and what it promises is in `README.md`; each module's first lines say what it
//! promises and what it does not do.
//!
//! # The way of a file
//!
//! ```text
//!  incoming/ ──claim──► work/ ──open──► rows ──read──► facts ──take──► store (dossier + job)
//!    [spool]            [envelope]      [flatfile]     [model]              │ lease
//!                                                                          ▼
//!  done/ | rejected/ ◄── finish           Odoo ◄── batch ◄── diff ◄── plan ◄── merge
//!    [spool]                             [odoo]  [deliver]          [plan]
//! ```
//!
//! 1. **Claim** ([`spool`]). A file is renamed out of `incoming/`, copied into a file of our own
//!    and synced. From then on it has a file id, and the dropper cannot reach it any more.
//! 2. **Open** ([`envelope`]). Bytes decide what it is: age, Amazon's AES-CBC with a sidecar, plain
//!    text; gzip inside. A reader in constant memory; it may be believed only at its end.
//! 3. **Read** ([`flatfile`]), twice. The first pass goes to the last byte and settles what belongs
//!    to the whole file: authenticity, charset, report, columns, decimal mark, where each order's
//!    rows are. The second reads the same copy and hands out one *fact* per order. A bad row
//!    refuses its order's fact and nothing else.
//! 4. **Take** ([`store`]). A fact goes into the order's *dossier* if it says something new, the
//!    buyer apart and under the key of the day; in the same transaction the order's *job* becomes
//!    due. After the barrier the file leaves `work/`.
//! 5. **Deliver** ([`deliver`]). One loop per account leases due jobs and brings them to Odoo a
//!    batch at a time, stage by stage. [`plan`] decides, without I/O: the facts of all families are
//!    *merged* into one record, priced, and become what should stand in Odoo, or the holds that say
//!    what is missing. What stands there already is compared with it three-way.
//! 6. **Settle** ([`store`]). The job is done, held, dead or due again later; durable before it is
//!    announced.
//!
//! [`daemon`] joins these: `mouth` is an account's way in, `intake` one file's, `desk` answers for
//! the control socket, `rehearsal` is the dry run, `lifecycle` talks to systemd. Reading files and
//! delivering orders share nothing but the store: either goes on while the other cannot.
//!
//! # Words
//!
//! A file is *claimed*, a document is *opened*, a line is a *row*, what one file's rows say of an
//! order is a *fact*, what all families of reports say together is a *record*, what we know of an
//! order is its *dossier*, whether work is left on it is its *job*. A job is *leased*, then
//! *settled*: done, *rescheduled*, *held* (waits for a thing or a person, uses up no attempt) or
//! *buried* (dead: Odoo refuses it; kept, can be requeued). An account's *gate* says whether it may
//! call Odoo.
//!
//! # Decisions that shape the rest
//!
//! * **Idempotency lives in Odoo.** Everything is created by `load()` under external ids, on the
//!   order and on each line, in the mode that skips what is there: create-if-absent in one
//!   transaction, decided by PostgreSQL's unique index. Nothing else public is. What changes state
//!   (confirm, cancel) reads the state first, and afterwards believes the state, not the answer.
//! * **Stages instead of transactions.** A batch is existing? → partners → orders → read back →
//!   compare → write → round → cancel → confirm → dates and notes. Each looks at what Odoo shows,
//!   so a crash redoes only what is not there yet. A stage that Odoo does not show is stored with a
//!   barrier before it begins (`model::Stage`).
//! * **Three-way.** A field is written only if Odoo still holds what it answered after our last
//!   write. What people change, delete or made before is left to them.
//! * **Merging commutes.** Each family of reports owns fields and has a version; the same files in
//!   any order leave the same dossier, and so the same record.
//! * **One table of failures.** `odoo::fault` alone decides retry, pause or reject. A retry waits
//!   with jitter, a pause closes the account's gate, a rejection splits the batch until the culprit
//!   stands alone.
//! * **sled is fenced in.** Only [`store`] knows it. Values are sealed and small (sled does not sync
//!   its blob files), keys are HMACs, durable means flush *and* `fdatasync` (`store::barrier`).
//!   `store::layout` draws what lies where.
//! * **Errors carry places, not values.** What may reach a log or a reason file has a file id, a
//!   line, a column name; never a cell, a buyer or Odoo's own words (`odoo::Words` cannot be
//!   printed).
//! * **Blocking code is plain std.** tokio is in [`odoo`], [`deliver`], [`control`], [`daemon`] and
//!   `spool::watch`; the rest is called from threads that may block.
//!
//! # Streets
//!
//! Rooms look only one way; `tests/architecture.rs` has the whole table and fails on a new street.
//!
//! ```text
//! cli ─► daemon ─► everything below          cli ─► check, control::client, config
//! check ─► config, odoo, deliver's searches  control ─► store, deliver's gate (through its Handle)
//! deliver ─► store, odoo, plan               plan, store, flatfile, config ─► model
//! spool ─► model::FileId                     model, clock, envelope, odoo ─► nothing of ours
//! ```
//!
//! # Where a new thing goes
//!
//! A report of a known family, or a new one: one file in `flatfile::reports` and a row of its table.
//! A marketplace: a row in `model::marketplace`. A hold: a variant of [`model::HoldCode`], its byte
//! in `store::layout`. A failure of Odoo's: a row in `odoo::kind`, its symptom in `odoo::fault`. A
//! command: a file in `cli`, and if it asks the daemon, one of the same noun in `control`. A setting:
//! `config::file`, `config::check`, `config::settings` and `config.example.toml`, which a test holds
//! against each other. A message worth an id: `telemetry::events`.

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod deliver;
pub mod envelope;
pub mod flatfile;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod model;
pub mod odoo;
pub mod plan;
pub mod spool;
pub mod store;
pub mod telemetry;
