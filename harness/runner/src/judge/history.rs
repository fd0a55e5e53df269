//! What must be so over time, judged from what was written down: a finished run can be judged again.
//!
//! Each expectation is asked of its own stretch of the history, from when its step began.

use std::time::Duration;

use scenario::{Alert, Cell, Condition, Expectation, Step};
use wire::audit::{Expected, FlowAccount};

use super::{Evidence, check};
use crate::{
    observation::Observation,
    record::{Check, StepStatus},
};

/// Times of the API have whole seconds, and what is waited for is looked at once a second.
const SECOND: u64 = 1_000;

/// So many packets in a row that do not arrive, and a flow has stopped.
pub(crate) const STOPPED: u32 = 3;

/// Every expectation about a stretch of time holds.
pub(super) fn over_time(evidence: &Evidence<'_>) -> Option<Check> {
    let mut told = Vec::new();
    let mut from_ms = 0;
    for (number, step) in evidence.cell.steps.iter().enumerate() {
        // The first that is written down is the creation of the cloud's objects.
        let Some(taken) = evidence.observation.steps.get(number + 1) else { break };
        let Step::Expect(expectation) = step else { continue };
        if taken.status == StepStatus::Skipped {
            continue;
        }
        let history = History { evidence, from_ms: taken.begin_ms };
        let result = match expectation {
            Expectation::Lost { packets, gap } => {
                let result = history.lost(from_ms, taken.end_ms, *packets, *gap);
                from_ms = taken.end_ms;
                result
            }
            other => match history.judge(other) {
                Some(result) => result,
                None => continue,
            },
        };
        told.push((expectation, result));
    }
    if told.is_empty() {
        return None;
    }
    let wrong =
        told.iter().find_map(|(expectation, result)| Some(format!("{expectation}: {}", result.as_ref().err()?)));
    let words = || told.iter().filter_map(|(_, result)| result.as_ref().ok()).cloned().collect::<Vec<_>>().join("; ");
    let observed = wrong.map_or_else(|| Ok(words()), Err);
    check("over-time", "the scenario", format!("{} expectations of the history", told.len()), observed)
}

/// A condition that is so, or is not, from this moment on.
type Change = (u64, bool);

struct History<'a> {
    evidence: &'a Evidence<'a>,
    from_ms: u64,
}

