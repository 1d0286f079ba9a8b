//! Commands: finds the node, makes a repeated command the same command, and sends it.

mod recordings;

use std::sync::Arc;
use std::time::Duration;

use crate::Clock;
use crate::fault::RpcError as _;
use crate::ledger::{Ledger, Once, StoreError};
use crate::trace;
use bytes::Bytes;
use proto::call::v1::{CallInfo, CallRef};
use proto::switch::v1::command_request::Command;
use proto::switch::v1::{CommandRequest, Done};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::engine_id::EngineId;
use super::homes::Homes;
use super::metrics;
use super::nodes::{Node, Nodes};
use super::refusal::Refusal;
use super::repeat::{self, Record};
use super::session::Session;
use super::switch::{SendError, SwitchClient, decode_outcome, encode_outcome};

/// Commands to the engines of the switch nodes.
#[derive(Debug)]
pub struct Commands {
    /// Where records of `request_id` lie.
    ledger: Arc<dyn Ledger>,
    /// The clock.
    pub clock: Clock,
    /// The nodes.
    nodes: Nodes,
    /// The customers' homes.
    homes: Homes,
    /// The way to the nodes.
    switch: SwitchClient,
    /// Life of a `request_id`.
    request_id_ttl: Duration,
    /// How many are kept for a customer.
    request_id_cap: u64,
}

/// A `request_id` and what it is given for.
#[derive(Debug)]
pub struct Repeatable<'a> {
    /// The application's name for the command.
    pub request_id: &'a str,
    /// The params, encoded, with defaults filled in and without `request_id`.
    pub params: Vec<u8>,
}

/// What a command acts on.
#[derive(Clone, Copy, Debug)]
enum Object<'a> {
    /// A call, by its id.
    Call(&'a str),
    /// A conference, by its id.
    Conference(&'a str),
    /// A recording, by its id.
    Recording(&'a str),
}

impl Object<'_> {
    const fn id(&self) -> &str {
        match self {
            Self::Call(id) | Self::Conference(id) | Self::Recording(id) => id,
        }
    }

    fn not_found(&self) -> Refusal {
        match self {
            Self::Call(id) => Refusal::CallNotFound((*id).to_owned()),
            Self::Conference(id) => Refusal::ConferenceNotFound((*id).to_owned()),
            Self::Recording(_) => Refusal::RecordingNotFound,
        }
    }
}

/// A command and where it goes.
struct Sending<'a> {
    /// The node of the object; `None` when there is no such node.
    node: Option<Arc<Node>>,
    /// What it acts on or makes; the id is empty when the engine has to find it.
    object: Object<'a>,
    command_id: String,
    i_customer: i64,
    command: Command,
}

impl<'a> Sending<'a> {
    fn on(object: Object<'a>, node: Option<Arc<Node>>, command: Command) -> Self {
        Self { node, object, command_id: fresh_id(), i_customer: 0, command }
    }
}

/// Where a command that makes a call has the new call's id.
const fn new_call_id(command: &mut Command) -> Option<&mut String> {
    match command {
        Command::OriginateCall(originate) => Some(&mut originate.call_id),
        Command::OriginateAdvancedCall(originate) => Some(&mut originate.call_id),
        _ => None,
    }
}

/// Whether a command names prompts.
fn has_prompts(command: &Command) -> bool {
    use proto::switch::v1::conference_command::Command as Deed;
    match command {
        Command::Play(play) => !play.prompts.is_empty(),
        Command::Conference(conference) => match &conference.command {
            Some(Deed::Create(create)) => !create.prompts.is_empty(),
            Some(Deed::Add(add)) => !add.prompts.is_empty(),
            _ => false,
        },
        _ => false,
    }
}

/// The engine's reason when a prompt cannot be played.
const INVALID_PROMPT: &str = "INVALID_PROMPT";

/// Stands for the epoch in the record of a command on a call whose node there is not: leases
/// count from 1.
const NO_NODE: u64 = 0;

/// How long the store may take to note what became of a command.
const PATIENCE: Duration = Duration::from_secs(1);

/// What of [`Commands`] is a matter of configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site of this process: new customers get a home here, when a node here takes them.
    pub site: String,
    /// How long a customer's home is believed without asking the store.
    pub home_cache: Duration,
    /// Life of a `request_id`.
    pub request_id_ttl: Duration,
    /// How many are kept for a customer.
    pub request_id_cap: u64,
}

impl Commands {
    /// Sends to `nodes` over `switch`.
    #[must_use]
    pub fn new(
        settings: Settings,
        ledger: Arc<dyn Ledger>,
        clock: Clock,
        nodes: Nodes,
        switch: SwitchClient,
    ) -> Self {
        let Settings { site, home_cache, request_id_ttl, request_id_cap } = settings;
        let homes = Homes::new(Arc::clone(&ledger), nodes.clone(), site, home_cache);
        Self { ledger, clock, nodes, homes, switch, request_id_ttl, request_id_cap }
    }

