//! Compiles every `.proto` below `cordboard/`, and makes from their options all that the edge
//! knows of an API method: the dispatch table, the JSON mapping and the published documents.

mod common;
mod mapping;
mod markdown;
mod model;
mod openapi;
mod openrpc;
mod options;
mod redacted;
mod rust;
mod schema;
mod sources;
mod table;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::model::Model;

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=cordboard");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);

    let sources = sources::compile()?;
    std::fs::write(out.join("descriptors.bin"), &sources.encoded)?;
    rust::generate(&sources, &out)?;
    std::fs::write(out.join("redacted.rs"), redacted::generate(&sources.pool)?)?;

    let model = Model::read(&sources.pool)?;
    std::fs::write(out.join("mapping.rs"), mapping::generate(&model)?)?;
    std::fs::write(out.join("table.rs"), table::generate(&model)?)?;
    std::fs::write(out.join("openrpc.json"), openrpc::generate(&model)?)?;
    for realm in options::REALMS {
        std::fs::write(
            out.join(format!("openapi_{realm}.json")),
            openapi::generate(&model, realm)?,
        )?;
    }
    std::fs::write(out.join("api.md"), markdown::generate(&model)?)?;
    Ok(())
}
