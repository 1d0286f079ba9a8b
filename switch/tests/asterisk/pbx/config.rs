//! What a test's Asterisk is told.

use std::fmt::Write as _;
use std::fs;

use mesh::testing::ports;
use phones::audio::tone;

use super::{
    MANAGER_PASSWORD, MUSIC, PASSWORD, PEER_PASSWORD, Pbx, Peer, READER, RINGBACK, RTP_PORTS, USER,
    installation,
};

impl Pbx {
    pub(super) fn configure(&self, lines: &[(String, u16)]) {
        let folder = self.folder.path();
        installation().furnish(folder, &self.name()).unwrap();
        // Raw µ-law: one second of one tone.
        let music: Vec<u8> = tone(MUSIC, 0, 8000).collect();
        fs::write(folder.join("music/tone.ulaw"), music).unwrap();
        for (name, text) in self.files(lines) {
            fs::write(folder.join("etc").join(name), text).unwrap();
        }
    }

    fn files(&self, lines: &[(String, u16)]) -> Vec<(&'static str, String)> {
        let folder = self.folder.path().display();
        let mut modules = "[modules]\nautoload = no\n".to_owned();
        for module in MODULES.split_whitespace() {
            writeln!(modules, "load = {module}.so").unwrap();
        }
        let http = format!(
            "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {}\n",
            self.http_port
        );
        let ari = format!(
            "[general]\nenabled = yes\n[{USER}]\ntype = user\nread_only = no\n\
             password = {PASSWORD}\n"
        );
        let manager = format!(
            "[general]\nenabled = yes\nwebenabled = yes\nbindaddr = 127.0.0.1\nport = {}\n\
             [{USER}]\nsecret = {MANAGER_PASSWORD}\nwrite = system\n\
             [{READER}]\nsecret = {MANAGER_PASSWORD}\nread = call\n",
            ports::free_tcp()
        );
        let first = ports::free_udp_range(RTP_PORTS);
        let last = first + RTP_PORTS - 1;
        let rtp = format!("[general]\nrtpstart = {first}\nrtpend = {last}\n");
        let mut pjsip = format!(
            "[global]\ntype = global\nendpoint_identifier_order = username,ip\n\
             user_agent = {}\n\
             [udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{}\n\
             [phone](!)\ntype = endpoint\ncontext = cordboard\ndisallow = all\nallow = ulaw\n\
             direct_media = no\ndtmf_mode = info\nrtp_symmetric = yes\nallow_transfer = no\n\
             timers = no\n",
            self.name(),
            self.sip_port
        );
        for (user, port) in lines {
            let user_part = if user == "trunk" { String::new() } else { format!("{user}@") };
            write!(
                pjsip,
                "[{user}](phone)\naors = {user}\n[{user}]\ntype = aor\n\
                 contact = sip:{user_part}127.0.0.1:{port}\nqualify_frequency = 0\n"
            )
            .unwrap();
        }
        // Registered nowhere, until a phone does.
        pjsip.push_str("[109](phone)\naors = 109\nset_var = CORDBOARD_TALK=no\n[109]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\n");
        pjsip.push_str("[trunk]\ntype = identify\nendpoint = trunk\nmatch = 127.0.0.1\n");
        if let Some(Peer { own, other, sip_port }) = &self.peer {
            write!(
                pjsip,
                "[{other}](phone)\ncontext = cordboard-peer\naors = {other}\nauth = {other}\n\
                 outbound_auth = {own}\nfrom_user = {own}\nsend_pai = yes\n\
                 trust_id_outbound = yes\ntrust_id_inbound = yes\n\
                 [{other}]\ntype = aor\ncontact = sip:127.0.0.1:{sip_port}\n\
                 qualify_frequency = 0\n"
            )
            .unwrap();
            for name in [own, other] {
                write!(
                    pjsip,
                    "[{name}]\ntype = auth\nauth_type = userpass\nusername = {name}\n\
                     password = {PEER_PASSWORD}\n"
                )
                .unwrap();
            }
        }
        let extensions = "[cordboard]\nexten => _[0-9+*#].,1,Stasis(cordboard)\n same => n,Hangup()\n\
                          [cordboard-join]\nexten => _[0-9+*#].,1,Stasis(cordboard)\n \
                          same => n,Hangup()\n\
                          [cordboard-handover]\nexten => _[0-9+*#].,1,\
                          Set(__CORDBOARD_ORIGIN=${CORDBOARD_ORIGIN})\n \
                          same => n,Dial(PJSIP/${EXTEN}@${CORDBOARD_NODE},,b(cordboard-origin^s^1))\n \
                          same => n,Hangup(${HANGUPCAUSE})\n\
                          [cordboard-origin]\nexten => s,1,\
                          Set(PJSIP_HEADER(add,X-Cordboard-Origin)=${CORDBOARD_ORIGIN})\n \
                          same => n,Return()\n\
                          [cordboard-peer]\nexten => _[0-9+*#].,1,\
                          Stasis(cordboard,handed,${PJSIP_HEADER(read,X-Cordboard-Origin)})\n \
                          same => n,Hangup(34)\n";
        let music = format!("[default]\nmode = files\ndirectory = {folder}/music\n");
        let tones = format!(
            "[general]\ncountry = test\n[test]\ndescription = Test\nringcadence = 1000,4000\n\
             dial = {RINGBACK}\nring = {RINGBACK}/1000,0/200\nbusy = {RINGBACK}\n\
             congestion = {RINGBACK}\n"
        );
        vec![
            ("modules.conf", modules),
            ("http.conf", http),
            ("ari.conf", ari),
            ("manager.conf", manager),
            ("rtp.conf", rtp),
            ("pjsip.conf", pjsip),
            ("extensions.conf", extensions.to_owned()),
            ("musiconhold.conf", music),
            ("indications.conf", tones),
        ]
    }
}

/// What the driver needs, and no more; above all no `res_stasis_device_state`, with which Asterisk
/// may lock up when an event socket breaks (its issue 2170).
const MODULES: &str = "
    res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb
    res_http_websocket res_websocket_client res_rtp_asterisk res_musiconhold
    codec_ulaw format_pcm format_wav codec_resample
    bridge_simple bridge_softmix bridge_holding bridge_native_rtp
    pbx_config app_stasis app_dial app_stack
    res_stasis res_stasis_answer res_stasis_playback res_stasis_recording res_stasis_snoop
    res_ari res_ari_model res_ari_applications res_ari_asterisk res_ari_bridges res_ari_channels res_ari_endpoints
    res_ari_events res_ari_playbacks res_ari_recordings
    res_pjproject res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id
    res_pjsip_endpoint_identifier_user res_pjsip_endpoint_identifier_ip res_pjsip_dtmf_info
    res_pjsip_registrar res_pjsip_diversion res_pjsip_rfc3326 res_pjsip_pubsub res_pjsip_dlg_options
    res_pjsip_header_funcs res_pjsip_authenticator_digest
    res_pjsip_outbound_authenticator_digest res_pjsip_empty_info res_pjsip_nat res_pjsip_notify chan_pjsip func_channel func_callerid";
