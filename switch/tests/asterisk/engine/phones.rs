//! Phones that register, and what is told of it.

use switch::driver::{Driver as _, Event};

use super::harness::{ALICE, BOB, Harness};
use crate::needs_asterisk;

#[tokio::test]
async fn a_phone_is_available_from_when_it_registers_until_it_no_longer_is() {
    needs_asterisk!();
    let harness = Harness::start().await;
    let phone = harness.phones.another("109", 1500.0).await;
    phone.set_server(harness.pbx.sip_port);

    harness.until_phone("109", &["unregistered"]).await;
    phone.register(true).await;
    harness.until_phone("109", &["unregistered", "available"]).await;
    phone.register(false).await;
    harness.until_phone("109", &["unregistered", "available", "unregistered"]).await;
    // Phones that are there were never away.
    let call = harness.originate("101", "102").await;
    harness.until(&call, BOB, &["trying", "ringing", "connected"]).await;
    harness.phones.bob.hang_up().await;
    harness.until_last(&call, ALICE, "terminated 487 BYE Received").await;
    harness.until_phone("101", &["ringing", "busy", "available"]).await;
}

#[tokio::test]
async fn who_registered_while_nobody_listened_is_told_at_the_next_connection() {
    needs_asterisk!();
    let (mut fixture, cable) = crate::failures::on_a_cable().await;
    if fixture.pbx.is_old().await {
        return;
    }
    let told = |is_registered| Event::Registered { account_id: "109".to_owned(), is_registered };
    assert_eq!(fixture.next_of_phones().await, told(false));
    assert_eq!(fixture.driver.unregistered().await.unwrap(), ["109"]);
    let phone = fixture.phones.another("109", 1500.0).await;
    phone.set_server(fixture.pbx.sip_port);

    crate::failures::cut(&fixture, &cable).await;
    phone.register(true).await;
    phone.sees("200 REGISTER", 1).await;
    cable.is_plugged.send_replace(true);
    fixture.until_connected(true).await;

    assert_eq!(fixture.next_of_phones().await, told(true));
    assert!(fixture.driver.unregistered().await.unwrap().is_empty());
}
