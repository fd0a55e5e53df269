//! Lines of Wireshark's tables of preferences, as it writes them: fields between commas, in quotes or bare, a comment
//! after `#` where a line begins.

use super::Remark;

/// A field, and where it begins.
pub(super) struct Field {
    pub text: String,
    line: usize,
    column: usize,
}

impl Field {
    pub(super) fn remark(&self, text: impl Into<String>) -> Remark {
        Remark { line: self.line, column: self.column, text: text.into() }
    }
}

/// The fields of every line that has any.
pub(super) fn rows(table: &str) -> impl Iterator<Item = Result<Vec<Field>, Remark>> {
    let lines =
        table.lines().enumerate().filter(|(_, line)| !matches!(line.trim_start().chars().next(), None | Some('#')));
    lines.map(|(index, line)| Reader { line: index + 1, column: 1, rest: line }.row())
}

struct Reader<'a> {
    line: usize,
    /// Of the next character, from 1.
    column: usize,
    rest: &'a str,
}

impl Reader<'_> {
    fn row(mut self) -> Result<Vec<Field>, Remark> {
        let mut fields = Vec::new();
        loop {
            self.skip_blanks();
            fields.push(if self.rest.starts_with('"') { self.quoted()? } else { self.bare() });
            self.skip_blanks();
            match self.next() {
                Some(',') => {}
                None => return Ok(fields),
                Some(other) => {
                    let (line, column) = (self.line, self.column - 1);
                    return Err(Remark { line, column, text: format!("`{other}` follows a field: write a comma") });
                }
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.column += 1;
        Some(next)
    }

    fn skip_blanks(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.next();
        }
    }

    fn bare(&mut self) -> Field {
        let (line, column) = (self.line, self.column);
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next().filter(|c| *c != ',' && *c != '"') {
            text.push(c);
            self.next();
        }
        Field { text: text.trim_end().to_owned(), line, column }
    }

    /// What cannot stand between quotes is written as `\x` and two digits.
    fn quoted(&mut self) -> Result<Field, Remark> {
        let (line, column) = (self.line, self.column);
        let mut text = String::new();
        self.next();
        loop {
            match self.next() {
                Some('"') => return Ok(Field { text, line, column }),
                Some('\\') => text.push(self.escaped()?),
                Some(c) => text.push(c),
                None => return Err(Remark { line, column, text: "the quotes are not closed".to_owned() }),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Remark> {
        let (line, column) = (self.line, self.column - 1);
        let wrong = || Remark { line, column, text: "write a backslash as `\\\\` or `\\x5c`".to_owned() };
        match self.next() {
            Some('x') => {
                let mut digit = || self.next().and_then(|c| c.to_digit(16)).ok_or_else(wrong);
                let value = digit()? << 4 | digit()?;
                char::from_u32(value).ok_or_else(wrong)
            }
            Some(c @ ('"' | '\\')) => Ok(c),
            _ => Err(wrong()),
        }
    }
}
