//! Customer gateways: what an owner says of the far end. Nothing of it is tried out.

use std::net::Ipv4Addr;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Parameter, Result, Type, no_vpc, vpc::add_owner};
use crate::{
    rule::{
        network,
        policy::{Answer as Judgement, Phase},
    },
    server::Failure,
    store::{Entity, connection, customer_gateway},
};

/// The most a lifetime may be, in seconds; there is no least.
const MAX_LIFETIME: i64 = 86_400;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnCustomerGateway",
        parameters: &[
            Parameter::optional("name", Type::Text),
            Parameter::required("gateway", Type::Text).field("gatewayIp"),
            Parameter::required("cidrlist", Type::Text).field("guestCidrList"),
            Parameter::required("ipsecpsk", Type::Secret).field("ipsecPsk"),
            Parameter::required("ikepolicy", Type::Text).field("ikePolicy"),
            Parameter::required("esppolicy", Type::Text).field("espPolicy"),
            Parameter::optional("ikelifetime", Type::Long),
            Parameter::optional("esplifetime", Type::Long),
            Parameter::optional("dpd", Type::Bool),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Create {
            kind: |cloud| cloud.rules.create_customer_gateway,
            entity: Entity::CustomerGateway,
            row: create,
            work: |call, id| Box::pin(created(call, id)),
        },
        vpc: no_vpc,
        event: Some(Event { kind: "VPN.S2S.CUSTOMER.GATEWAY.CREATE", description: "creating s2s customer gateway" }),
    },
    Command {
        name: "deleteVpnCustomerGateway",
        parameters: &[Parameter::required("id", Type::Id(Entity::CustomerGateway))],
        action: Action::Job(|call| Box::pin(async move { delete(&call) })),
        vpc: no_vpc,
        event: Some(Event {
            kind: "VPN.S2S.CUSTOMER.GATEWAY.DELETE",
            description: "deleting s2s vpn customer gateway",
        }),
    },
    Command {
        name: "listVpnCustomerGateways",
        parameters: &[Parameter::optional("id", Type::Id(Entity::CustomerGateway))],
        action: Action::List { object: "vpncustomergateway", rows: list },
        vpc: no_vpc,
        event: None,
    },
];

fn create(call: &Call) -> Result<i64> {
    let new = described(call)?;
    call.cloud.store.transaction(|db| {
        let owner = call.owner(db)?;
        let others = customer_gateway::list(db)?;
        if call.cloud.rules.unique_customer_gateway_ip && others.iter().any(|other| other.data.gateway == new.gateway) {
            let gateway = new.gateway;
            return Err(Failure::invalid(format!(
                "The customer gateway with ip {gateway} already existed in the system!"
            )));
        }
        // CloudStack's database compares names without minding case.
        let same_name = |other: &customer_gateway::CustomerGateway| {
            other.owner == owner && other.data.name.to_lowercase() == new.name.to_lowercase()
        };
        if others.iter().any(same_name) {
            return Err(Failure::invalid(format!("The customer gateway with name {} already existed!", new.name)));
        }
        check_subnets(call, &new.cidr_list)?;
        Ok(customer_gateway::insert(db, &new, owner)?)
    })
}

