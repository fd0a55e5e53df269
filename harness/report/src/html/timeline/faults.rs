//! Faults as spans of time: what one event began and another one ended is one bar.

use runner::record::Fault;

/// What was done, from when until when.
#[derive(Debug, PartialEq, Eq)]
pub struct Span {
    /// Spans with one label are drawn in one row.
    pub label: String,
    pub text: String,
    pub begin: u64,
    /// None if it lasted to the end of the cell; its beginning if it was over at once.
    pub end: Option<u64>,
}

/// What an event does to the spans.
enum Does<'a> {
    Begins {
        label: &'a str,
    },
    /// With a text of its own while it lasts.
    Changes {
        label: &'a str,
    },
    Ends {
        label: &'a str,
    },
    /// It is over at once.
    Passes,
}

/// In the order in which they began. The events' texts are those of the scenario's steps.
pub fn spans(faults: &[Fault]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for Fault { at_ms, text } in faults {
        let does = does(text);
        let begin = |label: &str, end| Span { label: label.to_owned(), text: text.clone(), begin: *at_ms, end };
        let mut end = |label: &str| {
            let open = spans.iter_mut().rev().find(|span| span.label == label && span.end.is_none());
            open.map(|span| span.end = Some(*at_ms)).is_some()
        };
        let new = match does {
            Does::Ends { label } if end(label) => None,
            Does::Ends { .. } | Does::Passes => Some(begin(text, Some(*at_ms))),
            Does::Changes { label } => {
                end(label);
                Some(begin(label, None))
            }
            Does::Begins { label } => Some(begin(label, None)),
        };
        spans.extend(new);
    }
    spans
}

fn does(text: &str) -> Does<'_> {
    let partition = |text| -> &str { str::rsplit_once(text, " for ").map_or(text, |(ends, _)| ends) };
    if let Some(what) = text.strip_prefix("the end of the ") {
        Does::Ends { label: partition(what) }
    } else if text.starts_with("partition ") {
        Does::Begins { label: partition(text) }
    } else if let Some(of) = text.strip_prefix("power-off of ").or_else(|| text.strip_prefix("kill ")) {
        Does::Begins { label: of }
    } else if let Some(of) = text.strip_prefix("power-on of ").or_else(|| text.strip_prefix("restart ")) {
        Does::Ends { label: of }
    } else if let Some(label) = text.strip_suffix(" is whole again") {
        Does::Ends { label }
    } else if let Some(label) = link(text) {
        Does::Changes { label }
    } else {
        Does::Passes
    }
}

/// `link of branch` of `link of branch goes down`.
fn link(text: &str) -> Option<&str> {
    let of = text.strip_prefix("link of ")?;
    let name = of.split(' ').next()?;
    Some(&text[..text.len() - of.len() + name.len()])
}
