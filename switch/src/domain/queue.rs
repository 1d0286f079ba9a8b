//! Hunt groups and call queues: what the directory says of them, which agent is next, and the
//! figures of a queue. Pure; what happens to calls is in `customer/queue`.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::clock::Timestamp;

use super::names::{CallId, Tag};
use super::party::{Account, Party};

/// How long an agent's phone rings before the call goes to the next.
pub const AGENT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long an agent who did not take a call is left in peace.
pub(super) const REST: Duration = Duration::from_secs(5);

/// A call counts for the service level when it was answered within this time.
pub const SERVICE_TIME: Duration = Duration::from_secs(20);

/// A hunt group of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who takes part now, in directory order.
    pub agents: Vec<Account>,
    /// Everybody who may take part.
    pub members: Vec<i64>,
    /// Its queue, when it has one.
    pub queue: Option<QueueSettings>,
    /// What happens to a call about which no application decides.
    pub decision: Option<Decision>,
}

impl Group {
    /// The called end of a call to the group.
    #[must_use]
    pub fn party(&self) -> Party {
        Party {
            name: self.name.clone(),
            huntgroup_id: Some(self.id.clone()),
            ..Party::number(self.id.clone())
        }
    }
}

/// A call queue of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The queue.
    pub i_c_queue: i64,
    /// Its name.
    pub name: String,
    /// Offers a call to all free agents at once, instead of to the one that is idle longest.
    pub rings_all: bool,
    /// How long an agent's phone rings.
    pub agent_timeout: Duration,
    /// Calls that may wait; one more overflows.
    pub max_waiting: Option<usize>,
    /// How long a call may wait.
    pub max_wait: Option<Duration>,
    /// Where calls go that find no place, wait too long, or find no agent.
    pub overflow: Option<String>,
}

/// When nobody has decided about a call in time, it goes to another number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How long applications have.
    pub timeout: Duration,
    /// The number.
    pub fallback: String,
}

/// Why a call has left a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// An agent has answered.
    Answered,
    /// The caller hung up, or the call was ended.
    Abandoned,
    /// It waited too long.
    Timeout,
    /// There was no place.
    Overflow,
    /// Nobody takes part.
    NoAgents,
    /// It was sent on.
    Redirected,
}

/// The public names of all reasons.
pub const LEAVES: [&str; 6] = [
    Leave::Answered.name(),
    Leave::Abandoned.name(),
    Leave::Timeout.name(),
    Leave::Overflow.name(),
    Leave::NoAgents.name(),
    Leave::Redirected.name(),
];

impl Leave {
    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::Timeout => "timeout",
            Self::Overflow => "overflow",
            Self::NoAgents => "no_agents",
            Self::Redirected => "redirected",
        }
    }
}

/// What a leg shows of its stay in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueInfo {
    /// The queue.
    pub i_c_queue: i64,
    /// Its name.
    pub name: String,
    /// Place, from 1; the last one after it has left.
    pub position: usize,
    /// Seconds waited.
    pub waited_seconds: u64,
    /// Why it left.
    pub reason: Option<Leave>,
}

/// A call's stay in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    /// The leg that waits.
    pub(super) tag: Tag,
    pub(super) i_c_queue: i64,
    pub(super) name: String,
    pub(super) since: Timestamp,
    pub(super) position: usize,
    /// When and why it left.
    pub(super) left: Option<(Timestamp, Leave)>,
}

impl Stay {
    pub(super) fn info(&self, now: Timestamp) -> QueueInfo {
        let until = self.left.map_or(now, |(at, _)| at);
        QueueInfo {
            i_c_queue: self.i_c_queue,
            name: self.name.clone(),
            position: self.position,
            waited_seconds: until.since(self.since).as_secs(),
            reason: self.left.map(|(_, reason)| reason),
        }
    }
}

/// What agents do, over all queues of the customer.
#[derive(Debug, Default)]
pub(super) struct Agents {
    by_account: BTreeMap<i64, Agent>,
}

#[derive(Debug, Default)]
struct Agent {
    /// Legs of the account that have been told of and have not ended.
    legs: usize,
    idle_since: Timestamp,
    rests_until: Timestamp,
}

impl Agents {
    /// The account has one more leg.
    pub(super) fn begins(&mut self, i_account: i64) {
        self.by_account.entry(i_account).or_default().legs += 1;
    }

    /// One leg of the account has ended; true when it was the last.
    pub(super) fn ends(&mut self, i_account: i64, now: Timestamp) -> bool {
        let agent = self.by_account.entry(i_account).or_default();
        agent.legs = agent.legs.saturating_sub(1);
        agent.idle_since = now;
        agent.legs == 0
    }

    /// The account has not taken a call that was offered.
    pub(super) fn rests(&mut self, i_account: i64, until: Timestamp) {
        self.by_account.entry(i_account).or_default().rests_until = until;
    }

    pub(super) fn is_busy(&self, i_account: i64) -> bool {
        self.by_account.get(&i_account).is_some_and(|agent| agent.legs > 0)
    }

    #[cfg(test)]
    pub(super) fn are_all_free(&self) -> bool {
        self.by_account.values().all(|agent| agent.legs == 0)
    }

    /// Those who can take a call: longest idle first, at equal idle in directory order.
    pub(super) fn free<'a>(&self, agents: &'a [Account], now: Timestamp) -> Vec<&'a Account> {
        let idle = |account: &Account| match self.by_account.get(&account.i_account) {
            None => Some(Timestamp::default()),
            Some(agent) => {
                (agent.legs == 0 && agent.rests_until <= now).then_some(agent.idle_since)
            }
        };
        let mut free: Vec<_> = agents
            .iter()
            .filter_map(|account| idle(account).map(|since| (since, account)))
            .collect();
        // Stable: who is idle as long stays in order.
        free.sort_by_key(|(since, _)| *since);
        free.into_iter().map(|(_, account)| account).collect()
    }
}