/// What can be judged without looking at other rows, in CloudStack's order.
fn described(call: &Call) -> Result<customer_gateway::New> {
    let (arguments, rules) = (&call.arguments, call.cloud.rules);
    let gateway = arguments.need_text("gateway")?;
    let gateway: Ipv4Addr =
        gateway.parse().map_err(|_| Failure::invalid(format!("The customer gateway ip {gateway} is invalid!")))?;

    let cidr_list = arguments.need_text("cidrlist")?;
    let is_good = |networks: &Vec<_>| !rules.private_subnets_only || networks.iter().all(|&n| network::is_private(n));
    if network::list(cidr_list).filter(is_good).is_none() {
        return Err(Failure::invalid(format!(
            "The customer gateway guest cidr list {cidr_list} is invalid guest cidr!"
        )));
    }
    let policy = |phase, name: &str, text: &str| match rules.policy.judge(phase, text) {
        Judgement::Accept => Ok(text.to_owned()),
        Judgement::Reject => Err(Failure::invalid(format!("The customer gateway {name} policy {text} is invalid!"))),
        Judgement::Crash => Err(Failure::internal(format!("array index out of bounds in {name} policy {text}"))),
    };
    let lifetime = |name: &str, seconds: i64| match seconds {
        ..=MAX_LIFETIME => Ok(seconds),
        _ => Err(Failure::invalid(format!("The {name} lifetime {seconds} of vpn connection is invalid!"))),
    };
    Ok(customer_gateway::New {
        name: arguments.text("name").map_or_else(|| format!("VPN-{gateway}"), str::to_owned),
        gateway,
        cidr_list: cidr_list.to_owned(),
        psk: arguments.need_secret("ipsecpsk")?,
        ike_policy: policy(Phase::Ike, "IKE", arguments.need_text("ikepolicy")?)?,
        esp_policy: policy(Phase::Esp, "ESP", arguments.need_text("esppolicy")?)?,
        ike_lifetime: lifetime("IKE", arguments.long("ikelifetime").unwrap_or(86_400))?,
        esp_lifetime: lifetime("ESP", arguments.long("esplifetime").unwrap_or(3_600))?,
        dpd: arguments.flag("dpd").unwrap_or(false),
    })
}

fn check_subnets(call: &Call, cidr_list: &str) -> Result<()> {
    let subnets = network::list(cidr_list).unwrap_or_default();
    let limit = call.cloud.rules.subnets_per_customer_gateway;
    if subnets.len() > limit {
        return Err(Failure::invalid(format!("Too many subnets of customer gateway! The limit is {limit}")));
    }
    match network::overlapping(&subnets) {
        None => Ok(()),
        Some((a, b)) => Err(Failure::invalid(format!(
            "The subnet of customer gateway {a} is overlapped with another subnet {b} of customer gateway!"
        ))),
    }
}

async fn created(call: Call, id: i64) -> Result<Answer> {
    call.cloud.store.transaction(|db| match customer_gateway::find(db, id)? {
        Some(gateway) => Ok(Answer::Object("vpncustomergateway", view(db, &gateway)?)),
        None => Err(Failure::internal("Failed to create customer VPN gateway")),
    })
}

fn delete(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if customer_gateway::find(db, id)?.is_none() {
            return Err(Failure::invalid(format!("Fail to find customer gateway with {id} !")));
        }
        if !connection::of_customer_gateway(db, id)?.is_empty() {
            return Err(Failure::invalid(format!(
                "Unable to delete VPN customer gateway with id {id} because there is still related VPN connections!"
            )));
        }
        Entity::CustomerGateway.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn list(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let wanted = customer_gateway::list(db)?.into_iter().filter(|gateway| call.is("id", gateway.id));
        wanted.map(|gateway| view(db, &gateway)).collect()
    })
}

fn view(db: &Connection, gateway: &customer_gateway::CustomerGateway) -> Result<Value> {
    let mut view = json!({ "id": gateway.uuid.to_string(), "name": gateway.data.name });
    add_description(&mut view, &gateway.data);
    add_owner(db, &mut view, gateway.owner)?;
    Ok(view)
}

/// What connections repeat of their customer gateway; the pre-shared key is its owner's to read.
pub(super) fn add_description(view: &mut Value, data: &customer_gateway::New) {
    view["gateway"] = json!(data.gateway.to_string());
    view["cidrlist"] = json!(data.cidr_list);
    view["ipsecpsk"] = json!(data.psk.expose());
    view["ikepolicy"] = json!(data.ike_policy);
    view["esppolicy"] = json!(data.esp_policy);
    view["ikelifetime"] = json!(data.ike_lifetime);
    view["esplifetime"] = json!(data.esp_lifetime);
    view["dpd"] = json!(data.dpd);
    // Later than the specification, but clients compare it with what they would send.
    view["forceencap"] = json!(false);
}
