//! The public API as the descriptors and their options declare it.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind as ProtoKind,
    MessageDescriptor, MethodDescriptor,
};

use crate::options::{ApiOptions, FieldOptions, Format, Options};

/// Everything that applications see.
pub(crate) struct Model {
    /// The methods, in the order of the documents.
    pub(crate) methods: Vec<Method>,
    /// What the server sends unasked.
    pub(crate) sent: Vec<Sent>,
    /// Every message that these reach, by full name.
    pub(crate) messages: BTreeMap<String, Message>,
    /// Every enum that these reach, by full name.
    pub(crate) enums: BTreeMap<String, Enum>,
}

impl Model {
    /// The methods under their other names, in the order of the documents.
    pub(crate) fn aliased(&self) -> Vec<Method> {
        self.methods.iter().flat_map(Method::aliased).collect()
    }
}

/// One method.
#[derive(Clone)]
pub(crate) struct Method {
    /// The name under which it is declared; another one than its own for an alias.
    pub(crate) canonical: String,
    pub(crate) api: ApiOptions,
    /// `CallControl` of `CallControl/hold_call`.
    pub(crate) service: String,
    /// `hold_call` of `CallControl/hold_call`.
    pub(crate) verb: String,
    /// `cordboard.callcontrol.v1.CallControlService`.
    pub(crate) grpc_service: String,
    /// `HoldCall`.
    pub(crate) rpc: String,
    /// Full name of the request message.
    pub(crate) request: String,
    /// Full name of the response message.
    pub(crate) response: String,
    pub(crate) doc: String,
}

impl Method {
    /// The method under each of its other names: what is called so answers in that name.
    pub(crate) fn aliased(&self) -> impl Iterator<Item = Self> + '_ {
        self.api.aliases.iter().filter_map(|alias| {
            let (service, verb) = alias.split_once('/')?;
            let mut method = self.clone();
            let (own, other) =
                (format!(".{}.{}.", self.service, self.verb), format!(".{service}.{verb}."));
            for fault in &mut method.api.faults {
                fault.faultcode = fault.faultcode.replace(&own, &other);
            }
            method.api.name.clone_from(alias);
            method.api.aliases = Vec::new();
            service.clone_into(&mut method.service);
            verb.clone_into(&mut method.verb);
            Some(method)
        })
    }
}

/// A message that the server sends unasked.
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) webhook: bool,
    /// Full name of the message.
    pub(crate) message: String,
}

/// A message.
pub(crate) struct Message {
    pub(crate) doc: String,
    /// Name in the documents.
    pub(crate) title: String,
    /// Path of the Rust type.
    pub(crate) rust: String,
    pub(crate) fields: Vec<Field>,
    /// True when callers send it.
    pub(crate) received: bool,
}

/// A field.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) is_list: bool,
    /// Declared `optional`.
    pub(crate) is_optional: bool,
    pub(crate) options: FieldOptions,
}

/// What a value is.
#[derive(Clone)]
pub(crate) enum Kind {
    Bool,
    Flag,
    YesNo,
    Int32,
    Int64,
    Double,
    String,
    DateTime,
    /// Full name of the enum.
    Enum(String),
    /// Full name of the message.
    Message(String),
}

/// An enum.
pub(crate) struct Enum {
    /// Name in JSON, number and comment of each value but the unspecified one.
    pub(crate) values: Vec<EnumValue>,
    /// The values are read in the plural as well.
    pub(crate) is_realm: bool,
    /// Name of each value in proto, with its number.
    pub(crate) proto_names: Vec<(String, i32)>,
}

/// A value of an enum.
pub(crate) struct EnumValue {
    pub(crate) json: String,
    pub(crate) number: i32,
    pub(crate) doc: String,
}

