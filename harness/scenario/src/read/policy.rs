//! The policy of both ends.

use std::time::Duration;

use ::policy::{IkeVersion, Lifetime, Policy, Proposals};

use super::{
    fields::{Fields, list},
    scalar,
};
use crate::{
    diagnostic::Problems,
    tree::{At, Node, Value},
};

/// The service refuses longer lifetimes (createVpnCustomerGateway).
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);

/// The policy, and where the file has each proposal of each phase.
pub(super) struct Written {
    pub policy: Policy,
    pub ike: Vec<At>,
    pub esp: Vec<At>,
    pub ike_version: Option<(IkeVersion, At)>,
}

pub(super) fn read(node: &Node, owner: At, problems: &mut Problems<'_>) -> Option<Written> {
    let known = ["ike", "esp", "ike-lifetime", "esp-lifetime", "dpd", "ike-version"];
    let fields = Fields::read(node, owner, "the policy", &known, problems)?;
    let ike = fields.require("ike", "`ike: aes128-sha1;modp1536`", problems);
    let ike = ike.and_then(|node| Some((proposals(node, problems)?, places(node))));
    let esp = fields.require("esp", "`esp: aes128-sha1`, with a group for perfect forward secrecy", problems);
    let esp = esp.and_then(|node| Some((proposals(node, problems)?, places(node))));
    let ike_lifetime = fields.get("ike-lifetime").map(|node| lifetime(node, problems));
    let esp_lifetime = fields.get("esp-lifetime").map(|node| lifetime(node, problems));
    let dpd = fields.get("dpd").map(|node| scalar::boolean(node, "dpd", problems));
    let ike_version = fields.get("ike-version").and_then(|node| Some((version(node, problems)?, node.at)));

    let ((ike, ike_at), (esp, esp_at)) = (ike?, esp?);
    let policy = Policy::new(ike, esp);
    let policy = Policy {
        ike_lifetime: ike_lifetime.flatten().unwrap_or(policy.ike_lifetime),
        esp_lifetime: esp_lifetime.flatten().unwrap_or(policy.esp_lifetime),
        dpd: dpd.flatten().unwrap_or(policy.dpd),
        ..policy
    };
    Some(Written { policy, ike: ike_at, esp: esp_at, ike_version })
}

/// Proposals in one policy string, or one by one in a list.
pub(super) fn proposals(node: &Node, problems: &mut Problems<'_>) -> Option<Proposals> {
    if let Value::List(_) = node.value {
        let texts: Vec<_> = list(node, "proposals", "`aes128-sha1;modp1536`", problems)?
            .iter()
            .filter_map(|item| proposals(item, problems))
            .map(|proposals| proposals.to_string())
            .collect();
        return texts.join(",").parse().ok();
    }
    scalar::proposals(node, problems)
}

pub(super) fn version(node: &Node, problems: &mut Problems<'_>) -> Option<IkeVersion> {
    scalar::word(node, "version of IKE", &IkeVersion::ALL, problems)
}

/// Where each of the proposals stands.
pub(super) fn places(node: &Node) -> Vec<At> {
    match &node.value {
        Value::List(items) => items.iter().flat_map(places).collect(),
        Value::Text(text) => vec![node.at; text.split(',').count()],
        _ => Vec::new(),
    }
}

/// A lifetime: a duration, or seconds as the API takes them.
pub(super) fn lifetime(node: &Node, problems: &mut Problems<'_>) -> Option<Lifetime> {
    let duration = match &node.value {
        Value::Text(text) if text.parse::<u32>().is_ok() => {
            Duration::from_secs(scalar::number(node, "lifetime", [1, u32::MAX], problems)?.into())
        }
        _ => scalar::duration(node, "a lifetime", problems)?,
    };
    if duration > LONGEST_LIFETIME {
        problems.report(node.at, "lifetime is longer than the service allows", "write at most `24h`");
        return None;
    }
    u32::try_from(duration.as_secs()).ok().map(Lifetime)
}
