//! `tunnelproof check`: are the scenario files right? Needs no privileges and no images.

use super::{Failure, Outcome};
use crate::{arguments::PathArguments, files};

pub fn run(arguments: &PathArguments) -> Result<Outcome, Failure> {
    let mut wrong = String::new();
    for path in files::scenarios(&arguments.paths)? {
        match scenario::load(&path) {
            Ok(scenario) => println!("{}: ok, {} cells", path.display(), scenario.size()),
            Err(diagnostics) => wrong.push_str(&format!("{diagnostics}\n")),
        }
    }
    if wrong.is_empty() { Ok(Outcome::AsExpected) } else { Err(Failure::Input(wrong)) }
}
