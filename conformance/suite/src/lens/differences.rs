//! Everything in which one thing may differ from another, worked out from the parts that its type has.
//!
//! Every type is taken apart by naming its fields, so that a field that is added later does not compile before it has its
//! differences here.

use node_storage_contract::{
    BlockHash, BlockNo, BlockTime, Cursor, DidSuffix, IndexOutcome, LedgerBound, OperationBytes, OperationHash,
    OperationIndex, OperationPosition, PublishedBlock, PublishedOperation, PublishedTransaction, Reason, SlotNo,
    TransactionId, TransactionIndex,
};

use crate::data::{bytes, osn, transaction};

/// A thing that differs from another one in one way.
#[derive(Debug, Clone)]
pub(crate) struct Difference<T> {
    /// The way, in words.
    pub(crate) what: String,
    /// The thing.
    pub(crate) thing: T,
}

/// Collects what differs from one thing.
struct Differences<'a, T> {
    original: &'a T,
    found: Vec<Difference<T>>,
}

impl<'a, T: PartialEq + Clone> Differences<'a, T> {
    const fn from(original: &'a T) -> Self {
        Self {
            original,
            found: Vec::new(),
        }
    }

    /// Adds a thing, unless it is the same one.
    fn add(&mut self, what: impl Into<String>, thing: T) {
        if thing != *self.original {
            let what = what.into();
            self.found.push(Difference { what, thing });
        }
    }

    /// Adds what comes of putting each of these in the place of a part.
    fn put<P>(&mut self, part: &str, differences: Vec<Difference<P>>, put: impl Fn(&mut T, P)) {
        for Difference { what, thing } in differences {
            self.change(format!("{part} {what}"), |changed| put(changed, thing));
        }
    }

    /// Adds what comes of a change.
    fn change(&mut self, what: impl Into<String>, change: impl FnOnce(&mut T)) {
        let mut changed = self.original.clone();
        change(&mut changed);
        self.add(what, changed);
    }
}

/// Deliveries of the block with something else. `neighbour` is another block, whose parts it may have got.
pub(crate) fn of_block(block: &PublishedBlock, neighbour: &PublishedBlock) -> Vec<Difference<PublishedBlock>> {
    let PublishedBlock {
        // With another number it is another block.
        number: _,
        slot,
        hash,
        time,
        transactions,
    } = block;
    let mut differences = Differences::from(block);
    differences.put("the slot", of_number(slot.get(), SlotNo::MAX.get()), |changed, slot| {
        changed.slot = SlotNo::try_from(slot).expect("a slot in range");
    });
    differences.put("the hash", of_digest(hash.as_bytes()), |changed, hash| {
        changed.hash = BlockHash::new(hash);
    });
    differences.put("the time", of_time(*time), |changed, time| changed.time = time);
    differences.change("the hash is the neighbour's", |changed| changed.hash = neighbour.hash);
    differences.change("the time is the neighbour's", |changed| changed.time = neighbour.time);
    differences.change("the transactions are the neighbour's", |changed| {
        changed.transactions.clone_from(&neighbour.transactions);
    });
    differences.change("there are no transactions", |changed| changed.transactions.clear());
    for (place, original) in transactions.iter().enumerate() {
        let part = format!("transaction {place}:");
        differences.put(&part, of_transaction(original), |changed, transaction| {
            changed.transactions[place] = transaction;
        });
        differences.change(format!("{part} it is left out"), |changed| {
            changed.transactions.remove(place);
        });
    }
    for (place, pair) in transactions.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        let part = format!("transactions {place} and {}:", place + 1);
        differences.change(format!("{part} their ids change places"), |changed| {
            (changed.transactions[place].id, changed.transactions[place + 1].id) = (next.id, one.id);
        });
        differences.change(format!("{part} their operations change places"), |changed| {
            changed.transactions[place].operations.clone_from(&next.operations);
            changed.transactions[place + 1].operations.clone_from(&one.operations);
        });
        differences.change(format!("{part} the last operation of one is the next's"), |changed| {
            let moved = changed.transactions[place].operations.pop();
            let free = osn(900);
            let moved = moved.map(|operation| PublishedOperation { osn: free, ..operation });
            changed.transactions[place + 1].operations.extend(moved);
        });
        differences.change(format!("{part} the next has the operations of both"), |changed| {
            let both = changed.transactions.remove(place);
            let taken = &mut changed.transactions[place].operations;
            taken.extend(
                (900..)
                    .zip(both.operations)
                    .map(|(free, operation)| PublishedOperation {
                        osn: osn(free),
                        ..operation
                    }),
            );
        });
    }
    for absn in [0, 3, 4, 900] {
        differences.change(format!("there is a transaction at absn {absn} too"), |changed| {
            if !changed.transactions.iter().any(|known| known.absn.get() == absn) {
                changed.transactions.push(transaction(block.number.get(), absn, 1));
            }
        });
    }
    differences.found
}

