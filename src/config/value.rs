//! The small grammars inside values: durations (`30s`, `5m`) and sizes (`256MiB`).
//!
//! One number, one unit, no spaces, no fractions: what a person writes is what is meant.

use std::time::Duration;

/// `500ms`, `30s`, `5m`, `2h`, `30d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    if unit == "ms" {
        return Some(Duration::from_millis(number));
    }
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// `64KiB`, `256MiB`, `2GiB`; the decimal `KB`, `MB`, `GB`; and plain `B`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The least free space of a disk of this size, in bytes: what the settings say, else a twentieth of the
/// disk, but at most 256 MiB.
pub fn least_free(min_free: Option<u64>, total: u64) -> u64 {
    min_free.unwrap_or_else(|| (total / 20).min(256 << 20))
}

/// A duration as a person would write it.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.subsec_millis();
    let secs = duration.as_secs();
    if millis != 0 {
        return format!("{}ms", duration.as_millis());
    }
    for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if secs >= size && secs.is_multiple_of(size) {
            return format!("{}{unit}", secs / size);
        }
    }
    format!("{secs}s")
}

/// A size as a person would write it.
pub(super) fn show_size(bytes: u64) -> String {
    for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(split)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Some(Duration::from_mins(5)));
        assert_eq!(duration("30d"), Some(Duration::from_hours(720)));
        for bad in ["", "5", "s", "-5s", "1.5s", "5 s", "5S", "18446744073709551615d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        for text in ["250ms", "1s", "90s", "2m", "36h", "7d"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("256MiB"), Some(256 << 20));
        assert_eq!(size("1MB"), Some(1_000_000));
        for bad in ["256", "256M", "MiB", "1.5GiB", "1 GiB", "99999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        for text in ["1B", "1500B", "4KiB", "3GiB"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
    }
}
