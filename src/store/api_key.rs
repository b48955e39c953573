//! What is remembered of Odoo's API key: when it ends, and which warning was given. Odoo does not
//! tell it any more once it has ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::layout::Tree;
use super::vault::Changes;
use crate::model::KeyEnd;

/// Where it stands in `meta`.
const API_KEY: &[u8] = b"api-key";

/// What is remembered of one API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyMemory {
    /// Which key: a hash of it.
    pub name: String,
    /// When it ends, as Odoo last told.
    pub end: KeyEnd,
    /// The end that was last warned about, and the days before it at which that was due.
    pub warned: Option<(Timestamp, u8)>,
}

impl Store {
    /// What is remembered of the key of this name.
    pub fn api_key(&self, name: &str) -> Result<Option<ApiKeyMemory>, StoreError> {
        Ok(self.known_api_key()?.map(|(known, _)| known).filter(|known| known.name == name))
    }

    /// Remembers this in place of what was remembered. Durable when it returns.
    pub fn remember_api_key(&self, memory: &ApiKeyMemory) -> Result<(), StoreError> {
        let known = self.known_api_key()?;
        if known.as_ref().is_some_and(|(known, _)| known == memory) {
            return Ok(());
        }
        let cells = known.map_or(0, |(_, cells)| cells);
        let mut changes = Changes::default();
        self.vault.write(&mut changes, Tree::Meta, API_KEY, memory, cells)?;
        self.vault.apply(&changes)?;
        self.barrier()?;
        Ok(())
    }

    fn known_api_key(&self) -> Result<Option<(ApiKeyMemory, u16)>, StoreError> {
        self.vault.read(&Changes::default(), Tree::Meta, API_KEY)
    }
}
