//! Writes `impl json::Message` for every public message.

use std::fmt::Write as _;

use anyhow::Context as _;

use crate::model::{Field, Kind, Message, Model};

/// Returns the Rust code.
pub(crate) fn generate(model: &Model) -> anyhow::Result<String> {
    let mut code = String::new();
    for message in model.messages.values() {
        implementation(model, message, &mut code)
            .with_context(|| format!("message `{}`", message.title))?;
    }
    Ok(code)
}

fn implementation(model: &Model, message: &Message, code: &mut String) -> anyhow::Result<()> {
    let known: Vec<&str> = message.public_fields().map(|field| field.name.as_str()).collect();
    let is_empty = known.is_empty();
    writeln!(code, "impl json::Message for {} {{", message.rust)?;
    writeln!(
        code,
        "fn read(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Self {{\n\
         let {}fields = Fields::open(value, path, problems, &{known:?});\nSelf {{",
        if is_empty { "_" } else { "mut " },
    )?;
    for field in &message.fields {
        let value = if field.options.internal {
            "Default::default()".to_owned()
        } else {
            read(model, field).with_context(|| format!("field `{}`", field.name))?
        };
        writeln!(code, "{}: {value},", ident(&field.name))?;
    }
    writeln!(code, "}}\n}}\nfn write(&self, out: &mut Vec<u8>) {{")?;
    writeln!(code, "let {}object = Object::begin(out);", if is_empty { "" } else { "mut " })?;
    for field in message.public_fields() {
        writeln!(code, "{}", write(model, field)?)?;
    }
    writeln!(code, "object.end();\n}}\n}}")?;
    Ok(())
}

fn read(model: &Model, field: &Field) -> anyhow::Result<String> {
    let Field { name, options, .. } = field;
    let required = options.required;
    // The bounds of a list are those of its length.
    let (list_range, range) = if field.is_list {
        (range(options.min, options.max), range(None, None))
    } else {
        (String::new(), range(options.min, options.max))
    };
    let reader = match &field.kind {
        Kind::Bool => "json::boolean".to_owned(),
        Kind::Flag | Kind::YesNo => "json::flag".to_owned(),
        Kind::Int32 => format!("json::int32({range})"),
        Kind::Int64 => format!("json::int64({range})"),
        Kind::Double => format!("json::double({range})"),
        Kind::String => format!("json::string({range})"),
        Kind::DateTime => "json::date_time".to_owned(),
        Kind::Message(inner) => format!("json::message::<{}>", model.message(inner)?.rust),
        Kind::Enum(inner) => {
            let plural = model.enumeration(inner)?.is_realm;
            format!("json::one_of({}, {plural})", names(model, inner, field)?)
        }
    };
    if field.is_list {
        return Ok(format!("fields.list({name:?}, {required}, {list_range}, {reader})"));
    }
    let value = format!("fields.value({name:?}, {required}, {reader})");
    let default = default(model, field)?;
    let keeps_option = field.is_optional || matches!(field.kind, Kind::Message(_));
    Ok(match (keeps_option, default) {
        (true, None) => value,
        (true, Some(default)) => format!("{value}.or(Some({default}))"),
        (false, None) => format!("{value}.unwrap_or_default()"),
        (false, Some(default)) => format!("{value}.unwrap_or_else(|| {default})"),
    })
}

/// Returns the default value as a Rust expression.
fn default(model: &Model, field: &Field) -> anyhow::Result<Option<String>> {
    let text = field.options.default_value.as_str();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(match &field.kind {
        Kind::Bool => text.parse::<bool>()?.to_string(),
        Kind::Flag => (text.parse::<u8>()? == 1).to_string(),
        Kind::YesNo => (text == "Y").to_string(),
        Kind::Int32 => format!("{}_i32", text.parse::<i32>()?),
        Kind::Int64 => format!("{}_i64", text.parse::<i64>()?),
        Kind::Double => format!("{:?}_f64", text.parse::<f64>()?),
        Kind::String => format!("{text:?}.to_owned()"),
        Kind::Enum(inner) => {
            let names = model.enumeration(inner)?.names(field)?;
            let default = names.iter().find(|(name, _)| name == text);
            let (_, number) = default.with_context(|| format!("no value `{text}`"))?;
            format!("{number}_i32")
        }
        Kind::DateTime | Kind::Message(_) => anyhow::bail!("has no default value"),
    }))
}

fn write(model: &Model, field: &Field) -> anyhow::Result<String> {
    let name = &field.name;
    let ident = ident(name);
    if field.is_list {
        let items = match &field.kind {
            Kind::String => format!("items.strings(&self.{ident})"),
            Kind::Int32 | Kind::Int64 => format!("items.integers(self.{ident}.iter().copied())"),
            Kind::Message(_) => format!("items.messages(&self.{ident})"),
            Kind::Enum(inner) => {
                format!("items.names({}, &self.{ident})", names(model, inner, field)?)
            }
            Kind::Bool | Kind::Flag | Kind::YesNo | Kind::Double | Kind::DateTime => {
                anyhow::bail!("`{name}`: no list of these is written yet")
            }
        };
        let list = format!("object.list({name:?}, |items| {items});");
        return Ok(if field.options.omit_empty {
            format!("if !self.{ident}.is_empty() {{ {list} }}")
        } else {
            list
        });
    }
    let is_reference = matches!(field.kind, Kind::String | Kind::Message(_));
    let has_option = field.is_optional || matches!(field.kind, Kind::Message(_));
    let value = match (has_option, is_reference) {
        (true, _) => "value".to_owned(),
        (false, true) => format!("&self.{ident}"),
        (false, false) => format!("self.{ident}"),
    };
    let call = match &field.kind {
        Kind::Bool => format!("object.boolean({name:?}, {value});"),
        Kind::Flag => format!("object.flag({name:?}, {value});"),
        Kind::YesNo => format!("object.yes_no({name:?}, {value});"),
        Kind::Int32 | Kind::Int64 => format!("object.integer({name:?}, {value});"),
        Kind::Double => format!("object.double({name:?}, {value});"),
        Kind::String => format!("object.string({name:?}, {value});"),
        Kind::DateTime => format!("object.date_time({name:?}, {value});"),
        Kind::Message(_) => format!("object.message({name:?}, {value});"),
        Kind::Enum(inner) => {
            format!("object.name({name:?}, {}, {value});", names(model, inner, field)?)
        }
    };
    Ok(match (has_option, is_reference) {
        (true, true) => format!("if let Some(value) = &self.{ident} {{ {call} }}"),
        (true, false) => format!("if let Some(value) = self.{ident} {{ {call} }}"),
        (false, _) => call,
    })
}

fn names(model: &Model, inner: &str, field: &Field) -> anyhow::Result<String> {
    Ok(format!("&{:?}", model.enumeration(inner)?.names(field)?))
}

fn range(min: Option<i64>, max: Option<i64>) -> String {
    format!("Range {{ min: {min:?}, max: {max:?} }}")
}

/// Names a field as prost does.
fn ident(name: &str) -> String {
    match name {
        "as" | "box" | "else" | "enum" | "final" | "fn" | "for" | "if" | "impl" | "in" | "let"
        | "loop" | "match" | "mod" | "move" | "override" | "priv" | "ref" | "return" | "static"
        | "struct" | "trait" | "true" | "type" | "use" | "where" | "while" | "yield" => {
            format!("r#{name}")
        }
        _ => name.to_owned(),
    }
}
