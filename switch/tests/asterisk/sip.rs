//! SIP messages, as far as the phones of the tests need them (RFC 3261).

use std::fmt::Write as _;

/// A request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `INVITE sip:101@host SIP/2.0` or `SIP/2.0 200 OK`.
    pub(crate) start: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn new(start: impl Into<String>) -> Self {
        Self { start: start.into(), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut message = Self::new(lines.next()?);
        for line in lines {
            let (name, value) = line.split_once(':')?;
            message.headers.push((long_name(name.trim()).to_owned(), value.trim().to_owned()));
        }
        body.clone_into(&mut message.body);
        Some(message)
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn with_body(mut self, kind: &str, body: String) -> Self {
        self.body = body;
        self.with("Content-Type", kind)
    }

    /// The first header of this name, empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// A header's quoted name and the user of its address.
    pub(crate) fn party(&self, name: &str) -> (String, String) {
        let value = self.header(name);
        let shown = value.split('"').nth(1).unwrap_or_default();
        (shown.to_owned(), user_of(value).to_owned())
    }

    /// The method of a request; `None` for an answer.
    pub(crate) fn method(&self) -> Option<&str> {
        let word = self.start.split(' ').next()?;
        (word != "SIP/2.0").then_some(word)
    }

    /// The code of an answer.
    pub(crate) fn code(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The user that a request is addressed to.
    pub(crate) fn addressee(&self) -> &str {
        user_of(&self.start)
    }

    /// Number and method of `CSeq`.
    pub(crate) fn sequence(&self) -> (u32, &str) {
        let (number, method) = self.header("CSeq").split_once(' ').unwrap_or_default();
        (number.parse().unwrap_or(0), method)
    }

    /// An answer to this request; `tag` names this side in the dialog.
    pub(crate) fn answer(&self, code: u16, text: &str, tag: &str) -> Self {
        let mut answer = Self::new(format!("SIP/2.0 {code} {text}"));
        for (name, value) in &self.headers {
            if ["Via", "From", "Call-ID", "CSeq", "Record-Route"]
                .iter()
                .any(|kept| kept.eq_ignore_ascii_case(name))
            {
                answer.headers.push((name.clone(), value.clone()));
            }
        }
        let to = self.header("To");
        let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
        answer.with("To", to)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body).unwrap();
        text.into_bytes()
    }
}

fn user_of(text: &str) -> &str {
    let after = text.split("sip:").nth(1).unwrap_or_default();
    if after.contains('@') { after.split('@').next().unwrap_or_default() } else { "" }
}

fn long_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "c" => "Content-Type",
        "l" => "Content-Length",
        name => name,
    }
}

/// Offers or answers µ-law audio on a port; `direction` is `sendrecv` or, on hold, `sendonly`.
pub(crate) fn sdp(port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na={direction}\r\n"
    )
}

/// The port of the audio that a body offers.
pub(crate) fn audio_port(body: &str) -> Option<u16> {
    body.split("m=audio ").nth(1)?.split(' ').next()?.parse().ok()
}
