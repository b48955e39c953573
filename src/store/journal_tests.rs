use super::*;
use crate::model::{AccountId, Decision, Declined, Mapping, Origin};
use crate::store::keys::Secret;
use jiff::Timestamp;
use proptest::prelude::*;

fn keys(byte: u8) -> StoreKeys {
    StoreKeys::new("m1", Secret::new(Box::new([byte; 32]))).unwrap()
}

fn account() -> AccountId {
    "eu".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn delivered(orders: &[(u32, i64)]) -> Note {
    let orders =
        orders.iter().map(|&(order, id)| (format!("205-{order}").parse().unwrap(), id)).collect();
    Note::Delivered { account: account(), orders, at: at(0) }
}

fn gone(order: u32) -> Note {
    let order = format!("205-{order}").parse().unwrap();
    Note::Gone { account: account(), order, at: at(1) }
}

fn decided(order: u32) -> Note {
    let order = format!("205-{order}").parse().unwrap();
    Note::Decided { account: account(), order, decision: Decision::Dropped, at: at(2) }
}

fn ruled(order: u32, wanted: u8) -> Note {
    let (field, kept) = ("date_order".to_owned(), "then".to_owned());
    let declined = vec![Declined { field, wanted: wanted.to_string(), kept }];
    let mapping = Mapping { declined, ..Mapping::by(Origin::Ours) };
    Note::ruled(account(), format!("205-{order}").parse().unwrap(), &mapping, at(5))
}

fn some() -> Vec<Note> {
    vec![
        delivered(&[(1, 11), (2, 12)]),
        gone(1),
        Note::Paused { account: None, by: Some(7), intake: false, at: at(3) },
        decided(2),
        Note::Resumed { account: None, at: at(4) },
    ]
}

fn all(dir: &Path) -> (Vec<Note>, JournalReport) {
    let mut notes = Vec::new();
    let report = read(dir, &keys(1)).unwrap().unwrap().for_each(|note| notes.push(note)).unwrap();
    (notes, report)
}

fn written(dir: &Path, notes: &[Note]) -> PathBuf {
    let journal = Journal::open(dir, &keys(1)).unwrap();
    for note in notes {
        journal.append(std::slice::from_ref(note)).unwrap();
    }
    dir.join(JOURNAL_DIR).join(FILE)
}

#[test]
fn what_was_noted_comes_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read(dir.path(), &keys(1)).unwrap().is_none());
    let _path = written(dir.path(), &some());
    let (notes, report) = all(dir.path());
    assert_eq!(notes, some());
    assert_eq!(report, JournalReport { notes: 5, deliveries: 1, ..JournalReport::default() });
    // Opened again, it goes on.
    let _path = written(dir.path(), &[gone(2)]);
    assert_eq!(all(dir.path()).0.last(), Some(&gone(2)));
}

#[test]
fn no_natural_id_stands_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fs::read(written(dir.path(), &some())).unwrap();
    assert!(!bytes.windows(4).any(|window| window == b"205-"));
}

