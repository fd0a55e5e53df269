//! The matrix: what varies.
//!
//! An axis is a list of values for one path (`ike.encryption: [3des, aes128]`) or a bundle, a mapping
//! from names of the author's choice to several settings at once.

use super::{
    fields::{Entry, entries, list},
    names::Names,
    target::{Target, normalised, paths},
};
use crate::{
    diagnostic::Problems,
    matrix::{Axis, AxisValue, Placed},
    nearest::nearest,
    tree::{Node, Value},
};

/// More is a mistake, or belongs into several files.
const MOST_CELLS: usize = 10_000;

/// File systems allow 255 bytes in a name; the evidence of a cell has names beneath it.
const LONGEST_ID: usize = 200;

const LIST_EXAMPLE: &str = "`ike.encryption: [3des, aes128]`";
const BUNDLE_EXAMPLE: &str = "`ends: { forth: { cloud.vpcs.main.router: libreswan }, back: { ... } }`";

/// An axis while it is read.
struct Draft {
    axis: Axis,
    /// All that it varies.
    paths: Vec<String>,
    is_list: bool,
}

pub(super) fn read(node: &Node, stem: usize, names: &Names, problems: &mut Problems<'_>) -> Vec<Axis> {
    let help = || format!("write axes such as {LIST_EXAMPLE} or {BUNDLE_EXAMPLE}");
    let Some(entries) = entries(node, "the matrix", help, problems) else {
        return Vec::new();
    };
    if entries.is_empty() {
        problems.report(node.at, "the matrix is empty", help());
    }
    let mut drafts: Vec<Draft> = Vec::new();
    for entry in &entries {
        let draft = match entry.node.value {
            Value::Map(_) => bundle(entry, names, problems),
            _ => values(entry, names, problems),
        };
        let Some(draft) = draft else { continue };
        let varied = drafts.iter().find(|other| {
            let twice = |path: &String| other.paths.iter().any(|there| overlap(path, there));
            other.axis.name == draft.axis.name || draft.paths.iter().any(twice)
        });
        match varied {
            Some(other) => {
                let message = format!("axis `{}` varies what axis `{}` varies already", entry.key, other.axis.name);
                problems.report(entry.at, message, "keep one of the two, or merge them");
            }
            None => drafts.push(draft),
        }
    }

    let axes = labelled(drafts);
    let cells = axes.iter().try_fold(1_usize, |cells, axis| cells.checked_mul(axis.values.len()));
    if cells.is_none_or(|cells| cells > MOST_CELLS) {
        let message = format!("the matrix has more than {MOST_CELLS} cells");
        problems.report(node.at, message, "leave out values, or divide the scenario into several files");
        return Vec::new();
    }
    let longest = |axis: &Axis| axis.values.iter().map(|value| value.label.len() + 1).max().unwrap_or_default();
    if stem + axes.iter().map(longest).sum::<usize>() > LONGEST_ID {
        let message = format!("the id of a cell would be longer than {LONGEST_ID} characters");
        problems.report(node.at, message, "give the settings of several axes one name, in a bundle");
    }
    axes
}

/// `ike.encryption: [3des, aes128]`.
fn values(entry: &Entry<'_>, names: &Names, problems: &mut Problems<'_>) -> Option<Draft> {
    let path = normalised(entry.key);
    let Some(target) = Target::parse(path, names) else {
        unknown(entry, names, problems);
        return None;
    };
    if target.is_secret() {
        let help = format!("give each key a name of your own: `keys: {{ other: {{ {path}: ... }}, same: {{ ... }} }}`");
        problems.report(entry.at, format!("`{path}` is a secret, and would be part of a cell's id"), help);
        return None;
    }
    let mut values: Vec<AxisValue> = Vec::new();
    for item in list(entry.node, "values", LIST_EXAMPLE, problems)? {
        let Some((setting, name)) = target.setting(item, entry.at, problems) else { continue };
        if values.iter().any(|value| value.name == name) {
            problems.report(item.at, format!("value `{name}` stands twice on this axis"), "keep one of the two");
            continue;
        }
        let settings = vec![Placed { setting, at: item.at }];
        values.push(AxisValue { label: name.replace(',', "_").replace('/', "-"), name, settings });
    }
    let axis = Axis { name: path.to_owned(), values };
    (!axis.values.is_empty()).then(|| Draft { axis, paths: vec![path.to_owned()], is_list: true })
}

