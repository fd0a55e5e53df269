//! Networks: the tiers of a VPC.

use std::net::Ipv4Addr;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type, account::add_owner, zone};
use crate::{
    profile::Release,
    rule,
    server::{
        Failure,
        routers::{self, Presence},
    },
    store::{Entity, api_time, offering, select::Page, tier, vm, vpc},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createNetwork",
        area: "user.network",
        about: "Creates a tier of a VPC",
        // Networks outside a VPC cannot have a site-to-site VPN, so there are none here.
        parameters: &[
            Parameter::required("name", Type::Text),
            Parameter::required("displaytext", Type::Text).field("displayText").optional_since(Release::V4_22),
            Parameter::required("networkofferingid", Type::Id(Entity::NetworkOffering)),
            Parameter::required("zoneid", Type::Id(Entity::Zone)),
            Parameter::required("vpcid", Type::Id(Entity::Vpc)),
            Parameter::required("gateway", Type::Text),
            Parameter::required("netmask", Type::Text),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
            Parameter::optional("projectid", Type::Project),
        ],
        action: Action::Now(|call| Box::pin(create(call))),
        vpc: |call, _| Ok(call.arguments.id("vpcid")),
        event: Some(Event { kind: "NETWORK.CREATE", description: "creating network" }),
        ..Command::BASE
    },
    Command {
        name: "deleteNetwork",
        area: "user.network",
        about: "Deletes a tier",
        parameters: &[Parameter::required("id", Type::Id(Entity::Network)), Parameter::optional("forced", Type::Bool)],
        action: Action::Job(|call| Box::pin(delete(call))),
        vpc: |call, _| {
            let id = call.arguments.need_id("id")?;
            call.cloud.store.read(|db| Ok(tier::find(db, id)?.map(|tier| tier.vpc)))
        },
        event: Some(Event { kind: "NETWORK.DELETE", description: "Deleting network" }),
        ..Command::BASE
    },
    Command {
        name: "listNetworks",
        area: "user.network",
        about: "Lists tiers",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Network)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("forvpc", Type::Bool),
            Parameter::optional("type", Type::Text),
            Parameter::optional("traffictype", Type::Text),
        ],
        action: Action::List { object: "network", rows: list },
        ..Command::BASE
    },
];

pub(super) const ADDRESSES: &[Command] = &[Command {
    name: "listPublicIpAddresses",
    area: "user.address",
    about: "Lists public addresses of VPCs",
    parameters: &[
        Parameter::optional("id", Type::Id(Entity::Address)),
        Parameter::optional("ipaddress", Type::Text),
        Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
        Parameter::optional("issourcenat", Type::Bool),
        Parameter::optional("zoneid", Type::Id(Entity::Zone)),
        Parameter::optional("state", Type::Text),
        Parameter::optional("allocatedonly", Type::Bool),
    ],
    action: Action::List { object: "publicipaddress", rows: list_addresses },
    ..Command::BASE
}];

async fn create(call: Call) -> Result<Answer> {
    let cloud = &call.cloud;
    let tier = cloud.store.transaction(|db| {
        let id = insert(&call, db)?;
        tier::find(db, id)?.ok_or_else(|| Failure::internal("Failed to create a network"))
    })?;
    // A VPC that was made without a router gets it now.
    let ready = match routers::presence(cloud, tier.vpc)? {
        Presence::Absent => routers::boot(cloud, tier.vpc).await.map_err(|failure| failure.text),
        _ => Ok(()),
    };
    let added = match (ready, routers::presence(cloud, tier.vpc)?) {
        (Ok(()), Presence::Running(router)) => {
            router.add_tier(tier.as_tier()).await.map_err(|reason| reason.to_string())
        }
        (Ok(()), _) => Err(routers::NOT_RUNNING.to_owned()),
        (Err(reason), _) => Err(reason),
    };
    cloud.store.transaction(|db| match added {
        Ok(()) => tier::set_state(db, tier.id, tier::Network::IMPLEMENTED),
        Err(_) => Entity::Network.remove(db, tier.id),
    })?;
    added.map_err(|reason| {
        Failure::unavailable("DataCenter", tier.zone, format!("Unable to implement network {}, {reason}", tier.name))
    })?;
    cloud.store.read(|db| {
        let tier = tier::find(db, tier.id)?.ok_or_else(|| Failure::internal("Failed to create a network"))?;
        Ok(Answer::Object("network", view(&call, db, &tier)?))
    })
}

