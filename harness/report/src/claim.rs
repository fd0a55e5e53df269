//! The run in two sentences, which every view begins with.

use runner::record::{CellRecord, Verdict};
use wire::audit::Code;

use crate::{format, traffic::Traffic};

/// How the cells fared; what was not proven is never left out.
pub fn headline(cells: &[CellRecord]) -> String {
    let of = |verdict| cells.iter().filter(|cell| cell.verdict == verdict).count();
    let (total, proven, refuted, broken) =
        (cells.len(), of(Verdict::Proven), of(Verdict::Refuted), of(Verdict::Broken));
    let all = format::plural(total, "cell");
    match (refuted, broken) {
        _ if total == 0 => "No cell was run".to_owned(),
        (0, 0) if proven == total => format!("{} of {all} proven", format::count(proven as u64)),
        (0, 0) => format!("{} of {all} proven, none refuted", format::count(proven as u64)),
        (0, _) => format!("{} of {all} broken, none refuted", format::count(broken as u64)),
        (_, 0) => format!("{} of {all} refuted", format::count(refuted as u64)),
        _ => format!("{} of {all} refuted, {} broken", format::count(refuted as u64), format::count(broken as u64)),
    }
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
