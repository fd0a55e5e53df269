//! Judges what was observed, once it was, and again whenever expectations change: nothing is run for it.

use std::{fs, path::Path};

use scenario::{Cell, Step};
use wire::{audit, pcapng};

use crate::{
    Error, Result,
    judge::{self, Evidence},
    observation::{self, Observation},
    record::{CellRecord, StepRecord, StepStatus},
    schedule::fill,
};

/// How the text of an expectation begins.
const EXPECT: &str = "expect ";

/// Audits the capture in a cell's folder and judges it with what else was observed.
pub(crate) fn judge(cell: &Cell, folder: &Path, record: &mut CellRecord) -> Result<()> {
    let (observation, facts) = Observation::read(folder)?;
    let account = account(folder, &observation, &facts)?;
    observation::write_ike_keys(&account, folder)?;
    // What the audit has to say about a frame stands beside it where it is looked at.
    let path = folder.join(observation::CAPTURE);
    let capture = fs::read(&path).map_err(Error::file(&path))?;
    if let Ok(annotated) = pcapng::annotate(&capture, &audit::comments(&account)) {
        fs::write(&path, annotated).map_err(Error::file(&path))?;
    }
    conclude(cell, folder, record, observation, &facts, account)
}

/// Judges a cell of a finished run again, by a scenario whose expectations may be other ones. Its other steps have to be
/// those that were taken.
pub fn rejudge(cell: &Cell, folder: &Path, record: &mut CellRecord) -> Result<()> {
    let (mut observation, facts) = Observation::read(folder)?;
    observation.steps = aligned(cell, observation.steps)?;
    let account = account(folder, &observation, &facts)?;
    conclude(cell, folder, record, observation, &facts, account)
}

fn account(folder: &Path, observation: &Observation, facts: &audit::Facts) -> Result<audit::Account> {
    let path = folder.join(observation::CAPTURE);
    let file = fs::File::open(&path).map_err(Error::file(&path))?;
    match pcapng::Reader::new(file).and_then(|reader| audit::audit_reader(reader, facts)) {
        Ok(account) => Ok(account),
        // A laboratory that broke may have left half a capture, or none.
        Err(_) if observation.broken.is_some() => Ok(audit::Account::default()),
        Err(e) => Err(Error::file(&path)(std::io::Error::other(e))),
    }
}

fn conclude(
    cell: &Cell,
    folder: &Path,
    record: &mut CellRecord,
    observation: Observation,
    facts: &audit::Facts,
    account: audit::Account,
) -> Result<()> {
    let prediction = judge::predict(cell);
    let evidence = Evidence { cell, prediction: &prediction, observation: &observation, facts, account: &account };
    let judgement = judge::judge(&evidence);
    fill(record, observation, judgement, cell, folder)?;
    record.account = Some(account);
    Ok(())
}

/// What was taken, with an entry for each expectation of the cell: its own, if it was one then too, else the moment
/// between the steps that it stands between.
fn aligned(cell: &Cell, taken: Vec<StepRecord>) -> Result<Vec<StepRecord>> {
    let is_expectation = |step: &StepRecord| step.text.starts_with(EXPECT);
    let mut taken = taken.into_iter().peekable();
    // The creation of the cloud's objects comes first, their deletion last.
    let mut aligned: Vec<StepRecord> = taken.next().into_iter().collect();
    for step in &cell.steps {
        let text = step.to_string();
        if matches!(step, Step::Expect(_)) {
            let begin_ms = aligned.last().map_or(0, |last| last.end_ms);
            let same = taken.next_if(|next| next.text == text);
            let (outcome, status, end_ms) = ("judged afterwards".to_owned(), StepStatus::Done, begin_ms);
            aligned.push(same.unwrap_or(StepRecord { text, outcome, status, begin_ms, end_ms }));
            continue;
        }
        while taken.next_if(is_expectation).is_some() {}
        match taken.next() {
            Some(next) if next.text == text => aligned.push(next),
            Some(next) => return Err(Error::OtherSteps { cell: cell.id.clone(), taken: next.text, asked: text }),
            None => return Err(Error::OtherSteps { cell: cell.id.clone(), taken: "nothing".into(), asked: text }),
        }
    }
    while taken.next_if(is_expectation).is_some() {}
    aligned.extend(taken);
    Ok(aligned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HEAD: &str = "
scenario: one
cloud: { vpcs: { main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } } } }
customers: { branch: { subnets: [172.16.10.0/24], psk: '123123' } }
policy: { ike: 3des-md5;modp1536, esp: 3des-md5 }
steps:
  - connect: { vpc: main, customer: branch }
";

    fn cell(steps: &str) -> Cell {
        scenario::parse("one.yaml", &format!("{HEAD}{steps}")).unwrap().cells().remove(0)
    }

    fn taken(cell: &Cell) -> Vec<StepRecord> {
        let all = ["create".to_owned()].into_iter().chain(cell.steps.iter().map(Step::to_string));
        let record = |(text, begin_ms): (String, u64)| {
            let (outcome, status, end_ms) = (String::new(), StepStatus::Done, begin_ms + 9);
            StepRecord { text, outcome, status, begin_ms, end_ms }
        };
        all.chain(["delete".to_owned()]).zip((0..).step_by(10)).map(record).collect()
    }

    #[test]
    fn expectations_that_come_and_go_have_their_places_between_the_steps_that_were_taken() {
        let then = cell("  - expect: { connection: Connected, within: 60s }\n  - hold: 5m\n");
        let now = cell("  - hold: 5m\n  - expect: { never: { connection: Error }, for: 1m }\n");
        let aligned = aligned(&now, taken(&then)).unwrap();
        let texts: Vec<_> = aligned.iter().map(|step| (step.text.as_str(), step.begin_ms)).collect();
        let never = "expect never Error for 60s";
        assert_eq!(
            texts,
            [("create", 0), ("connect main -> branch", 10), ("hold 5m", 30), (never, 39), ("delete", 40)]
        );
    }

    #[test]
    fn a_step_that_was_not_taken_cannot_be_judged() {
        let (then, now) = (cell("  - hold: 5m\n"), cell("  - hold: 6m\n"));
        let error = aligned(&now, taken(&then)).unwrap_err().to_string();
        assert!(error.contains("`hold 5m`") && error.contains("`hold 6m`"), "{error}");
    }
}
