//! `Debug` of messages with secrets: shows every field but those.

use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::model::rust_path;
use crate::options::Options;

/// Messages that carry a secret.
pub(crate) fn messages(pool: &DescriptorPool) -> anyhow::Result<Vec<MessageDescriptor>> {
    let options = Options::find(pool)?;
    let mut found = Vec::new();
    for message in pool.all_messages() {
        for field in message.fields() {
            if options.field(&field)?.secret {
                found.push(message.clone());
                break;
            }
        }
    }
    Ok(found)
}

/// The implementations of `Debug` for these messages.
pub(crate) fn generate(pool: &DescriptorPool) -> anyhow::Result<String> {
    let options = Options::find(pool)?;
    let mut text = String::new();
    for message in messages(pool)? {
        let name = message.name();
        writeln!(text, "impl std::fmt::Debug for {} {{", rust_path(&message))?;
        writeln!(
            text,
            "    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{"
        )?;
        writeln!(text, "        f.debug_struct(\"{name}\")")?;
        for field in message.fields() {
            let field_name = field.name();
            if options.field(&field)?.secret {
                writeln!(text, "            .field(\"{field_name}\", &format_args!(\"***\"))")?;
            } else {
                writeln!(text, "            .field(\"{field_name}\", &self.{field_name})")?;
            }
        }
        writeln!(text, "            .finish()\n    }}\n}}")?;
    }
    Ok(text)
}