fn insert(call: &Call, db: &Connection) -> Result<i64> {
    let arguments = &call.arguments;
    let name = arguments.need_text("name")?;
    let vpc = vpc::find(db, arguments.need_id("vpcid")?)?
        .filter(|vpc| vpc.state == "Enabled")
        .ok_or_else(|| Failure::invalid("Unable to find Enabled VPC"))?;
    // A tier is its VPC's owner's, whoever makes it.
    if arguments.text("account").is_some() && call.owner(db)? != vpc.owner {
        return Err(Failure::invalid("Network and VPC must belong to the same account"));
    }
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
        display_text: arguments.text("displaytext").unwrap_or(name),
        gateway,
        cidr,
        offering: arguments.need_id("networkofferingid")?,
        zone: arguments.need_id("zoneid")?,
        vpc: vpc.id,
    };
    Ok(tier::insert(db, &new, vpc.owner)?)
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let unknown = || Failure::invalid(format!("unable to find network {id}"));
    let tier = call.cloud.store.read(|db| {
        let tier = tier::find(db, id)?.ok_or_else(unknown)?;
        match vm::of_network(db, id)?.len() {
            0 => Ok(tier),
            _ => Err(Failure::invalid("Can't delete the network, not all user vms are expunged")),
        }
    })?;
    match routers::presence(&call.cloud, tier.vpc)? {
        Presence::Running(router) => {
            let failed = |reason| Failure::internal(format!("Failed to delete network: {reason}"));
            router.remove_tier(&tier.name).await.map_err(failed)?;
        }
        // It would come back with the tier.
        Presence::Down => {
            let text = format!("Unable to delete network {}, {}", tier.name, routers::NOT_RUNNING);
            return Err(Failure::unavailable("DataCenter", tier.zone, text));
        }
        Presence::Absent => {}
    }
    call.cloud.store.transaction(|db| {
        tier::set_state(db, id, "Destroy")?;
        Entity::Network.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = tier::select()
            .within(&call.scope(db)?, "networks")
            .is("id", arguments.id("id"))
            .is("vpc_id", arguments.id("vpcid"))
            .is("data_center_id", arguments.id("zoneid"))
            .only_if(arguments.flag("forvpc").unwrap_or(true))
            .only_if(call.says("type", "Isolated") && call.says("traffictype", "Guest"))
            .mentions("name", call.keyword());
        wanted.page(db, page, tier::read, |tier| {
            rows.push(&view(call, db, &tier)?);
            Ok(())
        })
    })
}

pub(super) fn view(call: &Call, db: &Connection, tier: &tier::Network) -> Result<Value> {
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
    if call.is_since(Release::V4_22) {
        view["vpcname"] = json!(vpc::find(db, tier.vpc)?.map(|vpc| vpc.name));
    }
    add_owner(call, db, &mut view, tier.owner)?;
    Ok(view)
}

fn list_addresses(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = vpc::select_public()
            .within(&call.scope(db)?, "user_ip_address")
            .is("id", arguments.id("id"))
            .is("vpc_id", arguments.id("vpcid"))
            .is("data_center_id", arguments.id("zoneid"))
            .is("source_nat", arguments.flag("issourcenat"))
            .says("public_ip_address", arguments.text("ipaddress"))
            .says("state", arguments.text("state"));
        wanted.page(db, page, vpc::read_public, |held| {
            rows.push(&address_view(call, db, &held)?);
            Ok(())
        })
    })
}

fn address_view(call: &Call, db: &Connection, held: &vpc::Public) -> Result<Value> {
    let mut view = json!({
        "id": held.uuid.to_string(),
        "ipaddress": held.address.to_string(),
        "issourcenat": held.source_nat,
        "isstaticnat": false,
        "state": "Allocated",
        "vpcid": Entity::Vpc.uuid(db, held.vpc)?.to_string(),
        "zoneid": Entity::Zone.uuid(db, held.zone)?.to_string(),
        "zonename": offering::zone_name(db, held.zone)?,
        "forvirtualnetwork": true,
    });
    if let Some(allocated) = &held.allocated {
        view["allocated"] = json!(api_time(allocated));
    }
    if call.is_since(Release::V4_22) {
        view["vpcname"] = json!(vpc::find(db, held.vpc)?.map(|vpc| vpc.name));
    }
    add_owner(call, db, &mut view, held.owner)?;
    Ok(view)
}
