//! English for counts.

use std::fmt::Display;

/// `1 account`, `2 accounts`: a count and its thing, whose plural ends in an `s`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, thing: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_f19_one_is_no_plural() {
        assert_eq!(counted(0_u64, "order"), "0 orders");
        assert_eq!(counted(1_usize, "account"), "1 account");
        assert_eq!(counted(2_u64, "held order"), "2 held orders");
    }
}
