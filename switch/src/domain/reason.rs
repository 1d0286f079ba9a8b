//! The public reasons with which legs end.

use crate::driver::Reason;

/// A reason that the engine itself gives; text and SIP code are part of the public contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// A party hung up an answered call.
    ByeReceived,
    /// An application ended it.
    ByApi,
    /// The caller gave up before an answer.
    GaveUp,
    /// Nobody answered in time, or the phone is not registered.
    NotAnswered,
    /// The dialled number leads nowhere.
    NotFound,
    /// The caller has no credit or is blocked.
    NotAllowed,
    /// The credit of who pays is used up.
    NoCreditLeft,
    /// Another leg took the call.
    AnsweredElsewhere,
    /// The phone or an application sent the call on.
    Redirected,
    /// Sent on too often.
    Loop,
    /// The leg's party handed the call over.
    Transferred,
    /// The node or the channel is gone.
    SwitchLost,
    /// The mesh cannot decide now.
    Unavailable,
}

impl Standard {
    /// Text and code.
    #[must_use]
    pub fn reason(self) -> Reason {
        let (code, text) = match self {
            Self::ByeReceived => (487, "BYE Received"),
            Self::ByApi => (487, "Answer Leg Disconnected Via Call Control API"),
            Self::GaveUp => (487, "Request Terminated"),
            Self::NotAnswered => (480, "Temporarily Unavailable"),
            Self::NotFound => (404, "Not Found"),
            Self::NotAllowed => (403, "Auth Failed"),
            Self::NoCreditLeft => (402, "Payment Required"),
            Self::AnsweredElsewhere => (200, "Answered Elsewhere"),
            Self::Redirected => (302, "Moved Temporarily"),
            Self::Loop => (482, "Loop Detected"),
            Self::Transferred => (200, "Call Transferred"),
            Self::SwitchLost => (503, "Switch Lost"),
            Self::Unavailable => (503, "Service Unavailable"),
        };
        Reason { code, text: text.to_owned() }
    }
}

/// The reason for a SIP code that the far end or an application gave (RFC 3261 section 21, and
/// the texts of the public contract).
#[must_use]
pub(super) fn of_code(code: u16) -> Reason {
    let text = match code {
        302 => "Moved Temporarily",
        400 => "Bad Request",
        402 => "Payment Required",
        403 => "Auth Failed",
        404 => "Not Found",
        408 => "Request Timeout",
        410 => "Gone",
        480 => "Temporarily Unavailable",
        482 => "Loop Detected",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "Call Failed",
    };
    Reason { code, text: text.to_owned() }
}
