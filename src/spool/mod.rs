//! Where files come from and where they end.
//!
//! One account has four folders ([`SpoolDirs`]). Droppers put files into `incoming/`; [`Watch`] says
//! that something happened there, [`Scanner`] looks and says which files are ready, [`claim()`] takes
//! one over into `work/` under a [`FileId`], [`finish()`] moves it to `done/` or `rejected/` with an
//! explanation beside it, and [`recover()`] continues whatever a crash interrupted.
//!
//! It promises: a file accepted from `incoming/` is never lost, never there twice, never overwritten
//! and never trusted before it is our own copy. Links, pipes, devices and folders are never followed,
//! opened or deleted.
//!
//! It does not open envelopes, read rows or decide what is retried. Everything but [`mod@watch`] blocks.

pub mod claim;
pub mod dirs;
mod disk;
pub mod ended;
pub mod error;
pub mod finish;
pub mod hand_in;
pub mod harmless;
mod layout;
pub mod notice;
mod record;
pub mod recover;
mod rights;
pub mod scan;
pub mod unread;
pub mod watch;

pub use crate::model::FileId;
pub use claim::{Claim, MAX_SIDECAR_BYTES, claim, claim_beating};
pub use dirs::{DirNotice, SpoolDirs};
pub use ended::{Ended, ended, remove};
pub use error::{ClaimError, Left};
pub use finish::{End, finish, finish_beating};
pub use hand_in::{HandedIn, hand_in, sweep};
pub use harmless::harmless_name;
pub use notice::{Notice, NoticeKind};
pub use recover::{Recovered, Unfinished, recover, recover_file, unfinished};
pub use scan::{Candidate, Scan, Scanner};
pub use unread::{Unread, unread};
pub use watch::{Hint, HintKind, Watch};

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod swap_tests;
