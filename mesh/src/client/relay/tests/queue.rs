//! What is sent, and what becomes of what is not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::stream::{FuturesUnordered, StreamExt as _};
use hyper::body::Body as _;
use prost::Message as _;
use proto::relay::v1::{Answer, RelayRequest};
use tonic::Code;

use super::super::lane::{CREDENTIALS, IN_FLIGHT, Lane};
use super::super::outgoing::Outgoing;
use super::peer::{ask, credential_of};
use crate::fault::reason_of;

/// The next message, if anything waits.
fn sent(outgoing: &mut Outgoing) -> Option<RelayRequest> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(outgoing).poll_frame(&mut cx) {
        Poll::Ready(Some(frame)) => {
            let data = frame.unwrap().into_data().unwrap();
            Some(RelayRequest::decode(data.slice(5..)).unwrap())
        }
        Poll::Ready(None) | Poll::Pending => None,
    }
}

#[tokio::test]
async fn what_waits_goes_in_one_message_and_a_credential_once_a_stream() {
    let lane = Arc::new(Lane::new("peer"));
    let mut outgoing = Outgoing::new(Arc::clone(&lane));
    let (one, two) = (credential_of(1), credential_of(2));
    let asks = [ask("a", Some(&one)), ask("b", Some(&two)), ask("c", Some(&one)), ask("d", None)];

    let mut asked: FuturesUnordered<_> = asks.iter().map(|ask| lane.ask(ask)).collect();
    assert!(futures::poll!(asked.next()).is_pending());
    let message = sent(&mut outgoing).unwrap();
    assert!(sent(&mut outgoing).is_none());
    let again = ask("e", Some(&two));
    let mut later = std::pin::pin!(lane.ask(&again));
    assert!(futures::poll!(&mut later).is_pending());
    let second = sent(&mut outgoing).unwrap();

    let numbers: Vec<_> = message.credentials.iter().map(|it| it.number).collect();
    assert_eq!(numbers.len(), 2);
    let named: Vec<_> = message.calls.iter().map(|call| call.credential).collect();
    assert_eq!(named, [numbers[0], numbers[1], numbers[0], 0]);
    assert_eq!((second.credentials.len(), second.calls[0].credential), (0, numbers[1]));
}

#[tokio::test]
async fn a_peer_that_keeps_many_credentials_forgets_them_and_is_given_anew_what_is_used() {
    let lane = Arc::new(Lane::new("peer"));
    let mut outgoing = Outgoing::new(Arc::clone(&lane));
    let credential = credential_of(1);
    let request = ask("a", Some(&credential));
    let mut before = std::pin::pin!(lane.ask(&request));
    assert!(futures::poll!(&mut before).is_pending());
    assert_eq!(sent(&mut outgoing).unwrap().credentials.len(), 1);

    lane.with(|queue| {
        for number in 1..CREDENTIALS {
            queue.give(u64::MAX - number);
        }
    });
    let mut after = std::pin::pin!(lane.ask(&request));
    assert!(futures::poll!(&mut after).is_pending());
    let message = sent(&mut outgoing).unwrap();

    assert!(message.forgets);
    assert_eq!(message.credentials.len(), 1);
    assert_eq!(message.calls[0].credential, message.credentials[0].number);
}

#[tokio::test]
async fn a_request_that_was_not_sent_may_go_another_way_and_one_that_was_may_not() {
    let lane = Arc::new(Lane::new("peer"));
    let mut outgoing = Outgoing::new(Arc::clone(&lane));
    let (first, second) = (ask("first", None), ask("second", None));

    let mut taken = std::pin::pin!(lane.ask(&first));
    assert!(futures::poll!(&mut taken).is_pending());
    sent(&mut outgoing).unwrap();
    let mut left = std::pin::pin!(lane.ask(&second));
    assert!(futures::poll!(&mut left).is_pending());
    lane.over();

    assert_eq!(taken.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    assert!(left.await.is_none());
    assert!(lane.ask(&first).await.is_none(), "a stream that is over takes nothing");
}

#[tokio::test]
async fn a_request_that_is_given_up_is_not_sent_or_taken_back() {
    let lane = Arc::new(Lane::new("peer"));
    let mut outgoing = Outgoing::new(Arc::clone(&lane));
    let request = ask("a", None);

    {
        let mut never_sent = std::pin::pin!(lane.ask(&request));
        assert!(futures::poll!(&mut never_sent).is_pending());
    }
    assert!(sent(&mut outgoing).is_none());
    let number = {
        let mut under_way = std::pin::pin!(lane.ask(&request));
        assert!(futures::poll!(&mut under_way).is_pending());
        sent(&mut outgoing).unwrap().calls[0].number
    };

    assert_eq!(sent(&mut outgoing).unwrap().cancelled, [number]);
    // Nobody waits for it any more.
    lane.answer(Answer { number, ..Answer::default() });
}

#[tokio::test]
async fn more_requests_than_a_stream_carries_are_refused_until_one_is_answered() {
    let lane = Arc::new(Lane::new("peer"));
    let request = ask("a", None);
    let mut asked: FuturesUnordered<_> = (0..IN_FLIGHT).map(|_| lane.ask(&request)).collect();
    assert!(futures::poll!(asked.next()).is_pending());
    while asked.len() < IN_FLIGHT {
        assert!(futures::poll!(asked.next()).is_pending());
    }

    let mut outgoing = Outgoing::new(Arc::clone(&lane));
    let mut numbers = Vec::new();
    while numbers.len() < IN_FLIGHT {
        // What does not fit into one message goes in the next.
        assert!(futures::poll!(asked.next()).is_pending());
        if let Some(message) = sent(&mut outgoing) {
            assert!(message.calls.len() <= 256);
            numbers.extend(message.calls.iter().map(|call| call.number));
        }
    }
    let refused = lane.ask(&request).await.unwrap().unwrap_err();
    lane.answer(Answer { number: numbers[0], ..Answer::default() });
    asked.next().await.unwrap().unwrap().unwrap();
    let mut taken = std::pin::pin!(lane.ask(&request));

    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused).as_deref(), Some("LIMIT_REACHED"));
    assert!(futures::poll!(&mut taken).is_pending());
}
