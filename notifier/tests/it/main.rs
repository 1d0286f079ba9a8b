//! The service as an edge sees it: the real `serve` over the memory network,
//! through the generated client, on the ledger in memory.

// `cfg(test)` says to clippy that helpers are test code too.
#[cfg(test)]
mod joining;
#[cfg(test)]
mod live;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod support;
#[cfg(test)]
mod webhooks;
