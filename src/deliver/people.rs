//! Listens, after each call that took its time, whether people wait for Odoo, and rests for them.
//! What follows from what is heard, [`super::pacing`] decides.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pacing::{Pacing, SHORT};
use crate::model::OdooId;
use crate::odoo::{Client, Context};

/// What is known of the people who use this Odoo, of all accounts together.
#[derive(Debug)]
pub(super) struct People {
    pacing: Mutex<Pacing>,
    began: Instant,
}

impl People {
    /// Nothing is known yet.
    pub(super) fn new(connections: usize) -> Self {
        Self { pacing: Mutex::new(Pacing::new(connections)), began: Instant::now() }
    }

    /// Held for a moment only.
    pub(super) fn pacing(&self) -> MutexGuard<'_, Pacing> {
        self.pacing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call took so long: sends a small read, and rests if people wait.
    pub(super) async fn after_call(&self, client: &Client, company: OdooId, took: Duration) {
        if took < SHORT {
            self.pacing().learn(None, self.began.elapsed());
            return;
        }
        let Some(read) = small_read(client, company).await else { return };
        let wants_floor = self.pacing().learn(Some(read), self.began.elapsed());
        if wants_floor && let Some(read) = small_read(client, company).await {
            // Those who waited for the call have been served: this one shows what a read takes.
            self.pacing().take_floor(read);
        }
        let rest = self.pacing().rest(took);
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }
}

/// How long a small read takes, as a person's page sends it; none if it failed.
async fn small_read(client: &Client, company: OdooId) -> Option<Duration> {
    let sent = Instant::now();
    let context = Context::new(&[company]);
    client.read("res.company", &[company], &["name"], context).await.ok()?;
    Some(sent.elapsed())
}
