use super::*;
use serde_json::json;

#[expect(clippy::needless_pass_by_value, reason = "json! moves it")]
fn reply(messages: Value) -> LoadReply {
    LoadReply::from_value(json!({"ids": false, "messages": messages, "nextrow": 0})).unwrap()
}

fn error(record: usize, text: &str) -> Value {
    json!({"type": "error", "record": record, "rows": {"from": record, "to": record},
        "message": text})
}

fn one(text: &str) -> Verdict {
    reply(json!([error(0, text)])).verdict(2, &[])
}

#[test]
fn loaded_ids_match_the_records() {
    let ok = json!({"ids": [4, 9], "messages": [], "nextrow": 0});
    let reply = LoadReply::from_value(ok).unwrap();
    assert_eq!(reply.verdict(2, &[]), Verdict::Loaded(vec![4, 9]));
    assert!(matches!(reply.verdict(3, &[]), Verdict::Unknown(_)));
    let warned = json!({"ids": [4], "messages": [{"type": "warning", "message": "x"}]});
    assert_eq!(LoadReply::from_value(warned).unwrap().verdict(1, &[]), Verdict::Loaded(vec![4]));
}

#[test]
fn other_shapes_are_no_answer() {
    for value in [json!(null), json!([1]), json!({"ids": "x"}), json!({"ids": [true]}), json!({})] {
        assert!(LoadReply::from_value(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn a_lost_race_is_seen_in_every_language_of_postgresql() {
    for text in [
        "could not serialize access due to concurrent update\n",
        "could not serialize access due to concurrent delete\n",
        "deadlock detected\nDETAIL:  Process 1 waits for ShareLock\n",
        "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung\n",
        "konnte Zugriff nicht serialisieren wegen Lese-/Schreib-Abhängigkeiten zwischen Transaktionen\n",
        "Verklemmung (Deadlock) entdeckt\n",
        "no se pudo serializar el acceso debido a un update concurrente\n",
        "se ha detectado un deadlock\n",
        "n'a pas pu sérialiser un accès à cause d'une mise à jour en parallèle\n",
        "interblocage (deadlock) détecté\n",
        "serializzazione dell'accesso fallita a causa di modifiche concorrenti\n",
        "impossibile serializzare l'accesso a causa dell'eliminazione simultanea\n",
        "更新が同時に行われたためアクセスの直列化ができませんでした\n",
        "ერთდროული განახლების გამო წვდომის სერიალიზაცია შეუძლებელია\n",
        "동시 업데이트 때문에 순차적 액세스가 불가능합니다\n",
        "не удалось сериализовать доступ из-за параллельного изменения\n",
        "обнаружена взаимоблокировка\n",
        "kunde inte serialisera åtkomst på grund av samtidig uppdatering\n",
        "не вдалося серіалізувати доступ через паралельне оновлення\n",
        "виявлено взаємне блокування\n",
        "由于同步更新而无法串行访问\n",
        "由于同步删除，无法序列化访问\n",
        "检测到死锁\n",
        "Unknown error during import: <class 'psycopg2.errors.SerializationFailure'>: 何か",
        "Unknown error during import: <class 'psycopg2.OperationalError'>: server closed",
    ] {
        assert!(matches!(one(text), Verdict::Transient(_)), "{text}");
    }
}

#[test]
fn a_lost_race_blames_no_record_of_its_call() {
    let lost = "could not serialize access due to concurrent update\n";
    let mixed = reply(json!([error(0, "No matching record"), error(3, lost)]));
    assert!(matches!(mixed.verdict(9, &[]), Verdict::Transient(_)));
    assert_eq!(mixed.verdict(9, &[]).class(), Some(Class::Retry));
}

#[test]
fn a_refused_value_that_talks_like_a_database_is_refused() {
    let quoted = json!([{"type": "error", "record": 1, "rows": {"from": 1, "to": 1},
        "field": "order_line", "message": "No matching record found for name 'deadlock detected'"}]);
    let Verdict::Rejected(refused) = reply(quoted).verdict(4, &[]) else { panic!() };
    assert_eq!((refused[0].record, refused[0].certain), (1, true));
    assert_eq!(refused[0].field.as_deref(), Some("order_line"));
}

#[test]
fn an_unknown_raw_text_is_neither_transient_nor_refused() {
    assert!(matches!(one("eş zamanlı güncelleme\n"), Verdict::Unknown(_)));
    assert!(matches!(one("value too long for type character varying(13)\n"), Verdict::Unknown(_)));
    // Several lines: Odoo's own explanation of a missing value also ends in a newline.
    let odoo = "Missing required value for the field 'Customer' (partner_id).\nModel: x\n- a\n";
    assert!(matches!(one(odoo), Verdict::Rejected(_)));
    assert!(matches!(reply(json!([])).verdict(1, &[]), Verdict::Unknown(_)));
    let nobody = json!([{"type": "error", "message": "boom"}]);
    assert!(matches!(reply(nobody).verdict(2, &[]), Verdict::Unknown(_)));
}

#[test]
fn a_missing_right_is_configuration_also_for_one_record() {
    let text =
        "You are not allowed to create 'Product' (product.product) records.\n\nThis operation …";
    assert!(matches!(
        reply(json!([error(0, text)])).verdict(1, &[]),
        Verdict::Configuration { .. }
    ));
    let old = "Unknown error during import: <class 'odoo.exceptions.AccessError'>: 不可";
    assert!(matches!(reply(json!([error(0, old)])).verdict(1, &[]), Verdict::Configuration { .. }));
    let rule =
        "Due to security restrictions, you are not allowed to create 'Contact' (res.partner)";
    assert!(matches!(reply(json!([error(0, rule)])).verdict(1, &[]), Verdict::Rejected(_)));
    let class =
        format!("Unknown error during import: <class 'odoo.exceptions.AccessError'>: {rule}");
    assert!(matches!(reply(json!([error(0, &class)])).verdict(1, &[]), Verdict::Rejected(_)));
}

#[test]
fn audit_15_records_of_a_call_with_the_same_text_are_refused_and_not_configuration() {
    // They may be lines of one order: whose they are is not known here.
    let all = |n: usize| Value::from((0..n).map(|i| error(i, "no journal")).collect::<Vec<_>>());
    for n in [1, 2, 3, 10] {
        assert!(matches!(reply(all(n)).verdict(n, &["name"]), Verdict::Rejected(_)), "{n}");
    }
}

#[test]
fn case_r20_a_required_field_that_is_not_sent_is_configuration() {
    let fields = ["id", "partner_id/.id", "order_line/product_id/.id"];
    let named = |field: &str, text: &str| {
        let message = json!({"type": "error", "record": 0, "field": field, "message": text});
        reply(json!([message])).verdict(5, &fields)
    };
    let required = |verdict: Verdict| match verdict {
        Verdict::Configuration { kind: FaultKind::MissingRequired, field, .. } => field,
        _ => None,
    };
    let english = "Missing required value for the field 'Project' (project_code)";
    assert_eq!(required(named("project_code", english)).as_deref(), Some("project_code"));
    let german = "Fehlender Pflichtwert für das Feld 'Projekt' (project_code)";
    assert_eq!(required(named("project_code", german)).as_deref(), Some("project_code"));
    // Of a line of the order: no field is named beside the text.
    let line = "Missing required value for the field 'analytic_code'";
    let verdict = reply(json!([error(0, line)])).verdict(5, &fields);
    assert_eq!(required(verdict).as_deref(), Some("analytic_code"));
    // 14 to 16, where it is an exception that load() passes on.
    let old = "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n\
         - Delete: another model requires the record.\n\nModel: Sales Order (sale.order), Field: \
         Project (project_code)";
    let verdict = reply(json!([error(0, old)])).verdict(5, &fields);
    assert_eq!(required(verdict).as_deref(), Some("project_code"));
    let raw = "null value in column \"project_code\" of relation \"sale_order\" violates not-null \
         constraint\nDETAIL:  Failing row contains (1, Ada).\n";
    let verdict = reply(json!([error(0, raw)])).verdict(5, &fields);
    assert_eq!(required(verdict).as_deref(), Some("project_code"));
    // What we send and left blank is data, and so is what is there twice.
    assert_eq!(required(named("partner_id", english)).as_deref(), Some("project_code"));
    let blank = "Missing required value for the field 'Customer' (partner_id)";
    assert!(matches!(named("partner_id", blank), Verdict::Rejected(_)));
    assert!(matches!(named("name", "The value already exists"), Verdict::Rejected(_)));
}

#[test]
fn the_first_record_may_carry_the_batchs_text() {
    let both = reply(json!([error(0, "over limit"), error(3, "over limit")]));
    let Verdict::Rejected(refused) = both.verdict(5, &[]) else { panic!() };
    let seen: Vec<_> = refused.iter().map(|r| (r.record, r.certain)).collect();
    assert_eq!(seen, [(0, false), (3, true)]);
    let alone = reply(json!([error(2, "over limit")]));
    let Verdict::Rejected(refused) = alone.verdict(5, &[]) else { panic!() };
    assert!(refused[0].certain);
}

#[test]
fn debug_shows_no_text() {
    let verdict = one("Ada Lovelace is not a country");
    assert!(!format!("{verdict:?}").contains("Ada"));
}
