//! Links between machines: veth pairs, addresses, routes.

use std::{net::Ipv4Addr, os::fd::AsRawFd};

use futures_util::TryStreamExt;
use ipnet::Ipv4Net;
use rtnetlink::{
    LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{
        link::{InfoData, InfoVeth, LinkAttribute},
        route::RouteHeader,
    },
};

use crate::{Error, Result, machine::Machine};

/// One end of a link: an interface of a machine.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub machine: &'a Machine,
    /// At most 15 characters (IFNAMSIZ of the kernel).
    pub interface: &'a str,
    /// The last two bytes of the interface's locally administered hardware address.
    pub station: u16,
}

/// Joins two machines by a veth pair whose ends are up.
pub async fn connect(near: End<'_>, far: End<'_>) -> Result<()> {
    let failed = |e: rtnetlink::Error| {
        let action = format!("link {} to {}:{}", near.interface, far.machine.name(), far.interface);
        Error::netlink(near.machine.name(), action, e)
    };
    let namespace = far.machine.namespace().map_err(Error::machine(far.machine.name(), "open its namespace"))?;
    // The peer is born in its own namespace. It cannot be brought up in the same message: the kernel
    // opens it before the two ends are joined.
    let peer = LinkUnspec::new_with_name(far.interface)
        .address(hardware_address(far.station))
        .setns_by_fd(namespace.as_raw_fd())
        .build();
    let pair = LinkVeth::new(near.interface, far.interface)
        .address(hardware_address(near.station))
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    near.machine.route().link().add(pair).execute().await.map_err(failed)?;
    near.machine.bring_up(near.interface).await?;
    far.machine.bring_up(far.interface).await
}

impl Machine {
    pub(crate) async fn interface_index(&self, interface: &str) -> Result<u32> {
        let failed = |reason: String| Error::netlink(self.name(), format!("look up interface {interface}"), reason);
        let mut links = self.route().link().get().match_name(interface.to_owned()).execute();
        match links.try_next().await {
            Ok(Some(link)) => Ok(link.header.index),
            Ok(None) => Err(failed("there is none".into())),
            Err(e) => Err(failed(e.to_string())),
        }
    }

    /// The names of its interfaces.
    pub(crate) async fn interfaces(&self) -> Result<Vec<String>> {
        let failed = |e| Error::netlink(self.name(), "list its interfaces", e);
        let links: Vec<_> = self.route().link().get().execute().try_collect().await.map_err(failed)?;
        let name = |attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        };
        Ok(links.into_iter().filter_map(|link| link.attributes.into_iter().find_map(name)).collect())
    }

    /// How many routes it has beside those that the kernel makes for its own addresses.
    pub(crate) async fn routes(&self) -> Result<usize> {
        let failed = |e| Error::netlink(self.name(), "list its routes", e);
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let routes: Vec<_> = self.route().route().get(all).execute().try_collect().await.map_err(failed)?;
        Ok(routes.iter().filter(|route| route.header.table == RouteHeader::RT_TABLE_MAIN).count())
    }

    pub(crate) async fn bring_up(&self, interface: &str) -> Result<()> {
        let index = self.interface_index(interface).await?;
        let message = LinkUnspec::new_with_index(index).up().build();
        let done = self.route().link().change(message).execute().await;
        done.map_err(|e| Error::netlink(self.name(), format!("bring up {interface}"), e))
    }

    pub(crate) async fn take_down(&self, interface: &str) -> Result<()> {
        let index = self.interface_index(interface).await?;
        let message = LinkUnspec::new_with_index(index).down().build();
        let done = self.route().link().change(message).execute().await;
        done.map_err(|e| Error::netlink(self.name(), format!("take down {interface}"), e))
    }

    /// Removes an interface, and with it the other end of its link.
    pub(crate) async fn remove_interface(&self, interface: &str) -> Result<()> {
        let index = self.interface_index(interface).await?;
        let done = self.route().link().del(index).execute().await;
        done.map_err(|e| Error::netlink(self.name(), format!("remove {interface}"), e))
    }

    /// Gives an interface an address and the prefix length of its network.
    pub async fn add_address(&self, interface: &str, address: Ipv4Addr, prefix: u8) -> Result<()> {
        let index = self.interface_index(interface).await?;
        let done = self.route().address().add(index, address.into(), prefix).execute().await;
        done.map_err(|e| Error::netlink(self.name(), format!("add {address}/{prefix} to {interface}"), e))
    }

    pub async fn add_route(&self, destination: Ipv4Net, gateway: Ipv4Addr) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.network(), destination.prefix_len())
            .gateway(gateway)
            .build();
        let done = self.route().route().add(route).execute().await;
        done.map_err(|e| Error::netlink(self.name(), format!("add the route to {destination} by {gateway}"), e))
    }
}

fn hardware_address(station: u16) -> Vec<u8> {
    let [high, low] = station.to_be_bytes();
    vec![0x02, b'T', b'P', 0, high, low]
}

/// Brings up the loopback interface of the namespace that the caller is in.
pub async fn raise_loopback() -> Result<()> {
    let (connection, route, _) = rtnetlink::new_connection().map_err(Error::machine("the worker", "open netlink"))?;
    let connection = tokio::spawn(connection);
    let message = LinkUnspec::new_with_name("lo").up().build();
    let done = route.link().change(message).execute().await;
    connection.abort();
    done.map_err(|e| Error::netlink("the worker", "bring up lo", e))
}
