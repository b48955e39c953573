//! External ids: the keys that make every creation happen once.
//!
//! `ir.model.data` is unique over (module, name). The module is `spoold_<account>`; names carry
//! Amazon's ids in clear, since a lost conflict makes Odoo log them: nothing personal may be in
//! them. Bytes other than ASCII letters, digits and `-` are written `_XX` (hex), so that `__`
//! and a lower-case tail can only be our own separators. Letter case is kept.

use crate::model::{AccountId, NoteKind, OrderId, Sku};

/// The module part for an account.
pub fn module(account: &AccountId) -> String {
    format!("spoold_{account}")
}

/// `module.name`.
pub fn full(account: &AccountId, name: &str) -> String {
    format!("spoold_{account}.{name}")
}

/// The name of an order.
pub fn order(order_id: &OrderId) -> String {
    format!("order_{}", escape(order_id.as_str()))
}

/// The order that [`order`] gave this name; none where it is not such a name.
pub fn order_of(name: &str) -> Option<OrderId> {
    let mut bytes = name.strip_prefix("order_")?.bytes();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'_' {
            let pair = [bytes.next()?, bytes.next()?];
            text.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
        } else {
            text.push(byte);
        }
    }
    let found: OrderId = String::from_utf8(text).ok()?.parse().ok()?;
    (order(&found) == name).then_some(found)
}

/// The name of an order's item line; other lines of the item append a tail to it.
pub fn line(order_id: &OrderId, sku: &Sku, ordinal: u32) -> String {
    format!("line_{}__{}__{ordinal}", escape(order_id.as_str()), escape(sku.as_str()))
}

/// The name of an order's rounding line.
pub fn rounding(order_id: &OrderId) -> String {
    format!("line_{}__rounding", escape(order_id.as_str()))
}

/// The name of a note line.
pub fn note(order_id: &OrderId, kind: NoteKind) -> String {
    format!("line_{}__note_{}", escape(order_id.as_str()), kind.tail())
}

/// Hex-escapes everything but letters, digits and `-`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            out.push(char::from(byte));
        } else {
            out.push('_');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_stay_readable_and_case_stays() {
        let order: OrderId = "205-3614839-6174823".parse().unwrap();
        assert_eq!(super::order(&order), "order_205-3614839-6174823");
        for odd in ["205-3614839-6174823", "a_b.C"] {
            let order: OrderId = odd.parse().unwrap();
            assert_eq!(order_of(&super::order(&order)), Some(order));
        }
        for other in ["line_205-1__A__1", "order_", "order_a_2", "order_a_2g", "order_a_2e"] {
            assert_eq!(order_of(other), None, "{other}");
        }
        let upper = line(&order, &"Ab c.1".parse().unwrap(), 2);
        assert_eq!(upper, "line_205-3614839-6174823__Ab_20c_2E1__2");
        assert_ne!(upper, line(&order, &"AB c.1".parse().unwrap(), 2));
    }

    proptest! {
        #[test]
        fn different_texts_never_collide(a in "\\PC{0,12}", b in "\\PC{0,12}") {
            prop_assert_eq!(a == b, escape(&a) == escape(&b));
            prop_assert!(!escape(&a).contains("__"));
        }
    }
}
