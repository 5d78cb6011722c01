//! What has to be known of a network before the first block is read: its magic, where reading starts, and when its slots are.

use did_prism::ledger::{BlockTime, OutOfRange, SlotNo};
use node_storage_contract::Network;

use crate::Point;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Length of a slot of the Byron era.
const BYRON_SLOT_SECONDS: i64 = 20;
/// Slots of an epoch of the Byron era: ten times the security parameter, 2160 on every network that began in that era.
const BYRON_EPOCH_SLOTS: u64 = 21_600;

/// When the slots of a network are: slots of 20 s in the Byron era, of 1 s since.
///
/// The instants of a slot follow from the two genesis files and the slot of the hard fork to Shelley; the [operations book of
/// the Cardano networks](https://book.world.dev.cardano.org/environments.html) publishes the genesis files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotTimes {
    /// The first slot of one second.
    shelley_slot: u64,
    /// When it begins, in microseconds since 1970-01-01T00:00:00Z.
    shelley_start: i64,
}

impl SlotTimes {
    /// The main network: Shelley began in slot 4492800 ([CIP-59's table of
    /// eras](https://github.com/cardano-foundation/CIPs/blob/master/CIP-0059/feature-table.md)) at 2020-07-29T21:44:51Z, 208
    /// epochs of 21600 slots of 20 s after the Byron genesis (`startTime` 1506203091).
    pub const MAINNET: Self = Self::new(4_492_800, 1_596_059_091 * MICROS_PER_SECOND);
    /// The pre-production network: Shelley began in slot 86400, 4 epochs of 21600 slots of 20 s after the `systemStart`
    /// 2022-06-01T00:00:00Z of its genesis.
    pub const PREPROD: Self = Self::new(
        86_400,
        (1_654_041_600 + 86_400 * BYRON_SLOT_SECONDS) * MICROS_PER_SECOND,
    );
    /// The preview network: without a Byron era, from the `systemStart` 2022-10-25T00:00:00Z of its genesis on.
    pub const PREVIEW: Self = Self::new(0, 1_666_656_000 * MICROS_PER_SECOND);

    const fn new(shelley_slot: u64, shelley_start: i64) -> Self {
        Self {
            shelley_slot,
            shelley_start,
        }
    }

    /// A network without a Byron era, whose slot 0 begins at this time.
    pub const fn since(system_start: BlockTime) -> Self {
        Self::new(0, system_start.unix_micros())
    }

    /// When a slot begins.
    ///
    /// # Errors
    /// A slot that begins after the year 9999.
    pub fn time_of(self, slot: SlotNo) -> Result<BlockTime, OutOfRange> {
        let slots = i64::from(slot).saturating_sub_unsigned(self.shelley_slot);
        let seconds = if slots < 0 {
            slots.saturating_mul(BYRON_SLOT_SECONDS)
        } else {
            slots
        };
        // A saturated number is out of the range of times.
        BlockTime::from_unix_micros(
            seconds
                .saturating_mul(MICROS_PER_SECOND)
                .saturating_add(self.shelley_start),
        )
    }
}

/// The number of a slot of the Byron era; `None` where it is none that can be.
pub(crate) fn byron_slot(epoch: u64, slot: u64) -> Option<u64> {
    epoch.checked_mul(BYRON_EPOCH_SLOTS)?.checked_add(slot)
}

/// What a network is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genesis {
    /// The network magic, which both sides of a connection have to agree on.
    pub magic: u32,
    /// When its slots are.
    pub times: SlotTimes,
    /// The block after which reading starts; `None` for the origin.
    pub start: Option<Point>,
}

impl Genesis {
    /// What is published of a network; `None` for a custom one.
    ///
    /// The magics are those of the genesis files. Reading starts at a block before the first operation of the method, as other
    /// nodes of the method do (protocol.md#confirmations).
    pub fn of(network: Network) -> Option<Self> {
        match network {
            Network::Mainnet => Some(Self {
                magic: 764_824_073,
                times: SlotTimes::MAINNET,
                start: point(
                    71_482_583,
                    "4df807a0246569860bbfe70642b9931a5dffbab7f56319a32bbef378dfddaf30",
                ),
            }),
            Network::Preprod => Some(Self {
                magic: 1,
                times: SlotTimes::PREPROD,
                start: point(
                    10_718_513,
                    "de0b6bbb233c646ab6bfc98932349f8ca43003ef32b0941b5dca71e40f6d8c3c",
                ),
            }),
            Network::Preview => Some(Self {
                magic: 2,
                times: SlotTimes::PREVIEW,
                start: None,
            }),
            Network::Custom => None,
        }
    }
}

fn point(slot: u64, hash: &str) -> Option<Point> {
    Some(Point {
        slot: SlotNo::try_from(slot).ok()?,
        hash: hash.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use pallas_traverse::wellknown::GenesisValues;

    use super::*;

    fn slot(number: u64) -> SlotNo {
        number.try_into().unwrap()
    }

    #[test]
    fn times_are_those_that_pallas_knows() {
        for (times, genesis) in [
            (SlotTimes::MAINNET, GenesisValues::mainnet()),
            (SlotTimes::PREPROD, GenesisValues::preprod()),
            (SlotTimes::PREVIEW, GenesisValues::preview()),
        ] {
            for number in [0, 1, 86_399, 86_400, 4_492_799, 4_492_800, 71_482_583, 200_000_000] {
                let seconds = times.time_of(slot(number)).unwrap().unix_micros() / MICROS_PER_SECOND;
                assert_eq!(
                    u64::try_from(seconds).unwrap(),
                    genesis.slot_to_wallclock(number),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn magics_are_those_that_pallas_knows() {
        for (network, magic) in [
            (Network::Mainnet, GenesisValues::mainnet().magic),
            (Network::Preprod, GenesisValues::preprod().magic),
            (Network::Preview, GenesisValues::preview().magic),
        ] {
            assert_eq!(
                Genesis::of(network).map(|genesis| u64::from(genesis.magic)),
                Some(magic)
            );
        }
        assert_eq!(Genesis::of(Network::Custom), None);
    }

    #[test]
    fn starting_points_are_those_of_the_method() {
        let start = |network| Genesis::of(network).unwrap().start.map(|point| point.to_string());
        assert_eq!(
            start(Network::Mainnet).as_deref(),
            Some("71482583.4df807a0246569860bbfe70642b9931a5dffbab7f56319a32bbef378dfddaf30")
        );
        assert_eq!(
            start(Network::Preprod).as_deref(),
            Some("10718513.de0b6bbb233c646ab6bfc98932349f8ca43003ef32b0941b5dca71e40f6d8c3c")
        );
        assert_eq!(start(Network::Preview), None);
    }

    #[test]
    fn a_slot_beyond_the_calendar_is_refused() {
        assert!(SlotTimes::PREVIEW.time_of(SlotNo::MAX).is_err());
        assert!(SlotTimes::since(BlockTime::MAX).time_of(slot(1)).is_err());
        assert_eq!(SlotTimes::since(BlockTime::MIN).time_of(slot(0)), Ok(BlockTime::MIN));
    }

    #[test]
    fn a_fraction_of_the_system_start_stays() {
        let start = BlockTime::from_unix_micros(1_700_000_000_250_000).unwrap();
        let second = SlotTimes::since(start).time_of(slot(2)).unwrap();
        assert_eq!(second.unix_micros(), 1_700_000_002_250_000);
    }
}
