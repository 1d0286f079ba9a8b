//! The edge as applications see it: the real `serve` over the memory network, a real WebSocket
//! client, and in place of the services behind it fakes that keep state.

// `cfg(test)` says to clippy that helpers are test code too.
#[cfg(test)]
mod checks;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod realms;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod session;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
