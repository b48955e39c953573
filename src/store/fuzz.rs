//! What the fuzz target `sealed` calls (`crate::fuzz`).

#![expect(clippy::missing_panics_doc, reason = "a panic is what is looked for")]

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::buyers::StoredBuyer;
use super::entry::Entry;
use super::keys::IdKey;
use super::layout::{KIND_ORDER, RecordKey, file_of, index_keys, record_of};
use super::seal::{Seal, associated, seal};
use super::tally::Tally;
use crate::model::{Dossier, FileRecord, JobState};

/// The first byte: 0 a sealed value as it may lie on a damaged disk, 1 a value to seal, 2 to 6 what
/// an opened value holds, 7 an index key.
///
/// What does not open is an error, one flipped bit is noticed, and what decodes encodes to itself.
pub fn sealed(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    let cipher = XChaCha20Poly1305::new(&[3; 32].into());
    let aad = associated("record", b"key", b"");
    match kind % 8 {
        0 => {
            if let Ok(seal) = Seal::parse(rest) {
                assert!(seal.open(&cipher, &aad).is_err(), "nobody sealed this");
            }
        }
        1 => {
            let Some(mut sealed) = seal(&cipher, "m1", &aad, rest) else { return };
            assert_eq!(opened(&sealed, &cipher, &aad).as_deref(), Some(rest));
            let at = rest.first().map_or(0, |byte| usize::from(*byte)) % sealed.len();
            if let Some(byte) = sealed.get_mut(at) {
                *byte ^= 1 << (kind >> 5);
            }
            assert!(opened(&sealed, &cipher, &aad).is_none(), "a flipped bit at {at}");
        }
        2 => {
            if let Some(entry) = decodes_as_encoded::<Entry>(rest) {
                used(&entry);
            }
        }
        3 => drop(decodes_as_encoded::<StoredBuyer>(rest)),
        4 => drop(decodes_as_encoded::<FileRecord>(rest)),
        5 => {
            if let Some(mut tally) = decodes_as_encoded::<Tally>(rest) {
                tally.add(&JobState::Pending);
            }
        }
        6 => drop(decodes_as_encoded::<Dossier>(rest)),
        _ => {
            let _job = record_of(rest);
            let _file = file_of(rest);
        }
    }
}

/// What it was sealed as, under the key it names.
fn opened(sealed: &[u8], cipher: &XChaCha20Poly1305, aad: &[u8]) -> Option<Vec<u8>> {
    let seal = Seal::parse(sealed).ok().filter(|seal| seal.key_id == "m1")?;
    seal.open(cipher, aad).ok()
}

fn decodes_as_encoded<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(bytes).ok()?;
    let Ok(once) = postcard::to_stdvec(&value) else { unreachable!("it was decoded") };
    let Ok(again) = postcard::from_bytes::<T>(&once) else { unreachable!("it was encoded") };
    assert_eq!(postcard::to_stdvec(&again).ok().as_ref(), Some(&once), "it comes back changed");
    Some(value)
}

/// What the store does with every entry it reads.
fn used(entry: &Entry) {
    let id_key = IdKey::new(&[5; 32]);
    let key = RecordKey::new([1, 2, 3, 4], KIND_ORDER, [9; 16]);
    for place in index_keys(&key, &id_key, &entry.state, (entry.lane, entry.due_ms)) {
        assert_eq!(record_of(&place), Some(key), "an index key that names another record");
    }
    if let Ok(account) = "eu".parse() {
        let job = entry.job(&account, None);
        assert_eq!(job.state, entry.state);
    }
    let mut entry = entry.clone();
    entry.arm(0);
    for standing in entry.dossier.facts.values_mut() {
        standing.fact.compact();
        assert!(!standing.fact.canonical().is_empty());
    }
}

/// Values of every kind, for the corpus: name, first byte, bytes.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(&'static str, u8, Vec<u8>)> {
    use crate::model::{Death, FileId, Hold, HoldCode, Outcome, Standing};
    use crate::store::intake::rank_of;
    use crate::store::tests::fact;
    let file = FileId::from_bits(7);
    let id_key = IdKey::new(&[5; 32]);
    let fact = fact("205-1", 1, 2);
    let mut entry = Entry::new(fact.order_id.clone(), &file, 1_763_683_200_000);
    let rank = rank_of(&id_key, &fact);
    entry.dossier.facts.insert(fact.family, Standing { rank, fact });
    let with = |state: JobState| {
        let mut entry = entry.clone();
        entry.state = state;
        postcard::to_stdvec(&entry).unwrap()
    };
    let held = vec![Hold::new(HoldCode::Sku, "A", "missing"), Hold::new(HoldCode::Tax, "", "")];
    let death = Death { code: "refused".into(), words: "no".into() };
    let buyer = StoredBuyer {
        rank,
        hash: [1; 16],
        payload: Some(Box::new(crate::model::BuyerFact { name: "n".into(), ..Default::default() })),
    };
    let cipher = XChaCha20Poly1305::new(&[4; 32].into());
    vec![
        ("foreign", 0, seal(&cipher, "m1", b"", b"plain").unwrap()),
        ("to-seal", 1, b"plain".to_vec()),
        ("pending", 2, with(JobState::Pending)),
        ("held", 2, with(JobState::Held(held))),
        ("dead", 2, with(JobState::Dead(death))),
        ("done", 2, with(JobState::Done(Outcome::Delivered))),
        ("buyer", 3, postcard::to_stdvec(&buyer).unwrap()),
        ("tally", 5, postcard::to_stdvec(&Tally { pending: 3, ..Tally::default() }).unwrap()),
        ("dossier", 6, postcard::to_stdvec(&entry.dossier).unwrap()),
        (
            "index",
            7,
            index_keys(&RecordKey::new([1; 4], 1, [2; 16]), &id_key, &entry.state, (entry.lane, 9))
                .remove(0),
        ),
    ]
}
