//! Drawing with as few words as possible: text, boxes and lines of classes that the style sheet colours.

/// The width of every drawing, in the units of its view box.
pub const WIDTH: i32 = 960;

/// Text for any place in HTML or SVG: between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Controls are not characters of a document, and some of them end a parse.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// A path relative to the report. Everything but letters, digits and a few signs is encoded, so that
/// no path can become a scheme or leave its quotes (RFC 3986 section 2.3).
pub fn href(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'=' | b',' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// As much of the text as fits into so many characters.
pub fn fit(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

/// The text in at most so many lines of so many characters, broken between words.
pub fn wrap(text: &str, characters: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let room = lines.len() < most;
        let full = lines.last().is_none_or(|line| line.chars().count() + 1 + word.chars().count() > characters);
        match lines.last_mut() {
            // What does not fit into the last line is appended to it, so that `fit` shows the omission.
            Some(line) if !(full && room) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| fit(line, characters)).collect()
}

/// A drawing under way. Classes are literals of this crate; every other text is escaped.
pub struct Drawing(String);

impl Drawing {
    pub fn new() -> Self {
        Self(String::new())
    }

    pub fn text(&mut self, x: i32, y: i32, class: &'static str, text: &str) {
        self.0.push_str(&format!(r#"<text x="{x}" y="{y}"{}>{}</text>"#, attribute(class), escape(text)));
    }

    /// A rectangle with a tooltip, which is also what a screen reader says.
    pub fn bar(&mut self, x: i32, y: i32, width: i32, height: i32, class: &'static str, title: &str) {
        let (class, title) = (attribute(class), escape(title));
        self.0.push_str(&format!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3"{class}><title>{title}</title></rect>"#
        ));
    }

    /// A path with a tooltip.
    pub fn shape(&mut self, path: &str, class: &'static str, title: &str) {
        let (class, title) = (attribute(class), escape(title));
        self.0.push_str(&format!(r#"<path d="{path}"{class}><title>{title}</title></path>"#));
    }

    pub fn rectangle(&mut self, x: i32, y: i32, width: i32, height: i32, class: &'static str) {
        let class = attribute(class);
        self.0.push_str(&format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"{class}/>"#));
    }

    pub fn line(&mut self, from: (i32, i32), to: (i32, i32), class: &'static str) {
        self.path(&format!("M{} {}L{} {}", from.0, from.1, to.0, to.1), class);
    }

    /// An S-shaped connection that leaves and arrives horizontally.
    pub fn curve(&mut self, from: (i32, i32), to: (i32, i32), class: &'static str) {
        if from.1 == to.1 {
            return self.line(from, to, class);
        }
        let middle = (from.0 + to.0) / 2;
        let path = format!("M{} {}C{middle} {} {middle} {} {} {}", from.0, from.1, from.1, to.1, to.0, to.1);
        self.path(&path, class);
    }

    pub fn path(&mut self, path: &str, class: &'static str) {
        self.0.push_str(&format!(r#"<path d="{path}"{}/>"#, attribute(class)));
    }

    /// Lays another drawing over this one.
    pub fn cover(&mut self, over: Self) {
        self.0.push_str(&over.0);
    }

    pub fn finish(self, height: i32, label: &str) -> String {
        let (body, label) = (self.0, escape(label));
        format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{body}</svg>"#)
    }

    /// With a title and a description, for a drawing that may stand alone. Its text can be read and selected.
    pub fn finish_described(self, height: i32, title: &str, about: &str) -> String {
        let (body, title, about) = (self.0, escape(title), escape(about));
        format!(
            r#"<svg viewBox="0 0 {WIDTH} {height}" role="group" aria-label="{title}"><title>{title}</title><desc>{about}</desc>{body}</svg>"#
        )
    }
}

fn attribute(class: &'static str) -> String {
    if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) }
}
