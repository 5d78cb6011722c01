//! Type classes: what a column holds, whatever a dialect calls it.

use serde::{Deserialize, Serialize};

/// What values of a column mean to a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// True or false.
    Bool,
    /// Whole numbers of 16 bits.
    I16,
    /// Whole numbers of 32 bits.
    I32,
    /// Whole numbers of 64 bits.
    I64,
    /// Binary floating point.
    Float,
    /// Exact decimals.
    Decimal,
    /// Text.
    Text,
    /// Text that compares without case.
    TextNoCase,
    /// Bytes.
    Bytes,
    /// A UUID.
    Uuid,
    /// JSON.
    Json,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A point in time.
    Instant,
    /// A length of time.
    Interval,
    /// A list of values of one type.
    Array,
    /// A network address.
    Network,
    /// Words for full-text search.
    Search,
    /// Something of PostgreSQL alone: ranges, geometry, XML, bit strings.
    Special,
    /// Declared without a type, or ANY: takes everything.
    Any,
    /// A type that this program does not know.
    Unknown,
}

/// The type of a column: its class, and what the engine itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Type {
    /// As the catalog spells it, in lower case.
    #[serde(rename = "type")]
    pub declared: String,
    /// What it means.
    pub class: Class,
    /// Longest text in characters, where the type has a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Digits of the fraction of a second, where the type has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// The values of an enumerated type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What SQLite does to values, which its declared type may not suggest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
}

/// What SQLite does to a value that is stored in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// Whole numbers where the text looks like one.
    Integer,
    /// Text.
    Text,
    /// As it comes.
    Blob,
    /// Floating point.
    Real,
    /// Numbers where the text looks like one.
    Numeric,
}

impl Affinity {
    /// The rules of SQLite's documentation, "Determination Of Column Affinity".
    pub fn of(declared: &str) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |word: &str| upper.contains(word);
        if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || upper.trim().is_empty() {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }
}

/// The first number in parentheses.
fn argument(declared: &str) -> Option<u64> {
    let (_, rest) = declared.split_once('(')?;
    rest.split([',', ')']).next()?.trim().parse().ok()
}

/// The digits of `numeric(digits,0)`.
fn digits_of_whole(declared: &str) -> Option<u64> {
    let (_, rest) = declared.split_once('(')?;
    let (digits, scale) = rest.trim_end_matches(')').split_once(',')?;
    (scale.trim() == "0").then(|| digits.trim().parse().ok())?
}

/// A type of PostgreSQL from its catalog: `name` without length, `declared` as `format_type` gives it.
pub(crate) fn postgres(name: &str, declared: &str, category: char, labels: Vec<String>) -> Type {
    let class = match name {
        "bool" => Class::Bool,
        "int2" => Class::I16,
        "int4" => Class::I32,
        "int8" | "oid" | "xid8" => Class::I64,
        "float4" | "float8" => Class::Float,
        "numeric" | "money" => Class::Decimal,
        "text" | "varchar" | "bpchar" | "name" | "char" => Class::Text,
        "citext" => Class::TextNoCase,
        "bytea" => Class::Bytes,
        "uuid" => Class::Uuid,
        "json" | "jsonb" | "hstore" => Class::Json,
        "date" => Class::Date,
        "time" | "timetz" => Class::Time,
        "timestamp" | "timestamptz" => Class::Instant,
        "interval" => Class::Interval,
        "inet" | "cidr" | "macaddr" | "macaddr8" => Class::Network,
        "tsvector" | "tsquery" => Class::Search,
        "xml" | "bit" | "varbit" | "ltree" | "vector" | "geometry" | "geography" => Class::Special,
        _ if !labels.is_empty() => Class::Text,
        _ => match category {
            'A' => Class::Array,
            'G' | 'R' => Class::Special,
            _ => Class::Unknown,
        },
    };
    let textual = matches!(name, "varchar" | "bpchar");
    Type {
        declared: declared.to_ascii_lowercase(),
        length: argument(declared).filter(|_| textual),
        precision: argument(declared).filter(|_| matches!(class, Class::Instant | Class::Time)),
        class,
        labels,
        affinity: None,
    }
}

