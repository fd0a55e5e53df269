//! The two ends of each connection of a cell, as their own devices have them.

use std::{fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;
use policy::{End, Grade, IkeVersion, Lifetime, Policy, PreSharedKey, Proposals};
use serde::{Deserialize, Serialize};

use crate::{Cell, Step};

/// What a customer's own device has otherwise than the cloud is told. What is absent is as the cloud is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    pub ike: Option<Proposals>,
    pub esp: Option<Proposals>,
    pub ike_lifetime: Option<Lifetime>,
    pub esp_lifetime: Option<Lifetime>,
    pub dpd: Option<bool>,
    pub ike_version: Option<IkeVersion>,
    pub psk: Option<PreSharedKey>,
    pub subnets: Option<Vec<Ipv4Net>>,
    /// What it believes the VPC's network to be.
    pub peer_nets: Option<Vec<Ipv4Net>>,
    /// A wrong address for the router.
    pub peer: Option<Ipv4Addr>,
}

impl Gateway {
    fn policy(&self, told: &Policy) -> Policy {
        Policy {
            ike: self.ike.clone().unwrap_or_else(|| told.ike.clone()),
            esp: self.esp.clone().unwrap_or_else(|| told.esp.clone()),
            ike_lifetime: self.ike_lifetime.unwrap_or(told.ike_lifetime),
            esp_lifetime: self.esp_lifetime.unwrap_or(told.esp_lifetime),
            dpd: self.dpd.unwrap_or(told.dpd),
        }
    }
}

impl Gateway {
    /// Takes over what another has.
    pub fn change(&mut self, to: &Self) {
        fn take<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
        take(&mut self.ike, &to.ike);
        take(&mut self.esp, &to.esp);
        take(&mut self.ike_lifetime, &to.ike_lifetime);
        take(&mut self.esp_lifetime, &to.esp_lifetime);
        take(&mut self.dpd, &to.dpd);
        take(&mut self.ike_version, &to.ike_version);
        take(&mut self.psk, &to.psk);
        take(&mut self.subnets, &to.subnets);
        take(&mut self.peer_nets, &to.peer_nets);
        take(&mut self.peer, &to.peer);
    }

    /// The names of what it has.
    pub fn settings(&self) -> Vec<&'static str> {
        self.words().into_iter().map(|(name, _)| name).collect()
    }

    /// What it has, by the names of scenario files.
    fn words(&self) -> Vec<(&'static str, String)> {
        fn word<T: ToString>(value: &Option<T>) -> Option<String> {
            value.as_ref().map(T::to_string)
        }
        let seconds = |lifetime: Option<Lifetime>| lifetime.map(|lifetime| format!("{} s", lifetime.0));
        let list = |nets: &Option<Vec<Ipv4Net>>| {
            let nets = nets.as_ref()?;
            Some(nets.iter().map(Ipv4Net::to_string).collect::<Vec<_>>().join(" "))
        };
        let all = [
            ("ike", word(&self.ike)),
            ("esp", word(&self.esp)),
            ("ike-lifetime", seconds(self.ike_lifetime)),
            ("esp-lifetime", seconds(self.esp_lifetime)),
            ("dpd", word(&self.dpd)),
            ("ike-version", word(&self.ike_version)),
            ("psk", word(&self.psk)),
            ("subnets", list(&self.subnets)),
            ("peer-nets", list(&self.peer_nets)),
            ("peer", word(&self.peer)),
        ];
        all.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words().into_iter().map(|(key, value)| format!("{key} {value}")).collect();
        f.write_str(&words.join(", "))
    }
}

impl Cell {
    /// What is said today of the policy that the cloud is told.
    pub fn grade(&self) -> Grade {
        policy::grade(&self.policy, self.ike().initiates())
    }

    /// The address that a customer's gateway wrongly has for the router, if it has one.
    pub fn wrong_peer(&self, customer: &str) -> Option<Ipv4Addr> {
        self.customers.get(customer)?.gateway.peer
    }

    /// Every pre-shared key that an end has.
    pub fn keys(&self) -> impl Iterator<Item = &PreSharedKey> {
        self.customers.values().flat_map(|customer| [&customer.psk].into_iter().chain(&customer.gateway.psk))
    }

    /// The router and the customer's gateway of every connection that the steps make; without any, two ends that are told
    /// the same. Never empty.
    pub fn connections(&self) -> Vec<[End; 2]> {
        let mut made: Vec<_> = self.steps.iter().filter_map(Step::connects).collect();
        made.sort_unstable();
        made.dedup();
        let mut ends: Vec<_> = made.iter().filter_map(|(vpc, customer)| self.ends(vpc, customer)).collect();
        if ends.is_empty() {
            ends.push([self.told(), self.told()]);
        }
        ends
    }

    /// The router of a VPC, as the cloud configures it for a customer, and the customer's gateway, as its owner does;
    /// nothing if there is no such VPC or customer.
    pub fn ends(&self, vpc: &str, customer: &str) -> Option<[End; 2]> {
        self.ends_with(vpc, customer, &self.customers.get(customer)?.gateway)
    }

    /// As [`Cell::ends`], with other settings of the customer's own device.
    pub fn ends_with(&self, vpc: &str, customer: &str, own: &Gateway) -> Option<[End; 2]> {
        let (vpc, customer) = (self.cloud.vpcs.get(vpc)?, self.customers.get(customer)?);
        let router = End {
            daemon: Some(vpc.router),
            key: customer.psk.clone(),
            local_nets: vec![vpc.cidr],
            peer_nets: customer.subnets.clone(),
            ..self.told()
        };
        let gateway = End {
            daemon: Some(customer.daemon),
            policy: own.policy(&self.policy),
            ike: own.ike_version.unwrap_or(router.ike),
            key: own.psk.clone().unwrap_or_else(|| customer.psk.clone()),
            knows_peer: own.peer.is_none(),
            local_nets: own.subnets.clone().unwrap_or_else(|| customer.subnets.clone()),
            peer_nets: own.peer_nets.clone().unwrap_or_else(|| vec![vpc.cidr]),
        };
        Some([router, gateway])
    }

    /// What every end is told, whichever it is.
    fn told(&self) -> End {
        End {
            daemon: None,
            policy: self.policy.clone(),
            ike: self.ike(),
            key: PreSharedKey::new(""),
            knows_peer: true,
            local_nets: Vec::new(),
            peer_nets: Vec::new(),
        }
    }
}
