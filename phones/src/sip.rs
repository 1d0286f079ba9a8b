//! SIP messages, as far as phones need them (RFC 3261), and their descriptions of audio (RFC 4566).

use std::fmt::Write as _;
use std::net::IpAddr;

/// More headers than this are nobody's who means well.
const MOST_HEADERS: usize = 128;

/// A request or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `INVITE sip:101@host SIP/2.0` or `SIP/2.0 200 OK`.
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Message {
    /// A message that begins with this line.
    #[must_use]
    pub fn new(start: impl Into<String>) -> Self {
        Self { start: one_line(&start.into()), headers: Vec::new(), body: String::new() }
    }

    /// Reads a datagram; `None` when it is no message (RFC 3261, section 7). What lies behind the
    /// `Content-Length` is left out, one that is cut short is refused (section 18.3).
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let mut message = Self::new(lines.next().filter(|start| start.contains(' '))?);
        let mut more = 0;
        for line in lines {
            if line.starts_with([' ', '\t']) {
                // A header goes on (section 7.3.1).
                more += 1;
                if more > MOST_HEADERS {
                    return None;
                }
                let (_, value) = message.headers.last_mut()?;
                let whole = format!("{value} {}", one_line(line.trim()));
                whole.trim().clone_into(value);
                continue;
            }
            if message.headers.len() > MOST_HEADERS {
                return None;
            }
            let (name, value) = line.split_once(':')?;
            message.headers.push((long_name(name.trim()).to_owned(), one_line(value.trim())));
        }
        let length = match message.header("Content-Length") {
            "" => body.len(),
            length => length.parse().ok()?,
        };
        body.get(..length)?.clone_into(&mut message.body);
        let message = message.without("Content-Length");
        (message.headers.len() <= MOST_HEADERS).then_some(message)
    }

    /// With one header more. Line breaks in it become spaces.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), one_line(&value.into())));
        self
    }

    /// With a body of this media type.
    #[must_use]
    pub fn with_body(mut self, kind: &str, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.with("Content-Type", kind)
    }

    /// The same without the headers of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The first header of this name, empty without one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or_default()
    }

    /// All headers of this name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A header's quoted name and the user of its address.
    #[must_use]
    pub fn party(&self, name: &str) -> (String, String) {
        let value = self.header(name);
        let shown = value.split('"').nth(1).unwrap_or_default();
        (shown.to_owned(), user_of(value).to_owned())
    }

    /// The method of a request; `None` for an answer.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        let word = self.start.split(' ').next()?;
        (word != "SIP/2.0").then_some(word)
    }

    /// The address in the first line of a request.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The code of an answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The user that a request is addressed to.
    #[must_use]
    pub fn addressee(&self) -> &str {
        user_of(&self.start)
    }

    /// Number and method of `CSeq`.
    #[must_use]
    pub fn sequence(&self) -> (u32, &str) {
        let (number, method) = self.header("CSeq").split_once(' ').unwrap_or_default();
        (number.parse().unwrap_or(0), method)
    }

    /// The branch of the topmost `Via`, which names the transaction.
    #[must_use]
    pub fn branch(&self) -> &str {
        let via = self.header("Via").split(',').next().unwrap_or_default();
        via.split(';').find_map(|part| part.trim().strip_prefix("branch=")).unwrap_or_default()
    }

    /// An answer to this request; `tag` names this side in the dialog (RFC 3261, section 8.2.6).
    #[must_use]
    pub fn answer(&self, code: u16, text: &str, tag: &str) -> Self {
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

    /// The message as it goes into a datagram.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        // Writing to a string cannot fail.
        write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body).ok();
        text.into_bytes()
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn user_of(text: &str) -> &str {
    let after = text.split("sip:").nth(1).unwrap_or_default();
    if after.contains('@') { after.split('@').next().unwrap_or_default() } else { "" }
}

/// The address between angle brackets.
#[must_use]
pub fn address_of(contact: &str) -> &str {
    let address = contact.split('<').nth(1).and_then(|rest| rest.split('>').next());
    address.unwrap_or(contact)
}

fn long_name(name: &str) -> &str {
    match name.to_ascii_lowercase().as_str() {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "c" => "Content-Type",
        "l" => "Content-Length",
        "o" => "Event",
        _ => name,
    }
}

/// One side's audio: where it listens, and which payload type carries keys as telephone events
/// (RFC 4733), if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Address and port for µ-law.
    pub at: (IpAddr, u16),
    /// Payload type of telephone events, one of those that are agreed on (96 to 127).
    pub events: Option<u8>,
}

impl Audio {
    /// As an offer or an answer; `direction` is `sendrecv` or, on hold, `sendonly`.
    #[must_use]
    pub fn describe(&self, direction: &str) -> String {
        let (address, port) = self.at;
        let family = if address.is_ipv6() { "IP6" } else { "IP4" };
        let mut text = format!(
            "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0"
        );
        if let Some(events) = self.events {
            write!(text, " {events}").ok();
        }
        text.push_str("\r\na=rtpmap:0 PCMU/8000\r\n");
        if let Some(events) = self.events {
            write!(text, "a=rtpmap:{events} telephone-event/8000\r\na=fmtp:{events} 0-15\r\n").ok();
        }
        write!(text, "a=ptime:20\r\na={direction}\r\n").ok();
        text
    }

    /// The audio that a body describes; `None` when there is none.
    #[must_use]
    pub fn parse(body: &str) -> Option<Self> {
        let port = body.split("m=audio ").nth(1)?.split(' ').next()?.parse().ok()?;
        let value = |line: &str, start: &str| line.strip_prefix(start).map(ToOwned::to_owned);
        let address = body.lines().find_map(|line| {
            value(line, "c=IN IP4 ").or_else(|| value(line, "c=IN IP6 "))?.trim().parse().ok()
        })?;
        let events = body.lines().find_map(|line| {
            let (number, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            name.starts_with("telephone-event/8000").then(|| number.parse().ok())?
        });
        Some(Self {
            at: (address, port),
            events: events.filter(|number| (96..128).contains(number)),
        })
    }
}

#[cfg(test)]
mod tests;
