//! What the service has to report of its own accord: alerts and events.

use serde_json::json;

use super::{Access, Action, Call, Command, Parameter, Result, Rows, Type, account::add_owner};
use crate::{
    profile::Release,
    server::Failure,
    store::{Entity, api_time, journal, select::Page},
};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listAlerts",
        area: "admin.resource",
        access: Access::Root,
        about: "Lists alerts, such as those of VPN connections that came or went",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Alert)),
            Parameter::optional("type", Type::Text),
            Parameter::optional("name", Type::Text).since(Release::V4_22),
        ],
        action: Action::List { object: "alert", rows: alerts },
        ..Command::BASE
    },
    Command {
        name: "listEvents",
        area: "user.event",
        about: "Lists steps of commands, and changes of VPN connections' states",
        parameters: &[
            Parameter::optional("id", Type::Id(Entity::Event)),
            Parameter::optional("type", Type::Text),
            Parameter::optional("level", Type::Text),
            Parameter::optional("state", Type::Text).since(Release::V4_22),
            Parameter::optional("startdate", Type::Text).field("startDate"),
            Parameter::optional("enddate", Type::Text).field("endDate"),
        ],
        action: Action::List { object: "event", rows: events },
        ..Command::BASE
    },
];

/// The name of all alerts here.
const NAME: &str = "ALERT.SERVICE.DOMAINROUTER";

fn alerts(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    let view = |alert: journal::Alert| {
        let mut view = json!({
            "id": alert.uuid.to_string(),
            "type": alert.kind,
            "description": alert.subject,
            "sent": api_time(&alert.sent),
        });
        if call.is_since(Release::V4_22) {
            view["name"] = json!(NAME);
        }
        view
    };
    call.cloud.store.read(|db| {
        let wanted = journal::select_alerts()
            .is("id", arguments.id("id"))
            .says("CAST(type AS TEXT)", arguments.text("type"))
            .only_if(call.says("name", NAME))
            .mentions("subject", call.keyword());
        wanted.page(db, page, journal::read_alert, |alert| {
            rows.push(&view(alert));
            Ok(())
        })
    })
}

fn events(call: &Call, page: Page, rows: &mut Rows) -> Result<usize> {
    let arguments = &call.arguments;
    // As the store has times; a bound may be a day or a moment.
    let bound = |name| arguments.text(name).map(|text| text.replace('T', " ").chars().take(19).collect::<String>());
    call.cloud.store.read(|db| {
        let wanted = journal::select_events()
            .within(&call.scope(db)?, "event")
            .is("event.id", arguments.id("id"))
            .says("event.type", arguments.text("type"))
            .says("event.level", arguments.text("level"))
            .says("event.state", arguments.text("state"))
            .since("event.created", bound("startdate"))
            .until("event.created", bound("enddate"))
            .mentions("event.description", call.keyword());
        let view = |event: journal::Event| {
            let mut view = json!({
                "id": event.uuid.to_string(),
                "username": event.username,
                "type": event.kind,
                "level": event.level,
                "description": event.description,
                "state": event.state,
                "created": api_time(&event.created),
            });
            if let Some(parent) = event.parent {
                view["parentid"] = json!(parent.to_string());
            }
            add_owner(call, db, &mut view, event.owner)?;
            Ok::<_, Failure>(view)
        };
        wanted.page(db, page, journal::read_event, |event| {
            rows.push(&view(event)?);
            Ok(())
        })
    })
}
