//! The reference of the API in Markdown.

use std::fmt::Write as _;

use crate::common;
use crate::model::{Enum, Field, Kind, Message, Method, Model};
use crate::openrpc::summary;
use crate::options::Fault;
use crate::schema;

const INTRODUCTION: &str = "\
# API reference

Made from the `.proto` files when the crate `proto` is built; change those, not this page.

Methods are called over a WebSocket (`/ws`, JSON-RPC 2.0, params by name) or with
`POST /rest/{Service}/{method}`. Date-times are `\"YYYY-MM-DD HH:MM:SS\"` in UTC; flags are `1`/`0`
or `\"Y\"`/`\"N\"` and read in either form, as `true`/`false`, and with `1`, `0`, `true` and `false` as
strings. Numbers are read as numbers only. A param that is `null` counts as absent.
";

/// Returns the page.
pub(crate) fn generate(model: &Model) -> anyhow::Result<String> {
    let mut page = INTRODUCTION.to_owned();
    overview(model, &mut page)?;
    let mut service = "";
    for method in &model.methods {
        if method.service != service {
            service = &method.service;
            write!(page, "\n## {service}\n")?;
        }
        section(model, method, &mut page)?;
    }
    page.push_str("\n## Notifications\n");
    for sent in model.sent.iter().filter(|sent| !sent.webhook) {
        let message = model.message(&sent.message)?;
        write!(page, "\n### `{}`\n\n{}\n", sent.name, message.doc)?;
        fields(model, message, "Param", &mut page)?;
    }
    page.push_str("\n## Webhooks\n");
    for sent in model.sent.iter().filter(|sent| sent.webhook) {
        let message = model.message(&sent.message)?;
        write!(page, "\n### `{}`\n\n{}\n", sent.name, message.doc)?;
        fields(model, message, "Field", &mut page)?;
    }
    objects(model, &mut page)?;
    page.push_str(
        "\n## Faults of every method\n\n`<Service>` and `<method>` stand for those of the method \
         called.\n",
    );
    faults(&common::templates(), &mut page)?;
    Ok(page)
}

fn overview(model: &Model, page: &mut String) -> anyhow::Result<()> {
    page.push_str(
        "\n## Methods\n\n| method | what it does | realms | permission |\n|---|---|---|---|\n",
    );
    for method in &model.methods {
        let api = &method.api;
        writeln!(
            page,
            "| [`{}`](#{}) | {} | {} | {} |",
            api.name,
            anchor(&api.name),
            cell(&summary(&method.doc)),
            realms(method),
            permission(method),
        )?;
    }
    Ok(())
}

fn section(model: &Model, method: &Method, page: &mut String) -> anyhow::Result<()> {
    let api = &method.api;
    write!(page, "\n### `{}`\n\n", api.name)?;
    // The comments list the reasons; the table below says more.
    let doc = method.doc.split("\n\nFaults:").next().unwrap_or_default();
    writeln!(page, "{doc}\n")?;
    writeln!(page, "Realms: {}. Permission: {}.", realms(method), permission(method))?;
    if !api.aliases.is_empty() {
        writeln!(page, "Also called `{}`.", api.aliases.join("`, `"))?;
    }
    if api.is_websocket_only {
        writeln!(page, "WebSocket only.")?;
    }
    fields(model, model.message(&method.request)?, "Param", page)?;
    if api.name != "rpc.discover" {
        fields(model, model.message(&method.response)?, "Result", page)?;
    }
    if !api.faults.is_empty() {
        faults(&api.faults, page)?;
    }
    Ok(())
}

fn fields(model: &Model, message: &Message, title: &str, page: &mut String) -> anyhow::Result<()> {
    if message.public_fields().next().is_none() {
        return Ok(());
    }
    write!(page, "\n| {title} | type | |\n|---|---|---|\n")?;
    for field in message.public_fields() {
        let mark = if schema::is_required(message, field) { "" } else { "?" };
        let mut text = cell(&field.doc);
        if !field.options.default_value.is_empty() {
            write!(text, " Default `{}`.", field.options.default_value)?;
        }
        writeln!(
            page,
            "| `{}`{mark} | {} | {text} |",
            field.name,
            cell(&kind(model, message, field)?)
        )?;
    }
    Ok(())
}

