//! What people do with their phones, and what they hear: at the simulator's, and at real ones that
//! speak SIP with a real switch.

mod sim;
mod sip;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(super) use self::sim::Sim;
pub(super) use self::sip::{MUSIC, Sip};

/// The people of the demo.
#[derive(Debug)]
pub(super) enum Hands {
    /// At the simulator's phones.
    Sim(Sim),
    /// At phones that speak SIP.
    Sip(Sip),
}

/// How somebody's phone takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// It rings until somebody answers.
    Manual,
    /// It rings for a while and is answered.
    Usual,
}

/// Somebody outside whose call comes in over the trunk.
#[derive(Debug)]
pub(super) struct Caller {
    leg: String,
}

/// Somebody who hears.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who<'a> {
    /// At an account's phone.
    Phone(&'a str),
    /// Outside.
    Caller(&'a Caller),
}

/// What is heard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sound<'a> {
    /// These parties, by account id or number, and nobody else.
    Parties(&'a [&'a str]),
    /// Music.
    Music,
    /// This prompt.
    Prompt(&'a str),
}

impl Hands {
    /// How an account's phone takes calls from now on.
    pub(super) async fn set(&self, account: &str, behaviour: Behaviour) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.set(account, behaviour).await,
            Self::Sip(sip) => sip.set(account, behaviour),
        }
    }

    /// Somebody dials.
    pub(super) async fn dial(&self, account: &str, destination: &str) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.dial(account, destination).await,
            Self::Sip(sip) => sip.dial(account, destination).await,
        }
    }

    /// Somebody hangs up.
    pub(super) async fn hang_up(&self, account: &str) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.hang_up(account).await,
            Self::Sip(sip) => sip.hang_up(account).await,
        }
    }

    /// Whose phone of these rings first answers.
    pub(super) async fn answer_one(&self, accounts: &[&str]) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for account in accounts {
                let is_answered = match self {
                    Self::Sim(sim) => sim.answer(account).await?,
                    Self::Sip(sip) => sip.answer(account).await?,
                };
                if is_answered {
                    return Ok(());
                }
            }
            anyhow::ensure!(Instant::now() < deadline, "no phone of {accounts:?} rings");
            sleep(PAUSE).await;
        }
    }

    /// Somebody calls from outside.
    pub(super) async fn call_in(&self, from: &str, name: &str, to: &str) -> anyhow::Result<Caller> {
        let leg = match self {
            Self::Sim(sim) => sim.call_in(from, name, to).await?,
            Self::Sip(sip) => sip.call_in(from, name, to).await?,
        };
        Ok(Caller { leg })
    }

    /// Somebody outside presses keys.
    pub(super) async fn press(&self, caller: &Caller, keys: &str) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.press(&caller.leg, keys).await,
            Self::Sip(sip) => sip.press(&caller.leg, keys).await,
        }
    }

    /// Somebody outside hangs up.
    pub(super) async fn caller_hangs_up(&self, caller: &Caller) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.caller_hangs_up(&caller.leg).await,
            Self::Sip(sip) => sip.caller_hangs_up(&caller.leg).await,
        }
    }

    /// Somebody hears this: now, as the simulator has it, or over real phones for a while after `since`.
    pub(super) async fn hears(
        &self,
        who: Who<'_>,
        sound: Sound<'_>,
        since: Instant,
    ) -> anyhow::Result<()> {
        match self {
            Self::Sim(sim) => sim.hears(who, sound).await,
            Self::Sip(sip) => sip.hears(who, sound, since).await,
        }
    }

    /// The prompt that tells a caller of a visa: one that this switch can play.
    pub(super) fn approval(&self) -> &'static str {
        match self {
            Self::Sim(_) => "visa/approved.g729",
            Self::Sip(_) => "visa/approved.au",
        }
    }
}

/// How long anything may take to come about, and how often the demo looks.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// How long phones ring that are answered.
const RINGING: Duration = Duration::from_millis(500);
