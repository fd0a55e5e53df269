//! The format of files of expected results: a list of entries.

use super::{
    fields::{self, Fields},
    scalar,
};
use crate::{
    Verdict,
    diagnostic::Problems,
    expected::{ExpectedResult, Pattern},
    tree::{At, Node, Value},
};

const KEYS: [&str; 5] = ["cells", "verdict", "reason", "link", "until"];
const EXAMPLE: &str = "`- { cells: policy/matrix/*, verdict: refuted, reason: WHY }`";

pub(crate) fn expected(root: &Node, problems: &mut Problems<'_>) -> Option<Vec<ExpectedResult>> {
    match &root.value {
        Value::Null => {
            let help = format!("write {EXAMPLE}, or `[]` if nothing is expected");
            problems.report(At::START, "the file is empty", help);
            None
        }
        // All that was expected has been repaired.
        Value::List(items) if items.is_empty() => Some(Vec::new()),
        _ => {
            let items = fields::list(root, "expected results", EXAMPLE, problems)?;
            let mut all: Vec<ExpectedResult> = Vec::new();
            for item in items {
                let Some((result, at)) = entry(item, problems) else { continue };
                match all.iter().find(|other| other.cells == result.cells) {
                    Some(first) => {
                        let message = format!("`{}` stands twice: first on line {}", result.cells, first.line);
                        problems.report(at, message, "keep one of the two");
                    }
                    None => all.push(result),
                }
            }
            Some(all)
        }
    }
}

/// An entry, and where its pattern stands.
fn entry(node: &Node, problems: &mut Problems<'_>) -> Option<(ExpectedResult, At)> {
    let fields = Fields::read(node, node.at, "an expected result", &KEYS, problems)?;
    let cells = fields.require("cells", "`cells: policy/matrix/*`, the id of a cell, with `*` for any part", problems);
    let verdict = fields.require("verdict", "`verdict: refuted`, how the cells end", problems);
    let reason = fields.require("reason", "`reason: WHY`, for those who read it later", problems);
    let pattern = cells.and_then(|node| Some((scalar::text(node, "pattern of cells", problems)?, node.at)));
    let verdict = verdict.and_then(|node| scalar::word(node, "verdict", &Verdict::ALL, problems));
    let reason = reason.and_then(|node| scalar::text(node, "reason", problems));
    let link = fields.get("link").and_then(|node| link(node, problems));
    let until = fields.get("until").and_then(|node| {
        let help = "write a day such as `2027-01-31`";
        let text = scalar::raw(node, "until", || help.to_owned(), problems)?;
        let date = text.parse().ok();
        if date.is_none() {
            problems.report(node.at, format!("`{text}` is not a day of the calendar"), help);
        }
        date
    });
    let (pattern, at) = pattern?;
    let cells = Pattern::new(&pattern);
    Some((ExpectedResult { line: at.line, cells, verdict: verdict?, reason: reason?, link, until }, at))
}

/// Reports show it as a link.
fn link(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    let link = scalar::text(node, "link", problems)?;
    if !link.starts_with("https://") && !link.starts_with("http://") {
        problems.report(node.at, format!("`{link}` is not a link"), "write an address that begins with `https://`");
        return None;
    }
    Some(link)
}
