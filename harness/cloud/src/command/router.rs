//! Virtual routers, for administrators: stopped, started and rebooted.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Access, Action, Answer, Call, Command, Event, Parameter, Result, Rows, Type, account::add_owner, no_vpc};
use crate::{
    profile::Release,
    server::{
        Failure,
        routers::{self, Then},
    },
    store::{Entity, api_time, offering, router, select::Page, tier, vpc},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listRouters",
        about: "Lists virtual routers",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Router)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("state", Type::Text),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("networkid", Type::Id(Entity::Network)),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("forvpc", Type::Bool),
        ],
        action: Action::List { object: "router", rows: list },
        event: None,
        vpc: no_vpc,
        ..ROUTER
    },
    Command {
        name: "stopRouter",
        about: "Stops a virtual router; its VPN connections are Disconnected",
        parameters: &[Parameter::required("id", Type::Id(Entity::Router)), Parameter::optional("forced", Type::Bool)],
        action: Action::Job(|call| Box::pin(stop(call))),
        event: Some(Event { kind: "ROUTER.STOP", description: "stopping Router VM" }),
        ..ROUTER
    },
    Command {
        name: "startRouter",
        about: "Starts a virtual router, and its VPN connections",
        parameters: &[Parameter::required("id", Type::Id(Entity::Router))],
        action: Action::Job(|call| Box::pin(start(call))),
        event: Some(Event { kind: "ROUTER.START", description: "starting router Vm" }),
        ..ROUTER
    },
    Command {
        name: "rebootRouter",
        about: "Stops a virtual router and starts it again",
        parameters: &[
            Parameter::required("id", Type::Id(Entity::Router)),
            Parameter::optional("forced", Type::Bool).since(Release::V4_22),
        ],
        action: Action::Job(|call| Box::pin(reboot(call))),
        event: Some(Event { kind: "ROUTER.REBOOT", description: "rebooting router Vm" }),
        ..ROUTER
    },
];

/// What they share.
const ROUTER: Command = Command {
    area: "admin.router",
    access: Access::Admins,
    vpc: |call, _| {
        let id = call.arguments.need_id("id")?;
        call.cloud.store.read(|db| Ok(router::find(db, id)?.map(|router| router.vpc)))
    },
    ..Command::BASE
};

fn found(call: &Call) -> Result<router::DomainRouter> {
    let id = call.arguments.need_id("id")?;
    let unknown = || Failure::invalid(format!("Unable to find router by id {id}."));
    call.cloud.store.read(|db| router::find(db, id)?.ok_or_else(unknown))
}

async fn stop(call: Call) -> Result<Answer> {
    routers::halt(&call.cloud, found(&call)?.vpc, Then::Stay).await?;
    shown(&call)
}

async fn start(call: Call) -> Result<Answer> {
    let router = found(&call)?;
    if router.state != router::RUNNING {
        routers::boot(&call.cloud, router.vpc).await?;
    }
    shown(&call)
}

async fn reboot(call: Call) -> Result<Answer> {
    let router = found(&call)?;
    if router.state != router::RUNNING {
        let text = format!("Unable to reboot domR, it is not in right state {}", router.state);
        return Err(Failure::unavailable("DataCenter", 1, text));
    }
    routers::halt(&call.cloud, router.vpc, Then::Boot).await?;
    routers::boot(&call.cloud, router.vpc).await?;
    shown(&call)
}

fn shown(call: &Call) -> Result<Answer> {
    let router = found(call)?;
    call.cloud.store.read(|db| Ok(Answer::Object("router", view(call, db, &router)?)))
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let of_network = match arguments.id("networkid") {
            Some(id) => Some(tier::find(db, id)?.map(|tier| tier.vpc)),
            None => None,
        };
        let wanted = router::select()
            .within(&call.scope(db)?, "v")
            .is("r.id", arguments.id("id"))
            .is("r.vpc_id", arguments.id("vpcid"))
            .is("r.vpc_id", of_network.flatten())
            .only_if(of_network != Some(None))
            .is("v.zone_id", arguments.id("zoneid"))
            .says("r.name", arguments.text("name"))
            .says("r.state", arguments.text("state"))
            .only_if(arguments.flag("forvpc").unwrap_or(true))
            .mentions("r.name", call.keyword());
        wanted.page(db, page, router::read, |router| {
            rows.push(&view(call, db, &router)?);
            Ok(())
        })
    })
}

fn view(call: &Call, db: &Connection, router: &router::DomainRouter) -> Result<Value> {
    let gone = || Failure::internal("the router's VPC is gone");
    let vpc = vpc::find(db, router.vpc)?.ok_or_else(gone)?;
    let mut nics = Vec::new();
    for tier in tier::of_vpc(db, vpc.id)? {
        nics.push(json!({
            "networkid": tier.uuid.to_string(),
            "networkname": tier.name,
            "ipaddress": tier.gateway.to_string(),
            "netmask": tier.cidr.netmask().to_string(),
            "traffictype": "Guest",
            "isdefault": false,
        }));
    }
    let mut view = json!({
        "id": router.uuid.to_string(),
        "name": router.name,
        "state": router.state,
        "role": "VIRTUAL_ROUTER",
        "vpcid": vpc.uuid.to_string(),
        "zoneid": Entity::Zone.uuid(db, vpc.zone)?.to_string(),
        "zonename": offering::zone_name(db, vpc.zone)?,
        "isredundantrouter": false,
        "redundantstate": "UNKNOWN",
        "version": call.cloud.rules.version,
        "requiresupgrade": false,
        "created": api_time(&router.created),
        "nic": nics,
    });
    if let Some(address) = vpc::source_nat(db, vpc.id)? {
        view["publicip"] = json!(address.address.to_string());
    }
    if call.is_since(Release::V4_22) {
        view["vpcname"] = json!(vpc.name);
        view["healthchecksfailed"] = json!(false);
    }
    add_owner(call, db, &mut view, vpc.owner)?;
    Ok(view)
}
