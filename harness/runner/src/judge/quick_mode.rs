//! Phase 2 as the capture shows it: what each Quick Mode agreed on, and that the kernels use the keys of it. Where it
//! could not be decrypted, the check says so, and holds what the lengths of its messages leave possible.

use policy::{Group, Lifetime, Proposal, Version};
use wire::audit::{Negotiation, Pfs, QuickMode, Secrecy};

use super::{
    Evidence, check,
    packets::{is_one_of, seconds},
    shown_by,
};
use crate::record::Check;

/// Every Quick Mode has the transform, the lifetime and the key exchange of the policy.
pub(super) fn phase_2(Evidence { prediction, account, .. }: &Evidence<'_>) -> Option<Check> {
    let agreement = prediction.agreement()?;
    if agreement.version == Version::V2 {
        return None;
    }
    let (esp, lifetimes) = (agreement.esp, agreement.esp_lifetimes);
    let wanted = format!("{}-{}, {}, {}", esp.encryption, esp.hash, in_words(esp.group), seconds(lifetimes));
    let modes: Vec<&QuickMode> = account.negotiations.iter().flat_map(|negotiation| &negotiation.quick_modes).collect();
    let wrong = modes.iter().find_map(|mode| Some((mode, difference(mode, esp, lifetimes)?)));
    let frames = match &wrong {
        Some((mode, _)) => mode.frames.clone(),
        None => modes.iter().filter_map(|mode| mode.frames.first().copied()).collect(),
    };
    let closed = account.negotiations.iter().find_map(reason);
    let observed = match (wrong, closed, modes.len()) {
        (Some((_, wrong)), ..) => Err(wrong),
        (None, _, 0) => Err("no Quick Mode".to_owned()),
        (None, None, count) => Ok(format!("{count} Quick Modes, decrypted")),
        (None, Some(reason), count) => {
            Ok(format!("{count} Quick Modes, not all decrypted ({reason}): {}", inferred(&modes)))
        }
    };
    shown_by(check("phase-2", "RFC 2409 section 5.5, RFC 2407 section 4.5", wanted, observed), frames)
}

/// The keys that each Quick Mode leads to are those that the kernels have, so that the SAs are the negotiated ones.
pub(super) fn keys(Evidence { account, .. }: &Evidence<'_>) -> Option<Check> {
    let modes = || account.negotiations.iter().flat_map(|negotiation| &negotiation.quick_modes);
    let computed = modes().filter(|mode| mode.keys_match.is_some()).count();
    if computed == 0 {
        return None;
    }
    let differing: Vec<&QuickMode> = modes().filter(|mode| mode.keys_match == Some(false)).collect();
    let observed = match differing.first() {
        None => Ok(format!("those of {computed} Quick Modes are the kernels'")),
        Some(mode) => Err(format!("other keys than those of Quick Mode {:#010x}", mode.message_id)),
    };
    let wanted = "the SAs' keys are those of their Quick Modes (KEYMAT)".to_owned();
    let frames = differing.iter().flat_map(|mode| mode.frames.clone());
    shown_by(check("phase-2-keys", "RFC 2409 section 5.5", wanted, observed), frames)
}

/// What is not as the policy has it, in one Quick Mode.
fn difference(mode: &QuickMode, esp: Proposal, lifetimes: [Lifetime; 2]) -> Option<String> {
    let name = format!("Quick Mode {:#010x}", mode.message_id);
    match mode.pfs {
        Pfs::Seen { group: None } => return Some(format!("{name}: PFS with a group that is not known")),
        Pfs::Seen { group } | Pfs::Inferred { group } if group != esp.group => {
            return Some(format!("{name}: {}", in_words(group)));
        }
        Pfs::None if esp.group.is_some() => return Some(format!("{name}: {}", in_words(None))),
        _ => {}
    }
    let chosen = mode.chosen.as_ref()?;
    let agrees = chosen.encryption == Some(esp.encryption)
        && chosen.integrity == Some(esp.hash)
        && chosen.group == esp.group
        && is_one_of(chosen.lifetime_seconds, lifetimes);
    (!agrees).then(|| format!("{name}: {}", chosen.text))
}

fn in_words(group: Option<Group>) -> String {
    group.map_or("no PFS".to_owned(), |group| format!("PFS with {group}"))
}

fn reason(negotiation: &Negotiation) -> Option<&str> {
    match &negotiation.secrecy {
        Secrecy::NotDecrypted { reason } => Some(reason),
        Secrecy::Decrypted | Secrecy::NothingEncrypted => None,
    }
}

fn inferred(modes: &[&QuickMode]) -> String {
    let told = modes.iter().filter(|mode| mode.pfs != Pfs::Unknown).count();
    format!("what is known of PFS in {told} of them, by content or by length, is as demanded")
}
