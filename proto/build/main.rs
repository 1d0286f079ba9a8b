//! Compiles every `.proto` below `cordboard/`, and makes from their options all that the edge
//! knows of an API method: the dispatch table, the JSON mapping and the published documents.

mod rust;
mod sources;

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=cordboard");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);

    let sources = sources::compile()?;
    std::fs::write(out.join("descriptors.bin"), &sources.encoded)?;
    rust::generate(&sources, &out)?;
    Ok(())
}