fn of_transaction(transaction: &PublishedTransaction) -> Vec<Difference<PublishedTransaction>> {
    let PublishedTransaction { absn, id, operations } = transaction;
    let mut differences = Differences::from(transaction);
    differences.put("the absn", of_index(absn.get()), |changed, absn| {
        changed.absn = TransactionIndex::try_from(absn).expect("an absn in range");
    });
    differences.put("the id", of_digest(id.as_bytes()), |changed, id| {
        changed.id = TransactionId::new(id);
    });
    for (place, original) in operations.iter().enumerate() {
        let part = format!("operation {place}:");
        differences.put(&part, of_operation(original), |changed, operation| {
            changed.operations[place] = operation;
        });
        differences.change(format!("{part} it is left out"), |changed| {
            changed.operations.remove(place);
        });
    }
    for (place, pair) in operations.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        differences.change(
            format!("operations {place} and {}: they change places", place + 1),
            |changed| {
                changed.operations[place].bytes = next.bytes.clone();
                changed.operations[place + 1].bytes = one.bytes.clone();
            },
        );
    }
    for free in [3, 900] {
        differences.change(format!("there is an operation at osn {free} too"), |changed| {
            if let Some(first) = operations.first()
                && !operations.iter().any(|known| u64::from(known.osn.get()) == free)
            {
                changed.operations.push(PublishedOperation {
                    osn: osn(free),
                    ..first.clone()
                });
            }
        });
    }
    differences.found
}

fn of_operation(operation: &PublishedOperation) -> Vec<Difference<PublishedOperation>> {
    let PublishedOperation { osn, bytes } = operation;
    let mut differences = Differences::from(operation);
    differences.put("the osn", of_index(osn.get()), |changed, osn| {
        changed.osn = OperationIndex::try_from(osn).expect("an osn in range");
    });
    differences.put("the bytes", of_bytes(bytes), |changed, bytes| changed.bytes = bytes);
    differences.found
}

/// Cursors other than this one.
pub(crate) fn of_cursor(cursor: &Cursor) -> Vec<Difference<Cursor>> {
    let Cursor { slot, block, hash } = cursor;
    let mut differences = Differences::from(cursor);
    differences.put("the slot", of_number(slot.get(), SlotNo::MAX.get()), |changed, slot| {
        changed.slot = SlotNo::try_from(slot).expect("a slot in range");
    });
    differences.put(
        "the block",
        of_number(block.get(), BlockNo::MAX.get()),
        |changed, block| {
            changed.block = BlockNo::try_from(block).expect("a block number in range");
        },
    );
    differences.put("the hash", of_digest(hash.as_bytes()), |changed, hash| {
        changed.hash = BlockHash::new(hash);
    });
    for step in [-1, 1] {
        differences.change(format!("slot and block {step:+}"), |changed| {
            let (slot, block) = (
                slot.get().saturating_add_signed(step),
                block.get().saturating_add_signed(step),
            );
            changed.slot = SlotNo::try_from(slot).expect("a slot in range");
            changed.block = BlockNo::try_from(block).expect("a block number in range");
        });
    }
    differences.found
}

