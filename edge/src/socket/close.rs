//! Why a socket is closed, and the code that says so.

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// The edge stops.
    Drain,
    /// The frames are no WebSocket.
    Protocol,
    /// A binary frame.
    NotText,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A message over the limit.
    TooLong,
    /// No pong in time.
    NoPong,
    /// Not authenticated in time, or the token expired.
    NotAuthenticated,
    /// The session was ended.
    Revoked,
    /// No API message for too long.
    Inactive,
    /// The client does not read what it is sent.
    TooSlow,
    /// The client does not heed its rate.
    Abusive,
}

/// All of them, for metrics.
pub(crate) const LABELS: [&str; 11] = [
    Reason::Drain.label(),
    Reason::Protocol.label(),
    Reason::NotText.label(),
    Reason::NotUtf8.label(),
    Reason::TooLong.label(),
    Reason::NoPong.label(),
    Reason::NotAuthenticated.label(),
    Reason::Revoked.label(),
    Reason::Inactive.label(),
    Reason::TooSlow.label(),
    Reason::Abusive.label(),
];

impl Reason {
    /// The close code.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Drain => 1001,
            Self::Protocol => 1002,
            Self::NotText => 1003,
            Self::NotUtf8 => 1007,
            Self::TooLong => 1009,
            Self::NoPong => 1011,
            Self::NotAuthenticated => 4401,
            Self::Revoked => 4403,
            Self::Inactive => 4408,
            Self::TooSlow => 4413,
            Self::Abusive => 4429,
        }
    }

    /// For people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Drain => "the server stops; reconnect",
            Self::Protocol => "not a WebSocket frame",
            Self::NotText => "text frames only",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooLong => "the message is too long",
            Self::NoPong => "no pong in time",
            Self::NotAuthenticated => "not authenticated, or the access token expired",
            Self::Revoked => "the session has ended",
            Self::Inactive => "no API message for too long",
            Self::TooSlow => "the client reads too slowly",
            Self::Abusive => "far too many requests",
        }
    }

    /// For metrics.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Protocol => "protocol",
            Self::NotText => "not_text",
            Self::NotUtf8 => "not_utf8",
            Self::TooLong => "too_long",
            Self::NoPong => "no_pong",
            Self::NotAuthenticated => "not_authenticated",
            Self::Revoked => "revoked",
            Self::Inactive => "inactive",
            Self::TooSlow => "too_slow",
            Self::Abusive => "abusive",
        }
    }
}
