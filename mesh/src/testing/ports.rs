//! Ports that a test has to name before anybody listens on them.
//!
//! They lie below those that the kernel gives to outgoing connections and to who asks for any port
//! (Linux: 32768 and up), and a lock on a file keeps each for the test's process until it ends. So
//! nobody else takes one between its choice and its use, nor while what listens there starts anew.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

use parking_lot::Mutex;

/// Where ports are looked for.
const PORTS: Range<u16> = 10_000..30_000;

/// The locks of this process's ports.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A TCP port of 127.0.0.1.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_tcp() -> u16 {
    free(1, |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// An address of 127.0.0.1 for TCP.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_tcp()).into()
}

/// A UDP port of 127.0.0.1.
///
/// # Panics
/// When none is free.
#[must_use]
pub fn free_udp() -> u16 {
    free_udp_range(1)
}

/// The first, an even one, of `count` UDP ports of 127.0.0.1.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn free_udp_range(count: u16) -> u16 {
    free(count, |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn free(count: u16, is_free: impl Fn(u16) -> bool) -> u16 {
    let places = u64::from(PORTS.end - PORTS.start - count);
    // Tests that begin at the same time look elsewhere.
    let begin = RandomState::new().hash_one(count);
    for step in 0..places {
        let offset = begin.wrapping_add(step * u64::from(count.max(2))) % places;
        let first = PORTS.start + (u16::try_from(offset).unwrap_or_default() & !1);
        let wanted = first..first + count;
        let locks: Option<Vec<File>> = wanted.clone().map(lock).collect();
        if let Some(locks) = locks
            && wanted.clone().all(&is_free)
        {
            HELD.lock().extend(locks);
            return first;
        }
    }
    panic!("{count} ports in a row are not free");
}

/// Keeps a port for this process; `None` when it is another's, or this one's already.
fn lock(port: u16) -> Option<File> {
    let folder = std::env::temp_dir().join("cordboard-test-ports");
    std::fs::create_dir_all(&folder).ok()?;
    let file = folder.join(port.to_string());
    let file = OpenOptions::new().create(true).append(true).open(file).ok()?;
    file.try_lock().ok().map(|()| file)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nobody_gets_a_port_twice_and_each_can_be_listened_on() {
        let ports: Vec<u16> = (0..20).map(|_| free_tcp()).collect();

        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 20);
        for port in ports {
            assert!(PORTS.contains(&port), "{port}");
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_range_is_free_as_a_whole_and_begins_with_an_even_port() {
        let first = free_udp_range(10);

        assert_eq!(first % 2, 0);
        let within = first..first + 10;
        assert!(!(0..20).map(|_| free_udp()).any(|port| within.contains(&port)));
    }
}