/// The same of what may be empty.
fn of_optional<T: PartialEq + Clone>(
    original: Option<&T>,
    other: impl Fn(&T) -> Vec<Difference<T>>,
) -> Vec<Difference<Option<T>>> {
    let Some(original) = original else {
        return Vec::new();
    };
    let others = other(original)
        .into_iter()
        .map(|Difference { what, thing }| Difference {
            what,
            thing: Some(thing),
        });
    let none = Difference {
        what: "is none".to_owned(),
        thing: None,
    };
    others.chain([none]).collect()
}

/// What a write may expect instead of this cursor.
pub(crate) fn of_expected(cursor: Option<Cursor>) -> Vec<Difference<Option<Cursor>>> {
    of_optional(cursor.as_ref(), of_cursor)
}

/// What a load may be put onto instead.
pub(crate) fn of_bound(bound: &LedgerBound) -> Vec<Difference<LedgerBound>> {
    let LedgerBound {
        cursor,
        last,
        operations,
    } = bound;
    let mut differences = Differences::from(bound);
    differences.put(
        "the cursor:",
        of_optional(cursor.as_ref(), of_cursor),
        |changed, cursor| {
            changed.cursor = cursor;
        },
    );
    differences.put(
        "the last position:",
        of_optional(last.as_ref(), of_position),
        |changed, last| {
            changed.last = last;
        },
    );
    differences.put(
        "the number of operations",
        of_number(*operations, i64::MAX.unsigned_abs()),
        |changed, operations| {
            changed.operations = operations;
        },
    );
    differences.found
}

/// Positions other than this one.
pub(crate) fn of_position(position: &OperationPosition) -> Vec<Difference<OperationPosition>> {
    let OperationPosition { block, absn, osn } = position;
    let mut differences = Differences::from(position);
    differences.put(
        "the block",
        of_number(block.get(), BlockNo::MAX.get()),
        |changed, block| {
            changed.block = BlockNo::try_from(block).expect("a block number in range");
        },
    );
    differences.put("the absn", of_index(absn.get()), |changed, absn| {
        changed.absn = TransactionIndex::try_from(absn).expect("an absn in range");
    });
    differences.put("the osn", of_index(osn.get()), |changed, osn| {
        changed.osn = OperationIndex::try_from(osn).expect("an osn in range");
    });
    differences.found
}

/// What else indexing may say of an operation.
pub(crate) fn of_outcome(outcome: &IndexOutcome) -> Vec<Difference<IndexOutcome>> {
    let mut differences = Differences::from(outcome);
    match outcome {
        IndexOutcome::Did {
            did,
            operation_hash,
            lists_did,
        } => {
            let (did, operation_hash, lists_did) = (*did, *operation_hash, *lists_did);
            let of = |did, operation_hash, lists_did| IndexOutcome::Did {
                did,
                operation_hash,
                lists_did,
            };
            differences.put("the DID", of_digest(did.as_bytes()), |changed, did| {
                *changed = of(DidSuffix::new(did), operation_hash, lists_did);
            });
            differences.put("the hash", of_digest(operation_hash.as_bytes()), |changed, hash| {
                *changed = of(did, OperationHash::new(hash), lists_did);
            });
            differences.add("whether it lists its DID", of(did, operation_hash, !lists_did));
            differences.add(
                "it is of a storage entry",
                IndexOutcome::Storage { did, operation_hash },
            );
        }
        IndexOutcome::Storage { did, operation_hash } => {
            let (did, operation_hash) = (*did, *operation_hash);
            differences.put("the DID", of_digest(did.as_bytes()), |changed, did| {
                *changed = IndexOutcome::Storage {
                    did: DidSuffix::new(did),
                    operation_hash,
                };
            });
            differences.put("the hash", of_digest(operation_hash.as_bytes()), |changed, hash| {
                *changed = IndexOutcome::Storage {
                    did,
                    operation_hash: OperationHash::new(hash),
                };
            });
            differences.add(
                "it is of the DID itself",
                IndexOutcome::Did {
                    did,
                    operation_hash,
                    lists_did: false,
                },
            );
        }
        IndexOutcome::Ignored { reason } => {
            differences.put("the reason", of_reason(reason), |changed, reason| {
                *changed = IndexOutcome::Ignored { reason };
            });
            differences.add(
                "it is undecodable",
                IndexOutcome::Undecodable { reason: reason.clone() },
            );
        }
        IndexOutcome::Undecodable { reason } => {
            differences.put("the reason", of_reason(reason), |changed, reason| {
                *changed = IndexOutcome::Undecodable { reason };
            });
            differences.add("it is ignored", IndexOutcome::Ignored { reason: reason.clone() });
        }
    }
    differences.found
}

