//! What opens a capture: the facts of one of our runs, or the tables that Wireshark keeps.

use std::{
    collections::BTreeSet,
    fmt::Display,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use wire::{
    audit::{EncryptionKey, Facts, IkeKeys},
    wireshark::{self, SaPattern, Stream, Table},
};

use crate::command::Failure;

const FACTS: &str = "facts.json";
const ESP: &str = "esp_sa";
const IKE: &str = "ikev1_decryption_table";

pub const FILES: [&str; 3] = [FACTS, ESP, IKE];

#[derive(Default)]
pub struct Keys {
    facts: Option<Facts>,
    esp: Vec<SaPattern>,
    ike: Vec<EncryptionKey>,
    /// Lines that had to be left out, each with its place.
    pub remarks: Vec<String>,
}

impl Keys {
    /// What a folder has of the files; nothing where it has none.
    pub fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let mut keys = Self::default();
        let [facts, esp, ike] = FILES.map(|name| folder.join(name));
        let texts = [text(&facts)?, text(&esp)?, text(&ike)?];
        if texts.iter().all(Option::is_none) {
            return Ok(None);
        }
        let [facts_text, esp_text, ike_text] = texts;
        if let Some(text) = facts_text {
            let wrong = |e: serde_json::Error| {
                let (line, column) = (e.line(), e.column());
                Failure::Input(format!("{}:{line}:{column}: not the facts of a run: {e}", facts.display()))
            };
            keys.facts = Some(serde_json::from_str(&text).map_err(wrong)?);
        }
        // The facts of a run have its SAs, and when each was there.
        if let Some(text) = esp_text.filter(|_| keys.facts.is_none()) {
            keys.esp = keys.take(&esp, wireshark::parse_esp_sa(&text))?;
        }
        if let Some(text) = ike_text {
            keys.ike = keys.take(&ike, wireshark::parse_ikev1_decryption_table(&text))?;
        }
        Ok(Some(keys))
    }

    fn take<T>(&mut self, path: &Path, table: wire::Result<Table<T>>) -> Result<Vec<T>, Failure> {
        let at = |remark: &dyn Display| format!("{}:{remark}", path.display());
        let table = table.map_err(|e| Failure::Input(at(&e)))?;
        self.remarks.extend(table.left_out.iter().map(|remark| format!("{}; the line is left out", at(remark))));
        Ok(table.rows)
    }

    /// All that the audit of a run is told.
    pub fn facts_of_a_run(&self) -> Option<Facts> {
        let mut facts = self.facts.clone()?;
        let known = |key: &&EncryptionKey| !facts.ike.encryption_keys.contains(key);
        let more: Vec<_> = self.ike.iter().filter(known).cloned().collect();
        facts.ike.encryption_keys.extend(more);
        Some(facts)
    }

    /// The keys alone, for a capture with these streams of ESP.
    pub fn facts_for(&self, streams: &BTreeSet<Stream>) -> Facts {
        let ike = IkeKeys { encryption_keys: self.ike.clone(), ..IkeKeys::default() };
        Facts { sas: wireshark::sas(&self.esp, streams), ike, ..Facts::default() }
    }
}

/// The text of a file that may be missing.
fn text(path: &PathBuf) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound && path.parent().is_some_and(Path::is_dir) => Ok(None),
        Err(e) => Err(Failure::Input(format!("{}: {e}; name a folder that can be read with --keys", path.display()))),
    }
}
