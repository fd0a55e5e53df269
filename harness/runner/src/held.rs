//! Every tunnel that comes up is held for one lifetime of its SAs, with packets across the rekey: "connected" means that it
//! stays so. Pure.

use std::time::Duration;

use scenario::{Cell, Expectation, Party, Step};

use crate::judge::predict;

/// A packet each way so often.
const EVERY: Duration = Duration::from_secs(30);
/// Who has longer lifetimes says himself what is to be waited for.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The cell with a hold before its first connection ends, unless its own steps are about time, or no tunnel is to come.
pub fn held(cell: Cell) -> Cell {
    match hold(&cell) {
        Some((at, steps)) => {
            let mut cell = cell;
            cell.steps.splice(at..at, steps);
            cell
        }
        None => cell,
    }
}

/// The steps, and where they belong.
fn hold(cell: &Cell) -> Option<(usize, Vec<Step>)> {
    if !cell.steps.iter().all(is_without_time) {
        return None;
    }
    let prediction = predict(cell);
    let agreement = prediction.agreement().filter(|_| prediction.failure().is_none())?;
    let lifetime = Duration::from_secs(agreement.esp_lifetime().0.into());
    let at = cell.steps.iter().position(|step| matches!(step, Step::Disconnect { .. })).unwrap_or(cell.steps.len());
    let between = cell.steps[..at].iter().rev().find_map(|step| match step {
        Step::Exchange { between, .. } => Some(between.clone()),
        _ => None,
    })?;
    if lifetime > LONGEST || !is_connected(&between, &cell.steps[..at]) {
        return None;
    }
    let steps = vec![
        Step::Stream { between, every: EVERY },
        Step::Hold(lifetime),
        Step::Expect(Expectation::Lost { packets: 0, gap: None }),
        Step::Expect(Expectation::Rekeys { ike: 0, esp: 1 }),
    ];
    Some((at, steps))
}

fn is_without_time(step: &Step) -> bool {
    use Expectation as E;
    matches!(
        step,
        Step::Connect { .. }
            | Step::Disconnect { .. }
            | Step::Exchange { .. }
            | Step::Expect(E::Connection { .. } | E::Traffic(_) | E::Alert(_))
    )
}

fn is_connected(between: &[Party; 2], steps: &[Step]) -> bool {
    let owners = between.each_ref().map(Party::owner);
    steps.iter().filter_map(Step::connects).any(|(vpc, customer)| owners.contains(&vpc) && owners.contains(&customer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cell(policy: &str, steps: &str) -> Cell {
        let text = format!(
            "
scenario: one
cloud: {{ vpcs: {{ main: {{ cidr: 10.10.0.0/16, tiers: {{ web: 10.10.1.0/24 }} }} }} }}
customers: {{ branch: {{ subnets: [172.16.10.0/24], psk: '123123'{policy} }} }}
policy: {{ ike: 3des-md5;modp1536, esp: 3des-md5, esp-lifetime: 1h }}
steps:
  - connect: {{ vpc: main, customer: branch }}
{steps}
"
        );
        scenario::parse("one.yaml", &text).unwrap().cells().remove(0)
    }

    #[test]
    fn a_tunnel_that_carries_packets_is_held_before_it_ends() {
        let steps =
            "  - exchange: { between: [main, branch], packets: 2 }\n  - disconnect: { vpc: main, customer: branch }";
        let cell = held(cell("", steps));
        assert_eq!(cell.steps.len(), 7);
        assert!(matches!(cell.steps[3], Step::Hold(lifetime) if lifetime.as_secs() == 3_600));
        assert!(matches!(cell.steps[6], Step::Disconnect { .. }));
    }

    #[test]
    fn what_waits_by_itself_or_cannot_come_up_is_left_as_it_is() {
        let waits = cell("", "  - exchange: { between: [main, branch], packets: 2 }\n  - hold: 5m");
        assert_eq!(held(waits.clone()), waits);
        let wrong_key = cell(", gateway: { psk: '456456' }", "  - expect: { traffic: none-in-clear }");
        assert_eq!(held(wrong_key.clone()), wrong_key);
    }
}
