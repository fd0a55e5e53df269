//! Views of a record: `record.json` itself, `report.html` for people, `report.md` and `badge.svg` for
//! pages that show a result, `junit.xml` for build servers.
//!
//! Every view is a function of the record alone, so a report can be made again at any time from
//! `record.json`, and two reports differ only where two records differ.

mod badge;
mod claim;
mod error;
mod file;
mod format;
mod html;
mod junit;
mod markdown;
mod secret;
mod traffic;

use std::path::Path;

use runner::record::Record;

pub use badge::render as render_badge;
pub use error::ReportError;
pub use html::render as render_html;
pub use junit::render as render_junit;
pub use markdown::render as render_markdown;

/// The names of the files in a run's folder.
pub const RECORD: &str = "record.json";
pub const JUNIT: &str = "junit.xml";
pub const HTML: &str = "report.html";
pub const MARKDOWN: &str = "report.md";
pub const BADGE: &str = "badge.svg";

/// Writes every view of the record into the run's folder, which is made where it is missing. Each
/// file is replaced as a whole: whoever reads it meanwhile sees the old one or the new one.
pub fn write(record: &Record, dir: &Path) -> Result<(), ReportError> {
    std::fs::create_dir_all(dir).map_err(|source| ReportError::Folder { path: dir.to_owned(), source })?;
    let json = serde_json::to_string_pretty(record).map_err(ReportError::Serialise)?;
    file::replace(&dir.join(RECORD), json.as_bytes())?;
    write_views(record, dir)
}

/// Writes what is made from the record, and leaves `record.json` as it is.
pub fn write_views(record: &Record, dir: &Path) -> Result<(), ReportError> {
    file::replace(&dir.join(JUNIT), render_junit(record)?.as_bytes())?;
    file::replace(&dir.join(MARKDOWN), render_markdown(record).as_bytes())?;
    file::replace(&dir.join(BADGE), render_badge(record).as_bytes())?;
    file::replace(&dir.join(HTML), render_html(record)?.as_bytes())
}

/// Reads the record of a run from its folder, or from the file itself.
pub fn read(path: &Path) -> Result<Record, ReportError> {
    let path = if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    let json = std::fs::read(&path).map_err(|source| ReportError::Read { path: path.clone(), source })?;
    serde_json::from_slice(&json).map_err(|source| ReportError::NotARecord { path, source })
}
