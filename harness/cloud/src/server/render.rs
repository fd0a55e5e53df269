//! Answers as they leave: JSON, or CloudStack's default, XML.

use serde_json::Value;

use crate::profile::Rules;

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

    pub(crate) fn render(self, rules: &Rules, root: &str, body: &Value) -> String {
        match self {
            // Put together by hand, so that a long list is not copied first.
            Self::Json => format!("{{{}:{body}}}", Value::from(root)),
            Self::Xml => {
                let mut text = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root} cloud-stack-version=\"{}\">",
                    rules.version
                );
                content(&mut text, body);
                text.push_str(&format!("</{root}>"));
                text
            }
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
            Format::of(None).render(rules, "listzonesresponse", &body),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><listzonesresponse cloud-stack-version=\"4.0.2\"><count>2</count>\
             <zone><name>a&lt;b</name></zone><zone><name>c</name><up>true</up></zone></listzonesresponse>"
        );
        assert_eq!(Format::of(Some("JSON")).render(rules, "r", &json!({})), r#"{"r":{}}"#);
    }
}
