//! Writes the table of methods that the edge dispatches by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::ensure;

use crate::common;
use crate::model::{Method, Model};
use crate::options::Fault;

/// Returns the Rust code.
pub(crate) fn generate(model: &Model) -> anyhow::Result<String> {
    let mut code = String::new();
    let mut names = BTreeMap::new();
    let aliased = model.aliased();

    writeln!(
        code,
        "/// Every method of the public API, in the order of the documents.\n\
         pub const METHODS: &[Method] = &["
    )?;
    for method in &model.methods {
        entry(model, method, &mut code)?;
    }
    writeln!(
        code,
        "];\n/// The methods under their other names: faults name the one that was called.\n\
         pub const ALIASED: &[Method] = &["
    )?;
    for method in &aliased {
        entry(model, method, &mut code)?;
    }
    writeln!(code, "];")?;
    for (index, method) in model.methods.iter().chain(&aliased).enumerate() {
        let name = &method.api.name;
        let earlier = names.insert(name.clone(), index);
        ensure!(earlier.is_none(), "`{name}` names two methods");
    }

    writeln!(
        code,
        "/// The faults that every method can answer with; `<Service>` and `<method>` in a\n\
         /// faultcode stand for those of the method called, see [`Method::fault`].\n\
         pub const COMMON_FAULTS: &[Fault] = &{};",
        faults(&common::templates())?
    )?;

    // Sorted, as the map is.
    writeln!(code, "const INDEX: &[(&str, usize)] = &{:?};", names.iter().collect::<Vec<_>>())?;

    writeln!(
        code,
        "/// What the server sends unasked: the methods of its JSON-RPC notifications.\n\
         pub const NOTIFICATIONS: &[&str] = &{:?};",
        model
            .sent
            .iter()
            .filter(|sent| !sent.webhook)
            .map(|sent| sent.name.as_str())
            .collect::<Vec<_>>()
    )?;
    Ok(code)
}

fn entry(model: &Model, method: &Method, code: &mut String) -> anyhow::Result<()> {
    let api = &method.api;
    let request = model.message(&method.request)?;
    let response = model.message(&method.response)?;
    let params: Vec<&str> = request.public_fields().map(|field| field.name.as_str()).collect();
    let secrets: Vec<&str> = request
        .public_fields()
        .filter(|field| field.options.secret)
        .map(|field| field.name.as_str())
        .collect();
    let realms: Vec<String> =
        api.realms.iter().map(|realm| format!("Realm::{}", upper_camel(realm))).collect();
    // `cordboard.callcontrol.v1.CallControlService` is served by `callcontrol`.
    let owner = method.grpc_service.split('.').nth(1).unwrap_or_default();
    writeln!(
        code,
        "Method {{ name: {:?}, canonical: {:?}, aliases: &{:?}, service: {:?}, verb: {:?}, realms: &[{}], \
         component: Component::{}, level: Level::{}, handled_by: HandledBy::{}, anonymous: {}, \
         anonymous_with: {:?}, \
         mutates: {}, websocket_only: {}, takes_request_id: {}, params: &{params:?}, \
         secrets: &{secrets:?}, faults: &{}, common_faults: &{}, owner: {owner:?}, \
         grpc_service: {:?}, grpc_path: {:?}, read_params: json::read_params::<{}>, \
         write_result: json::write_result::<{}> }},",
        api.name,
        method.canonical,
        api.aliases,
        method.service,
        method.verb,
        realms.join(", "),
        chosen(&api.component),
        chosen(&api.level),
        if api.is_edge { "Edge" } else { "Unspecified" },
        api.is_anonymous,
        Some(&api.anonymous_with).filter(|param| !param.is_empty()),
        api.mutates,
        api.is_websocket_only,
        params.contains(&"request_id"),
        faults(&api.faults)?,
        faults(&common::of(method))?,
        method.grpc_service,
        format!("/{}/{}", method.grpc_service, method.rpc),
        request.rust,
        response.rust,
    )?;
    Ok(())
}

fn faults(faults: &[Fault]) -> anyhow::Result<String> {
    let mut code = "[".to_owned();
    for Fault { reason, faultcode, code: number, when } in faults {
        write!(
            code,
            "Fault {{ reason: {reason:?}, faultcode: {faultcode:?}, code: {number}, \
             when: {when:?} }}, "
        )?;
    }
    code.push(']');
    Ok(code)
}

fn chosen(name: &str) -> String {
    if name.is_empty() { "Unspecified".to_owned() } else { upper_camel(name) }
}

fn upper_camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(letters).collect::<String>()
            })
        })
        .collect()
}
