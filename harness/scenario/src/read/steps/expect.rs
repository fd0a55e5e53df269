//! What must be so: now, in time, all the time, never, or until something else is.

use std::time::Duration;

use super::{
    condition::{SUBJECTS, belongs_to_nothing, clear, is_condition},
    walk::Walk,
};
use crate::{
    Condition, Expectation,
    diagnostic::Problems,
    read::{
        fields::{Entry, Fields},
        scalar,
    },
};

const KEYS: [&str; 14] = [
    "connection",
    "of",
    "sas",
    "on",
    "alert",
    "traffic",
    "within",
    "until",
    "always",
    "never",
    "for",
    "lost",
    "gap",
    "rekeys",
];

/// The keys that make an expectation another one, and those that may stand beside them.
const FORMS: [(&str, &[&str]); 5] = [
    ("always", &["for"]),
    ("never", &["for"]),
    ("lost", &["gap"]),
    ("rekeys", &[]),
    ("until", &["connection", "of", "sas", "on", "alert", "traffic", "within"]),
];

const EXAMPLE: &str = "`expect: { connection: Connected, within: 60s }` or `expect: { traffic: none-in-clear }`";
const WITHIN: &str = "`within: 60s`, the longest that it may take";

/// More than a cell can have in a year, and so a mistake.
const MOST: u32 = 1_000_000;

impl Walk<'_> {
    pub(super) fn expect(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Vec<Expectation> {
        let Some(fields) = Fields::read(entry.node, entry.at, "an expectation", &KEYS, problems) else {
            return Vec::new();
        };
        let form = FORMS.into_iter().find(|(form, _)| fields.get(form).is_some());
        let Some((form, beside)) = form else {
            return self.conditions(entry, &fields, problems);
        };
        let stray = KEYS.into_iter().find(|key| *key != form && !beside.contains(key) && fields.get(key).is_some());
        if let Some(stray) = stray {
            let message = format!("`{stray}` cannot stand beside `{form}`");
            problems.report(fields.at(stray), message, "leave it out, or begin a new step: `- expect: ...`");
            return Vec::new();
        }
        Vec::from_iter(match form {
            "always" | "never" => self.lasting(form, &fields, problems),
            "until" => self.until(entry, &fields, problems),
            "lost" => self.lost(&fields, problems),
            _ => self.rekeys(&fields, problems),
        })
    }

    /// What is said about connections, SAs, alerts and traffic are expectations of their own, one after the other.
    fn conditions(&self, entry: &Entry<'_>, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Vec<Expectation> {
        let mut strays = belongs_to_nothing(fields, problems);
        for (key, forms) in [("for", "`always` and `never`"), ("gap", "`lost`")] {
            if fields.get(key).is_some() {
                let message = format!("`{key}` belongs to {forms}");
                problems.report(fields.at(key), message, format!("leave it out, or write it beside {forms}"));
                strays = true;
            }
        }
        let there: Vec<_> = SUBJECTS.into_iter().filter(|subject| fields.get(subject).is_some()).collect();
        let clear = fields.get("traffic").and_then(clear);
        // An alert is looked for at once where the time is another's.
        let needs_time = |subject: &str| subject != "alert" && !(subject == "traffic" && clear.is_some());
        let is_understood = |subject: &str| subject != "traffic" || fields.get(subject).is_some_and(is_condition);
        let is_timed = there.iter().any(|subject| needs_time(subject));
        let within = match fields.get("within") {
            Some(node) if is_timed || there.contains(&"alert") => Some(scalar::duration(node, "within", problems)),
            Some(_) if fields.has_unknown => None,
            Some(_) => {
                let message = "`within` says how long what is expected may take, and nothing here takes time";
                problems.report(fields.at("within"), message, format!("leave it out, or write {EXAMPLE}"));
                return Vec::new();
            }
            // What was meant by an unknown word may take no time.
            None if there.iter().any(|subject| needs_time(subject) && is_understood(subject)) => {
                Some(fields.require("within", WITHIN, problems).and(None))
            }
            None => None,
        };
        if there.is_empty() && !strays && !fields.has_unknown {
            problems.report(entry.at, "nothing is expected", format!("write {EXAMPLE}"));
        }
        let mut read = Vec::new();
        for subject in there {
            if let Some(traffic) = clear.filter(|_| subject == "traffic") {
                read.push(Expectation::Traffic(traffic));
                continue;
            }
            let condition = self.condition(subject, fields, problems);
            let within = within.filter(|_| needs_time(subject) || !is_timed);
            read.extend(condition.and_then(|condition| expected(condition, within)));
        }
        read
    }

    fn lasting(&self, form: &'static str, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Expectation> {
        let condition = self.one_condition(fields.get(form)?, fields.at(form), problems);
        let lasting = fields.require("for", "`for: 10m`, how long it is looked at", problems);
        let lasting = lasting.and_then(|node| scalar::duration(node, "for", problems));
        let (condition, lasting) = (condition?, lasting?);
        Some(match form {
            "always" => Expectation::Always { condition, lasting },
            _ => Expectation::Never { condition, lasting },
        })
    }

    fn until(&self, entry: &Entry<'_>, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Expectation> {
        let condition = self.only_condition(fields, entry.at, problems);
        let until = self.one_condition(fields.get("until")?, fields.at("until"), problems);
        let within = fields.require("within", WITHIN, problems);
        let within = within.and_then(|node| scalar::duration(node, "within", problems));
        Some(Expectation::Until { condition: condition?, until: until?, within: within? })
    }

    fn lost(&self, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Expectation> {
        let packets = scalar::number(fields.get("lost")?, "lost", [0, MOST], problems);
        let gap = fields.get("gap").map(|node| scalar::duration(node, "gap", problems));
        self.needs_stream(self.streamed, fields.at("lost"), problems);
        let gap = match gap {
            Some(gap) => Some(gap?),
            None => None,
        };
        Some(Expectation::Lost { packets: packets?, gap })
    }

    fn rekeys(&self, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Expectation> {
        let at = fields.at("rekeys");
        let counts = Fields::read(fields.get("rekeys")?, at, "rekeys", &["ike", "esp"], problems)?;
        let mut of =
            |key: &'static str| counts.get(key).map_or(Some(0), |node| scalar::number(node, key, [0, MOST], problems));
        let (ike, esp) = (of("ike")?, of("esp")?);
        if counts.has_unknown {
            return None;
        }
        if ike == 0 && esp == 0 {
            problems.report(at, "no rekey is expected", "write how many at least: `rekeys: { esp: 24, ike: 1 }`");
            return None;
        }
        let message = || "there is no connection at this step".to_owned();
        let help = || format!("put {} before it", super::STEP_EXAMPLE);
        self.order(!self.open.is_empty(), at, message, help, problems);
        Some(Expectation::Rekeys { ike, esp })
    }
}

/// Nothing if the time could not be read.
fn expected(condition: Condition, within: Option<Option<Duration>>) -> Option<Expectation> {
    Some(match (condition, within) {
        (Condition::Connection { state, of: None }, Some(within)) => Expectation::Connection { state, within: within? },
        (Condition::Alert(alert), None) => Expectation::Alert(alert),
        (condition, Some(within)) => Expectation::Within { condition, within: within? },
        (_, None) => return None,
    })
}
