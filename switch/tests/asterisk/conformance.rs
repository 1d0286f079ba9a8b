//! What every driver has to bring about: the scenarios of the API, each on the simulator and on a real
//! Asterisk with phones that speak SIP, with the same commands, the same states, and the same
//! answer to who hears whom.

mod calls;
mod conferences;
mod dialogues;
mod restart;
mod stage;

/// Makes two tests of each scenario.
#[macro_export]
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod on_the_simulator {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(&$crate::conformance::stage::Stage::sim().await).await;
                }
            )*
        }

        mod on_asterisk {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::needs_asterisk!();
                    let stage = $crate::conformance::stage::Stage::asterisk().await;
                    super::$name(&stage).await;
                    stage.until_empty().await;
                }
            )*
        }
    };
}
