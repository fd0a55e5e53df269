//! `report.md`: the run in one table, for places that show Markdown, such as the summary of a build.

use std::{collections::BTreeSet, fmt::Write};

use policy::Remark;
use runner::record::{CellRecord, Record};

use crate::{HTML, claim, format, html::by_scenario, traffic::Traffic};

/// The whole record as Markdown.
pub fn render(record: &Record) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# {}\n", claim::headline(record));
    if let Some(packets) = claim::packets(&record.cells) {
        let _ = writeln!(out, "{packets}\n");
    }
    if let Some(gate) = record.gate.as_ref().filter(|gate| !gate.complaints.is_empty()) {
        let _ = writeln!(out, "Not as {} says:\n", code(&gate.file));
        for complaint in &gate.complaints {
            let _ = writeln!(out, "- {} — {}", text(&complaint.text), text(&complaint.help));
        }
        out.push('\n');
    }
    if !record.diagnoses.is_empty() {
        let _ = writeln!(out, "What failed cells have in common:\n");
        for diagnosis in &record.diagnoses {
            let _ = writeln!(out, "- {}", text(&diagnosis.to_string()));
        }
        out.push('\n');
    }
    for (scenario, cells) in by_scenario(&record.cells) {
        let _ = writeln!(out, "## {}\n", text(scenario));
        if let Some(about) = cells.first().map(|cell| text(&cell.about)).filter(|about| !about.is_empty()) {
            let _ = writeln!(out, "{about}\n");
        }
        out.push_str("| Verdict | Cell | Router | Customer gateway | Negotiated | Packets proven | Reason |\n");
        out.push_str("|---|---|---|---|---|---:|---|\n");
        for cell in &cells {
            let _ = writeln!(out, "{}", row(cell));
        }
        out.push('\n');
        grades(&cells, &mut out);
        skipped_steps(&cells, &mut out);
        findings(&cells, &mut out);
    }
    let images =
        record.laboratory.images.iter().map(|image| format!("{} ({})", text(&image.version), code(&image.digest)));
    let cloud = record.laboratory.cloud.as_ref();
    let facts = [
        claim::choice(record).map(|choice| format!("Chosen: {}", text(&choice))),
        claim::all_reused(&record.cells).map(|reused| format!("Reused: {reused}")),
        Some(format!("World {}", text(&record.world))),
        record.sabotage.as_ref().map(|defect| format!("Sabotaged by {}", text(defect))),
        Some(text(&record.laboratory.kernel)).filter(|kernel| !kernel.is_empty()),
        cloud.map(|cloud| text(&format::cloud(cloud))),
        cloud
            .filter(|cloud| !cloud.leftovers.is_empty())
            .map(|cloud| format!("left there by another run: {}", text(&cloud.leftovers.join(", ")))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().chain(images).collect();
    let virtual_ms = record.cells.iter().fold(0, |sum: u64, cell| sum.saturating_add(cell.virtual_ms));
    let _ = writeln!(
        out,
        "{}; tunnelproof {}; {}, {} for {} of virtual time. Evidence: [{HTML}]({HTML}).",
        facts.join("; "),
        text(&record.program),
        text(&format::date(&record.started)),
        format::length(record.wall_ms),
        format::length(virtual_ms),
    );
    out
}

/// What is said today of the policies, each remark once with the number of cells, the worst first.
fn grades(cells: &[&CellRecord], out: &mut String) {
    let mut remarks: Vec<(&Remark, usize)> = Vec::new();
    for remark in cells.iter().filter_map(|cell| cell.grade.as_ref()).flat_map(|grade| &grade.remarks) {
        match remarks.iter_mut().find(|(known, _)| *known == remark) {
            Some((_, count)) => *count += 1,
            None => remarks.push((remark, 1)),
        }
    }
    if remarks.is_empty() {
        return;
    }
    remarks.sort_by_key(|(remark, _)| std::cmp::Reverse(remark.level));
    out.push_str("What is said of these policies today:\n\n");
    for (Remark { level, part, clause, sentence }, count) in remarks {
        let all = format::plural(cells.len(), "cell");
        let _ = writeln!(out, "- {level}: {}, in {count} of {all}: {}. {}", code(part), text(clause), text(sentence));
    }
    out.push('\n');
}

/// Steps that were not run, each once with its reason and the number of cells.
fn skipped_steps(cells: &[&CellRecord], out: &mut String) {
    let mut steps: Vec<((&str, &str), usize)> = Vec::new();
    for cell in cells {
        let of_cell: BTreeSet<_> =
            cell.skipped_steps().map(|step| (step.text.as_str(), step.outcome.as_str())).collect();
        for step in of_cell {
            match steps.iter_mut().find(|(known, _)| *known == step) {
                Some((_, count)) => *count += 1,
                None => steps.push((step, 1)),
            }
        }
    }
    if steps.is_empty() {
        return;
    }
    out.push_str("Steps that were not run:\n\n");
    for ((step, reason), count) in steps {
        let all = format::plural(cells.len(), "cell");
        let _ = writeln!(out, "- {}, in {count} of {all}: {}", text(step), text(reason));
    }
    out.push('\n');
}

/// What the audit has against each cell, the first ones in full.
fn findings(cells: &[&CellRecord], out: &mut String) {
    const SHOWN: usize = 10;
    for cell in cells {
        let findings = cell.account.as_ref().map_or(&[][..], |account| &account.findings);
        if findings.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{} in {}:\n", format::plural(findings.len(), "finding"), code(&cell.id));
        for finding in findings.iter().take(SHOWN) {
            let frames = format::frames_and(&finding.frames, finding.more);
            let frames = frames.map_or(String::new(), |frames| format!(" in {frames}"));
            let _ = writeln!(
                out,
                "- {}{frames}: observed {}; expected {}; required by {}",
                code(&finding.code),
                text(&finding.observed),
                text(&finding.expected),
                text(&finding.requirement)
            );
        }
        if let more @ 1.. = findings.len().saturating_sub(SHOWN) {
            let _ = writeln!(out, "- and {} more", format::count(more as u64));
        }
        out.push('\n');
    }
}

fn row(cell: &CellRecord) -> String {
    let verdict = if cell.verdict == runner::record::Verdict::Proven {
        cell.verdict.to_string()
    } else {
        format!("**{}**", cell.verdict)
    };
    let negotiated = cell.negotiated.as_ref();
    let negotiated = negotiated.map(|n| format!("IKE {}, ESP {}", code(&n.ike), code(&n.esp)));
    let packets = cell.account.as_ref().map(Traffic::new).filter(|traffic| traffic.sent > 0);
    let packets = packets.map(|t| format!("{} of {}", format::count(t.proven), format::count(t.sent)));
    let absent = || "–".to_owned();
    let columns = [
        verdict,
        code(&cell.id),
        text(&cell.router),
        text(&cell.customer),
        negotiated.unwrap_or_else(absent),
        packets.unwrap_or_else(absent),
        reason(cell),
    ];
    format!("| {} |", columns.join(" | "))
}

/// Why, and what else has to be known of the verdict.
fn reason(cell: &CellRecord) -> String {
    let parts = [Some(cell.reason.clone()), claim::expected(cell), claim::reused(cell)];
    parts.into_iter().flatten().map(|part| text(&part)).collect::<Vec<_>>().join("; ")
}

/// Text in which nothing is markup, on one line.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => out.extend(['\\', c]),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A value in code, where only a backquote and the bar of a table mean anything.
fn code(value: &str) -> String {
    let plain = |c: char| match c {
        '`' => '\'',
        c if c.is_control() => ' ',
        c => c,
    };
    match value.trim() {
        "" => "–".to_owned(),
        value => format!("`{}`", value.chars().map(plain).collect::<String>().replace('|', "\\|")),
    }
}
