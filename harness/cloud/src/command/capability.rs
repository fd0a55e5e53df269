//! What the cloud can do: listCapabilities, and listApis, from which command-line clients learn.

use serde_json::{Value, json};

use super::{Action, Answer, Call, Command, Parameter, Result, Type, argument, describe};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "listCapabilities",
        area: "user.config",
        about: "Lists what the cloud can do",
        action: Action::Read(|call| {
            let capability = json!({
                "securitygroupsenabled": false,
                "cloudstackversion": call.cloud.rules.version,
                "userpublictemplateenabled": false,
                "supportELB": "false",
                "projectinviterequired": false,
                "allowusercreateprojects": false,
                "customdiskofferingmaxsize": 0,
            });
            Ok(Answer::Object("capability", capability))
        }),
        ..Command::BASE
    },
    Command {
        name: "listApis",
        area: "user.discovery",
        about: "Lists the commands that the caller may use",
        parameters: &[Parameter::optional("name", Type::Text)],
        action: Action::Read(apis),
        ..Command::BASE
    },
];

fn apis(call: &Call) -> Result<Answer> {
    let wanted = Command::all(call.cloud.rules.release).filter(|command| {
        command.access.allows(call.caller.role)
            && call.arguments.text("name").is_none_or(|name| name.eq_ignore_ascii_case(command.name))
    });
    let apis: Vec<_> = wanted.map(|command| view(call, command)).collect();
    Ok(match apis.len() {
        0 => Answer::Fields(json!({})),
        count => Answer::Fields(json!({ "count": count, "api": apis })),
    })
}

fn view(call: &Call, command: &'static Command) -> Value {
    let release = call.cloud.rules.release;
    let parameter = |parameter: &'static Parameter| {
        json!({
            "name": parameter.name,
            "description": describe::parameter(parameter.name),
            "type": parameter.kind.name(),
            "length": 255,
            "required": parameter.is_needed(release),
        })
    };
    let parameters: Vec<_> =
        argument::parameters(command).filter(|parameter| parameter.is_in(release)).map(parameter).collect();
    let response: Vec<_> = describe::response(command)
        .iter()
        .map(|name| json!({ "name": name, "description": describe::parameter(name), "type": describe::kind(name) }))
        .collect();
    json!({
        "name": command.name,
        "description": command.about,
        "isasync": command.action.is_async(),
        "related": "",
        "params": parameters,
        "response": response,
    })
}
