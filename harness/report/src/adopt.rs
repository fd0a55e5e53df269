//! Taking over the evidence of a cell from the folder of another run.

use std::{
    fs, io,
    path::{Component, Path},
};

use runner::record::CellRecord;

use crate::ReportError;

/// Puts what is known of a cell in the folder of one run into that of another: as further names of the same files
/// where the file system can, for captures are long and nobody changes them.
pub fn adopt(cell: &CellRecord, from: &Path, to: &Path) -> Result<(), ReportError> {
    let folder = Path::new("cells").join(&cell.id);
    // A record may come from anywhere.
    if !folder.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(());
    }
    let (from, to) = (from.join(&folder), to.join(&folder));
    let same = || Some(from.canonicalize().ok()? == to.canonicalize().ok()?);
    if !from.is_dir() || same() == Some(true) {
        return Ok(());
    }
    copy(&from, &to).map_err(|source| ReportError::Write { path: to, source })
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&path, &name)?;
        } else if kind.is_file() && fs::hard_link(&path, &name).is_err() {
            fs::copy(&path, &name)?;
        }
    }
    Ok(())
}
