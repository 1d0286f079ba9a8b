//! The domain of the engine: calls, legs, and what commands and events do to them.
//!
//! [`Customer`] is one pure, synchronous state machine for all calls of one PBX
//! environment. It takes an [`Input`] and returns [`Effect`]s; it asks no clock,
//! makes no ids of its own beyond those of the injected [`Names`], and knows no
//! socket, store or switch. Since one customer is one machine, a command that
//! touches several calls is one transition, and of two racing commands one simply
//! comes second.
//!
//! Three things are derived and never stored twice: the state that a leg shows
//! ([`Leg::state`]), who hears whom ([`media`]), and which events follow
//! ([`Customer`] compares what each leg shows with what it told last).

mod adoption;
mod application;
mod call;
mod charge;
mod command;
mod conference;
mod credit;
mod customer;
mod dialogue;
mod effect;
mod leg;
mod media;
mod names;
mod party;
mod phone;
mod queue;
mod reason;
mod recording;
mod reference;
#[cfg(test)]
mod tests;
mod view;

pub use adoption::{GoesOn, IdleCharge, LeftConference, LeftLeg, Legacy, Memo};
pub use application::{Application, Listeners, OnAppGone};
pub use call::Call;
pub use charge::{Charged, Rating, Service as ChargedService};
pub use command::{
    Action, CallerScope, Cause, Command, ConferenceAction, ConnectTwo, CreateConference, Done,
    NewOwner, Originate, Outcome, Parked, Refusal, Whom, allowed_states,
};
pub use conference::{
    ConferenceNews, ConferenceRef, ConferenceView, Ear, Interval, IntervalKind, JoinMode,
    ParticipantState, ParticipantView, Role, Row,
};
pub use credit::CreditAnswer;
pub use customer::Customer;
pub use dialogue::{DigitRules, Media, Play, PlayCallback};
pub use effect::{Effect, Input, ResolveFailure, Route, Wanted};
pub use leg::{Direction, End, Leg, Mode, State, Supervision};
pub use names::{CallId, ConferenceId, Names, Tag};
pub use party::{Account, Party};
pub use phone::{Availability, PhoneNews};
pub use queue::{
    AGENT_TIMEOUT, Decision, Figures, Group, LEAVES, Leave, QueueInfo, QueueSettings, SERVICE_TIME,
};
pub use reason::Standard;
pub use recording::{Recorded, Recording};
pub use reference::state_table;
pub use view::{Callback, IvrInfo, LegView, Seen};