/// Texts that engines take for this one: by letter case, blanks, accents, or the end of long ones.
pub(crate) fn of_reason(reason: &Reason) -> Vec<Difference<Reason>> {
    let text = reason.as_str();
    let mut differences = Differences::from(reason);
    let without = |place: usize| -> String {
        let kept = text.chars().enumerate().filter(|(index, _)| *index != place);
        kept.map(|(_, character)| character).collect()
    };
    let last = text.chars().count() - 1;
    for (what, other) in [
        ("has capitals", text.to_uppercase()),
        ("has small letters", text.to_lowercase()),
        ("has a blank behind it", format!("{text} ")),
        ("has a blank before it", format!(" {text}")),
        ("has a no-break space behind it", format!("{text}\u{a0}")),
        ("has a combining accent behind it", format!("{text}\u{301}")),
        ("has a character of no width behind it", format!("{text}\u{200b}")),
        ("ends otherwise", format!("{}\u{2260}", without(last))),
        ("lacks its first character", without(0)),
        ("lacks its last character", without(last)),
        ("has a quote behind it", format!("{text}'")),
        ("has a backslash behind it", format!("{text}\\")),
        ("has a sign beyond 16 bits behind it", format!("{text}\u{1f984}")),
    ] {
        differences.add(what, Reason::new(other));
    }
    differences.found
}

/// Bytes other than these.
pub(crate) fn of_bytes(original: &OperationBytes) -> Vec<Difference<OperationBytes>> {
    let known = original.as_slice();
    let mut differences = Differences::from(original);
    let flipped = |place: usize, bit: u8| {
        let mut flipped = known.to_vec();
        if let Some(byte) = flipped.get_mut(place) {
            *byte ^= bit;
        }
        flipped
    };
    let last = known.len().saturating_sub(1);
    let turned: Vec<u8> = known.iter().rev().copied().collect();
    for (what, other) in [
        ("begin with another bit", flipped(0, 0x80)),
        ("begin with another letter case", flipped(0, 0x20)),
        ("differ in the middle", flipped(last / 2, 0x04)),
        ("end with another letter case", flipped(last, 0x20)),
        ("end with another bit", flipped(last, 0x01)),
        ("have a zero behind them", [known, &[0]].concat()),
        ("have a blank behind them", [known, b" "].concat()),
        ("have a line's end behind them", [known, b"\n"].concat()),
        ("have a zero before them", [&[0], known].concat()),
        ("come twice", known.repeat(2)),
        ("lack the first", known.get(1..).unwrap_or_default().to_vec()),
        ("lack the last", known.get(..last).unwrap_or_default().to_vec()),
        ("are none", Vec::new()),
        ("are zeros", vec![0; known.len()]),
        ("come backward", turned),
    ] {
        // Behind the longest operation there is no room.
        if let Ok(other) = OperationBytes::try_from(other) {
            differences.add(what, other);
        }
    }
    differences.found
}

