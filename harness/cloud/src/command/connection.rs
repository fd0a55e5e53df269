//! Connections between a VPN gateway and a customer gateway.

use rusqlite::Connection as Db;
use serde::Serialize;
use serde_json::json;

use super::{
    Action, Answer, Call, Command, Event, Kind, Parameter, Result, Rows, Type,
    account::{OwnerFields, Owners},
    customer_gateway::{Description, named},
    vpn_gateway::rename,
};
use crate::{
    lapse::Lapse,
    profile::{Release, fill},
    rule::network,
    server::{Failure, tunnels},
    state::{State, Trigger},
    store::{
        Entity, api_time, connection,
        customer_gateway::{self, CustomerGateway},
        select::Page,
        vpc,
        vpn_gateway::{self, VpnGateway},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVpnConnection",
        about: "Connects a VPN gateway with a customer gateway",
        parameters: &[
            Parameter::required("s2svpngatewayid", Type::Id(Entity::VpnGateway)),
            Parameter::required("s2scustomergatewayid", Type::Id(Entity::CustomerGateway)),
            Parameter::optional("passive", Type::Bool).since(Release::V4_22),
            Parameter::optional("fordisplay", Type::Bool).since(Release::V4_22).for_root(),
        ],
        action: Action::Create {
            kind: |_| Kind::CreateThenJob,
            entity: Entity::Connection,
            row: create,
            work: |call, id| Box::pin(start(call, id)),
        },
        vpc: |call, _| {
            let id = call.arguments.need_id("s2svpngatewayid")?;
            call.cloud.store.read(|db| Ok(vpn_gateway::find(db, id)?.map(|gateway| gateway.vpc)))
        },
        event: Some(Event { kind: "VPN.S2S.CONNECTION.CREATE", description: "starting s2s vpn connection" }),
        ..VPN
    },
    Command {
        name: "deleteVpnConnection",
        about: "Takes a VPN connection down and deletes it",
        parameters: &[Parameter::required("id", Type::Id(Entity::Connection))],
        action: Action::Job(|call| Box::pin(delete(call))),
        event: Some(Event { kind: "VPN.S2S.CONNECTION.DELETE", description: "deleting s2s vpn connection" }),
        ..VPN
    },
    Command {
        name: "resetVpnConnection",
        about: "Takes a VPN connection down and begins it again",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::Connection)),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Job(|call| Box::pin(reset(call))),
        event: Some(Event { kind: "VPN.S2S.CONNECTION.RESET", description: "reseting s2s vpn connection" }),
        ..VPN
    },
    Command {
        name: "updateVpnConnection",
        since: Release::V4_22,
        about: "Changes the id of a VPN connection, and whether it is shown",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::Connection)),
            Parameter::optional("fordisplay", Type::Bool).for_root(),
            Parameter::optional("customid", Type::Text).for_root(),
        ],
        action: Action::Job(|call| Box::pin(async move { update(&call) })),
        // CloudStack's own words.
        event: Some(Event { kind: "VPN.S2S.CONNECTION.UPDATE", description: "creating s2s vpn gateway" }),
        ..VPN
    },
    Command {
        name: "listVpnConnections",
        about: "Lists VPN connections",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Connection)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("fordisplay", Type::Bool).since(Release::V4_22).for_root(),
        ],
        action: Action::List { object: "vpnconnection", rows: list },
        ..VPN
    },
];

const VPN: Command = Command { area: "user.vpn", vpc: vpc_of, ..Command::BASE };

fn vpc_of(call: &Call, _: Option<i64>) -> Result<Option<i64>> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.read(|db| Ok(connection::vpc(db, id)?))
}

fn create(call: &Call) -> Result<i64> {
    let customer = call.arguments.need_id("s2scustomergatewayid")?;
    let gateway = call.arguments.need_id("s2svpngatewayid")?;
    let texts = &call.cloud.rules.texts;
    call.cloud.store.transaction(|db| {
        let unknown = || Failure::invalid(fill(texts.connect_no_customer_gateway, &[&customer]));
        let customer = customer_gateway::find(db, customer)?.ok_or_else(unknown)?;
        let unknown = || Failure::invalid(fill(texts.connect_no_vpn_gateway, &[&gateway]));
        let gateway = vpn_gateway::find(db, gateway)?.ok_or_else(unknown)?;
        check_pair(call, db, &customer, &gateway)?;
        check_networks(call, db, &customer, &gateway, None)?;
        let new = connection::New {
            vpn_gateway: gateway.id,
            customer_gateway: customer.id,
            passive: call.arguments.flag("passive").unwrap_or(false),
            display: call.arguments.flag("fordisplay").unwrap_or(true),
        };
        Ok(connection::insert(db, &new, gateway.owner)?)
    })
}

fn check_pair(call: &Call, db: &Db, customer: &CustomerGateway, gateway: &VpnGateway) -> Result<()> {
    let texts = &call.cloud.rules.texts;
    if customer.owner != gateway.owner {
        return Err(Failure::invalid(texts.other_account));
    }
    let used = connection::of_customer_gateway(db, customer.id)?;
    if used.iter().any(|connection| connection.vpn_gateway == gateway.id) {
        let other = (texts.object)("Site2SiteVpnGateway", gateway.id, &gateway.uuid.to_string(), None);
        return Err(Failure::invalid(fill(texts.pair_exists, &[&named(call, customer), &other])));
    }
    if call.cloud.rules.one_connection_per_customer_gateway && !used.is_empty() {
        return Err(Failure::invalid(format!(
            "The vpn connection with specified customer gateway id {} already exists!",
            customer.id
        )));
    }
    Ok(())
}

