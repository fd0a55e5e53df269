//! The verdict on a cell: prediction, API, kernel and packets have to agree with each other and with the
//! scenario. Pure: what was observed goes in, checks come out.

mod disturbed;
mod failure;
pub(crate) mod history;
mod kernel;
mod packets;
mod quick_mode;
#[cfg(test)]
mod tests;

use policy::{End, Prediction, Version};
use scenario::{Alert, Cell, Condition, ConnectionState, Expectation, Profile, Step};
use wire::audit::{Account, Expected, Facts, Pfs, ProbeSent};

use crate::{
    observation::{Answer, Observation},
    record::{Check, Negotiated, StepStatus, Verdict},
};

/// What all checks look at.
pub(crate) struct Evidence<'a> {
    pub cell: &'a Cell,
    pub prediction: &'a Prediction,
    pub observation: &'a Observation,
    pub facts: &'a Facts,
    pub account: &'a Account,
}

pub(crate) struct Judgement {
    pub verdict: Verdict,
    pub reason: String,
    pub checks: Vec<Check>,
    pub negotiated: Option<Negotiated>,
}

/// Of the connections that the cell makes, what becomes of the first that fails; if none does, of the first.
pub(crate) fn predict(cell: &Cell) -> Prediction {
    let predict = |[router, customer]: [End; 2]| policy::predict(&router, &customer, cell.initiator);
    let mut all: Vec<_> = cell.connections().into_iter().map(predict).collect();
    let failing = all.iter().position(|prediction| prediction.failure().is_some());
    all.swap_remove(failing.unwrap_or(0))
}

pub(crate) fn judge(evidence: &Evidence<'_>) -> Judgement {
    let checks = vec![
        steps(evidence.cell, evidence.observation),
        prediction(evidence),
        failure::initiator(evidence),
        failure::failure(evidence),
        states(evidence.cell, evidence.observation),
        answers(evidence.observation),
        packets::phase_1(evidence),
        quick_mode::phase_2(evidence),
        quick_mode::keys(evidence),
        packets::dead_peer_detection(evidence),
        kernel::suites(evidence),
        kernel::watched(evidence),
        kernel::rekeyed(evidence),
        kernel::counters(evidence),
        kernel::usage(evidence),
        packets::encapsulation(evidence),
        packets::probes(evidence),
        packets::clear_text(evidence),
        packets::left_over(evidence),
        history::over_time(evidence),
    ];
    let checks: Vec<Check> = checks.into_iter().flatten().collect();
    let contradicted = contradiction(evidence.observation, &checks);
    let (verdict, reason) = contradicted.unwrap_or_else(|| match not_run(evidence.observation).as_str() {
        "" => (Verdict::Proven, proof(evidence)),
        // Nothing is proven by what did not happen.
        not_run => (Verdict::Skipped, format!("all else holds{not_run}")),
    });
    Judgement { verdict, reason, negotiated: negotiated(evidence), checks }
}

/// Judges what was done through the API alone. Nothing is proven without packets.
pub(crate) fn judge_control(cell: &Cell, observation: &Observation, no_packets: &str) -> Judgement {
    let checks = [steps(cell, observation), states(cell, observation), answers(observation)];
    let checks: Vec<Check> = checks.into_iter().flatten().collect();
    let (verdict, reason) = contradiction(observation, &checks).unwrap_or_else(|| {
        let done = observation.steps.iter().filter(|step| step.status == StepStatus::Done).count();
        let passed = done + observation.answers.len();
        (Verdict::Skipped, format!("{no_packets}: {passed} API checks passed{}", not_run(observation)))
    });
    Judgement { verdict, reason, negotiated: None, checks }
}

/// The kinds of steps that were skipped, by the words that they begin with.
fn not_run(observation: &Observation) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for step in observation.steps.iter().filter(|step| step.status == StepStatus::Skipped) {
        let words = if step.text.starts_with("expect ") { 2 } else { 1 };
        let end = step.text.match_indices(' ').nth(words - 1).map_or(step.text.len(), |(at, _)| at);
        if !kinds.contains(&&step.text[..end]) {
            kinds.push(&step.text[..end]);
        }
    }
    match kinds.as_slice() {
        [] => String::new(),
        [only] => format!("; {only} was not run"),
        [all @ .., last] => format!("; {} and {last} were not run", all.join(", ")),
    }
}

