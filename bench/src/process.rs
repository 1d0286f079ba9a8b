//! Servers in processes of their own, pinned to a core, and what the kernel says of them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A running server; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    ready: Value,
}

/// Pins this process, with all its threads, to one core.
pub(crate) fn pin_self(core: usize) -> anyhow::Result<()> {
    pin(std::process::id(), core)
}

/// Pins a process with all its threads to one core.
pub(crate) fn pin(pid: u32, core: usize) -> anyhow::Result<()> {
    let status = Command::new("taskset")
        .args(["-acp", &core.to_string(), &pid.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("`taskset` (util-linux) is needed to pin processes")?;
    anyhow::ensure!(status.success(), "process {pid} cannot be pinned to core {core}");
    Ok(())
}

impl Server {
    /// Starts a program on one core and waits for the line of JSON that it prints when it is ready.
    pub(crate) fn start(core: usize, program: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("`taskset` (util-linux) is needed to pin processes")?;
        let output = child.stdout.take().context("the output is piped")?;
        let (say, line) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines();
            drop(say.send(lines.next()));
            lines.for_each(drop);
        });
        let mut server = Self { child, ready: Value::Null };
        let Ok(Some(Ok(line))) = line.recv_timeout(Duration::from_secs(30)) else {
            bail!("`{} {}` did not become ready", program.display(), arguments.join(" "));
        };
        server.ready = serde_json::from_str(&line).context("the ready line is JSON")?;
        Ok(server)
    }

    /// An address of its ready line.
    pub(crate) fn address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let text = self.ready.get(name).and_then(Value::as_str);
        text.and_then(|text| text.parse().ok())
            .with_context(|| format!("the ready line names no `{name}`: {}", self.ready))
    }

    /// CPU time that it has used.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.child.id())
    }

    /// Bytes of its resident memory.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("no VmRSS")?.trim().parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// CPU time that the threads of a process have used, to the nanosecond.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the list and the look.
        let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}
