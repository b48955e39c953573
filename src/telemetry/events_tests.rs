//! The table of transitions, and what it makes of codes.

use std::collections::BTreeSet;

use super::*;

#[test]
fn ids_are_unique_and_well_formed() {
    let ids: BTreeSet<_> = ALL.iter().map(|t| t.message_id).collect();
    assert_eq!(ids.len(), ALL.len());
    for id in ids {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(id.len() == 32 && id.chars().all(hex), "{id}");
    }
}

/// Scripts of operators hang on these: a change here breaks them.
#[test]
fn ids_never_change() {
    let known = [
        ("FILE_CLAIMED", "373c25386bc14cce910d61f85d7d890d"),
        ("FILE_DONE", "e129452ebaad40acbf4e1d0d95ff0b29"),
        ("FILE_REJECTED", "43712decca8c446ca02542108e19cea3"),
        ("ORDER_REFUSED", "5d0d6d0c3a5b4a0f8f6c7a1de2b94c71"),
        ("FILE_WAITS", "b0f0c1d27c4e4a5c9d1f5f0a6f1f5d3e"),
        ("FILE_LEFT", "cdf2b46638b84bf785661d785ae4783f"),
        ("ORDER_CREATED", "10f57a6e8ea8439d9228b868a25d9a55"),
        ("ORDER_CONFIRMED", "60017986a87e4c31876ff067b0a80ed8"),
        ("ORDER_DELIVERED", "452e517e252240bd8530c20ea1044cb8"),
        ("ORDER_CANCELLED", "69ed5a95f96f4cd88a8c164ac6c0c846"),
        ("ORDER_ADOPTED", "41647f24f87046e88175992e0c3541f7"),
        ("ORDER_NOTHING_TO_DO", "a22948c041114d50a7abf730fd626b68"),
        ("ORDER_EXPECTED", "5d1b8e0f7c3a4e52b6d0a9f3c47e8125"),
        ("ORDER_WAITING", "3ff593c86f404a5b97d9483b70ecd39c"),
        ("ORDER_CONFLICT", "462ba0a301ea435d9d22887a8b166c6c"),
        ("RELEASED", "b402c230c9924146af5bb5c8fad737e2"),
        ("ORDER_DEAD", "10e7796cf7e64f73a10d739d9a10f7e7"),
        ("BATCH_PANICKED", "5f3c1de08a7b4c6d9e2471b0c8fa6d35"),
        ("TASK_PANICKED", "c40be7a9d51f4f0f8a6e93d27b1c5e88"),
        ("ORDER_RETRY", "44a62221cff04c91882f188701842cfd"),
        ("API_KEY_ENDS", "7c1e0b5a94d84f2fa6d35b8c12e7f096"),
        ("ACCOUNT_PAUSED", "b2db33c6a83d43139c33ae98834a99ab"),
        ("ACCOUNT_PAUSED_BY_OPERATOR", "6bc0c4ed65dc4d9eac2690112eb6f37a"),
        ("ODOO_DOUBTED", "71733717b97b4ee9afb2f0d6f617d9d7"),
        ("RECONCILED", "3afffe847ddf4c15a0ad3c4ac6b6befb"),
        ("ACCOUNT_RESUMED", "23079f44a3e54f55bd398755e503efcc"),
        ("ODOO_UNREACHABLE", "ff683fe6f12d4c769fb3644c743467c0"),
        ("ODOO_BACK", "bf77da673d334f398c450b432c9675aa"),
        ("JOB_UNREADABLE", "c8dbb94bff054e07969e0111dcaaa632"),
        ("STORE_TROUBLE", "d9af87038cee49bb80a59c1eaeb5a287"),
        ("STORE_BROKEN", "5b0d7a41c2f94e7e9f3d86a1e4c7720b"),
        ("STATE_LOST", "3c0f8b6e5d1a4f7db92e64c8a7105bd3"),
        ("STATE_REBUILT", "8e5a17c2904b4d36a1f0d7be63c2f948"),
        ("JOURNAL_DAMAGED", "b74d2e90c8f1463e95a0617d3fbc28e4"),
        ("JOURNAL_SHORT", "a1f64b0ce83d4f0fb2d97c5e16a8403b"),
        ("DISK_LOW", "26562633dac74054a861ef542a1216ad"),
        ("DISK_BACK", "dc8ce4d8e3484cea85b50bff794089f0"),
        ("READY", "84418d0298e14cb1a484bc7f7ce90faf"),
        ("STOPPING", "4489972e34cd4a7891f9925ad2fac51b"),
        ("RELOADED", "b0956979c1f149ceb52b39b19cfc8d2b"),
        ("RESEALED", "e3b2f4a85c0d4f6fb7a1907c2d64e851"),
        ("RELOAD_REFUSED", "1060cbdfecfb4bbaa83d20f1381a5812"),
        ("LOOP_SILENT", "1a6cedad015f45239db1a633b6c541a2"),
        ("LOG_DROPPED", "f72e4a510d1b4c6187e641c51da3af96"),
        ("BUYERS_LOCKED", "fff716c38f79413ab430952fdd77dadd"),
        ("BUYERS_DESTROYED", "c85862e56d564b419f7c2c4d47fa7eb6"),
        ("BUYERS_WAITING", "67d3b29da52b483f80b8665768d06051"),
        ("BUYERS_READ_AGAIN", "f0648a9f388e4241a94f633f45854d8e"),
        ("FILES_EXPIRED", "89fbb9e81f0643c69e767ad7a8a2f392"),
        ("RECORDS_EXPIRED", "b893a21166e04579879b517f0f5190d6"),
        ("CLOCK_DOUBTED", "ad0b920625af4da19ac4e01840ff1253"),
        ("CLOCK_AHEAD", "168fa876207741459efd30777bcef557"),
        ("CLOCK_BELIEVED", "7debba4246fc415b860fc4f7007f372f"),
    ];
    let table: Vec<_> = ALL.iter().map(|t| (t.name, t.message_id)).collect();
    assert_eq!(table, known);
}

#[test]
fn the_catalog_explains_every_id() {
    let text = catalog();
    for transition in ALL {
        let head = format!("-- {}\nSubject: odoo-spoold: ", transition.message_id);
        assert!(text.contains(&head), "{}", transition.name);
        assert!(text.contains(transition.summary));
    }
}

#[test]
fn codes_carry_nothing_else() {
    assert_eq!(Code("odoo-timeout").to_string(), "odoo-timeout");
    for bad in ["", "Max Müller", "a b", "a\n", &"x".repeat(65)] {
        assert_eq!(Code(bad).to_string(), "not-a-code");
    }
}
