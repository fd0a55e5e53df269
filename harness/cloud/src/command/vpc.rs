//! VPCs: a network of one account behind one virtual router.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Kind, Parameter, Result, Type, network, no_vpc, zone};
use crate::{
    rule,
    server::{Failure, routers},
    store::{Entity, account, connection, tier, vpc, vpn_gateway},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "createVPC",
        parameters: &[
            Parameter::required("name", Type::Text).field("vpcName"),
            Parameter::required("displaytext", Type::Text).field("displayText"),
            Parameter::required("cidr", Type::Text),
            Parameter::required("vpcofferingid", Type::Id(Entity::VpcOffering)),
            Parameter::required("zoneid", Type::Id(Entity::Zone)),
            Parameter::optional("networkdomain", Type::Text).field("networkDomain"),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
        ],
        action: Action::Create {
            kind: |_| Kind::CreateThenJob,
            entity: Entity::Vpc,
            row: create,
            work: |call, id| Box::pin(start(call, id)),
        },
        vpc: |_, created| Ok(created),
        event: Some(Event { kind: "VPC.CREATE", description: "creating vpc" }),
    },
    Command {
        name: "deleteVPC",
        parameters: &[Parameter::required("id", Type::Id(Entity::Vpc))],
        action: Action::Job(|call| Box::pin(delete(call))),
        vpc: |call, _| Ok(call.arguments.id("id")),
        event: Some(Event { kind: "VPC.DELETE", description: "deleting VPC" }),
    },
    Command {
        name: "listVPCs",
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
        vpc: no_vpc,
        event: None,
    },
];

fn create(call: &Call) -> Result<i64> {
    let arguments = &call.arguments;
    let text = arguments.need_text("cidr")?;
    let cidr = rule::network::one(text)
        .filter(|&cidr| !call.cloud.rules.private_subnets_only || rule::network::is_private(cidr))
        .ok_or_else(|| Failure::invalid(format!("Invalid CIDR specified {text}")))?;
    let new = vpc::New {
        name: arguments.need_text("name")?,
        display_text: arguments.need_text("displaytext")?,
        cidr,
        offering: arguments.need_id("vpcofferingid")?,
        zone: arguments.need_id("zoneid")?,
        network_domain: arguments.text("networkdomain"),
    };
    call.cloud.store.transaction(|db| {
        let owner = call.owner(db)?;
        Ok(vpc::insert(db, &new, owner)?)
    })
}

async fn start(call: Call, id: i64) -> Result<Answer> {
    if let Err(failure) = routers::deploy(&call.cloud, id).await {
        call.cloud.store.transaction(|db| {
            vpc::release_addresses(db, id)?;
            Entity::Vpc.remove(db, id)
        })?;
        return Err(failure);
    }
    call.cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?.ok_or_else(|| Failure::internal("Failed to create VPC"))?;
        Ok(Answer::Object("vpc", view(db, &vpc)?))
    })
}

async fn delete(call: Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    let cloud = &call.cloud;
    cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?.ok_or_else(|| Failure::invalid(format!("unable to find VPC id={id}")))?;
        match tier::of_vpc(db, id)?.len() {
            0 => Ok(vpc::set_state(db, id, "Inactive")?),
            tiers => {
                let name = vpc.name;
                Err(Failure::invalid(format!("Can't delete VPC {name} as its used by {tiers} networks")))
            }
        }
    })?;
    if let Some(router) = cloud.router(id) {
        router.destroy().await.map_err(|reason| Failure::internal(format!("Failed to delete VPC: {reason}")))?;
        cloud.forget_router(id);
    }
    // The router took its tunnels along. Customer gateways are their owner's, and stay.
    cloud.store.transaction(|db| {
        for connection in connection::of_vpc(db, id)? {
            Entity::Connection.remove(db, connection.id)?;
        }
        if let Some(gateway) = vpn_gateway::of_vpc(db, id)? {
            Entity::VpnGateway.remove(db, gateway.id)?;
        }
        vpc::release_addresses(db, id)?;
        Entity::Vpc.remove(db, id)?;
        Ok(Answer::Success)
    })
}

fn list(call: &Call) -> Result<Vec<Value>> {
    call.cloud.store.transaction(|db| {
        let wanted = vpc::list(db)?.into_iter().filter(|vpc| {
            call.is("id", vpc.id)
                && call.is("zoneid", vpc.zone)
                && call.is("vpcofferingid", vpc.offering)
                && call.says("name", &vpc.name)
                && call.says("displaytext", &vpc.display_text)
                && call.says("cidr", &vpc.cidr.to_string())
                && call.says("state", &vpc.state)
        });
        wanted.map(|vpc| view(db, &vpc)).collect()
    })
}

fn view(db: &Connection, vpc: &vpc::Vpc) -> Result<Value> {
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
        "network": tiers.iter().map(|tier| network::view(db, tier)).collect::<Result<Vec<_>>>()?,
        "created": crate::store::api_time(&vpc.created),
        "tags": [],
    });
    if let Some(domain) = &vpc.network_domain {
        view["networkdomain"] = json!(domain);
    }
    add_owner(db, &mut view, vpc.owner)?;
    Ok(view)
}

/// Who an object belongs to, in its fields.
pub(super) fn add_owner(db: &Connection, view: &mut Value, owner: account::Owner) -> Result<()> {
    let account = account::get(db, owner)?;
    view["account"] = json!(account.name);
    view["domainid"] = json!(account.domain_uuid.to_string());
    view["domain"] = json!(account.domain);
    Ok(())
}

impl Call {
    /// Who a new object will belong to: the caller, or the account that is named.
    pub(super) fn owner(&self, db: &Connection) -> Result<account::Owner> {
        match (self.arguments.text("account"), self.arguments.id("domainid")) {
            (None, _) => Ok(account::ADMIN),
            (Some(_), None) => Err(Failure::invalid("Account must be specified with domainId parameter")),
            (Some(name), Some(domain)) => account::find(db, name, domain)?.ok_or_else(|| {
                Failure::invalid(format!("Unable to find account by name {name} in domain with specified id"))
            }),
        }
    }
}
