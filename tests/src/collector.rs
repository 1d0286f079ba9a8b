//! A collector of traces in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A running collector; it is killed when dropped.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

/// A span that arrived.
#[derive(Clone, Debug)]
pub struct Span(Value);

impl Span {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// The service that sent it.
    pub fn service(&self) -> &str {
        self.text("service")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Its kind, as OTLP names it.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// Its trace.
    pub fn trace_id(&self) -> &str {
        self.text("trace_id")
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.text("span_id")
    }

    /// The span above it; empty for none.
    pub fn parent(&self) -> &str {
        self.text("parent_span_id")
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> &Value {
        &self.0["attributes"][name]
    }
}

impl Collector {
    /// Starts a collector and waits until it listens.
    pub fn start() -> Self {
        let program = crate::process::program().with_file_name("otlp-collector");
        let mut child = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the collector starts");
        let output = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let ready = lines.next().expect("it says that it is ready").expect("it can be read");
        let ready: Value = serde_json::from_str(&ready).expect("the ready line is JSON");
        let address = ready["address"].as_str().expect("it says where it listens");
        let endpoint = format!("http://{address}");
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let arrived = Arc::clone(&spans);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let span = Span(serde_json::from_str(&line).expect("a span is JSON"));
                arrived.lock().expect("nobody panics with it").push(span);
            }
        });
        Self { child, endpoint, spans }
    }

    /// Where it takes spans.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All that has arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("nobody panics with it").clone()
    }

    /// What has arrived of one trace.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace_id() == trace_id).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
