//! What keeps a run from happening. Nothing of this says anything about a tunnel.

use std::{io, path::PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Lab(#[from] lab::Error),
    #[error(
        "{cell}: the step `{taken}` was taken, and `{asked}` is asked for: only expectations can be judged again; run the \
         cell"
    )]
    OtherSteps { cell: String, taken: String, asked: String },
    #[error("the cloud does not start: {0}")]
    Cloud(#[from] cloud::CloudError),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
