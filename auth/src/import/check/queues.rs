//! Queues, and what happens to calls about which nobody decides.

use toml::Spanned;

use super::Checker;
use crate::domain::party::{Decision, QueueRules};
use crate::import::file;

impl Checker<'_> {
    pub(super) fn rules(&mut self, key: &str, group: &file::HuntGroup) -> QueueRules {
        let default = QueueRules::default();
        let overflow = group.overflow.as_ref().map(|to| self.destination(key, "overflow", to));
        let (agent, waiting, wait) = (&group.agent_timeout, &group.max_waiting, &group.max_wait);
        let rules = QueueRules {
            ring_all: group.ring_all.unwrap_or(default.ring_all),
            agent_timeout: self
                .within(key, "agent_timeout", agent.as_ref(), 1..=300)
                .unwrap_or(default.agent_timeout),
            max_waiting: self.within(key, "max_waiting", waiting.as_ref(), 0..=10_000).unwrap_or(0),
            max_wait: self.within(key, "max_wait", wait.as_ref(), 0..=86_400).unwrap_or(0),
            overflow,
        };
        if group.queue.is_none() && rules != default {
            let place = self.place(key, "queue", None::<&Spanned<String>>);
            self.wrong(&place, "rules of a queue without a queue".to_owned(), "give its name");
        }
        rules
    }

    pub(super) fn decision(
        &mut self,
        key: &str,
        timeout: Option<&Spanned<i64>>,
        fallback: Option<&Spanned<String>>,
    ) -> Option<Decision> {
        match (timeout, fallback) {
            (None, None) => None,
            (Some(_), Some(fallback)) => {
                let timeout = self.within(key, "decision_timeout", timeout, 1..=300)?;
                Some(Decision {
                    timeout,
                    fallback: self.destination(key, "decision_fallback", fallback),
                })
            }
            (timeout, _) => {
                let missing =
                    if timeout.is_none() { "decision_timeout" } else { "decision_fallback" };
                let place = self.place(key, missing, None::<&Spanned<String>>);
                let what = "half of what is to happen when nobody decides".to_owned();
                self.wrong(
                    &place,
                    what,
                    "give `decision_timeout` and `decision_fallback`, or neither",
                );
                None
            }
        }
    }

    /// A number that may be dialled; it need not be of the directory.
    fn destination(&mut self, key: &str, field: &str, number: &Spanned<String>) -> String {
        let name = self.name(key, field, number);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*#+".contains(&byte);
        if !name.text.bytes().all(is_plain) {
            let what = format!("`{}` cannot be dialled", name.text);
            self.wrong(&name.place, what, "must be digits, `*` or `#`, or an account id");
        }
        name.text
    }

    /// A whole number in its bounds.
    fn within(
        &mut self,
        key: &str,
        field: &str,
        value: Option<&Spanned<i64>>,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = value?;
        if bounds.contains(value.as_ref()) {
            return Some(*value.as_ref());
        }
        let place = self.place(key, field, Some(value));
        let remedy = format!("must be {} to {}", bounds.start(), bounds.end());
        self.wrong(&place, format!("{} is out of bounds", value.as_ref()), &remedy);
        None
    }
}
