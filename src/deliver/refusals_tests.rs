//! What refusals teach, without an Odoo.

use super::*;

fn order(number: u8) -> RecordKey {
    RecordKey::for_tests(number)
}

fn refused(number: u8, step: Step, words: &str) -> Refused {
    Refused { order: order(number), step, reason: without_particulars(words) }
}

/// These orders got through these steps.
fn passed(through: &[(u8, Step)]) -> Passed {
    let mut passed = Passed::default();
    for (number, step) in through {
        passed.add(*step, order(*number));
    }
    passed
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

#[test]
fn audit_15_one_order_refused_again_and_again_is_one_order() {
    let mut refusals = Refusals::default();
    for _ in 0..5 {
        let lesson = refusals.learn(&[refused(1, Step::Change, "no")], &passed(&[]), at(0));
        assert_eq!(lesson, Lesson { fates: vec![Fate::Held], pause: false });
    }
}

#[test]
fn case_r20_three_different_orders_in_the_same_words_pause_whatever_the_batches() {
    let mut refusals = Refusals::default();
    let words = |n: u8| format!("Order S{n:05} (id {n}) needs a project");
    let first = [refused(1, Step::Create, &words(1)), refused(2, Step::Create, &words(2))];
    assert!(!refusals.learn(&first, &passed(&[]), at(0)).pause);
    // Another cause, and another step that goes through, change nothing about it.
    let other = [refused(9, Step::Create, "other")];
    let other = refusals.learn(&other, &passed(&[(7, Step::Cancel)]), at(0));
    assert_eq!(other, Lesson { fates: vec![Fate::Held], pause: false });
    let third = refusals.learn(&[refused(3, Step::Create, &words(3))], &passed(&[]), at(0));
    assert_eq!(third, Lesson { fates: vec![Fate::Held], pause: true });
    refusals.pause("odoo-refuses-all", String::new(), []);
    // Each of them is sent in turn.
    let probes: Vec<_> = (0..4).map(|_| refusals.next_probe()).collect();
    assert_eq!(probes, [1, 2, 3, 1].map(|n| Some(order(n))));
    refusals.forget(&order(2));
    assert_eq!(refusals.next_probe(), Some(order(3)));
    refusals.resume(at(0));
    assert_eq!(refusals.next_probe(), None);
    assert_eq!(refusals.paused(), None);
}

#[test]
fn another_order_that_passes_decides_that_the_refused_ones_are_to_blame() {
    let mut refusals = Refusals::default();
    let two = [refused(1, Step::Create, "no"), refused(2, Step::Create, "no")];
    refusals.learn(&two, &passed(&[]), at(0));
    let through = passed(&[(9, Step::Create)]);
    let lesson = refusals.learn(&[refused(3, Step::Create, "no")], &through, at(0));
    assert_eq!(lesson, Lesson { fates: vec![Fate::Dead], pause: false });
    // They are sent once more, and die one by one, also where nothing passes beside them.
    let fate = |refusals: &mut Refusals, number, minute| {
        let one = [refused(number, Step::Create, "no")];
        refusals.learn(&one, &passed(&[]), at(minute)).fates
    };
    assert_eq!(fate(&mut refusals, 1, 1), [Fate::Dead]);
    assert_eq!(fate(&mut refusals, 4, 1), [Fate::Held]);
    // That is not believed for ever: much may have changed since.
    assert_eq!(fate(&mut refusals, 2, 61), [Fate::Held]);
}

#[test]
fn only_the_step_at_which_it_was_refused_condemns_an_order() {
    let mut refusals = Refusals::default();
    refusals.learn(&[refused(1, Step::Create, "no")], &passed(&[]), at(0));
    refusals.learn(&[], &passed(&[(9, Step::Create)]), at(0));
    // Doomed at its creation, which passes now, and refused elsewhere.
    let through = passed(&[(1, Step::Create)]);
    let lesson = refusals.learn(&[refused(1, Step::Confirm, "no")], &through, at(1));
    assert_eq!(lesson.fates, [Fate::Held]);
    // What it gets through itself is no evidence.
    let own = passed(&[(2, Step::Lines)]);
    assert_eq!(refusals.learn(&[refused(2, Step::Lines, "no")], &own, at(1)).fates, [Fate::Held]);
    let others = passed(&[(3, Step::Lines)]);
    let lesson = refusals.learn(&[refused(2, Step::Lines, "no")], &others, at(1));
    assert_eq!(lesson.fates, [Fate::Dead]);
}

#[test]
fn an_order_that_is_sent_once_more_where_others_got_through_is_to_blame_then() {
    let mut refusals = Refusals::default();
    refusals.refused_once(order(1), Step::Create, &passed(&[(1, Step::Create)]), at(0));
    assert!(!refusals.is_to_blame(&order(1), Step::Create, at(0)), "none but itself");
    refusals.refused_once(order(1), Step::Create, &passed(&[(2, Step::Create)]), at(0));
    assert!(refusals.is_to_blame(&order(1), Step::Create, at(59)));
    assert!(!refusals.is_to_blame(&order(1), Step::Confirm, at(59)));
    assert!(!refusals.is_to_blame(&order(1), Step::Create, at(60)));
    let lesson = refusals.learn(&[refused(1, Step::Create, "no")], &passed(&[]), at(1));
    assert_eq!(lesson.fates, [Fate::Dead]);
}

#[test]
fn a_refused_question_condemns_nobody() {
    let mut refusals = Refusals::default();
    let through = passed(&[(9, Step::Read), (9, Step::Create), (9, Step::Confirm)]);
    for minute in 0..5 {
        for passed in [passed(&[]), through.clone()] {
            let lesson = refusals.learn(&[refused(1, Step::Read, "no")], &passed, at(minute));
            assert_eq!(lesson, Lesson { fates: vec![Fate::Held], pause: false });
        }
    }
    // Three in a row are a setting all the same.
    let three = [1, 2, 3].map(|n| refused(n, Step::Read, "no"));
    assert!(!refusals.learn(&three, &through, at(9)).pause);
    assert!(refusals.learn(&three, &passed(&[]), at(9)).pause);
}

#[test]
fn an_order_that_is_through_is_counted_no_longer_and_names_what_it_waited_for() {
    let mut refusals = Refusals::default();
    let two = [refused(1, Step::Create, "no"), refused(2, Step::Create, "no")];
    refusals.learn(&two, &passed(&[]), at(0));
    assert_eq!(refusals.ended(&order(1)), Some(two[0].key()));
    assert_eq!(refusals.ended(&order(1)), None);
    let lesson = refusals.learn(&[refused(3, Step::Create, "no")], &passed(&[]), at(0));
    assert!(!lesson.pause, "two are left");
    // To blame, and through all the same: a later refusal is another matter.
    refusals.learn(&[], &passed(&[(9, Step::Create)]), at(0));
    refusals.ended(&order(2));
    let lesson = refusals.learn(&[refused(2, Step::Create, "no")], &passed(&[]), at(0));
    assert_eq!(lesson.fates, [Fate::Held]);
}

#[test]
fn a_cause_that_keeps_no_other_order_from_its_way_does_not_pause_again() {
    let mut refusals = Refusals::default();
    let three = [1, 2, 3].map(|n| refused(n, Step::Confirm, "no"));
    assert!(refusals.learn(&three, &passed(&[]), at(0)).pause);
    refusals.pause("odoo-refuses-all", String::new(), []);
    // One gets through another step.
    refusals.learn(&[], &passed(&[(9, Step::Create)]), at(1));
    refusals.resume(at(1));
    assert!(!refusals.learn(&[refused(4, Step::Confirm, "no")], &passed(&[]), at(2)).pause);
    assert!(refusals.learn(&[refused(5, Step::Confirm, "no")], &passed(&[]), at(62)).pause);
}

#[test]
fn orders_that_are_counted_and_sent_once_more_do_not_pause_again() {
    let mut refusals = Refusals::default();
    let three = [1, 2, 3].map(|n| refused(n, Step::After, "no"));
    assert!(refusals.learn(&three, &passed(&[]), at(0)).pause);
    refusals.pause("odoo-refuses-all", String::new(), []);
    refusals.resume(at(1));
    for hour in 2..5 {
        let again = refusals.learn(&three, &passed(&[]), at(hour * 60));
        assert!(!again.pause, "paused again after {hour} hours");
    }
    assert!(refusals.learn(&[refused(4, Step::After, "no")], &passed(&[]), at(300)).pause);
}

#[test]
fn a_cause_of_a_pause_that_one_order_passes_concerns_only_others() {
    let mut refusals = Refusals::default();
    for (through, excused) in [(Step::Create, 0), (Step::Confirm, 1)] {
        refusals.pause("missing_required", String::new(), [order(1), order(2)]);
        refusals.suspect(Step::Confirm, "project_code".to_owned());
        refusals.excuse_paused(&[through].into(), at(0));
        assert_eq!(refusals.excused(at(0)).len(), excused, "{through:?}");
    }
    assert!(refusals.excused(at(60)).is_empty());
}

#[test]
fn only_an_order_of_the_batch_that_passes_elsewhere_lets_the_probe_go_on() {
    let mut refusals = Refusals::default();
    assert!(!refusals.goes_on(&order(1), &[Step::Confirm].into()), "not paused");
    refusals.pause("missing_required", String::new(), [1, 2, 3, 4].map(order));
    assert!(!refusals.goes_on(&order(1), &[Step::Confirm].into()), "nothing is known of the step");
    refusals.suspect(Step::Lines, "project_code".to_owned());
    assert!(!refusals.goes_on(&order(9), &[Step::Confirm].into()), "not of the batch");
    assert!(refusals.goes_on(&order(2), &[Step::Confirm].into()));
    assert!(!refusals.goes_on(&order(2), &[Step::Confirm].into()), "once");
    assert!(!refusals.goes_on(&order(3), &[Step::Lines].into()), "the step itself");
    assert!(!refusals.goes_on(&order(4), &[Step::Confirm].into()), "none is left");
}

#[test]
fn what_was_learned_in_one_company_says_nothing_in_another() {
    let mut refusals = Refusals::default();
    refusals.in_company(1);
    let two = [1, 2].map(|n| refused(n, Step::Create, "no"));
    refusals.learn(&two, &passed(&[]), at(0));
    refusals.in_company(2);
    assert!(!refusals.learn(&[refused(3, Step::Create, "no")], &passed(&[]), at(0)).pause);
}

#[test]
fn a_hold_is_looked_at_ever_more_rarely() {
    let mut refusals = Refusals::default();
    let due: Vec<i64> =
        (0..200).filter(|minute| refusals.is_due("create x", at(*minute))).collect();
    assert_eq!(due, [0, 1, 6, 21, 81, 141]);
}

#[test]
fn a_key_holds_no_words() {
    let refused = refused(1, Step::Create, "Ada Lovelace may not buy");
    let key = refused.key();
    assert!(!key.contains("Ada"), "{key}");
    assert_eq!(Step::of_key(&key), Some(Step::Create));
    assert_eq!(without_particulars("no 12 S0001\n (id=3) DETAIL: Ada"), "no");
}
