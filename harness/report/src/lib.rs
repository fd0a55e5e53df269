//! Views of a record: `record.json` itself, `report.html` for people, `report.md` and `badge.svg` for
//! pages that show a result, `junit.xml` for build servers; and for each cell the conversation of its gateways.
//!
//! Every view is a function of the record alone, so a report can be made again at any time from
//! `record.json`, and two reports differ only where two records differ.

mod adopt;
mod badge;
mod claim;
pub mod compare;
mod error;
mod file;
mod format;
pub mod history;
mod html;
mod junit;
pub mod ladder;
mod markdown;
mod merge;
mod secret;
mod traffic;
mod words;

use std::path::{Component, Path};

use runner::record::{CellRecord, Record};

pub use adopt::adopt;
pub use badge::render as render_badge;
pub use error::ReportError;
pub use html::render as render_html;
pub use junit::render as render_junit;
pub use markdown::render as render_markdown;
pub use merge::merge;

/// The names of the files in a run's folder.
pub const RECORD: &str = "record.json";
pub const JUNIT: &str = "junit.xml";
pub const HTML: &str = "report.html";
pub const MARKDOWN: &str = "report.md";
pub const BADGE: &str = "badge.svg";
/// And in a cell's folder: its conversation as a drawing and as text.
pub const SEQUENCE: &str = "sequence.svg";
pub const LADDER: &str = "ladder.txt";

/// Writes every view of the record into the run's folder, which is made where it is missing. Each
/// file is replaced as a whole: whoever reads it meanwhile sees the old one or the new one.
pub fn write(record: &Record, dir: &Path) -> Result<(), ReportError> {
    std::fs::create_dir_all(dir).map_err(|source| ReportError::Folder { path: dir.to_owned(), source })?;
    // Without blanks, which of a large run would be a third.
    let json = serde_json::to_vec(record).map_err(ReportError::Serialise)?;
    file::replace(&dir.join(RECORD), &json)?;
    write_views(record, dir)
}

/// Writes what is made from the record, and leaves `record.json` as it is.
pub fn write_views(record: &Record, dir: &Path) -> Result<(), ReportError> {
    file::replace(&dir.join(JUNIT), render_junit(record)?.as_bytes())?;
    file::replace(&dir.join(MARKDOWN), render_markdown(record).as_bytes())?;
    file::replace(&dir.join(BADGE), render_badge(record).as_bytes())?;
    for cell in &record.cells {
        write_conversation(cell, dir)?;
    }
    file::replace(&dir.join(HTML), render_html(record)?.as_bytes())
}

/// Beside the capture that they are about, if that is there.
fn write_conversation(cell: &CellRecord, dir: &Path) -> Result<(), ReportError> {
    let Some(folder) = cell_folder(cell).map(|folder| dir.join(folder)).filter(|folder| folder.is_dir()) else {
        return Ok(());
    };
    if let Some(drawing) = html::sequence::file(cell) {
        file::replace(&folder.join(SEQUENCE), drawing.as_bytes())?;
    }
    match &cell.account {
        Some(account) => {
            let text = ladder::render(account, &[], ladder::Style::plain(ladder::Style::WIDTH));
            file::replace(&folder.join(LADDER), text.as_bytes())
        }
        None => Ok(()),
    }
}

/// Where a cell's evidence lies, if that is beneath the run's folder: a record may come from anywhere.
fn cell_folder(cell: &CellRecord) -> Option<&Path> {
    let folder = Path::new(cell.evidence.capture.as_deref()?).parent()?;
    folder.components().all(|part| matches!(part, Component::Normal(_))).then_some(folder)
}

/// Reads the record of a run from its folder, or from the file itself.
pub fn read(path: &Path) -> Result<Record, ReportError> {
    let path = if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    let json = std::fs::read(&path).map_err(|source| ReportError::Read { path: path.clone(), source })?;
    serde_json::from_slice(&json).map_err(|source| ReportError::NotARecord { path, source })
}