/// What keeps a cell from being as it should be, if anything does.
fn contradiction(observation: &Observation, checks: &[Check]) -> Option<(Verdict, String)> {
    if let Some(reason) = &observation.broken {
        return Some((Verdict::Broken, reason.clone()));
    }
    let failed = checks.iter().find(|check| !check.holds)?;
    let reason = format!("{}: expected {}, observed {}", failed.code, failed.expected, failed.observed);
    Some((Verdict::Refuted, reason))
}

fn proof(Evidence { prediction, account, facts, .. }: &Evidence<'_>) -> String {
    let (delivered, kept): (Vec<&ProbeSent>, Vec<&ProbeSent>) =
        facts.probes.iter().partition(|probe| probe.expected == Expected::Delivered);
    let kept = match kept.len() {
        0 => String::new(),
        kept => format!("; none of {kept} more was seen in clear"),
    };
    let (agree, frames) = ("prediction, API, kernels and packets agree", account.frames);
    if let Some(failure) = prediction.keeps_down() {
        return format!("{agree}: it {failure}{kept}; all {frames} frames are explained");
    }
    format!(
        "{agree}: all {} probes were seen in ESP, decrypted and received once{kept}; all {frames} frames are explained",
        delivered.len(),
    )
}

/// What the gateways agreed on: phase 1 as the responder answered, ESP as the kernels have it.
fn negotiated(Evidence { account, facts, prediction, .. }: &Evidence<'_>) -> Option<Negotiated> {
    let chosen = account.negotiations.iter().find_map(|negotiation| negotiation.chosen.as_ref())?;
    let sa = facts.sas.first()?;
    let ike = match (chosen.encryption, chosen.hash, chosen.group) {
        (Some(encryption), Some(hash), Some(group)) => format!("{encryption}-{hash};{group}"),
        _ => chosen.text.clone(),
    };
    let predicted = prediction.agreement().and_then(|agreement| agreement.esp.group);
    // Where no Quick Mode could be read, as in version 2, the group is the predicted one.
    let read =
        account.negotiations.iter().flat_map(|negotiation| &negotiation.quick_modes).find_map(|mode| match mode.pfs {
            Pfs::Seen { group } => Some(group),
            Pfs::None => Some(None),
            Pfs::Inferred { .. } | Pfs::Unknown => None,
        });
    let pfs = read.unwrap_or(predicted).map_or(String::new(), |group| format!(";{group}"));
    Some(Negotiated { ike, esp: format!("{}-{}{pfs}", sa.encryption, sa.integrity) })
}

fn check(code: &str, requirement: &str, expected: String, observed: Result<String, String>) -> Option<Check> {
    let holds = observed.is_ok();
    let observed = observed.unwrap_or_else(|wrong| wrong);
    Some(Check {
        code: code.to_owned(),
        requirement: requirement.to_owned(),
        expected,
        observed,
        holds,
        frames: Vec::new(),
    })
}

/// The same check, with the frames that show it.
fn shown_by(check: Option<Check>, frames: impl IntoIterator<Item = u64>) -> Option<Check> {
    check.map(|check| Check { frames: frames.into_iter().collect(), ..check })
}

/// What version 1 of IKE demands, or version 2, whichever is spoken.
fn by_version<T>(prediction: &Prediction, [v1, v2]: [T; 2]) -> T {
    match prediction.version() {
        Version::V1 => v1,
        Version::V2 => v2,
    }
}

fn steps(cell: &Cell, observation: &Observation) -> Option<Check> {
    // The cloud's objects come before the scenario's steps, and go after them.
    let all = cell.steps.len() + 2;
    let skipped = observation.steps.iter().filter(|step| step.status == StepStatus::Skipped).count();
    let observed = match observation.steps.iter().find(|step| step.status == StepStatus::Failed) {
        Some(step) => Err(format!("{}: {}", step.text, step.outcome)),
        None if observation.steps.len() != all => Err(format!("only {} were taken", observation.steps.len())),
        None if skipped == 0 => Ok(format!("all {all} did")),
        None => Ok(format!("{} did, {skipped} could not be taken", all - skipped)),
    };
    check("steps", "the scenario", format!("all {all} steps do what they say"), observed)
}

/// Answers repeat what was asked for.
fn answers(observation: &Observation) -> Option<Check> {
    let answers = &observation.answers;
    if answers.is_empty() {
        return None;
    }
    let wrong = answers.iter().find(|answer| comparable(answer, &answer.asked) != comparable(answer, &answer.told));
    let observed = match wrong {
        Some(Answer { command, field, asked, told }) => Err(format!("{command}: `{field}` is {told}, not {asked}")),
        None => Ok("all of them do".into()),
    };
    let requirement = "the specification, the responses of its commands";
    check(
        "api-answers",
        requirement,
        format!("{} fields of answers repeat what was asked for", answers.len()),
        observed,
    )
}

