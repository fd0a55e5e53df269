//! `--expect FILE`: results are held against a file of expected ones.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runner::{Known, record::Record};
use scenario::{Date, ExpectedResult, Scenario};

use super::Failure;
use crate::files;

pub struct Expect {
    file: PathBuf,
    results: Vec<ExpectedResult>,
}

impl Expect {
    pub fn load(file: &Path) -> Result<Self, Failure> {
        Ok(Self { file: file.to_owned(), results: scenario::load_expected(file)? })
    }

    /// Of a run the files are at hand.
    pub fn of_run(&self, record: &mut Record, scenarios: &[Scenario]) -> Result<(), Failure> {
        let run: Vec<String> = scenarios.iter().flat_map(Scenario::ids).collect();
        self.hold(record, &run, Some(&elsewhere().unwrap_or_default()))
    }

    /// A record names only cells that were chosen. Without the files nobody knows the others.
    pub fn of_record(&self, record: &mut Record) -> Result<(), Failure> {
        let run: Vec<String> = record.cells.iter().map(|cell| cell.id.clone()).collect();
        let whole = record.choice.as_ref().is_some_and(|choice| choice.of == run.len());
        let elsewhere = elsewhere().or(whole.then(Vec::new));
        self.hold(record, &run, elsewhere.as_deref())
    }

    fn hold(&self, record: &mut Record, run: &[String], elsewhere: Option<&[String]>) -> Result<(), Failure> {
        let known = Known { run, elsewhere };
        runner::hold(record, &self.file.display().to_string(), &self.results, &known, today()?);
        Ok(())
    }
}

fn elsewhere() -> Option<Vec<String>> {
    Some(files::ours()?.iter().flat_map(Scenario::ids).collect())
}

/// By UTC, so that it is the same day on every machine.
fn today() -> Result<Date, Failure> {
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    today.parse().map_err(|()| Failure::Laboratory(format!("{today}: this machine's clock is wrong")))
}
