//! Requests under way and open streams, per tenant.
//!
//! A tenant that fills its places slows itself down and nobody else (I11). A tenant without
//! anything under way has no entry.

use std::{sync::Arc, time::Duration};

use super::shards::Shards;
use crate::{
    config,
    domain::{
        Error, Kind, Result,
        limits::{AtOnce, Limit, Reached},
        tenant::TenantId,
    },
};

/// When to come back: a place is free as soon as one request ends, so soon.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Counts = Arc<Shards<TenantId, [usize; 2]>>;

/// Counts of what every tenant has under way.
#[derive(Debug)]
pub struct Places {
    counts: Counts,
    requests: usize,
    streams: usize,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Request = 0,
    Stream = 1,
}

/// A place taken; dropping it gives it back.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct Place {
    counts: Counts,
    tenant: TenantId,
    what: What,
}

impl Places {
    /// Counters for these settings.
    #[must_use]
    pub fn new(settings: &config::limits::Limits) -> Self {
        Self {
            counts: Arc::default(),
            requests: settings.concurrency_per_tenant,
            streams: settings.streams_per_tenant,
        }
    }

    /// A place for one request.
    ///
    /// # Errors
    /// `LimitReached` when the tenant has as many under way as it may.
    pub fn request(&self, tenant: &TenantId) -> Result<Place> {
        self.take(tenant, What::Request)
    }

    /// A place for one open stream.
    ///
    /// # Errors
    /// `LimitReached` when the tenant has as many open as it may.
    pub fn stream(&self, tenant: &TenantId) -> Result<Place> {
        self.take(tenant, What::Stream)
    }

    /// Requests under way and streams open, of one tenant.
    #[must_use]
    pub fn taken(&self, tenant: &TenantId) -> (usize, usize) {
        self.counts.with(tenant, |counts| counts.get(tenant).map_or((0, 0), |c| (c[0], c[1])))
    }

    /// Tenants that have anything under way.
    #[must_use]
    pub fn busy_tenants(&self) -> usize {
        self.counts.len()
    }

    fn take(&self, tenant: &TenantId, what: What) -> Result<Place> {
        let most = match what {
            What::Request => self.requests,
            What::Stream => self.streams,
        };
        let taken = self.counts.with(tenant, |counts| {
            let Some(count) = counts.get_mut(tenant) else {
                if most > 0 {
                    let mut count = [0; 2];
                    count[what as usize] = 1;
                    counts.insert(tenant.clone(), count);
                }
                return most > 0;
            };
            let count = &mut count[what as usize];
            let free = *count < most;
            *count += usize::from(free);
            free
        });
        if taken {
            return Ok(Place { counts: self.counts.clone(), tenant: tenant.clone(), what });
        }
        let (class, what) = match what {
            What::Request => (AtOnce::Requests, "requests under way"),
            What::Stream => (AtOnce::Streams, "open streams"),
        };
        let reached = Reached { limit: Limit::Places(class, most), retry_after: RETRY_AFTER };
        Err(Error::new(
            Kind::LimitReached(reached),
            format!("too many {what} for this tenant (limit {most}); retry in 1 s"),
        ))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.with(&self.tenant, |counts| {
            if let Some(count) = counts.get_mut(&self.tenant) {
                count[self.what as usize] = count[self.what as usize].saturating_sub(1);
                if *count == [0; 2] {
                    counts.remove(&self.tenant);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::OsEntropy;

    fn places(requests: usize, streams: usize) -> Places {
        Places::new(&config::limits::Limits {
            concurrency_per_tenant: requests,
            streams_per_tenant: streams,
            ..config::limits::Limits::default()
        })
    }

    #[test]
    fn i11_a_full_tenant_is_refused_and_another_is_not() {
        let places = places(2, 1);
        let [acme, globex] = [(); 2].map(|()| TenantId::random(&OsEntropy));
        let held = [places.request(&acme).unwrap(), places.request(&acme).unwrap()];
        let error = places.request(&acme).unwrap_err();
        let limit = Limit::Places(AtOnce::Requests, 2);
        let reached = Reached { limit, retry_after: RETRY_AFTER };
        assert_eq!(error.kind(), Kind::LimitReached(reached));
        // Streams are counted apart, other tenants not at all.
        let stream = places.stream(&acme).unwrap();
        assert!(places.stream(&acme).is_err());
        let other = places.request(&globex).unwrap();
        assert_eq!(places.taken(&acme), (2, 1));
        drop(held);
        assert!(places.request(&acme).is_ok());
        drop((stream, other));
        assert_eq!(places.busy_tenants(), 0);
    }

    #[test]
    fn no_places_means_none() {
        let places = places(0, 0);
        let tenant = TenantId::random(&OsEntropy);
        assert!(places.request(&tenant).is_err());
        assert!(places.stream(&tenant).is_err());
        assert_eq!(places.busy_tenants(), 0);
    }

    #[test]
    fn the_cap_holds_under_threads() {
        let places = places(3, 3);
        let tenant = TenantId::random(&OsEntropy);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let place = places.request(&tenant);
                        assert!(places.taken(&tenant).0 <= 3);
                        drop(place);
                    }
                });
            }
        });
        assert_eq!(places.busy_tenants(), 0);
    }

    proptest! {
        #[test]
        fn counts_follow_what_is_held(steps in prop::collection::vec((0_usize..3, any::<bool>(), any::<bool>()), 1..200)) {
            let places = places(4, 2);
            let tenants = [(); 3].map(|()| TenantId::random(&OsEntropy));
            let mut held: [[Vec<Place>; 2]; 3] = Default::default();
            for (tenant, stream, take) in steps {
                let mine = &mut held[tenant][usize::from(stream)];
                if take {
                    let most = if stream { 2 } else { 4 };
                    let got = if stream { places.stream(&tenants[tenant]) } else { places.request(&tenants[tenant]) };
                    prop_assert_eq!(got.is_ok(), mine.len() < most);
                    mine.extend(got);
                } else {
                    mine.pop();
                }
                for (tenant, mine) in tenants.iter().zip(&held) {
                    prop_assert_eq!(places.taken(tenant), (mine[0].len(), mine[1].len()));
                }
                let busy = held.iter().filter(|h| h.iter().any(|v| !v.is_empty())).count();
                prop_assert_eq!(places.busy_tenants(), busy);
            }
        }
    }
}
