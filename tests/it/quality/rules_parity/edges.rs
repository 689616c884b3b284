//! The rows: for each type the values at its edges, beside ever different ones of the others.

use chrono::{NaiveDate, NaiveDateTime};
use lockstep::rules::{Labels, Type, Value, i256};

const ROWS: usize = 90;

/// A column: its name, its types in the two servers, and the values at its edges; `None` is NULL.
pub struct Edges {
    pub name: &'static str,
    pub ty: Type,
    pub postgres: &'static str,
    pub clickhouse: &'static str,
    values: &'static [&'static str],
}

const NUMBERS: &[&str] =
    &["0.00", "0.01", "-0.01", "9.80", "9.85", "-9.85", "2.50", "-2.50", "99999999.99", "-99999999.99", "1.00", "0.15"];
const TEXTS: &[&str] = &[
    "", " ", "  a ", "a", "A", "B", "b", "ab", "AL", "al", "é", "É", "ſ", "s", "S", "İ", "i", "ß", "😀", "x😀y",
    "a\nb", "\n", "a\\b", "\\", "'", "a%b", "a_b", "Köln", "\t", "a\"b", "12",
];
const DATES: &[&str] = &[
    "1900-01-01",
    "2299-12-31",
    "2024-02-29",
    "2023-02-28",
    "1970-01-01",
    "1969-12-31",
    "2024-01-31",
    "2149-06-07",
    "2024-03-31",
];
const MOMENTS: &[&str] = &[
    "1900-01-01 00:00:00.000000",
    "2299-12-31 23:59:59.999999",
    "2024-02-29 12:30:59.123456",
    "2024-01-31 00:00:00.000000",
    "1970-01-01 00:00:00.000000",
    "1969-12-31 23:59:59.999999",
    "2149-06-07 01:00:00.000000",
];

pub fn columns() -> Vec<Edges> {
    let edges = |name, ty, postgres, clickhouse, values| Edges { name, ty, postgres, clickhouse, values };
    let integers = &[
        "0",
        "1",
        "-1",
        "2",
        "3",
        "5",
        "7",
        "-7",
        "9223372036854775807",
        "-9223372036854775808",
        "2147483648",
        "1449",
        "1450",
        "9007199254740993",
    ];
    vec![
        edges("i", Type::Int(64), "bigint", "Int64", integers),
        edges("j", Type::Int(16), "smallint", "Int64", &["0", "1", "-1", "2", "3", "32767", "-32768", "5"]),
        edges("n", Type::Decimal(10, 2), "numeric(10, 2)", "Decimal(10, 2)", NUMBERS),
        edges(
            "m",
            Type::Decimal(38, 10),
            "numeric(38, 10)",
            "Decimal(38, 10)",
            &[
                "0.0000000000",
                "9.8000000000",
                "0.3333333333",
                "-1.5000000000",
                "9999999999999999999999999999.9999999999",
                "2.5000000000",
            ],
        ),
        edges(
            "r",
            Type::Real(Some((18, 4))),
            "real",
            "Decimal(18, 4)",
            &["0.15", "0.25", "-0.15", "0", "9.8", "1234.5", "16777216"],
        ),
        edges(
            "d",
            Type::Double(None),
            "double precision",
            "Float64",
            &["0", "-0", "0.1", "0.3", "2.5", "-2.5", "1e300", "-1e-300", "NaN", "inf", "-inf", "3"],
        ),
        edges("t", Type::Text, "text", "String", TEXTS),
        edges("v", Type::Text, "varchar(20)", "String", TEXTS),
        edges("c", Type::Char(5), "char(5)", "String", &["", "AL", "al", " AL", "AL x", "é", "😀", "ABCDE"]),
        edges("b", Type::Bool, "boolean", "Bool", &["true", "false"]),
        edges("dt", Type::Date, "date", "Date32", DATES),
        edges("du", Type::Date, "date", "Date32", DATES),
        edges("ts", Type::Timestamp, "timestamp", "DateTime64(6, 'UTC')", MOMENTS),
        edges("tz", Type::TimestampTz, "timestamptz", "DateTime64(6, 'UTC')", MOMENTS),
        edges(
            "uu",
            Type::Uuid,
            "uuid",
            "UUID",
            &[
                "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
                "00000000-0000-0000-0000-000000000000",
                "f1f0c404-5cb3-11e7-007b-a6006ad3dba0",
            ],
        ),
        edges("e", Type::Enum(labels()), "mood", "String", &["sad", "ok", "happy"]),
        edges("Odd \"\\Name", Type::Int(32), "integer", "Int64", &["0", "1", "-2147483648"]),
    ]
}

fn labels() -> Labels {
    ["sad", "ok", "happy"].map(str::to_owned).to_vec().into()
}

/// A row: a text for each column, `None` for NULL.
pub type Row = Vec<Option<&'static str>>;

/// Every edge of every column, beside ever different ones of the others.
pub fn rows(edges: &[Edges]) -> Vec<Row> {
    let pick = |row: usize, column: usize, values: &'static [&'static str]| {
        // A NULL is a value as all others; steps that have no common factor with the numbers of values.
        let step = [1, 3, 7, 11, 13, 17][(row / 31 + column) % 6];
        let position = (row * step + column * row / 7 + column) % (values.len() + 1);
        values.get(position).copied()
    };
    (0..ROWS)
        .map(|row| edges.iter().enumerate().map(|(column, edges)| pick(row, column, edges.values)).collect())
        .collect()
}

pub fn value(text: &'static str, ty: &Type) -> Value<'static> {
    let decimal = |scale: u8| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Value::Number(format!("{whole}{fraction:0<width$}", width = usize::from(scale)).parse::<i256>().unwrap())
    };
    match ty {
        Type::Bool => Value::Bool(text == "true"),
        Type::Int(_) => Value::Number(text.parse().unwrap()),
        Type::Decimal(_, scale) | Type::Real(Some((_, scale))) | Type::Double(Some((_, scale))) => decimal(*scale),
        Type::Real(None) | Type::Double(None) => Value::Double(text.parse().unwrap()),
        Type::Date => Value::Moment(i64::from(text.parse::<NaiveDate>().unwrap().to_epoch_days())),
        Type::Timestamp | Type::TimestampTz => {
            let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap();
            Value::Moment(moment.and_utc().timestamp_micros())
        }
        _ => Value::text(text),
    }
}
