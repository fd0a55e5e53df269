//! VPN gateways: one for each VPC, at its source NAT address.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Parameter, Result, Type, no_vpc, vpc::add_owner};
use crate::{
    server::Failure,
    store::{Entity, connection, vpc, vpn_gateway},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnGateway",
        parameters: &[Parameter::required("vpcid", Type::Id(Entity::Vpc))],
        action: Action::Create {
            kind: |cloud| cloud.rules.create_vpn_gateway,
            entity: Entity::VpnGateway,
            row: create,
            work: |call, id| Box::pin(created(call, id)),
        },
        vpc: |call, _| Ok(call.arguments.id("vpcid")),
        event: Some(Event { kind: "VPN.S2S.VPN.GATEWAY.CREATE", description: "creating s2s vpn gateway" }),
    },
    Command {
        name: "deleteVpnGateway",
        parameters: &[Parameter::required("id", Type::Id(Entity::VpnGateway))],
        action: Action::Job(|call| Box::pin(async move { delete(&call) })),
        vpc: |call, _| {
            let id = call.arguments.need_id("id")?;
            call.cloud.store.transaction(|db| Ok(vpn_gateway::find(db, id)?.map(|gateway| gateway.vpc)))
        },
        event: Some(Event { kind: "VPN.S2S.VPN.GATEWAY.DELETE", description: "deleting s2s vpn gateway" }),
    },
    Command {
        name: "listVpnGateways",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::VpnGateway)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
        ],
        action: Action::List { object: "vpngateway", rows: list },
        vpc: no_vpc,
        event: None,
    },
];

fn create(call: &Call) -> Result<i64> {
    let id = call.arguments.need_id("vpcid")?;
    call.cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?
            .ok_or_else(|| Failure::invalid(format!("Invalid VPC {id} for site to site vpn gateway creation!")))?;
        if vpn_gateway::of_vpc(db, id)?.is_some() {
            return Err(Failure::invalid(format!("The VPN gateway of VPC {id} already existed!")));
        }
        let address = vpc::source_nat(db, id)?
            .ok_or_else(|| Failure::internal(format!("Cannot found source nat ip of vpc {id}")))?;
        Ok(vpn_gateway::insert(db, id, address.id, vpc.owner)?)
    })
}

async fn created(call: Call, id: i64) -> Result<Answer> {
    call.cloud.store.transaction(|db| match vpn_gateway::find(db, id)? {
        Some(gateway) => Ok(Answer::Object("vpngateway", view(db, &gateway)?)),
        None => Err(Failure::internal("Failed to create VPN gateway")),
    })
}

/// The router hears nothing of it: without connections there is nothing on it.
fn delete(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if vpn_gateway::find(db, id)?.is_none() {
            return Err(Failure::invalid(format!("Fail to find vpn gateway with {id} !")));
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

fn list(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let wanted = vpn_gateway::list(db)?
            .into_iter()
            .filter(|gateway| call.is("id", gateway.id) && call.is("vpcid", gateway.vpc));
        wanted.map(|gateway| view(db, &gateway)).collect()
    })
}

fn view(db: &Connection, gateway: &vpn_gateway::VpnGateway) -> Result<Value> {
    let mut view = json!({
        "id": gateway.uuid.to_string(),
        "publicip": vpc::address(db, gateway.address)?.to_string(),
        "vpcid": Entity::Vpc.uuid(db, gateway.vpc)?.to_string(),
    });
    add_owner(db, &mut view, gateway.owner)?;
    Ok(view)
}
