//! The custom options of `cordboard/options/v1/options.proto`, read from the descriptors.

use anyhow::Context as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, MessageDescriptor,
    MethodDescriptor, ReflectMessage as _, Value,
};

/// The options that the contract defines.
pub(crate) struct Options {
    api: ExtensionDescriptor,
    field: ExtensionDescriptor,
    sent: ExtensionDescriptor,
}

/// Options of a method.
#[derive(Clone)]
pub(crate) struct ApiOptions {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    /// Short names in lower case; never empty.
    pub(crate) realms: Vec<String>,
    /// Short name in lower case; empty when none is needed.
    pub(crate) component: String,
    /// Short name in lower case; empty when none is needed.
    pub(crate) level: String,
    pub(crate) is_edge: bool,
    pub(crate) is_anonymous: bool,
    /// A param with which no session is needed; empty when there is none.
    pub(crate) anonymous_with: String,
    pub(crate) mutates: bool,
    pub(crate) is_websocket_only: bool,
    pub(crate) faults: Vec<Fault>,
}

/// A fault of a method.
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) reason: String,
    pub(crate) faultcode: String,
    pub(crate) code: i32,
    pub(crate) when: String,
}

/// Options of a field.
#[derive(Clone)]
pub(crate) struct FieldOptions {
    pub(crate) required: bool,
    pub(crate) format: Format,
    pub(crate) omit_empty: bool,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) default_value: String,
    pub(crate) internal: bool,
    pub(crate) secret: bool,
    pub(crate) names: Vec<String>,
}

/// How a value is written in JSON.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Plain,
    Flag,
    YesNo,
    DateTime,
}

/// The realms, the widest first.
pub(crate) const REALMS: [&str; 4] = ["admin", "reseller", "customer", "account"];

impl Options {
    /// Finds the options in the contract.
    pub(crate) fn find(pool: &DescriptorPool) -> anyhow::Result<Self> {
        let find = |name: &str| {
            pool.get_extension_by_name(&format!("cordboard.options.v1.{name}"))
                .with_context(|| format!("options.proto declares no `{name}`"))
        };
        Ok(Self { api: find("api")?, field: find("field")?, sent: find("sent")? })
    }

    /// Reads the options of a method; `None` when it is not public.
    pub(crate) fn api(&self, method: &MethodDescriptor) -> anyhow::Result<Option<ApiOptions>> {
        let options = method.options();
        if !options.has_extension(&self.api) {
            return Ok(None);
        }
        let api = options.get_extension(&self.api);
        let api = api.as_message().context("`api` is a message")?;
        let name = text(api, "name");
        let (service, verb) = name.split_once('/').unwrap_or(("", &name));
        let faults = list(api, "faults")
            .iter()
            .filter_map(Value::as_message)
            .map(|fault| {
                let reason = text(fault, "reason");
                let mut faultcode = text(fault, "faultcode");
                if faultcode.is_empty() {
                    faultcode = format!("Client.{service}.{verb}.{}", reason.to_lowercase());
                }
                Fault { reason, faultcode, code: number(fault, "code"), when: text(fault, "when") }
            })
            .collect();
        let mut realms: Vec<String> =
            list(api, "realms").iter().map(|realm| enum_name(api, "realms", realm)).collect();
        if realms.is_empty() {
            realms = REALMS.map(str::to_owned).to_vec();
        }
        Ok(Some(ApiOptions {
            aliases: list(api, "aliases")
                .iter()
                .filter_map(|alias| Some(alias.as_str()?.to_owned()))
                .collect(),
            realms,
            component: chosen(api, "component"),
            level: chosen(api, "level"),
            is_edge: chosen(api, "handled_by") == "edge",
            is_anonymous: is_set(api, "anonymous"),
            anonymous_with: text(api, "anonymous_with"),
            mutates: is_set(api, "mutates"),
            is_websocket_only: is_set(api, "websocket_only"),
            faults,
            name,
        }))
    }

    /// Reads the options of a field.
    pub(crate) fn field(&self, field: &FieldDescriptor) -> anyhow::Result<FieldOptions> {
        let options = field.options();
        let options = options.get_extension(&self.field);
        let options = options.as_message().context("`field` is a message")?;
        let bound = |name: &str| {
            options
                .has_field_by_name(name)
                .then(|| options.get_field_by_name(name)?.as_i64())
                .flatten()
        };
        Ok(FieldOptions {
            required: is_set(options, "required"),
            format: match chosen(options, "format").as_str() {
                "flag" => Format::Flag,
                "yes_no" => Format::YesNo,
                "date_time" => Format::DateTime,
                _ => Format::Plain,
            },
            omit_empty: is_set(options, "omit_empty"),
            min: bound("min"),
            max: bound("max"),
            default_value: text(options, "default_value"),
            internal: is_set(options, "internal"),
            secret: is_set(options, "secret"),
            names: list(options, "names")
                .iter()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
        })
    }

    /// Reads the name of a message that the server sends unasked, and whether it is a webhook's.
    pub(crate) fn sent(&self, message: &MessageDescriptor) -> Option<(String, bool)> {
        let options = message.options();
        if !options.has_extension(&self.sent) {
            return None;
        }
        let sent = options.get_extension(&self.sent);
        let sent = sent.as_message()?;
        Some((text(sent, "name"), is_set(sent, "webhook")))
    }
}

fn text(message: &DynamicMessage, name: &str) -> String {
    message
        .get_field_by_name(name)
        .and_then(|value| Some(value.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn number(message: &DynamicMessage, name: &str) -> i32 {
    message.get_field_by_name(name).and_then(|value| value.as_i32()).unwrap_or_default()
}

fn is_set(message: &DynamicMessage, name: &str) -> bool {
    message.get_field_by_name(name).and_then(|value| value.as_bool()).unwrap_or_default()
}

fn list(message: &DynamicMessage, name: &str) -> Vec<Value> {
    message
        .get_field_by_name(name)
        .and_then(|value| Some(value.as_list()?.to_vec()))
        .unwrap_or_default()
}

/// Returns the short lower-case name of an enum field's value; empty when unspecified.
fn chosen(message: &DynamicMessage, name: &str) -> String {
    message
        .get_field_by_name(name)
        .map(|value| enum_name(message, name, &value))
        .unwrap_or_default()
}

fn enum_name(message: &DynamicMessage, name: &str, value: &Value) -> String {
    let Some(number) = value.as_enum_number().filter(|number| *number != 0) else {
        return String::new();
    };
    let field = message.descriptor().get_field_by_name(name);
    let kind = field.map(|field| field.kind());
    let Some(descriptor) = kind.as_ref().and_then(|kind| kind.as_enum()) else {
        return String::new();
    };
    let zero = descriptor.default_value();
    let prefix = zero.name().strip_suffix("UNSPECIFIED").unwrap_or_default();
    descriptor
        .get_value(number)
        .map(|value| value.name().strip_prefix(prefix).unwrap_or(value.name()).to_lowercase())
        .unwrap_or_default()
}
