//! The messages of the contract as the notifier reads and writes them.
//!
//! The log's entries go to the edges as the engine wrote them. So an entry is
//! opened only as far as its head, which says who may see it, and is put into
//! the answers as bytes: nothing of its body is read, copied or written anew for
//! each edge. On the wire these messages are those of the contract; a test holds
//! them to that.

use bytes::Bytes;
use prost::Message as _;
use proto::notifier::v1 as contract;

use crate::domain::entry::{self, Entry};
use crate::domain::frame::{Frame, Gap};

/// The head of `cordboard.switch.v1.LogEntry`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogHead {
    #[prost(int64, tag = "1")]
    i_customer: i64,
    #[prost(int64, tag = "2")]
    i_reseller: i64,
    #[prost(int64, repeated, tag = "3")]
    i_accounts: Vec<i64>,
    #[prost(string, repeated, tag = "4")]
    access_numbers: Vec<String>,
    #[prost(int64, repeated, tag = "5")]
    i_c_queues: Vec<i64>,
    #[prost(int64, tag = "6")]
    time_us: i64,
    #[prost(string, tag = "7")]
    traceparent: String,
    #[prost(string, repeated, tag = "8")]
    callbacks: Vec<String>,
}

/// Reads who may see an entry.
///
/// # Errors
/// When the bytes are no message.
pub(crate) fn head_of(raw: &Bytes) -> Result<entry::Head, prost::DecodeError> {
    let head = LogHead::decode(raw.clone())?;
    Ok(entry::Head {
        i_customer: head.i_customer,
        i_reseller: head.i_reseller,
        i_accounts: head.i_accounts,
        access_numbers: head.access_numbers,
        i_c_queues: head.i_c_queues,
        time_us: head.time_us,
        traceparent: head.traceparent,
        has_callbacks: !head.callbacks.is_empty(),
    })
}

/// `cordboard.notifier.v1.Place`; the epoch's name is shared and not copied.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Place {
    #[prost(uint32, tag = "1")]
    partition: u32,
    #[prost(bytes = "bytes", tag = "2")]
    epoch: Bytes,
    #[prost(uint64, tag = "3")]
    millis: u64,
    #[prost(uint64, tag = "4")]
    sequence: u64,
}

impl From<&entry::Place> for Place {
    fn from(place: &entry::Place) -> Self {
        Self {
            partition: place.partition,
            epoch: place.era.name.clone(),
            millis: place.position.millis,
            sequence: place.position.sequence,
        }
    }
}

/// `cordboard.notifier.v1.Event`, with its entry as the engine wrote it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(message, optional, tag = "1")]
    place: Option<Place>,
    #[prost(uint64, repeated, tag = "2")]
    scope_ids: Vec<u64>,
    #[prost(bytes = "bytes", tag = "3")]
    entry: Bytes,
}

impl Event {
    fn new(entry: &Entry, scope_ids: Vec<u64>) -> Self {
        Self { place: Some((&entry.place).into()), scope_ids, entry: entry.raw.clone() }
    }
}

/// `cordboard.notifier.v1.Subscribed`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Subscribed {
    #[prost(uint64, tag = "1")]
    scope_id: u64,
    #[prost(message, repeated, tag = "2")]
    places: Vec<Place>,
}

/// `cordboard.notifier.v1.Beat`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Beat {
    #[prost(message, repeated, tag = "1")]
    places: Vec<Place>,
    #[prost(bool, tag = "2")]
    store_reachable: bool,
}

/// `cordboard.notifier.v1.Gap`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LogGap {
    #[prost(message, optional, tag = "1")]
    place: Option<Place>,
    #[prost(string, tag = "2")]
    reason: String,
}

impl From<&Gap> for LogGap {
    fn from(gap: &Gap) -> Self {
        Self { place: Some((&gap.place).into()), reason: gap.loss.reason().to_owned() }
    }
}

/// `cordboard.notifier.v1.LiveResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LiveResponse {
    #[prost(oneof = "Live", tags = "1, 2, 3, 4, 5")]
    response: Option<Live>,
}

/// What a [`LiveResponse`] is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Live {
    #[prost(message, tag = "1")]
    Subscribed(Subscribed),
    #[prost(message, tag = "2")]
    Refused(contract::Refused),
    #[prost(message, tag = "3")]
    Event(Event),
    #[prost(message, tag = "4")]
    Beat(Beat),
    #[prost(message, tag = "5")]
    Gap(LogGap),
}

impl From<Frame> for LiveResponse {
    fn from(frame: Frame) -> Self {
        let places = |places: &[entry::Place]| places.iter().map(Place::from).collect();
        let response = match frame {
            Frame::Subscribed { scope_id, places: its } => {
                Live::Subscribed(Subscribed { scope_id, places: places(&its) })
            }
            Frame::Refused { scope_id, reason } => {
                Live::Refused(contract::Refused { scope_id, reason: reason.to_owned() })
            }
            Frame::Event { entry, scope_ids } => Live::Event(Event::new(&entry, scope_ids)),
            Frame::Beat { places: its, is_store_reachable } => {
                Live::Beat(Beat { places: places(&its), store_reachable: is_store_reachable })
            }
            Frame::Gap(gap) => Live::Gap((&gap).into()),
        };
        Self { response: Some(response) }
    }
}

