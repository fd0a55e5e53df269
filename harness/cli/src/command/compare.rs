//! `tunnelproof compare`: what differs between two runs, and whether they did the same in the same order.

use std::{
    io::{self, Write},
    path::Path,
};

use ::report::{
    compare::{Change, Comparison, Kind, compare},
    history::{self, Difference, Side, Times},
};
use runner::record::{CellRecord, Record, Verdict};

use super::{Failure, Outcome, conclusion::count};
use crate::{arguments::CompareArguments, paint};

pub fn run(arguments: &CompareArguments) -> Result<Outcome, Failure> {
    let input = |e: ::report::ReportError| Failure::Input(e.to_string());
    let [a, b]: [&Path; 2] = [&arguments.a, &arguments.b];
    let (first, second) = (::report::read(a).map_err(input)?, ::report::read(b).map_err(input)?);
    let comparison = compare([(a, &first), (b, &second)]).map_err(input)?;
    let mut out = io::stdout().lock();
    verdicts(&comparison, &mut out)?;
    let equal = match arguments.history {
        true => {
            let times = if arguments.without_times { Times::Ignored } else { Times::Exact };
            let only_one = comparison.count(Kind::New) + comparison.count(Kind::Removed);
            histories([(a, &first), (b, &second)], times, &mut out)? && only_one == 0
        }
        false => true,
    };
    let as_good = comparison.count(Kind::Regression) == 0;
    Ok(if equal && as_good { Outcome::AsExpected } else { Outcome::Unexpected })
}

/// A line for each change, and in the end how many there are.
fn verdicts(comparison: &Comparison, out: &mut impl Write) -> Result<(), Failure> {
    for circumstance in &comparison.circumstances {
        writeln!(out, "{circumstance}")?;
    }
    for Change { kind, cell, verdicts, reason } in &comparison.changes {
        let word = format!("{kind:<11}");
        let word = match kind {
            Kind::Regression => paint::red(&word),
            Kind::Fix => paint::green(&word),
            Kind::Changed | Kind::New | Kind::Removed => paint::yellow(&word),
        };
        let verdict = |verdict: Verdict| paint::verdict(verdict, verdict.name());
        let what = match *verdicts {
            [Some(before), Some(after)] => format!("{}, then {}", verdict(before), verdict(after)),
            [None, Some(only)] | [Some(only), None] => verdict(only),
            [None, None] => String::new(),
        };
        writeln!(out, "{word} {cell}: {what}")?;
        writeln!(out, "            {reason}")?;
    }
    let told = Kind::ALL.map(|kind| (kind, comparison.count(kind))).into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<_> = told.map(|(kind, cells)| in_words(kind, cells)).collect();
    let told = if told.is_empty() { "no verdict differs".to_owned() } else { told.join(", ") };
    writeln!(out, "{} in both: {told}", count(comparison.common, "cell"))?;
    Ok(())
}

fn in_words(kind: Kind, cells: usize) -> String {
    match kind {
        Kind::Regression => count(cells, "regression"),
        Kind::Fix if cells > 1 => format!("{cells} fixes"),
        Kind::Fix | Kind::Changed | Kind::New | Kind::Removed => format!("{cells} {kind}"),
    }
}

/// The first difference of the first cell that has one, in full; of the others where it is. Returns whether there is
/// none.
fn histories(
    [(a_path, a), (b_path, b)]: [(&Path, &Record); 2],
    times: Times,
    out: &mut impl Write,
) -> Result<bool, Failure> {
    let (mut cells, mut events, mut differ) = (0, 0, 0);
    for cell in &a.cells {
        let Some(other) = b.cells.iter().find(|other| other.id == cell.id) else { continue };
        let both = [cell, other].map(|cell| history::of(cell, times));
        cells += 1;
        events += both[0].len();
        let Some(found) = history::difference([&both[0], &both[1]], times) else { continue };
        differ += 1;
        if differ == 1 {
            tell(cell, &found, [a_path, b_path], out)?;
        } else {
            let what = if found.only_time { "the time of event" } else { "event" };
            writeln!(out, "differs too: {}, {what} {}", cell.id, found.number)?;
        }
    }
    let histories = if cells == 1 { "history" } else { "histories" };
    let order = match times {
        Times::Exact => "order and times",
        Times::Ignored => "order",
    };
    match differ {
        0 => writeln!(out, "equal {histories} in {order}: {}, {}", count(cells, "cell"), count(events, "event"))?,
        _ => writeln!(out, "histories differ in {differ} of {}", count(cells, "cell"))?,
    }
    Ok(differ == 0)
}

fn tell(cell: &CellRecord, found: &Difference, paths: [&Path; 2], out: &mut impl Write) -> Result<(), Failure> {
    let what = if found.only_time { "the same at another time" } else { "something else" };
    writeln!(out, "{}: event {} is {what}", cell.id, found.number)?;
    for line in &found.before {
        writeln!(out, "    {line}")?;
    }
    for ((sign, path), side) in ["-", "+"].iter().zip(paths).zip(&found.sides) {
        match side {
            Side::Event(line) => writeln!(out, "  {sign} {line}")?,
            Side::Over => writeln!(out, "  {sign} nothing more happens in `{}`", path.display())?,
        }
    }
    if found.only_time {
        writeln!(out, "  help: `--without-times` compares the order alone")?;
    }
    Ok(())
}
