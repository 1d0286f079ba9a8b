//! The `OpenAPI` 3.1 documents, one for each realm: `/doc/api/{Realm}Interface.json`.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::common;
use crate::model::{Kind, Method, Model};
use crate::openrpc;
use crate::schema;

/// Returns the document with the methods that a realm may call.
pub(crate) fn generate(model: &Model, realm: &str) -> anyhow::Result<String> {
    let mut paths = Map::new();
    let mut reached = BTreeSet::new();
    let mut tags = Vec::new();
    let aliased = model.aliased();
    for method in model.methods.iter().chain(&aliased).filter(|method| is_offered(method, realm)) {
        reach(model, &method.request, &mut reached)?;
        reach(model, &method.response, &mut reached)?;
        if !tags.contains(&method.service) {
            tags.push(method.service.clone());
        }
        let path = format!("/rest/{}/{}", method.service, method.verb);
        paths.insert(path, json!({"post": operation(model, method)?}));
    }
    let mut schemas = Map::new();
    for name in &reached {
        let message = model.message(name)?;
        schemas.insert(message.title.clone(), schema::object(model, message)?);
    }
    schemas.insert("AuthInfo".to_owned(), auth_info());
    schemas.insert("Fault".to_owned(), fault());

    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Cordboard, {realm} interface"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The methods that this realm may call over HTTP. `params` and \
                `auth_info` may also be sent as JSON strings in form or multipart fields.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    });
    Ok(serde_json::to_string(&document)?)
}

fn is_offered(method: &Method, realm: &str) -> bool {
    let api = &method.api;
    !api.is_websocket_only && api.name.contains('/') && api.realms.iter().any(|name| name == realm)
}

fn operation(model: &Model, method: &Method) -> anyhow::Result<Value> {
    let api = &method.api;
    let response = model.message(&method.response)?;
    let mut operation = json!({
        "operationId": api.name.replace('/', "_"),
        "tags": [method.service],
        "summary": openrpc::summary(&method.doc),
        "description": method.doc,
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "params": schema::reference(model, &method.request)?,
                    "auth_info": {"$ref": "#/components/schemas/AuthInfo"},
                },
            }}},
        },
        "responses": {
            "200": {
                "description": response.doc,
                "content": {"application/json": {
                    "schema": schema::reference(model, &method.response)?,
                }},
            },
            "500": {
                "description": faults(method)?,
                "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Fault"},
                }},
            },
        },
        // The empty one stands for `auth_info` and the cookie, and for anonymous methods.
        "security": [{"bearer": []}, {}],
        "x-permission": openrpc::permission(method),
    });
    if !api.aliases.is_empty() {
        schema::set(&mut operation, "x-aliases", json!(api.aliases));
    }
    if method.canonical != api.name {
        schema::set(&mut operation, "x-alias-of", json!(method.canonical));
    }
    Ok(operation)
}

/// Lists the faultcodes of a method, its own first.
fn faults(method: &Method) -> anyhow::Result<String> {
    let own = method.api.faults.clone();
    let mut seen = BTreeSet::new();
    let mut lines = vec!["A fault:".to_owned(), String::new()];
    for fault in own.into_iter().chain(common::of(method)) {
        lines.push(format!("- `{}`: {}", fault.faultcode, fault.when));
        let is_new = seen.insert(fault.reason.clone());
        anyhow::ensure!(is_new, "`{}` has {} twice", method.api.name, fault.reason);
    }
    Ok(lines.join("\n"))
}

fn reach(model: &Model, name: &str, reached: &mut BTreeSet<String>) -> anyhow::Result<()> {
    if reached.insert(name.to_owned()) {
        let message = model.message(name).context("unknown message")?;
        for field in message.public_fields() {
            if let Kind::Message(inner) = &field.kind {
                reach(model, inner, reached)?;
            }
        }
    }
    Ok(())
}

fn auth_info() -> Value {
    json!({
        "type": "object",
        "description": "Who calls: `login` with `password` or `token`, a `session_id`, or an \
            `access_token`. Not needed beside `Authorization: Bearer` or the login cookie.",
        "properties": {
            "login": {"type": "string"},
            "password": {"type": "string", "writeOnly": true},
            "token": {"type": "string", "writeOnly": true},
            "session_id": {"type": "string", "writeOnly": true},
            "access_token": {"type": "string", "writeOnly": true},
        },
    })
}

fn fault() -> Value {
    json!({
        "type": "object",
        "properties": {
            "faultcode": {"type": "string", "description": "Which fault it is."},
            "faultstring": {"type": "string", "description": "What is wrong, for people."},
        },
        "required": ["faultcode", "faultstring"],
    })
}
