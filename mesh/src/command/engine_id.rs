//! Ids of calls, `<node>.<uuid v7>`: a command finds the call's node without a look-up.

use std::fmt;

use uuid::Uuid;

/// Longest id that is looked at.
const LONGEST: usize = 128;

/// The id of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EngineId {
    text: String,
    node_bytes: usize,
}

impl EngineId {
    /// A new call on `node`.
    #[must_use]
    pub fn new(node: &str) -> Self {
        let text = format!("{node}.{}", Uuid::now_v7().simple());
        Self { node_bytes: node.len(), text }
    }

    /// Reads an id; `None` when it can be none of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (node, unique) = text.rsplit_once('.')?;
        let is_id = !node.is_empty() && !unique.is_empty() && text.len() <= LONGEST;
        is_id.then(|| Self { node_bytes: node.len(), text: text.to_owned() })
    }

    /// The node that holds the call.
    #[must_use]
    pub fn node(&self) -> &str {
        self.text.get(..self.node_bytes).unwrap_or_default()
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_names_its_node() {
        for node in ["main-0", "switch.eu-1"] {
            let id = EngineId::new(node);

            assert_eq!(EngineId::parse(&id.to_string()), Some(id.clone()));
            assert_eq!(id.node(), node);
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let long = format!("n.{}", "1".repeat(LONGEST));
        for text in ["", "call", ".0190", "main-0.", &long] {
            assert_eq!(EngineId::parse(text), None, "{text}");
        }
    }
}
