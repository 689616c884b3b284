//! Rows: the columns of the source table followed by the system columns that every warehouse table has.

use std::borrow::Cow;

use clickhouse::{Row, RowWrite};
use serde::{Deserialize, Serialize};

use crate::cdc::Standing;
use crate::old::Text;
use crate::old::rules::{Reference, Rule};
use crate::types::KEY_SEPARATOR;

/// A key column: its name, and the type it has in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumn {
    /// Column name, the same in source and warehouse.
    pub name: &'static str,
    /// PostgreSQL type, as in a cast.
    pub source_type: &'static str,
}

/// What the engine needs to know of a table. Everything else about a table stands in its own file.
pub trait Table: Sized + 'static {
    /// Table name in the source, schema `public`.
    const SOURCE: &'static str;
    /// Table name in the warehouse.
    const TARGET: &'static str;
    /// The warehouse table's DDL.
    const DDL: &'static str;
    /// The primary key.
    const KEY: &'static [KeyColumn];
    /// The rows of other tables that a row points at.
    const REFERENCES: &'static [Reference<Self>] = &[];
    /// The business rules, besides "what it points at exists".
    const RULES: &'static [Rule<Self>] = &[];
    /// The row type; `'static` stands for "any lifetime".
    type Row: RowWrite + for<'a> Row<Value<'a>: SourceRow<'a>>;
}

/// The row of table `T` that borrows for `'a`.
pub type RowOf<'a, T> = <<T as Table>::Row as Row>::Value<'a>;

/// The key of a row of table `T`.
pub type KeyOf<'a, T> = <RowOf<'a, T> as SourceRow<'a>>::Key;

/// A row that was decoded from a change event and can be written to the warehouse.
pub trait SourceRow<'a>: Sized + Serialize + Deserialize<'a> {
    /// The key columns alone; decodes from the message key, or from `before`.
    type Key: Deserialize<'a> + RowKey;

    /// The canonical text of the key: [`KEY_SEPARATOR`] between parts.
    fn key_text(&self) -> Cow<'_, str>;

    /// The row that says "this key is gone": key columns only, because with REPLICA IDENTITY DEFAULT the other
    /// columns of `before` are placeholders.
    fn deleted(key: Self::Key) -> Self;

    /// Sets the system columns, whatever the source's JSON said in fields of these names.
    fn stamp(&mut self, system: System<'a>);

    /// The `_version` it was stamped with.
    fn version(&self) -> u64;

    /// Where it stands.
    fn standing(&self) -> Standing;
}

/// The key columns of a row.
pub trait RowKey {
    /// The canonical text of the key, as [`SourceRow::key_text`].
    fn text(&self) -> Cow<'_, str>;

    /// Bytes that compare as the key does in `ORDER BY`.
    fn sort_key(&self) -> Vec<u8>;
}

/// The system columns (design: `docs/DESIGN.md`, "Columns that every row has").
#[derive(Debug, Clone, Default)]
pub struct System<'a> {
    /// Debezium's op.
    pub op: Text<'a>,
    /// Commit time in the source, seconds since the epoch.
    pub src_ts: u32,
    /// Log order, see [`crate::cdc::Version`].
    pub version: u64,
    /// Is the row gone?
    pub deleted: bool,
    /// When it was written, seconds since the epoch.
    pub updated_at: u32,
    /// Commit time in the source, milliseconds since the epoch.
    pub source_ts_ms: i64,
    /// Position in PostgreSQL's log.
    pub lsn: Option<u64>,
    /// Top-level transaction id.
    pub tx_id: Option<u64>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// JSON of columns that the row type does not know, or empty.
    pub extra: Text<'a>,
}

/// Joins the parts of a key into its canonical text.
pub fn join_key<'a>(parts: &[Cow<'a, str>]) -> Cow<'a, str> {
    match parts {
        [only] => only.clone(),
        many => Cow::Owned(many.join(&KEY_SEPARATOR.to_string())),
    }
}

