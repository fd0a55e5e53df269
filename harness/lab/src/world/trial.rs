//! Whether a laboratory can be built where this process is: by building a small one.

use ipnet::Ipv4Net;

use crate::{
    link::{self, End},
    machine::Machine,
    nft, sys, xfrm,
};

/// Runs in the inner half of a worker. The error says what is missing and what adds it.
pub(super) fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| format!("the worker's runtime: {e}"))?.block_on(build())
}

async fn build() -> Result<(), String> {
    let near = Machine::new("near", None).await.map_err(|e| e.to_string())?;
    let far = Machine::new("far", None).await.map_err(|e| e.to_string())?;
    let needs = |e: crate::Error, options: &str| format!("{e} (it takes {options} in the kernel)");
    xfrm::try_every_suite(&near).await.map_err(|e| e.to_string())??;
    let ends = [(&near, 1), (&far, 2)].map(|(machine, station)| End { machine, interface: WIRE, station });
    link::connect(ends[0], ends[1]).await.map_err(|e| needs(e, "CONFIG_VETH"))?;
    let index = near.interface_index(WIRE).await.map_err(|e| e.to_string())?;
    let captured = near.attempt("capture", move || sys::packet_socket(index)).await;
    captured.map_err(|e| needs(e, "CONFIG_PACKET"))?;
    let net = |third| Ipv4Net::new_assert([192, 168, third, 0].into(), 24);
    let translated = nft::source_nat(&near, WIRE, &[net(1)], &[(net(1), net(2))]).await;
    translated.map_err(|e| needs(e, "CONFIG_NF_TABLES_IPV4, CONFIG_NFT_MASQ, CONFIG_NFT_XFRM and CONFIG_NF_CT_NETLINK"))
}

const WIRE: &str = "wire";
