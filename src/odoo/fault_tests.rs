//! Every row of the measured error tables of Odoo 14 and 19, one by one.

use super::*;

use Class::{Pause, Reject, Retry};
use FaultKind as K;

fn judge(status: u16, exception: &str, text: &str, answered: bool) -> Fault {
    Fault::from_symptom(&Symptom {
        status,
        exception: (!exception.is_empty()).then_some(exception),
        text,
        retry_after: None,
        model: "sale.order",
        method: "action_nope",
        database: "shop",
        answered,
    })
}

#[track_caller]
fn row(status: u16, exception: &str, text: &str, kind: FaultKind, class: Class, ambiguous: bool) {
    for answered in [false, true] {
        let fault = judge(status, exception, text, answered);
        assert_eq!(
            (fault.kind, fault.class(), fault.ambiguous),
            (kind, class, ambiguous),
            "{status} {exception} {text}"
        );
    }
}

#[test]
fn rows_of_json_rpc() {
    let ue = "odoo.exceptions.UserError";
    row(200, "odoo.exceptions.AccessDenied", "Access Denied", K::AccessDenied, Pause, false);
    row(
        200,
        "odoo.exceptions.MissingError",
        "Record does not exist or has been deleted.\n(Record: res.users(9999,), User: 1)",
        K::AccessDenied,
        Pause,
        false,
    );
    row(200, ue, "Object sale.order doesn't exist", K::MissingModel, Pause, false);
    row(
        200,
        ue,
        "Some orders are not in a state requiring confirmation.",
        K::UserError,
        Reject,
        false,
    );
    row(
        200,
        "builtins.AttributeError",
        "The method 'sale.order.action_nope' does not exist",
        K::MissingMethod,
        Pause,
        false,
    );
    row(
        200,
        "builtins.AttributeError",
        "type object 'sale.order' has no attribute 'action_nope'",
        K::MissingMethod,
        Pause,
        false,
    );
    row(
        200,
        "builtins.AttributeError",
        "'NoneType' object has no attribute 'id'",
        K::InvalidValue,
        Reject,
        false,
    );
    row(
        200,
        "odoo.exceptions.AccessError",
        "Private methods (such as 'sale.order._x') cannot be called remotely.",
        K::AccessError,
        Pause,
        false,
    );
    row(200, "odoo.exceptions.ValidationError", "missing field", K::Validation, Reject, false);
    row(200, "builtins.ValueError", "Invalid field name 'x'", K::InvalidValue, Reject, false);
    row(200, "builtins.KeyError", "'x'", K::InvalidValue, Reject, false);
    row(
        200,
        "odoo.exceptions.MissingError",
        "Record does not exist or has been deleted.\n(Record: product.product(7,), User: 5)",
        K::MissingRecord,
        Reject,
        false,
    );
    let serial = "could not serialize access due to concurrent update\n";
    row(200, "psycopg2.errors.SerializationFailure", serial, K::Serialization, Retry, false);
    row(200, "psycopg2.errors.DeadlockDetected", "", K::Serialization, Retry, false);
    row(200, "psycopg2.errors.LockNotAvailable", "", K::Serialization, Retry, false);
    row(200, "psycopg2.extensions.TransactionRollbackError", "", K::Serialization, Retry, false);
    row(200, "odoo.exceptions.LockError", "", K::Serialization, Retry, false);
    row(200, "odoo.exceptions.ConcurrencyError", "", K::Serialization, Retry, false);
    row(200, "psycopg2.InterfaceError", "connection already closed", K::DatabaseDown, Retry, true);
    row(
        200,
        "psycopg2.OperationalError",
        "connection to server on socket \"/run/x/.s.PGSQL.5432\" failed: Connection refused",
        K::DatabaseDown,
        Retry,
        true,
    );
    row(200, "psycopg2.pool.PoolError", "The Connection Pool Is Full", K::Overloaded, Retry, false);
    row(200, "acme.Boom", "?", K::UnknownException, Retry, true);
}

#[test]
fn audit_48_a_missing_method_of_every_version_is_configuration() {
    for text in [
        "type object 'sale.order' has no attribute 'action_nope'",
        "The method 'action_nope' does not exist on the model 'sale.order'",
        "The method 'sale.order.action_nope' does not exist",
    ] {
        row(200, "builtins.AttributeError", text, K::MissingMethod, Pause, false);
    }
}

