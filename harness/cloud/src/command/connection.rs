//! Connections between a VPN gateway and a customer gateway.

use rusqlite::Connection as Db;
use serde_json::{Value, json};

use super::{
    Action, Answer, Call, Command, Event, Kind, Parameter, Result, Type, customer_gateway::add_description, no_vpc,
    vpc::add_owner,
};
use crate::{
    rule::network,
    server::{Failure, tunnels},
    state::State,
    store::{Entity, api_time, connection, customer_gateway, vpc, vpn_gateway},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnConnection",
        parameters: &[
            Parameter::required("s2svpngatewayid", Type::Id(Entity::VpnGateway)),
            Parameter::required("s2scustomergatewayid", Type::Id(Entity::CustomerGateway)),
            Parameter::optional("passive", Type::Bool),
        ],
        action: Action::Create {
            kind: |_| Kind::CreateThenJob,
            entity: Entity::Connection,
            row: create,
            work: |call, id| Box::pin(start(call, id)),
        },
        vpc: |call, _| {
            let id = call.arguments.need_id("s2svpngatewayid")?;
            call.cloud.store.transaction(|db| Ok(vpn_gateway::find(db, id)?.map(|gateway| gateway.vpc)))
        },
        event: Some(Event { kind: "VPN.S2S.CONNECTION.CREATE", description: "starting s2s vpn connection" }),
    },
    Command {
        name: "deleteVpnConnection",
        parameters: &[Parameter::required("id", Type::Id(Entity::Connection))],
        action: Action::Job(|call| Box::pin(delete(call))),
        vpc: vpc_of,
        event: Some(Event { kind: "VPN.S2S.CONNECTION.DELETE", description: "deleting s2s vpn connection" }),
    },
    Command {
        name: "resetVpnConnection",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::Connection)),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Job(|call| Box::pin(reset(call))),
        vpc: vpc_of,
        event: Some(Event { kind: "VPN.S2S.CONNECTION.RESET", description: "reseting s2s vpn connection" }),
    },
    Command {
        name: "listVpnConnections",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Connection)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
        ],
        action: Action::List { object: "vpnconnection", rows: list },
        vpc: no_vpc,
        event: None,
    },
];

fn vpc_of(call: &Call, _: Option<i64>) -> Result<Option<i64>> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| Ok(connection::vpc(db, id)?))
}

fn create(call: &Call) -> Result<i64> {
    let customer = call.arguments.need_id("s2scustomergatewayid")?;
    let gateway = call.arguments.need_id("s2svpngatewayid")?;
    let passive = call.cloud.rules.passive && call.arguments.flag("passive").unwrap_or(false);
    call.cloud.store.transaction(|db| {
        let customer = customer_gateway::find(db, customer)?.ok_or_else(|| {
            Failure::invalid(format!("Unable to found specified Site to Site VPN customer gateway {customer} !"))
        })?;
        let gateway = vpn_gateway::find(db, gateway)?.ok_or_else(|| {
            Failure::invalid(format!("Unable to found specified Site to Site VPN gateway {gateway} !"))
        })?;
        check_pair(call, db, &customer, &gateway)?;
        check_networks(call, db, &customer, &gateway)?;
        Ok(connection::insert(db, gateway.id, customer.id, passive, gateway.owner)?)
    })
}

fn check_pair(
    call: &Call,
    db: &Db,
    customer: &customer_gateway::CustomerGateway,
    gateway: &vpn_gateway::VpnGateway,
) -> Result<()> {
    if customer.owner != gateway.owner {
        return Err(Failure::invalid(
            "VPN connection can only be esitablished between same account's VPN gateway and customer gateway!",
        ));
    }
    let used = connection::of_customer_gateway(db, customer.id)?;
    if used.iter().any(|connection| connection.vpn_gateway == gateway.id) {
        return Err(Failure::invalid(format!(
            "The vpn connection with customer gateway id {} or vpn gateway id {} already existed!",
            customer.id, gateway.id
        )));
    }
    if call.cloud.rules.one_connection_per_customer_gateway && !used.is_empty() {
        return Err(Failure::invalid(format!(
            "The vpn connection with specified customer gateway id {} already exists!",
            customer.id
        )));
    }
    Ok(())
}

