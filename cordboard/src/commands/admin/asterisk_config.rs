//! `cordboard admin asterisk-config`: a configuration of Asterisk that Cordboard can drive, with
//! an endpoint for each account of the directory.
//!
//! Only what Cordboard needs is written, and no more right than it takes: every extension leads
//! into the application, phones cannot transfer by themselves, the REST interface answers on the
//! address given and has one user, and no module is loaded that could change the configuration,
//! read recordings of others or send messages. The manager interface is closed unless phones are to be
//! made to answer.

mod manager;
mod peers;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use auth::admin::{self, Kind};
use serde_json::Value;

use super::files::write_closed;
use super::{open, say};
use crate::cli::AsteriskConfig;

/// File with the passwords of the phones: an account and its password a line.
pub(in crate::commands) const PHONES: &str = "phones.txt";

/// File with the password of the REST interface, for `switch.asterisk.password_file`.
pub(in crate::commands) const ARI_PASSWORD: &str = "ari-password";

pub(in crate::commands) use self::manager::PASSWORD as MANAGER_PASSWORD;

/// All that Asterisk loads. Without `res_stasis_device_state`, with which it may lock up.
const MODULES: &str = "
    res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb
    res_http_websocket res_websocket_client res_rtp_asterisk res_musiconhold
    codec_ulaw codec_alaw codec_g722 codec_resample format_pcm format_wav format_g729
    bridge_simple bridge_softmix bridge_holding bridge_native_rtp chan_bridge_media
    pbx_config app_stasis
    res_stasis res_stasis_answer res_stasis_playback res_stasis_recording res_stasis_snoop
    res_ari res_ari_model res_ari_applications res_ari_asterisk res_ari_bridges
    res_ari_channels res_ari_endpoints res_ari_events res_ari_playbacks res_ari_recordings
    res_pjproject res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id
    res_pjsip_authenticator_digest res_pjsip_outbound_authenticator_digest res_pjsip_registrar
    res_pjsip_endpoint_identifier_user res_pjsip_endpoint_identifier_ip res_pjsip_dtmf_info
    res_pjsip_diversion res_pjsip_rfc3326 res_pjsip_pubsub res_pjsip_dlg_options
    res_pjsip_empty_info res_pjsip_nat res_pjsip_acl chan_pjsip func_channel func_callerid";

pub(super) async fn write(args: &AsteriskConfig) -> anyhow::Result<()> {
    let directory = open(&args.database).await?;
    let mut accounts = Vec::new();
    for record in admin::list(&*directory, Kind::Account).await? {
        let id = record.field("id").and_then(Value::as_str).context("an account without an id")?;
        let is_plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
        anyhow::ensure!(
            is_plain,
            "account `{id}` cannot be a PJSIP endpoint: its id has to be letters and digits"
        );
        accounts.push(id.to_owned());
    }
    write_files(args, &accounts)?;
    tell(args, accounts.len());
    Ok(())
}

