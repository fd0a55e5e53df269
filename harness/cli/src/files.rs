//! From what was named on the command line to scenarios and cells.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use scenario::{Cell, Scenario};

use crate::{arguments::ChoiceArguments, command::Failure};

/// Where scenarios are kept.
const SCENARIOS: &str = "scenarios";

/// The chosen cells of files and folders, and cells that are named by their ids.
pub fn cells(what: &[String], choice: ChoiceArguments) -> Result<Vec<Cell>, Failure> {
    if what.is_empty() {
        return all(&[PathBuf::from(SCENARIOS)], choice);
    }
    let mut cells: Vec<Cell> = Vec::new();
    let mut known = HashSet::new();
    for word in what {
        let path = Path::new(word);
        let named =
            if path.exists() || is_path(word) { all(&[path.to_owned()], choice)? } else { with_id(word, choice)? };
        cells.extend(named.into_iter().filter(|cell| known.insert(cell.id.clone())));
    }
    Ok(cells)
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

fn all(paths: &[PathBuf], choice: ChoiceArguments) -> Result<Vec<Cell>, Failure> {
    let (mut cells, mut wrong) = (Vec::new(), String::new());
    for path in scenarios(paths)? {
        match scenario::load(&path) {
            Ok(scenario) => cells.extend(scenario.select(choice.cells, choice.seed)),
            Err(diagnostics) => wrong.push_str(&format!("{diagnostics}\n")),
        }
    }
    if wrong.is_empty() { Ok(cells) } else { Err(Failure::Input(wrong)) }
}

/// The cell with this id, or the chosen ones of the scenario with this stem.
fn with_id(id: &str, choice: ChoiceArguments) -> Result<Vec<Cell>, Failure> {
    let known = if Path::new(SCENARIOS).is_dir() { scenarios(&[PathBuf::from(SCENARIOS)])? } else { Vec::new() };
    let known: Vec<Scenario> = known.iter().filter_map(|path| scenario::load(path).ok()).collect();
    if let Some(scenario) = known.iter().find(|scenario| scenario.stem == id) {
        return Ok(scenario.select(choice.cells, choice.seed));
    }
    let cells: Vec<Cell> = known.iter().flat_map(Scenario::cells).collect();
    if let Some(cell) = cells.iter().find(|cell| cell.id == id) {
        return Ok(vec![cell.clone()]);
    }
    let stems = known.iter().map(|scenario| scenario.stem.as_str());
    let ids = cells.iter().map(|cell| cell.id.as_str()).chain(stems);
    let help = match scenario::nearest(id, ids) {
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
