//! What can go wrong between a record and its files.

use std::{io, path::PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ReportError {
    #[error("cannot make the folder `{}` for the report: give `--out` a folder that can be written", .path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`: see that the disk has room and that its folder can be written", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read `{}`: give the folder of a run, which holds its `record.json`", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not a record of this version: make it again with `tunnelproof run`", .path.display())]
    NotARecord { path: PathBuf, source: serde_json::Error },
    #[error("{what}")]
    NotParts { what: String },
    #[error("{what}")]
    NotComparable { what: String },
    #[error("the record cannot be written as JSON: report this as a defect of tunnelproof")]
    Serialise(#[source] serde_json::Error),
    #[error("the template of `report.html` fails: report this as a defect of tunnelproof")]
    Template(#[from] minijinja::Error),
    #[error("the record cannot be written as `junit.xml`: report this as a defect of tunnelproof")]
    Junit(#[from] quick_junit::SerializeError),
}
