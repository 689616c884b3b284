//! What can be seen of a SELECT for ClickHouse without a server: what it reads, what it gives, and whether it answers twice the same.
//!
//! Its words are looked at, not its grammar, of which ClickHouse has more than any parser here knows.

use sqlparser::dialect::ClickHouseDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

/// Something that stands at a byte of the text.
pub(super) type Found = (String, usize);

/// A SELECT, word by word.
pub(super) struct Sql {
    tokens: Vec<(Token, usize)>,
}

/// What answers differently from time to time, or by chance, and what to write instead.
const FICKLE: [(&[&str], &str); 4] = [
    (
        &[
            "today",
            "yesterday",
            "now",
            "now64",
            "nowinblock",
            "now64inblock",
            "current_timestamp",
            "current_date",
            "curdate",
            "localtimestamp",
            "utctimestamp",
            "utc_timestamp",
            "timeslot",
        ],
        "take the time from a column: a row is made when something has changed, not when the day does",
    ),
    (
        &["any", "any_value", "anylast", "anyheavy", "any_respect_nulls", "anylast_respect_nulls", "arbitrary"],
        "write min, max or argMax(value, order)",
    ),
    (
        &[
            "rand",
            "rand32",
            "rand64",
            "randcanonical",
            "randconstant",
            "randomstring",
            "randuniform",
            "randnormal",
            "generateuuidv4",
            "generateuuidv7",
            "generatesnowflakeid",
            "fuzzbits",
            "rownumberinblock",
            "rownumberinallblocks",
            "blocknumber",
            "blocksize",
            "runningdifference",
            "neighbor",
            "hostname",
            "uptime",
        ],
        "leave it out: it is another one each time",
    ),
    (
        &["quantile", "quantiles", "median", "grouparraysample", "topk", "uniqcombined", "uniqhll12"],
        "write the exact one, as quantileExact or uniqExact",
    ),
];

/// Functions over a window that need to know its order.
const ORDERED: [&str; 10] = [
    "row_number",
    "rank",
    "dense_rank",
    "first_value",
    "last_value",
    "nth_value",
    "lag",
    "lead",
    "laginframe",
    "leadinframe",
];

/// Words by which a moment is asked for without parentheses.
const MOMENTS: [&str; 3] = ["current_timestamp", "current_date", "localtimestamp"];

impl Sql {
    /// Reads the words of a text.
    ///
    /// # Errors
    /// A quote or a comment has no end: what is wrong, and where.
    pub fn read(text: &str) -> Result<Sql, Found> {
        let tokens = Tokenizer::new(&ClickHouseDialect {}, text).tokenize_with_location();
        let tokens = tokens.map_err(|error| (error.message, offset(text, error.location)))?;
        let words = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        Ok(Sql { tokens: words.map(|word| (word.token, offset(text, word.span.start))).collect() })
    }

    /// `{name}`.
    pub fn placeholders(&self) -> Vec<Found> {
        let name = |window: &[(Token, usize)]| match window {
            [(Token::LBrace, at), (Token::Word(word), _), (Token::RBrace, _)] => Some((word.value.clone(), *at)),
            _ => None,
        };
        self.tokens.windows(3).filter_map(name).collect()
    }

    /// The tables of the warehouse that it reads: `{db}.name`.
    pub fn tables(&self) -> Vec<Found> {
        let table = |window: &[(Token, usize)]| match window {
            [
                (Token::LBrace, _),
                (Token::Word(db), _),
                (Token::RBrace, _),
                (Token::Period, _),
                (Token::Word(table), at),
            ] if db.value == "db" => Some((table.value.clone(), *at)),
            _ => None,
        };
        self.tokens.windows(5).filter_map(table).collect()
    }

    /// Tables that stand behind FROM or JOIN without `{db}.`, if `is_one` says that it is one.
    pub fn tables_without_database(&self, is_one: impl Fn(&str) -> bool) -> Vec<Found> {
        let mut found = Vec::new();
        for (i, (token, _)) in self.tokens.iter().enumerate() {
            if !is_keyword(token, Keyword::FROM) && !is_keyword(token, Keyword::JOIN) {
                continue;
            }
            let behind = self.tokens.get(i + 1..).unwrap_or_default();
            let name = match behind {
                [(Token::Word(_), _), (Token::Period, _), (Token::Word(table), at), ..] => Some((table, at)),
                [(Token::Word(table), at), ..] => Some((table, at)),
                _ => None,
            };
            found.extend(name.filter(|(table, _)| is_one(&table.value)).map(|(table, at)| (table.value.clone(), *at)));
        }
        found
    }

