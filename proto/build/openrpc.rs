use crate::model::Model;
pub(crate) fn generate(_: &Model) -> anyhow::Result<String> { Ok(String::new()) }
