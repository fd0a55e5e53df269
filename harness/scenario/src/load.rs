//! Opening a scenario file, and naming it.

use std::{
    fs, io,
    path::{Component, Path},
};

use crate::{Diagnostics, Scenario, nearest::nearest, parse};

/// Reads a scenario file. One that cannot be opened is a diagnostic too, with the nearest name beside it.
pub fn load(path: &Path) -> Result<Scenario, Diagnostics> {
    text(path).and_then(|text| parse(&path.display().to_string(), &text))
}

/// The text of a file, or what is wrong with it.
pub(crate) fn text(path: &Path) -> Result<String, Diagnostics> {
    let file = path.display().to_string();
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => {
            Err(Diagnostics::unreadable(file, "not UTF-8".to_owned(), Some("save the file as UTF-8".to_owned())))
        }
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::NotFound => sibling(path).map(|near| format!("did you mean `{near}`?")),
                _ if path.is_dir() => Some("name a file in this folder".to_owned()),
                _ => None,
            };
            Err(Diagnostics::unreadable(file, format!("cannot be read: {error}"), help))
        }
    }
}

/// The path of the scenario file in the same folder whose name is nearest.
fn sibling(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<_> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    let near = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// A scenario's name: its path beneath `scenarios/` without the extension, or else its file name without
/// it. It begins the ids of cells, which name folders: what may not stand there becomes a hyphen.
pub(crate) fn stem(file: &str) -> String {
    let path = Path::new(file).with_extension("");
    let parts: Vec<_> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    let from = match parts.iter().rposition(|part| *part == "scenarios") {
        Some(folder) if folder + 1 < parts.len() => folder + 1,
        _ => parts.len().saturating_sub(1),
    };
    let stem = parts[from..].join("/").to_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '/' | '_' | '-');
    let stem: String = stem.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if stem.is_empty() { "scenario".to_owned() } else { stem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn stems() {
        let cases = [
            ("scenarios/quickstart.yaml", "quickstart"),
            ("/home/qa/scenarios/time/rekey.yaml", "time/rekey"),
            ("./scenarios/../scenarios/a.yaml", "a"),
            ("elsewhere/My Own, one.yaml", "my-own--one"),
            ("scenarios", "scenarios"),
            ("<input>", "-input-"),
            ("", "scenario"),
        ];
        for (file, expected) in cases {
            assert_eq!(stem(file), expected, "{file}");
        }
    }

    #[test]
    fn a_missing_file_names_its_nearest_sibling() {
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let shown = load(&scenarios.join("quikstart.yaml")).unwrap_err().to_string();
        assert!(shown.contains("quikstart.yaml: cannot be read: "), "{shown}");
        assert!(shown.contains("help: did you mean `") && shown.ends_with("scenarios/quickstart.yaml`?"), "{shown}");
        let shown = load(&scenarios).unwrap_err().to_string();
        assert!(shown.ends_with("help: name a file in this folder"), "{shown}");
    }
}
