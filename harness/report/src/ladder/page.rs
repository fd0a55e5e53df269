//! Lines of a given width.

use super::{Style, Tone};

/// Below this a ladder is not readable: then lines are longer than the terminal is wide.
const NARROWEST: usize = 64;
const WIDEST: usize = 132;

pub(super) struct Page {
    text: String,
    style: Style,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { text: String::new(), style: Style { width: style.width.clamp(NARROWEST, WIDEST), ..style } }
    }

    pub(super) fn width(&self) -> usize {
        self.style.width
    }

    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        (self.style.paint)(tone, text)
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.heading_in(Tone::Heading, text);
    }

    pub(super) fn heading_in(&mut self, tone: Tone, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let text = self.paint(tone, &printable(text));
        self.line(&text);
    }

    /// A line as it stands: its foreign parts were made printable before.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn paragraph(&mut self, indent: usize, text: &str) {
        self.item(indent, "", text);
    }

    /// A text beside its name; what does not fit goes on beneath.
    pub(super) fn item(&mut self, indent: usize, name: &str, text: &str) {
        self.aligned(indent, ITEM, name, text);
    }

    /// The same with names that are shorter.
    pub(super) fn payload(&mut self, indent: usize, name: &str, text: &str) {
        self.aligned(indent, PAYLOAD, name, text);
    }

    fn aligned(&mut self, indent: usize, columns: usize, name: &str, text: &str) {
        const GAP: usize = 2;
        let name = printable(name);
        let hang = if name.is_empty() { indent } else { indent + columns.max(name.chars().count()) + GAP };
        let mut line = format!("{:indent$}{name}", "");
        let mut used = line.chars().count();
        let mut begins = true;
        for word in printable(text).split_whitespace() {
            let length = word.chars().count();
            if !begins && used + 1 + length > self.style.width {
                self.line(&line);
                line.clear();
                (used, begins) = (0, true);
            }
            let space = if begins { hang - used } else { 1 };
            line.push_str(&" ".repeat(space));
            line.push_str(word);
            used += space + length;
            begins = false;
        }
        self.line(&line);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Names are aligned as long as they are no longer.
const ITEM: usize = 11;
const PAYLOAD: usize = 5;

/// What was captured may hold anything, and a terminal obeys control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
