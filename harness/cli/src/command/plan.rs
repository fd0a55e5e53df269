//! `tunnelproof plan`: what a run would build, send and expect.

use std::io::{self, Write};

use super::{Failure, Outcome};
use crate::{
    arguments::{PlanArguments, WorldChoice},
    files,
};

pub fn run(arguments: &PlanArguments) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    let packets = arguments.world != WorldChoice::Modelled;
    for cell in files::choose(&arguments.what, arguments.choice)?.cells {
        let plan = match packets {
            true if arguments.choice.brief => runner::plan(&cell),
            true => runner::plan(&runner::held(cell)),
            false => runner::plan_modelled(&cell),
        };
        out.write_all(plan.as_bytes())?;
    }
    Ok(Outcome::AsExpected)
}
