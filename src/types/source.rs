//! The source's type, as PostgreSQL's catalogue writes it (`format_type`), followed by `null` or `not null`.

/// A type as PostgreSQL writes it, `numeric(10,2)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceType {
    /// As it is written, without `null` or `not null`.
    pub text: String,
    /// Without modifiers and brackets: `numeric`.
    pub base: String,
    /// The modifiers: 10, 2.
    pub modifiers: Vec<i64>,
    /// Is it an array of `base`?
    pub is_array: bool,
    /// May it be NULL?
    pub nullable: bool,
}

/// What people write, and how the catalogue does.
const ALIASES: [(&str, &str); 22] = [
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("serial", "integer"),
    ("bigserial", "bigint"),
    ("smallserial", "smallint"),
    ("decimal", "numeric"),
    ("float", "double precision"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("bool", "boolean"),
    ("varchar", "character varying"),
    ("char", "character"),
    ("varbit", "bit varying"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("blob", "bytea"),
    ("string", "text"),
    ("datetime", "timestamp without time zone"),
];

/// Types that are not PostgreSQL's own, and that Debezium knows.
const OF_EXTENSIONS: [&str; 13] = [
    "citext",
    "ltree",
    "hstore",
    "vector",
    "halfvec",
    "sparsevec",
    "geometry",
    "geography",
    "isbn",
    "isbn13",
    "ean13",
    "issn",
    "issn13",
];

impl SourceType {
    /// Reads `smallint not null`.
    ///
    /// # Errors
    /// It is not written as the catalogue would: what to write instead.
    pub fn parse(declared: &str) -> Result<SourceType, String> {
        let declared = declared.trim();
        let (text, nullable) = match (declared.strip_suffix(" not null"), declared.strip_suffix(" null")) {
            (Some(text), _) => (text, false),
            (None, Some(text)) => (text, true),
            (None, None) => {
                return Err(format!(
                    "{declared:?} does not say whether it may be NULL: write {:?} or {:?}",
                    format!("{declared} not null"),
                    format!("{declared} null")
                ));
            }
        };
        let parsed = SourceType::of_catalogue(text, nullable);
        let SourceType { text, .. } = &parsed;
        match parsed.alias() {
            Some(name) => Err(format!("{text:?}: write the type as PostgreSQL's catalogue does, {name:?}")),
            None if text.matches('(').count() != text.matches(')').count() || parsed.base == "not" => {
                Err(format!("{text:?} is no type: write it as PostgreSQL's catalogue does, as in \"numeric(10,2)\""))
            }
            None if parsed.base.is_empty() || parsed.base.ends_with("[]") => {
                Err(format!("{text:?} is no type: an array of any number of dimensions is written \"integer[]\""))
            }
            None => Ok(parsed),
        }
    }

    /// Reads what `format_type` wrote.
    pub fn of_catalogue(text: &str, nullable: bool) -> SourceType {
        let text = text.trim();
        let (element, is_array) = text.strip_suffix("[]").map_or((text, false), |element| (element, true));
        let (before, rest) = element.split_once('(').unwrap_or((element, ""));
        let (inside, after) = rest.split_once(')').unwrap_or(("", rest));
        let modifiers: Option<Vec<i64>> = match inside {
            "" => Some(Vec::new()),
            numbers => numbers.split(',').map(|number| number.trim().parse().ok()).collect(),
        };
        let base = format!("{before}{after}");
        // An extension may have put its types into any schema.
        let base = match base.rsplit_once('.') {
            Some((_, name)) if OF_EXTENSIONS.contains(&name) => name.to_owned(),
            _ => base,
        };
        // `interval day to second` is stored as any other.
        let base = if base.starts_with("interval ") { "interval".to_owned() } else { base };
        SourceType { text: text.to_owned(), base, modifiers: modifiers.unwrap_or_default(), is_array, nullable }
    }

    /// The type of an array's elements; they may be NULL.
    pub fn element(&self) -> SourceType {
        let text = self.text.trim_end_matches("[]").to_owned();
        SourceType { text, is_array: false, nullable: true, ..self.clone() }
    }

    /// Digits behind the second of a time.
    pub fn digits(&self) -> i64 {
        self.modifiers.first().copied().unwrap_or(6)
    }

    fn alias(&self) -> Option<String> {
        let lower = self.base.to_ascii_lowercase();
        let (_, name) = ALIASES.iter().find(|(alias, _)| *alias == lower)?;
        let modifiers = self.modifiers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let modifiers = if modifiers.is_empty() { modifiers } else { format!("({modifiers})") };
        let (name, zone) = name.split_once(' ').filter(|_| name.contains("time zone")).unwrap_or((name, ""));
        let (space, brackets) = (if zone.is_empty() { "" } else { " " }, if self.is_array { "[]" } else { "" });
        let null = if self.nullable { "null" } else { "not null" };
        Some(format!("{name}{modifiers}{space}{zone}{brackets} {null}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_text_is_read() {
        let read = |text| {
            let SourceType { base, modifiers, is_array, nullable, .. } = SourceType::parse(text).unwrap();
            (base, modifiers, is_array, nullable)
        };
        assert_eq!(read("smallint not null"), ("smallint".to_owned(), vec![], false, false));
        assert_eq!(read("numeric(10,-2) null"), ("numeric".to_owned(), vec![10, -2], false, true));
        assert_eq!(
            read("timestamp(3) with time zone not null"),
            ("timestamp with time zone".to_owned(), vec![3], false, false)
        );
        assert_eq!(read("character varying(40)[] null"), ("character varying".to_owned(), vec![40], true, true));
        assert_eq!(read("interval day to second(3) null"), ("interval".to_owned(), vec![3], false, true));
        assert_eq!(read("ext.hstore null"), ("hstore".to_owned(), vec![], false, true));
        assert_eq!(read("shop.\"Mood\" null"), ("shop.\"Mood\"".to_owned(), vec![], false, true));
    }

    #[test]
    fn what_is_written_otherwise_is_told_how() {
        let error = |text| SourceType::parse(text).unwrap_err();
        assert_eq!(
            error("smallint"),
            "\"smallint\" does not say whether it may be NULL: write \"smallint not null\" or \"smallint null\""
        );
        assert_eq!(
            error("varchar(40) null"),
            "\"varchar(40)\": write the type as PostgreSQL's catalogue does, \"character varying(40) null\""
        );
        assert!(error("timestamptz(3)[] not null").ends_with("\"timestamp(3) with time zone[] not null\""));
        assert!(error("integer[][] null").contains("is written \"integer[]\""));
    }
}