#[test]
fn the_wrong_key_refuses_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &some());
    let before = fs::read(&path).unwrap();
    let refused = Journal::open(dir.path(), &keys(2));
    assert!(matches!(refused, Err(StoreError::WrongKey { .. })), "{refused:?}");
    let other = StoreKeys::new("m2", Secret::new(Box::new([1; 32]))).unwrap();
    let refused = Journal::open(dir.path(), &other);
    assert!(matches!(refused, Err(StoreError::UnknownKey { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_new_master_key_takes_the_journal_along() {
    let dir = tempfile::tempdir().unwrap();
    let _path = written(dir.path(), &some());
    let rotated = || StoreKeys::new("m2", Secret::new(Box::new([2; 32]))).unwrap();
    let both = rotated().with_older("m1", Secret::new(Box::new([1; 32]))).unwrap();
    drop(Journal::open(dir.path(), &both).unwrap());
    let mut notes = Vec::new();
    let _report =
        read(dir.path(), &rotated()).unwrap().unwrap().for_each(|note| notes.push(note)).unwrap();
    assert_eq!(notes.len(), 4, "all but the pause that ended: {notes:?}");
}

/// Every cut: the entries before it are there, the half one is cut off, and it goes on.
#[test]
fn cut_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &some());
    let whole = fs::read(&path).unwrap();
    for keep in 0..whole.len() {
        fs::write(&path, &whole[..keep]).unwrap();
        match Journal::open(dir.path(), &keys(1)) {
            Err(StoreError::JournalHead { .. }) => assert!(keep < 128, "cut at {keep}"),
            Err(other) => panic!("cut at {keep}: {other}"),
            Ok(journal) => {
                let report = journal.report().clone();
                let head_cut = keep < 256;
                assert_eq!(report.damage.is_empty(), !head_cut, "cut at {keep}: {report:?}");
                journal.append(&[gone(7)]).unwrap();
                let (notes, after) = all(dir.path());
                let kept = usize::try_from(report.notes).unwrap();
                assert_eq!(notes[..kept], some()[..kept], "cut at {keep}");
                assert_eq!(notes[kept..], [gone(7)], "cut at {keep}");
                assert_eq!(after.torn, None, "cut at {keep}");
            }
        }
    }
}

/// Every byte flipped: at most the entry it stands in is lost, and that is said with its place.
#[test]
fn any_byte_flipped() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &some());
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&path, &bytes).unwrap();
        let (notes, report) = all(dir.path());
        let [damage] = report.damage[..] else { panic!("byte {place}: {report:?}") };
        let byte = u64::try_from(place).unwrap();
        assert!(damage.at <= byte && byte < damage.at + damage.bytes, "byte {place}: {report:?}");
        assert_eq!(report.torn, None, "byte {place}");
        let missing: Vec<_> = some().into_iter().filter(|note| !notes.contains(note)).collect();
        assert_eq!(missing.len(), usize::from(place >= 256), "byte {place}");
        // It goes on behind the damage.
        Journal::open(dir.path(), &keys(1)).unwrap().append(&[gone(7)]).unwrap();
        let (after, _) = all(dir.path());
        assert_eq!(after.len(), notes.len() + 1, "byte {place}");
    }
}

#[test]
fn cut_out_moved_and_doubled_entries_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(JOURNAL_DIR).join(FILE);
    let journal = Journal::open(dir.path(), &keys(1)).unwrap();
    let mut ends = vec![256];
    for note in some() {
        journal.append(&[note]).unwrap();
        ends.push(usize::try_from(fs::metadata(&path).unwrap().len()).unwrap());
    }
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let part = |index: usize| whole[ends[index]..ends[index + 1]].to_vec();
    let with = |parts: &[usize]| {
        let mut bytes = whole[..256].to_vec();
        bytes.extend(parts.iter().flat_map(|&index| part(index)));
        fs::write(&path, bytes).unwrap();
        all(dir.path())
    };
    let (notes, report) = with(&[0, 1, 3, 4]);
    assert_eq!(notes.len(), 4);
    assert!(matches!(report.damage[..], [Damage { bytes: 0, lost: 1, .. }]), "{report:?}");
    let (notes, report) = with(&[0, 2, 1, 3, 4]);
    assert_eq!((notes.len(), report.damage.len()), (4, 2), "{report:?}");
    let (notes, report) = with(&[0, 1, 1, 2, 3, 4]);
    assert_eq!((notes, report.damage.len()), (some(), 1));
    // An entry of another journal.
    let other = tempfile::tempdir().unwrap();
    let foreign = fs::read(written(other.path(), &some())).unwrap();
    let mut bytes = whole[..ends[1]].to_vec();
    bytes.extend(&foreign[ends[1]..ends[2]]);
    fs::write(&path, bytes).unwrap();
    let (notes, report) = all(dir.path());
    assert_eq!((notes.len(), report.damage.len()), (1, 1));
}

