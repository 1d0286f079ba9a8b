//! What the demo prints: a timeline of requests, answers, events and what people do.

use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::commands::say;

/// A timeline on standard output. Clones share the clock.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    began: Arc<Instant>,
    /// When somebody did something last: a person, or a program.
    acted: Arc<Mutex<Instant>>,
    in_colour: bool,
}

/// In place of the time and the mark where a line has neither.
const MARGIN: &str = "              ";

/// Colours of the ANSI palette.
#[derive(Clone, Copy)]
enum Ink {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Magenta = 35,
    Cyan = 36,
}

impl Timeline {
    pub(super) fn new(in_colour: bool) -> Self {
        let now = Instant::now();
        Self { began: Arc::new(now), acted: Arc::new(Mutex::new(now)), in_colour }
    }

    /// When something was done last.
    pub(super) fn acted(&self) -> Instant {
        *self.acted.lock()
    }

    /// A heading.
    pub(super) fn title(&self, text: &str) {
        say(format_args!("\n{}", self.ink(Ink::Bold, text)));
    }

    /// Something to know.
    pub(super) fn note(&self, text: &str) {
        self.line(&self.ink(Ink::Dim, text));
    }

    /// What a person does.
    pub(super) fn hand(&self, text: &str) {
        *self.acted.lock() = Instant::now();
        self.line(&format!("{} {text}", self.ink(Ink::Magenta, "hand ")));
    }

    /// What was found to be so.
    pub(super) fn check(&self, text: &str) {
        self.line(&format!("{} {text}", self.ink(Ink::Green, "ok   ")));
    }

    /// A request of an application.
    pub(super) fn request(&self, who: &str, method: &str, params: &Value) {
        *self.acted.lock() = Instant::now();
        let mut params = params.clone();
        if let Some(password) = params.get_mut("password") {
            *password = Value::from("***");
        }
        let arrow = self.ink(Ink::Blue, "-->  ");
        let params = self.ink(Ink::Dim, &brief(&params));
        self.line(&format!("{arrow} {who:<10} {method} {params}"));
    }

    /// The answer to a request.
    pub(super) fn answer(&self, who: &str, answer: &Result<Value, Value>) {
        match answer {
            Ok(result) => {
                let arrow = self.ink(Ink::Cyan, "<--  ");
                self.line(&format!("{arrow} {who:<10} {}", self.ink(Ink::Dim, &brief(result))));
            }
            Err(error) => {
                let arrow = self.ink(Ink::Red, "<--  ");
                let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
                let message = text_of(error, "/message");
                let faultcode = text_of(error, "/data/faultcode");
                self.line(&format!("{arrow} {who:<10} {code} {faultcode}: {message}"));
            }
        }
    }

    /// An event.
    pub(super) fn event(&self, who: &str, method: &str, params: &Value) {
        let mark = self.ink(Ink::Yellow, "event");
        let text = if let Some(info) = params.get("call_info") {
            call_state(info)
        } else if let Some(info) = params.get("ivr_info") {
            format!("ivr_event {} {}", text_of(info, "/event"), text_of(info, "/digits"))
        } else if let Some(conference) = params.get("conference") {
            let participant: String = text_of(params, "/participant").chars().take(12).collect();
            let (name, event) = (text_of(conference, "/name"), text_of(params, "/event"));
            format!("conference \"{name}\" {event} {participant}")
        } else {
            format!("{method} {}", brief(params))
        };
        self.line(&format!("{mark} {who:<10} {text}"));
    }

    /// The figures of a queue, as a wallboard shows them.
    pub(super) fn figures(&self, queue: &Value) {
        let of = |name: &str| queue.get(name).and_then(Value::as_i64).unwrap_or_default();
        self.check(&format!(
            "wallboard: {} waiting {} (longest {} s), agents {} of {} busy, today {} answered, {} abandoned, {} %",
            text_of(queue, "/name"),
            of("waiting"),
            of("longest_wait"),
            of("agents_busy"),
            of("agents_in"),
            of("answered"),
            of("abandoned"),
            of("service_level"),
        ));
    }

    /// A table, below the line that says what it is.
    pub(super) fn table(&self, head: &str, rows: &[String]) {
        say(format_args!("{MARGIN}{}", self.ink(Ink::Bold, head)));
        for row in rows {
            say(format_args!("{MARGIN}{row}"));
        }
    }

    fn line(&self, text: &str) {
        let millis = self.began.elapsed().as_millis();
        let time = format!("{:>3}.{:03}", millis / 1000, millis % 1000);
        say(format_args!("{} {text}", self.ink(Ink::Dim, &time)));
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if self.in_colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", ink as u8)
        } else {
            text.to_owned()
        }
    }
}

/// A leg's state in one line.
fn call_state(info: &Value) -> String {
    let is_external = info.get("is_external_call").and_then(Value::as_bool) == Some(true);
    let is_incoming = info.get("type").and_then(Value::as_str) == Some("incoming");
    let own = match (is_external, is_incoming) {
        (true, _) => "trunk".to_owned(),
        (false, true) => text_of(info, "/callee/number"),
        (false, false) => text_of(info, "/caller/number"),
    };
    let mut text = format!(
        "#{:<2} leg of {own:<6} {:<10} {} -> {}",
        info.get("sequence").and_then(Value::as_i64).unwrap_or_default(),
        text_of(info, "/state"),
        text_of(info, "/caller/number"),
        text_of(info, "/callee/number"),
    );
    if let Some(reason) = info.get("reason").and_then(Value::as_str) {
        let code = info.get("reason_code").and_then(Value::as_i64).unwrap_or_default();
        // Writing to a string cannot fail.
        write!(text, "  \"{reason}\" {code}").ok();
    }
    if let Some(method) = info.pointer("/caused_by/method").and_then(Value::as_str) {
        write!(text, "  by {method}").ok();
    }
    text
}

/// JSON, with long values cut.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if text.chars().count() > 24 => {
                    format!("{name}={}…", text.chars().take(12).collect::<String>())
                }
                Value::String(text) => format!("{name}={text}"),
                Value::Array(items) => format!("{name}=[{}]", items.len()),
                Value::Object(_) => format!("{name}=({})", brief(value)),
                other => format!("{name}={other}"),
            })
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

fn text_of(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
