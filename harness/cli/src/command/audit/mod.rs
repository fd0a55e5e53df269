//! `tunnelproof audit`: a capture and its keys in, the account of every frame out.

mod foreign;
mod keys;

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, IsTerminal, Write},
    path::{Path, PathBuf},
};

use report::ladder::{self, Style, Tone};
use rustix::termios::tcgetwinsize;
use wire::{
    audit::{Account, Facts, audit_reader},
    pcapng::Reader,
    wireshark::Stream,
};

use self::keys::Keys;
use super::{Failure, Outcome};
use crate::{arguments::AuditArguments, paint};

/// Where a run leaves the keys of a capture: in a folder beside it.
const BESIDE: &str = "keys";

pub fn run(arguments: &AuditArguments) -> Result<Outcome, Failure> {
    let keys = keys(arguments)?;
    for remark in &keys.remarks {
        eprintln!("{} {remark}", paint::yellow("note:"));
    }
    let (account, unjudged) = judge(&arguments.capture, &keys)?;
    let text = if arguments.json {
        for text in &unjudged {
            eprintln!("{} {text}", paint::yellow("note:"));
        }
        serde_json::to_string_pretty(&account).map_err(io::Error::from)? + "\n"
    } else {
        ladder::render(&account, &unjudged, style(arguments.out.is_none()))
    };
    match &arguments.out {
        Some(out) => fs::write(out, text)
            .map_err(|e| Failure::Input(format!("{}: {e}; name a file that can be written", out.display())))?,
        None => print(&text)?,
    }
    Ok(if account.findings.is_empty() { Outcome::AsExpected } else { Outcome::Unexpected })
}

fn open(path: &Path) -> Result<Reader<File>, Failure> {
    let file = File::open(path).map_err(|e| wrong(path, format_args!("{e}; name a capture in pcapng or pcap")))?;
    Reader::new(file).map_err(|e| wrong(path, e))
}

fn wrong(path: &Path, e: impl fmt::Display) -> Failure {
    Failure::Input(format!("{}: {e}", path.display()))
}

/// Those that are named, and otherwise those that lie beside the capture.
fn keys(arguments: &AuditArguments) -> Result<Keys, Failure> {
    if let Some(folder) = &arguments.keys {
        return Keys::read(folder)?.ok_or_else(|| {
            let files = keys::FILES.join(", ");
            Failure::Input(format!("{}: this folder has none of {files}: name one that has", folder.display()))
        });
    }
    let beside = arguments.capture.parent().map_or(PathBuf::from(BESIDE), |parent| parent.join(BESIDE));
    let found = if beside.is_dir() { Keys::read(&beside)? } else { None };
    if found.is_some() {
        eprintln!("keys are taken from {}", beside.display());
    }
    Ok(found.unwrap_or_default())
}

/// The account, and what could not be judged without the facts of a run.
fn judge(path: &Path, keys: &Keys) -> Result<(Account, Vec<String>), Failure> {
    let audit = |facts: &Facts| audit_reader(open(path)?, facts).map_err(|e| wrong(path, e));
    if let Some(facts) = keys.facts_of_a_run() {
        return Ok((audit(&facts)?, Vec::new()));
    }
    // Which SAs a line of a table means, only the packets tell.
    let mut streams = BTreeSet::new();
    for frame in open(path)? {
        streams.extend(Stream::within(&frame.map_err(|e| wrong(path, e))?));
    }
    let facts = keys.facts_for(&streams);
    let mut account = audit(&facts)?;
    let unjudged = foreign::set_aside(&mut account, &streams, &facts.sas);
    Ok((account, unjudged))
}

fn style(on_screen: bool) -> Style {
    if !on_screen {
        return Style::plain(Style::WIDTH);
    }
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let stdout = io::stdout();
    let terminal = || stdout.is_terminal().then(|| tcgetwinsize(&stdout).ok()).flatten().map(|size| size.ws_col.into());
    let width = told.or_else(terminal).filter(|width| *width > 0).unwrap_or(Style::WIDTH);
    let paint = |tone, text: &str| match tone {
        Tone::Heading => text.to_owned(),
        Tone::Good => paint::green(text),
        Tone::Bad => paint::red(text),
        Tone::Open => paint::yellow(text),
    };
    Style { width, paint }
}

/// A reader that has seen enough closes its end.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
