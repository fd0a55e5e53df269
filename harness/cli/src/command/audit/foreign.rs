//! A capture that another laboratory made, or none: what can be judged of it without knowing what was to be there.

use std::collections::{BTreeMap, BTreeSet};

use wire::{
    audit::{Account, Code, SaKeys},
    wireshark::Stream,
};

/// What these say is true only of a capture whose SAs, probes and neighbours are all known.
const NEEDS_FACTS: [Code; 5] =
    [Code::UnknownSpi, Code::UnexplainedFrame, Code::UnknownProbe, Code::SaNotInstalled, Code::SaNotNegotiated];

/// Takes the findings out of the account that only facts would justify, and sums them up.
pub fn set_aside(account: &mut Account, streams: &BTreeSet<Stream>, sas: &[SaKeys]) -> Vec<String> {
    let mut aside: BTreeMap<Code, u64> = BTreeMap::new();
    account.findings.retain(|finding| {
        let code = NEEDS_FACTS.into_iter().find(|code| code.name() == finding.code);
        // What has no frames is missing once.
        let frames = (finding.frames.len() as u64 + finding.more).max(1);
        code.inspect(|&code| *aside.entry(code).or_default() += frames).is_none()
    });
    aside.into_iter().map(|(code, count)| sum(code, count, streams, sas)).collect()
}

fn sum(code: Code, count: u64, streams: &BTreeSet<Stream>, sas: &[SaKeys]) -> String {
    match code {
        Code::UnknownSpi => {
            let closed = streams.iter().filter(|stream| !sas.iter().any(|sa| sa.spi == stream.spi));
            let spis = closed.map(|stream| stream.spi).collect::<BTreeSet<_>>().len();
            let why = match sas {
                [] => "no keys were given; name a folder with Wireshark's table esp_sa with --keys",
                _ => "the keys that were given are those of other SAs",
            };
            format!("{count} ESP frames of {spis} SPIs stay closed: {why}")
        }
        Code::UnexplainedFrame => {
            format!("{count} frames are neither of the tunnel nor of what a tunnel needs: class `unexplained`")
        }
        other => format!("{count} times `{other}`: it takes the facts of a run to say"),
    }
}
