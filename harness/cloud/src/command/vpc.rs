//! VPCs: a network of one account behind one virtual router.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    Action, Answer, Call, Command, Event, Kind, Parameter, Result, Rows, Type, account::add_owner, network, zone,
};
use crate::{
    profile::Release,
    rule,
    server::{
        Cloud, Failure,
        routers::{self, Presence},
        tunnels,
    },
    store::{Entity, connection, router, select::Page, tier, vm, vpc, vpn_gateway},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVPC",
        area: "user.vpc",
        about: "Creates a VPC and its virtual router",
        parameters: &[
            Parameter::required("name", Type::Text).field("vpcName"),
            Parameter::required("displaytext", Type::Text).field("displayText").optional_since(Release::V4_22),
            Parameter::required("cidr", Type::Text),
            Parameter::required("vpcofferingid", Type::Id(Entity::VpcOffering)),
            Parameter::required("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("networkdomain", Type::Text).field("networkDomain"),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
            Parameter::optional("projectid", Type::Project),
            Parameter::optional("start", Type::Bool).since(Release::V4_22),
        ],
        action: Action::Create {
            kind: |_| Kind::CreateThenJob,
            entity: Entity::Vpc,
            row: create,
            work: |call, id| Box::pin(start(call, id)),
        },
        vpc: |_, created| Ok(created),
        event: Some(Event { kind: "VPC.CREATE", description: "creating vpc" }),
        ..Command::BASE
    },
    Command {
        name: "deleteVPC",
        area: "user.vpc",
        about: "Deletes a VPC, its VPN gateway and its VPN connections",
        parameters: &[Parameter::required("id", Type::Id(Entity::Vpc))],
        action: Action::Job(|call| Box::pin(delete(call))),
        vpc: |call, _| Ok(call.arguments.id("id")),
        event: Some(Event { kind: "VPC.DELETE", description: "deleting VPC" }),
        ..Command::BASE
    },
    Command {
        name: "updateVPC",
        area: "user.vpc",
        about: "Gives a VPC another name and text",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::Vpc)),
            Parameter::required("name", Type::Text).field("vpcName").optional_since(Release::V4_22),
            Parameter::optional("displaytext", Type::Text).field("displayText"),
        ],
        action: Action::Job(|call| Box::pin(async move { update(&call) })),
        vpc: |call, _| Ok(call.arguments.id("id")),
        event: Some(Event { kind: "VPC.UPDATE", description: "updating vpc" }),
        ..Command::BASE
    },
    Command {
        name: "restartVPC",
        area: "user.vpc",
        about: "Starts the virtual router of a VPC if it does not run or, with cleanup, deploys it anew",
        parameters: &[Parameter::required("id", Type::Id(Entity::Vpc)), Parameter::optional("cleanup", Type::Bool)],
        action: Action::Job(|call| Box::pin(restart(call))),
        vpc: |call, _| Ok(call.arguments.id("id")),
        event: Some(Event { kind: "VPC.RESTART", description: "restarting VPC" }),
        ..Command::BASE
    },
    Command {
        name: "listVPCs",
        area: "user.vpc",
        about: "Lists VPCs",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Vpc)),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("displaytext", Type::Text),
            Parameter::optional("cidr", Type::Text),
            Parameter::optional("vpcofferingid", Type::Id(Entity::VpcOffering)),
            Parameter::optional("state", Type::Text),
        ],
        action: Action::List { object: "vpc", rows: list },
        ..Command::BASE
    },
];

fn create(call: &Call) -> Result<i64> {
    let arguments = &call.arguments;
    let text = arguments.need_text("cidr")?;
    let cidr = rule::network::one(text)
        .filter(|&cidr| !call.cloud.rules.private_subnets_only || rule::network::is_private(cidr))
        .ok_or_else(|| Failure::invalid(format!("Invalid CIDR specified {text}")))?;
    let name = arguments.need_text("name")?;
    let new = vpc::New {
        name,
        display_text: arguments.text("displaytext").unwrap_or(name),
        cidr,
        offering: arguments.need_id("vpcofferingid")?,
        zone: arguments.need_id("zoneid")?,
        network_domain: arguments.text("networkdomain"),
        start: arguments.flag("start").unwrap_or(true),
    };
    call.cloud.store.transaction(|db| {
        let owner = call.owner(db)?;
        Ok(vpc::insert(db, &new, owner)?)
    })
}

/// Without `start`, the router comes with the first tier; the address is there from the beginning.
async fn start(call: Call, id: i64) -> Result<Answer> {
    let wanted = call.cloud.store.read(|db| vpc::find(db, id))?.is_some_and(|vpc| vpc.start);
    let started = match wanted {
        true => routers::boot(&call.cloud, id).await,
        false => routers::take_address(&call.cloud, id).map(drop),
    };
    if let Err(failure) = started {
        call.cloud.store.transaction(|db| {
            router::remove(db, id)?;
            vpc::release_addresses(db, id)?;
            Entity::Vpc.remove(db, id)
        })?;
        return Err(failure);
    }
    shown(&call, id)
}

