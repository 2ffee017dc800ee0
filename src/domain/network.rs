//! From where a key may be used: a list of networks.

use std::{fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Error, Result};

/// The most networks of one key.
const MAX_NETWORKS: usize = 32;

/// A network, or one address, written as it is meant: `10.1.0.0/16`, not `10.1.2.3/16`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
    ///
    /// # Errors
    /// Everything else; an address with a length that covers more than itself names the network
    /// that would be meant.
    pub fn parse(text: &str) -> Result<Self> {
        let found = text.parse::<IpNet>().ok();
        let found = found.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        let Some(network) = found else {
            return Err(Error::bad_input(
                "not a network; write an address like `192.0.2.7`, or a network like `10.0.0.0/8`",
            ));
        };
        if network.trunc() != network {
            let meant = network.trunc();
            return Err(Error::bad_input(format!("not a network; did you mean `{meant}`?")));
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            return self.0.addr().fmt(f);
        }
        self.0.fmt(f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
        Self::parse(&text).map_err(|e| de::Error::custom(e.public()))
    }
}

/// Some networks, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<Network>", try_from = "Vec<Network>")]
pub struct Networks(Arc<[Network]>);

impl Networks {
    /// The list of these.
    ///
    /// # Errors
    /// None, or more than 32.
    pub fn of(networks: Vec<Network>) -> Result<Self> {
        match networks.len() {
            0 => Err(Error::bad_input("`from` is empty; name a network, or leave it out")),
            1..=MAX_NETWORKS => Ok(Self(networks.into())),
            _ => Err(Error::bad_input("a key is used from at most 32 networks")),
        }
    }

    /// Whether `address` is in one of them. SECURITY: an IPv4 address that arrives as IPv6
    /// (`::ffff:10.0.0.1`, on a listener for both) is the same address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The networks, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Network>> for Networks {
    type Error = String;

    fn try_from(networks: Vec<Network>) -> Result<Self, String> {
        Self::of(networks).map_err(|e| e.public().to_owned())
    }
}

impl From<Networks> for Vec<Network> {
    fn from(networks: Networks) -> Self {
        networks.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(json: &str) -> Result<Networks, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_address_is_in_its_networks_however_it_arrives() {
        let ours = networks(r#"["10.0.0.0/8", "192.0.2.7", "fd00::/8"]"#).unwrap();
        for inside in ["10.255.0.1", "::ffff:10.1.2.3", "192.0.2.7", "fd12::1"] {
            assert!(ours.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "fe80::1", "::1", "::10.1.2.3"] {
            assert!(!ours.contain(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn i3_what_is_no_network_is_refused_with_the_one_that_is_meant() {
        for bad in ["[]", r#"["10.0.0.0/33"]"#, r#"["example.com"]"#, r#"[""]"#, r#"["*"]"#] {
            assert!(networks(bad).is_err(), "{bad}");
        }
        let said = Network::parse("10.1.2.3/8").unwrap_err();
        assert!(said.public().contains("did you mean `10.0.0.0/8`?"), "{said}");
        let many = vec![Network::parse("10.0.0.1").unwrap(); 33];
        assert!(Networks::of(many).is_err());
    }

    #[test]
    fn a_network_is_shown_as_it_was_written() {
        for text in ["10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1"] {
            assert_eq!(Network::parse(text).unwrap().to_string(), text);
        }
    }
}