/// `ends: { forth: { cloud.vpcs.main.router: libreswan }, back: { ... } }`.
fn bundle(entry: &Entry<'_>, names: &Names, problems: &mut Problems<'_>) -> Option<Draft> {
    check_word(entry, problems);
    let help = || format!("write {BUNDLE_EXAMPLE}");
    let mut paths = Vec::new();
    let mut values = Vec::new();
    for value in entries(entry.node, "an axis", help, problems)? {
        check_word(&value, problems);
        let what = "a value of this axis";
        let help = || "write its settings, such as `{ cloud.vpcs.main.router: libreswan }`".to_owned();
        let Some(settings) = entries(value.node, what, help, problems) else { continue };
        if settings.is_empty() {
            problems.report(value.at, format!("`{}` sets nothing", value.key), help());
        }
        let mut read = Vec::new();
        for setting in &settings {
            let path = normalised(setting.key);
            match Target::parse(path, names) {
                Some(target) => {
                    let at = setting.node.at;
                    read.extend(
                        target.setting(setting.node, setting.at, problems).map(|(setting, _)| Placed { setting, at }),
                    );
                }
                None => unknown(setting, names, problems),
            }
            paths.push(path.to_owned());
        }
        values.push(AxisValue { name: value.key.to_owned(), label: value.key.to_owned(), settings: read });
    }
    if values.is_empty() {
        problems.report(entry.at, format!("axis `{}` has no values", entry.key), help());
        return None;
    }
    Some(Draft { axis: Axis { name: entry.key.to_owned(), values }, paths, is_list: false })
}

/// The author's own words become parts of folder names.
fn check_word(entry: &Entry<'_>, problems: &mut Problems<'_>) {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    let begins = entry.key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !begins || !entry.key.bytes().all(allowed) || entry.key.len() > 40 {
        let help = "write at most 40 lower-case letters, digits, dots and hyphens, beginning with a letter or digit";
        problems.report(entry.at, format!("`{}` cannot be part of a cell's id", entry.key), help);
    }
}

fn unknown(entry: &Entry<'_>, names: &Names, problems: &mut Problems<'_>) {
    let known = paths(names);
    let help = match nearest(normalised(entry.key), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            format!("write one of {}; or a name of your own with named settings: {BUNDLE_EXAMPLE}", known.join(", "))
        }
    };
    problems.report(entry.at, format!("`{}` cannot be varied", entry.key), help);
}

/// Gives the values of lists the shortest end of the path that no other axis has.
fn labelled(drafts: Vec<Draft>) -> Vec<Axis> {
    let lists: Vec<_> = drafts.iter().filter(|draft| draft.is_list).map(|draft| draft.axis.name.clone()).collect();
    let shortened = |name: &str| {
        let starts = name.rmatch_indices('.').map(|(dot, _)| dot + 1).chain([0]);
        let ends = |path: &String, short: &str| path == short || path.ends_with(&format!(".{short}"));
        let mut shorts = starts.map(|start| name[start..].to_owned());
        shorts.find(|short| lists.iter().filter(|path| ends(path, short)).count() == 1).unwrap_or(name.to_owned())
    };
    drafts
        .into_iter()
        .map(|Draft { mut axis, is_list, .. }| {
            let short = shortened(&axis.name);
            for value in axis.values.iter_mut().filter(|_| is_list) {
                value.label = format!("{short}={}", value.label);
            }
            axis
        })
        .collect()
}

/// Whether a setting of one path undoes one of the other.
fn overlap(a: &str, b: &str) -> bool {
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    a == b || within(a, b) || within(b, a)
}