/// What the notes come to: of each subject the last, unless it ended.
fn meaning(notes: &[Note]) -> Vec<(String, Note)> {
    let mut last: Vec<(String, Note)> = Vec::new();
    for note in notes {
        let ends = note.ends();
        last.retain(|(subject, _)| !ends.contains(subject));
        for (index, subject) in note.subjects().into_iter().enumerate() {
            last.retain(|(other, _)| *other != subject);
            let about = match note {
                Note::Delivered { account, orders, at } => Note::Delivered {
                    account: account.clone(),
                    orders: vec![orders[index].clone()],
                    at: *at,
                },
                other => other.clone(),
            };
            last.push((subject, about));
        }
    }
    last
}

fn any_note() -> impl Strategy<Value = Note> {
    let second = 0..100_i64;
    prop_oneof![
        proptest::collection::vec((0..6_u32, 1..100_i64), 1..5)
            .prop_map(|orders| delivered(&orders)),
        (0..6_u32).prop_map(gone),
        (0..6_u32).prop_map(decided),
        (0..6_u32, any::<u8>()).prop_map(|(order, wanted)| ruled(order, wanted)),
        (any::<[bool; 2]>(), second.clone()).prop_map(|([one, intake], s)| Note::Paused {
            account: one.then(account),
            by: Some(1000),
            intake,
            at: at(s)
        }),
        (any::<bool>(), second.clone())
            .prop_map(|(one, s)| Note::Resumed { account: one.then(account), at: at(s) }),
        second.prop_map(|s| Note::Since { account: account(), at: at(s) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Compactions in between change nothing of what the notes come to.
    #[test]
    fn compaction_keeps_what_counts(notes in proptest::collection::vec(any_note(), 0..40)) {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open_with(dir.path(), &keys(1), 700).unwrap();
        for note in &notes {
            journal.append(std::slice::from_ref(note)).unwrap();
        }
        let (kept, report) = all(dir.path());
        prop_assert!(report.damage.is_empty());
        prop_assert_eq!(meaning(&kept), meaning(&notes));
        journal.compact(&mut journal.tail()).unwrap();
        let (kept, _) = all(dir.path());
        prop_assert_eq!(meaning(&kept), meaning(&notes));
        journal.append(&[gone(99)]).unwrap();
        let (again, _) = all(dir.path());
        prop_assert_eq!(again.len(), kept.len() + 1);
    }
}

#[test]
fn a_compaction_that_died_leaves_the_old_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &some());
    let whole = fs::read(&path).unwrap();
    let aside = path.with_file_name(ASIDE);
    // Dead at any byte of the new file, before its rename.
    for keep in (0..whole.len()).step_by(17) {
        fs::write(&aside, &whole[..keep]).unwrap();
        drop(Journal::open(dir.path(), &keys(1)).unwrap());
        assert!(!aside.exists());
        assert_eq!(all(dir.path()).0, some());
    }
}

#[test]
fn a_damaged_journal_is_kept_beside_its_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &some());
    let mut bytes = fs::read(&path).unwrap();
    bytes[300] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let journal = Journal::open(dir.path(), &keys(1)).unwrap();
    journal.compact(&mut journal.tail()).unwrap();
    let kept: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("damaged"))
        .collect();
    assert_eq!(fs::read(&kept[0]).unwrap(), bytes);
    assert_eq!(all(dir.path()).1.damage, []);
}

#[test]
fn concurrent_writers_share_syncs_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open_with(dir.path(), &keys(1), 2000).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4_u32 {
            let journal = &journal;
            scope.spawn(move || {
                for index in 0..25 {
                    journal.append(&[gone(writer * 100 + index)]).unwrap();
                }
            });
        }
    });
    let (notes, report) = all(dir.path());
    assert_eq!((notes.len(), report.damage.len()), (100, 0));
}
