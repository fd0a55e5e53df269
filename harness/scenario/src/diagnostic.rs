//! What is wrong with a scenario file, where, and what to write instead.

use std::{error, fmt};

use serde::{Deserialize, Serialize};

use crate::tree::At;

/// All problems of one file, in the order of their lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub file: String,
    /// From 1; 0 if the file could not be read at all.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub message: String,
    /// What to write.
    pub help: Option<String>,
    pub snippet: Option<Snippet>,
}

/// The line of the problem, and how many of its characters are at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    pub source: String,
    pub width: u32,
}

impl Diagnostics {
    /// The problem of a file that could not be read.
    pub(crate) fn unreadable(file: String, message: String, help: Option<String>) -> Self {
        Self(vec![Diagnostic { file, line: 0, column: 0, message, help, snippet: None }])
    }

    /// What was found to be wrong with a file of another format, in any order; none if that is nothing.
    pub fn of(mut found: Vec<Diagnostic>) -> Option<Self> {
        found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        if found.is_empty() { None } else { Some(Self(found)) }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(only: Diagnostic) -> Self {
        Self(vec![only])
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{diagnostic}")?;
        }
        Ok(())
    }
}

impl error::Error for Diagnostic {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message)?,
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message)?,
        }
        if let Some(snippet) = &self.snippet {
            let number = self.line.to_string();
            let margin = " ".repeat(number.len());
            // Tabs stay, so that the caret is under its character whatever their width.
            let before: String = snippet.source.chars().take(self.column.saturating_sub(1) as usize).collect();
            let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let carets = "^".repeat(snippet.width as usize);
            write!(f, "\n {number} | {}\n {margin} | {indent}{carets}", snippet.source)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n help: {help}"),
            None => Ok(()),
        }
    }
}

/// Collects problems while a file is read, so that all are reported at once.
#[derive(Debug)]
pub(crate) struct Problems<'s> {
    file: &'s str,
    lines: Vec<&'s str>,
    found: Vec<Diagnostic>,
}

impl<'s> Problems<'s> {
    pub(crate) fn new(file: &'s str, text: &'s str) -> Self {
        Self { file, lines: text.lines().collect(), found: Vec::new() }
    }

    pub(crate) fn report(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        let source = self.lines.get(at.line as usize - 1).map_or_else(String::new, |line| printable(line));
        let rest = source.chars().count() as u32 + 1 - at.column.min(source.chars().count() as u32);
        let width = at.width.clamp(1, rest.max(1));
        self.found.push(Diagnostic {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            help: Some(help.into()),
            snippet: Some(Snippet { source, width }),
        });
    }

    /// The value, if nothing was found to be wrong with the file it was read from.
    pub(crate) fn unless_found<T>(mut self, value: Option<T>) -> Result<T, Diagnostics> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                self.found.sort_by_key(|d| (d.line, d.column));
                self.found.dedup();
                Err(Diagnostics(self.found))
            }
        }
    }
}

/// A source line as it may be shown: without control characters, and without a pre-shared key.
fn printable(line: &str) -> String {
    let mut shown: Vec<char> = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    let mut from = 0;
    while let Some(key) = shown[from..].windows(3).position(|w| w == ['p', 's', 'k']).map(|i| from + i + 3) {
        from = key;
        let quote = shown.get(key).copied().filter(|c| matches!(c, '"' | '\'')); // the key itself may be quoted
        let colon = key + usize::from(quote.is_some());
        if shown.get(colon) != Some(&':') {
            continue;
        }
        let skipped = shown[colon + 1..].iter().take_while(|c| c.is_whitespace()).count();
        let start = colon + 1 + skipped;
        let end = match shown.get(start) {
            Some(quote @ ('"' | '\'')) => end_of_quoted(&shown, start, *quote),
            // Unquoted: a comma or brace may belong to it, so the whole rest of the line is hidden.
            _ => shown.len(),
        };
        shown[start..end].fill('*');
        from = end;
    }
    shown.into_iter().collect()
}

/// The index after the closing quote of what opens at `start`, or the end of the line.
fn end_of_quoted(line: &[char], start: usize, quote: char) -> usize {
    let mut i = start + 1;
    while i < line.len() {
        match line[i] {
            '\\' if quote == '"' => i += 1,
            c if c == quote && quote == '\'' && line.get(i + 1) == Some(&'\'') => i += 1,
            c if c == quote => return i + 1,
            _ => (),
        }
        i += 1;
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_shared_keys_are_hidden() {
        let cases = [
            (r#"  psk: "123123""#, "  psk: ********"),
            (r#"{ psk: "a\"b", daemon: x }"#, "{ psk: ******, daemon: x }"),
            ("{ psk: 'a''b', daemon: x }", "{ psk: ******, daemon: x }"),
            ("psk: a, b }", "psk: ******"),
            (r#"psk: "open"#, "psk: *****"),
            (r#"{"psk": 'x'}"#, r#"{"psk": ***}"#),
            ("psk:", "psk:"),
            ("about: psk and more", "about: psk and more"),
            ("psk: 'a', psk: 'b'", "psk: ***, psk: ***"),
        ];
        for (line, expected) in cases {
            assert_eq!(printable(line), expected);
            assert_eq!(printable(line).chars().count(), line.chars().count());
        }
    }

    #[test]
    fn the_caret_is_under_the_fault() {
        let mut problems = Problems::new("a.yaml", "one\n\ttwo: three\n");
        problems.report(At { line: 2, column: 7, width: 5 }, "unknown number `three`", "write `3`");
        let shown = problems.unless_found(Some(())).map_err(|d| d.to_string());
        let expected = "a.yaml:2:7: unknown number `three`\n 2 | \ttwo: three\n   | \t     ^^^^^\n help: write `3`";
        assert_eq!(shown, Err(expected.to_owned()));
    }
}
