//! JSON schemas (2020-12) of the public messages.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::model::{Field, Kind, Message, Model};

/// Returns the schema of each message, by its name in the documents.
pub(crate) fn components(model: &Model) -> anyhow::Result<Map<String, Value>> {
    let mut schemas = Map::new();
    for message in model.messages.values() {
        let earlier = schemas.insert(message.title.clone(), object(model, message)?);
        anyhow::ensure!(earlier.is_none(), "two messages are called `{}`", message.title);
    }
    Ok(schemas)
}

/// Returns a reference to the schema of a message.
pub(crate) fn reference(model: &Model, message: &str) -> anyhow::Result<Value> {
    Ok(json!({"$ref": format!("#/components/schemas/{}", model.message(message)?.title)}))
}

/// Returns the schema of an object.
pub(crate) fn object(model: &Model, message: &Message) -> anyhow::Result<Value> {
    let mut properties = Map::new();
    for field in message.public_fields() {
        properties.insert(field.name.clone(), field_schema(model, message, field)?);
    }
    let required: Vec<&str> = message
        .public_fields()
        .filter(|field| is_required(message, field))
        .map(|field| field.name.as_str())
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": message.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    Ok(schema)
}

/// Tells whether the field is always there: asked for in what callers send, written in what
/// they get.
pub(crate) fn is_required(message: &Message, field: &Field) -> bool {
    if message.received { field.options.required } else { field.is_always_written() }
}

/// Returns the schema of one field.
pub(crate) fn field_schema(
    model: &Model,
    message: &Message,
    field: &Field,
) -> anyhow::Result<Value> {
    let mut value = value_schema(model, message, field)
        .with_context(|| format!("field `{}` of `{}`", field.name, message.title))?;
    if field.is_list {
        value = json!({"type": "array", "items": value});
        bounds(field, "minItems", "maxItems", &mut value);
    }
    set(&mut value, "description", json!(field.doc));
    if field.options.secret {
        set(&mut value, "writeOnly", json!(message.received));
    }
    if let Some(default) = default(field)? {
        set(&mut value, "default", default);
    }
    Ok(value)
}

fn value_schema(model: &Model, message: &Message, field: &Field) -> anyhow::Result<Value> {
    let mut schema = match &field.kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Flag | Kind::YesNo if message.received => {
            json!({"enum": [1, 0, "Y", "N", "y", "n", "1", "0", true, false, "true", "false"]})
        }
        Kind::Flag => json!({"type": "integer", "enum": [0, 1]}),
        Kind::YesNo => json!({"type": "string", "enum": ["Y", "N"]}),
        Kind::Int32 => json!({"type": "integer", "format": "int32"}),
        Kind::Int64 => json!({"type": "integer", "format": "int64"}),
        Kind::Double => json!({"type": "number"}),
        Kind::String => json!({"type": "string"}),
        Kind::DateTime => json!({
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
            "examples": ["2026-03-01 12:30:00"],
        }),
        Kind::Enum(inner) => {
            let enumeration = model.enumeration(inner)?;
            let mut names: Vec<String> =
                enumeration.names(field)?.into_iter().map(|(name, _)| name).collect();
            if enumeration.is_realm && message.received {
                let plurals: Vec<String> = names.iter().map(|name| format!("{name}s")).collect();
                names.extend(plurals);
            }
            json!({"type": "string", "enum": names})
        }
        Kind::Message(inner) => reference(model, inner)?,
    };
    if !field.is_list {
        match &field.kind {
            Kind::String => bounds(field, "minLength", "maxLength", &mut schema),
            Kind::Int32 | Kind::Int64 | Kind::Double => {
                bounds(field, "minimum", "maximum", &mut schema);
            }
            _ => {}
        }
    }
    Ok(schema)
}

fn bounds(field: &Field, min: &str, max: &str, schema: &mut Value) {
    if let Some(bound) = field.options.min {
        set(schema, min, json!(bound));
    }
    if let Some(bound) = field.options.max {
        set(schema, max, json!(bound));
    }
}

/// Sets a member of an object.
pub(crate) fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

fn default(field: &Field) -> anyhow::Result<Option<Value>> {
    let text = field.options.default_value.as_str();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(match field.kind {
        Kind::Flag | Kind::Int32 | Kind::Int64 => json!(text.parse::<i64>()?),
        Kind::Double => json!(text.parse::<f64>()?),
        _ => json!(text),
    }))
}
