//! Types, and values of each.

/// A type with its values, each as PostgreSQL reads it, or `=` and an expression.
pub struct Case {
    /// As the pipeline file has it.
    pub declared: &'static str,
    /// As the table is made with, where that differs: a domain.
    pub postgres: Option<&'static str>,
    /// The warehouse's type, where it is not the usual one.
    pub kept_as: Option<&'static str>,
    pub values: &'static [&'static str],
}

pub const SETUP: &str = "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
    CREATE TYPE mood AS ENUM ('sad', 'happy', 'with, \"comma\"');
    CREATE DOMAIN price AS numeric(10,2);
    CREATE DOMAIN pricey AS price CHECK (value > 0)";

const fn case(declared: &'static str, values: &'static [&'static str]) -> Case {
    Case { declared, postgres: None, kept_as: None, values }
}

const fn kept(declared: &'static str, kept_as: &'static str, values: &'static [&'static str]) -> Case {
    Case { declared, postgres: None, kept_as: Some(kept_as), values }
}

const fn domain(declared: &'static str, postgres: &'static str, values: &'static [&'static str]) -> Case {
    Case { declared, postgres: Some(postgres), kept_as: None, values }
}

const REALS: &[&str] = &["0.15", "16777217.3", "NaN", "-Infinity", "1e-38", "-0.0", "3.4e38"];
const TIMESTAMPS: &[&str] = &[
    "2024-01-02 03:04:05.678",
    "1950-01-02 03:04:05.001",
    "0001-01-01",
    "9999-12-31 23:59:59.999",
    "1582-10-10 01:02:03",
    "1900-01-01",
    "2299-12-31 23:59:59",
    "infinity",
    "-infinity",
    "0044-03-15 12:00 BC",
    "12345-01-01",
    "294276-12-31",
];

