//! Guests: a machine in a tier, as far as the cloud keeps books of it. The network makes none.

use std::net::Ipv4Addr;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Event, Kind, Parameter, Result, Rows, Type, account::add_owner};
use crate::{
    profile::Release,
    server::Failure,
    store::{
        Entity, api_time,
        offering::{self, Named},
        select::Page,
        tier, vm,
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "deployVirtualMachine",
        area: "user.vm",
        about: "Creates a guest in a tier",
        parameters: &[
            Parameter::required("serviceofferingid", Type::Id(Entity::ServiceOffering)),
            Parameter::required("templateid", Type::Id(Entity::Template)),
            Parameter::required("zoneid", Type::Id(Entity::Zone)),
            Parameter::required("networkids", Type::Ids(Entity::Network)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("displayname", Type::Text),
            Parameter::optional("startvm", Type::Bool),
            Parameter::optional("account", Type::Text).field("accountName"),
            Parameter::optional("domainid", Type::Id(Entity::Domain)),
            Parameter::optional("projectid", Type::Project),
        ],
        action: Action::Create {
            kind: |_| Kind::CreateThenJob,
            entity: Entity::Vm,
            row: create,
            work: |call, id| Box::pin(async move { start(&call, id) }),
        },
        event: Some(Event { kind: "VM.CREATE", description: "starting Vm" }),
        ..Command::BASE
    },
    Command {
        name: "destroyVirtualMachine",
        area: "user.vm",
        about: "Destroys a guest",
        parameters: &[Parameter::required("id", Type::Id(Entity::Vm))],
        action: Action::Job(|call| Box::pin(async move { destroy(&call) })),
        event: Some(Event { kind: "VM.DESTROY", description: "destroying Vm" }),
        ..Command::BASE
    },
    Command {
        name: "listVirtualMachines",
        area: "user.vm",
        about: "Lists guests",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Vm)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("state", Type::Text),
            Parameter::optional("networkid", Type::Id(Entity::Network)),
            Parameter::optional("vpcid", Type::Id(Entity::Vpc)),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
        ],
        action: Action::List { object: "virtualmachine", rows: list },
        ..Command::BASE
    },
    Command {
        name: "listServiceOfferings",
        area: "user.offering",
        about: "Lists sizes of guests",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::ServiceOffering)),
            Parameter::optional("name", Type::Text),
        ],
        action: Action::List {
            object: "serviceoffering",
            rows: |call, page, rows| {
                let size = json!({ "cpunumber": 1, "cpuspeed": 500, "memory": 512 });
                named(call, page, rows, &size, offering::service_offerings)
            },
        },
        ..Command::BASE
    },
    Command {
        name: "listTemplates",
        area: "user.template",
        about: "Lists what guests are made from",
        parameters: &[
            Parameter::required("templatefilter", Type::Text).field("templateFilter"),
            Parameter::optional("id", Type::Id(Entity::Template)),
            Parameter::optional("name", Type::Text),
            Parameter::optional("zoneid", Type::Id(Entity::Zone)),
        ],
        action: Action::List {
            object: "template",
            rows: |call, page, rows| {
                let image = json!({
                    "isready": true, "format": "QCOW2", "hypervisor": "KVM", "ostypename": "Other Linux (64-bit)",
                });
                named(call, page, rows, &image, offering::templates)
            },
        },
        ..Command::BASE
    },
];

/// Rows that have names, and what all of them have besides.
fn named(
    call: &Call,
    page: Page,
    rows: &mut Rows,
    fields: &Value,
    list: fn(&Connection) -> rusqlite::Result<Vec<Named>>,
) -> Result<usize> {
    let wanted =
        call.cloud.store.read(list)?.into_iter().filter(|row| call.is("id", row.id) && call.says("name", &row.name));
    let view = |row: Named| {
        let mut view = fields.clone();
        view["id"] = json!(row.uuid.to_string());
        view["name"] = json!(row.name);
        view["displaytext"] = json!(row.display_text);
        view
    };
    Ok(rows.push_page(page, wanted.map(view)))
}