impl Enum {
    /// Returns the JSON names with their numbers, as one field writes them.
    pub(crate) fn names(&self, field: &Field) -> anyhow::Result<Vec<(String, i32)>> {
        let mut names: Vec<(String, i32)> =
            self.values.iter().map(|value| (value.json.clone(), value.number)).collect();
        for given in &field.options.names {
            let (json, proto) = given.split_once('=').context("`names` wants `json=PROTO_NAME`")?;
            let (_, number) = self
                .proto_names
                .iter()
                .find(|(name, _)| name == proto)
                .with_context(|| format!("`{}`: no value `{proto}`", field.name))?;
            names.retain(|(_, other)| other != number);
            names.push((json.to_owned(), *number));
        }
        names.sort_by_key(|(_, number)| *number);
        Ok(names)
    }
}

impl Model {
    /// Reads the public API out of the descriptors.
    pub(crate) fn read(pool: &DescriptorPool) -> anyhow::Result<Self> {
        let options = Options::find(pool)?;
        let mut model = Self {
            methods: Vec::new(),
            sent: Vec::new(),
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
        };
        let mut services: Vec<_> = pool.services().collect();
        services.sort_by_key(|service| reading_order(service.package_name()));
        for service in services {
            for method in service.methods() {
                if let Some(api) = options.api(&method)? {
                    model.add_method(&method, api, &options)?;
                }
            }
        }
        for message in pool.all_messages() {
            if let Some((name, webhook)) = options.sent(&message) {
                model.add_message(&message, false, &options)?;
                let message = message.full_name().to_owned();
                model.sent.push(Sent { name, webhook, message });
            }
        }
        Ok(model)
    }

    fn add_method(
        &mut self,
        method: &MethodDescriptor,
        api: ApiOptions,
        options: &Options,
    ) -> anyhow::Result<()> {
        // `rpc.discover` is the one name that JSON-RPC itself gives.
        let (service, verb) = api
            .name
            .split_once('/')
            .or_else(|| api.name.split_once('.'))
            .with_context(|| format!("`{}` is not `Service/method`", api.name))?;
        let (service, verb) = (service.to_owned(), verb.to_owned());
        ensure!(
            !method.is_client_streaming() && !method.is_server_streaming(),
            "`{}`: a public method takes one request and gives one answer",
            api.name
        );
        self.add_message(&method.input(), true, options)?;
        self.add_message(&method.output(), false, options)?;
        self.methods.push(Method {
            canonical: api.name.clone(),
            api,
            service,
            verb,
            grpc_service: method.parent_service().full_name().to_owned(),
            rpc: method.name().to_owned(),
            request: method.input().full_name().to_owned(),
            response: method.output().full_name().to_owned(),
            doc: comment(&method.parent_file(), method.path()),
        });
        Ok(())
    }

