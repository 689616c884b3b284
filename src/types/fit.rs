//! A column whose type has changed in PostgreSQL since the pipeline's file was written: what becomes of the values that come now?

use crate::types::connector::{DecimalMode, TimeMode};
use crate::types::decimal::Decimal;
use crate::types::kind::Kind;
use crate::types::{ColumnType, Connector, SourceType};

/// What becomes of a column's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// They are read as before.
    Fits,
    /// Most are; what is said happens to the others.
    Mostly(String),
    /// They are refused: their rows wait in quarantine.
    Refused,
    /// They look like values of the known type and mean something else.
    Misread(&'static str),
}

impl ColumnType {
    /// Does this type read what the connector sends of the type that PostgreSQL has now?
    pub fn fit(&self, now: &SourceType, connector: &Connector) -> Fit {
        if now.text == self.source.text {
            return Fit::Fits;
        }
        match ColumnType::of(now.clone(), connector) {
            Ok(now) => self.kind.fit(&now, connector),
            Err(_) => Fit::Refused,
        }
    }
}

impl Kind {
    fn fit(&self, now: &ColumnType, connector: &Connector) -> Fit {
        let is_iso = connector.time == TimeMode::IsoString;
        match (self, &now.kind) {
            (known, now) if known == now => Fit::Fits,
            (Kind::Int { width }, Kind::Int { .. }) => match now.source.base.as_str() {
                "bigint" | "oid" if *width < 8 => beyond(8 * width),
                "integer" if *width < 4 => beyond(8 * width),
                "smallint" if *width < 2 => beyond(8 * width),
                _ => Fit::Fits,
            },
            (Kind::Int { width: 8 }, Kind::Decimal { kept: Decimal { precision: ..=18, scale: 0 }, sent })
                if sent.mode != DecimalMode::Precise =>
            {
                Fit::Fits
            }
            (Kind::Int { .. } | Kind::Amount(_) | Kind::Decimal { .. } | Kind::Float { .. }, Kind::Date) if !is_iso => {
                Fit::Misread("a date is sent as its number of days")
            }
            (
                Kind::Int { .. } | Kind::Amount(_) | Kind::Decimal { .. } | Kind::Float { .. } | Kind::Numeric(_),
                Kind::Timestamp(_) | Kind::Time(_) | Kind::Interval,
            ) if !is_iso || now.kind == Kind::Interval => Fit::Misread("a time is sent as its number of microseconds"),
            (Kind::Amount(_), Kind::Float { .. }) => Fit::Fits,
            (Kind::Amount(amount), now_kind) => digits(amount.0, amount.whole_digits(), now_kind, &now.source),
            (Kind::Decimal { kept, sent }, now_kind) => match now_kind {
                Kind::Decimal { sent: now, .. } | Kind::Numeric(now)
                    if now.mode == DecimalMode::Precise && now.scale != sent.scale =>
                {
                    Fit::Misread("its digits are sent without the scale, which was another one")
                }
                _ => digits(*kept, kept.precision - kept.scale, now_kind, &now.source),
            },
            (Kind::Numeric(_), Kind::Int { .. } | Kind::Decimal { .. } | Kind::Numeric(_)) => Fit::Fits,
            (Kind::Numeric(_), Kind::Float { .. }) => {
                Fit::Mostly(in_quarantine("a number with more than fifteen digits"))
            }
            (Kind::Float { .. }, Kind::Int { .. } | Kind::Float { .. }) => Fit::Fits,
            (Kind::Float { .. }, Kind::Decimal { sent, .. } | Kind::Numeric(sent)) => match sent.mode {
                DecimalMode::Precise => Fit::Refused,
                _ => Fit::Mostly("digits beyond the fifteenth are rounded away".to_owned()),
            },
            (Kind::Date, Kind::Int { .. }) => Fit::Misread("a whole number is taken for a number of days"),
            (Kind::Timestamp(_) | Kind::Time(_) | Kind::Interval, Kind::Int { .. }) => {
                Fit::Misread("a whole number is taken for a time")
            }
            (Kind::Timestamp(_), Kind::Timestamp(_)) | (Kind::Time(_), Kind::Time(_)) if is_iso => Fit::Fits,
            (
                Kind::Timestamp(_) | Kind::Time(_) | Kind::Interval,
                Kind::Timestamp(_) | Kind::Time(_) | Kind::Interval | Kind::Date,
            ) => Fit::Misread("a number is sent that counts another unit"),
            (Kind::Timestamp(_), Kind::TimestampTz) => Fit::Mostly("times are in UTC from now on".to_owned()),
            (Kind::Text | Kind::Bpchar, Kind::Digest(_) | Kind::Bits(_)) => {
                Fit::Misread("the bytes are written as they are sent, in base64")
            }
            (Kind::Text | Kind::Bpchar, now_kind) if now_kind.is_sent_as_text(is_iso) => Fit::Fits,
            (Kind::Uuid, Kind::Text | Kind::Bpchar) => Fit::Mostly(in_quarantine("a text that is no UUID")),
            (Kind::Digest(_), Kind::Text | Kind::Bpchar) => {
                Fit::Misread("a text that happens to be base64 is taken for bytes")
            }
            (Kind::Bits(_), Kind::Bits(_)) => Fit::Misread("the bits are sent without saying how many there are"),
            (Kind::Array(known), Kind::Array(element)) => {
                let element =
                    ColumnType { source: now.source.element(), kind: (**element).clone(), low_cardinality: false };
                known.fit(&element, connector)
            }
            _ => Fit::Refused,
        }
    }

