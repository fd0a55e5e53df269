//! Work on single messages of IKE on their way.

use crate::{
    diagnostic::Problems,
    fault::{Action, Exchange, Side, Surgery},
    nearest::one_of,
    read::{
        fields::{Entry, Fields, entries},
        scalar,
    },
};

const ACTIONS: [&str; 5] = ["drop", "delay", "duplicate", "replay", "truncate"];
const EXAMPLE: &str = "`message: { drop: { exchange: quick-mode, number: 2 } }`";

/// More is better done by `link` or `partition`.
const MOST_TIMES: u32 = 1_000;

/// The longest message that is not cut into fragments by IPv4.
const LONGEST: u32 = 1_472;

pub(super) fn read(entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Surgery> {
    let help = || format!("write what is done to it, one of {}: {EXAMPLE}", ACTIONS.join(", "));
    let actions = entries(entry.node, "work on a message", help, problems)?;
    let [action] = actions.as_slice() else {
        match actions.get(1) {
            Some(second) => {
                let message = format!("`{}` is a second action on one message", second.key);
                problems.report(second.at, message, "begin a new step: `- message: ...`");
            }
            None => problems.report(entry.at, "nothing is done to a message", help()),
        }
        return None;
    };
    let (what, own) = match action.key {
        "drop" => ("a drop", None),
        "delay" => ("a delay", Some("by")),
        "duplicate" => ("a duplicate", None),
        "replay" => ("a replay", Some("after")),
        "truncate" => ("a truncation", Some("bytes")),
        word => {
            problems.report(action.at, format!("unknown work on a message `{word}`"), one_of(word, &ACTIONS));
            return None;
        }
    };
    let known: Vec<_> = ["exchange", "number", "from", "times"].into_iter().chain(own).collect();
    let fields = Fields::read(action.node, action.at, what, &known, problems)?;
    let exchange = fields.require("exchange", "`exchange: quick-mode`", problems);
    let exchange = exchange.and_then(|node| scalar::word(node, "exchange", &Exchange::ALL, problems));
    let number = fields.require("number", "`number: 2`, which message of the exchange, from 1", problems);
    let number = number.and_then(|node| {
        let most = exchange.map_or(u8::MAX, most);
        scalar::number(node, "number", [1, most.into()], problems).and_then(|number| u8::try_from(number).ok())
    });
    let from = fields.get("from").map(|node| scalar::word(node, "side", &Side::ALL, problems));
    let times = fields.get("times").map_or(Some(1), |node| scalar::number(node, "times", [1, MOST_TIMES], problems));
    let action = action_of(action.key, &fields, problems);
    let from = match from {
        Some(side) => Some(side?),
        None => None,
    };
    Some(Surgery { action: action?, exchange: exchange?, number: number?, from, times: times? })
}

fn action_of(key: &str, fields: &Fields<'_>, problems: &mut Problems<'_>) -> Option<Action> {
    let mut time = |key: &str, example: &str| {
        let node = fields.require(key, example, problems)?;
        scalar::duration(node, key, problems)
    };
    Some(match key {
        "delay" => Action::Delay(time("by", "`by: 5s`, how much later it arrives")?),
        "replay" => Action::Replay(time("after", "`after: 10s`, how much later it arrives again")?),
        "truncate" => {
            let node = fields.require("bytes", "`bytes: 40`, how much of the message arrives", problems)?;
            let bytes = scalar::number(node, "bytes", [1, LONGEST], problems)?;
            Action::Truncate(u16::try_from(bytes).ok()?)
        }
        "duplicate" => Action::Duplicate,
        _ => Action::Drop,
    })
}

/// How many messages an exchange has at most: RFC 2409 sections 5.4 and 5.5, with the one more that the commit bit adds;
/// RFC 7296 section 1.2, with a cookie and another group asked for before (section 2.6.1).
fn most(exchange: Exchange) -> u8 {
    match exchange {
        Exchange::MainMode | Exchange::IkeSaInit => 6,
        Exchange::AggressiveMode => 3,
        Exchange::QuickMode => 4,
        Exchange::Informational | Exchange::IkeAuth | Exchange::CreateChildSa => 2,
    }
}