    /// What makes it answer differently from one time to the next: which function, what to write instead, where.
    pub fn fickle(&self) -> Vec<(String, &'static str, usize)> {
        let mut found = Vec::new();
        for (i, (token, at)) in self.tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let name = word.value.to_lowercase();
            let is_called = matches!(self.tokens.get(i + 1), Some((Token::LParen, _)));
            // A column of that name, or `x = ANY (SELECT …)`.
            let before = i.checked_sub(1).map(|before| &self.tokens[before].0);
            let is_other = matches!(before, Some(Token::Period | Token::Eq | Token::Neq | Token::Lt | Token::Gt));
            if is_other || word.quote_style.is_some() || !(is_called || MOMENTS.contains(&name.as_str())) {
                continue;
            }
            if let Some((_, instead)) = FICKLE.iter().find(|(names, _)| names.contains(&name.as_str())) {
                found.push((word.value.clone(), *instead, *at));
            } else if ORDERED.contains(&name.as_str()) && !self.has_ordered_window(i + 1) {
                found.push((
                    word.value.clone(),
                    "write OVER (… ORDER BY …), with an order in which no two are equal",
                    *at,
                ));
            }
        }
        found
    }

    /// Does an OVER (… ORDER BY …) stand behind the parentheses that open at `open`?
    fn has_ordered_window(&self, open: usize) -> bool {
        let over = self.end_of_parentheses(open);
        if !matches!(self.tokens.get(over), Some((token, _)) if is_keyword(token, Keyword::OVER)) {
            return false;
        }
        let window = self.tokens.get(over + 1..self.end_of_parentheses(over + 1)).unwrap_or_default();
        window.iter().any(|(token, _)| is_keyword(token, Keyword::ORDER))
    }

    /// The place behind the parentheses that open at `open`.
    fn end_of_parentheses(&self, open: usize) -> usize {
        let mut depth = 0;
        for (i, (token, _)) in self.tokens.iter().enumerate().skip(open) {
            depth += depth_change(token);
            if depth <= 0 {
                return i + 1;
            }
        }
        self.tokens.len()
    }

    /// Where a semicolon stands.
    pub fn semicolon(&self) -> Option<usize> {
        self.tokens.iter().find(|(token, _)| *token == Token::SemiColon).map(|(_, at)| *at)
    }

    /// The columns that it gives, by name; none if it says `*`.
    pub fn columns(&self) -> Option<Vec<String>> {
        let mut depth = 0;
        let mut items: Vec<Vec<&Token>> = Vec::new();
        for (token, _) in &self.tokens {
            depth += depth_change(token);
            match token {
                token if depth == 0 && items.is_empty() => {
                    items.extend(is_keyword(token, Keyword::SELECT).then(Vec::new));
                }
                token if depth == 0 && is_keyword(token, Keyword::FROM) => break,
                Token::Comma if depth == 0 => items.push(Vec::new()),
                token => items.last_mut().into_iter().for_each(|item| item.push(token)),
            }
        }
        if items.iter().any(|item| matches!(item.last(), Some(Token::Mul))) {
            return None;
        }
        Some(items.iter().filter_map(|item| name_of(item)).collect())
    }
}

/// What a column of a SELECT is called, if it has a name.
fn name_of(item: &[&Token]) -> Option<String> {
    match item {
        [.., named, Token::Word(name)] if is_keyword(named, Keyword::AS) => Some(name.value.clone()),
        [.., Token::Period, Token::Word(name)] | [Token::Word(name)] => Some(name.value.clone()),
        [distinct, Token::Word(name)] if is_keyword(distinct, Keyword::DISTINCT) => Some(name.value.clone()),
        _ => None,
    }
}

fn depth_change(token: &Token) -> i32 {
    match token {
        Token::LParen | Token::LBracket => 1,
        Token::RParen | Token::RBracket => -1,
        _ => 0,
    }
}

fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

/// The byte at a line and character.
fn offset(text: &str, at: Location) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(at.line.saturating_sub(1) as usize).map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    before + line.chars().take(at.column.saturating_sub(1) as usize).map(char::len_utf8).sum::<usize>()
}
