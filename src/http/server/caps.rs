//! How many connections there may be: overall, and from one address.
//!
//! The public listener waits when it is full, so the kernel's queue, not our memory, holds the
//! rest. The other listeners have a few places of their own: an operator and a probe get in
//! while the public is full. One address means one IPv4 address or one IPv6 /64, since that is
//! what one household is given; a trusted proxy stands for many callers and is not counted.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Surface;
use crate::{config::listen::Listen, limits::Block};

/// Places of each listener that is not the public one.
const RESERVED: usize = 64;

/// Counts of open connections.
#[derive(Debug)]
pub(super) struct Caps {
    public: Arc<Semaphore>,
    admin: Arc<Semaphore>,
    ops: Arc<Semaphore>,
    control: Arc<Semaphore>,
    places: usize,
    addresses: Arc<Mutex<HashMap<Block, usize>>>,
    per_address: usize,
    trusted: Vec<IpNet>,
    refused: AtomicU64,
}

/// A connection's places; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Place {
    _overall: OwnedSemaphorePermit,
    _address: Option<AddressPlace>,
}

#[derive(Debug)]
struct AddressPlace {
    address: Block,
    addresses: Arc<Mutex<HashMap<Block, usize>>>,
}

impl Caps {
    pub(super) fn new(settings: &Listen) -> Self {
        let reserved = || Arc::new(Semaphore::new(RESERVED));
        Self {
            public: Arc::new(Semaphore::new(settings.max_connections)),
            admin: reserved(),
            ops: reserved(),
            control: reserved(),
            places: settings.max_connections + 3 * RESERVED,
            addresses: Arc::default(),
            per_address: settings.max_connections_per_address,
            trusted: settings.trusted_proxies.clone(),
            refused: AtomicU64::new(0),
        }
    }

    /// Waits for a place overall.
    pub(super) async fn wait(&self, surface: Surface) -> Option<OwnedSemaphorePermit> {
        let places = match surface {
            Surface::Public => &self.public,
            Surface::Admin => &self.admin,
            Surface::Ops => &self.ops,
            Surface::Control => &self.control,
        };
        Arc::clone(places).acquire_owned().await.ok()
    }

    /// The places of a connection from `address`, or `None` when that address has enough.
    pub(super) fn take(
        &self,
        overall: OwnedSemaphorePermit,
        address: Option<IpAddr>,
    ) -> Option<Place> {
        let counted = address.map(|a| a.to_canonical());
        let counted = counted.filter(|a| !self.trusted.iter().any(|net| net.contains(a)));
        let place = if let Some(address) = counted {
            let Some(place) = self.take_address(address.into()) else {
                self.log_refusal(address);
                return None;
            };
            Some(place)
        } else {
            None
        };
        Some(Place { _overall: overall, _address: place })
    }

    fn take_address(&self, address: Block) -> Option<AddressPlace> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let open = addresses.entry(address).or_insert(0);
        if *open >= self.per_address {
            return None;
        }
        *open += 1;
        Some(AddressPlace { address, addresses: Arc::clone(&self.addresses) })
    }

    /// One line for the first, the second, the fourth, …: a flood must not flood the log.
    fn log_refusal(&self, address: IpAddr) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            tracing::warn!(
                %address,
                refused,
                limit = self.per_address,
                "closed a connection: too many from one address"
            );
        }
    }

    /// Connections open now.
    pub(super) fn open(&self) -> usize {
        let free: usize = [&self.public, &self.admin, &self.ops, &self.control]
            .iter()
            .map(|places| places.available_permits())
            .sum();
        self.places.saturating_sub(free)
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut open) = addresses.entry(self.address) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(per_address: usize, trusted: &str) -> Caps {
        Caps::new(&Listen {
            max_connections_per_address: per_address,
            trusted_proxies: vec![trusted.parse().unwrap()],
            ..Listen::default()
        })
    }

    async fn take(caps: &Caps, address: &str) -> Option<Place> {
        let overall = caps.wait(Surface::Public).await.unwrap();
        caps.take(overall, Some(address.parse().unwrap()))
    }

    #[tokio::test]
    async fn one_address_has_so_many_and_gets_them_back() {
        let caps = caps(2, "10.0.0.0/8");
        let first = take(&caps, "1.1.1.1").await;
        let second = take(&caps, "::ffff:1.1.1.1").await;
        assert!(first.is_some() && second.is_some());
        assert!(take(&caps, "1.1.1.1").await.is_none());
        assert!(take(&caps, "1.1.1.2").await.is_some(), "somebody else is not touched");
        drop(first);
        assert!(take(&caps, "1.1.1.1").await.is_some());
        drop(second);
        assert_eq!(caps.open(), 0);
        assert!(caps.addresses.lock().unwrap().is_empty(), "nothing is remembered");
    }

    #[tokio::test]
    async fn one_ipv6_network_is_one_address_and_a_proxy_is_not_counted() {
        let caps = caps(1, "10.0.0.0/8");
        let _held = take(&caps, "2001:db8::1").await;
        assert!(take(&caps, "2001:db8::ffff:1").await.is_none());
        assert!(take(&caps, "2001:db8:0:1::1").await.is_some());
        let proxy = (take(&caps, "10.0.0.1").await, take(&caps, "10.0.0.1").await);
        assert!(proxy.0.is_some() && proxy.1.is_some());
    }
}
