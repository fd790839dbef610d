//! What one client may hold: connections or requests under way, and bytes of bodies, counted by address.
//!
//! Must not refuse anything itself: it says whether there is room.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the requests of one client hold together. Every request carries it as an extension.
#[derive(Debug)]
pub struct Peer {
    body_bytes: AtomicUsize,
    body_bytes_max: usize,
}

/// Bytes of a body held for a peer; given back when dropped.
#[derive(Debug, Default)]
pub struct HeldBytes {
    peer: Option<Arc<Peer>>,
    bytes: usize,
}

impl HeldBytes {
    /// Nothing yet; without a peer there is no limit.
    pub fn nothing(peer: Option<Arc<Peer>>) -> Self {
        Self { peer, bytes: 0 }
    }

    /// Holds more; false when the peer holds all it may.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let Some(peer) = &self.peer else { return true };
        let before = peer.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before.saturating_add(bytes) <= peer.body_bytes_max
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        if let Some(peer) = &self.peer {
            peer.body_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// The addresses that hold something: connections, or requests that a proxy forwards.
#[derive(Debug)]
pub struct Peers {
    per_peer_max: usize,
    body_bytes_max: usize,
    known: Mutex<HashMap<IpAddr, (usize, Arc<Peer>)>>,
}

/// One connection or request of a peer, until dropped.
#[derive(Debug)]
pub struct Admitted {
    peers: Arc<Peers>,
    address: IpAddr,
    /// What all of the address share.
    pub peer: Arc<Peer>,
}

impl Peers {
    /// Nobody yet.
    pub fn new(per_peer_max: usize, body_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { per_peer_max, body_bytes_max, known: Mutex::default() })
    }

    /// Counts one in; `None` when the address has as many as it may.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let address = one_client(address);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, peer) = known.entry(address).or_insert_with(|| {
            let peer = Peer { body_bytes: AtomicUsize::new(0), body_bytes_max: self.body_bytes_max };
            (0, Arc::new(peer))
        });
        if *held >= self.per_peer_max {
            return None;
        }
        *held += 1;
        Some(Admitted { peers: Arc::clone(self), address, peer: Arc::clone(peer) })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut known = self.peers.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = known.entry(self.address) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

/// One household or host gets a whole /64 of IPv6: that counts as one address.
#[must_use]
pub fn one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_connections_and_no_more_until_one_ends() {
        let peers = Peers::new(2, 0);
        let first = peers.admit("2001:db8::1".parse().unwrap());
        let second = peers.admit("2001:db8::2".parse().unwrap());
        assert!(first.is_some() && second.is_some());
        assert!(peers.admit("2001:db8::3".parse().unwrap()).is_none());
        assert!(peers.admit("192.0.2.1".parse().unwrap()).is_some());
        drop(first);
        assert!(peers.admit("2001:db8::3".parse().unwrap()).is_some());
        drop(second);
        assert!(peers.known.lock().unwrap().is_empty());
    }

    #[test]
    fn bytes_are_counted_over_all_requests_and_given_back() {
        let peer = Arc::new(Peer { body_bytes: AtomicUsize::new(0), body_bytes_max: 10 });
        let mut first = HeldBytes::nothing(Some(Arc::clone(&peer)));
        let mut second = HeldBytes::nothing(Some(Arc::clone(&peer)));
        assert!(first.grow(6));
        assert!(!second.grow(6));
        drop(second);
        assert!(first.grow(4));
        drop(first);
        assert_eq!(peer.body_bytes.load(Ordering::Relaxed), 0);
    }
}
