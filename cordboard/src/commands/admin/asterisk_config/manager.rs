//! The manager interface, by which phones are made to answer: over the HTTP server of the REST
//! interface, for one user with the one class of rights that it takes.

use crate::cli::AsteriskConfig;

/// File with the user's password, for `switch.asterisk.manager_password_file`.
pub(in crate::commands) const PASSWORD: &str = "manager-password";

/// Besides the other modules.
const MODULE: &str = "res_pjsip_notify";

pub(super) fn modules(args: &AsteriskConfig) -> impl Iterator<Item = &'static str> {
    args.talk.then_some(MODULE).into_iter()
}

pub(super) fn conf(args: &AsteriskConfig, password: &str) -> String {
    if !args.talk {
        return "[general]\nenabled = no\n".to_owned();
    }
    // Who comes from elsewhere to another address than this machine's own cannot be known here.
    let ip = args.ari_listen.ip();
    let permit = if ip.is_loopback() {
        format!("deny = 0.0.0.0/0.0.0.0\ndeny = ::/0\npermit = {ip}\n")
    } else {
        String::new()
    };
    format!(
        "; Over HTTP, where the REST interface is (http.conf). Nobody needs its own port (5038), which is\n\
         ; open on this machine alone.\n\
         [general]\nenabled = yes\nwebenabled = yes\nbindaddr = 127.0.0.1\n\n\
         ; `system` is what sending a NOTIFY takes. The user is told of no event.\n\
         [cordboard]\nsecret = {password}\nread =\nwrite = system\n{permit}"
    )
}