    /// Reads the legs of a call.
    ///
    /// # Errors
    /// `CallNotFound`, or what came between.
    pub async fn read(&self, session: &Session, call: &CallRef) -> Result<Vec<CallInfo>, Refusal> {
        let object = Object::Call(&call.id);
        let node = self.node_of(object).await?;
        let get = proto::switch::v1::GetCall { call: Some(call.clone()) };
        let sending = Sending::on(object, node, Command::GetCall(get));
        match self.send(session, &sending, None).await {
            Ok(done) => Ok(done.legs),
            Err(Refusal::NoAnswer) => Err(Refusal::NotTold),
            Err(refusal) => Err(refusal),
        }
    }

    /// Has the switch act on a call.
    ///
    /// # Errors
    /// The engine's refusal, or what came between.
    pub async fn act(
        &self,
        session: &Session,
        call: &CallRef,
        command: Command,
        repeatable: Option<Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        self.act_on(session, Object::Call(&call.id), command, repeatable).await
    }

    /// Has the switch act on a conference.
    ///
    /// # Errors
    /// The engine's refusal, or what came between.
    pub async fn act_on_conference(
        &self,
        session: &Session,
        i_conference: &str,
        command: Command,
        repeatable: Option<Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        self.act_on(session, Object::Conference(i_conference), command, repeatable).await
    }

    async fn act_on(
        &self,
        session: &Session,
        object: Object<'_>,
        command: Command,
        repeatable: Option<Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        let node = self.node_of(object).await?;
        let sending = Sending::on(object, node, command);
        self.once(session, sending, repeatable.as_ref()).await
    }

    /// Has the switch do what belongs to a customer and to no call that is named: starts a call,
    /// whose id is made here, or finds one.
    ///
    /// # Errors
    /// `NoSwitch`, the engine's refusal, or what came between.
    pub async fn act_at_home(
        &self,
        session: &Session,
        i_customer: i64,
        command: Command,
        repeatable: Option<Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        let outcome =
            self.try_at_home(session, i_customer, command.clone(), repeatable.as_ref()).await;
        let Err(Refusal::WrongNode) = outcome else { return outcome };
        // The customer has moved since its home was asked for.
        self.homes.doubt(i_customer);
        self.try_at_home(session, i_customer, command, repeatable.as_ref()).await
    }

    async fn try_at_home(
        &self,
        session: &Session,
        i_customer: i64,
        mut command: Command,
        repeatable: Option<&Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        let node = self.homes.of(i_customer).await?;
        let mut call_id = String::new();
        if let Some(new) = new_call_id(&mut command) {
            call_id = EngineId::new(&node.name).to_string();
            new.clone_from(&call_id);
        }
        let command_id = fresh_id();
        let object = Object::Call(&call_id);
        let sending = Sending { node: Some(node), object, command_id, i_customer, command };
        self.once(session, sending, repeatable).await
    }

    /// The node that holds an object, if there can be such an object.
    async fn node_of(&self, object: Object<'_>) -> Result<Option<Arc<Node>>, Refusal> {
        match EngineId::parse(object.id()) {
            Some(id) => self.nodes.find(id.node()).await.map_err(Refusal::Store),
            None => Ok(None),
        }
    }

    /// Sends the command; with a `request_id` that was used before, the command that it was used
    /// for.
    async fn once(
        &self,
        session: &Session,
        mut sending: Sending<'_>,
        repeatable: Option<&Repeatable<'_>>,
    ) -> Result<Done, Refusal> {
        let Some(Repeatable { request_id, params }) = repeatable else {
            return self.send(session, &sending, None).await;
        };
        let record = Record {
            fingerprint: repeat::fingerprint(&session.method, params),
            node: sending.node.as_ref().map(|node| node.name.clone()).unwrap_or_default(),
            node_epoch: sending.node.as_ref().map_or(NO_NODE, |node| node.epoch),
            command_id: sending.command_id.clone(),
            call_id: new_call_id(&mut sending.command).cloned(),
            outcome: None,
        };
        let owner = repeat::partition_owner(session.scope().i_customer(), &session.caller.user);
        let (key, value) = (repeat::key(request_id), Bytes::from(record.encode()));
        let (ttl, cap) = (self.request_id_ttl, self.request_id_cap);
        let asking = self.ledger.once(owner, &key, value.clone(), ttl, cap);
        let first = within(session.deadline, asking).await.map_err(Refusal::Store)?;
        let (value, record, outcome) = match first {
            Once::Written => (value, record, self.send(session, &sending, Some(request_id)).await),
            Once::Existing(first) => {
                let earlier = Record::decode(&first).ok_or_else(unreadable)?;
                if earlier.fingerprint != record.fingerprint {
                    return Err(Refusal::RequestIdReused);
                }
                if let Some(outcome) = earlier.outcome {
                    return decode_outcome(outcome.as_slice()).map_err(|_bad| unreadable())?;
                }
                // What is listed may be a second old, and the process another by now.
                self.nodes.refresh().await.map_err(Refusal::Store)?;
                let outcome = self.again(session, sending, &earlier, request_id).await;
                (first, earlier, outcome)
            }
        };
        if outcome.as_ref().is_err_and(Refusal::is_undone) {
            self.forget(owner, &key, &value).await;
        } else if let Some(outcome) = encode_outcome(&outcome) {
            let done = Record { outcome: Some(outcome), ..record };
            self.keep(owner, &key, &value, &done, session.deadline).await;
        }
        outcome
    }

