//! The steps, one after another.
//!
//! [`Walk`] knows what those before have done, so that what cannot follow them is a mistake of the file.

mod condition;
mod connection;
mod expect;
mod link;
mod machine;
mod message;
mod traffic;
mod walk;

use walk::Walk;

use super::{
    fields::{entries, list},
    names::Names,
    release::Told,
    scalar,
};
use crate::{Step, diagnostic::Problems, nearest::one_of, tree::Node};

const STEPS: [&str; 19] = [
    "connect",
    "disconnect",
    "reset",
    "change",
    "exchange",
    "expect",
    "hold",
    "reboot-router",
    "stop-router",
    "start-router",
    "restart-vpc",
    "kill",
    "restart",
    "power-off",
    "power-on",
    "link",
    "partition",
    "clock",
    "message",
];
const STEP_EXAMPLE: &str = "`- connect: { vpc: main, customer: branch }`";

pub(super) fn read(node: &Node, names: &Names, told: &mut Told, problems: &mut Problems<'_>) -> Vec<Step> {
    let mut walk = Walk::of(names);
    let items = list(node, "steps", STEP_EXAMPLE, problems).unwrap_or_default();
    let steps = items.iter().flat_map(|item| walk.step(item, problems)).collect();
    told.changes.append(&mut walk.changes);
    steps
}

impl Walk<'_> {
    fn step(&mut self, node: &Node, problems: &mut Problems<'_>) -> Vec<Step> {
        let help = || format!("write one of {}, such as {STEP_EXAMPLE}", STEPS.join(", "));
        let entries = entries(node, "a step", help, problems).unwrap_or_default();
        let [entry] = entries.as_slice() else {
            self.unsure = true;
            if let Some(second) = entries.get(1) {
                let message = format!("`{}` is a second action in one step", second.key);
                problems.report(second.at, message, format!("begin a new step: `- {}: ...`", second.key));
            }
            return Vec::new();
        };
        let read = match entry.key {
            // One step may be several expectations, and none of them changes anything.
            "expect" => return self.expect(entry, problems).into_iter().map(Step::Expect).collect(),
            "connect" => self.connect(entry, problems),
            "disconnect" => self.disconnect(entry, problems),
            "reset" => self.reset(entry, problems),
            "change" => self.change(entry, problems),
            "exchange" => self.exchange(entry, problems),
            "hold" => scalar::duration(entry.node, "hold", problems).map(Step::Hold),
            "reboot-router" => self.reboot_router(entry, problems),
            "stop-router" => self.stop_router(entry, problems),
            "start-router" => self.start_router(entry, problems),
            "restart-vpc" => self.restart_vpc(entry, problems),
            "kill" => self.kill(entry, problems),
            "restart" => self.restart(entry, problems),
            "power-off" => self.power_off(entry, problems),
            "power-on" => self.power_on(entry, problems),
            "link" => self.link(entry, problems),
            "partition" => self.partition(entry, problems),
            "clock" => self.clock(entry, problems),
            "message" => message::read(entry, problems).map(Step::Message),
            word => {
                problems.report(entry.at, format!("unknown step `{word}`"), one_of(word, &STEPS));
                None
            }
        };
        self.unsure |= read.is_none();
        Vec::from_iter(read)
    }
}