/// A type as SQLite's `CREATE TABLE` declares it. The class follows the name, as programs read it.
pub(crate) fn sqlite(declared: &str) -> Type {
    let lower = declared.trim().to_ascii_lowercase();
    let base = lower.split('(').next().unwrap_or_default().trim().to_owned();
    let words: Vec<&str> = base.split_whitespace().collect();
    let affinity = Affinity::of(declared);
    let class = match words.as_slice() {
        [] | ["any"] => Class::Any,
        // Ports from SQL Server keep true and false in BIT.
        ["bool" | "boolean"] => Class::Bool,
        ["bit"] if argument(&lower).is_none_or(|bits| bits == 1) => Class::Bool,
        ["tinyint"] if argument(&lower) == Some(1) => Class::Bool,
        ["tinyint" | "smallint" | "int2" | "smallserial", ..] => Class::I16,
        ["int4" | "mediumint" | "serial", ..] => Class::I32,
        // SQLite's own name of a whole number has 64 bits.
        ["int" | "integer" | "bigint" | "int8" | "bigserial" | "long", ..]
        | ["unsigned", .., "int" | "integer" | "bigint"] => Class::I64,
        ["real" | "double" | "float" | "float4" | "float8", ..] => Class::Float,
        ["numeric" | "decimal" | "number" | "money", ..] => Class::Decimal,
        [_, "[]"] => Class::Array,
        [array] if array.ends_with("[]") => Class::Array,
        ["citext"] => Class::TextNoCase,
        [
            "text" | "clob" | "varchar" | "nvarchar" | "char" | "nchar" | "character" | "string" | "tinytext"
            | "mediumtext" | "longtext" | "native" | "varying",
            ..,
        ] => Class::Text,
        ["blob" | "bytea" | "binary" | "varbinary" | "longblob" | "mediumblob" | "tinyblob" | "bytes"] => Class::Bytes,
        ["uuid" | "guid" | "uniqueidentifier"] => Class::Uuid,
        ["json" | "jsonb"] => Class::Json,
        ["date"] => Class::Date,
        ["time" | "timetz", ..] => Class::Time,
        [
            "timestamp" | "timestamptz" | "datetime" | "timestampz" | "timestamp_s" | "timestamp_ms" | "timestamp_text",
            ..,
        ] => Class::Instant,
        ["interval"] => Class::Interval,
        ["inet" | "cidr" | "macaddr"] => Class::Network,
        _ => Class::Unknown,
    };
    let textual = class == Class::Text && matches!(affinity, Affinity::Text);
    Type {
        length: argument(&lower).filter(|_| textual),
        precision: argument(&lower).filter(|_| class == Class::Instant),
        declared: lower,
        class,
        labels: Vec::new(),
        affinity: Some(affinity),
    }
}