pub const CASES: &[Case] = &[
    case("smallint", &["-32768", "32767", "0"]),
    case("integer", &["-2147483648", "2147483647"]),
    kept("integer", "Int32", &["-2147483648", "2147483647"]),
    kept("bigint", "Int16", &["-32768", "32768"]),
    case("bigint", &["-9223372036854775808", "9223372036854775807"]),
    case("oid", &["4294967295"]),
    case("numeric(10,2)", &["12345678.90", "-0.01", "0", "NaN", "100"]),
    case(
        "numeric(76,30)",
        &[
            "1234567890123456789012345678901234567890123456.123456789012345678901234567890",
            "-0.000000000000000000000000000001",
            "NaN",
        ],
    ),
    case("numeric(38,0)", &["99999999999999999999999999999999999999", "-1"]),
    case("numeric(2,5)", &["0.00012"]),
    case("numeric(5,-2)", &["12300", "-9999900"]),
    case("numeric(80,1)", &["1.5", "=1e78", "NaN"]),
    kept("numeric(20,5)", "Decimal(38, 10)", &["123456789012345.12345"]),
    kept("numeric(10,2)", "String", &["12.50", "NaN"]),
    case(
        "numeric",
        &[
            "1.2345678901234567890",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e-20",
            "1e30",
            "=repeat('9', 400)::numeric + 0.5",
            "0",
            "-1.50",
            "256",
            "-129",
        ],
    ),
    case("real", REALS),
    case("double precision", &["0.1", "1e308", "5e-324", "Infinity", "-0.0", "1e16", "0.30000000000000004", "NaN"]),
    kept("real", "Decimal(18, 4)", &["0.15", "14.719999", "NaN", "16777217.3", "0.00001", "-263.5", "1e12"]),
    kept(
        "double precision",
        "Decimal(9, 2)",
        &["0.15", "35.120000000000005", "0.125", "Infinity", "9999999.99", "10000000"],
    ),
    case("boolean", &["true", "false"]),
    case("text", &["", "O'Brien \\ \"q\" ü 🦀\n\t", "=repeat('long ü ', 120000)", "NULL", "=chr(127) || chr(1)"]),
    kept("text", "LowCardinality(String)", &["a", ""]),
    case("character varying(40)", &["", "x "]),
    case("character(5)", &["ab", "", "  a"]),
    case("bpchar", &["ab  ", ""]),
    case("\"char\"", &["c"]),
    case("citext", &["CiText"]),
    case("ltree", &["a.b"]),
    case(
        "date",
        &[
            "2024-02-29",
            "1900-01-01",
            "2299-12-31",
            "infinity",
            "-infinity",
            "0044-03-15 BC",
            "1899-12-31",
            "2300-01-01",
            "5874897-12-31",
        ],
    ),
    case("timestamp without time zone", TIMESTAMPS),
    case("timestamp without time zone", &["2024-01-02 03:04:05.678901", "1969-12-31 23:59:59.999999"]),
    case("timestamp(3) without time zone", TIMESTAMPS),
    case("timestamp(0) without time zone", &["2024-01-02 03:04:05"]),
    case("timestamp with time zone", TIMESTAMPS),
    case("timestamp(3) with time zone", &["2024-01-02 03:04:05.678+02", "infinity"]),
    case("time without time zone", &["01:02:03.456789", "00:00", "24:00", "23:59:59.999999"]),
    case("time(3) without time zone", &["01:02:03.456", "24:00"]),
    case("time(0) without time zone", &["01:02:03", "24:00"]),
    case("time with time zone", &["01:02:03.456789+02", "24:00+00", "23:59:59.999999-15:59", "00:00+15:59"]),
    case(
        "interval",
        &[
            "1 year 2 months 3 days 04:00:00.5",
            "-1 year -2 months +3 days -04:00:00",
            "0",
            "178000000 years",
            "-178000000 years",
            "10 days -1 microsecond",
        ],
    ),
    case("interval day to second", &["3 days 04:00:00.5", "1 microsecond"]),
    case("uuid", &["7B2D9F8E-0000-4000-8000-000000000001", "00000000-0000-0000-0000-000000000000"]),
    case("json", &["{\"a\": [1, null],  \"b\": \"x\"}", "null"]),
    case("jsonb", &["{\"a\": [1, null], \"b\": \"x\"}", "null", "\"ü\""]),
    case("bytea", &["\\x00ff10fbfe", "", "=convert_to(repeat('long', 1000), 'UTF8')"]),
    case("mood", &["happy", "with, \"comma\""]),
    domain("numeric(10,2)", "price", &["12.5"]),
    domain("numeric(10,2)", "pricey", &["12.5"]),
    case("int4range", &["[1,5)", "empty", "(,)"]),
    case("int8range", &["[1,5)"]),
    case("numrange", &["(1.5,2.50]", "empty"]),
    case("daterange", &["[2024-01-01,2024-02-01)", "(,)"]),
    case("tsrange", &["[2024-01-01 00:00,2024-02-01 12:00:00.5)", "[2024-01-01 00:00,)"]),
    case("tstzrange", &["[2024-01-01 00:00+00,2024-02-01 00:00:00.5+02)", "(,2024-01-01 00:00+00]", "empty"]),
    case("inet", &["10.0.0.1", "10.0.0.1/8", "::1"]),
    case("cidr", &["10.0.0.0/8", "::/0"]),
    case("macaddr", &["08:00:2b:01:02:03"]),
    case("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    case("money", &["1234.5", "-92233720368547758.08", "92233720368547758.07", "0"]),
    case("bit(1)", &["1", "0"]),
    case("bit(5)", &["10110", "00000", "11111"]),
    case("bit(12)", &["100000000001", "000000000001"]),
    case("hstore", &["a=>1, \"b c\"=>NULL", "", "\"a\\\"b\"=>\"c'd\\\\\"", "bb=>1, a=>2, aaa=>3"]),
    case("tsvector", &["a fat cat", ""]),
    case("xml", &["<a>x</a>", ""]),
    case("smallint[]", &["{1,NULL,3}", "{}"]),
    case("integer[]", &["{1,NULL,3}", "{}", "{{1,2},{3,4}}", "[2:4]={1,2,3}"]),
    case("bigint[]", &["{9223372036854775807}"]),
    case("numeric[]", &["{1.50,NULL,1e100}", "{}"]),
    case("numeric(10,2)[]", &["{1.50,NULL}"]),
    case("real[]", &["{0.15,NULL,1e10}", "{NaN,Infinity}", "{}"]),
    case("double precision[]", &["{0.1,NULL,1e22}", "{NaN,-Infinity,1e300,-0.0}"]),
    case("boolean[]", &["{t,f,NULL}"]),
    case("text[]", &["{a,\"b c\",NULL,\"NULL\",\"q\\\"u\\\\\"}", "{}", "{{a,b},{c,NULL}}", "{ü🦀}"]),
    case("character varying(9)[]", &["{a,b}"]),
    case("character(3)[]", &["{a,NULL}"]),
    case("date[]", &["{2024-02-29,NULL}", "{infinity}", "{}", "{12345-01-01}"]),
    case("timestamp without time zone[]", &["{2024-01-02 03:04:05.678901,NULL}", "{infinity}", "{}"]),
    case("timestamp(3) without time zone[]", &["{2024-01-02 03:04:05.678,NULL}"]),
    case("timestamp with time zone[]", &["{2024-01-02 03:04:05.5+02,NULL}", "{infinity}", "{}"]),
    case("time without time zone[]", &["{01:02:03.5,NULL}"]),
    case("time(3) without time zone[]", &["{01:02:03.5,NULL}"]),
    case("time with time zone[]", &["{01:02:03.5+02,NULL}"]),
    case("uuid[]", &["{7b2d9f8e-0000-4000-8000-000000000001,NULL}"]),
    case("json[]", &["=array['{\"a\": 1}', NULL]::json[]"]),
    case("jsonb[]", &["=array['{\"a\": 1}', NULL]::jsonb[]", "{}"]),
    case("bytea[]", &["=array['\\x00ff', NULL]::bytea[]", "{}"]),
    case("inet[]", &["{10.0.0.1,NULL}"]),
    case("cidr[]", &["{10.0.0.0/8}"]),
    case("macaddr[]", &["{08:00:2b:01:02:03}"]),
    case("hstore[]", &["=array['a=>1'::hstore]"]),
    case("int4range[]", &["=array['[1,5)'::int4range, NULL]"]),
    case("citext[]", &["{X,y}"]),
    case("oid[]", &["{1,2}"]),
    case("point", &["(1,2)"]),
    case("path", &["[(0,0),(1,1)]"]),
    case("polygon", &["((0,0),(1,1),(1,0))"]),
    case("circle", &["<(0,0),1>"]),
    case("box", &["((0,0),(1,1))"]),
];

/// What the connector loses, and no event shows: with this setting (or any), of this type, this value.
pub const LOST: &[(&str, &str, &str)] = &[
    ("precise", "numeric(10,2)", "NaN"),
    ("precise", "numeric(76,30)", "NaN"),
    ("precise", "numeric(80,1)", "NaN"),
    ("precise", "numeric", "NaN"),
    ("precise", "numeric", "Infinity"),
    ("precise", "numeric", "-Infinity"),
    ("isostring", "time without time zone", "24:00"),
    ("isostring", "time(3) without time zone", "24:00"),
    ("isostring", "time(0) without time zone", "24:00"),
    ("", "integer[]", "{{1,2},{3,4}}"),
];

/// Does the connector lose the value, and no event shows it?
pub fn is_lost(settings: &[(&str, &str)], of: &str, value: &str) -> bool {
    let is_set = |mode: &str| settings.iter().any(|(_, set)| mode.is_empty() || *set == mode);
    LOST.iter().any(|(mode, declared, lost)| is_set(mode) && *declared == of && *lost == value)
}