/// Declares a table's row type, its key type, and the system columns behind them.
///
/// A field's type says how it is decoded and encoded (see [`crate::old::column`]); `Option` says that it may be NULL.
macro_rules! row {
    (
        $(#[$meta:meta])*
        pub struct $Row:ident<$a:lifetime> keyed by $Key:ident {
            key { $($key:ident: $KeyType:ty,)+ }
            $($column:ident: $Type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, clickhouse::Row, serde::Serialize, serde::Deserialize)]
        #[serde(bound(deserialize = "'de: 'a"))]
        #[allow(missing_docs)]
        pub struct $Row<$a> {
            $(pub $key: $KeyType,)+
            $(pub $column: $Type,)*
            #[serde(default)] pub op: $crate::old::Text<$a>,
            #[serde(default)] pub src_ts: u32,
            #[serde(default)] pub _version: u64,
            #[serde(default)] pub _deleted: u8,
            #[serde(default)] pub _updated_at: u32,
            #[serde(default)] pub _source_ts_ms: i64,
            #[serde(default)] pub _lsn: Option<u64>,
            #[serde(default)] pub _tx_id: Option<u64>,
            #[serde(default)] pub _partition: i32,
            #[serde(default)] pub _offset: i64,
            #[serde(default)] pub _extra: $crate::old::Text<$a>,
        }

        /// The key columns alone.
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(bound(deserialize = "'de: 'a"))]
        #[allow(missing_docs)]
        pub struct $Key<$a> {
            $(pub $key: $KeyType,)+
            #[serde(skip)]
            borrows: std::marker::PhantomData<&$a ()>,
        }

        impl $crate::old::RowKey for $Key<'_> {
            fn text(&self) -> std::borrow::Cow<'_, str> {
                $crate::old::join_key(&[$($crate::old::KeyPart::text(&self.$key)),+])
            }

            fn sort_key(&self) -> Vec<u8> {
                let mut out = Vec::new();
                $($crate::old::KeyPart::sort_key(&self.$key, &mut out);)+
                out
            }
        }

        impl<$a> $Row<$a> {
            /// The primary key's columns.
            pub const KEY: &'static [$crate::old::KeyColumn] = &[$($crate::old::KeyColumn {
                name: stringify!($key),
                source_type: <$KeyType as $crate::old::KeyPart>::SOURCE_TYPE,
            }),+];
        }

        impl<$a> $crate::old::SourceRow<$a> for $Row<$a> {
            type Key = $Key<$a>;

            fn key_text(&self) -> std::borrow::Cow<'_, str> {
                $crate::old::join_key(&[$($crate::old::KeyPart::text(&self.$key)),+])
            }

            fn deleted(key: Self::Key) -> Self {
                $Row {
                    $($key: key.$key,)+
                    $($column: Default::default(),)*
                    op: Default::default(), src_ts: 0, _version: 0, _deleted: 0, _updated_at: 0, _source_ts_ms: 0,
                    _lsn: None, _tx_id: None, _partition: 0, _offset: 0, _extra: Default::default(),
                }
            }

            fn stamp(&mut self, system: $crate::old::System<$a>) {
                self.op = system.op;
                self.src_ts = system.src_ts;
                self._version = system.version;
                self._deleted = u8::from(system.deleted);
                self._updated_at = system.updated_at;
                self._source_ts_ms = system.source_ts_ms;
                self._lsn = system.lsn;
                self._tx_id = system.tx_id;
                self._partition = system.partition;
                self._offset = system.offset;
                self._extra = system.extra;
            }

            fn version(&self) -> u64 {
                self._version
            }

            fn standing(&self) -> $crate::cdc::Standing {
                $crate::cdc::Standing {
                    version: self._version,
                    partition: self._partition,
                    offset: self._offset,
                    lsn: self._lsn,
                    ts_ms: self._source_ts_ms,
                    deleted: self._deleted != 0,
                }
            }
        }
    };
}

pub(crate) use row;
