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
    pub(super) tokens: Vec<(Token, usize)>,
}

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
            let is_system = matches!(behind, [(Token::Word(of), _), (Token::Period, _), ..] if of.value.eq_ignore_ascii_case("system"));
            found.extend(
                name.filter(|(table, _)| is_system || is_one(&table.value))
                    .map(|(table, at)| (table.value.clone(), *at)),
            );
        }
        found
    }

    /// The tables of the warehouse that it reads without FINAL: what was replaced and deleted would be read too.
    pub fn tables_unmerged(&self) -> Vec<Found> {
        let is_final = |at: usize| self.tokens.get(at).is_some_and(|(token, _)| is_keyword(token, Keyword::FINAL));
        let is_merged = |at: usize| {
            let alias = 1 + usize::from(self.tokens.get(at).is_some_and(|(token, _)| is_keyword(token, Keyword::AS)));
            is_final(at) || is_final(at + alias)
        };
        let place = |offset: usize| self.tokens.iter().position(|(_, at)| *at == offset);
        self.tables().into_iter().filter(|(_, at)| place(*at).is_none_or(|place| !is_merged(place + 1))).collect()
    }

    /// The place behind the parentheses that open at `open`.
    pub(super) fn end_of_parentheses(&self, open: usize) -> usize {
        let mut depth = 0;
        for (i, (token, _)) in self.tokens.iter().enumerate().skip(open) {
            depth += depth_change(token);
            if depth <= 0 {
                return i + 1;
            }
        }
        self.tokens.len()
    }

    /// What makes it more, or less, than one SELECT that stands in parentheses: what it is, what to write instead, where.
    pub fn not_one_select(&self) -> Option<(String, &'static str, usize)> {
        let mut depth = 0;
        for (token, at) in &self.tokens {
            depth += depth_change(token);
            if depth < 0 {
                return Some(("a closing parenthesis too many".to_owned(), "leave it out", *at));
            }
            if *token == Token::SemiColon {
                return Some(("a semicolon".to_owned(), "write one SELECT, without one", *at));
            }
        }
        if let [.., before, (format, at), (Token::Word(last), _)] = &self.tokens[..]
            && is_keyword(format, Keyword::FORMAT)
            && before.0 != Token::Period
            && !matches!(last.keyword, Keyword::ASC | Keyword::DESC)
        {
            return Some(("FORMAT".to_owned(), "leave it out: the rows go into a table", *at));
        }
        let end = self.tokens.last().map_or(0, |(_, at)| *at);
        (depth > 0).then(|| ("a parenthesis that nothing closes".to_owned(), "close it", end))
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

pub(super) fn depth_change(token: &Token) -> i32 {
    match token {
        Token::LParen | Token::LBracket => 1,
        Token::RParen | Token::RBracket => -1,
        _ => 0,
    }
}

pub(super) fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

/// The byte at a line and character.
fn offset(text: &str, at: Location) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(at.line.saturating_sub(1) as usize).map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    before + line.chars().take(at.column.saturating_sub(1) as usize).map(char::len_utf8).sum::<usize>()
}
