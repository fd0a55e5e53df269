//! Answers as they leave: JSON, or CloudStack's default, XML.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::profile::Rules;

/// What the root element holds.
pub(crate) enum Body {
    Tree(Value),
    /// Written already, in the format of the answer.
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

impl Format {
    pub(crate) fn of(parameter: Option<&str>) -> Self {
        match parameter {
            Some(name) if name.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Xml,
        }
    }

    pub(crate) fn content_type(self, rules: &Rules) -> &'static str {
        match self {
            Self::Json => rules.json_type,
            Self::Xml => "text/xml; charset=UTF-8",
        }
    }

    pub(crate) fn render(self, rules: &Rules, root: &str, body: &Body) -> String {
        match self {
            Self::Json => format!("{{{}:{}}}", Value::from(root), self.inner(body)),
            Self::Xml => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root} cloud-stack-version=\"{}\">{}</{root}>",
                rules.version,
                self.inner(body)
            ),
        }
    }

    fn inner(self, body: &Body) -> Cow<'_, str> {
        match (body, self) {
            (Body::Text(text), _) => text.into(),
            (Body::Tree(tree), Self::Json) => tree.to_string().into(),
            (Body::Tree(tree), Self::Xml) => {
                let mut text = String::new();
                content(&mut text, tree);
                text.into()
            }
        }
    }

    /// Appends a row of a list.
    pub(crate) fn add_row(self, rows: &mut String, object: &str, is_first: bool, row: &impl Serialize) {
        const FIELDS: &str = "fields are texts, numbers and truth values";
        match self {
            Self::Json => {
                if !is_first {
                    rows.push(',');
                }
                rows.push_str(&serde_json::to_string(row).expect(FIELDS));
            }
            Self::Xml => element(rows, object, &serde_json::to_value(row).expect(FIELDS)),
        }
    }

    /// A list's answer around its rows; without a count there are no rows either.
    pub(crate) fn list(self, object: &str, rows: &str, count: Option<usize>) -> String {
        match (self, count) {
            (Self::Json, None) => "{}".to_owned(),
            (Self::Json, Some(count)) if rows.is_empty() => format!("{{\"count\":{count}}}"),
            (Self::Json, Some(count)) => format!("{{\"count\":{count},\"{object}\":[{rows}]}}"),
            (Self::Xml, None) => String::new(),
            (Self::Xml, Some(count)) => format!("<count>{count}</count>{rows}"),
        }
    }
}

fn content(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| element(text, name, field)),
        Value::Array(items) => items.iter().for_each(|item| content(text, item)),
        Value::String(value) => escape(text, value),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
}

/// A list is its elements one after the other: an empty one is nothing at all.
fn element(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(text, name, item)),
        Value::Null => {}
        _ => {
            text.push_str(&format!("<{name}>"));
            content(text, value);
            text.push_str(&format!("</{name}>"));
        }
    }
}

fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            // A reader would make a line end of it.
            '\r' => text.push_str("&#13;"),
            // There is no way to write these in XML 1.0.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Profile;

    #[test]
    fn both_formats() {
        let rules = Profile::Spec2012.rules();
        let body = json!({ "count": 2, "zone": [{ "name": "a<b" }, { "name": "c", "up": true }], "uuidList": [] });
        assert_eq!(
            Format::of(None).render(rules, "listzonesresponse", &Body::Tree(body)),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><listzonesresponse cloud-stack-version=\"4.0.2\"><count>2</count>\
             <zone><name>a&lt;b</name></zone><zone><name>c</name><up>true</up></zone></listzonesresponse>"
        );
        assert_eq!(
            Format::of(None).render(rules, "r", &Body::Tree(json!({ "a": "\0\u{ffff}\u{1b}\r\n\"&" }))),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r cloud-stack-version=\"4.0.2\"><a>\u{fffd}\u{fffd}\u{fffd}&#13;\n\
             &quot;&amp;</a></r>"
        );
        assert_eq!(Format::of(Some("JSON")).render(rules, "r", &Body::Tree(json!({}))), r#"{"r":{}}"#);
    }
}
