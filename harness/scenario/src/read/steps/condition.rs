//! What is so at a moment, or is not: by itself within `always`, `never` and `until`, or among the keys of `expect`.

use super::{STEP_EXAMPLE, walk::Walk};
use crate::{
    Alert, Condition, ConnectionState, Traffic,
    diagnostic::Problems,
    nearest::one_of,
    read::{fields::Fields, scalar},
    tree::{At, Node, Value},
};

/// What a condition is about, in the order in which one step expects several.
pub(super) const SUBJECTS: [&str; 4] = ["connection", "sas", "alert", "traffic"];
pub(super) const KEYS: [&str; 6] = ["connection", "of", "sas", "on", "alert", "traffic"];

const EXAMPLE: &str = "one of `connection: Connected`, `sas: none, on: NAME`, `traffic: flowing` and `alert: none`";

impl Walk<'_> {
    /// A mapping that is one condition.
    pub(super) fn one_condition(&self, node: &Node, owner: At, problems: &mut Problems<'_>) -> Option<Condition> {
        let fields = Fields::read(node, owner, "a condition", &KEYS, problems)?;
        self.only_condition(&fields, owner, problems)
    }

    /// The only condition among these keys.
    pub(super) fn only_condition(&self, fields: &Fields<'_>, at: At, problems: &mut Problems<'_>) -> Option<Condition> {
        if belongs_to_nothing(fields, problems) {
            return None;
        }
        let mut subjects = SUBJECTS.into_iter().filter(|subject| fields.get(subject).is_some());
        match (subjects.next(), subjects.next()) {
            (Some(subject), None) => self.condition(subject, fields, problems),
            (Some(one), Some(other)) => {
                let message = format!("`{other}` stands beside `{one}`, and only one of them can be asked here");
                problems.report(fields.at(other), message, "begin a new step for it: `- expect: ...`");
                None
            }
            (None, _) if fields.has_unknown => None,
            (None, _) => {
                problems.report(at, "nothing is asked", format!("write {EXAMPLE}"));
                None
            }
        }
    }

    /// What is said of a subject that is there.
    pub(super) fn condition(
        &self,
        subject: &str,
        fields: &Fields<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<Condition> {
        let (node, at) = (fields.get(subject)?, fields.at(subject));
        match subject {
            "connection" => self.connection(node, at, fields.get("of"), problems),
            "sas" => {
                let known = ["none", "some"];
                let word = scalar::raw(node, "sas", || one_of("", &known), problems);
                if let Some(word) = word.filter(|word| !known.contains(word)) {
                    problems.report(node.at, format!("sas are none or some, not `{word}`"), one_of(word, &known));
                }
                let on = fields.require("on", "`on: NAME`, a VPC or a customer, beside `sas`", problems);
                let on = on.and_then(|node| self.machine(node, problems));
                Some(Condition::Sas { held: word.filter(|word| known.contains(word))? == "some", on: on? })
            }
            "alert" => alert(node, at, problems).map(Condition::Alert),
            _ => self.flowing(node, at, problems).map(Condition::Flowing),
        }
    }

    fn connection(&self, node: &Node, at: At, of: Option<&Node>, problems: &mut Problems<'_>) -> Option<Condition> {
        let state = state(node, problems);
        let of = match of {
            Some(node) => Some(self.customer(node, problems)?),
            None => None,
        };
        let is_made = self.made.iter().any(|(_, customer)| of.as_ref().is_none_or(|of| of == customer));
        let message = || match &of {
            Some(of) => format!("there is no connection of `{of}` at this step"),
            None => "there is no connection at this step".to_owned(),
        };
        self.order(is_made, at, message, || format!("put {STEP_EXAMPLE} before it"), problems);
        Some(Condition::Connection { state: state?, of })
    }

    fn flowing(&self, node: &Node, at: At, problems: &mut Problems<'_>) -> Option<bool> {
        let word = scalar::raw(node, "traffic", || one_of("", &["flowing", "stopped"]), problems)?;
        let Some(flowing) = is_flow(word) else {
            let (message, help) = if clear(node).is_some() {
                let message = format!("`{word}` is judged of a whole cell, and is not so or not at a moment");
                (message, format!("write `flowing` or `stopped`; or a step `- expect: {{ traffic: {word} }}`"))
            } else {
                let known = ["flowing", "stopped"].into_iter().chain(Traffic::ALL.into_iter().map(Traffic::name));
                (format!("unknown traffic `{word}`"), one_of(word, &known.collect::<Vec<_>>()))
            };
            problems.report(node.at, message, help);
            return None;
        };
        self.needs_stream(!self.streams.is_empty(), at, problems);
        Some(flowing)
    }

    pub(super) fn needs_stream(&self, is_there: bool, at: At, problems: &mut Problems<'_>) {
        let message = || "there is no stream of packets at this step".to_owned();
        let help = || "put `- exchange: { between: [main, branch], every: 1s }` before it".to_owned();
        self.order(is_there, at, message, help, problems);
    }
}

/// What is judged of a whole cell, if this is a word for it.
pub(super) fn clear(node: &Node) -> Option<Traffic> {
    let Value::Text(word) = &node.value else { return None };
    Traffic::ALL.into_iter().find(|traffic| traffic.name() == word)
}

/// Whether this word, of traffic, is one of a condition.
fn is_flow(word: &str) -> Option<bool> {
    match word {
        "flowing" => Some(true),
        "stopped" => Some(false),
        _ => None,
    }
}

/// Whether it is known what is said of traffic, and that it is so or not at a moment.
pub(super) fn is_condition(node: &Node) -> bool {
    matches!(&node.value, Value::Text(word) if is_flow(word).is_some())
}

/// Reports a key that says more of a subject that is not there.
pub(super) fn belongs_to_nothing(fields: &Fields<'_>, problems: &mut Problems<'_>) -> bool {
    let mut found = false;
    for (key, subject, example) in [("of", "connection", "`connection: Connected`"), ("on", "sas", "`sas: none`")] {
        if fields.get(key).is_some() && fields.get(subject).is_none() {
            let message = format!("`{key}` belongs to `{subject}`, which is not here");
            problems.report(fields.at(key), message, format!("write {example} beside it, or leave it out"));
            found = true;
        }
    }
    found
}

/// `none`, or `{ from: Connected, to: Disconnected }`.
fn alert(node: &Node, owner: At, problems: &mut Problems<'_>) -> Option<Alert> {
    if let Value::Text(word) = &node.value {
        if word == "none" {
            return Some(Alert::None);
        }
        let help = "write `none`, or the states of a change, such as `{ from: Connected, to: Disconnected }`";
        problems.report(node.at, format!("unknown alert `{word}`"), help);
        return None;
    }
    let fields = Fields::read(node, owner, "an alert", &["from", "to"], problems)?;
    let from = fields.require("from", "`from: Connected`, the state before", problems);
    let from = from.and_then(|node| state(node, problems));
    let to = fields.require("to", "`to: Disconnected`, the state after", problems);
    let to = to.and_then(|node| state(node, problems));
    Some(Alert::Switched { from: from?, to: to? })
}

fn state(node: &Node, problems: &mut Problems<'_>) -> Option<ConnectionState> {
    scalar::word(node, "connection state", &ConnectionState::ALL, problems)
}
