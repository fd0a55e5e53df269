//! Whether the kernel can do ESP: found out by adding SAs, because modules and licences make a configuration
//! file say little.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};
use policy::{Encryption, Hash};
use rustix::{io::Errno, net::netlink::XFRM};

use super::message::{self, NEW_SA};
use crate::{Result, machine::Machine, netlink};

/// Adds an SA of every suite that a policy can name; what is in the way, and what to do about it.
pub(crate) async fn try_every_suite(machine: &Machine) -> Result<Result<(), String>> {
    machine.run(every_suite).await
}

fn every_suite() -> Result<(), String> {
    let socket = netlink::open(XFRM, 0).map_err(|e| {
        format!("this kernel has no IPsec ({e}): it takes one with CONFIG_XFRM_USER and CONFIG_INET_ESP")
    })?;
    let suites = Encryption::ALL.into_iter().flat_map(|cipher| Hash::ALL.map(|hash| (cipher, hash)));
    let mut refused = Vec::new();
    for (number, (encryption, integrity)) in suites.enumerate() {
        let mut request = Vec::new();
        netlink::message(&mut request, NEW_SA, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 0, |out| {
            message::trial(out, 0x1000 + number as u32, encryption, integrity);
        });
        if let Err(e) = netlink::request(&socket, &request, |_| Ok(())) {
            refused.push((format!("{encryption}-{integrity}"), e));
        }
    }
    verdict(&refused)
}

/// What the refusals say: `xfrm_state_construct` and `__xfrm_init_state` of the kernel tell them apart by the error.
fn verdict(refused: &[(String, io::Error)]) -> Result<(), String> {
    let is = |e: &io::Error, errno: Errno| e.raw_os_error() == Some(errno.raw_os_error());
    let Some((_, first)) = refused.first() else { return Ok(()) };
    if refused.iter().any(|(_, e)| is(e, Errno::PROTONOSUPPORT)) {
        return Err("this kernel has no ESP (CONFIG_INET_ESP): load the module esp4 as root (modprobe esp4)".into());
    }
    let names: Vec<_> = refused.iter().map(|(name, _)| name.as_str()).collect();
    let remedy = if refused.iter().all(|(_, e)| is(e, Errno::NOSYS) || is(e, Errno::NOENT)) {
        ": it lacks their algorithms (CONFIG_CRYPTO_DES, _AES, _CBC, _MD5, _SHA1, _SHA256, _SHA512, _HMAC, _AUTHENC)"
    } else {
        ""
    };
    Err(format!("this kernel takes no ESP SA of {} ({first}){remedy}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let refusal = |errno: Errno| ("3des-md5".to_owned(), io::Error::from(errno));
        assert_eq!(verdict(&[]), Ok(()));
        let said = |errnos: &[Errno]| {
            verdict(&errnos.iter().map(|errno| refusal(*errno)).collect::<Vec<_>>()).expect_err("it was refused")
        };
        // A kernel may lack ESP and an algorithm.
        assert!(said(&[Errno::NOSYS, Errno::PROTONOSUPPORT]).ends_with("as root (modprobe esp4)"));
        assert!(said(&[Errno::NOSYS, Errno::NOENT]).contains("no ESP SA of 3des-md5, 3des-md5 (Function not"));
        assert!(said(&[Errno::PERM]).ends_with("(Operation not permitted (os error 1))"));
    }
}
