//! `badge.svg`: the run on a flat badge, to be shown beside a project's name.

use runner::record::{Gate, Grievance, Record, Verdict};

use crate::{claim, format};

const LABEL: &str = "tunnelproof";
const GREEN: &str = "#1a7f45";
const RED: &str = "#c0281d";
const GREY: &str = "#5a6475";

/// The badge: green if something is proven and nothing refuted or broken, red if something is refuted. What a file of
/// expected results knows to be refuted is no reason for either, what is not as that file says makes it red.
pub fn render(record: &Record) -> String {
    let (message, colour) = message(record);
    let (left, right) = (width(LABEL), width(&message));
    let whole = left + right;
    let text = |x: usize, width: usize, text: &str| {
        let (middle, length) = (x + width / 2, width - PADDING);
        format!(r##"<text x="{middle}" y="14" textLength="{length}">{text}</text>"##)
    };
    let (first, second) = (text(0, left, LABEL), text(left, right, &message));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{LABEL}: {message}">
<title>{LABEL}: {message}</title>
<clipPath id="c"><rect width="{whole}" height="20" rx="3"/></clipPath>
<g clip-path="url(#c)"><rect width="{left}" height="20" fill="#30363f"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">{first}{second}</g>
</svg>
"##
    )
}

const PADDING: usize = 12;

/// Of text in 11 pixel Verdana, nearly; `textLength` makes up for the rest.
fn width(text: &str) -> usize {
    let narrow = text.chars().filter(|c| matches!(c, ' ' | ',' | 'i' | 'l' | 't' | 'f' | 'r')).count();
    PADDING + text.chars().count() * 7 - narrow * 2
}

/// A skip is a result: what was not proven is told beside what was.
fn message(record: &Record) -> (String, &'static str) {
    if record.sabotage.is_some() {
        return ("sabotaged".to_owned(), GREY);
    }
    let cells = &record.cells;
    let number = |verdict| cells.iter().filter(|cell| cell.verdict == verdict).count();
    let refuted = cells.iter().filter(|cell| cell.verdict == Verdict::Refuted && claim::is_unlike(cell)).count();
    if refuted > 0 {
        let all = format::plural(cells.len(), "cell");
        return (format!("{} of {all} refuted", format::count(refuted as u64)), RED);
    }
    let complaints = record.gate.iter().flat_map(|Gate { complaints, .. }| complaints);
    if complaints.filter(|complaint| complaint.kind != Grievance::Broken).count() > 0 {
        return ("not as expected".to_owned(), RED);
    }
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, number(verdict)))
        .filter(|(_, number)| *number > 0)
        .map(|(verdict, number)| format!("{} {verdict}", format::count(number as u64)))
        .collect();
    let green = number(Verdict::Proven) > 0 && number(Verdict::Broken) == 0;
    let message = if counts.is_empty() { "no cells".to_owned() } else { counts.join(", ") };
    (message, if green { GREEN } else { GREY })
}
