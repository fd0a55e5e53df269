//! From what was named on the command line to scenarios and cells.

use std::{
    fs,
    path::{Path, PathBuf},
};

use scenario::{Cell, Scenario};

use crate::command::Failure;

/// Where scenarios are kept.
const SCENARIOS: &str = "scenarios";

/// The cells of files and folders, and cells that are named by their ids.
pub fn cells(what: &[String]) -> Result<Vec<Cell>, Failure> {
    if what.is_empty() {
        return all(&[PathBuf::from(SCENARIOS)]);
    }
    let mut cells: Vec<Cell> = Vec::new();
    for word in what {
        let path = Path::new(word);
        let named = if path.exists() || is_path(word) { all(&[path.to_owned()])? } else { with_id(word)? };
        for cell in named {
            if !cells.iter().any(|known| known.id == cell.id) {
                cells.push(cell);
            }
        }
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

fn all(paths: &[PathBuf]) -> Result<Vec<Cell>, Failure> {
    let (mut cells, mut wrong) = (Vec::new(), String::new());
    for path in scenarios(paths)? {
        match scenario::load(&path) {
            Ok(scenario) => cells.extend(scenario.cells()),
            Err(diagnostics) => wrong.push_str(&format!("{diagnostics}\n")),
        }
    }
    if wrong.is_empty() { Ok(cells) } else { Err(Failure::Input(wrong)) }
}

/// Cells with this id, or of the scenario with this stem.
fn with_id(id: &str) -> Result<Vec<Cell>, Failure> {
    let known = if Path::new(SCENARIOS).is_dir() { scenarios(&[PathBuf::from(SCENARIOS)])? } else { Vec::new() };
    let known: Vec<Scenario> = known.iter().filter_map(|path| scenario::load(path).ok()).collect();
    let cells: Vec<Cell> = known.iter().flat_map(Scenario::cells).collect();
    let found: Vec<Cell> = cells.iter().filter(|cell| cell.id == id || cell.scenario == id).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
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