impl History<'_> {
    /// None if it is not about a stretch of time.
    fn judge(&self, expectation: &Expectation) -> Option<Result<String, String>> {
        Some(match expectation {
            Expectation::Within { condition, within } => {
                let first = self.first(condition, true, *within);
                let found = if first.is_err() && self.was(condition) { Ok(self.from_ms) } else { first };
                found.map(|at| self.after(condition, at))
            }
            Expectation::Always { condition, lasting } => self.steady(condition, true, *lasting),
            Expectation::Never { condition, lasting } => self.steady(condition, false, *lasting),
            Expectation::Until { condition, until, within } => self.until(condition, until, *within),
            Expectation::Rekeys { ike, esp } => self.rekeys(u64::from(*ike), u64::from(*esp)),
            Expectation::Connection { .. }
            | Expectation::Traffic(_)
            | Expectation::Alert(_)
            | Expectation::Lost { .. } => return None,
        })
    }

    fn after(&self, condition: &Condition, at_ms: u64) -> String {
        format!("{condition} after {} s", at_ms.saturating_sub(self.from_ms) / 1000)
    }

    /// When it is first so, or first not so.
    fn first(&self, condition: &Condition, so: bool, within: Duration) -> Result<u64, String> {
        let changes = self.changes(condition);
        let at_begin = changes.iter().rfind(|(at, _)| *at <= self.from_ms).is_some_and(|(_, now)| *now);
        let later = changes.iter().find(|(at, now)| *at > self.from_ms && *now == so).map(|(at, _)| *at);
        let found = if at_begin == so { Some(self.from_ms) } else { later };
        let limit = self.from_ms + within.as_millis() as u64 + SECOND;
        match found {
            Some(at) if at <= limit => Ok(at),
            Some(at) => Err(format!("only after {} s", (at - self.from_ms) / 1000)),
            None => Err("it never was".to_owned()),
        }
    }

    /// Whether it was so until this moment: what the next step ends in the same millisecond was so in it.
    fn was(&self, condition: &Condition) -> bool {
        self.changes(condition).iter().rfind(|(at, _)| *at < self.from_ms).is_some_and(|(_, now)| *now)
    }

    fn steady(&self, condition: &Condition, so: bool, lasting: Duration) -> Result<String, String> {
        let end_ms = self.from_ms + lasting.as_millis() as u64;
        let seen_to = self.evidence.observation.virtual_ms;
        if seen_to < end_ms {
            return Err(format!("the history ends {} s before", (end_ms - seen_to) / 1000));
        }
        match self.first(condition, !so, lasting) {
            Ok(at) if at < end_ms => {
                let word = if so { "no longer" } else { "yet" };
                Err(format!("{word} {condition} after {} s", at.saturating_sub(self.from_ms) / 1000))
            }
            _ => Ok(format!("{} {condition} for {} s", if so { "always" } else { "never" }, lasting.as_secs())),
        }
    }

    fn until(&self, condition: &Condition, until: &Condition, within: Duration) -> Result<String, String> {
        let came = self.first(until, true, within).map_err(|e| format!("{until}: {e}"))?;
        match self.first(condition, false, within) {
            Ok(ended) if ended < came => {
                let seconds = ended.saturating_sub(self.from_ms) / 1000;
                Err(format!("no longer {condition} after {seconds} s, and {until} came later"))
            }
            _ => Ok(self.after(until, came)),
        }
    }

    /// When a condition changed, in the order of time; before the first it was not so.
    fn changes(&self, condition: &Condition) -> Vec<Change> {
        let Evidence { observation, .. } = self.evidence;
        match condition {
            Condition::Connection { state, of } => connection(observation, state.name(), of.as_deref()),
            Condition::Sas { on, held } => sas(observation, on, *held),
            Condition::Flowing(flowing) => self.flowing(*flowing),
            Condition::Alert(alert) => alerts(observation, *alert),
        }
    }

    /// Every flow of every stream that runs then, or none of them, by the packets that were sent.
    fn flowing(&self, wanted: bool) -> Vec<Change> {
        let at = |time_ns: u64| time_ns.saturating_sub(self.evidence.observation.began_ns) / 1_000_000;
        let flows: Vec<_> = self.streams().collect();
        let mut times: Vec<u64> = vec![0];
        for flow in &flows {
            times.push(at(flow.first_sent_ns));
            times.extend(flow.losses.iter().flat_map(|loss| [Some(at(loss.from_ns)), loss.until_ns.map(at)]).flatten());
        }
        times.sort_unstable();
        times.dedup();
        let arrives = |flow: &FlowAccount, time: u64| {
            let lost = |from_ns: u64, until_ns: Option<u64>| {
                at(from_ns) <= time && until_ns.is_none_or(|until| time < at(until))
            };
            let mut stops = flow.losses.iter().filter(|loss| loss.packets >= u64::from(STOPPED));
            !stops.any(|loss| lost(loss.from_ns, loss.until_ns))
        };
        let state = |time: u64| {
            let mut begun = flows.iter().filter(|flow| at(flow.first_sent_ns) <= time).peekable();
            begun.peek().is_some() && begun.all(|flow| arrives(flow, time) == wanted)
        };
        times.into_iter().map(|time| (time, state(time))).collect()
    }

    fn streams(&self) -> impl Iterator<Item = &FlowAccount> {
        let counted = |exchange: u32| {
            self.evidence.facts.probes.iter().find(|probe| probe.exchange == exchange).map(|probe| probe.expected)
                == Some(Expected::Counted)
        };
        self.evidence.account.flows.iter().filter(move |flow| counted(flow.exchange))
    }

    fn lost(&self, from_ms: u64, to_ms: u64, packets: u32, gap: Option<Duration>) -> Result<String, String> {
        let began_ns = self.evidence.observation.began_ns;
        let ns = |ms: u64| began_ns + ms * 1_000_000;
        let mut flows = 0;
        let (mut lost, mut longest, mut sent) = (0, 0, 0);
        for flow in self.streams() {
            flows += 1;
            sent += flow.sent;
            for loss in flow.losses.iter().filter(|loss| (ns(from_ms)..ns(to_ms)).contains(&loss.from_ns)) {
                lost += loss.packets;
                longest =
                    longest.max(loss.until_ns.unwrap_or(flow.last_sent_ns).saturating_sub(loss.from_ns) / 1_000_000);
            }
        }
        if flows == 0 || sent == 0 {
            return Err("no packet of a stream was seen".to_owned());
        }
        let text = format!("{lost} of {sent} packets in {flows} flows lost, the longest gap {longest} ms");
        let too_long = gap.is_some_and(|gap| u128::from(longest) > gap.as_millis());
        if lost > u64::from(packets) || too_long { Err(text) } else { Ok(text) }
    }

    /// Counted on every connection that the steps made: the SAs of one direction beyond the first, and the negotiations.
    fn rekeys(&self, ike: u64, esp: u64) -> Result<String, String> {
        let Evidence { cell, account, observation, .. } = self.evidence;
        let subnets = |customer: &str| cell.customers.get(customer).map_or(1, |customer| customer.subnets.len() as u64);
        let made = made(cell);
        let fewest = made.iter().map(|(vpc, customer)| {
            let sas = super::kernel::each_way(observation, &format!("router-{vpc}"), &format!("gateway-{customer}"));
            sas.checked_div(subnets(customer)).unwrap_or(0).saturating_sub(1)
        });
        let fewest = fewest.min().unwrap_or(0);
        let negotiations =
            account.negotiations.iter().filter(|negotiation| negotiation.chosen.is_some()).count() as u64;
        let of_ike = negotiations.saturating_sub(made.len() as u64);
        let text = format!("{of_ike} rekeys of IKE, {fewest} of ESP");
        if of_ike >= ike && fewest >= esp { Ok(text) } else { Err(text) }
    }
}