/// The order in a list of networks means nothing.
fn comparable<'t>(answer: &Answer, text: &'t str) -> Vec<&'t str> {
    if answer.field != "cidrlist" {
        return vec![text];
    }
    let mut networks: Vec<_> = text.split(',').map(str::trim).collect();
    networks.sort_unstable();
    networks
}

fn prediction(Evidence { prediction, facts, .. }: &Evidence<'_>) -> Option<Check> {
    let up = !facts.sas.is_empty();
    let seen = format!("{} SAs were made", facts.sas.len());
    let observed = if up == prediction.agreement().is_some() { Ok(seen) } else { Err(seen) };
    let requirement = by_version(prediction, ["RFC 2409 sections 5.4 and 5.5", "RFC 7296 sections 1.2 and 1.3"]);
    check("prediction", requirement, prediction.to_string(), observed)
}

/// Once Connected, a connection stays so until it is deleted, unless the scenario expects another state.
fn states(cell: &Cell, observation: &Observation) -> Option<Check> {
    // The first that is written down is the creation of the cloud's objects.
    let skipped =
        |number: usize| observation.steps.get(number + 1).is_some_and(|step| step.status == StepStatus::Skipped);
    let expected = |(number, step): (usize, &'_ Step)| match step {
        Step::Expect(expectation) if !skipped(number) => states_of(expectation),
        _ => Vec::new(),
    };
    let mut wanted: Vec<_> = cell.steps.iter().enumerate().flat_map(expected).collect();
    wanted.dedup();
    if wanted.is_empty() {
        return None;
    }
    let seen: Vec<_> = observation.states.iter().map(|change| change.state.as_str()).collect();
    let stray = observation.states.iter().enumerate().find(|(number, change)| {
        let before = observation.states[..*number].iter().rfind(|other| other.connection == change.connection);
        let before = before.map(|other| other.state.as_str());
        !wanted.contains(&change.state.as_str()) && !is_passed_through(cell, before, &change.state)
    });
    let text = seen.join(", ");
    let reached = wanted.iter().all(|state| seen.contains(state));
    let observed = if reached && stray.is_none() { Ok(text) } else { Err(text) };
    check("api-state", "the specification, \"Notes about VPN Connection\"", wanted.join(", then "), observed)
}

/// The states that an expectation takes to come.
fn states_of(expectation: &Expectation) -> Vec<&'static str> {
    let conditions = match expectation {
        Expectation::Connection { state, .. } => return vec![state.name()],
        Expectation::Alert(Alert::Switched { from, to }) => return vec![from.name(), to.name()],
        Expectation::Within { condition, .. } | Expectation::Always { condition, .. } => [Some(condition), None],
        Expectation::Until { condition, until, .. } => [Some(condition), Some(until)],
        _ => return Vec::new(),
    };
    conditions
        .into_iter()
        .flatten()
        .flat_map(|condition| match condition {
            Condition::Connection { state, .. } => vec![state.name()],
            Condition::Alert(Alert::Switched { from, to }) => vec![from.name(), to.name()],
            _ => Vec::new(),
        })
        .collect()
}

/// What a connection is on its way to a state that is expected: Pending until it has begun. In 4.22 it is then
/// Connecting until the monitor looks, and Disconnected if that was before the tunnel was up, as it is after its
/// router was stopped.
fn is_passed_through(cell: &Cell, before: Option<&str>, state: &str) -> bool {
    let current = cell.cloud.profile == Profile::V4_22;
    let is = |known: ConnectionState| state == known.name();
    let reboots = cell.steps.iter().any(|step| {
        matches!(step, Step::RebootRouter(_) | Step::StopRouter(_) | Step::RestartVpc { .. } | Step::Reset { .. })
    });
    // A service that begins again takes every tunnel for lost until it has looked.
    let killed = cell.steps.iter().any(|step| matches!(step, Step::Kill(_) | Step::KillDuring(_)));
    let looked_early = before == Some(ConnectionState::Connecting.name());
    state == "deleted"
        || is(ConnectionState::Pending)
        || current && is(ConnectionState::Connecting)
        || is(ConnectionState::Disconnected) && (killed || current && (looked_early || reboots))
}
