//! Where the proof of a cell lies, and how to see it with a tool that is not ours.

use minijinja::Value;
use runner::record::{CellRecord, Evidence};
use serde::Serialize;
use wire::audit::{Account, Side};

use super::svg;
use crate::{LADDER, SEQUENCE, format};

#[derive(Serialize)]
pub struct Shown<'a> {
    links: Vec<Link<'a>>,
    inside: Option<Inside>,
}

impl<'a> Shown<'a> {
    pub fn new(cell: &'a CellRecord, full: bool) -> Self {
        Self { links: links(cell, full), inside: Inside::new(&cell.evidence, cell.account.as_ref()) }
    }
}

/// A piece of evidence beside the report.
#[derive(Serialize)]
struct Link<'a> {
    label: &'a str,
    href: Value,
}

fn links(cell: &CellRecord, full: bool) -> Vec<Link<'_>> {
    let evidence = &cell.evidence;
    let named = [
        ("capture", &evidence.capture),
        ("keys", &evidence.keys),
        ("events", &evidence.events),
        ("API log", &evidence.api),
    ];
    let named = named.into_iter().filter_map(|(label, path)| Some((label, path.as_deref()?)));
    let logs = evidence.logs.iter().map(|path| (log_name(path), path.as_str()));
    let links = named.chain(logs).map(|(label, path)| (label, svg::href(path)));
    let conversation = if full { conversation(cell) } else { Vec::new() };
    links.chain(conversation).map(|(label, href)| Link { label, href: Value::from_safe_string(href) }).collect()
}

/// What was written beside the capture.
fn conversation(cell: &CellRecord) -> Vec<(&'static str, String)> {
    let (Some(account), Some(folder)) = (&cell.account, crate::cell_folder(cell)) else { return Vec::new() };
    let link = |label, name: &str| (label, svg::href(&folder.join(name).to_string_lossy()));
    let drawing = (!account.messages.is_empty()).then(|| link("sequence", SEQUENCE));
    drawing.into_iter().chain([link("ladder", LADDER)]).collect()
}

/// Two machines may have logs of one name, so a log is named with its machine.
fn log_name(path: &str) -> &str {
    path.rsplit_once("/logs/").map_or(path, |(_, name)| name)
}

/// The command that shows the packets inside the tunnel.
#[derive(Serialize)]
struct Inside {
    folder: String,
    command: String,
    /// The frames that it shows, if nothing is missing.
    frames: Option<String>,
}

impl Inside {
    fn new(evidence: &Evidence, account: Option<&Account>) -> Option<Self> {
        let (capture, keys) = (evidence.capture.as_deref()?, evidence.keys.as_deref()?);
        let (folder, capture) = capture.rsplit_once('/').unwrap_or((".", capture));
        let keys = keys.strip_prefix(folder)?.strip_prefix('/')?;
        let command = format!(
            "WIRESHARK_CONFIG_DIR={} tshark -o esp.enable_encryption_decode:TRUE \
             -o esp.enable_authentication_check:TRUE -r {} -Y esp",
            quoted(keys),
            quoted(capture)
        );
        Some(Self { folder: folder.to_owned(), command, frames: account.and_then(frames) })
    }
}

fn frames(account: &Account) -> Option<String> {
    let seen = |side: &Side| *side == Side::Internet;
    let counts = account.points.iter().filter(|point| seen(&point.side)).filter_map(|point| point.classes.get("esp"));
    let counts: Vec<u64> = counts.copied().filter(|count| *count > 0).collect();
    let total = counts.iter().copied().fold(0, u64::saturating_add);
    (total > 0)
        .then(|| format!("{} ESP frames at {}", format::count(total), format::plural(counts.len(), "capture point")))
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let bare = !word.is_empty() && !word.starts_with('-') && word.chars().all(plain);
    if bare { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
