//! An Asterisk of one's own to plug phones into: found, given a folder, and started on the
//! configuration that lies there.
//!
//! There are two forms: a folder into which `scripts/asterisk` has unpacked one, with modules and data
//! beside the program, and the one that the machine has installed, which knows by itself where its own are.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

/// An Asterisk that could be started.
#[derive(Clone, Debug)]
pub struct Installation {
    program: PathBuf,
    /// Where modules and data are, if not where the program looks by itself.
    home: Option<PathBuf>,
}

/// Folders below the one of a run.
const FOLDERS: [&str; 8] =
    ["etc", "var", "run", "log", "spool/recording", "db", "data/sounds", "music"];

/// What is linked from the data of an unpacked Asterisk. Without `documentation` modules do not load.
const DATA: [&str; 4] = ["documentation", "rest-api", "static-http", "sounds/en"];

/// Files that a packaged Asterisk has, and that some modules complain about or do not start without.
const USUAL: &str = "cdr cel features stasis pjproject codecs acl ccss udptl sorcery dsp manager pjsip_notify \
    musiconhold indications websocket_client";

impl Installation {
    /// The one that is unpacked in a folder; `None` when there is none.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let home = folder.canonicalize().ok()?;
        let program = home.join("bin/asterisk");
        program.is_file().then_some(Self { program, home: Some(home) })
    }

    /// The first in a list of folders of programs, as `PATH` is one.
    #[must_use]
    pub fn in_path(path: &OsStr) -> Option<Self> {
        let mut programs = std::env::split_paths(path).map(|folder| folder.join("asterisk"));
        let program = programs.find(|program| program.is_file())?.canonicalize().ok()?;
        let home =
            program.parent().and_then(Path::parent).filter(|home| home.join("modules").is_dir());
        Some(Self { home: home.map(Path::to_owned), program })
    }

    /// Makes everything in a folder that the configuration in its `etc` does not say, as far as it is not
    /// there: where things are, an empty file for what is of no interest, and errors on the output.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn furnish(&self, folder: &Path, name: &str) -> io::Result<()> {
        for name in FOLDERS {
            fs::create_dir_all(folder.join(name))?;
        }
        let home = self.home.as_deref();
        for (home, name) in home.into_iter().flat_map(|home| DATA.map(|name| (home, name))) {
            let link = folder.join("data").join(name);
            if !link.is_symlink() {
                symlink(home.join("data").join(name), link)?;
            }
        }
        let etc = folder.join("etc");
        fs::write(etc.join("asterisk.conf"), self.directories(folder, name))?;
        let console = "[general]\n[logfiles]\nconsole => notice,warning,error\n";
        let usual = USUAL.split_whitespace().map(|name| (name, ""));
        for (name, text) in usual.chain([("logger", console)]) {
            let file = etc.join(format!("{name}.conf"));
            if !file.exists() {
                fs::write(file, text)?;
            }
        }
        Ok(())
    }

    fn directories(&self, folder: &Path, name: &str) -> String {
        let at = folder.display();
        let own = self.home.as_deref().map_or_else(String::new, |home| {
            format!("astmoddir => {}/modules\nastdatadir => {at}/data\n", home.display())
        });
        format!(
            "[directories]\nastetcdir => {at}/etc\n{own}astvarlibdir => {at}/var\nastdbdir => {at}/db\n\
             astkeydir => {at}/var\nastagidir => {at}/var\nastspooldir => {at}/spool\nastrundir => {at}/run\n\
             astlogdir => {at}/log\n[options]\nnocolor = yes\nsystemname = {name}\n"
        )
    }

    /// Starts it on a furnished folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, folder: &Path) -> io::Result<Running> {
        let output = folder.join("output");
        let child = Command::new(&self.program)
            .arg("-C")
            .arg(folder.join("etc/asterisk.conf"))
            .args(["-f", "-n"])
            .stdin(Stdio::null())
            .stdout(fs::File::create(&output)?)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Running { child, output })
    }
}

/// An Asterisk that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// The id of its process, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it has ended, if it has.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Ends it at once, and waits until it has gone. Nothing that it has is worth keeping.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn end(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a program that says where its configuration is, and ends.
    fn unpacked(folder: &Path) {
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("modules")).unwrap();
        let program = folder.join("bin/asterisk");
        fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn one_that_is_unpacked_is_found_both_ways_and_started_with_its_own_modules() {
        let (home, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        unpacked(home.path());
        let in_folder = Installation::in_folder(home.path()).unwrap();
        let in_path = Installation::in_path(home.path().join("bin").as_os_str()).unwrap();
        fs::create_dir_all(run.path().join("etc")).unwrap();
        fs::write(run.path().join("etc/manager.conf"), "mine").unwrap();

        for found in [in_folder, in_path] {
            found.furnish(run.path(), "demo").unwrap();
            let mut running = found.start(run.path()).unwrap();
            running.child.wait().await.unwrap();

            assert!(running.ended().unwrap().success());
            assert!(running.said().contains("etc/asterisk.conf -f -n"), "{}", running.said());
            let read = |name| fs::read_to_string(run.path().join("etc").join(name)).unwrap();
            let modules = home.path().canonicalize().unwrap().join("modules");
            assert!(read("asterisk.conf").contains(&format!("astmoddir => {}", modules.display())));
            assert_eq!((read("manager.conf").as_str(), read("cel.conf").as_str()), ("mine", ""));
        }
    }

    #[test]
    fn where_there_is_none_none_is_found() {
        let folder = tempfile::tempdir().unwrap();

        assert!(Installation::in_folder(folder.path()).is_none());
        assert!(Installation::in_path(folder.path().as_os_str()).is_none());
    }
}
