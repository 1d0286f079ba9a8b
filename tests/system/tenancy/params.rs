//! Params of methods, made from the contract's description of them.

use serde_json::{Map, Value, json};

use super::harvest::Ids;

/// Choices that follow from a seed (`SplitMix64`).
#[derive(Debug)]
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True so many times in a hundred.
    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(items.len()).expect("a count").max(1);
        items.get(usize::try_from(self.next() % count).expect("an index"))
    }
}

/// The methods, as the contract describes them.
#[derive(Debug)]
pub(super) struct Methods {
    document: Value,
}

/// What params are made of, in two forms at once: with foreign ids, and with ids of nobody in their
/// places.
struct Maker<'a> {
    document: &'a Value,
    own: &'a Ids,
    foreign: &'a Ids,
    choices: &'a mut Choices,
    mutates: bool,
    is_foreign: bool,
}

impl Methods {
    pub(super) fn of_the_contract() -> Self {
        Self { document: serde_json::from_str(proto::doc::openrpc()).expect("it is JSON") }
    }

    /// All names; the table and the description are of one source, and have the same methods.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let described = self.document["methods"].as_array().map_or(0, Vec::len);
        assert_eq!(
            described,
            proto::api::METHODS.len() + proto::api::ALIASED.len(),
            "methods without a description"
        );
        proto::api::METHODS.iter().map(|method| method.name)
    }

    /// Methods that read and need no params.
    pub(super) fn lists() -> Vec<&'static str> {
        let is_list = |method: &&proto::api::Method| {
            !method.mutates
                && !method.anonymous
                && method.service != "Session"
                && method.service != "rpc"
                && (method.read_params)(&Value::Null).is_ok()
        };
        let edges = |method: &&proto::api::Method| method.verb.starts_with("get_");
        let methods = proto::api::METHODS.iter();
        methods.filter(is_list).filter(edges).map(|method| method.name).collect()
    }

    /// Params for a method, and the same with ids of nobody when there are foreign ones in them.
    pub(super) fn params(
        &self,
        method: &str,
        own: &Ids,
        foreign: &Ids,
        choices: &mut Choices,
    ) -> (Value, Option<Value>) {
        let methods = self.document["methods"].as_array().expect("methods");
        let described = methods.iter().find(|it| it["name"] == method).expect("it is described");
        let params = described["params"].as_array().cloned().unwrap_or_default();
        let mutates = proto::api::method(method).is_some_and(|method| method.mutates);
        let mut maker =
            Maker { document: &self.document, own, foreign, choices, mutates, is_foreign: false };
        let (mut asked, mut absent) = (Map::new(), Map::new());
        for param in &params {
            let name = param["name"].as_str().expect("a name");
            if param["required"] != true && !maker.wants(name) {
                continue;
            }
            let (one, other) = maker.value(name, &param["schema"]);
            asked.insert(name.to_owned(), one);
            absent.insert(name.to_owned(), other);
        }
        // With a request id the second form would be another request under the same name.
        let is_foreign = maker.is_foreign && !asked.contains_key("request_id");
        (asked.into(), is_foreign.then_some(absent.into()))
    }
}

impl Maker<'_> {
    /// What names something is given more often than not.
    fn wants(&mut self, name: &str) -> bool {
        let percent = match name {
            // Nobody may answer there, and a wait for it tells nothing.
            "url" | "callback_url" | "state_info_callback" => 0,
            "limit" | "offset" | "get_total" => 20,
            _ if !self.foreign.of(name).is_empty() => 60,
            _ => 30,
        };
        self.choices.chance(percent)
    }

    fn value(&mut self, name: &str, schema: &Value) -> (Value, Value) {
        if let Some(path) = schema["$ref"].as_str() {
            let resolved = self.document.pointer(path.trim_start_matches('#'));
            return self.value(name, &resolved.cloned().expect("it is described"));
        }
        if let Some(values) = schema["enum"].as_array() {
            let value = self.choices.one_of(values).cloned().unwrap_or_default();
            return (value.clone(), value);
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => {
                let (one, other) = self.value(name, &schema["items"]);
                (json!([one]), json!([other]))
            }
            Some("integer") => self.named(name, || json!(1)),
            _ => self.named(name, || json!("5")),
        }
    }

    fn object(&mut self, schema: &Value) -> (Value, Value) {
        let (mut asked, mut absent) = (Map::new(), Map::new());
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let name_is_required = required.iter().any(|it| it == name);
            if name_is_required || self.wants(name) {
                let (one, other) = self.value(name, schema);
                asked.insert(name.clone(), one);
                absent.insert(name.clone(), other);
            }
        }
        (asked.into(), absent.into())
    }

    /// An id of the other, one of the own, or anything.
    fn named(&mut self, name: &str, anything: impl Fn() -> Value) -> (Value, Value) {
        // Numbers may be dialled, whosever they are: the other then has a call, as from outside.
        // And anybody may give a thing of its own any name.
        let is_dialled = matches!(name, "destination" | "caller_id");
        let is_dialled = is_dialled || (name == "name" && self.mutates);
        let foreign = if is_dialled { Vec::new() } else { self.foreign.of(name) };
        let own = self.own.of(name);
        if !is_dialled && !foreign.is_empty() && self.choices.chance(75) {
            self.is_foreign = true;
            let value = self.choices.one_of(&foreign).cloned().unwrap_or_default();
            // A request id or slot is nobody's until it is used, and a cursor carries no right.
            let is_free = matches!(name, "request_id" | "resume_from" | "slot");
            let other = if is_free { value.clone() } else { nobody_like(&value) };
            return (value, other);
        }
        let value = self.choices.one_of(&own).cloned().unwrap_or_else(anything);
        (value.clone(), value)
    }
}

/// An id of the same form that nobody has.
fn nobody_like(value: &Value) -> Value {
    match value.as_str() {
        Some(id) if id.len() > 20 && id.is_ascii() => {
            let (head, tail) = id.split_at(id.len() - 8);
            let nobody = if tail == "00000000" { "11111111" } else { "00000000" };
            json!(format!("{head}{nobody}"))
        }
        Some(_) => json!("nobody"),
        None => json!(987_654_321),
    }
}

/// Takes out what changes by itself.
pub(super) fn forget_times(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            for name in ["duration", "waited", "longest_wait", "cursor", "total_duration"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}
