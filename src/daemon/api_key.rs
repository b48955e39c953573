//! The daily look at when Odoo's API key ends, and its warnings.
//!
//! What Odoo told is remembered in the store, because it tells nothing any more once the key has
//! ended: a daemon that starts then still knows why it is refused.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use crate::config::Keys;
use crate::deliver::api_key::ENDED_NEXT;
use crate::model::{KeyEnd, KeyReading};
use crate::store::{ApiKeyMemory, Store, StoreError};
use crate::telemetry::events;

/// How often Odoo is asked.
const ASK: Duration = Duration::from_hours(24);
/// Interval between checks whether a warning is due.
const LOOK: Duration = Duration::from_hours(1);
/// An Odoo that did not tell is asked again after this.
const AGAIN: Duration = Duration::from_mins(1);
/// Interval between checks whether Odoo has let us in.
const TICK: Duration = Duration::from_secs(1);

/// What is known of the API key in use.
#[derive(Debug)]
pub(super) struct Watched {
    /// A hash of it.
    pub(super) name: String,
    /// What stands beside it in the keys.
    noted: KeyEnd,
    /// What Odoo told.
    reading: Option<KeyReading>,
    /// The key before it is still valid.
    before: bool,
}

impl Watched {
    pub(super) fn of(keys: &Keys) -> Self {
        Self {
            name: keys.api_key_name(),
            noted: keys.api_key_ends,
            reading: None,
            before: keys.api_key_before.is_some(),
        }
    }

    /// When it ends, by the best that is known.
    fn end(&self) -> KeyEnd {
        match self.reading {
            Some(KeyReading::Sure(end)) => end,
            Some(KeyReading::OneOf { .. } | KeyReading::Hidden) | None => self.noted,
        }
    }

    /// The end that is warned about, and whose it is.
    fn watched(&self) -> (KeyEnd, &'static str) {
        match (self.end(), self.reading) {
            (KeyEnd::Unknown, Some(KeyReading::OneOf { first, .. })) => {
                (KeyEnd::At(first), "the first of the integration user's API keys")
            }
            (end, _) => (end, "Odoo's API key"),
        }
    }

    /// What `status` says.
    pub(super) fn notices(&self, now: Timestamp) -> Vec<String> {
        let mut notices = Vec::new();
        let (end, which) = self.watched();
        if let (KeyEnd::At(at), Some(_)) = (end, end.warning(now)) {
            let day = at.strftime("%Y-%m-%d %H:%M UTC");
            notices.push(match (end.is_past(now), self.end()) {
                (true, _) => format!("{which} ended on {day}: {ENDED_NEXT}"),
                (false, KeyEnd::Unknown) => format!(
                    "{which} ends on {day}, and it is not known whether that is the one in use: look in \
                     Odoo (Preferences, Account Security), then `odoo-spoold setup \
                     --odoo-api-key-ends DAY`"
                ),
                (false, _) => format!(
                    "{which} ends on {day}, in {}: `odoo-spoold keys rotate odoo`",
                    left(end, now)
                ),
            });
        }
        if self.before {
            notices.push(
                "Odoo's API key was replaced, and the one before it is still valid: `odoo-spoold \
                 keys rotate odoo` revokes it"
                    .to_owned(),
            );
        }
        notices
    }

    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        match self.end() {
            KeyEnd::At(at) => Some(at),
            KeyEnd::Unknown | KeyEnd::Never => None,
        }
    }
}

