//! The Lua scripts, each atomic by itself.

use redis::{Cmd, Script};

/// All of the scripts.
pub(super) struct Scripts {
    pub(super) commit: Script,
    pub(super) bounds: Script,
    pub(super) read: Script,
    pub(super) trim_log: Script,
    pub(super) fence: Script,
    pub(super) page: Script,
    pub(super) renew_lease: Script,
    pub(super) remove_lease: Script,
    pub(super) set_home: Script,
    pub(super) once: Script,
    pub(super) forget: Script,
    pub(super) replace: Script,
    pub(super) hold: Script,
    pub(super) note_presence: Script,
    pub(super) presence: Script,
}

impl std::fmt::Debug for Scripts {
    /// Without their text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            commit: Script::new(concat!(
                include_str!("epoch.lua"),
                include_str!("trim.lua"),
                include_str!("commit.lua")
            )),
            bounds: Script::new(concat!(include_str!("epoch.lua"), include_str!("bounds.lua"))),
            read: Script::new(include_str!("read.lua")),
            trim_log: Script::new(concat!(include_str!("trim.lua"), include_str!("trim_log.lua"))),
            fence: Script::new(include_str!("fence.lua")),
            page: Script::new(include_str!("page.lua")),
            renew_lease: Script::new(include_str!("renew_lease.lua")),
            remove_lease: Script::new(include_str!("remove_lease.lua")),
            set_home: Script::new(include_str!("set_home.lua")),
            once: Script::new(include_str!("once.lua")),
            forget: Script::new(include_str!("forget.lua")),
            replace: Script::new(include_str!("replace.lua")),
            hold: Script::new(include_str!("hold.lua")),
            note_presence: Script::new(include_str!("note_presence.lua")),
            presence: Script::new(include_str!("presence.lua")),
        }
    }
}

/// The command that runs `script` over `keys`; arguments follow. (`redis::Script` would copy each
/// argument once more.)
pub(super) fn run(script: &Script, keys: &[String]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}
