//! Numbers and times as a person reads them.

use jiff::Timestamp;
use runner::record::CloudRecord;

/// Virtual time since the cell began: `02:05.123`, and from an hour on `1:02:05`.
pub fn clock(ms: u64) -> String {
    let (seconds, rest) = (ms / 1000, ms % 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    if hours == 0 {
        format!("{minutes:02}:{:02}.{rest:03}", seconds % 60)
    } else {
        format!("{hours}:{:02}:{:02}", minutes % 60, seconds % 60)
    }
}

/// The same where space is short: from a minute on without the milliseconds.
pub fn moment(ms: u64) -> String {
    let text = clock(ms);
    if ms < 60_000 { text } else { text.split('.').next().unwrap_or_default().to_owned() }
}

/// A length of time: `85 ms`, `4.2 s`, `3 min 20 s`, `2 h 05 min`.
pub fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", count(seconds / 3600), seconds / 60 % 60),
    }
}

/// Nanoseconds as `7203.900`: seconds, as tools for captures count.
pub fn seconds(ns: u64) -> String {
    let ms = ns / 1_000_000;
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The same where it can be more or less than nothing: `0.250 s`, `−12.000 s`.
pub fn signed_seconds(ns: i64) -> String {
    format!("{}{} s", if ns < 0 { "\u{2212}" } else { "" }, seconds(ns.unsigned_abs()))
}

/// `frame 7`, `frames 7, 9`, and of many the first ones; nothing of none.
pub fn frames(frames: &[u64]) -> Option<String> {
    frames_and(frames, 0)
}

/// The same of a finding, which may not list all of its frames.
pub fn frames_and(frames: &[u64], more: u64) -> Option<String> {
    const SHOWN: usize = 8;
    let listed: Vec<_> = frames.iter().take(SHOWN).map(u64::to_string).collect();
    let more = match (frames.len().saturating_sub(SHOWN) as u64).saturating_add(more) {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    match listed.len() {
        0 => None,
        1 => Some(format!("frame {}", listed[0])),
        _ => Some(format!("frames {}{more}", listed.join(", "))),
    }
}

/// `12345` as `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A security parameter index as `ip xfrm` and Wireshark write it.
pub fn spi(spi: u32) -> String {
    format!("0x{spi:08x}")
}

/// An RFC 3339 time as `3 March 2026, 14:05:09 UTC`; what is not one stays as it is.
pub fn date(rfc3339: &str) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(time) => time.strftime("%-d %B %Y, %H:%M:%S UTC").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

/// `CloudStack 4.0.2 at http://192.0.2.1:8080/client/api, held to profile spec-2012`.
pub fn cloud(cloud: &CloudRecord) -> String {
    match cloud.version.as_str() {
        "" => format!("a cloud at {} that could not be used", cloud.url),
        version => format!("CloudStack {version} at {}, held to profile {}", cloud.url, cloud.profile),
    }
}

/// `1 cell`, `2 cells`.
pub fn plural(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {noun}{s}", count(number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_naturally() {
        assert_eq!(clock(0), "00:00.000");
        assert_eq!(clock(125_123), "02:05.123");
        assert_eq!(clock(3_725_999), "1:02:05");
        assert_eq!([2_061, 2_721_070].map(moment), ["00:02.061", "45:21"]);
        assert_eq!(length(85), "85 ms");
        assert_eq!(length(4_260), "4.2 s");
        assert_eq!(length(200_000), "3 min 20 s");
        assert_eq!(length(7_500_000), "2 h 05 min");
        assert_eq!(date("2026-03-03T15:05:09.5+01:00"), "3 March 2026, 14:05:09 UTC");
        assert_eq!(date("yesterday"), "yesterday");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(plural(1, "cell"), "1 cell");
        assert_eq!(plural(6_144, "cell"), "6,144 cells");
    }
}