    fn add_message(
        &mut self,
        message: &MessageDescriptor,
        received: bool,
        options: &Options,
    ) -> anyhow::Result<()> {
        if let Some(known) = self.messages.get_mut(message.full_name()) {
            if known.received || !received {
                return Ok(());
            }
            known.received = true;
        } else {
            let fields = message
                .fields()
                .map(|field| self.field(&field, options))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let entry = Message {
                doc: comment(&message.parent_file(), message.path()),
                title: title(message),
                rust: rust_path(message),
                fields,
                received,
            };
            self.messages.insert(message.full_name().to_owned(), entry);
        }
        for field in message.fields() {
            if let ProtoKind::Message(inner) = field.kind() {
                self.add_message(&inner, received, options)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &FieldDescriptor, options: &Options) -> anyhow::Result<Field> {
        let at = field.full_name();
        ensure!(
            field.containing_oneof().is_none() || is_optional(field),
            "`{at}`: a public message has no oneof"
        );
        ensure!(!field.is_map(), "`{at}`: a public message has no map");
        let field_options = options.field(field)?;
        let kind = match (field.kind(), field_options.format) {
            (ProtoKind::Bool, Format::Plain) => Kind::Bool,
            (ProtoKind::Bool, Format::Flag) => Kind::Flag,
            (ProtoKind::Bool, Format::YesNo) => Kind::YesNo,
            (ProtoKind::Int32, Format::Plain) => Kind::Int32,
            (ProtoKind::Int64, Format::Plain) => Kind::Int64,
            (ProtoKind::Int64, Format::DateTime) => Kind::DateTime,
            (ProtoKind::Double, Format::Plain) => Kind::Double,
            (ProtoKind::String, Format::Plain) => Kind::String,
            (ProtoKind::Enum(descriptor), Format::Plain) => {
                self.add_enum(&descriptor);
                Kind::Enum(descriptor.full_name().to_owned())
            }
            (ProtoKind::Message(descriptor), Format::Plain) => {
                Kind::Message(descriptor.full_name().to_owned())
            }
            (kind, _) => bail!("`{at}`: {kind:?} has no such JSON form"),
        };
        Ok(Field {
            name: field.name().to_owned(),
            doc: comment(&field.parent_file(), field.path()),
            kind,
            is_list: field.is_list(),
            is_optional: is_optional(field),
            options: field_options,
        })
    }

    fn add_enum(&mut self, descriptor: &EnumDescriptor) {
        let prefix = format!("{}_", screaming(descriptor.name()));
        let values = descriptor
            .values()
            .filter(|value| value.number() != 0)
            .map(|value| EnumValue {
                json: value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_lowercase(),
                number: value.number(),
                doc: comment(&descriptor.parent_file(), value.path()),
            })
            .collect();
        let entry = Enum {
            values,
            is_realm: descriptor.name() == "Realm",
            proto_names: descriptor
                .values()
                .map(|value| (value.name().to_owned(), value.number()))
                .collect(),
        };
        self.enums.insert(descriptor.full_name().to_owned(), entry);
    }

    /// Returns a message by its full name.
    pub(crate) fn message(&self, name: &str) -> anyhow::Result<&Message> {
        self.messages.get(name).with_context(|| format!("no message `{name}`"))
    }

    /// Returns an enum by its full name.
    pub(crate) fn enumeration(&self, name: &str) -> anyhow::Result<&Enum> {
        self.enums.get(name).with_context(|| format!("no enum `{name}`"))
    }
}

impl Message {
    /// Returns the fields that applications see.
    pub(crate) fn public_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.options.internal)
    }
}

impl Field {
    /// Tells whether an answer always has the field.
    pub(crate) fn is_always_written(&self) -> bool {
        if self.is_list { !self.options.omit_empty } else { !self.is_optional }
    }
}

/// Places a package where a reader of the documents looks for it.
fn reading_order(package: &str) -> usize {
    let order = ["session", "callcontrol", "conference", "auth"];
    let folder = package.split('.').nth(1).unwrap_or_default();
    order.iter().position(|known| *known == folder).unwrap_or(order.len())
}

fn is_optional(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().proto3_optional()
}

/// Returns the comment before a declaration, with each paragraph on its own lines.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let Some(info) = &file.file_descriptor_proto().source_code_info else {
        return String::new();
    };
    info.location
        .iter()
        .find(|location| location.path == path)
        .map(|location| {
            let lines: Vec<&str> = location.leading_comments().lines().map(str::trim).collect();
            lines.join("\n").trim().to_owned()
        })
        .unwrap_or_default()
}

/// Names a message in the documents; a nested one after its parents.
fn title(message: &MessageDescriptor) -> String {
    let parent = message.parent_message().map(|parent| title(&parent)).unwrap_or_default();
    parent + message.name()
}

pub(crate) fn rust_path(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        None => format!("crate::{}::{}", rust_module(message.package_name()), message.name()),
        Some(parent) => {
            let (module, name) = match rust_path(&parent).rsplit_once("::") {
                Some((module, name)) => (module.to_owned(), name.to_owned()),
                None => (String::new(), parent.name().to_owned()),
            };
            format!("{module}::{}::{}", screaming(&name).to_lowercase(), message.name())
        }
    }
}

/// Turns `cordboard.call.v1` into `call::v1`.
fn rust_module(package: &str) -> String {
    package.strip_prefix("cordboard.").unwrap_or(package).replace('.', "::")
}

/// Turns `JoinMode` into `JOIN_MODE`.
fn screaming(name: &str) -> String {
    let mut screaming = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_uppercase() {
            screaming.push('_');
        }
        screaming.extend(letter.to_uppercase());
    }
    screaming
}