/// Writes the files for these accounts.
pub(in crate::commands) fn write_files(
    args: &AsteriskConfig,
    accounts: &[String],
) -> anyhow::Result<()> {
    let nodes = args.peer.iter().map(|peer| &peer.node).chain(&args.node);
    for node in nodes {
        anyhow::ensure!(!accounts.contains(node), "node `{node}` has the name of an account");
    }

    let folder = &args.folder;
    fs::create_dir_all(folder)
        .with_context(|| format!("folder {} cannot be made", folder.display()))?;
    let known = phones_in(&read(&folder.join(PHONES))?);
    let phones: BTreeMap<&str, String> = accounts
        .iter()
        .map(|id| (id.as_str(), known.get(id).cloned().unwrap_or_else(password)))
        .collect();
    let ari = kept_password(&folder.join(ARI_PASSWORD))?;
    let manager = kept_password(&folder.join(manager::PASSWORD))?;

    // The passwords first: files that name them are never without them.
    let mut list = String::new();
    for (id, password) in &phones {
        writeln!(list, "{id} {password}")?;
    }
    let files = [
        (PHONES, list),
        (ARI_PASSWORD, format!("{ari}\n")),
        (manager::PASSWORD, format!("{manager}\n")),
        ("ari.conf", ari_conf(&ari)),
        ("manager.conf", manager::conf(args, &manager)),
        ("pjsip.conf", pjsip_conf(args, &phones)? + &peers::endpoints(args)?),
        ("http.conf", http_conf(args)),
        ("rtp.conf", rtp_conf(args)),
        ("extensions.conf", peers::extensions(args)),
        ("modules.conf", modules_conf(args)),
    ];
    for (name, text) in &files {
        let file = folder.join(name);
        write_closed(&file, text)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

fn tell(args: &AsteriskConfig, phones: usize) {
    let folder = &args.folder;
    say(format_args!(
        "{} phones; passwords in {}. Copy the `.conf` files into Asterisk's folder, start it, then:",
        phones,
        folder.join(PHONES).display()
    ));
    let talk = if args.talk {
        let file = folder.join(manager::PASSWORD);
        format!(" --set switch.asterisk.manager_password_file={}", file.display())
    } else {
        String::new()
    };
    say(format_args!(
        "cordboard up --switch asterisk --ari http://cordboard@{} --set switch.asterisk.password_file={}{talk}",
        args.ari_listen,
        folder.join(ARI_PASSWORD).display()
    ));
}

/// The password in a file; a new one when there is none.
fn kept_password(file: &Path) -> anyhow::Result<String> {
    Ok(match read(file)?.trim() {
        "" => password(),
        known => known.to_owned(),
    })
}

/// A file's text; nothing when it is not there.
fn read(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// The accounts and passwords of a list of phones.
pub(in crate::commands) fn phones_in(list: &str) -> BTreeMap<String, String> {
    let lines = list.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(id, password)| (id.to_owned(), password.trim().to_owned())).collect()
}

/// 122 random bits that no file format misreads.
fn password() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn ari_conf(password: &str) -> String {
    format!(
        "; Whoever has this user can do anything with calls.\n[general]\nenabled = yes\n\
         ; no browser has business here\nallowed_origins =\n\n\
         [cordboard]\ntype = user\nread_only = no\npassword = {password}\n"
    )
}

fn http_conf(args: &AsteriskConfig) -> String {
    let (ip, port) = (args.ari_listen.ip(), args.ari_listen.port());
    format!(
        "; Plain HTTP: on the same machine, or in a network that nobody else reads.\n\
         [general]\nenabled = yes\nenablestatic = no\nbindaddr = {ip}\nbindport = {port}\nsessionlimit = 1000\n"
    )
}

fn rtp_conf(args: &AsteriskConfig) -> String {
    let (first, last) = args.rtp;
    format!("[general]\nrtpstart = {first}\nrtpend = {last}\n")
}

/// What a phone or the trunk dials goes to the application, which decides; when Cordboard is
/// not there, the caller is released.
const EXTENSIONS: &str = "\
[cordboard]
exten => _[0-9+*#].,1,Stasis(cordboard)
 same => n,Hangup(34)

; Calls between two customers of this switch. No phone or trunk may have this context.
[cordboard-join]
exten => _[0-9+*#].,1,Stasis(cordboard)
 same => n,Hangup(34)
";

fn modules_conf(args: &AsteriskConfig) -> String {
    let mut text = "[modules]\nautoload = no\n".to_owned();
    for module in
        MODULES.split_whitespace().chain(peers::modules(args)).chain(manager::modules(args))
    {
        text.push_str("load = ");
        text.push_str(module);
        text.push_str(".so\n");
    }
    text
}

fn pjsip_conf(
    args: &AsteriskConfig,
    phones: &BTreeMap<&str, String>,
) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "[global]\ntype = global\nendpoint_identifier_order = username,ip\n\n\
         [udp]\ntype = transport\nprotocol = udp\nbind = {}\n\n\
         ; Transfers are Cordboard's, not the phone's.\n\
         [line](!)\ntype = endpoint\ncontext = cordboard\ndisallow = all\nallow = ulaw,alaw\n\
         direct_media = no\nrtp_symmetric = yes\nforce_rport = yes\nrewrite_contact = yes\n\
         allow_transfer = no\ndtmf_mode = auto\n",
        args.sip_listen
    );
    for (id, password) in phones {
        write!(
            text,
            "\n[{id}](line)\naors = {id}\nauth = {id}\n\
             [{id}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n\
             [{id}]\ntype = auth\nauth_type = userpass\nusername = {id}\npassword = {password}\n"
        )?;
    }
    if let Some(provider) = &args.trunk {
        let host = provider.rsplit_once(':').map_or(provider.as_str(), |(host, _)| host);
        write!(
            text,
            "\n; The public network. Calls from this address need no password.\n\
             [trunk](line)\naors = trunk\n\
             [trunk]\ntype = aor\ncontact = sip:{provider}\n\
             [trunk]\ntype = identify\nendpoint = trunk\nmatch = {host}\n"
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_given_once_are_read_back() {
        let list = "101 secret\n102 other\n\n";

        let phones = phones_in(list);

        assert_eq!(phones.get("101").map(String::as_str), Some("secret"));
        assert_eq!(phones.len(), 2);
        assert_ne!(password(), password());
    }

    #[test]
    fn the_module_with_which_asterisk_locks_up_is_left_out() {
        assert!(!MODULES.contains("device_state"));
    }
}
