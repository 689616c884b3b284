//! A text becomes the syntax tree of `sqlparser`, or is refused: too long, too deep, no expression, or more than one.
//!
//! sqlparser takes more than PostgreSQL does and stops where it cannot go on. What it takes beyond PostgreSQL is refused here, as far as its
//! tree does not show it any more; the rest is refused by the reader.

use sqlparser::ast::Expr;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::rules::refusal::Refusal;

/// Longest text of a rule, in bytes.
const MOST_BYTES: usize = 16 << 10;
/// Most words, numbers and signs of a rule.
const MOST_TOKENS: usize = 1500;
/// How deep parentheses and functions may be nested.
const MOST_DEPTH: usize = 48;

/// Reads one expression, up to the end of the text.
pub(super) fn parse(text: &str) -> Result<Expr, Refusal> {
    let start = Location { line: 1, column: 1 };
    if text.len() > MOST_BYTES {
        return Err(refusal(start, format!("a rule of {} bytes; at most {MOST_BYTES} are read", text.len())));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| refusal(error.location, error.message))?;
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    if tokens.len() > MOST_TOKENS {
        return Err(refusal(
            start,
            format!("a rule of {} words and signs; at most {MOST_TOKENS} are read", tokens.len()),
        ));
    }
    refuse_tokens(&tokens)?;
    let mut parser = Parser::new(&dialect).with_recursion_limit(MOST_DEPTH).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(|error| syntax(error, parser.peek_token().span.start))?;
    let rest = parser.peek_token();
    match rest.token {
        Token::EOF => Ok(expr),
        token => Err(refusal(
            rest.span.start,
            format!("the expression ends before {token}: a rule is one boolean expression"),
        )),
    }
}

fn refuse_tokens(tokens: &[TokenWithSpan]) -> Result<(), Refusal> {
    for (i, token) in tokens.iter().enumerate() {
        let message = match &token.token {
            Token::DoubleEq => "== is no operator of PostgreSQL: say it as =".to_owned(),
            Token::SingleQuotedString(_)
                if matches!(tokens.get(i + 1).map(|next| &next.token), Some(Token::SingleQuotedString(_))) =>
            {
                "two texts side by side: say it as one, or join them with ||".to_owned()
            }
            Token::SingleQuotedString(text) if text.contains('\0') => {
                "no text of PostgreSQL has the character 0".to_owned()
            }
            Token::Word(word) if word.value.contains('\0') => "no name of PostgreSQL has the character 0".to_owned(),
            _ => continue,
        };
        return Err(refusal(token.span.start, message));
    }
    Ok(())
}

/// sqlparser's errors end with their position, in words.
fn syntax(error: ParserError, at: Location) -> Refusal {
    match error {
        ParserError::RecursionLimitExceeded => refusal(at, format!("nested more than {MOST_DEPTH} deep")),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, position) = message.split_once(" at Line: ").unwrap_or((&message, ""));
            let place = position
                .split_once(", Column: ")
                .and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?)));
            let (line, column) = place.unwrap_or((at.line, at.column));
            refusal(Location { line, column }, message.to_owned())
        }
    }
}

/// A refusal at a position; the end of the text has none and is said as its beginning.
pub(super) fn refusal(at: Location, message: impl Into<String>) -> Refusal {
    Refusal { line: at.line.max(1), column: at.column.max(1), message: message.into() }
}
