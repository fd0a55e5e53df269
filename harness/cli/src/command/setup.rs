//! `tunnelproof setup`: makes now what `run` would make when it first needs it.

use lab::image::Name;

use super::{Failure, Outcome, ensure, store};
use crate::arguments::{SetupArguments, What};

pub fn run(arguments: &SetupArguments) -> Result<Outcome, Failure> {
    let names: Vec<Name> = match arguments.what {
        What::Kernel => vec![Name::Kernel],
        What::Images => Name::ALL.into_iter().filter(|name| *name != Name::Kernel).collect(),
        What::All => Name::ALL.to_vec(),
    };
    for image in ensure(&store()?, &names)? {
        println!("{:<16} {:<18} {}", image.name, image.made.version, image.path.display());
    }
    Ok(Outcome::AsExpected)
}
