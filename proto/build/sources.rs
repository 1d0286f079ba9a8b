//! Reads the `.proto` files, without protoc.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use prost_reflect::DescriptorPool;

/// Every file of the contract, compiled.
pub(crate) struct Sources {
    /// Descriptors with the custom options and the comments.
    pub(crate) pool: DescriptorPool,
    /// The same, for prost.
    pub(crate) files: prost_types::FileDescriptorSet,
    /// The same, encoded, for gRPC reflection.
    pub(crate) encoded: Vec<u8>,
}

/// Compiles every `.proto` file below `cordboard/`.
pub(crate) fn compile() -> anyhow::Result<Sources> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").context("not under cargo")?);
    let mut paths = Vec::new();
    find(&root.join("cordboard"), &mut paths)?;
    paths.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    for path in &paths {
        compiler.open_file(path.strip_prefix(&root)?)?;
    }
    Ok(Sources {
        pool: compiler.descriptor_pool(),
        files: compiler.file_descriptor_set(),
        encoded: compiler.encode_file_descriptor_set(),
    })
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            paths.push(path);
        }
    }
    Ok(())
}