/// The figures of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The queue.
    pub i_c_queue: i64,
    /// Its name.
    pub name: String,
    /// Calls that wait.
    pub waiting: usize,
    /// Seconds that the first of them has waited.
    pub longest_wait_seconds: u64,
    /// Agents who take part.
    pub agents_in: usize,
    /// Those of them who have a call.
    pub agents_busy: usize,
    /// Calls answered today (UTC).
    pub answered: u64,
    /// Calls abandoned today.
    pub abandoned: u64,
    /// Per cent of the calls that were answered today, of all answered or abandoned, within
    /// [`SERVICE_TIME`]; 100 when there was none.
    pub service_level: u8,
}

/// A queue at work.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) group: Group,
    pub(super) settings: QueueSettings,
    /// In the order of their coming.
    pub(super) waiting: Vec<CallId>,
    /// True while the directory is asked who takes part.
    pub(super) is_looking: bool,
    /// What was told last, and when.
    pub(super) told: Option<(Timestamp, Figures)>,
    today: i64,
    answered: u64,
    abandoned: u64,
    in_time: u64,
}

impl Queue {
    pub(super) fn new(group: Group, settings: QueueSettings) -> Self {
        Self {
            group,
            settings,
            waiting: Vec::new(),
            is_looking: false,
            told: None,
            today: 0,
            answered: 0,
            abandoned: 0,
            in_time: 0,
        }
    }

    /// Counts a call that leaves.
    pub(super) fn count(&mut self, reason: Leave, waited: Duration, now: Timestamp) {
        self.turn_page(now);
        match reason {
            Leave::Answered => {
                self.answered += 1;
                self.in_time += u64::from(waited <= SERVICE_TIME);
            }
            Leave::Abandoned => self.abandoned += 1,
            Leave::Timeout | Leave::Overflow | Leave::NoAgents | Leave::Redirected => {}
        }
    }

    /// The figures now; `first` is when the first waiting call came.
    pub(super) fn figures(
        &mut self,
        agents: &Agents,
        first: Option<Timestamp>,
        now: Timestamp,
    ) -> Figures {
        self.turn_page(now);
        let is_busy = |account: &&Account| agents.is_busy(account.i_account);
        let ended = self.answered + self.abandoned;
        let level = (self.in_time * 100).checked_div(ended).unwrap_or(100);
        Figures {
            i_c_queue: self.settings.i_c_queue,
            name: self.settings.name.clone(),
            waiting: self.waiting.len(),
            longest_wait_seconds: first.map_or(0, |since| now.since(since).as_secs()),
            agents_in: self.group.agents.len(),
            agents_busy: self.group.agents.iter().filter(is_busy).count(),
            answered: self.answered,
            abandoned: self.abandoned,
            service_level: u8::try_from(level).unwrap_or(100),
        }
    }

    fn turn_page(&mut self, now: Timestamp) {
        const DAY_US: i64 = 86_400_000_000;
        let day = now.as_micros().div_euclid(DAY_US);
        if day != self.today {
            (self.today, self.answered, self.abandoned, self.in_time) = (day, 0, 0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(i_account: i64) -> Account {
        Account {
            i_account,
            account_id: i_account.to_string(),
            name: String::new(),
            i_customer: 1,
            i_reseller: 0,
            decision: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn ids(agents: Vec<&Account>) -> Vec<i64> {
        agents.into_iter().map(|agent| agent.i_account).collect()
    }

    #[test]
    fn who_is_idle_longest_is_first_and_at_equal_idle_the_directory_decides() {
        let everybody = [account(3), account(1), account(2)];
        let mut agents = Agents::default();
        assert_eq!(ids(agents.free(&everybody, at(0))), [3, 1, 2]);

        agents.begins(3);
        assert_eq!(ids(agents.free(&everybody, at(1))), [1, 2]);
        assert!(agents.ends(3, at(2)));
        assert_eq!(ids(agents.free(&everybody, at(2))), [1, 2, 3]);

        agents.rests(1, at(9));
        assert_eq!(ids(agents.free(&everybody, at(8))), [2, 3]);
        assert_eq!(ids(agents.free(&everybody, at(9))), [1, 2, 3]);
    }

    #[test]
    fn an_agent_with_two_calls_is_free_after_the_second() {
        let mut agents = Agents::default();
        agents.begins(1);
        agents.begins(1);
        assert!(!agents.ends(1, at(1)));
        assert!(agents.is_busy(1));
        assert!(agents.ends(1, at(2)));
        assert!(!agents.is_busy(1));
    }

    #[test]
    fn figures_count_the_day_and_begin_anew_at_midnight() {
        let settings = QueueSettings {
            i_c_queue: 1,
            name: "Support".to_owned(),
            rings_all: false,
            agent_timeout: AGENT_TIMEOUT,
            max_waiting: None,
            max_wait: None,
            overflow: None,
        };
        let mut queue = Queue::new(Group::default(), settings);
        queue.count(Leave::Answered, SERVICE_TIME, at(10));
        queue.count(Leave::Answered, SERVICE_TIME + Duration::from_secs(1), at(11));
        queue.count(Leave::Abandoned, Duration::ZERO, at(12));
        queue.count(Leave::Overflow, Duration::ZERO, at(13));

        let figures = queue.figures(&Agents::default(), None, at(86_399));
        assert_eq!((figures.answered, figures.abandoned, figures.service_level), (2, 1, 33));

        let figures = queue.figures(&Agents::default(), None, at(86_400));
        assert_eq!((figures.answered, figures.abandoned, figures.service_level), (0, 0, 100));
    }
}
