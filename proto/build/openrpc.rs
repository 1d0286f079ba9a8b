//! The `OpenRPC` 1.3 document: `/doc/openrpc.json` and `rpc.discover`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::common;
use crate::model::{Method, Model};
use crate::options::Fault;
use crate::schema;

const DESCRIPTION: &str = "Call control for CTI applications. Methods are called over a \
    WebSocket (`/ws`, JSON-RPC 2.0, params by name) or with `POST /rest/{Service}/{method}`. \
    Each error has `data.faultcode`, `data.retryable` and `data.trace_id`. `x-notifications` \
    lists what the server sends unasked, `x-webhooks` the bodies of the callbacks.";

/// Returns the document.
pub(crate) fn generate(model: &Model) -> anyhow::Result<String> {
    let aliased = model.aliased();
    let methods = model
        .methods
        .iter()
        .chain(&aliased)
        .map(|entry| method(model, entry))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let document = json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Cordboard",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "methods": methods,
        "components": {"schemas": schema::components(model)?},
        "x-notifications": sent(model, false)?,
        "x-webhooks": sent(model, true)?,
        "x-common-faults": common_faults(),
    });
    Ok(serde_json::to_string(&document)?)
}

fn method(model: &Model, method: &Method) -> anyhow::Result<Value> {
    let api = &method.api;
    let request = model.message(&method.request)?;
    let params = request
        .public_fields()
        .map(|field| {
            Ok(json!({
                "name": field.name,
                "description": field.doc,
                "required": field.options.required,
                "schema": schema::field_schema(model, request, field)?,
            }))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let result = if api.name == "rpc.discover" {
        json!({"name": "OpenRPC", "schema": {"type": "object"}})
    } else {
        let response = model.message(&method.response)?;
        json!({
            "name": response.title,
            "description": response.doc,
            "schema": schema::reference(model, &method.response)?,
        })
    };
    let mut entry = json!({
        "name": api.name,
        "summary": summary(&method.doc),
        "description": method.doc,
        "tags": [{"name": method.service}],
        "paramStructure": "by-name",
        "params": params,
        "result": result,
        "errors": errors(method),
        "x-realms": api.realms,
        "x-permission": permission(method),
        "x-mutates": api.mutates,
    });
    if !api.aliases.is_empty() {
        schema::set(&mut entry, "x-aliases", json!(api.aliases));
    }
    if method.canonical != api.name {
        schema::set(&mut entry, "x-alias-of", json!(method.canonical));
    }
    if api.is_anonymous {
        schema::set(&mut entry, "x-anonymous", json!(true));
    }
    if !api.anonymous_with.is_empty() {
        schema::set(&mut entry, "x-anonymous-with", json!(api.anonymous_with));
    }
    Ok(entry)
}

/// Returns the errors of a method, one for each code, as `OpenRPC` wants them.
fn errors(method: &Method) -> Vec<Value> {
    let mut by_code: BTreeMap<i32, Vec<Value>> = BTreeMap::new();
    for fault in &method.api.faults {
        by_code.entry(fault.code).or_default().push(described(fault));
    }
    for fault in common::of(method) {
        // When they are raised is said once, in `x-common-faults`.
        let short = json!({"reason": fault.reason, "faultcode": fault.faultcode});
        by_code.entry(fault.code).or_default().push(short);
    }
    by_code
        .into_iter()
        .map(|(code, faults)| {
            json!({"code": code, "message": common::title(code), "data": {"faults": faults}})
        })
        .collect()
}

fn described(fault: &Fault) -> Value {
    json!({
        "reason": fault.reason,
        "faultcode": fault.faultcode,
        "when": fault.when,
    })
}

fn common_faults() -> Vec<Value> {
    common::templates()
        .iter()
        .map(|fault| {
            let mut entry = described(fault);
            schema::set(&mut entry, "code", json!(fault.code));
            entry
        })
        .collect()
}

fn sent(model: &Model, webhook: bool) -> anyhow::Result<Vec<Value>> {
    model
        .sent
        .iter()
        .filter(|sent| sent.webhook == webhook)
        .map(|sent| {
            let message = model.message(&sent.message)?;
            Ok(json!({
                "name": sent.name,
                "summary": summary(&message.doc),
                "description": message.doc,
                if webhook { "body" } else { "params" }: schema::reference(model, &sent.message)?,
            }))
        })
        .collect()
}

/// Returns what the role must grant; `null` when nothing.
pub(crate) fn permission(method: &Method) -> Value {
    if method.api.component.is_empty() {
        Value::Null
    } else {
        json!({"component": method.api.component, "level": method.api.level})
    }
}

/// Returns the first sentence of a comment, on one line.
pub(crate) fn summary(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => paragraph,
    }
}
