//! Cordboard: call control for telephone companies' applications, in one binary.

mod cli;
mod commands;
mod config;
mod metrics;
mod services;

use std::process::ExitCode;

use clap::Parser as _;

/// The system's own allocator grows slower with the heap: docs/performance.md, "A thousand conferences on one node".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(anyhow::Error::new(error).context("no runtime")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::say_error(&error);
            ExitCode::FAILURE
        }
    }
}
