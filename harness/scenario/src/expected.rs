//! Files of expected results: which cells are known to end otherwise than they should, why, and until when.

use std::{fmt, path::Path, str::FromStr};

use crate::{Diagnostics, Verdict, diagnostic::Problems, load, read, tree};

/// One entry of such a file.
#[derive(Clone, Debug)]
pub struct ExpectedResult {
    /// Where the file has it.
    pub line: u32,
    pub cells: Pattern,
    pub verdict: Verdict,
    pub reason: String,
    /// Where more is told.
    pub link: Option<String>,
    /// The last day on which it is expected.
    pub until: Option<Date>,
}

/// Reads a file of expected results.
pub fn load_expected(path: &Path) -> Result<Vec<ExpectedResult>, Diagnostics> {
    load::text(path).and_then(|text| parse_expected(&path.display().to_string(), &text))
}

/// Reads the text of such a file; `file` is its path, for messages.
pub fn parse_expected(file: &str, text: &str) -> Result<Vec<ExpectedResult>, Diagnostics> {
    let mut problems = Problems::new(file, text);
    let root = tree::read(text, &mut problems);
    let expected = root.and_then(|root| read::expected(&root, &mut problems));
    problems.unless_found(expected)
}

/// Ids of cells: `*` stands for any characters, or none, and `?` for any one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, id: &str) -> bool {
        let (pattern, id) = (self.0.as_bytes(), id.as_bytes());
        let (mut at, mut in_id) = (0, 0);
        // Where the last star stands, and where in the id what follows it was last tried.
        let mut star: Option<(usize, usize)> = None;
        while in_id < id.len() {
            match (pattern.get(at), star) {
                (Some(b'*'), _) => {
                    star = Some((at, in_id));
                    at += 1;
                }
                (Some(b'?'), _) => (at, in_id) = (at + 1, in_id + 1),
                (Some(byte), _) if *byte == id[in_id] => (at, in_id) = (at + 1, in_id + 1),
                (_, Some((place, tried))) => {
                    star = Some((place, tried + 1));
                    (at, in_id) = (place + 1, tried + 1);
                }
                (_, None) => return false,
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A day of the calendar, compared by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl FromStr for Date {
    type Err = ();

    /// `2027-01-31`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<_> = text.split('-').collect();
        let [year, month, day] = parts.as_slice() else { return Err(()) };
        if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return Err(());
        }
        let (year, month, day) = (number(year)?, number(month)? as u8, number(day)? as u8);
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        if (1..=days).contains(&day) { Ok(Self { year, month, day }) } else { Err(()) }
    }
}

fn number(digits: &str) -> Result<u16, ()> {
    digits.parse().map_err(drop)
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}
