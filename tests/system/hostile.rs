//! Input that no well-meaning client sends gets the documented answer, and disturbs nobody else.

mod frames;
mod handshakes;
mod tokens;

use system_tests::{Client, Up};

/// Somebody who works all the while.
struct Bystander {
    client: Client,
}

impl Bystander {
    async fn of(up: &Up) -> Self {
        up.sim.at_once("102").await;
        Self { client: Client::subscribed(up.public, "easymobile").await }
    }

    /// Makes a call and has every event of it.
    async fn is_served(&mut self, up: &Up) {
        up.sim.dial("101", "102").await;
        self.client
            .call_states_until(|states| {
                states.iter().filter(|info| info["state"] == "connected").count() == 2
            })
            .await;
        up.sim.hand("101", "hangup").await;
        self.client.until_over(2).await;
    }
}