/// `cordboard.notifier.v1.ReplayResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReplayResponse {
    #[prost(oneof = "Replayed", tags = "1, 2")]
    response: Option<Replayed>,
}

/// What a [`ReplayResponse`] is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Replayed {
    #[prost(message, tag = "1")]
    Event(Event),
    #[prost(message, tag = "2")]
    Gap(LogGap),
}

impl ReplayResponse {
    /// A past event.
    pub(crate) fn event(entry: &Entry) -> Self {
        Self { response: Some(Replayed::Event(Event::new(entry, Vec::new()))) }
    }

    /// Events are gone.
    pub(crate) fn gap(gap: &Gap) -> Self {
        Self { response: Some(Replayed::Gap(gap.into())) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mesh::ledger::{Epoch, Position};
    use proto::switch::v1 as switch;
    use tokio::time::Instant;

    use super::*;
    use crate::domain::entry::Era;
    use crate::domain::frame::Loss;

    fn log_entry() -> switch::LogEntry {
        switch::LogEntry {
            i_customer: 7,
            i_reseller: 2,
            i_accounts: vec![70, 71],
            access_numbers: vec!["1".to_owned(), "22".to_owned()],
            i_c_queues: vec![3],
            time_us: 5,
            traceparent: "00-1-2-01".to_owned(),
            callbacks: vec!["https://crm.example.com/".to_owned()],
            body: Some(switch::log_entry::Body::Availability(switch::Availability {
                account_id: "101".to_owned(),
                availability: "busy".to_owned(),
            })),
        }
    }

    fn place() -> entry::Place {
        let era = Era::new(Epoch { born_millis: 1_234, nonce: 0xabc });
        entry::Place { partition: 3, era, position: Position { millis: 9, sequence: 4 } }
    }

    fn contract_place() -> contract::Place {
        contract::Place { partition: 3, epoch: "1234-00000abc".to_owned(), millis: 9, sequence: 4 }
    }

    fn an_entry() -> Entry {
        let raw = Bytes::from(log_entry().encode_to_vec());
        let head = head_of(&raw).unwrap();
        Entry { place: place(), head, raw, read_at: Instant::now() }
    }

    #[test]
    fn the_head_of_an_entry_is_read() {
        let expected = log_entry();

        let head = an_entry().head;

        assert_eq!(head.i_customer, expected.i_customer);
        assert_eq!(head.i_reseller, expected.i_reseller);
        assert_eq!(head.i_accounts, expected.i_accounts);
        assert_eq!(head.access_numbers, expected.access_numbers);
        assert_eq!(head.i_c_queues, expected.i_c_queues);
        assert_eq!(head.time_us, expected.time_us);
        assert_eq!(head.traceparent, expected.traceparent);
        assert!(head_of(&Bytes::from_static(b"\xff")).is_err());
    }

    #[test]
    fn live_messages_read_as_those_of_the_contract() {
        use contract::live_response::Response;

        let event = Frame::Event { entry: Arc::new(an_entry()), scope_ids: vec![1, 300] };
        let gap = Frame::Gap(Gap { place: place(), loss: Loss::LogLost });
        for (frame, expected) in [
            (
                Frame::Subscribed { scope_id: 8, places: vec![place(), place()] },
                Response::Subscribed(contract::Subscribed {
                    scope_id: 8,
                    places: vec![contract_place(), contract_place()],
                }),
            ),
            (
                Frame::Refused { scope_id: 8, reason: "ACCESS_DENIED" },
                Response::Refused(contract::Refused {
                    scope_id: 8,
                    reason: "ACCESS_DENIED".to_owned(),
                }),
            ),
            (
                event,
                Response::Event(contract::Event {
                    place: Some(contract_place()),
                    scope_ids: vec![1, 300],
                    entry: Some(log_entry()),
                }),
            ),
            (
                Frame::Beat { places: vec![place()], is_store_reachable: true },
                Response::Beat(contract::Beat {
                    places: vec![contract_place()],
                    store_reachable: true,
                }),
            ),
            (
                gap,
                Response::Gap(contract::Gap {
                    place: Some(contract_place()),
                    reason: "log_lost".to_owned(),
                }),
            ),
        ] {
            let bytes = LiveResponse::from(frame).encode_to_vec();

            let read = contract::LiveResponse::decode(bytes.as_slice()).unwrap();

            assert_eq!(read.response, Some(expected));
        }
    }

    #[test]
    fn replayed_messages_read_as_those_of_the_contract() {
        use contract::replay_response::Response;

        let event = ReplayResponse::event(&an_entry()).encode_to_vec();
        let gap = ReplayResponse::gap(&Gap { place: place(), loss: Loss::TooOld }).encode_to_vec();

        let read = |bytes: &[u8]| contract::ReplayResponse::decode(bytes).unwrap().response;
        let expected = contract::Event {
            place: Some(contract_place()),
            scope_ids: Vec::new(),
            entry: Some(log_entry()),
        };
        assert_eq!(read(&event), Some(Response::Event(expected)));
        let expected =
            contract::Gap { place: Some(contract_place()), reason: "cursor_too_old".to_owned() };
        assert_eq!(read(&gap), Some(Response::Gap(expected)));
    }
}