fn shown(call: &Call, id: i64) -> Result<Answer> {
    call.cloud.store.read(|db| Ok(Answer::Object("vpc", view(call, db, &found(db, id)?)?)))
}

fn found(db: &Connection, id: i64) -> Result<vpc::Vpc> {
    vpc::find(db, id)?.ok_or_else(|| Failure::invalid(format!("unable to find VPC id={id}")))
}

fn update(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        let vpc = found(db, id)?;
        let name = call.arguments.text("name").unwrap_or(&vpc.name);
        Ok::<_, Failure>(vpc::rename(db, id, name, call.arguments.text("displaytext").unwrap_or(&vpc.display_text))?)
    })?;
    shown(call, id)
}

async fn restart(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let (cloud, cleanup) = (&call.cloud, call.arguments.flag("cleanup").unwrap_or(false));
    cloud.store.read(|db| found(db, id).map(drop))?;
    match routers::presence(cloud, id)? {
        // It is programmed anew as it runs, which changes nothing here.
        Presence::Running(_) if !cleanup => {}
        Presence::Running(_) | Presence::Down => {
            if cleanup {
                routers::destroy(cloud, id).await?;
            }
            routers::boot(cloud, id).await?;
        }
        Presence::Absent => routers::boot(cloud, id).await?,
    }
    Ok(Answer::Success)
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let cloud = &call.cloud;
    cloud.store.transaction(|db| {
        let vpc = found(db, id)?;
        match tier::of_vpc(db, id)?.len() {
            0 => Ok(vpc::set_state(db, id, "Inactive")?),
            tiers => {
                let name = vpc.name;
                Err(Failure::invalid(format!("Can't delete VPC {name} as its used by {tiers} networks")))
            }
        }
    })?;
    if let Err(failure) = take_apart(cloud, id).await {
        cloud.store.transaction(|db| vpc::set_state(db, id, "Enabled"))?;
        return Err(failure);
    }
    Ok(Answer::Success)
}

/// A VPC and all that is in it. The router takes its tunnels along. Customer gateways are their
/// owner's, and stay. The caller holds the VPC's turn.
pub(super) async fn take_apart(cloud: &Cloud, id: i64) -> Result<()> {
    routers::destroy(cloud, id).await?;
    let changes = cloud.store.transaction(|db| {
        let mut changes = Vec::new();
        for connection in connection::of_vpc(db, id)? {
            changes.extend(tunnels::drop_row(cloud, db, connection.id)?);
        }
        if let Some(gateway) = vpn_gateway::of_vpc(db, id)? {
            Entity::VpnGateway.remove(db, gateway.id)?;
        }
        for tier in tier::of_vpc(db, id)? {
            for guest in vm::of_network(db, tier.id)? {
                Entity::Vm.remove(db, guest.id)?;
            }
            Entity::Network.remove(db, tier.id)?;
        }
        router::remove(db, id)?;
        vpc::release_addresses(db, id)?;
        Entity::Vpc.remove(db, id)?;
        Ok::<_, Failure>(changes)
    })?;
    tunnels::tell(cloud, &changes);
    Ok(())
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = vpc::select()
            .within(&call.scope(db)?, "vpc")
            .mentions("name", call.keyword())
            .is("id", arguments.id("id"))
            .is("zone_id", arguments.id("zoneid"))
            .is("vpc_offering_id", arguments.id("vpcofferingid"))
            .says("name", arguments.text("name"))
            .says("display_text", arguments.text("displaytext"))
            .says("cidr", arguments.text("cidr"))
            .says("state", arguments.text("state"));
        wanted.page(db, page, vpc::read, |vpc| {
            rows.push(&view(call, db, &vpc)?);
            Ok(())
        })
    })
}

fn view(call: &Call, db: &Connection, vpc: &vpc::Vpc) -> Result<Value> {
    let tiers = tier::of_vpc(db, vpc.id)?;
    let mut view = json!({
        "id": vpc.uuid.to_string(),
        "name": vpc.name,
        "displaytext": vpc.display_text,
        "state": vpc.state,
        "zoneid": Entity::Zone.uuid(db, vpc.zone)?.to_string(),
        "zonename": crate::store::offering::zone_name(db, vpc.zone)?,
        "cidr": vpc.cidr.to_string(),
        "vpcofferingid": Entity::VpcOffering.uuid(db, vpc.offering)?.to_string(),
        "restartrequired": false,
        "service": zone::services(),
        "network": tiers.iter().map(|tier| network::view(call, db, tier)).collect::<Result<Vec<_>>>()?,
        "created": crate::store::api_time(&vpc.created),
        "tags": [],
    });
    if let Some(domain) = &vpc.network_domain {
        view["networkdomain"] = json!(domain);
    }
    if call.is_since(Release::V4_22) {
        view["vpcofferingname"] = json!(zone::DEFAULT_VPC_OFFERING);
        view["redundantvpcrouter"] = json!(false);
        view["distributedvpcrouter"] = json!(false);
        view["regionlevelvpc"] = json!(false);
        if call.caller.is_root() {
            view["fordisplay"] = json!(true);
        }
    }
    add_owner(call, db, &mut view, vpc.owner)?;
    Ok(view)
}
