//! Whether a SELECT answers twice the same: functions of the clock, of chance and of the order in which rows happen to be read.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::sql::{Sql, depth_change, is_keyword};

/// What answers differently from time to time, or by chance, and what to write instead.
const FICKLE: [(&[&str], &str); 6] = [
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
    (
        &["dictget", "dictgetordefault", "dictgetornull", "dicthas", "joinget", "joingetornull"],
        "read a table of the warehouse: nobody is told when a dictionary changes",
    ),
    (
        &[
            "merge",
            "remote",
            "remotesecure",
            "cluster",
            "clusterallreplicas",
            "url",
            "file",
            "s3",
            "postgresql",
            "mysql",
            "dictionary",
        ],
        "read a table of the warehouse: nobody is told when something else changes",
    ),
];

/// Functions whose answer is in the order in which rows are read.
const LISTS: [&str; 5] = ["grouparray", "grouparraydistinct", "groupuniqarray", "grouparraylast", "groupconcat"];

/// Functions that put a list in order.
const SORTS: [&str; 2] = ["arraysort", "arrayreversesort"];

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
            } else if LISTS.contains(&name.as_str()) && !self.is_sorted(i) {
                found.push((word.value.clone(), "write arraySort(groupArray(…))", *at));
            }
        }
        found.extend(self.limits_without_order());
        found
    }

    /// Is the list that the function at `place` makes put in order at once?
    fn is_sorted(&self, place: usize) -> bool {
        let before = |back: usize| place.checked_sub(back).map(|at| &self.tokens[at].0);
        let is_sort =
            |token: &Token| matches!(token, Token::Word(word) if SORTS.contains(&word.value.to_lowercase().as_str()));
        before(1) == Some(&Token::LParen) && before(2).is_some_and(is_sort)
    }

    /// Each LIMIT of a SELECT that has no ORDER BY.
    fn limits_without_order(&self) -> Vec<(String, &'static str, usize)> {
        // For each SELECT that is open: does it have an order?
        let mut ordered = vec![false];
        let mut found = Vec::new();
        for (i, (token, at)) in self.tokens.iter().enumerate() {
            match depth_change(token) {
                1 => ordered.push(false),
                -1 if ordered.len() > 1 => _ = ordered.pop(),
                _ => {}
            }
            let is_by = || self.tokens.get(i + 1).is_some_and(|(token, _)| is_keyword(token, Keyword::BY));
            if let Some(last) = ordered.last_mut() {
                *last |= is_keyword(token, Keyword::ORDER) && is_by();
                *last &= !is_keyword(token, Keyword::UNION);
                if is_keyword(token, Keyword::LIMIT) && !*last {
                    found.push((
                        "LIMIT".to_owned(),
                        "write ORDER BY before it, with an order in which no two are equal",
                        *at,
                    ));
                }
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
}
