//! `tunnelproof doctor`: what this machine can do, what is missing, and the command that adds it.

use std::io::{self, Write};

use lab::image::Fact;

use super::{Failure, Outcome, program, store};
use crate::{arguments::DoctorArguments, paint};

pub fn run(arguments: &DoctorArguments) -> Result<Outcome, Failure> {
    let store = store()?;
    let guest = lab::world::guest(&store).err();
    let host = lab::world::host(&program()?).err();
    let some_world = guest.is_none() || host.is_none();
    let mut facts = vec![
        world("guest world", "namespaces in a User Mode Linux guest, virtual time, no root", guest),
        world("host world", "namespaces of this kernel, real time", host),
    ];
    facts.extend(store.facts());
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &facts).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        table(&mut out, &facts)?;
        let verdict = if some_world {
            "`tunnelproof run` works here"
        } else {
            "`tunnelproof run` works here with `--world modelled` only"
        };
        writeln!(out, "{verdict}")?;
    }
    Ok(if some_world { Outcome::AsExpected } else { Outcome::NoLaboratory })
}

fn world(name: &str, about: &str, problem: Option<String>) -> Fact {
    let present = problem.is_none();
    Fact {
        name: name.to_owned(),
        present,
        detail: problem.clone().unwrap_or_else(|| about.to_owned()),
        remedy: problem.map(|_| "see the lines below; one world is enough".to_owned()),
    }
}

fn table(out: &mut impl Write, facts: &[Fact]) -> io::Result<()> {
    let width = facts.iter().map(|fact| fact.name.len()).max().unwrap_or(0);
    for fact in facts {
        let mark = if fact.present { paint::green("yes") } else { paint::yellow("no ") };
        writeln!(out, "{mark}  {:<width$}  {}", fact.name, fact.detail.replace('\n', " "))?;
        if let Some(remedy) = &fact.remedy {
            writeln!(out, "     {:<width$}  -> {remedy}", "")?;
        }
    }
    Ok(())
}