/// What a customer gateway's networks must not overlap; `itself` is the connection that is there already.
pub(super) fn check_networks(
    call: &Call,
    db: &Db,
    customer: &CustomerGateway,
    gateway: &VpnGateway,
    itself: Option<i64>,
) -> Result<()> {
    let vpc = vpc::find(db, gateway.vpc)?.ok_or_else(|| Failure::internal("the VPN gateway's VPC is gone"))?;
    let subnets = network::list(&customer.data.cidr_list).unwrap_or_default();
    if let Some(subnet) = subnets.iter().find(|&&subnet| network::overlap(subnet, vpc.cidr)) {
        let text = fill(call.cloud.rules.texts.overlaps_vpc, &[&named(call, customer), &subnet, &vpc.cidr]);
        return Err(Failure::invalid(text));
    }
    let mut others = connection::of_vpn_gateway(db, gateway.id)?;
    others.retain(|other| Some(other.id) != itself);
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
    let (id, cloud) = (call.arguments.need_id("id")?, &call.cloud);
    let state = cloud.store.read(|db| {
        call.owner(db)?;
        let unknown = || Failure::invalid(format!("Fail to find site to site VPN connection {id} to reset!"));
        connection::find(db, id)?.map(|connection| connection.state).ok_or_else(unknown)
    })?;
    if cloud.lapses(Lapse::ResetsNothing) {
        return shown(&call, id);
    }
    if tunnels::transition(cloud, id, Trigger::Reset, "it is reset")?.is_none() {
        return Err(Failure::invalid(format!("VPN connection {id} cannot be reseted when state is {state}!")));
    }
    // Later releases take down whatever there may be.
    if !cloud.rules.machine.waits() || matches!(state, State::Connected | State::Error) {
        tunnels::stop(cloud, id).await?;
    }
    tunnels::start(cloud, id).await?;
    shown(&call, id)
}

fn update(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        if connection::find(db, id)?.is_none() {
            return Err(Failure::invalid(format!("Fail to find site to site VPN connection {id}")));
        }
        if let Some(display) = call.arguments.flag("fordisplay") {
            connection::set_display(db, id, display)?;
        }
        rename(call, db, Entity::Connection, id)
    })?;
    shown(call, id)
}

async fn delete(call: Call) -> Result<Answer> {
    let (id, cloud) = (call.arguments.need_id("id")?, &call.cloud);
    let unknown = || Failure::invalid(format!("Fail to find site to site VPN connection {id} to delete!"));
    let connection = cloud.store.read(|db| connection::find(db, id)?.ok_or_else(unknown))?;
    match connection.state {
        // The router never had it.
        State::Pending | State::Removed => {}
        State::Connected => tunnels::stop(cloud, id).await?,
        _ if cloud.rules.delete_needs_router => tunnels::stop(cloud, id).await?,
        // CloudStack 4.0 left the configuration of a lost tunnel on the router, where it could come up
        // again; the specification wants the connection destroyed.
        // Of a connection in Error the router may still have what it failed to take down.
        State::Connecting | State::Disconnected | State::Error => tunnels::forget(cloud, &connection).await?,
    }
    let changed = cloud.store.transaction(|db| tunnels::drop_row(cloud, db, id))?;
    tunnels::tell(cloud, changed.as_ref());
    Ok(Answer::Success)
}

fn shown(call: &Call, id: i64) -> Result<Answer> {
    call.cloud.store.read(|db| {
        let found = connection::select().is("c.id", Some(id)).one(db, connection::read_shown)?;
        let connection = found.ok_or_else(|| Failure::internal("Failed to find the VPN connection"))?;
        let owner = OwnerFields::of(call, db, connection.owner)?;
        Ok(Answer::Object("vpnconnection", json!(View::of(call, &connection, &owner))))
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = connection::select()
            .within(&call.scope(db)?, "c")
            .is("c.id", arguments.id("id"))
            .belongs("c.vpn_gateway_id IN (SELECT id FROM s2s_vpn_gateway WHERE vpc_id = ?)", arguments.id("vpcid"))
            .is("c.display", arguments.flag("fordisplay"));
        let mut owners = Owners::new(call, db);
        wanted.page(db, page, connection::read_shown, |connection| {
            rows.push(&View::of(call, &connection, owners.get(connection.owner)?));
            Ok(())
        })
    })
}

#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    s2svpngatewayid: &'a str,
    s2scustomergatewayid: &'a str,
    state: &'a str,
    passive: bool,
    created: String,
    publicip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fordisplay: Option<bool>,
    #[serde(flatten)]
    description: Description<'a>,
    #[serde(flatten)]
    owner: &'a OwnerFields,
}

impl<'a> View<'a> {
    fn of(call: &Call, connection: &'a connection::Shown, owner: &'a OwnerFields) -> Self {
        let with_display = call.is_since(Release::V4_22) && call.caller.is_root();
        Self {
            id: &connection.uuid,
            s2svpngatewayid: &connection.vpn_gateway,
            s2scustomergatewayid: &connection.customer_gateway,
            state: &connection.state,
            passive: connection.passive,
            created: api_time(&connection.created),
            publicip: &connection.public_address,
            fordisplay: with_display.then_some(connection.display),
            description: Description::of(call, &connection.customer),
            owner,
        }
    }
}
