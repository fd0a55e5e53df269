//! `tunnelproof plan`: what a run would build, send and expect.

use std::io::{self, Write};

use super::{Failure, Outcome};
use crate::{arguments::WhatArguments, files};

pub fn run(arguments: &WhatArguments) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    for cell in files::cells(&arguments.what)? {
        out.write_all(runner::plan(&cell).as_bytes())?;
    }
    Ok(Outcome::AsExpected)
}
