//! VPN gateways: one for each VPC, at its source NAT address.

use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type, account::add_owner};
use crate::{
    profile::{Release, fill},
    server::Failure,
    store::{Entity, connection, select::Page, vpc, vpn_gateway},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnGateway",
        area: "user.vpn",
        about: "Creates the VPN gateway of a VPC",
        parameters: &[
            Parameter::required("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("fordisplay", Type::Bool).since(Release::V4_22).for_root(),
            Parameter::optional("ipaddressid", Type::Id(Entity::Address)).since(Release::V4_22),
        ],
        action: Action::Create {
            kind: |rules| rules.create_vpn_gateway,
            entity: Entity::VpnGateway,
            row: create,
            work: |call, id| Box::pin(created(call, id)),
        },
        vpc: |call, _| Ok(call.arguments.id("vpcid")),
        event: Some(Event { kind: "VPN.S2S.VPN.GATEWAY.CREATE", description: "creating s2s vpn gateway" }),
        ..Command::BASE
    },
    Command {
        name: "deleteVpnGateway",
        area: "user.vpn",
        about: "Deletes a VPN gateway",
        parameters: &[Parameter::required("id", Type::Id(Entity::VpnGateway))],
        action: Action::Job(|call| Box::pin(async move { delete(&call) })),
        vpc: vpc_of,
        event: Some(Event { kind: "VPN.S2S.VPN.GATEWAY.DELETE", description: "deleting s2s vpn gateway" }),
        ..Command::BASE
    },
    Command {
        name: "updateVpnGateway",
        area: "user.vpn",
        since: Release::V4_22,
        about: "Changes the id of a VPN gateway, and whether it is shown",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::VpnGateway)),
            Parameter::optional("fordisplay", Type::Bool).for_root(),
            Parameter::optional("customid", Type::Text).for_root(),
        ],
        action: Action::Job(|call| Box::pin(async move { update(&call) })),
        vpc: vpc_of,
        event: Some(Event { kind: "VPN.S2S.VPN.GATEWAY.UPDATE", description: "updating s2s vpn gateway" }),
        ..Command::BASE
    },
    Command {
        name: "listVpnGateways",
        area: "user.vpn",
        about: "Lists VPN gateways",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::VpnGateway)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("fordisplay", Type::Bool).since(Release::V4_22).for_root(),
        ],
        action: Action::List { object: "vpngateway", rows: list },
        ..Command::BASE
    },
];

fn vpc_of(call: &Call, _: Option<i64>) -> Result<Option<i64>> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.read(|db| Ok(vpn_gateway::find(db, id)?.map(|gateway| gateway.vpc)))
}

fn create(call: &Call) -> Result<i64> {
    let (id, texts) = (call.arguments.need_id("vpcid")?, &call.cloud.rules.texts);
    call.cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?
            .ok_or_else(|| Failure::invalid(format!("Invalid VPC {id} for site to site vpn gateway creation!")))?;
        if vpn_gateway::of_vpc(db, id)?.is_some() {
            let object = (texts.object)("VPC", id, &vpc.uuid.to_string(), Some(&vpc.name));
            return Err(Failure::invalid(fill(texts.vpn_gateway_exists, &[&object])));
        }
        let address = vpc::source_nat(db, id)?
            .ok_or_else(|| Failure::internal(format!("Cannot found source nat ip of vpc {id}")))?;
        if let Some(wanted) = call.arguments.id("ipaddressid").filter(|&wanted| wanted != address.id) {
            let wanted = vpc::address(db, wanted)?;
            let text = format!("Cannot use requested IP {wanted} as it is not the Source NAT IP");
            return Err(Failure::internal(text));
        }
        let display = call.arguments.flag("fordisplay").unwrap_or(true);
        Ok(vpn_gateway::insert(db, id, address.id, display, vpc.owner)?)
    })
}

/// Successful, and yet without a result: what it builds as one, CloudStack drops.
fn update(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if vpn_gateway::find(db, id)?.is_none() {
            return Err(Failure::invalid(format!("Fail to find vpn gateway with {id}")));
        }
        if let Some(display) = call.arguments.flag("fordisplay") {
            vpn_gateway::set_display(db, id, display)?;
        }
        rename(call, db, Entity::VpnGateway, id)
    })?;
    Ok(Answer::Nothing)
}

/// `customid`, with which an administrator chooses a UUID.
pub(super) fn rename(call: &Call, db: &Connection, entity: Entity, id: i64) -> Result<()> {
    let Some(text) = call.arguments.text("customid") else { return Ok(()) };
    let uuid: Uuid = text.parse().map_err(|_| Failure::invalid(format!("customid {text} is not a UUID")))?;
    match entity.resolve(db, &uuid.to_string(), false)? {
        Some(other) if other != id => Err(Failure::invalid(format!("customid {uuid} is in use"))),
        _ => Ok(entity.rename(db, id, uuid)?),
    }
}

async fn created(call: Call, id: i64) -> Result<Answer> {
    call.cloud.store.read(|db| match vpn_gateway::find(db, id)? {
        Some(gateway) => Ok(Answer::Object("vpngateway", view(&call, db, &gateway)?)),
        None => Err(Failure::internal("Failed to create VPN gateway")),
    })
}

/// The router hears nothing of it: without connections there is nothing on it.
fn delete(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if vpn_gateway::find(db, id)?.is_none() {
            return Err(Failure::invalid(fill(call.cloud.rules.texts.no_vpn_gateway, &[&id])));
        }
        if !connection::of_vpn_gateway(db, id)?.is_empty() {
            return Err(Failure::invalid(format!(
                "Unable to delete VPN gateway {id} because there is still related VPN connections!"
            )));
        }
        Entity::VpnGateway.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = vpn_gateway::select()
            .within(&call.scope(db)?, "s2s_vpn_gateway")
            .is("id", arguments.id("id"))
            .is("vpc_id", arguments.id("vpcid"))
            .is("display", arguments.flag("fordisplay"));
        wanted.page(db, page, vpn_gateway::read, |gateway| {
            rows.push(&view(call, db, &gateway)?);
            Ok(())
        })
    })
}

fn view(call: &Call, db: &Connection, gateway: &vpn_gateway::VpnGateway) -> Result<Value> {
    let mut view = json!({
        "id": gateway.uuid.to_string(),
        "publicip": vpc::address(db, gateway.address)?.to_string(),
        "vpcid": Entity::Vpc.uuid(db, gateway.vpc)?.to_string(),
    });
    if call.is_since(Release::V4_22) {
        view["vpcname"] = json!(vpc::find(db, gateway.vpc)?.map(|vpc| vpc.name));
        if call.caller.is_root() {
            view["fordisplay"] = json!(gateway.display);
        }
    }
    add_owner(call, db, &mut view, gateway.owner)?;
    Ok(view)
}