#[test]
fn case_r20_a_required_field_is_configuration_whatever_exception_says_so() {
    let new = "Missing required value for the field 'Project' (project_code).\nModel: 'Sales Order' \
               (sale.order)\n- create/update: a mandatory field is not set\n";
    row(200, "odoo.exceptions.ValidationError", new, K::MissingRequired, Pause, false);
    let raw = "null value in column \"project_code\" of relation \"sale_order\" violates not-null \
               constraint\nDETAIL:  Failing row contains (7, Ada).\n";
    row(200, "psycopg2.errors.NotNullViolation", raw, K::MissingRequired, Pause, false);
    let fault = judge(200, "psycopg2.errors.NotNullViolation", raw, true);
    assert_eq!(fault.field.as_deref(), Some("project_code"));
    row(200, "psycopg2.errors.UniqueViolation", "twice", K::Validation, Reject, false);
}

#[test]
fn audit_14_a_refused_question_rejects_nothing() {
    for (name, text) in [
        ("builtins.ValueError", "Invalid field 'carrier_id' on model 'sale.order'"),
        ("odoo.exceptions.UserError", "no"),
        ("odoo.exceptions.AccessError", "Due to security restrictions, you are not allowed"),
    ] {
        for method in ["search_read", "read", "get_external_id"] {
            let fault = Fault::from_symptom(&Symptom {
                status: 200,
                exception: Some(name),
                text,
                model: "sale.order",
                method,
                ..Symptom::default()
            });
            assert_eq!((fault.class(), fault.is_doubtful()), (Retry, true), "{method} {name}");
        }
        let written = judge(200, name, text, true);
        assert_eq!((written.class(), written.is_doubtful()), (Reject, false), "{name}");
    }
    // What is missing for all stays configuration, also where it is only asked for.
    let gone = Fault::from_symptom(&Symptom {
        status: 200,
        exception: Some("odoo.exceptions.UserError"),
        text: "Object sale.order doesn't exist",
        model: "sale.order",
        method: "search_read",
        ..Symptom::default()
    });
    assert_eq!(gone.class(), Pause);
    let large = Fault::new(K::TooLarge, true).of("search_read");
    assert_eq!((large.class(), large.is_overload()), (Retry, true));
}

#[test]
fn audit_35_what_nobody_knows_is_retried_and_doubted() {
    assert!(judge(200, "acme.Boom", "?", true).is_doubtful());
    assert!(!judge(200, "psycopg2.errors.DeadlockDetected", "", true).is_doubtful());
}

