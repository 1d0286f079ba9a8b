//! SIP codes and Asterisk's hang-up causes (Q.850).

use super::lines::{Stage, Way};
use crate::driver::Cause;

/// How a channel ended. `sip` is the code of the far end's answer, which Asterisk tells from
/// version 21 on; `q850` is all that earlier ones tell.
pub(super) fn of_end(way: Way, stage: Stage, q850: i32, sip: Option<i32>) -> Cause {
    if way == Way::Incoming || stage == Stage::Answered {
        return Cause::HungUp;
    }
    let refusal = sip.and_then(|code| u16::try_from(code).ok()).filter(|code| {
        // 487 answers our own CANCEL.
        (300..700).contains(code) && *code != 487
    });
    refusal.or_else(|| of_q850(q850)).map_or(Cause::HungUp, Cause::Refused)
}

/// The SIP code that a cause stands for (RFC 3398 section 7.2.4.1, with Asterisk's own use of
/// 21 for a decline); `None` for a normal end.
fn of_q850(cause: i32) -> Option<u16> {
    let code = match cause {
        // Normal clearing.
        16 => return None,
        // Unallocated number, no route.
        1..=3 => 404,
        // Busy.
        17 => 486,
        // No user responding.
        18 => 408,
        // Rejected.
        21 => 603,
        // Number changed.
        22 => 410,
        // Destination out of order.
        27 => 502,
        // Invalid number format.
        28 => 484,
        // Facility rejected.
        29 => 501,
        // No circuit, network out of order, temporary failure, congestion.
        34 | 38 | 41 | 42 => 503,
        // Bearer capability.
        57 | 58 | 65 => 488,
        // Interworking.
        127 => 500,
        // No answer, subscriber absent, and whatever else keeps the party from being reached.
        _ => 480,
    };
    Some(code)
}

/// The cause with which a channel is hung up. Asterisk turns it into the SIP code of a refusal;
/// codes without a cause of their own become the nearest that there is.
pub(super) fn of_sip(code: u16) -> u16 {
    match code {
        404 | 604 => 1,
        // Asterisk answers 403 to a rejected call, and 603 to one that just ends.
        401..=403 => 21,
        408 => 18,
        410 => 22,
        480 => 19,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 58,
        500 => 127,
        502 => 27,
        503 | 504 => 34,
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_far_end_s_code_or_the_nearest() {
        let end = |q850, sip| of_end(Way::Dialled, Stage::Ringing, q850, sip);

        assert_eq!(end(17, Some(486)), Cause::Refused(486));
        assert_eq!(end(21, Some(603)), Cause::Refused(603));
        assert_eq!(end(17, Some(600)), Cause::Refused(600));
        for (q850, code) in [(17, 486), (21, 603), (19, 480), (20, 480), (1, 404), (34, 503)] {
            assert_eq!(end(q850, None), Cause::Refused(code), "{q850}");
        }
        assert_eq!(end(16, None), Cause::HungUp);
        assert_eq!(end(0, Some(0)), Cause::Refused(480));
    }

    #[test]
    fn who_was_on_the_line_or_called_hung_up() {
        assert_eq!(of_end(Way::Dialled, Stage::Answered, 17, Some(486)), Cause::HungUp);
        assert_eq!(of_end(Way::Incoming, Stage::Made, 127, Some(487)), Cause::HungUp);
    }
}
