//! Which version of a DID or of a storage entry is asked for.

use std::str::FromStr;

use did_prism::digest::{InvalidDigest, OperationHash};
use did_prism::ledger::{BlockTime, InvalidBlockTime};
use did_prism::resolution::Version;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which version is asked for, by at most one of these.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// The version right after the operation with this hash, 64 lowercase hexadecimal digits.
    pub version_id: Option<String>,
    /// The version at this time: after every operation whose block time, floored to the second, is not later. RFC 3339.
    #[param(example = "2023-01-01T00:00:00Z")]
    pub version_time: Option<String>,
}

/// A query that asks for no version there could be.
#[derive(Debug, thiserror::Error)]
pub enum InvalidVersion {
    /// Not a hash.
    #[error("versionId: {0}")]
    Id(#[source] InvalidDigest),
    /// Not a time.
    #[error("versionTime: {0}")]
    Time(#[source] InvalidBlockTime),
    /// Two versions.
    #[error("versionId and versionTime exclude each other")]
    Both,
}

impl VersionQuery {
    /// The version; the latest one if none is named.
    pub fn version(&self) -> Result<Version, InvalidVersion> {
        match (&self.version_id, &self.version_time) {
            (None, None) => Ok(Version::Latest),
            (Some(id), None) => OperationHash::from_str(id).map(Version::Id).map_err(InvalidVersion::Id),
            (None, Some(time)) => BlockTime::from_str(time)
                .map(Version::Time)
                .map_err(InvalidVersion::Time),
            (Some(_), Some(_)) => Err(InvalidVersion::Both),
        }
    }
}
