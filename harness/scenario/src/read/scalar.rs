//! Single values: words, numbers, durations, networks.

use std::{fmt::Display, time::Duration};

use ::policy::{Initiator, PolicyError, Proposals};
use ipnet::Ipv4Net;

use crate::{
    diagnostic::Problems,
    duration,
    nearest::one_of,
    tree::{Node, Value},
};

/// Text that is not empty.
pub(super) fn text(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<String> {
    let text = raw(node, what, || format!("write the {what} as one line of text"), problems)?;
    if text.trim().is_empty() {
        problems.report(node.at, format!("the {what} is empty"), format!("write the {what} as one line of text"));
        return None;
    }
    Some(text.trim().to_owned())
}

/// A word out of a set: an algorithm, a daemon, a state.
pub(super) fn word<T: Copy + Display>(node: &Node, what: &str, all: &[T], problems: &mut Problems<'_>) -> Option<T> {
    let names: Vec<_> = all.iter().map(T::to_string).collect();
    let known: Vec<_> = names.iter().map(String::as_str).collect();
    let word = raw(node, what, || one_of("", &known), problems)?;
    let found = all.iter().zip(&known).find(|(_, name)| **name == word);
    if found.is_none() {
        problems.report(node.at, format!("unknown {what} `{word}`"), one_of(word, &known));
    }
    found.map(|(value, _)| *value)
}

pub(super) fn initiator(node: &Node, problems: &mut Problems<'_>) -> Option<Initiator> {
    word(node, "initiator", &Initiator::ALL, problems)
}

/// A policy string: proposals with commas between them.
pub(super) fn proposals(node: &Node, problems: &mut Problems<'_>) -> Option<Proposals> {
    let text = raw(node, "a policy", || "write it such as `aes128-sha1;modp1536`".to_owned(), problems)?;
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    match words.join(",").parse() {
        Ok(proposals) => Some(proposals),
        Err(PolicyError::Unknown { what, found, known }) => {
            problems.report(node.at, format!("unknown {what} `{found}`"), one_of(&found, &known));
            None
        }
        Err(PolicyError::Shape { found }) => {
            let message = format!("`{found}` is not a proposal");
            let help = "write `encryption-hash` or `encryption-hash;group`, such as `aes128-sha1;modp1536`";
            problems.report(node.at, message, help);
            None
        }
    }
}

pub(super) fn boolean(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<bool> {
    let known = ["true", "false"];
    match raw(node, what, || one_of("", &known), problems)? {
        "true" => Some(true),
        "false" => Some(false),
        word => {
            problems.report(node.at, format!("{what} is true or false, not `{word}`"), one_of(word, &known));
            None
        }
    }
}

/// A whole number within bounds.
pub(super) fn number(node: &Node, what: &str, bounds: [u32; 2], problems: &mut Problems<'_>) -> Option<u32> {
    let [least, most] = bounds;
    let help = || format!("write a whole number from {least} to {most}");
    let text = raw(node, what, help, problems)?;
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Some(number),
        Ok(_) => {
            problems.report(node.at, format!("{what}: {text} is out of range"), help());
            None
        }
        Err(_) => {
            problems.report(node.at, format!("{what}: `{text}` is not a number in range"), help());
            None
        }
    }
}

/// A duration that is not zero.
pub(super) fn duration(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    let help = "write a whole number and a unit: `90s`, `5m`, `2h` or `3d`";
    let text = raw(node, what, || help.to_owned(), problems)?;
    let read = duration::parse(text).and_then(|d| if d.is_zero() { Err("is zero".to_owned()) } else { Ok(d) });
    match read {
        Ok(duration) => Some(duration),
        Err(problem) => {
            problems.report(node.at, format!("duration `{text}` {problem}"), help);
            None
        }
    }
}

/// An IPv4 network that has room for a gateway and guests, written without host bits.
pub(super) fn network(node: &Node, what: &str, problems: &mut Problems<'_>) -> Option<Ipv4Net> {
    let example = "write an IPv4 network such as `10.10.1.0/24`";
    let text = raw(node, what, || example.to_owned(), problems)?;
    let (message, help) = match text.parse::<Ipv4Net>() {
        Ok(net) if net.trunc() != net => {
            (format!("network `{text}` has host bits set"), format!("write `{}`", net.trunc()))
        }
        Ok(net) if !(8..=29).contains(&net.prefix_len()) => {
            let problem = if net.prefix_len() < 8 { "too large" } else { "too small for a gateway and guests" };
            (format!("network `{text}` is {problem}"), "write a prefix length from /8 to /29".to_owned())
        }
        Ok(net) => return Some(net),
        Err(_) if text.parse::<std::net::Ipv4Addr>().is_ok() => {
            (format!("network `{text}` has no prefix length"), format!("write one after it, such as `{text}/24`"))
        }
        Err(_) => (format!("{what}: `{text}` is not an IPv4 network"), example.to_owned()),
    };
    problems.report(node.at, message, help);
    None
}

/// The characters of a single value.
pub(super) fn raw<'n>(
    node: &'n Node,
    what: &str,
    help: impl Fn() -> String,
    problems: &mut Problems<'_>,
) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => {
            problems.report(node.at, format!("{what} is a single value, and here is {}", node.kind()), help());
            None
        }
    }
}