    fn is_sent_as_text(&self, is_iso: bool) -> bool {
        match self {
            Kind::Text | Kind::Bpchar | Kind::Uuid | Kind::TimestampTz | Kind::TimeTz | Kind::TstzRange => true,
            Kind::Decimal { sent, .. } | Kind::Numeric(sent) => sent.mode == DecimalMode::String,
            Kind::Date | Kind::Timestamp(_) | Kind::Time(_) => is_iso,
            _ => false,
        }
    }
}

/// Does a decimal column that takes `whole` digits before the point take the numbers of another type?
fn digits(kept: Decimal, whole: u32, now: &Kind, source: &SourceType) -> Fit {
    let (new_whole, new_scale) = match now {
        Kind::Int { .. } => match source.base.as_str() {
            "smallint" => (5, 0),
            "integer" | "oid" => (10, 0),
            _ => (19, 0),
        },
        Kind::Decimal { kept: new, .. } => (new.precision - new.scale, new.scale),
        Kind::Numeric(_) | Kind::Float { .. } => (u32::MAX, u32::MAX),
        _ => return Fit::Refused,
    };
    match (new_whole > whole, new_scale > kept.scale) {
        (false, false) => Fit::Fits,
        (true, false) => {
            Fit::Mostly(in_quarantine(&format!("a number with more than {whole} digits before the point")))
        }
        (false, true) => {
            Fit::Mostly(in_quarantine(&format!("a number with more than {} digits behind the point", kept.scale)))
        }
        (true, true) => Fit::Mostly(in_quarantine(&format!(
            "a number with more than {whole} digits before the point or {} behind it",
            kept.scale
        ))),
    }
}

fn beyond(bits: usize) -> Fit {
    Fit::Mostly(in_quarantine(&format!("a whole number of more than {bits} bits")))
}

fn in_quarantine(what: &str) -> String {
    format!("{what} waits in quarantine (`decode`)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(known: &str, kept_as: Option<&str>, now: &str) -> Fit {
        let connector = Connector::default();
        let known = ColumnType::parse(&format!("{known} null"), kept_as, &connector).unwrap();
        known.fit(&SourceType::of_catalogue(now, true), &connector)
    }

    const AMOUNT: Option<&str> = Some("Decimal(18, 4)");

    #[test]
    fn a_widened_column_is_nothing_to_do() {
        for (known, kept_as, now) in [
            ("smallint", None, "bigint"),
            ("integer", None, "numeric(5,0)"),
            ("character varying(40)", None, "text"),
            ("text", None, "character(5)"),
            ("text", None, "mood"),
            ("text", None, "uuid"),
            ("text", None, "numeric(20,5)"),
            ("real", AMOUNT, "double precision"),
            ("real", AMOUNT, "numeric(12,2)"),
            ("real", AMOUNT, "integer"),
            ("real", None, "double precision"),
            ("numeric(10,2)", None, "numeric(9,1)"),
            ("numeric", None, "numeric(9,1)"),
            ("integer[]", None, "bigint[]"),
        ] {
            assert_eq!(of(known, kept_as, now), Fit::Fits, "{known} {now}");
        }
    }

    #[test]
    fn another_type_is_refused_or_misread() {
        for (known, kept_as, now) in [
            ("text", None, "integer"),
            ("text", None, "date"),
            ("text", None, "integer[]"),
            ("text", None, "boolean"),
            ("text", None, "name"),
            ("integer", None, "text"),
            ("integer", None, "real"),
            ("integer", None, "numeric(10,2)"),
            ("date", None, "timestamp without time zone"),
            ("real", AMOUNT, "text"),
            ("bytea", None, "integer"),
        ] {
            assert_eq!(of(known, kept_as, now), Fit::Refused, "{known} {now}");
        }
        for (known, kept_as, now) in [
            ("integer", None, "date"),
            ("integer", None, "interval"),
            ("date", None, "integer"),
            ("text", None, "bytea"),
            ("real", AMOUNT, "timestamp without time zone"),
            ("timestamp(3) without time zone", None, "timestamp without time zone"),
            ("bytea", None, "text"),
            ("bit(5)", None, "bit(6)"),
        ] {
            assert!(matches!(of(known, kept_as, now), Fit::Misread(_)), "{known} {now}");
        }
    }

    #[test]
    fn digits_that_have_no_room_are_named() {
        let said = |known: &str, kept_as, now: &str| match of(known, kept_as, now) {
            Fit::Mostly(but) => but,
            other => panic!("{known} {now}: {other:?}"),
        };
        assert!(said("real", AMOUNT, "numeric(10,6)").starts_with("a number with more than 4 digits behind the point"));
        assert!(said("numeric(10,2)", None, "bigint").starts_with("a number with more than 8 digits before the point"));
        assert!(said("real", AMOUNT, "numeric").contains("more than 12 digits before the point or 4 behind it"));
        assert!(said("smallint", Some("Int16"), "bigint").starts_with("a whole number of more than 16 bits"));
    }
}