/// How long a key still opens.
fn left(end: KeyEnd, now: Timestamp) -> String {
    match end.days_left(now).unwrap_or_default() {
        ..=0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// What was remembered of the key in use comes back.
pub(super) fn recall(store: &Store, watched: &mut Watched) -> Result<KeyEnd, StoreError> {
    if let Some(known) = store.api_key(&watched.name)?
        && known.end != KeyEnd::Unknown
    {
        watched.reading = Some(KeyReading::Sure(known.end));
    }
    Ok(watched.end())
}

impl Daemon {
    /// Looks until `stop`: once Odoo has let us in, every day, and after a reload. Nobody else asks
    /// while there is no work: then it is asked after an hour.
    pub(super) async fn watch_api_key(self: Arc<Self>, stop: CancellationToken) {
        let mut started = Instant::now();
        let (mut asked, mut warned): (Option<Instant>, Option<Instant>) = (None, None);
        let mut tried: Option<Instant> = None;
        let over = |since: Option<Instant>, time| since.is_none_or(|at| at.elapsed() >= time);
        loop {
            let may = self.delivery.is_let_in() || started.elapsed() >= LOOK;
            if may && over(asked, ASK) && over(tried, AGAIN) {
                match self.ask_key_end().await {
                    Some(true) => (asked, warned) = (Some(Instant::now()), None),
                    Some(false) => tried = Some(Instant::now()),
                    // Work had all connections: that was no try.
                    None => {}
                }
            }
            if over(warned, LOOK) {
                warned = Some(Instant::now());
                let daemon = Arc::clone(&self);
                match tokio::task::spawn_blocking(move || daemon.warn_of_key_end()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "the end of Odoo's API key is not noted");
                    }
                    Err(_) => tracing::error!("looking at the end of Odoo's API key ended early"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.keys.reloaded.notified() => {
                    started = Instant::now();
                    (asked, warned, tried) = (None, None, None);
                }
                () = tokio::time::sleep(if asked.is_none() { TICK } else { AGAIN }) => {}
            }
        }
    }

    /// Whether Odoo told; none where it could not be asked. What it is refused for, delivery says.
    async fn ask_key_end(&self) -> Option<bool> {
        let (name, noted) = self.keys.api_key(|watched| (watched.name.clone(), watched.noted));
        match self.delivery.read_key_end(noted).await {
            Some(Ok(reading)) => {
                self.keys.api_key(|watched| {
                    // A reload may have brought another one meanwhile.
                    if watched.name == name {
                        watched.reading = Some(reading);
                        self.delivery.know_key_end(watched.end());
                    }
                });
                Some(true)
            }
            Some(Err(fault)) => {
                tracing::debug!(code = fault.code(), "Odoo does not tell when the API key ends");
                Some(false)
            }
            None => None,
        }
    }

    /// Remembers what Odoo told, and warns once for each of the days at which that is due. Blocking.
    fn warn_of_key_end(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (name, end, (watched, which)) = self.keys.api_key(|watched| {
            let told = watched.reading.map_or(KeyEnd::Unknown, KeyReading::end);
            (watched.name.clone(), told, watched.watched())
        });
        let known = self.store.api_key(&name)?;
        let before = known.as_ref().and_then(|known| known.warned);
        let warned = match (watched, watched.warning(now)) {
            // What has ended is said by the account that pauses.
            (KeyEnd::At(at), Some(days @ 1..)) => {
                let said = before.is_some_and(|(for_end, said)| for_end == at && said <= days);
                if said {
                    before
                } else {
                    events::api_key_ends(at, &left(watched, now), which);
                    Some((at, days))
                }
            }
            _ => before,
        };
        let end = if end == KeyEnd::Unknown { known.map_or(end, |known| known.end) } else { end };
        self.store.remember_api_key(&ApiKeyMemory { name, end, warned })
    }
}

impl super::keys::KeyWatch {
    /// What is known of the API key.
    pub(super) fn api_key<T>(&self, with: impl FnOnce(&mut Watched) -> T) -> T {
        with(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner).api_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(noted: KeyEnd, reading: Option<KeyReading>) -> Watched {
        Watched { name: "k".into(), noted, reading, before: false }
    }

    #[test]
    fn status_says_when_the_key_ends_and_what_helps() {
        let now: Timestamp = "2027-02-22T12:00:00Z".parse().unwrap();
        let end: KeyEnd = "2027-02-26".parse().unwrap();
        let told = |reading| watched(KeyEnd::Unknown, Some(reading)).notices(now);
        assert_eq!(
            told(KeyReading::Sure(end)),
            [
                "Odoo's API key ends on 2027-02-26 00:00 UTC, in 3 days: `odoo-spoold keys rotate odoo`"
            ]
        );
        assert_eq!(
            watched(end, Some(KeyReading::Hidden)).notices(now),
            told(KeyReading::Sure(end))
        );
        let first = "2027-02-26T00:00:00Z".parse().unwrap();
        let one_of = told(KeyReading::OneOf { keys: 3, first });
        assert!(one_of[0].contains("--odoo-api-key-ends DAY"), "{one_of:?}");
        let far = KeyReading::Sure("2027-03-25".parse().unwrap());
        assert!(told(far).is_empty());
        assert!(told(KeyReading::Sure(KeyEnd::Never)).is_empty());
        let past = told(KeyReading::Sure("2027-02-22".parse().unwrap()));
        assert!(past[0].contains("ended on 2027-02-22") && past[0].contains("new key"), "{past:?}");
        let rotated = Watched { before: true, ..watched(KeyEnd::Never, None) };
        assert!(rotated.notices(now)[0].contains("keys rotate odoo"));
    }
}
