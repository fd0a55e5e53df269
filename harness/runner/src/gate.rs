//! The gate: a run held against a file of expected results. Pure.
//!
//! Every cell is expected to be proven, or else to be skipped or unsupported with its reason, unless an entry of the
//! file says otherwise; of several that match a cell the first counts.

use std::collections::BTreeMap;

use scenario::{Date, ExpectedResult, nearest};

use crate::record::{CellRecord, Complaint, Expected, Gate, Grievance, Record, Verdict};

/// Ids of cells that there are.
pub struct Known<'a> {
    /// All of the files that were run, chosen or not.
    pub run: &'a [String],
    /// Those of other files; none if nobody knows.
    pub elsewhere: Option<&'a [String]>,
}

/// Notes in the record what is expected of its cells, and what is otherwise.
pub fn hold(record: &mut Record, file: &str, expected: &[ExpectedResult], known: &Known<'_>, today: Date) {
    let mut complaints = Vec::new();
    let mut unlike: BTreeMap<(usize, Verdict), Vec<&CellRecord>> = BTreeMap::new();
    let mut unforeseen: BTreeMap<Verdict, Vec<&CellRecord>> = BTreeMap::new();
    for cell in &mut record.cells {
        let entry = expected.iter().position(|entry| entry.cells.matches(&cell.id));
        cell.expected = entry.map(|entry| noted(&expected[entry]));
        match entry {
            Some(entry) if cell.verdict != expected[entry].verdict => {
                unlike.entry((entry, cell.verdict)).or_default().push(cell);
            }
            None if matches!(cell.verdict, Verdict::Refuted | Verdict::Broken) => {
                unforeseen.entry(cell.verdict).or_default().push(cell);
            }
            _ => {}
        }
    }
    complaints.extend(unforeseen.into_iter().map(|(verdict, cells)| nothing_expects(verdict, &cells)));
    complaints.extend(unlike.into_iter().map(|((entry, verdict), cells)| other(&expected[entry], verdict, &cells)));
    for entry in expected {
        let here = known.run.iter().any(|id| entry.cells.matches(id));
        let there = known.elsewhere.is_none_or(|ids| ids.iter().any(|id| entry.cells.matches(id)));
        if here && entry.until.is_some_and(|until| until < today) {
            complaints.push(expired(entry));
        }
        if !here && !there {
            complaints.push(stale(entry, known));
        }
    }
    record.gate = Some(Gate { file: file.to_owned(), complaints });
}

fn noted(entry: &ExpectedResult) -> Expected {
    Expected {
        verdict: entry.verdict,
        reason: entry.reason.clone(),
        link: entry.link.clone(),
        until: entry.until.map(|until| until.to_string()),
    }
}

fn nothing_expects(verdict: Verdict, cells: &[&CellRecord]) -> Complaint {
    let (kind, help) = match verdict {
        Verdict::Broken => (Grievance::Broken, "run again: the laboratory failed, and nothing is known of the tunnel"),
        _ => (Grievance::Unexpected, "repair it; or add an entry with `cells`, `verdict` and the `reason`"),
    };
    let text = format!("{} {verdict}, and nothing expects that: {}", are(cells), listed(cells));
    Complaint { kind, text, help: help.to_owned() }
}

fn other(entry: &ExpectedResult, verdict: Verdict, cells: &[&CellRecord]) -> Complaint {
    let line = entry.line;
    let text = format!(
        "{} {verdict}, and line {line} expects {} ({}): {}",
        are(cells),
        entry.verdict,
        entry.reason,
        listed(cells)
    );
    let (kind, help) = match verdict {
        Verdict::Proven => {
            let help = format!("it is repaired: delete the entry of line {line}, or let its pattern leave these out");
            (Grievance::Passes, help)
        }
        Verdict::Broken => (Grievance::Broken, "run again: the laboratory failed".to_owned()),
        _ => {
            let help = format!("see why in the report; if that is right, write `verdict: {verdict}` in line {line}");
            (Grievance::Unexpected, help)
        }
    };
    Complaint { kind, text, help }
}

fn expired(entry: &ExpectedResult) -> Complaint {
    let until = entry.until.map_or_else(String::new, |until| until.to_string());
    let text = format!("line {}: `{}` was expected until {until}, which is over", entry.line, entry.cells);
    let help = format!(
        "repair the cells and delete the entry; or move the date, if the reason still holds ({})",
        entry.reason
    );
    Complaint { kind: Grievance::Expired, text, help }
}

fn stale(entry: &ExpectedResult, known: &Known<'_>) -> Complaint {
    let text = format!("line {}: `{}` matches no cell", entry.line, entry.cells);
    let ids = known.run.iter().chain(known.elsewhere.unwrap_or_default());
    // What is meant is a file, for the rest of an id is too long to be mistaken as a whole.
    let file = |id: &str| id.rsplit_once('/').map_or(id, |(file, _)| file).to_owned();
    let (meant, files) = (file(entry.cells.as_str()), ids.map(|id| file(id)).collect::<Vec<_>>());
    let near = nearest(&meant, files.iter().map(String::as_str)).filter(|near| *near != meant);
    let help = match near {
        Some(near) => format!("delete it, or correct it: did you mean `{near}/...`?"),
        None => "delete it, or correct it: `tunnelproof plan` lists all cells".to_owned(),
    };
    Complaint { kind: Grievance::Stale, text, help }
}

fn are(cells: &[&CellRecord]) -> String {
    if cells.len() == 1 { "1 cell is".to_owned() } else { format!("{} cells are", cells.len()) }
}

