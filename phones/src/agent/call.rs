//! One call of an agent, and the requests in it (RFC 3261, section 12).

use std::net::SocketAddr;

use super::Agent;
use crate::sip::{Message, address_of};
use crate::voice::Voice;

/// A call, from its first INVITE on.
#[derive(Debug)]
pub(super) struct Call {
    /// Its `Call-ID`.
    pub(super) id: String,
    /// The number under which this side is in it.
    pub(super) number: String,
    /// The invitation, when it came in.
    pub(super) invite: Option<Message>,
    /// What was answered to it last.
    pub(super) answer: Option<Message>,
    /// This side's and the other's `From` or `To`.
    pub(super) local: String,
    pub(super) remote: String,
    /// Where requests in the dialog are addressed to.
    pub(super) target: String,
    /// The switch that it goes over: others may call as well.
    pub(super) switch: SocketAddr,
    pub(super) sequence: u32,
    /// Branch of the last request, which a CANCEL repeats.
    pub(super) branch: String,
    pub(super) is_up: bool,
    /// A CANCEL was sent; an answer that crosses it is taken back by a BYE.
    pub(super) is_given_up: bool,
    /// The own 200 has had its ACK.
    pub(super) is_acknowledged: bool,
    /// Payload type of telephone events, when the switch takes them.
    pub(super) events: Option<u8>,
    pub(super) voice: Voice,
}

impl Call {
    /// One that is placed; `unique` is a text of its own.
    pub(super) fn placed(
        unique: &str,
        number: &str,
        name: &str,
        from: &str,
        switch: SocketAddr,
        voice: Voice,
    ) -> Self {
        let (host, name) = (switch.ip(), name.replace(['"', '\\'], " "));
        Self {
            id: format!("{unique}@phone"),
            number: from.to_owned(),
            invite: None,
            answer: None,
            local: format!("\"{name}\" <sip:{from}@{host}>;tag={unique}"),
            remote: format!("<sip:{number}@{host}>"),
            target: format!("sip:{number}@{switch}"),
            switch,
            sequence: 1,
            branch: format!("z9hG4bK{unique}"),
            is_up: false,
            is_given_up: false,
            is_acknowledged: true,
            events: None,
            voice,
        }
    }

    /// One that comes in.
    pub(super) fn received(
        invite: &Message,
        number: &str,
        local: &str,
        switch: SocketAddr,
        voice: Voice,
    ) -> Self {
        Self {
            id: invite.header("Call-ID").to_owned(),
            number: number.to_owned(),
            invite: Some(invite.clone()),
            answer: None,
            local: local.to_owned(),
            remote: invite.header("From").to_owned(),
            target: address_of(invite.header("Contact")).to_owned(),
            switch,
            sequence: 0,
            branch: String::new(),
            is_up: false,
            is_given_up: false,
            is_acknowledged: false,
            events: None,
            voice,
        }
    }
}

impl Agent {
    /// A request in a call.
    pub(super) fn request(&self, method: &str, call: &Call) -> Message {
        self.numbered(method, call, call.sequence, &call.branch)
    }

    /// The ACK of an answer to an INVITE: of its own for a 2xx, else a part of the INVITE's transaction
    /// (section 17.1.1.3).
    pub(super) fn acknowledgement(
        &self,
        call: &Call,
        code: u16,
        sequence: u32,
        branch: &str,
    ) -> Message {
        let branch = if code < 300 { format!("{branch}a") } else { branch.to_owned() };
        self.numbered("ACK", call, sequence, &branch)
    }

    /// Gives up the last request, an INVITE (section 9.1).
    pub(super) fn cancel(&self, call: &Call) -> Message {
        self.request("CANCEL", call).without("Contact")
    }

    fn numbered(&self, method: &str, call: &Call, sequence: u32, branch: &str) -> Message {
        self.message(method, &call.target, branch)
            .with("From", &call.local)
            .with("To", &call.remote)
            .with("Call-ID", &call.id)
            .with("CSeq", format!("{sequence} {method}"))
            .with("Contact", self.contact())
    }

    pub(super) fn registration(
        &self,
        switch: SocketAddr,
        number: u32,
        is_registered: bool,
    ) -> Message {
        let own = format!("<sip:{}@{}>", self.user(), switch.ip());
        let unique = format!("{}-{}", self.user(), self.port());
        self.message("REGISTER", &format!("sip:{switch}"), &format!("z9hG4bK{unique}-{number}"))
            .with("From", format!("{own};tag={unique}"))
            .with("To", own)
            .with("Call-ID", format!("{unique}@registers"))
            .with("CSeq", format!("{number} REGISTER"))
            .with("Contact", self.contact())
            .with("Expires", if is_registered { "300" } else { "0" })
    }

    fn message(&self, method: &str, to: &str, branch: &str) -> Message {
        let address = self.inner.address;
        Message::new(format!("{method} {to} SIP/2.0"))
            .with("Via", format!("SIP/2.0/UDP {address};rport;branch={branch}"))
            .with("Max-Forwards", "70")
    }

    pub(super) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user(), self.inner.address)
    }
}
