//! Machines and what runs on them: routers, daemons, the management service, plugs and clocks.

use super::walk::Walk;
use crate::{
    Step,
    diagnostic::Problems,
    fault::Victim,
    nearest::one_of,
    read::{
        fields::{Entry, Fields},
        scalar,
    },
    tree::{Node, Value},
};

/// The asynchronous commands that a scenario's steps give, and the world's beginning and end.
const JOBS: [&str; 14] = [
    "createVPC",
    "createVpnGateway",
    "createVpnCustomerGateway",
    "createVpnConnection",
    "resetVpnConnection",
    "updateVpnCustomerGateway",
    "deleteVpnConnection",
    "deleteVpnCustomerGateway",
    "deleteVpnGateway",
    "deleteVPC",
    "rebootRouter",
    "stopRouter",
    "startRouter",
    "restartVPC",
];

const VICTIM: &str = "`service`, or `{ daemon: NAME }` of a VPC or a customer";

impl Walk<'_> {
    pub(super) fn reboot_router(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let vpc = self.vpc(entry.node, problems)?;
        self.needs_machine(&vpc, entry.at, problems);
        self.begins_anew(&vpc);
        Some(Step::RebootRouter(vpc))
    }

    pub(super) fn stop_router(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let vpc = self.vpc(entry.node, problems)?;
        let message = || format!("the router of `{vpc}` is stopped already");
        let help = || format!("put `- start-router: {vpc}` before it, or leave this step out");
        self.order(!self.stopped.contains(&vpc), entry.at, message, help, problems);
        self.begins_anew(&vpc);
        self.stopped.insert(vpc.clone());
        Some(Step::StopRouter(vpc))
    }

    pub(super) fn start_router(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let vpc = self.vpc(entry.node, problems)?;
        let message = || format!("the router of `{vpc}` is not stopped at this step");
        let help = || format!("put `- stop-router: {vpc}` before it, or leave this step out");
        self.order(self.stopped.contains(&vpc), entry.at, message, help, problems);
        self.stopped.remove(&vpc);
        Some(Step::StartRouter(vpc))
    }

    /// `main`, or `{ vpc: main, cleanup: true }`. A router that runs is left alone without clean-up.
    pub(super) fn restart_vpc(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let (vpc, cleanup) = match entry.node.value {
            Value::Map(_) => {
                let fields = Fields::read(entry.node, entry.at, "a restart", &["vpc", "cleanup"], problems)?;
                let vpc = fields.require("vpc", "`vpc: NAME`", problems);
                let vpc = vpc.and_then(|node| self.vpc(node, problems));
                let cleanup = fields.get("cleanup").map_or(Some(false), |n| scalar::boolean(n, "cleanup", problems));
                (vpc?, cleanup?)
            }
            _ => (self.vpc(entry.node, problems)?, false),
        };
        if self.stopped.remove(&vpc) || cleanup {
            self.begins_anew(&vpc);
        }
        Some(Step::RestartVpc { vpc, cleanup })
    }

    /// `service`, `{ service: COMMAND }` or `{ daemon: NAME }`.
    pub(super) fn kill(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let (victim, during) = match &entry.node.value {
            Value::Map(_) => {
                let fields = Fields::read(entry.node, entry.at, "a kill", &["daemon", "service"], problems)?;
                match (fields.get("daemon"), fields.get("service")) {
                    (Some(_), Some(_)) => {
                        let help = "begin a new step for the other: `- kill: ...`";
                        problems.report(fields.at("service"), "one step kills a daemon or the service", help);
                        return None;
                    }
                    (Some(node), None) => (Victim::Daemon(self.machine(node, problems)?), None),
                    (None, Some(node)) => (Victim::Service, Some(job(node, problems)?)),
                    (None, None) if fields.has_unknown => return None,
                    (None, None) => {
                        problems.report(entry.at, "nothing is killed", format!("write {VICTIM}"));
                        return None;
                    }
                }
            }
            _ => (service(entry.node, problems)?, None),
        };
        if let Victim::Daemon(of) = &victim {
            self.needs_machine(of, entry.at, problems);
        }
        let message = || format!("{} is killed already", shown(&victim));
        let help = || format!("put `- restart: {}` before it, or leave this step out", written(&victim));
        self.order(!self.killed.contains(&victim), entry.at, message, help, problems);
        match during {
            // It is started again by the same step.
            Some(command) => Some(Step::KillDuring(command)),
            None => {
                self.killed.push(victim.clone());
                Some(Step::Kill(victim))
            }
        }
    }

    /// `service` or `{ daemon: NAME }`.
    pub(super) fn restart(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let victim = match entry.node.value {
            Value::Map(_) => {
                let fields = Fields::read(entry.node, entry.at, "a restart", &["daemon"], problems)?;
                if fields.has_unknown {
                    return None;
                }
                let daemon = fields.require("daemon", VICTIM, problems)?;
                Victim::Daemon(self.machine(daemon, problems)?)
            }
            _ => service(entry.node, problems)?,
        };
        let message = || format!("{} has not been killed before this step", shown(&victim));
        let help = || format!("put `- kill: {}` before it, or leave this step out", written(&victim));
        self.order(self.killed.contains(&victim), entry.at, message, help, problems);
        self.killed.retain(|killed| *killed != victim);
        Some(Step::Restart(victim))
    }

    pub(super) fn power_off(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let customer = self.customer(entry.node, problems)?;
        let message = || format!("the gateway of `{customer}` has no power already");
        let help = || format!("put `- power-on: {customer}` before it, or leave this step out");
        self.order(!self.dark.contains(&customer), entry.at, message, help, problems);
        self.begins_anew(&customer);
        self.dark.insert(customer.clone());
        Some(Step::PowerOff(customer))
    }

    pub(super) fn power_on(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let customer = self.customer(entry.node, problems)?;
        let message = || format!("the gateway of `{customer}` has power at this step");
        let help = || format!("put `- power-off: {customer}` before it, or leave this step out");
        self.order(self.dark.contains(&customer), entry.at, message, help, problems);
        self.dark.remove(&customer);
        Some(Step::PowerOn(customer))
    }

    pub(super) fn clock(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "a clock", &["of", "ahead"], problems)?;
        let of = fields.require("of", "`of: NAME`, a VPC or a customer", problems);
        let of = of.and_then(|node| self.machine(node, problems));
        let ahead = fields.require("ahead", "`ahead: 5m`, how far it is set ahead", problems);
        let ahead = ahead.and_then(|node| scalar::duration(node, "ahead", problems));
        Some(Step::Clock { of: of?, ahead: ahead? })
    }
}

/// The word `service`.
fn service(node: &Node, problems: &mut Problems<'_>) -> Option<Victim> {
    let help = || format!("write {VICTIM}");
    match scalar::raw(node, "what is killed", help, problems)? {
        "service" => Some(Victim::Service),
        word => {
            let help = match crate::nearest(word, ["service"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => help(),
            };
            problems.report(node.at, format!("`{word}` is nothing that can be killed"), help);
            None
        }
    }
}

/// A command whose job takes a while.
fn job(node: &Node, problems: &mut Problems<'_>) -> Option<String> {
    let command = scalar::raw(node, "a command", || one_of("", &JOBS), problems)?;
    if !JOBS.contains(&command) {
        let message = format!("no step gives a command `{command}` that has a job");
        problems.report(node.at, message, one_of(command, &JOBS));
        return None;
    }
    Some(command.to_owned())
}

fn shown(victim: &Victim) -> String {
    match victim {
        Victim::Daemon(of) => format!("the daemon of `{of}`"),
        Victim::Service => victim.to_string(),
    }
}

/// As a file has it.
fn written(victim: &Victim) -> String {
    match victim {
        Victim::Daemon(of) => format!("{{ daemon: {of} }}"),
        Victim::Service => "service".to_owned(),
    }
}
