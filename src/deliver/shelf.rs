//! The store as delivery sees it: async, off the runtime's threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::batch::Work;
use super::send::Stop;
use crate::model::{AccountId, Dossier, Mapping, Note, OdooId, OrderId};
use crate::store::{Leased, Store, StoreError};

/// The store, for one account.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) store: Arc<Store>,
    pub(super) account: AccountId,
}

impl Shelf {
    /// Runs `work` on a thread that may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &AccountId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Stop> {
        let shelf = self.clone();
        match tokio::task::spawn_blocking(move || work(&shelf.store, &shelf.account)).await {
            Ok(result) => result.map_err(|error| Stop::Store(error.to_string())),
            Err(_) => Err(Stop::Store("a task of the store ended early".to_owned())),
        }
    }

    /// Stores the dossiers of these works, with a barrier. Works whose lease was lost are marked.
    pub(super) async fn save(&self, works: Vec<&mut Work>) -> Result<(), Stop> {
        let dossiers: Vec<(Leased, Dossier)> =
            works.iter().map(|work| (work.leased.clone(), work.dossier.clone())).collect();
        let lost = self
            .run(move |store, _| {
                let lost =
                    store.save_all(dossiers.iter().map(|(leased, dossier)| (leased, dossier)))?;
                store.barrier()?;
                Ok(lost)
            })
            .await?;
        for work in works {
            work.lost = lost.contains(&work.leased.key);
        }
        Ok(())
    }

    /// Notes in the decision journal where these works stand in Odoo, as far as it does not know:
    /// what is known there and gone from Odoo was deleted by a person. One sync for all.
    pub(super) async fn note_delivered(
        &self,
        works: &mut [Work],
        at: Timestamp,
    ) -> Result<(), Stop> {
        let fresh = |work: &&mut Work| !work.noted && !work.lost && work.odoo_id().is_some();
        let mut fresh: Vec<&mut Work> = works.iter_mut().filter(fresh).collect();
        let orders: Vec<(OrderId, OdooId)> = fresh
            .iter()
            .filter_map(|work| Some((work.dossier.order_id.clone(), work.odoo_id()?)))
            .collect();
        if orders.is_empty() {
            return Ok(());
        }
        let account = self.account.clone();
        self.run(move |store, _| store.note(&[Note::Delivered { account, orders, at }])).await?;
        for work in &mut fresh {
            work.noted = true;
        }
        Ok(())
    }

    /// Notes in the decision journal which of these works a person deleted in Odoo.
    pub(super) async fn note_gone(&self, works: &[Work], at: Timestamp) -> Result<(), Stop> {
        let deleted = |mapping: Option<&Mapping>| mapping.is_some_and(|mapping| mapping.deleted);
        let notes: Vec<Note> = works
            .iter()
            .filter(|work| !work.lost && deleted(work.dossier.mapping.as_ref()))
            .filter(|work| !deleted(work.leased.dossier.mapping.as_ref()))
            .map(|work| Note::Gone {
                account: self.account.clone(),
                order: work.dossier.order_id.clone(),
                at,
            })
            .collect();
        if notes.is_empty() {
            return Ok(());
        }
        self.run(move |store, _| store.note(&notes)).await
    }

    /// Notes in the decision journal what became of people's decisions on these works.
    pub(super) async fn note_ruled(&self, works: &[Work], at: Timestamp) -> Result<(), Stop> {
        let decisions = |mapping: Option<&Mapping>| {
            mapping.map(|Mapping { ruling, declined, .. }| (ruling.clone(), declined.clone()))
        };
        let notes: Vec<Note> = works
            .iter()
            .filter(|work| !work.lost)
            .filter_map(|work| {
                let mapping = work.dossier.mapping.as_ref()?;
                let before = decisions(work.leased.dossier.mapping.as_ref()).unwrap_or_default();
                let changed = decisions(Some(mapping)).is_some_and(|now| now != before);
                let (account, order) = (self.account.clone(), work.dossier.order_id.clone());
                changed.then(|| Note::ruled(account, order, mapping, at))
            })
            .collect();
        if notes.is_empty() {
            return Ok(());
        }
        self.run(move |store, _| store.note(&notes)).await
    }

    /// Known partner ids.
    pub(super) async fn partners(
        &self,
        names: Vec<String>,
    ) -> Result<BTreeMap<String, OdooId>, Stop> {
        self.run(move |store, account| {
            let ids = store.partners(account, names.iter().map(String::as_str))?;
            Ok(names.into_iter().zip(ids).filter_map(|(name, id)| Some((name, id?))).collect())
        })
        .await
    }

    /// Remembers partner ids. No barrier: losing them costs a call, nothing else.
    pub(super) async fn keep_partners(&self, known: BTreeMap<String, OdooId>) -> Result<(), Stop> {
        self.run(move |store, account| {
            store.put_partners(account, known.iter().map(|(name, id)| (name.as_str(), *id)))
        })
        .await
    }

    /// Forgets partner ids that Odoo no longer knows.
    pub(super) async fn forget_partners(&self, names: Vec<String>) -> Result<(), Stop> {
        self.run(move |store, account| {
            store.forget_partners(account, names.iter().map(String::as_str))
        })
        .await
    }
}
