//! The run in two sentences, which every view begins with, and what every view says beside them.

use runner::record::{CellRecord, Record, Verdict};
use wire::audit::Code;

use crate::{format, traffic::Traffic};

/// How the cells fared; what was not proven is never left out.
pub fn headline(record: &Record) -> String {
    let told = verdicts(&record.cells);
    // Whoever reads a report has to see before anything else that it is of a cloud that was made to fail.
    match &record.sabotage {
        Some(defect) => format!("Sabotaged by {defect}: {told}"),
        None => told,
    }
}

fn verdicts(cells: &[CellRecord]) -> String {
    let of = |verdict| cells.iter().filter(|cell| cell.verdict == verdict).count();
    let (total, proven, refuted, broken) =
        (cells.len(), of(Verdict::Proven), of(Verdict::Refuted), of(Verdict::Broken));
    let all = format::plural(total, "cell");
    let foreseen = cells.iter().filter(|cell| cell.verdict == Verdict::Refuted && !is_unlike(cell)).count();
    let refuted_ones = match foreseen {
        0 => String::new(),
        _ if foreseen == refuted => ", as expected".to_owned(),
        some => format!(", {} of them as expected", format::count(some as u64)),
    };
    match (refuted, broken) {
        _ if total == 0 => "No cell was run".to_owned(),
        (0, 0) if proven == total => format!("{} of {all} proven", format::count(proven as u64)),
        (0, 0) => format!("{} of {all} proven, none refuted", format::count(proven as u64)),
        (0, _) => format!("{} of {all} broken, none refuted", format::count(broken as u64)),
        (_, 0) => format!("{} of {all} refuted{refuted_ones}", format::count(refuted as u64)),
        _ => {
            let (refuted, broken) = (format::count(refuted as u64), format::count(broken as u64));
            format!("{refuted} of {all} refuted{refuted_ones}, {broken} broken")
        }
    }
}

/// Whether a cell ended otherwise than it should, or than a file of expected results says.
pub fn is_unlike(cell: &CellRecord) -> bool {
    match &cell.expected {
        Some(expected) => cell.verdict != expected.verdict,
        None => matches!(cell.verdict, Verdict::Refuted | Verdict::Broken),
    }
}

/// What a file of expected results says of the cell.
pub fn expected(cell: &CellRecord) -> Option<String> {
    let expected = cell.expected.as_ref()?;
    let until = expected.until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
    let link = expected.link.as_ref().map_or(String::new(), |link| format!(" ({link})"));
    Some(format!("expected to be {}{until}: {}{link}", expected.verdict, expected.reason))
}

/// That a cell was not run again.
pub fn reused(cell: &CellRecord) -> Option<String> {
    cell.reused.as_ref().map(|started| format!("reused from the run of {}", format::date(started)))
}

/// How many cells were not run again; nothing where all were.
pub fn all_reused(cells: &[CellRecord]) -> Option<String> {
    let reused = cells.iter().filter(|cell| cell.reused.is_some()).count();
    (reused > 0).then(|| format!("{} of {}", format::count(reused as u64), format::plural(cells.len(), "cell")))
}

/// Which cells were chosen; nothing where all were, by one machine.
pub fn choice(record: &Record) -> Option<String> {
    let choice = record.choice.as_ref()?;
    let mut words = Vec::new();
    if choice.chosen < choice.of {
        let (chosen, of) = (format::count(choice.chosen as u64), format::plural(choice.of, "cell"));
        words.push(format!("{chosen} of {of}, {} by seed {}", choice.cells, choice.seed));
    }
    if let Some(shards) = &choice.shards {
        let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let missing = shards.missing();
        let all = shards.count;
        match (shards.here.as_slice(), missing.as_slice()) {
            (_, []) => words.push(format!("all {all} shards")),
            (here, missing) => words.push(format!("shard {} of {all}, without {}", list(here), list(missing))),
        }
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// How many steps could not be taken; nothing where all were.
pub fn skipped_steps(cells: &[CellRecord]) -> Option<String> {
    let skipped = cells.iter().flat_map(CellRecord::skipped_steps).count();
    (skipped > 0).then(|| format::plural(skipped, "step"))
}

/// What became of the packets; nothing where none was sent.
pub fn packets(cells: &[CellRecord]) -> Option<String> {
    let accounts = || cells.iter().filter_map(|cell| cell.account.as_ref());
    let traffic = accounts().map(Traffic::new).fold(Traffic::default(), Traffic::plus);
    if traffic.sent == 0 {
        return None;
    }
    let findings = accounts().flat_map(|account| &account.findings);
    let clear = findings.filter(|finding| finding.code == Code::ClearText.name()).count();
    let (proven, sent) = (format::count(traffic.proven), format::count(traffic.sent));
    let subject = match traffic.proven == traffic.sent {
        true => format!("All {sent} packets were"),
        false => format!("{proven} of {sent} packets were"),
    };
    let clear = match clear {
        0 if traffic.unmeant == 0 => "none was in clear on the internet".to_owned(),
        0 => format!(
            "none was in clear on the internet, not even the {} sent without a tunnel",
            format::count(traffic.unmeant)
        ),
        // A packet is found at every point of the internet that it passes: these are frames.
        1 => "1 frame on the internet was in clear".to_owned(),
        more => format!("{} frames on the internet were in clear", format::count(more as u64)),
    };
    Some(format!("{subject} seen in ESP, decrypted, equal and received; {clear}."))
}
