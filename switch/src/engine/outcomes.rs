//! Outcomes of commands that carry the caller's own `request_id`, so that a command that comes
//! again gets the first outcome, also when its call is long over, or joins the one under way.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::Outcome;

/// Outcomes kept by a node; the oldest go first.
const KEPT: usize = 100_000;

/// Outcomes of a node's commands.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Known>,
    /// Finished commands, oldest first.
    order: VecDeque<String>,
}

#[derive(Debug)]
enum Known {
    UnderWay(Vec<oneshot::Sender<Outcome>>),
    Finished(Outcome),
}

/// Whether a command has to be carried out.
#[derive(Debug)]
pub(super) enum Repeat {
    /// It is new.
    First,
    /// It is under way; the outcome will come, unless it is not carried out after all.
    UnderWay(oneshot::Receiver<Outcome>),
    /// It is done.
    Finished(Outcome),
}

impl Outcomes {
    /// Notes that a command is asked for.
    pub(super) fn begin(&self, command_id: &str) -> Repeat {
        let mut inner = self.0.lock();
        match inner.known.get_mut(command_id) {
            None => {
                inner.known.insert(command_id.to_owned(), Known::UnderWay(Vec::new()));
                Repeat::First
            }
            Some(Known::UnderWay(askers)) => {
                let (asker, answer) = oneshot::channel();
                askers.push(asker);
                Repeat::UnderWay(answer)
            }
            Some(Known::Finished(outcome)) => Repeat::Finished(outcome.clone()),
        }
    }

    /// Remembers an outcome and tells everybody who joined.
    pub(super) fn finish(&self, command_id: &str, outcome: &Outcome) {
        let mut inner = self.0.lock();
        let finished = Known::Finished(outcome.clone());
        let Some(Known::UnderWay(askers)) = inner.known.insert(command_id.to_owned(), finished)
        else {
            return;
        };
        inner.order.push_back(command_id.to_owned());
        if inner.order.len() > KEPT
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.known.remove(&oldest);
        }
        drop(inner);
        for asker in askers {
            // The asker may have gone.
            drop(asker.send(outcome.clone()));
        }
    }

    /// Forgets a command that was not carried out: it may come again.
    pub(super) fn forget(&self, command_id: &str) {
        self.0.lock().known.remove(command_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Done;

    #[tokio::test]
    async fn a_repeated_command_joins_the_first_and_later_gets_its_outcome() {
        let outcomes = Outcomes::default();
        assert!(matches!(outcomes.begin("c1"), Repeat::First));
        let Repeat::UnderWay(joined) = outcomes.begin("c1") else { panic!("not joined") };

        outcomes.finish("c1", &Ok(Done::default()));

        assert_eq!(joined.await.unwrap(), Ok(Done::default()));
        assert!(matches!(outcomes.begin("c1"), Repeat::Finished(Ok(_))));
    }

    #[tokio::test]
    async fn a_command_that_was_not_carried_out_may_come_again() {
        let outcomes = Outcomes::default();
        assert!(matches!(outcomes.begin("c1"), Repeat::First));
        let Repeat::UnderWay(joined) = outcomes.begin("c1") else { panic!("not joined") };

        outcomes.forget("c1");

        assert!(joined.await.is_err());
        assert!(matches!(outcomes.begin("c1"), Repeat::First));
    }
}
