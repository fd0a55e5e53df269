//! Usage records: bytes that a VPN connection carried, by day.
//!
//! "CS should generate usage records for the VPN in terms of # of Bytes." No release does; the types
//! are those of a network's bytes, and `usageid` is the connection.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Access, Action, Answer, Call, Command, Parameter, Result, Rows, Type, account::add_owner};
use crate::{
    server::{Failure, usage as counters},
    store::{
        Entity, account,
        select::{Page, Scope},
        usage::{self, RECEIVED, SENT},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listUsageRecords",
        area: "admin.usage",
        access: Access::Admins,
        about: "Lists the bytes that VPN connections carried, sent and received, by day",
        parameters: &[
            Parameter::required("startdate", Type::Text).field("startDate"),
            Parameter::required("enddate", Type::Text).field("endDate"),
            Parameter::optional("type", Type::Long),
            Parameter::optional("usageid", Type::Text),
            Parameter::optional("accountid", Type::Id(Entity::Account)),
        ],
        action: Action::FreshList {
            object: "usagerecord",
            refresh: |cloud| Box::pin(counters::read_all(cloud)),
            rows: list,
        },
        ..Command::BASE
    },
    Command {
        name: "listUsageTypes",
        area: "admin.usage",
        access: Access::Admins,
        about: "Lists the types of usage records",
        action: Action::Read(|_| {
            Ok(Answer::Object(
                "usagetype",
                json!([
                    { "usagetypeid": SENT, "description": "Network Usage (Bytes Sent)" },
                    { "usagetypeid": RECEIVED, "description": "Network Usage (Bytes Received)" },
                ]),
            ))
        }),
        ..Command::BASE
    },
];

fn list(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    let (first, last) = (day(call, "startdate")?, day(call, "enddate")?);
    if first > last {
        return Err(Failure::invalid(format!("Incorrect Date Range. Start date: {first} is after end date:{last}")));
    }
    call.cloud.store.read(|db| {
        let wanted = usage::select()
            .within(&everything_or_scope(call, db)?, "c")
            .since("u.day", Some(first))
            .until("u.day", Some(last))
            .is("k.kind", arguments.long("type"))
            .is("c.account_id", arguments.id("accountid"))
            .is("c.uuid", arguments.text("usageid").map(str::to_owned));
        wanted.page(db, page, usage::read_record, |record| {
            rows.push(&view(call, db, &record)?);
            Ok(())
        })
    })
}

/// An administrator sees what there is in its domains; CloudStack has no `listall` here.
fn everything_or_scope(call: &Call, db: &Connection) -> Result<Scope> {
    let caller = &call.caller;
    if call.arguments.text("account").is_some() || call.arguments.id("domainid").is_some() {
        return call.scope(db);
    }
    Ok(match caller.is_root() {
        true => Scope::All,
        false => Scope::Domains(account::tree(db, caller.actor.owner.domain)?),
    })
}

/// `2026-11-25`, or a time of that day.
fn day(call: &Call, name: &'static str) -> Result<String> {
    let text = call.arguments.need_text(name)?;
    let day: String = text.chars().take(10).collect();
    match day.parse::<jiff::civil::Date>() {
        Ok(date) => Ok(date.to_string()),
        Err(_) => Err(Failure::invalid(format!("Unable to parse date {text} for parameter {name}"))),
    }
}

fn view(call: &Call, db: &Connection, record: &usage::Record) -> Result<Value> {
    let (connection, bytes) = (&record.connection, record.bytes);
    let way = if record.kind == SENT { "sent" } else { "received" };
    let mut view = json!({
        "accountid": Entity::Account.uuid(db, record.owner.account)?.to_string(),
        "usageid": connection,
        "usagetype": record.kind,
        "type": "Site2SiteVpnConnection",
        "description": format!("bytes {way} by VPN connection {connection}"),
        "usage": format!("{bytes} bytes {way}"),
        "rawusage": bytes.to_string(),
        "startdate": format!("{}T00:00:00+0000", record.day),
        "enddate": format!("{}T23:59:59+0000", record.day),
        "zoneid": Entity::Zone.uuid(db, 1)?.to_string(),
        "vpcid": record.vpc,
    });
    add_owner(call, db, &mut view, record.owner)?;
    Ok(view)
}
