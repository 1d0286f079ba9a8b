use crate::model::Model;
pub(crate) fn generate(_: &Model, _: &str) -> anyhow::Result<String> { Ok(String::new()) }