fn check_networks(
    call: &Call,
    db: &Db,
    customer: &customer_gateway::CustomerGateway,
    gateway: &vpn_gateway::VpnGateway,
) -> Result<()> {
    let vpc = vpc::find(db, gateway.vpc)?.ok_or_else(|| Failure::internal("the VPN gateway's VPC is gone"))?;
    let subnets = network::list(&customer.data.cidr_list).unwrap_or_default();
    if let Some(subnet) = subnets.iter().find(|&&subnet| network::overlap(subnet, vpc.cidr)) {
        return Err(Failure::invalid(format!(
            "The subnets of customer gateway {}'s subnet {subnet} is overlapped with VPC cidr {}!",
            customer.id, vpc.cidr
        )));
    }
    let others = connection::of_vpn_gateway(db, gateway.id)?;
    let limit = call.cloud.rules.connections_per_vpn_gateway;
    if others.len() >= limit {
        return Err(Failure::invalid(format!(
            "There are too many VPN connections with current VPN gateway! The limit is {limit}"
        )));
    }
    for other in others {
        let Some(other) = customer_gateway::find(db, other.customer_gateway)? else { continue };
        for old in network::list(&other.data.cidr_list).unwrap_or_default() {
            if let Some(subnet) = subnets.iter().find(|&&subnet| network::overlap(subnet, old)) {
                return Err(Failure::invalid(format!(
                    "The new connection's remote subnet {subnet} is overlapped with existed VPN connection to customer \
                     gateway {}'s subnet {old}",
                    other.data.name
                )));
            }
        }
    }
    Ok(())
}

async fn start(call: Call, id: i64) -> Result<Answer> {
    tunnels::start(&call.cloud, id).await?;
    shown(&call, id)
}

async fn reset(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let state = call.cloud.store.transaction(|db| {
        call.owner(db)?;
        let connection = connection::find(db, id)?;
        let unknown = || Failure::invalid(format!("Fail to find site to site VPN connection {id} to reset!"));
        connection.map(|connection| connection.state).ok_or_else(unknown)
    })?;
    match state {
        State::Pending => {
            let text = format!("VPN connection {id} cannot be reseted when state is Pending!");
            return Err(Failure::invalid(text));
        }
        State::Connected | State::Error => tunnels::stop(&call.cloud, id).await?,
        State::Disconnected => {}
    }
    tunnels::start(&call.cloud, id).await?;
    shown(&call, id)
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let unknown = || Failure::invalid(format!("Fail to find site to site VPN connection {id} to delete!"));
    let connection = call.cloud.store.transaction(|db| connection::find(db, id)?.ok_or_else(unknown))?;
    match connection.state {
        State::Connected => tunnels::stop(&call.cloud, id).await?,
        // CloudStack 4.0 left the configuration of a lost tunnel on the router, where it could come up
        // again; the specification wants the connection destroyed.
        // Of a connection in Error the router may still have what it failed to take down.
        State::Disconnected | State::Error => tunnels::forget(&call.cloud, &connection).await?,
        // The router never had it.
        State::Pending => {}
    }
    call.cloud.store.transaction(|db| {
        Entity::Connection.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn shown(call: &Call, id: i64) -> Result<Answer> {
    call.cloud.store.transaction(|db| match connection::find(db, id)? {
        Some(connection) => Ok(Answer::Object("vpnconnection", view(db, &connection)?)),
        None => Err(Failure::internal("Failed to find the VPN connection")),
    })
}

fn list(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let mut views = Vec::new();
        for connection in connection::list(db)? {
            let vpc = connection::vpc(db, connection.id)?;
            if call.is("id", connection.id) && call.arguments.id("vpcid").is_none_or(|wanted| vpc == Some(wanted)) {
                views.push(view(db, &connection)?);
            }
        }
        Ok(views)
    })
}

fn view(db: &Db, connection: &connection::Connection) -> Result<Value> {
    let mut view = json!({
        "id": connection.uuid.to_string(),
        "s2svpngatewayid": Entity::VpnGateway.uuid(db, connection.vpn_gateway)?.to_string(),
        "s2scustomergatewayid": Entity::CustomerGateway.uuid(db, connection.customer_gateway)?.to_string(),
        "state": connection.state.name(),
        "passive": connection.passive,
        "created": api_time(&connection.created),
    });
    if let Some(gateway) = vpn_gateway::find(db, connection.vpn_gateway)? {
        view["publicip"] = json!(vpc::address(db, gateway.address)?.to_string());
    }
    if let Some(customer) = customer_gateway::find(db, connection.customer_gateway)? {
        add_description(&mut view, &customer.data);
    }
    add_owner(db, &mut view, connection.owner)?;
    Ok(view)
}