fn kind(model: &Model, message: &Message, field: &Field) -> anyhow::Result<String> {
    let kind = match &field.kind {
        Kind::Bool => "boolean".to_owned(),
        Kind::Flag => "flag `1`/`0`".to_owned(),
        Kind::YesNo => "flag `\"Y\"`/`\"N\"`".to_owned(),
        Kind::Int32 | Kind::Int64 => "integer".to_owned(),
        Kind::Double => "number".to_owned(),
        Kind::String => "string".to_owned(),
        Kind::DateTime => "date-time".to_owned(),
        Kind::Enum(inner) => {
            let names = model.enumeration(inner)?.names(field)?;
            let names: Vec<String> =
                names.into_iter().map(|(name, _)| format!("`{name}`")).collect();
            names.join(" ")
        }
        Kind::Message(inner) => {
            let title = &model.message(inner)?.title;
            format!("[{title}](#{})", title.to_lowercase())
        }
    };
    let unit = match &field.kind {
        Kind::String if !field.is_list => " characters",
        _ if field.is_list => " items",
        _ => "",
    };
    let bounds = match (field.options.min, field.options.max) {
        (Some(min), Some(max)) => format!(", {min}–{max}{unit}"),
        (Some(min), None) => format!(", at least {min}{unit}"),
        (None, Some(max)) => format!(", at most {max}{unit}"),
        (None, None) => String::new(),
    };
    let list = if field.is_list { "list of " } else { "" };
    Ok(format!("{list}{kind}{}", if message.received { bounds } else { String::new() }))
}

fn objects(model: &Model, page: &mut String) -> anyhow::Result<()> {
    page.push_str("\n## Objects\n");
    let is_top = |name: &str| {
        let is_call = model.methods.iter().any(|m| m.request == name || m.response == name);
        is_call || model.sent.iter().any(|sent| sent.message == name)
    };
    for (name, message) in &model.messages {
        if !is_top(name) {
            write!(page, "\n### {}\n\n{}\n", message.title, message.doc)?;
            fields(model, message, "Field", page)?;
        }
    }
    page.push_str("\n## Values\n");
    for (name, enumeration) in &model.enums {
        values(name, enumeration, page)?;
    }
    Ok(())
}

fn values(name: &str, enumeration: &Enum, page: &mut String) -> anyhow::Result<()> {
    let title = name.rsplit('.').next().unwrap_or(name);
    write!(page, "\n### {title}\n\n| value | |\n|---|---|\n")?;
    for value in &enumeration.values {
        writeln!(page, "| `{}` | {} |", value.json, cell(&value.doc))?;
    }
    Ok(())
}

fn faults(faults: &[Fault], page: &mut String) -> anyhow::Result<()> {
    page.push_str("\n| faultcode | code | when |\n|---|---|---|\n");
    for fault in faults {
        writeln!(page, "| `{}` | {} | {} |", fault.faultcode, fault.code, cell(&fault.when))?;
    }
    Ok(())
}

fn realms(method: &Method) -> String {
    match method.api.realms.len() {
        4 => "all".to_owned(),
        _ => method.api.realms.join(", "),
    }
}

fn permission(method: &Method) -> String {
    let api = &method.api;
    match (api.component.as_str(), api.is_anonymous) {
        ("", true) => "none, no session either".to_owned(),
        ("", false) if !api.anonymous_with.is_empty() => {
            format!("none; with `{}` no session either", api.anonymous_with)
        }
        ("", false) => "none".to_owned(),
        (component, _) => format!("`{component}` {}", api.level),
    }
}

/// Puts a text into one cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// Returns the anchor that a heading with this method's name gets.
fn anchor(name: &str) -> String {
    name.to_lowercase().replace(['/', '.'], "")
}
