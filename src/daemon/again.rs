//! Reading a finished file again for its buyers: the key of their day is missing.
//!
//! Goes the way of intake (open, survey, rows), and takes nothing but the buyers whose day it is; what
//! the file says of orders is known. The file stays where it is. Blocking.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use super::intake::{Failure, IntakeAccount, IntakeTrouble, each_order, marketplace};
use crate::envelope;
use crate::flatfile::{self, Hints};
use crate::model::{BuyerFact, Fact, FileRecord};
use crate::store::Store;

/// Buyers put back in one transaction.
const BATCH: usize = 200;

/// One file to be read again.
pub(super) struct Again<'a> {
    pub(super) store: &'a Store,
    pub(super) account: &'a IntakeAccount,
    pub(super) path: &'a Path,
    pub(super) record: &'a FileRecord,
    /// The day whose key is missing.
    pub(super) day: Date,
    pub(super) now: Timestamp,
    pub(super) beat: &'a dyn Fn(),
}

impl Again<'_> {
    /// Puts the buyers back. Returns how many.
    pub(super) fn read(&self) -> Result<u64, Failure> {
        let open = || -> Result<Box<dyn Read>, Failure> {
            let file =
                File::open(self.path).map_err(|e| Failure::Trouble(IntakeTrouble::Read(e)))?;
            let opened = envelope::open(file, None, &self.account.keyring, &self.account.policy);
            Ok(opened.map_err(Failure::open)?.reader)
        };
        let charset = Some(self.record.charset.clone()).filter(|name| !name.is_empty());
        let marketplace = marketplace(&self.record.described);
        // Verify, then believe: the whole file first.
        let survey = flatfile::survey(open()?, &Hints { charset, marketplace })
            .map_err(Failure::document)?;
        let mut restored = 0_u64;
        let mut batch = Vec::with_capacity(BATCH);
        each_order(&open, &survey, marketplace, &mut |order| {
            batch.extend(order.buyer.map(|buyer| (order.fact, buyer)));
            if batch.len() >= BATCH {
                restored = restored.saturating_add(self.put_back(&std::mem::take(&mut batch))?);
            }
            Ok(())
        })?;
        restored = restored.saturating_add(self.put_back(&batch)?);
        let durable = self.store.barrier();
        durable.map_err(|error| Failure::Trouble(error.into()))?;
        Ok(restored)
    }

    fn put_back(&self, batch: &[(Fact, BuyerFact)]) -> Result<u64, Failure> {
        (self.beat)();
        let put = self.store.restore_buyers(&self.account.id, self.day, batch, self.now);
        put.map_err(|error| Failure::Trouble(error.into()))
    }
}
