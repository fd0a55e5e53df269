//! Durations as scenario files write them: `90s`, `5m`, `2h`, `3d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// The units, the largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A year; longer is certainly a mistake, and arithmetic on instants stays far from its limits.
const LONGEST: u64 = 365 * 86_400;

/// Reads a whole number with its unit, or says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unit = UNITS.into_iter().find(|(letter, _)| text.ends_with(*letter));
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match (unit, number.bytes().all(|b| b.is_ascii_digit()), number.parse::<u64>()) {
        (Some((_, seconds)), true, Ok(count)) if number.len() + 1 == text.len() => {
            match count.checked_mul(seconds).filter(|s| *s <= LONGEST) {
                Some(seconds) => Ok(Duration::from_secs(seconds)),
                None => Err("is longer than a year".to_owned()),
            }
        }
        (None, true, Ok(_)) if number == text => Err(format!("has no unit: did you mean `{text}s`?")),
        _ => Err("is not a whole number with a unit".to_owned()),
    }
}

/// Writes whole seconds in the largest unit that divides them; but 60s and 24h, as people say.
pub(crate) fn format(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |unit: u64| seconds.is_multiple_of(unit) && seconds / unit >= if unit == 3_600 { 1 } else { 2 };
    match UNITS.into_iter().find(|(_, unit)| fits(*unit)) {
        Some((letter, unit)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(|problem| D::Error::custom(format_args!("duration `{text}` {problem}")))
}

/// Of a duration that may be missing.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| {
            parse(&text).map_err(|problem| D::Error::custom(format_args!("duration `{text}` {problem}")))
        };
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("2h", 7_200), ("3d", 259_200), ("0s", 0), ("365d", LONGEST)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn writes_as_people_do() {
        for text in ["0s", "1s", "60s", "90s", "2m", "1h", "90m", "24h", "25h", "2d"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn rejects_the_rest() {
        for text in [
            "",
            "s",
            "h2",
            "2 h",
            "2hh",
            "1h30m",
            "-5m",
            "+5m",
            "1.5h",
            "2x",
            "2ms",
            "366d",
            "99999999999999999999s",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("90").unwrap_err(), "has no unit: did you mean `90s`?");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0..=LONGEST) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