/// How a column of PostgreSQL and one of SQLite fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    /// A caller sees no difference.
    Same,
    /// The usual counterpart, which SQLite does not enforce as PostgreSQL does.
    Convention(&'static str),
    /// A value of one is not one of the other, or means something else.
    Different(&'static str),
}

/// Compares the types of two columns that have the same name.
#[allow(
    clippy::too_many_lines,
    reason = "one table of pairs, which is easier to check in one place"
)]
pub(crate) fn relate(postgres: &Type, sqlite: &Type) -> Relation {
    use Class::{
        Any, Array, Bool, Bytes, Date, Decimal, Float, I16, I32, I64, Instant, Interval, Json, Network, Search,
        Special, Text, TextNoCase, Time, Unknown, Uuid,
    };
    use Relation::{Convention, Different, Same};

    // STRING, BINARY, … : SQLite turns text that looks like a number into one.
    let numeric = sqlite.affinity == Some(Affinity::Numeric) || sqlite.affinity == Some(Affinity::Integer);
    match (&postgres.class, &sqlite.class) {
        (Unknown, _) | (_, Unknown) => Convention("a type that this program does not know"),
        (_, Any) => Convention("SQLite takes values of any type here"),
        (Text | TextNoCase, Text) if numeric => {
            Different("SQLite gives this column a numeric affinity: text such as '007' is stored as the number 7")
        }
        (Bool, Bool | I16 | I32 | I64) => Convention("SQLite takes every number, not only 0 and 1"),
        (I16 | I32, I64) if sqlite.declared.contains("big") || sqlite.declared.starts_with("int8") => {
            Different("the declared widths differ: PostgreSQL refuses what SQLite stores")
        }
        (I16, I16 | I32 | I64) => Convention("SQLite takes whole numbers outside of 16 bits"),
        (I32, I16 | I32 | I64) => Convention("SQLite takes whole numbers outside of 32 bits"),
        (I64, I16 | I32 | I64)
        | (Float, Float | Decimal)
        | (Bytes, Bytes)
        | (Text, Text | Uuid | Json)
        | (Date, Date)
        | (Instant, Instant)
        | (Any, _) => Same,
        (Decimal, Decimal) => Convention("SQLite keeps 15 digits of a fraction, PostgreSQL all of them"),
        (Decimal, Float) => Different("PostgreSQL keeps decimals exactly, SQLite rounds to binary floating point"),
        (Decimal, Text) => Different("PostgreSQL orders and adds numbers, SQLite has text"),
        (Decimal, I16 | I32 | I64) if digits_of_whole(&postgres.declared).is_some_and(|digits| digits <= 18) => Same,
        (Decimal, I16 | I32 | I64) if digits_of_whole(&postgres.declared).is_some() => {
            Different("PostgreSQL keeps whole numbers beyond 64 bits, SQLite does not")
        }
        (Decimal, I16 | I32 | I64) => Different("PostgreSQL keeps fractions here"),
        (Text, TextNoCase) => Different("SQLite compares without case, PostgreSQL with it"),
        (TextNoCase, Text | TextNoCase) => Convention("the engines fold case differently outside ASCII"),
        (Uuid, Uuid | Text | TextNoCase) => Convention("SQLite takes every text, and 'A…' and 'a…' are different"),
        (Uuid, Bytes) => Convention("PostgreSQL shows a UUID as text, SQLite as 16 bytes, of any content"),
        (Json, Json | Text) => Convention("SQLite takes text that is not JSON"),
        (Json, Bytes) => Convention("SQLite takes bytes that are not JSON"),
        (Date, Instant) => Convention("SQLite takes a time of day here too"),
        (Date, Text) => Different("PostgreSQL has a date, SQLite text of any form"),
        (Instant, Date) => Different("PostgreSQL has an instant, SQLite a date"),
        (Instant, Text) => Different("PostgreSQL has an instant, SQLite text of any form"),
        (Instant, I16 | I32 | I64) => Different("PostgreSQL has an instant, SQLite a number of some unit"),
        (Instant | Date | Time, Bytes) => Different("PostgreSQL has an instant, SQLite bytes of any content"),
        (Instant | Date, Float | Decimal) => {
            Different("PostgreSQL has an instant, SQLite a number, or the text that it is given")
        }
        (Time, Time | Text | Instant) => Convention("SQLite takes every text as a time"),
        (Interval, Interval | Text | I16 | I32 | I64 | Float) => Convention("SQLite has no intervals"),
        (Array, Array | Text | Json | Bytes | Search) => Convention("SQLite has no arrays: the program writes text"),
        (Network, Network | Text) => Convention("SQLite takes every text as an address"),
        (Search | Special, _) => Convention("SQLite has no such type"),
        (I16 | I32 | I64, Bool) => Different("PostgreSQL has a number, SQLite true or false"),
        (Bool, _) => Different("PostgreSQL has true or false"),
        (I16 | I32 | I64, Float | Decimal) => Different("PostgreSQL has whole numbers, SQLite fractions too"),
        (Float, I16 | I32 | I64) => Different("PostgreSQL has fractions, SQLite declares whole numbers"),
        (I16 | I32 | I64, Instant | Date) => Different("PostgreSQL has a number, SQLite an instant"),
        (I16 | I32 | I64, _) => Different("PostgreSQL has whole numbers"),
        (Bytes, _) => Different("PostgreSQL has bytes"),
        (Text | TextNoCase, Bytes) => Different("PostgreSQL has text, SQLite bytes"),
        (Text | TextNoCase, I16 | I32 | I64 | Bool | Float | Decimal) => {
            Different("PostgreSQL has text, SQLite numbers")
        }
        (Text | TextNoCase, _) => Different("PostgreSQL has text"),
        _ => Different("the types have different meanings"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(postgres_name: &str, declared: &str) -> Type {
        postgres(postgres_name, declared, 'X', Vec::new())
    }

    #[rstest]
    #[case("BYTEA", Affinity::Numeric)]
    #[case("STRING", Affinity::Numeric)]
    #[case("FLOATING POINT", Affinity::Integer)]
    #[case("VARCHAR(10)", Affinity::Text)]
    #[case("", Affinity::Blob)]
    #[case("double precision", Affinity::Real)]
    #[case("DATETIME", Affinity::Numeric)]
    fn affinities_are_sqlites_own(#[case] declared: &str, #[case] affinity: Affinity) {
        assert_eq!(sqlite(declared).affinity, Some(affinity));
    }

    #[rstest]
    #[case("int8", "bigint", "INTEGER")]
    #[case("text", "text", "VARCHAR(20)")]
    #[case("timestamptz", "timestamp with time zone", "DATETIME")]
    #[case("timestamp", "timestamp without time zone", "TIMESTAMP")]
    #[case("bytea", "bytea", "BLOB")]
    #[case("float8", "double precision", "REAL")]
    fn usual_counterparts_are_the_same(#[case] name: &str, #[case] declared: &str, #[case] other: &str) {
        assert_eq!(relate(&of(name, declared), &sqlite(other)), Relation::Same);
    }

    #[rstest]
    #[case("timestamptz", "TEXT")]
    #[case("timestamptz", "INTEGER")]
    #[case("text", "STRING")]
    #[case("text", "INTEGER")]
    #[case("int8", "TEXT")]
    #[case("int4", "BIGINT")]
    #[case("bytea", "TEXT")]
    #[case("numeric", "REAL")]
    #[case("bool", "TEXT")]
    fn other_meanings_are_different(#[case] name: &str, #[case] other: &str) {
        let relation = relate(&of(name, name), &sqlite(other));
        assert!(matches!(relation, Relation::Different(_)), "{relation:?}");
    }

    #[test]
    fn unknown_types_are_never_guessed() {
        assert_eq!(sqlite("FROBNITZ").class, Class::Unknown);
        assert_eq!(of("frobnitz", "frobnitz").class, Class::Unknown);
        let label = postgres("mood", "mood", 'E', vec!["sad".to_owned()]);
        assert_eq!(label.class, Class::Text);
    }
}