/// Digests other than this one.
pub(crate) fn of_digest(digest: &[u8; 32]) -> Vec<Difference<[u8; 32]>> {
    let mut differences = Differences::from(digest);
    for (place, bit) in [
        (0, 0x80),
        (0, 0x20),
        (1, 1),
        (3, 1),
        (7, 1),
        (8, 1),
        (15, 1),
        (16, 1),
        (19, 1),
        (27, 1),
        (28, 1),
        (30, 1),
        (31, 0x80),
        (31, 1),
    ] {
        differences.change(format!("differs in byte {place}"), |changed| changed[place] ^= bit);
    }
    differences.change("comes backward", |changed| changed.reverse());
    differences.change("has its halves changed", |changed| changed.rotate_left(16));
    differences.add("is zeros", [0; 32]);
    differences.add("is ones", [0xff; 32]);
    differences.found
}

/// Instants other than this one.
fn of_time(time: BlockTime) -> Vec<Difference<BlockTime>> {
    let mut differences = Differences::from(&time);
    let micros = time.unix_micros();
    // A microsecond, what is under a millisecond and a second, these, hours of zones and summers, a day, a leap second's day.
    for step in [
        1,
        999,
        1_000,
        999_999,
        1_000_000,
        1_800_000_000,
        3_600_000_000,
        86_400_000_000,
        86_401_000_000,
    ] {
        for micros in [micros - step, micros + step] {
            if let Ok(other) = BlockTime::from_unix_micros(micros) {
                differences.add(format!("is {} µs from it", micros - time.unix_micros()), other);
            }
        }
    }
    let of_second = micros.rem_euclid(1_000_000);
    for (what, micros) in [
        ("has no fraction", micros - of_second),
        ("has whole milliseconds", micros - micros.rem_euclid(1_000)),
        ("is before 1970", -micros),
        ("is the epoch", 0),
    ] {
        if let Ok(other) = BlockTime::from_unix_micros(micros) {
            differences.add(what, other);
        }
    }
    differences.add("is the first", BlockTime::MIN);
    differences.add("is the last", BlockTime::MAX);
    differences.found
}

/// Numbers of up to 63 bits other than this one: its neighbours, and those that narrower numbers take for it.
fn of_number(number: u64, highest: u64) -> Vec<Difference<u64>> {
    let mut differences = Differences::from(&number);
    let widths = [8, 15, 16, 24, 31, 32, 53, 62].map(|bits| 1_u64 << bits);
    for step in [1, 2, 10].into_iter().chain(widths) {
        for other in [number.checked_sub(step), number.checked_add(step)]
            .into_iter()
            .flatten()
        {
            if other <= highest {
                differences.add(format!("is {other} instead of {number}"), other);
            }
        }
    }
    for other in [0, highest] {
        differences.add(format!("is {other} instead of {number}"), other);
    }
    differences.found
}

/// The same for the 31 bits of an index.
fn of_index(number: u32) -> Vec<Difference<u64>> {
    let highest = u64::from(OperationIndex::MAX.get());
    let near: [u64; 3] = [1, 256, 1 << 16];
    let mut others = of_number(number.into(), highest);
    // Each is tried in many places: the neighbours and the widths of narrower numbers are enough.
    others.retain(|other| near.contains(&other.thing.abs_diff(number.into())) || other.thing == highest);
    others
}

/// All of these in one list, each with what it differs in: things that a store has to keep apart.
pub(crate) fn with_original<T: Clone>(original: &T, differences: Vec<Difference<T>>) -> Vec<T> {
    let others = differences.into_iter().map(|difference| difference.thing);
    [original.clone()].into_iter().chain(others).collect()
}

/// Operations of bytes that differ in one way from each other, each once.
pub(crate) fn alike_operations(text: &str) -> Vec<OperationBytes> {
    let original = bytes(text.as_bytes());
    let mut alike = with_original(&original, of_bytes(&original));
    let mut seen = std::collections::BTreeSet::new();
    alike.retain(|operation| seen.insert(operation.as_slice().to_vec()));
    alike
}
