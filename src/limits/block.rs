//! The part of an address that one client cannot change at will.
//!
//! An IPv6 customer owns a whole /64 and can call from 2⁶⁴ addresses; counting single ones
//! would count nothing. An IPv4 address inside IPv6 is the IPv4 address.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// An IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block(IpAddr);

impl From<IpAddr> for Block {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        Block::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn one_customer_is_one_block() {
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
        assert_ne!(block("192.0.2.1"), block("192.0.2.2"));
        assert_eq!(block("::ffff:192.0.2.1"), block("192.0.2.1"));
        assert_eq!(block("2001:db8:1:2::9").to_string(), "2001:db8:1:2::/64");
    }
}