    /// Sends the command of an earlier request again, to the process that had it.
    async fn again(
        &self,
        session: &Session,
        sending: Sending<'_>,
        first: &Record,
        request_id: &str,
    ) -> Result<Done, Refusal> {
        if first.node_epoch == NO_NODE {
            return Err(sending.object.not_found());
        }
        let node = self.nodes.known(&first.node);
        let node = node.filter(|node| node.epoch == first.node_epoch);
        let node = node.ok_or(Refusal::OutcomeUnknown)?;
        let mut command = sending.command;
        if let Some(new) = new_call_id(&mut command) {
            *new = first.call_id.clone().unwrap_or_default();
        }
        let command_id = first.command_id.clone();
        let sending = Sending { node: Some(node), command_id, command, ..sending };
        match self.send(session, &sending, Some(request_id)).await {
            // The first attempt may have got through.
            Err(Refusal::SwitchUnreachable(_)) => Err(Refusal::OutcomeUnknown),
            outcome => outcome,
        }
    }

    /// Keeps the final answer with the `request_id`, so that it outlives the engine's process.
    async fn keep(&self, owner: i64, key: &str, first: &[u8], done: &Record, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let replacing = self.ledger.replace(owner, key, first, Bytes::from(done.encode()));
        if let Err(error) = within(deadline, replacing).await {
            // The engine still has it, as long as its process lives.
            tracing::warn!(error = crate::fault::chain(&error), "outcome was not kept");
        }
    }

    /// Lets the application try again what was not done.
    async fn forget(&self, owner: i64, key: &str, value: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        if let Err(error) = within(deadline, self.ledger.forget(owner, key, value)).await {
            // The next attempt sends the same command again, which does no harm.
            tracing::warn!(error = crate::fault::chain(&error), "request_id was not forgotten");
        }
    }

    async fn send(
        &self,
        session: &Session,
        sending: &Sending<'_>,
        request_id: Option<&str>,
    ) -> Result<Done, Refusal> {
        match &sending.node {
            Some(node) => self.send_to(node, session, sending, request_id).await,
            None => Err(self.of_no_node(session, sending).await),
        }
    }

    /// Why a command on an object of no node is refused. Prompts are judged before it is looked up,
    /// and any node knows them.
    async fn of_no_node(&self, session: &Session, sending: &Sending<'_>) -> Refusal {
        let judge = self.nodes.all().into_iter().next().filter(|_| has_prompts(&sending.command));
        if let Some(judge) = judge
            && let Err(refusal) = self.send_to(&judge, session, sending, None).await
            && refusal.reason() == INVALID_PROMPT
        {
            return refusal;
        }
        sending.object.not_found()
    }

    async fn send_to(
        &self,
        node: &Node,
        session: &Session,
        sending: &Sending<'_>,
        request_id: Option<&str>,
    ) -> Result<Done, Refusal> {
        let request = CommandRequest {
            command_id: sending.command_id.clone(),
            deadline_us: session.deadline_time(&self.clock).as_micros(),
            caller: Some(session.switch_caller(request_id)),
            traceparent: trace::traceparent_of_current_span(),
            i_customer: sending.i_customer,
            command: Some(sending.command.clone()),
        };
        let began = Instant::now();
        let outcome = self.switch.send(&node.target, &request, session.deadline).await;
        metrics::COMMAND_DURATION.record(began.elapsed(), []);
        metrics::COMMANDS.add(1, [outcome_of(&outcome)]);
        let refusal = match outcome {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(refusal)) => refusal,
            Err(SendError::NotSent(error)) => Refusal::SwitchUnreachable(error),
            Err(SendError::NoAnswer) => Refusal::NoAnswer,
            Err(SendError::Bad(what)) => Refusal::BadAnswer(what),
        };
        tracing::debug!(node = node.name, reason = refusal.reason(), "command has no good outcome");
        Err(refusal)
    }
}

fn outcome_of(outcome: &Result<Result<Done, Refusal>, SendError>) -> &'static str {
    match outcome {
        Ok(Ok(_)) => "done",
        Ok(Err(_)) => "refused",
        Err(SendError::NotSent(_)) => "not_sent",
        Err(SendError::NoAnswer) => "no_answer",
        Err(SendError::Bad(_)) => "bad_answer",
    }
}

async fn within<T>(
    deadline: Instant,
    asking: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_elapsed| Err(StoreError { message: "no answer in time".to_owned() });
    timeout_at(deadline, asking).await.unwrap_or_else(late)
}

fn unreadable() -> Refusal {
    Refusal::BadAnswer("an unreadable record".to_owned())
}

fn fresh_id() -> String {
    Uuid::now_v7().simple().to_string()
}
