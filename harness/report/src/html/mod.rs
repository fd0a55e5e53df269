//! `report.html`: one file that needs no network and no script, for a release manager and an engineer.

mod account;
mod api;
mod cell;
mod evidence;
mod flows;
mod plan;
mod sas;
pub mod sequence;
mod summary;
mod svg;
mod timeline;
mod topology;

use std::collections::{BTreeMap, HashMap, HashSet};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, value::Serde};
use runner::record::{CellRecord, Complaint, ImageRecord, Record, Verdict};
use serde::Serialize;

use crate::{ReportError, claim, format};

/// A report of all 6,144 policies must still open in a browser. So this many cells are shown in full,
/// those that are refuted or broken first; the rest in brief, with links to their evidence.
const IN_FULL: usize = 300;
/// Cells that need attention are unfolded, unless there are so many that unfolding helps nobody.
const UNFOLDED: usize = 12;
/// So many of them are listed at the top; the table has them all.
const LISTED: usize = 40;

const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("../../template/report.html");
const STYLE: &str = include_str!("../../template/report.css");
const SCRIPT: &str = include_str!("../../template/report.js");

/// The whole record as one HTML page.
pub fn render(record: &Record) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, _, value| {
        let text = value.to_string();
        let text = if value.is_safe() { text } else { svg::escape(&text) };
        out.write_str(&text).map_err(minijinja::Error::from)
    });
    environment.add_filter("breakable", breakable);
    environment.add_template(NAME, TEMPLATE)?;
    Ok(environment.get_template(NAME)?.render(Serde(page(record)))?)
}

/// A cell id that a narrow column may break where its parts end.
fn breakable(id: String) -> Value {
    let mut out = String::with_capacity(id.len() * 2);
    for part in id.split_inclusive(['/', ',']) {
        out.push_str(&svg::escape(part));
        if part.ends_with(['/', ',']) {
            out.push_str("<wbr/>");
        }
    }
    Value::from_safe_string(out)
}

/// The cells of each scenario, in the order in which the scenarios first appear.
pub fn by_scenario(cells: &[CellRecord]) -> Vec<(&str, Vec<&CellRecord>)> {
    let mut groups: Vec<(&str, Vec<&CellRecord>)> = Vec::new();
    let mut position = HashMap::new();
    for cell in cells {
        let at = *position.entry(cell.scenario.as_str()).or_insert_with(|| {
            groups.push((&cell.scenario, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(cell);
    }
    groups
}

#[derive(Serialize)]
struct Page<'a> {
    style: Value,
    script: Value,
    headline: String,
    packets: Option<String>,
    tone: &'static str,
    started: String,
    wall: String,
    virtual_time: String,
    world: &'a str,
    kernel: &'a str,
    cloud: Option<String>,
    leftovers: &'a [String],
    /// How many steps of all cells could not be taken; none if none.
    skipped_steps: Option<String>,
    choice: Option<String>,
    reused: Option<String>,
    /// What is not as a file of expected results says.
    complaints: &'a [Complaint],
    diagnoses: Vec<String>,
    program: &'a str,
    images: &'a [ImageRecord],
    total: String,
    tally: Vec<summary::Tally>,
    attention: Vec<summary::Attention<'a>>,
    unlisted: usize,
    pairs: Option<summary::Pairs<'a>>,
    axes: Vec<summary::Axes<'a>>,
    scenarios: Vec<Scenario<'a>>,
    brief: usize,
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    about: &'a str,
    cells: Vec<cell::Cell<'a>>,
}

fn page(record: &Record) -> Page<'_> {
    let groups = by_scenario(&record.cells);
    let ordered: Vec<&CellRecord> = groups.iter().flat_map(|(_, cells)| cells.iter().copied()).collect();
    let anchors = anchors(&ordered);
    let attention: Vec<usize> = (0..ordered.len()).filter(|&i| claim::is_unlike(ordered[i])).collect();
    let in_full: HashSet<usize> = attention
        .iter()
        .copied()
        .chain((0..ordered.len()).filter(|&i| !claim::is_unlike(ordered[i])))
        .take(IN_FULL)
        .collect();

    let mut numbered = ordered.iter().enumerate();
    let scenarios = groups
        .iter()
        .map(|(name, cells)| Scenario {
            name,
            about: &cells[0].about,
            cells: numbered
                .by_ref()
                .take(cells.len())
                .map(|(i, &cell)| {
                    let open = ordered.len() == 1 || attention.len() <= UNFOLDED && claim::is_unlike(cell);
                    cell::Cell::new(cell, record, anchors[i].clone(), in_full.contains(&i), open)
                })
                .collect(),
        })
        .collect();

    let tally = summary::tally(&record.cells);
    Page {
        style: Value::from_safe_string([sequence::BASE, STYLE, sequence::STYLE].concat()),
        script: Value::from_safe_string(SCRIPT.to_owned()),
        headline: claim::headline(record),
        packets: claim::packets(&record.cells),
        tone: summary::tone(&record.cells),
        started: format::date(&record.started),
        wall: format::length(record.wall_ms),
        virtual_time: format::length(record.cells.iter().fold(0, |sum, cell| sum.saturating_add(cell.virtual_ms))),
        world: &record.world,
        kernel: &record.laboratory.kernel,
        cloud: record.laboratory.cloud.as_ref().map(format::cloud),
        leftovers: record.laboratory.cloud.as_ref().map_or(&[], |cloud| &cloud.leftovers),
        skipped_steps: claim::skipped_steps(&record.cells),
        choice: claim::choice(record),
        reused: claim::all_reused(&record.cells),
        complaints: record.gate.as_ref().map_or(&[], |gate| &gate.complaints),
        diagnoses: record.diagnoses.iter().map(ToString::to_string).collect(),
        program: &record.program,
        images: &record.laboratory.images,
        total: format::plural(record.cells.len(), "cell"),
        tally,
        attention: attention.iter().take(LISTED).map(|&i| summary::Attention::new(ordered[i], &anchors[i])).collect(),
        unlisted: attention.len().saturating_sub(LISTED),
        pairs: summary::pairs(&record.cells),
        axes: groups.iter().filter_map(|(name, cells)| summary::axes(name, cells)).collect(),
        scenarios,
        brief: ordered.len() - in_full.len(),
    }
}

/// A fragment for each cell that stays the same from run to run, so that a link to it can be kept.
fn anchors(cells: &[&CellRecord]) -> Vec<String> {
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let slug = |id: &str| -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        id.chars().map(|c| if plain(c) { c } else { '-' }).collect()
    };
    let anchor = |cell: &&CellRecord| {
        let slug = format!("c.{}", slug(&cell.id));
        let count = used.entry(slug.clone()).or_default();
        *count += 1;
        // Two colons cannot come out of a slug, so a numbered anchor never meets another one.
        if *count == 1 { slug } else { format!("{slug}::{count}") }
    };
    cells.iter().map(anchor).collect()
}

/// A verdict as the report shows it: by letter, shape and colour, so that no one of them is needed.
#[derive(Clone, Copy, Serialize)]
struct Badge {
    name: &'static str,
    class: &'static str,
    letter: &'static str,
}

impl From<Verdict> for Badge {
    fn from(verdict: Verdict) -> Self {
        let (class, letter) = match verdict {
            Verdict::Proven => ("p", "P"),
            Verdict::Refuted => ("r", "R"),
            Verdict::Unsupported => ("u", "U"),
            Verdict::Skipped => ("s", "S"),
            Verdict::Broken => ("b", "B"),
        };
        Self { name: verdict.name(), class, letter }
    }
}
