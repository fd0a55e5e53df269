//! From what was named on the command line to scenarios and cells.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use runner::record::{Choice, Shards};
use scenario::{Cell, Scenario};

use crate::{arguments::ChoiceArguments, command::Failure};

/// Where scenarios are kept.
const SCENARIOS: &str = "scenarios";

/// What was named on the command line.
pub struct Chosen {
    /// Each once.
    pub cells: Vec<Cell>,
    /// The scenarios that they are of, whole.
    pub scenarios: Vec<Scenario>,
    /// What a record says of the choice.
    pub choice: Choice,
}

/// The chosen cells of files and folders, and cells that are named by their ids; of them the part of one shard.
pub fn choose(what: &[String], choice: ChoiceArguments) -> Result<Chosen, Failure> {
    let named = match what {
        [] => all(Path::new(SCENARIOS))?,
        what => what.iter().map(|word| named(word)).collect::<Result<Vec<_>, _>>()?.concat(),
    };
    let (mut cells, mut scenarios) = (Vec::<Cell>::new(), Vec::<Scenario>::new());
    let (mut known, mut whole) = (HashSet::new(), HashSet::new());
    for Named { scenario, alone } in named {
        let found = match alone {
            Some(cell) => vec![cell],
            None => {
                whole.insert(scenario.stem.clone());
                scenario.select(choice.cells, choice.seed)
            }
        };
        cells.extend(found.into_iter().filter(|cell| known.insert(cell.id.clone())));
        if !scenarios.iter().any(|known| known.stem == scenario.stem) {
            scenarios.push(scenario);
        }
    }
    let named_of = |scenario: &Scenario| match whole.contains(&scenario.stem) {
        true => scenario.size(),
        false => cells.iter().filter(|cell| cell.scenario == scenario.stem).count(),
    };
    let (of, chosen) = (scenarios.iter().map(named_of).sum(), cells.len());
    if let Some(shard) = choice.shard {
        cells = shard.of(cells);
    }
    let shards = choice.shard.map(|shard| Shards { count: shard.count(), here: vec![shard.number()] });
    let choice = Choice { cells: choice.cells.to_string(), seed: choice.seed, of, chosen, shards };
    Ok(Chosen { cells, scenarios, choice })
}

fn named(word: &str) -> Result<Vec<Named>, Failure> {
    let path = Path::new(word);
    if path.exists() || is_path(word) { all(path) } else { with_id(word) }
}

/// A scenario, or one cell of it.
#[derive(Clone)]
struct Named {
    scenario: Scenario,
    alone: Option<Cell>,
}

/// All scenarios beneath `scenarios/` that are right; none if there is no such folder.
pub fn ours() -> Option<Vec<Scenario>> {
    let folder = PathBuf::from(SCENARIOS);
    let paths = if folder.is_dir() { scenarios(&[folder]).ok()? } else { return None };
    Some(paths.iter().filter_map(|path| scenario::load(path).ok()).collect())
}

/// The scenario files among these paths, in the order of their names; a folder's are searched for.
pub fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            search(path, &mut found)?;
            if found.len() == before {
                return Err(Failure::Input(format!("{}: no scenario files (*.yaml) in this folder", path.display())));
            }
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn is_path(word: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| word.ends_with(end)) || word.starts_with(['.', '/'])
}

fn all(path: &Path) -> Result<Vec<Named>, Failure> {
    let (mut named, mut wrong) = (Vec::new(), String::new());
    for path in scenarios(&[path.to_owned()])? {
        match scenario::load(&path) {
            Ok(scenario) => named.push(Named { scenario, alone: None }),
            Err(diagnostics) => wrong.push_str(&format!("{diagnostics}\n")),
        }
    }
    if wrong.is_empty() { Ok(named) } else { Err(Failure::Input(wrong)) }
}

/// The cell with this id, or the scenario with this stem.
fn with_id(id: &str) -> Result<Vec<Named>, Failure> {
    let known = ours().unwrap_or_default();
    for scenario in &known {
        if scenario.stem == id {
            return Ok(vec![Named { scenario: scenario.clone(), alone: None }]);
        }
        if let Some(cell) = scenario.with_id(id) {
            return Ok(vec![Named { scenario: scenario.clone(), alone: Some(cell) }]);
        }
    }
    let stems = known.iter().map(|scenario| scenario.stem.clone());
    let ids: Vec<_> = known.iter().flat_map(Scenario::ids).chain(stems).collect();
    let help = match scenario::nearest(id, ids.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tunnelproof plan` lists all cells of `scenarios/`".to_owned(),
    };
    Err(Failure::Input(format!("{id}: neither a file nor the id of a cell\n  help: {help}")))
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::Input(format!("{}: {e}", folder.display()));
    let mut entries: Vec<_> = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            found.push(path);
        }
    }
    Ok(())
}
