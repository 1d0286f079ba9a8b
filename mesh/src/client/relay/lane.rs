//! The requests of one stream: those that wait to be sent, and who waits for which answer.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::task::Waker;

use bytes::Bytes;
use parking_lot::Mutex;
use proto::relay::v1::Answer;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;
use tonic::Status;

use crate::client::ask::Ask;
use crate::client::call;
use crate::fault::{self, Code};
use crate::trace;

/// Requests under way on one stream. As many as a server handles at a time: it would refuse more.
pub(super) const IN_FLIGHT: usize = 4_096;

/// Requests given up of which the peer has not been told yet; of more it is not told, and gives
/// them up at their deadline.
const CANCELLED: usize = 4_096;

/// Credentials that the peer keeps for one stream. Beyond it all are forgotten and given anew.
pub(super) const CREDENTIALS: u64 = 32_768;

/// One stream.
pub(in crate::client) struct Lane {
    service: String,
    queue: Mutex<Queue>,
    /// Told when a stream that takes nothing more has nothing under way.
    drained: Notify,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Not sent yet, in order.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) cancelled: Vec<u64>,
    /// Credentials that the peer was given.
    given: HashSet<u64>,
    under_way: HashMap<u64, UnderWay>,
    last_number: u64,
    /// Woken when there is something to send.
    waker: Option<Waker>,
    is_closed: bool,
}

/// A request that waits to be sent.
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) ask: Ask,
    pub(super) trace: Option<trace::Context>,
}

struct UnderWay {
    is_sent: bool,
    end: oneshot::Sender<End>,
}

/// What became of a request.
enum End {
    Answered(Answer),
    /// The peer never saw it.
    Unsent,
    /// The stream broke after it was sent.
    Broken,
}

impl fmt::Debug for Lane {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lane").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Lane {
    pub(super) fn new(service: &str) -> Self {
        let service = service.to_owned();
        Self { service, queue: Mutex::default(), drained: Notify::new() }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// Has a request answered; `None` when it was not sent, and may go another way.
    pub(in crate::client) async fn ask(&self, ask: &Ask) -> Option<Result<Bytes, Status>> {
        let (number, end) = match self.push(ask) {
            Ok(pushed) => pushed,
            Err(Full::Closed) => return None,
            Err(Full::Full) => return Some(Err(overloaded(&self.service))),
        };
        let _given_up = GivenUp { lane: self, number };
        match timeout_at(ask.deadline, end).await {
            Ok(Ok(End::Answered(answer))) => Some(result_of(answer)),
            Ok(Ok(End::Unsent)) => None,
            Ok(Ok(End::Broken) | Err(_)) => Some(Err(call::cut_off(&self.service))),
            Err(_elapsed) => Some(Err(call::late(&self.service))),
        }
    }

    fn push(&self, ask: &Ask) -> Result<(u64, oneshot::Receiver<End>), Full> {
        let trace = trace::current();
        let (end, ended) = oneshot::channel();
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return Err(Full::Closed);
        }
        // Those given up leave what waits only when it is sent.
        if queue.under_way.len() >= IN_FLIGHT || queue.waiting.len() >= IN_FLIGHT {
            return Err(Full::Full);
        }
        queue.last_number += 1;
        let number = queue.last_number;
        queue.under_way.insert(number, UnderWay { is_sent: false, end });
        queue.waiting.push_back(Waiting { number, ask: ask.clone(), trace });
        let waker = queue.waker.take();
        drop(queue);
        wake(waker);
        Ok((number, ended))
    }

    /// Works on what waits to be sent.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.queue.lock())
    }

    /// Hands an answer to who waits for it, if anybody still does.
    pub(super) fn answer(&self, answer: Answer) {
        let mut queue = self.queue.lock();
        let Some(waiting) = queue.under_way.remove(&answer.number) else { return };
        self.note_drained(&queue);
        drop(queue);
        waiting.end.send(End::Answered(answer)).ok();
    }

    /// Takes no more requests, and ends this half when those that wait are sent.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        self.note_drained(&queue);
        let waker = queue.waker.take();
        drop(queue);
        wake(waker);
    }

    /// The stream is over: tells all who wait.
    pub(super) fn over(&self) {
        self.close();
        let (mut waiting, under_way) = {
            let mut queue = self.queue.lock();
            (std::mem::take(&mut queue.waiting), std::mem::take(&mut queue.under_way))
        };
        waiting.clear();
        for it in under_way.into_values() {
            it.end.send(if it.is_sent { End::Broken } else { End::Unsent }).ok();
        }
    }

    /// Returns when the stream takes nothing more and nothing is under way.
    pub(super) async fn drained(&self) {
        self.drained.notified().await;
    }

    fn note_drained(&self, queue: &Queue) {
        if queue.is_closed && queue.under_way.is_empty() {
            self.drained.notify_one();
        }
    }

    /// Nobody waits for an answer any more.
    fn give_up(&self, number: u64) {
        let mut queue = self.queue.lock();
        let Some(given_up) = queue.under_way.remove(&number) else { return };
        self.note_drained(&queue);
        if !given_up.is_sent || queue.cancelled.len() >= CANCELLED {
            return;
        }
        queue.cancelled.push(number);
        let waker = queue.waker.take();
        drop(queue);
        wake(waker);
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.cancelled.is_empty()
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Wakes `waker` when there is something to send, or nothing ever again.
    pub(super) fn wake_later(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            known => *known = Some(waker.clone()),
        }
    }

    /// The next request, from now on one that was sent. Those given up before are left out.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        loop {
            let waiting = self.waiting.pop_front()?;
            if let Some(under_way) = self.under_way.get_mut(&waiting.number) {
                under_way.is_sent = true;
                return Some(waiting);
            }
        }
    }

    /// True when the peer must be given this credential first.
    pub(super) fn give(&mut self, credential: u64) -> bool {
        self.given.insert(credential)
    }

    /// True when the peer must forget all credentials before it is given more.
    pub(super) fn forget(&mut self) -> bool {
        let is_full = self.given.len() as u64 >= CREDENTIALS;
        if is_full {
            self.given.clear();
        }
        is_full
    }
}

/// Why a stream does not take a request.
enum Full {
    Closed,
    Full,
}

/// Forgets a request when dropped before its answer came.
struct GivenUp<'a> {
    lane: &'a Lane,
    number: u64,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.lane.give_up(self.number);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn result_of(answer: Answer) -> Result<Bytes, Status> {
    if answer.code == 0 {
        return Ok(answer.message);
    }
    Err(Status::with_details(answer.code.into(), answer.text, answer.details))
}

fn overloaded(service: &str) -> Status {
    let message = format!("too many requests to {service} at the same time");
    fault::own(Code::ResourceExhausted, "LIMIT_REACHED", message)
}