/// The connections that the steps make.
fn made(cell: &Cell) -> Vec<(&str, &str)> {
    let mut made: Vec<_> = cell.steps.iter().filter_map(Step::connects).collect();
    made.sort_unstable();
    made.dedup();
    made
}

fn connection(observation: &Observation, state: &str, of: Option<&str>) -> Vec<Change> {
    let mine = |connection: &str| of.is_none_or(|of| connection.ends_with(&format!("-> {of}")));
    let mut now: Vec<(&str, &str)> = Vec::new();
    let mut changes = Vec::new();
    for change in observation.states.iter().filter(|change| mine(&change.connection)) {
        now.retain(|(connection, _)| *connection != change.connection);
        if change.state != "deleted" {
            now.push((&change.connection, &change.state));
        }
        changes.push((change.at_ms, !now.is_empty() && now.iter().all(|(_, known)| *known == state)));
    }
    changes
}

fn sas(observation: &Observation, on: &str, held: bool) -> Vec<Change> {
    let machines = [format!("router-{on}"), format!("gateway-{on}")];
    let mine: Vec<_> = observation.sas.iter().filter(|sa| machines.contains(&sa.machine)).collect();
    let mut times: Vec<u64> = vec![0];
    times.extend(mine.iter().flat_map(|sa| [Some(sa.added_ms), sa.deleted_ms]).flatten());
    times.sort_unstable();
    times.dedup();
    let any = |time: u64| mine.iter().any(|sa| sa.added_ms <= time && sa.deleted_ms.is_none_or(|end| time < end));
    times.into_iter().map(|time| (time, any(time) == held)).collect()
}

fn alerts(observation: &Observation, wanted: Alert) -> Vec<Change> {
    match wanted {
        Alert::None => {
            let first = observation.alerts.iter().map(|alert| alert.at_ms).min();
            [(0, true)].into_iter().chain(first.map(|at| (at, false))).collect()
        }
        Alert::Switched { from, to } => {
            let end = format!(" from {from} to {to}");
            let mine = observation.alerts.iter().filter(|alert| alert.text.ends_with(&end));
            // Each is so when it is sent, and is no news afterwards; but the time that the cloud tells has whole seconds.
            let mut changes: Vec<_> =
                mine.flat_map(|alert| [(alert.at_ms + SECOND, true), (alert.at_ms + 2 * SECOND, false)]).collect();
            changes.sort_unstable();
            changes
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wire::audit::{Account, Facts};

    use super::*;
    use crate::{judge::predict, record::SaSummary};

    const QUICKSTART: &str = include_str!("../../../../scenarios/quickstart.yaml");

    #[test]
    fn what_the_next_step_ends_within_the_same_millisecond_was_so_when_it_was_asked_for() {
        let cell = scenario::parse("scenarios/quickstart.yaml", QUICKSTART).unwrap().cells().remove(0);
        let (prediction, facts, account) = (predict(&cell), Facts::default(), Account::default());
        let sa = SaSummary {
            machine: "router-main".into(),
            spi: 1,
            source: [198, 51, 100, 2].into(),
            destination: [203, 0, 113, 2].into(),
            suite: String::new(),
            added_ms: 1_020,
            deleted_ms: Some(60_000),
            packets: 0,
            bytes: 0,
        };
        let observation = Observation { sas: vec![sa], ..Observation::default() };
        let evidence = Evidence {
            cell: &cell,
            prediction: &prediction,
            observation: &observation,
            facts: &facts,
            account: &account,
        };
        let held = |from_ms| {
            let within = Duration::from_secs(1);
            let condition = Condition::Sas { on: "main".into(), held: true };
            History { evidence: &evidence, from_ms }.judge(&Expectation::Within { condition, within }).unwrap()
        };
        assert!(held(59_999).is_ok() && held(60_000).is_ok());
        assert!(held(60_001).is_err());
    }
}
