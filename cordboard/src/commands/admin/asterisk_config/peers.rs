//! What several Asterisks need to pass calls on to each other.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::EXTENSIONS;
use crate::cli::AsteriskConfig;

/// Besides the other modules.
const MODULES: [&str; 3] = ["app_dial", "app_stack", "res_pjsip_header_funcs"];

/// Behind the other contexts.
const CONTEXTS: &str = "
; Out, to the Asterisk of the customer's home. Cordboard sends channels here.
[cordboard-handover]
exten => _[0-9+*#].,1,Set(__CORDBOARD_ORIGIN=${CORDBOARD_ORIGIN})
 same => n,Dial(PJSIP/${EXTEN}@${CORDBOARD_NODE},,b(cordboard-origin^s^1))
 same => n,Hangup(${HANGUPCAUSE})

[cordboard-origin]
exten => s,1,Set(PJSIP_HEADER(add,X-Cordboard-Origin)=${CORDBOARD_ORIGIN})
 same => n,Return()

; In, from other nodes. No phone or trunk may have this context: here the caller says who it is.
[cordboard-peer]
exten => _[0-9+*#].,1,Stasis(cordboard,handed,${PJSIP_HEADER(read,X-Cordboard-Origin)})
 same => n,Hangup(34)
";

pub(super) fn modules(args: &AsteriskConfig) -> impl Iterator<Item = &'static str> {
    MODULES.into_iter().filter(|_| !args.peer.is_empty())
}

pub(super) fn extensions(args: &AsteriskConfig) -> String {
    let more = if args.peer.is_empty() { "" } else { CONTEXTS };
    format!("{EXTENSIONS}{more}")
}

/// The endpoints of the other nodes' Asterisks, each named as its node.
pub(super) fn endpoints(args: &AsteriskConfig) -> anyhow::Result<String> {
    let (Some(own), Some(file)) = (&args.node, &args.peer_password_file) else {
        return Ok(String::new());
    };
    let password = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let password = password.trim();
    anyhow::ensure!(
        !password.is_empty() && password.chars().all(|c| c.is_ascii_alphanumeric()),
        "{} has to have a password of letters and digits",
        file.display()
    );
    let auth = |name: &str| {
        format!(
            "[{name}]\ntype = auth\nauth_type = userpass\nusername = {name}\npassword = {password}\n"
        )
    };
    let mut text =
        format!("\n; The other nodes' Asterisks, which know this one as {own}.\n{}", auth(own));
    for peer in &args.peer {
        let name = &peer.node;
        anyhow::ensure!(name != own, "{name} is this node");
        write!(
            text,
            "\n[{name}](line)\ncontext = cordboard-peer\naors = {name}\nauth = {name}\n\
             outbound_auth = {own}\nfrom_user = {own}\nsend_pai = yes\n\
             trust_id_outbound = yes\ntrust_id_inbound = yes\n\
             [{name}]\ntype = aor\ncontact = sip:{}\n{}",
            peer.address,
            auth(name)
        )?;
    }
    Ok(text)
}
