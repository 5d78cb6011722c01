//! The Cardano network that a store belongs to.

use std::fmt;
use std::str::FromStr;

/// A Cardano network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// The production network.
    Mainnet,
    /// The pre-production test network.
    Preprod,
    /// The preview test network.
    Preview,
    /// A private or in-memory ledger.
    Custom,
}

impl Network {
    /// Every network, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Mainnet, Self::Preprod, Self::Preview, Self::Custom];

    /// The name as flags, files and databases write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet",
            Self::Preprod => "preprod",
            Self::Preview => "preview",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no network's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown network {0:?}; the networks are mainnet, preprod, preview and custom")]
pub struct UnknownNetwork(pub String);

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(name: &str) -> Result<Self, UnknownNetwork> {
        Self::ALL
            .into_iter()
            .find(|network| network.name() == name)
            .ok_or_else(|| UnknownNetwork(name.to_owned()))
    }
}
