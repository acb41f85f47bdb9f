//! Quantities as text: `"10s"`, `"8KiB"`, `"60/min burst 20"`, and back into the largest unit that fits.
//! Never here: what a quantity is for.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::core::bounds;
use crate::core::config::checked::Rate;
use crate::core::config::error::Complaint;

const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// A bucket that takes longer than a day to fill is a quota, and idle buckets are forgotten sooner.
const FILL_MAX: Duration = Duration::from_hours(24);

/// A whole number and `ms`, `s`, `m`, `h` or `d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    quantity(text, &DURATIONS).map(Duration::from_millis)
}

/// A whole number and `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    quantity(text, &SIZES)
}

pub(super) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { show(millis, &DURATIONS) }
}

pub(super) fn show_bytes(bytes: u64) -> String {
    if bytes == 0 { "0".to_owned() } else { show(bytes, &SIZES) }
}

/// `COUNT/UNIT` with unit `s`, `min` or `h`, and perhaps ` burst COUNT`.
pub(super) fn rate(text: &str) -> Result<Rate, Complaint> {
    let form = || {
        Complaint::new(
            format!("must be a rate of at most {} such as \"60/min burst 20\" or \"100/s\"", bounds::RATE_COUNT_MAX),
            "units are s, min and h",
        )
    };
    let (steady, burst) = match text.split_once(" burst ") {
        Some((steady, burst)) => (steady, Some(positive(burst).ok_or_else(form)?)),
        None => (text, None),
    };
    let (count, unit) = steady.split_once('/').ok_or_else(form)?;
    let count = positive(count).ok_or_else(form)?;
    let per = match unit {
        "s" => Duration::from_secs(1),
        "min" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(form()),
    };
    let capped = || count.min(NonZeroU32::new(bounds::RATE_BURST_DEFAULT_MAX).unwrap_or(count));
    let burst = burst.unwrap_or_else(capped);
    if per * burst.get() > FILL_MAX * count.get() {
        return Err(Complaint::new("must refill its burst within 24h", "lower the burst or raise the rate"));
    }
    Ok(Rate { count, per, burst })
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn show(amount: u64, units: &[(&str, u64)]) -> String {
    let fits = units.iter().find(|(_, factor)| amount.is_multiple_of(*factor));
    fits.map_or_else(|| amount.to_string(), |(unit, factor)| format!("{}{unit}", amount / factor))
}

fn positive(text: &str) -> Option<NonZeroU32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number: NonZeroU32 = if digits { text.parse().ok()? } else { return None };
    (number.get() <= bounds::RATE_COUNT_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        };
        check("0s", Some(0));
        check("500ms", Some(500));
        check("10s", Some(10_000));
        check("60m", Some(3_600_000));
        check("2h", Some(7_200_000));
        check("30d", Some(2_592_000_000));
        check("18446744073709551615ms", Some(u64::MAX));
        for text in ["", "10", "s", "-1s", "+1s", "1.5s", "1 s", "10S", "1s1s", "18446744073709551616ms", "1d "] {
            check(text, None);
        }
        check("213503982335d", None);
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(bytes(text), expect, "{text}");
        check("0B", Some(0));
        check("8KiB", Some(8192));
        check("1MiB", Some(1_048_576));
        check("2GiB", Some(2_147_483_648));
        for text in ["8KB", "8k", "8", "KiB", "99999999999999999999B", "18446744073709551615KiB"] {
            check(text, None);
        }
    }

    #[test]
    fn quantities_are_shown_in_the_largest_whole_unit() {
        assert_eq!(show_duration(Duration::from_millis(1500)), "1500ms");
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_duration(Duration::from_secs(120)), "2m");
        assert_eq!(show_duration(Duration::ZERO), "0s");
        assert_eq!(show_bytes(16_383), "16383B");
        assert_eq!(show_bytes(65_536), "64KiB");
    }

    #[test]
    fn rates() {
        let check = |text: &str, expect: Option<(u32, u64, u32)>| {
            let got = rate(text).ok().map(|rate| (rate.count.get(), rate.per.as_secs(), rate.burst.get()));
            assert_eq!(got, expect, "{text}");
        };
        check("60/min burst 20", Some((60, 60, 20)));
        check("60/min", Some((60, 60, 60)));
        check("100/s", Some((100, 1, 100)));
        check("1/h burst 24", Some((1, 3600, 24)));
        check("1/h burst 25", None);
        check("1000/h", Some((1000, 3600, 1000)));
        check("1001/h", Some((1001, 3600, 1000)));
        check("1000000/s burst 1000000", Some((1_000_000, 1, 1_000_000)));
        check("1000001/s", None);
        for text in ["", "60", "60/", "/min", "0/s", "60/min burst 0", "60/day", "60/min burst", "60 / min", "+6/s"] {
            check(text, None);
        }
    }
}