fn create(call: &Call) -> Result<i64> {
    let arguments = &call.arguments;
    call.cloud.store.transaction(|db| {
        let [network] = arguments.ids("networkids") else {
            return Err(Failure::invalid("A guest is in exactly one network of a VPC: name one in networkids"));
        };
        let unknown = || Failure::invalid(format!("Unable to find network by id {network}"));
        let tier = tier::find(db, *network)?.ok_or_else(unknown)?;
        if call.owner(db)? != tier.owner && !call.caller.may_touch(db, tier.owner)? {
            return Err(call.caller.denied("network"));
        }
        let full =
            || Failure::insufficient_capacity(format!("Unable to acquire Guest IP address for network {}", tier.name));
        let new = vm::New {
            name: arguments.text("name"),
            display_name: arguments.text("displayname"),
            network: tier.id,
            address: free_address(db, &tier)?.ok_or_else(full)?,
            service_offering: arguments.need_id("serviceofferingid")?,
            template: arguments.need_id("templateid")?,
        };
        Ok(vm::insert(db, &new, tier.owner)?)
    })
}

/// The first address of the tier that is nobody's.
fn free_address(db: &Connection, tier: &tier::Network) -> Result<Option<Ipv4Addr>> {
    let guests = vm::of_network(db, tier.id)?;
    let taken = |address: &Ipv4Addr| *address == tier.gateway || guests.iter().any(|guest| guest.address == *address);
    Ok(tier.cidr.hosts().find(|address| !taken(address)))
}

fn start(call: &Call, id: i64) -> Result<Answer> {
    call.cloud.store.transaction(|db| {
        let state = if call.arguments.flag("startvm") == Some(false) { "Stopped" } else { "Running" };
        vm::set_state(db, id, state)?;
        let guest = vm::find(db, id)?.ok_or_else(|| Failure::internal("Failed to deploy the guest"))?;
        Ok(Answer::Object("virtualmachine", view(call, db, &guest)?))
    })
}

fn destroy(call: &Call) -> Result<Answer> {
    let id = call.arguments.need_id("id")?;
    call.cloud.store.transaction(|db| {
        let unknown = || Failure::invalid(format!("unable to find a virtual machine with id {id}"));
        let mut guest = vm::find(db, id)?.ok_or_else(unknown)?;
        "Destroyed".clone_into(&mut guest.state);
        vm::set_state(db, id, &guest.state)?;
        let view = view(call, db, &guest)?;
        Entity::Vm.remove(db, id)?;
        Ok(Answer::Object("virtualmachine", view))
    })
}

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    call.cloud.store.read(|db| {
        let wanted = vm::select()
            .within(&call.scope(db)?, "m")
            .is("m.id", arguments.id("id"))
            .is("m.network_id", arguments.id("networkid"))
            .is("n.vpc_id", arguments.id("vpcid"))
            .says("m.name", arguments.text("name"))
            .says("m.state", arguments.text("state"))
            .mentions("m.name", call.keyword());
        wanted.page(db, page, vm::read, |guest| {
            rows.push(&view(call, db, &guest)?);
            Ok(())
        })
    })
}

fn view(call: &Call, db: &Connection, guest: &vm::Vm) -> Result<Value> {
    let gone = || Failure::internal("the guest's network is gone");
    let tier = tier::find(db, guest.network)?.ok_or_else(gone)?;
    let mut view = json!({
        "id": guest.uuid.to_string(),
        "name": guest.name,
        "displayname": guest.display_name,
        "state": guest.state,
        "created": api_time(&guest.created),
        "zoneid": Entity::Zone.uuid(db, tier.zone)?.to_string(),
        "zonename": offering::zone_name(db, tier.zone)?,
        "serviceofferingid": Entity::ServiceOffering.uuid(db, guest.service_offering)?.to_string(),
        "templateid": Entity::Template.uuid(db, guest.template)?.to_string(),
        "nic": [{
            "networkid": tier.uuid.to_string(),
            "networkname": tier.name,
            "ipaddress": guest.address.to_string(),
            "netmask": tier.cidr.netmask().to_string(),
            "gateway": tier.gateway.to_string(),
            "traffictype": "Guest",
            "type": "Isolated",
            "isdefault": true,
        }],
    });
    if call.is_since(Release::V4_22) {
        view["vpcid"] = json!(Entity::Vpc.uuid(db, tier.vpc)?.to_string());
    }
    add_owner(call, db, &mut view, guest.owner)?;
    Ok(view)
}
