//! Networks: the tiers of a VPC.

use std::net::Ipv4Addr;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Parameter, Result, Type, no_vpc, vpc::add_owner, zone};
use crate::{
    rule,
    server::{Failure, routers},
    store::{Entity, offering, tier, vpc},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createNetwork",
        // Networks outside a VPC cannot have a site-to-site VPN, so there are none here.
        parameters: &[
            Parameter::required("name", Type::Text),
            Parameter::required("displaytext", Type::Text).field("displayText"),
            Parameter::required("networkofferingid", Type::Id(Entity::NetworkOffering)),
            Parameter::required("zoneid", Type::Id(Entity::Zone)),
            Parameter::required("vpcid", Type::Id(Entity::Vpc)),
            Parameter::required("gateway", Type::Text),
            Parameter::required("netmask", Type::Text),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Now(|call| Box::pin(create(call))),
        vpc: |call, _| Ok(call.arguments.id("vpcid")),
        event: Some(Event { kind: "NETWORK.CREATE", description: "creating network" }),
    },
    Command {
        name: "deleteNetwork",
        parameters: &[Parameter::required("id", Type::Id(Entity::Network)), Parameter::optional("forced", Type::Bool)],
        action: Action::Job(|call| Box::pin(delete(call))),
        vpc: |call, _| {
            let id = call.arguments.need_id("id")?;
            call.cloud.store.transaction(|db| Ok(tier::find(db, id)?.map(|tier| tier.vpc)))
        },
        event: Some(Event { kind: "NETWORK.DELETE", description: "Deleting network" }),
    },
    Command {
        name: "listNetworks",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Network)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("forvpc", Type::Bool),
            Parameter::optional("type", Type::Text),
            Parameter::optional("traffictype", Type::Text),
        ],
        action: Action::List { object: "network", rows: list },
        vpc: no_vpc,
        event: None,
    },
];

async fn create(call: Call) -> Result<Answer> {
    let cloud = &call.cloud;
    let tier = cloud.store.transaction(|db| {
        let id = insert(&call, db)?;
        tier::find(db, id)?.ok_or_else(|| Failure::internal("Failed to create a network"))
    })?;
    let added = match cloud.router(tier.vpc) {
        Some(router) => router.add_tier(tier.as_tier()).await.map_err(|reason| reason.to_string()),
        None => Err(routers::NOT_RUNNING.to_owned()),
    };
    cloud.store.transaction(|db| match added {
        Ok(()) => tier::set_state(db, tier.id, tier::Network::IMPLEMENTED),
        Err(_) => Entity::Network.remove(db, tier.id),
    })?;
    added.map_err(|reason| {
        Failure::unavailable("DataCenter", tier.zone, format!("Unable to implement network {}, {reason}", tier.name))
    })?;
    cloud.store.transaction(|db| {
        let tier = tier::find(db, tier.id)?.ok_or_else(|| Failure::internal("Failed to create a network"))?;
        Ok(Answer::Object("network", view(db, &tier)?))
    })
}

fn insert(call: &Call, db: &Connection) -> Result<i64> {
    let arguments = &call.arguments;
    let name = arguments.need_text("name")?;
    let owner = call.owner(db)?;
    let vpc = vpc::find(db, arguments.need_id("vpcid")?)?
        .filter(|vpc| vpc.state == "Enabled")
        .ok_or_else(|| Failure::invalid("Unable to find Enabled VPC"))?;
    let address = |parameter| {
        let text = arguments.need_text(parameter)?;
        text.parse::<Ipv4Addr>().map_err(|_| Failure::invalid(format!("Invalid format for the {parameter}: {text}")))
    };
    let (gateway, netmask) = (address("gateway")?, address("netmask")?);
    let cidr = rule::network::of_gateway(gateway, netmask)
        .ok_or_else(|| Failure::invalid(format!("Invalid netmask: {netmask}")))?;

    let tiers = tier::of_vpc(db, vpc.id)?;
    let limit = call.cloud.rules.tiers_per_vpc;
    if tiers.len() >= limit {
        return Err(Failure::invalid(format!(
            "Number of networks per VPC can't extend {limit}; increase it using global config vpc.max.networks"
        )));
    }
    if !vpc.cidr.contains(&cidr) {
        return Err(Failure::invalid(format!("Network cidr {cidr} is not within vpc {} cidr {}", vpc.name, vpc.cidr)));
    }
    if gateway == cidr.network() {
        return Err(Failure::invalid("Invalid gateway specified. It should never be equal to the cidr subnet value"));
    }
    if let Some(other) = tiers.iter().find(|other| rule::network::overlap(other.cidr, cidr)) {
        return Err(Failure::invalid(format!(
            "Network cidr {cidr} crosses other network cidr {} belonging to the same vpc {}",
            other.cidr, vpc.name
        )));
    }
    // CloudStack would not mind, but a router is told of a tier by its name.
    if tiers.iter().any(|other| other.name == name) {
        return Err(Failure::invalid(format!("Network with name {name} already exists in vpc {}", vpc.name)));
    }
    let new = tier::New {
        name,
        display_text: arguments.need_text("displaytext")?,
        gateway,
        cidr,
        offering: arguments.need_id("networkofferingid")?,
        zone: arguments.need_id("zoneid")?,
        vpc: vpc.id,
    };
    Ok(tier::insert(db, &new, owner)?)
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let unknown = || Failure::invalid(format!("unable to find network {id}"));
    let tier = call.cloud.store.transaction(|db| tier::find(db, id)?.ok_or_else(unknown))?;
    if let Some(router) = call.cloud.router(tier.vpc) {
        let failed = |reason| Failure::internal(format!("Failed to delete network: {reason}"));
        router.remove_tier(&tier.name).await.map_err(failed)?;
    }
    call.cloud.store.transaction(|db| {
        tier::set_state(db, id, "Destroy")?;
        Entity::Network.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn list(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let wanted = tier::list(db)?.into_iter().filter(|tier| {
            call.is("id", tier.id)
                && call.is("vpcid", tier.vpc)
                && call.is("zoneid", tier.zone)
                && call.arguments.flag("forvpc").is_none_or(|wanted| wanted)
                && call.says("type", "Isolated")
                && call.says("traffictype", "Guest")
        });
        wanted.map(|tier| view(db, &tier)).collect()
    })
}

pub(super) fn view(db: &Connection, tier: &tier::Network) -> Result<Value> {
    let offering = offering::network_offering(db, tier.offering)?;
    let mut view = json!({
        "id": tier.uuid.to_string(),
        "name": tier.name,
        "displaytext": tier.display_text,
        "state": tier.state,
        "type": offering.guest_type,
        "traffictype": offering.traffic_type,
        "gateway": tier.gateway.to_string(),
        "netmask": tier.cidr.netmask().to_string(),
        "cidr": tier.cidr.to_string(),
        "vpcid": Entity::Vpc.uuid(db, tier.vpc)?.to_string(),
        "zoneid": Entity::Zone.uuid(db, tier.zone)?.to_string(),
        "zonename": offering::zone_name(db, tier.zone)?,
        "networkofferingid": offering.uuid.to_string(),
        "networkofferingname": offering.name,
        "networkofferingdisplaytext": offering.display_text,
        "restartrequired": false,
        "service": zone::services(),
        "tags": [],
    });
    add_owner(db, &mut view, tier.owner)?;
    Ok(view)
}
