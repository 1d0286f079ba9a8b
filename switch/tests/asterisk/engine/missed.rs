//! What happens while Asterisk is not heard.

use std::collections::BTreeMap;

use super::harness::{ALICE, BOB, Harness};
use crate::failures::Cable;
use crate::fixture::Phones;
use crate::needs_asterisk;

#[tokio::test]
async fn a_party_that_hung_up_unheard_is_told_of_once_and_the_event_says_that_it_was_missed() {
    needs_asterisk!();
    let phones = Phones::start().await;
    let pbx = phones.pbx().await;
    let cable = Cable::to(pbx.http_port, &phones).await;
    let url = cable.url();
    let harness = Harness::with(phones, pbx, &url).await;
    if harness.pbx.is_old().await {
        return;
    }
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;

    cable.is_plugged.send_replace(false);
    harness.pbx.until_no_application().await;
    harness.phones.bob.hang_up().await;
    harness.phones.bob.sees("200 BYE", 1).await;
    cable.is_plugged.send_replace(true);
    harness.until_last(&call, ALICE, "terminated 487 BYE Received").await;
    harness.phones.alice.sees("BYE", 1).await;
    harness.until_empty().await;

    harness
        .until(&call, BOB, &["trying", "ringing", "connected", "terminated 487 BYE Received"])
        .await;
    let corrective = harness.corrective(&call).await;
    let expected = BTreeMap::from([("connected", false), ("terminated", true)]);
    for (state, is_corrective) in expected {
        assert!(
            corrective.iter().filter(|(of, _)| of == state).all(|(_, is)| *is == is_corrective),
            "{corrective:?}"
        );
    }
}