/// The first ones in full: the record has them all.
fn listed(cells: &[&CellRecord]) -> String {
    const SHOWN: usize = 5;
    let ids: Vec<_> = cells.iter().take(SHOWN).map(|cell| cell.id.as_str()).collect();
    match cells.len().saturating_sub(SHOWN) {
        0 => ids.join(", "),
        more => format!("{} and {more} more", ids.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use policy::Daemon;
    use scenario::parse_expected;

    use super::*;
    use crate::{record::Laboratory, schedule::blank};

    const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.yaml");
    const FORTH: &str = "quickstart/libreswan-to-strongswan";
    const BACK: &str = "quickstart/strongswan-to-libreswan";

    /// The complaints about the quickstart's two cells with these verdicts, on the first of June.
    fn complaints(verdicts: [Verdict; 2], file: &str) -> Vec<Complaint> {
        complaints_of(verdicts, file, Some(&["lifecycle/connect/one".to_owned()]))
    }

    fn complaints_of(verdicts: [Verdict; 2], file: &str, elsewhere: Option<&[String]>) -> Vec<Complaint> {
        let cells = scenario::parse("scenarios/quickstart.yaml", QUICKSTART).unwrap().cells();
        let ids: Vec<_> = cells.iter().map(|cell| cell.id.clone()).collect();
        let record = |(cell, verdict)| CellRecord { verdict, ..blank(cell, |daemon: Daemon| daemon.to_string()) };
        let mut record = Record {
            format: crate::record::FORMAT,
            program: String::new(),
            started: String::new(),
            wall_ms: 0,
            world: String::new(),
            sabotage: None,
            laboratory: Laboratory::default(),
            choice: None,
            diagnoses: Vec::new(),
            gate: None,
            cells: cells.iter().zip(verdicts).map(record).collect(),
        };
        let expected = parse_expected("expected.yaml", file).unwrap();
        hold(&mut record, "expected.yaml", &expected, &Known { run: &ids, elsewhere }, "2027-06-01".parse().unwrap());
        record.gate.unwrap().complaints
    }

    #[track_caller]
    fn is_the_only_one(complaints: &[Complaint], kind: Grievance, text: &str, help: &str) {
        let [only] = complaints else { panic!("{complaints:?}") };
        assert_eq!(only.kind, kind, "{only}");
        assert!(only.text.contains(text) && only.help.contains(help), "{only}");
    }

    #[test]
    fn what_is_as_expected_is_no_complaint() {
        use Verdict::{Proven, Refuted, Skipped, Unsupported};
        for verdicts in [[Proven, Skipped], [Unsupported, Proven]] {
            assert!(complaints(verdicts, "[]").is_empty());
        }
        let known = "- { cells: quickstart/libre*, verdict: refuted, reason: known, until: 2027-06-01 }";
        assert!(complaints([Refuted, Proven], known).is_empty(), "the last day is one of them");
        let first = format!("{known}\n- {{ cells: quickstart/*, verdict: proven, reason: must }}");
        assert!(complaints([Refuted, Proven], &first).is_empty(), "the first entry counts");
    }

    #[test]
    fn a_result_that_nothing_expects_is_told() {
        let told = complaints([Verdict::Proven, Verdict::Refuted], "[]");
        is_the_only_one(
            &told,
            Grievance::Unexpected,
            &format!("1 cell is refuted, and nothing expects that: {BACK}"),
            "add",
        );
        let told = complaints([Verdict::Broken, Verdict::Broken], "[]");
        is_the_only_one(
            &told,
            Grievance::Broken,
            &format!("2 cells are broken, and nothing expects that: {FORTH}"),
            "again",
        );
    }

    #[test]
    fn what_passes_although_it_was_expected_to_fail_is_told() {
        let known = "- { cells: '*', verdict: refuted, reason: not yet repaired }";
        let told = complaints([Verdict::Proven, Verdict::Refuted], known);
        let text =
            "1 cell is proven, and line 1 expects refuted (not yet repaired): quickstart/libreswan-to-strongswan";
        is_the_only_one(&told, Grievance::Passes, text, "delete the entry of line 1");
    }

    #[test]
    fn a_skip_where_a_proof_was_expected_is_told() {
        let must = "- { cells: 'quickstart/*', verdict: proven, reason: it may not be skipped }";
        let told = complaints([Verdict::Skipped, Verdict::Proven], must);
        is_the_only_one(
            &told,
            Grievance::Unexpected,
            "1 cell is skipped, and line 1 expects proven",
            "`verdict: skipped`",
        );
    }

    #[test]
    fn an_expectation_that_is_over_is_told_even_if_it_holds() {
        let old = "- { cells: 'quickstart/lib*', verdict: refuted, reason: soon, until: 2027-05-31 }";
        let told = complaints([Verdict::Refuted, Verdict::Proven], old);
        is_the_only_one(&told, Grievance::Expired, "was expected until 2027-05-31, which is over", "move the date");
        let other = "- { cells: 'lifecycle/*', verdict: refuted, reason: soon, until: 2027-05-31 }";
        assert!(complaints([Verdict::Proven; 2], other).is_empty(), "that is for the run of that file to say");
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_told_with_the_nearest_file() {
        let stale = "- { cells: quickstrat/lib*, verdict: refuted, reason: r }";
        let told = complaints([Verdict::Proven; 2], stale);
        is_the_only_one(
            &told,
            Grievance::Stale,
            "line 1: `quickstrat/lib*` matches no cell",
            "did you mean `quickstart/...`?",
        );
        let elsewhere = "- { cells: lifecycle/connect/*, verdict: refuted, reason: r }";
        assert!(complaints([Verdict::Proven; 2], elsewhere).is_empty(), "it is about another file");
        assert!(complaints_of([Verdict::Proven; 2], stale, None).is_empty(), "nobody knows what other files have");
    }
}