#[test]
fn rows_of_json_2() {
    row(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey", K::AccessDenied, Pause, false);
    row(
        404,
        "werkzeug.exceptions.NotFound",
        "the model 'sale.order' does not exist",
        K::MissingModel,
        Pause,
        false,
    );
    row(
        404,
        "werkzeug.exceptions.NotFound",
        "The method 'sale.order.action_nope' does not exist",
        K::MissingMethod,
        Pause,
        false,
    );
    row(403, "odoo.exceptions.AccessError", "You are not allowed", K::AccessError, Pause, false);
    row(422, "odoo.exceptions.ValidationError", "", K::Validation, Reject, false);
    row(422, "odoo.exceptions.UserError", "", K::UserError, Reject, false);
    row(422, "werkzeug.exceptions.UnprocessableEntity", "x", K::BadRequest, Reject, false);
    row(409, "odoo.exceptions.LockError", "", K::Serialization, Retry, false);
    row(409, "", "", K::Serialization, Retry, false);
    row(500, "builtins.ValueError", "Invalid field name 'x'", K::InvalidValue, Reject, false);
    row(
        404,
        "odoo.exceptions.MissingError",
        "product.product(9,)",
        K::MissingRecord,
        Reject,
        false,
    );
    row(400, "werkzeug.exceptions.BadRequest", "", K::BadRequest, Reject, false);
    row(415, "", "", K::BadRequest, Reject, false);
    row(413, "", "", K::TooLarge, Reject, false);
    row(413, "werkzeug.exceptions.RequestEntityTooLarge", "", K::TooLarge, Reject, false);
    row(500, "psycopg2.errors.SerializationFailure", "", K::Serialization, Retry, false);
    row(429, "", "", K::Overloaded, Retry, false);
    row(500, "odoo.exceptions.RedirectWarning", "", K::UserError, Reject, false);
}

#[test]
fn rows_of_proxies_and_pages() {
    row(500, "", "<html>", K::ErrorPage, Retry, true);
    row(502, "", "", K::Unavailable, Retry, true);
    row(503, "", "", K::Unavailable, Retry, true);
    row(504, "", "", K::Unavailable, Retry, true);
    row(302, "", "", K::Redirected, Pause, false);
    row(401, "", "", K::AccessDenied, Pause, false);
    row(403, "", "", K::AccessDenied, Pause, false);
    row(400, "", "", K::BadRequest, Reject, false);
    row(408, "", "", K::Timeout, Retry, true);
    row(204, "", "", K::BadAnswer, Retry, true);
    row(503, "werkzeug.exceptions.ServiceUnavailable", "", K::Unavailable, Retry, true);
}

#[test]
fn a_missing_database_pauses_only_where_it_never_answered() {
    let refused = "connection to server failed: FATAL:  database \"shop\" does not exist\n";
    let french = "FATAL:  la base de données « shop » n'existe pas";
    let german = "FATAL:  Datenbank »shop« existiert nicht";
    for (status, name, text) in [
        (404, "", "<title>404 Not Found</title> No database is selected"),
        (404, "werkzeug.exceptions.NotFound", "404: Not Found"),
        (200, "psycopg2.OperationalError", refused),
        (200, "psycopg2.OperationalError", french),
        (200, "psycopg2.OperationalError", german),
        (200, "psycopg2.errors.InvalidCatalogName", ""),
    ] {
        let new = judge(status, name, text, false);
        assert_eq!((new.kind, new.class()), (K::NoDatabase, Pause), "{name} {text}");
        let known = judge(status, name, text, true);
        assert_eq!((known.kind, known.class()), (K::DatabaseGone, Retry), "{name} {text}");
        assert!(!new.ambiguous && !known.ambiguous);
    }
    let busy = "FATAL:  too many connections for database \"shop\"";
    row(200, "psycopg2.OperationalError", busy, K::DatabaseDown, Retry, true);
    let other = "FATAL:  role \"odoo\" does not exist";
    row(200, "psycopg2.OperationalError", other, K::DatabaseDown, Retry, true);
}

#[test]
fn a_record_rule_stops_one_record_and_a_missing_right_the_account() {
    let name = "odoo.exceptions.AccessError";
    for text in [
        "Due to security restrictions, you are not allowed to access 'Contact' (res.partner) records.",
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, Bot (id=5) \
         doesn't have 'read' access to:\n- Contact (res.partner)\n\nIf you really",
        "Oh-oh! Es sieht so aus, als wären Sie über einige streng geheime Datensätze gestolpert.\n\n\
         Es tut uns leid, Bot (id=6) hat keinen „lesen“-Zugriff auf:\n- Kontakt (res.partner)\n",
    ] {
        row(403, name, text, K::RecordRule, Reject, false);
    }
    let right = "You are not allowed to create 'Languages' (res.lang) records.\n\nThis operation is \
         allowed for the following groups:\n\t- Role / Administrator\n\nContact";
    row(200, name, right, K::AccessError, Pause, false);
}

#[test]
fn nothing_of_odoo_reaches_a_log() {
    let fault = judge(422, "odoo.exceptions.UserError", "Ada Lovelace owes 3 €", true);
    let shown = format!("{fault} {fault:?}");
    assert!(!shown.contains("Ada"), "{shown}");
    assert!(shown.contains("odoo.exceptions.UserError") && shown.contains("HTTP 422"), "{shown}");
    assert_eq!(fault.words.expose(), "Ada Lovelace owes 3 €");
    let odd = judge(500, "Ada Lovelace", "", true);
    assert_eq!(odd.exception, None);
    let page = judge(500, "", "<p>Ada Lovelace</p>", true);
    assert!(page.words.is_empty());
    let long = judge(422, "odoo.exceptions.UserError", &"é".repeat(9000), true);
    assert_eq!(long.words.expose().chars().count(), MAX_WORDS_CHARS);
}

#[test]
fn codes_are_unique_and_every_kind_says_what_to_do() {
    let codes: std::collections::BTreeSet<_> = K::ALL.iter().map(|kind| kind.code()).collect();
    // A database that is down and one that is gone want the same.
    assert_eq!(K::DatabaseDown.code(), K::DatabaseGone.code());
    assert_eq!(codes.len() + 1, K::ALL.len());
    for kind in K::ALL {
        assert!(kind.next_step().len() > 15 && kind.summary().len() > 5, "{kind:?}");
    }
}

#[test]
fn patience_is_bounded() {
    let symptom = Symptom {
        status: 429,
        retry_after: Some(Duration::from_secs(1 << 40)),
        ..Symptom::default()
    };
    assert_eq!(Fault::from_symptom(&symptom).retry_after, Some(Duration::from_hours(1)));
}
