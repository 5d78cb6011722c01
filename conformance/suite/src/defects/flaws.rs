//! Stores that are wrong in ways worked out from tables: every kind of mistake in every method, field and size that it can be
//! made in.
//!
//! No case was made for one of these. They show how much the tables that the cases walk find of what nobody has thought of.

mod blind;
mod read;
mod store;
mod write;

use std::fmt;
use std::sync::Arc;

use node_storage_contract::{Access, Network, Result, StorageError};

pub use store::FlawedStore;

use crate::StoreFactory;
use crate::lens::read::Read;
use crate::model::Model;
use blind::{CursorPart, EntryPart, Origin, Part};
use store::Shared;

/// One mistake in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    #[doc(hidden)]
    Stale(&'static str, Scope),
    #[doc(hidden)]
    Torn(&'static str),
    #[doc(hidden)]
    Narrow(&'static str),
    #[doc(hidden)]
    Shown(Method, Between),
    #[doc(hidden)]
    Left(Method, Between),
    #[doc(hidden)]
    Late(Method, Scope),
    #[doc(hidden)]
    Lost(Method),
    #[doc(hidden)]
    Race(Method),
    #[doc(hidden)]
    JudgedEarly(Method),
    #[doc(hidden)]
    DoesNotWait(Method),
    #[doc(hidden)]
    Keeps(Kept),
    #[doc(hidden)]
    LosesLastOf(Method, usize),
    #[doc(hidden)]
    CutsList(&'static str, usize),
    #[doc(hidden)]
    CutsValues(usize),
    #[doc(hidden)]
    InBatches(&'static str, usize),
    #[doc(hidden)]
    InParts(Method, usize),
    #[doc(hidden)]
    ChecksFirstIds(usize),
    #[doc(hidden)]
    Replays(Method),
    #[doc(hidden)]
    Reserves(Method, Reserved),
    #[doc(hidden)]
    WaitsConnected(Method),
    #[doc(hidden)]
    LeavesSnapshot(&'static str),
    #[doc(hidden)]
    WatermarkLater,
    #[doc(hidden)]
    GivesUp(Method),
    #[doc(hidden)]
    StateInTwoLooks,
    #[doc(hidden)]
    FlushesLoads(usize),
    #[doc(hidden)]
    LoadForgetsIds(usize),
    #[doc(hidden)]
    LoadOfNothingStays,
    #[doc(hidden)]
    LowersCursor,
    #[doc(hidden)]
    NamesInTurn,
    #[doc(hidden)]
    BlindTo(Part, Origin),
    #[doc(hidden)]
    BlindToExpected(Method, CursorPart),
    #[doc(hidden)]
    BlindToBound(CursorPart),
    #[doc(hidden)]
    BlindToEntry(EntryPart),
}

/// A method that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    #[doc(hidden)]
    Append,
    #[doc(hidden)]
    Load,
    #[doc(hidden)]
    Index,
    #[doc(hidden)]
    AdvanceCursor,
}

/// Who shares what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One clone.
    Handle,
    /// One opening and its clones.
    Opening,
    /// As an opening, and only what was not found is remembered.
    NotFound,
    /// As an opening, and a write makes it void when it comes, not once it has committed.
    VoidEarly,
}

/// What is kept of a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// Where its transactions stood.
    Ids,
    /// The hashes of its blocks.
    Hashes,
}

/// A state that is neither the one before a write nor the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// The cursor has moved, and nothing else.
    CursorAlone,
    /// All but the cursor is there.
    WithoutCursor,
    /// The first half of what was added is there.
    Half,
}

/// Which calls keep a connection for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Reads of this method whose future is dropped.
    DroppedRead(&'static str),
    /// The same where they answer more rows than this.
    DroppedLongRead(&'static str, usize),
    /// Writes of this method whose future is dropped.
    DroppedWrite(Method),
    /// Writes of this method whose future is dropped while they wait for another write.
    DroppedWaiter(Method),
    /// Writes of this method that are refused.
    RefusedWrite(Method),
    /// Writes to a store that was opened to read.
    WriteToReader,
    /// Openings that are refused.
    RefusedOpening,
    /// Stores that were opened to read and are closed.
    ClosedReader,
    /// Loads whose source fails.
    FailedSource,
    /// Every hundredth read of this method that finds something.
    SomeReads(&'static str),
}

impl Method {
    const ALL: [Self; 4] = [Self::Append, Self::Load, Self::Index, Self::AdvanceCursor];

    const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Load => "load",
            Self::Index => "index",
            Self::AdvanceCursor => "advance_cursor",
        }
    }
}

/// The listings, which come in pages.
const LISTINGS: [&str; 4] = [
    "operations_after",
    "published_after",
    "operations_of_did",
    "listed_dids_after",
];

impl Flaw {
    /// Every flaw.
    pub fn all() -> Vec<Self> {
        let mut flaws = Vec::new();
        for read in Read::METHODS {
            for scope in [Scope::Handle, Scope::Opening] {
                // A network that is known stays, whoever remembers it.
                if read != "network" {
                    flaws.push(Self::Stale(read, scope));
                }
            }
            if !["bound", "indexer_state"].contains(&read) {
                flaws.push(Self::Stale(read, Scope::NotFound));
            }
            flaws.push(Self::Keeps(Kept::DroppedRead(read)));
            flaws.push(Self::LeavesSnapshot(read));
        }
        // What one row answers of a block, an operation or a DID is there whole or not at all.
        let of_several_rows = ["cursor", "bound", "indexer_state", "transaction", "storage_owners"];
        flaws.extend(of_several_rows.into_iter().chain(LISTINGS).map(Self::Torn));
        flaws.extend(["block"].into_iter().chain(LISTINGS).map(Self::Narrow));
        for method in Method::ALL {
            let between: &[Between] = match method {
                Method::Append => &[Between::CursorAlone, Between::WithoutCursor, Between::Half],
                Method::Load => &[Between::WithoutCursor, Between::Half],
                Method::Index => &[Between::Half],
                Method::AdvanceCursor => &[],
            };
            for between in between {
                flaws.push(Self::Shown(method, *between));
                flaws.push(Self::Left(method, *between));
            }
            flaws.push(Self::Late(method, Scope::Handle));
            flaws.push(Self::Late(method, Scope::Opening));
            flaws.push(Self::Lost(method));
            flaws.push(Self::Race(method));
            // An index batch that is right stays right.
            if method != Method::Index {
                flaws.push(Self::JudgedEarly(method));
            }
            flaws.push(Self::DoesNotWait(method));
            flaws.push(Self::GivesUp(method));
            flaws.push(Self::Keeps(Kept::DroppedWrite(method)));
            flaws.push(Self::Keeps(Kept::RefusedWrite(method)));
        }
        for kept in [
            Kept::WriteToReader,
            Kept::RefusedOpening,
            Kept::ClosedReader,
            Kept::FailedSource,
        ] {
            flaws.push(Self::Keeps(kept));
        }
        for (place, count) in [25, 99, 100, 128, 256, 500, 512, 1_000, 1_024, 2_100]
            .into_iter()
            .enumerate()
        {
            let method = [Method::Append, Method::Index][place % 2];
            flaws.push(Self::LosesLastOf(method, count));
            flaws.push(Self::CutsList(LISTINGS[place % 4], count));
        }
        flaws.extend([99, 999, 1_000, 2_100].map(|count| Self::CutsList("storage_owners", count)));
        flaws.extend([255, 1_000, 2_000, 8_191, 65_535, 262_143, 1_048_575].map(Self::CutsValues));
        for read in LISTINGS {
            flaws.push(Self::Stale(read, Scope::VoidEarly));
            flaws.push(Self::Keeps(Kept::SomeReads(read)));
            flaws.push(Self::Keeps(Kept::DroppedLongRead(read, 64)));
        }
        for read in ["transaction", "storage_owners"] {
            flaws.push(Self::Keeps(Kept::DroppedLongRead(read, 100)));
        }
        // Of the other listings only the end changes, which a read in batches sees as it has become.
        flaws.extend([100, 250, 500, 1_000].map(|rows| Self::InBatches("operations_after", rows)));
        for read in ["cursor", "bound", "indexer_state", "block"] {
            flaws.push(Self::Stale(read, Scope::VoidEarly));
            flaws.push(Self::Keeps(Kept::SomeReads(read)));
        }
        for method in [Method::Append, Method::Load] {
            flaws.push(Self::InParts(method, 1_000));
            flaws.push(Self::Reserves(method, Reserved::Ids));
            flaws.push(Self::Reserves(method, Reserved::Hashes));
        }
        for method in Method::ALL {
            // A load takes its connection once.
            if method != Method::Load {
                flaws.push(Self::WaitsConnected(method));
            }
            flaws.push(Self::Replays(method));
            flaws.push(Self::Keeps(Kept::DroppedWaiter(method)));
        }
        flaws.extend([999, 32_767].map(Self::ChecksFirstIds));
        flaws.extend([Self::WatermarkLater, Self::LowersCursor, Self::NamesInTurn]);
        flaws.extend([5_000, 20_000].map(Self::FlushesLoads));
        flaws.extend([1, 2, 20].map(Self::LoadForgetsIds));
        flaws.extend([Self::StateInTwoLooks, Self::LoadOfNothingStays]);
        for origin in Origin::ALL {
            flaws.extend(Part::ALL.map(|part| Self::BlindTo(part, origin)));
        }
        for part in CursorPart::OF_A_CURSOR {
            flaws.push(Self::BlindToExpected(Method::Append, part));
            flaws.push(Self::BlindToExpected(Method::AdvanceCursor, part));
        }
        flaws.extend(CursorPart::OF_A_BOUND.map(Self::BlindToBound));
        flaws.extend(EntryPart::ALL.map(Self::BlindToEntry));
        flaws
    }

    /// The line of the storage contract, 1 to 13, that forbids it.
    pub const fn line(self) -> u8 {
        match self {
            Self::Stale(..)
            | Self::Torn(_)
            | Self::CutsList(..)
            | Self::Late(..)
            | Self::InBatches(..)
            | Self::WaitsConnected(_)
            | Self::StateInTwoLooks
            | Self::LeavesSnapshot(_) => 9,
            Self::Shown(..)
            | Self::Left(..)
            | Self::Lost(_)
            | Self::DoesNotWait(_)
            | Self::GivesUp(_)
            | Self::InParts(..)
            | Self::Replays(_)
            | Self::Reserves(..)
            | Self::Keeps(_)
            | Self::FlushesLoads(_)
            | Self::LoadForgetsIds(_)
            | Self::LoadOfNothingStays
            | Self::BlindToBound(_) => 2,
            Self::Narrow(_) | Self::CutsValues(_) => 5,
            Self::Race(_) | Self::JudgedEarly(_) | Self::BlindToExpected(..) | Self::LowersCursor => 6,
            Self::LosesLastOf(..) | Self::BlindTo(..) | Self::ChecksFirstIds(_) | Self::NamesInTurn => 1,
            Self::BlindToEntry(_) | Self::WatermarkLater => 7,
        }
    }

    /// An empty store in memory with this flaw.
    pub fn store(self) -> Flawed {
        Flawed {
            model: Model::default(),
            flaw: self,
            shared: Arc::default(),
        }
    }
}

impl fmt::Display for Flaw {
    /// What is wrong, in a sentence without an end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale(read, Scope::Handle) => write!(f, "{read} is remembered by each clone until it writes"),
            Self::Stale(read, Scope::Opening) => write!(f, "{read} is remembered by each opening until it writes"),
            Self::Stale(read, Scope::NotFound) => write!(f, "{read} is remembered where it found nothing"),
            Self::Stale(read, Scope::VoidEarly) => {
                write!(
                    f,
                    "{read} is remembered by each opening until a write of it comes, not until it ends"
                )
            }
            Self::InBatches(read, rows) => write!(f, "{read} reads {rows} rows at a time"),
            Self::InParts(method, rows) => write!(f, "{} commits {rows} operations at a time", method.name()),
            Self::ChecksFirstIds(count) => {
                write!(f, "append looks for the ids of {count} transactions of a call alone")
            }
            Self::Replays(method) => write!(f, "{} that is dropped comes with the next opening", method.name()),
            Self::WaitsConnected(method) => {
                write!(f, "{} takes a connection before it waits for its turn", method.name())
            }
            Self::LeavesSnapshot(read) => {
                write!(f, "{read} that is dropped leaves its snapshot to the next read")
            }
            Self::Reserves(method, Reserved::Ids) => {
                write!(
                    f,
                    "{} that is refused keeps the places of its transactions",
                    method.name()
                )
            }
            Self::Reserves(method, Reserved::Hashes) => {
                write!(f, "{} that is refused keeps the hashes of its blocks", method.name())
            }
            Self::WatermarkLater => f.write_str("index commits its entries, and then the watermark"),
            Self::GivesUp(method) => {
                write!(
                    f,
                    "{} is Unavailable where it has waited for ten seconds",
                    method.name()
                )
            }
            Self::StateInTwoLooks => f.write_str("indexer_state reads the last position, and then the watermark"),
            Self::FlushesLoads(operations) => write!(f, "load commits each {operations} operations"),
            Self::LoadForgetsIds(chunks) => {
                write!(
                    f,
                    "load looks for the ids of {chunks} chunks before, and of what is stored"
                )
            }
            Self::LoadOfNothingStays => f.write_str("load of blocks without operations leaves the cursor where it was"),
            Self::LowersCursor => f.write_str("load that ends below the cursor, without a block, lowers it"),
            Self::NamesInTurn => f.write_str("append names another one of several known transactions each time"),
            Self::Keeps(Kept::DroppedWaiter(method)) => {
                write!(
                    f,
                    "{} that is dropped while it waits keeps its connection",
                    method.name()
                )
            }
            Self::Torn(read) => write!(f, "{read} is read in two parts"),
            Self::Narrow(read) => write!(f, "{read} compares block numbers in 32 bits"),
            Self::Shown(method, between) => write!(f, "{} commits in two parts: at first, {between}", method.name()),
            Self::Left(method, between) => write!(f, "{} that is dropped leaves a part: {between}", method.name()),
            Self::Late(method, Scope::Handle) => {
                write!(f, "{} is seen by its clone alone until the next write", method.name())
            }
            Self::Late(method, _) => write!(f, "{} is seen by its opening alone until the next write", method.name()),
            Self::Lost(method) => write!(f, "{} is lost where the store is closed behind it", method.name()),
            Self::Race(method) => write!(f, "{} overwrites what others write meanwhile", method.name()),
            Self::JudgedEarly(method) => write!(f, "{} is judged before its turn", method.name()),
            Self::DoesNotWait(method) => write!(f, "{} does not wait for other writes", method.name()),
            Self::Keeps(Kept::DroppedRead(read)) => write!(f, "{read} that is dropped keeps its connection"),
            Self::Keeps(Kept::DroppedLongRead(read, rows)) => {
                write!(
                    f,
                    "{read} of more than {rows} rows that is dropped keeps its connection"
                )
            }
            Self::Keeps(Kept::DroppedWrite(method)) => {
                write!(f, "{} that is dropped keeps its connection", method.name())
            }
            Self::Keeps(Kept::RefusedWrite(method)) => {
                write!(f, "{} that is refused keeps its connection", method.name())
            }
            Self::Keeps(Kept::WriteToReader) => f.write_str("a write to a reader keeps its connection"),
            Self::Keeps(Kept::RefusedOpening) => f.write_str("an opening that is refused keeps its connection"),
            Self::Keeps(Kept::ClosedReader) => f.write_str("a reader that is closed keeps its connection"),
            Self::Keeps(Kept::SomeReads(read)) => write!(f, "every hundredth {read} keeps its connection"),
            Self::Keeps(Kept::FailedSource) => f.write_str("a load whose source fails keeps its connection"),
            Self::LosesLastOf(method, count) => write!(f, "{} of {count} loses the last", method.name()),
            Self::CutsList(read, count) => write!(f, "{read} answers {count} rows at most"),
            Self::CutsValues(bytes) => write!(f, "operations are cut to {bytes} bytes"),
            Self::BlindTo(part, origin) => write!(f, "{part} is not compared {origin}"),
            Self::BlindToExpected(method, part) => {
                write!(f, "{} does not compare {part} of the expected cursor", method.name())
            }
            Self::BlindToBound(part) => write!(f, "load does not compare {part} of the bound"),
            Self::BlindToEntry(part) => write!(f, "index does not compare {part} of two entries for one position"),
        }
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CursorAlone => "the cursor alone",
            Self::WithoutCursor => "all but the cursor",
            Self::Half => "the first half",
        })
    }
}

/// The factory of a store in memory with a flaw.
#[derive(Debug, Clone)]
pub struct Flawed {
    model: Model,
    flaw: Flaw,
    shared: Arc<Shared>,
}

impl StoreFactory for Flawed {
    type Store = FlawedStore;

    async fn open(&self, network: Network, access: Access) -> Result<FlawedStore> {
        self.shared.must_have_a_connection()?;
        match self.model.open(network, access).await {
            Ok(store) => {
                if access.is_write() {
                    self.shared.replay(&store);
                }
                Ok(FlawedStore::new(store, self.flaw, Arc::clone(&self.shared)))
            }
            Err(refusal) => {
                if self.flaw == Flaw::Keeps(Kept::RefusedOpening)
                    && matches!(refusal, StorageError::WrongNetwork { .. })
                {
                    self.shared.keep_a_connection();
                }
                Err(refusal)
            }
        }
    }

    async fn close(&self, store: FlawedStore) {
        store.close();
    }
}
