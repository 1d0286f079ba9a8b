//! The service as its clients see it: the real `serve`, through the generated clients.

// `cfg(test)` says to clippy that helpers are test code too.
#[cfg(test)]
mod applications;
#[cfg(test)]
mod charging;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod login;
#[cfg(test)]
mod password;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod scope;
