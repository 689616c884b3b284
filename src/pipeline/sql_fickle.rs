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
            "currentuser",
            "serveruuid",
            "version",
            "randomprintableascii",
        ],
        "leave it out: it is another one each time",
    ),
    (
        &["quantile", "quantiles", "median", "grouparraysample", "topk", "uniqcombined", "uniqhll12"],
        "write the exact one, as quantileExact or uniqExact",
    ),
    (
        &["dictget", "dictgetordefault", "dictgetornull", "dictgetstring", "dicthas", "joinget", "joingetornull"],
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
            "s3cluster",
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
const LISTS: [&str; 10] = [
    "grouparray",
    "grouparraydistinct",
    "groupuniqarray",
    "grouparraylast",
    "grouparraymovingsum",
    "grouparraymovingavg",
    "groupconcat",
    "group_concat",
    "array_agg",
    "deltasum",
];

/// Functions for which a list's order is nothing, …
const ORDER_FREE: [&str; 10] = [
    "arraysort",
    "arrayreversesort",
    "length",
    "has",
    "hasany",
    "arraysum",
    "arraymin",
    "arraymax",
    "arrayuniq",
    "arraycount",
];
/// … and those that hand it on, whatever it is.
const ORDER_KEEPING: [&str; 5] = ["arraydistinct", "arrayfilter", "arraymap", "arrayflatten", "arrayconcat"];

/// What an aggregate function's name may end in and be the same function.
const COMBINATORS: [&str; 7] = ["if", "ornull", "ordefault", "distinct", "array", "state", "foreach"];

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
            let before = i.checked_sub(1).map(|before| &self.tokens[before].0);
            // A column of that name, or `x = ANY (SELECT …)`.
            let is_query = || self.tokens.get(i + 2).is_some_and(|(token, _)| is_keyword(token, Keyword::SELECT));
            let is_other = before == Some(&Token::Period) || name == "any" && is_called && is_query();
            if name == "any" && self.is_join(i + 1) {
                found.push((
                    word.value.clone(),
                    "write a JOIN that finds one row, as of a table with FINAL by its key",
                    *at,
                ));
                continue;
            }
            if is_other || word.quote_style.is_some() || !(is_called || MOMENTS.contains(&name.as_str())) {
                continue;
            }
            let name = base(&name);
            if let Some((_, instead)) = FICKLE.iter().find(|(names, _)| names.contains(&name)) {
                found.push((word.value.clone(), *instead, *at));
            } else if ORDERED.contains(&name) && !self.has_ordered_window(i + 1) {
                found.push((
                    word.value.clone(),
                    "write OVER (… ORDER BY …), with an order in which no two are equal",
                    *at,
                ));
            } else if LISTS.contains(&name) && !self.is_sorted(i) {
                found.push((word.value.clone(), "write arraySort(groupArray(…))", *at));
            }
        }
        found.extend(self.limits_without_order());
        found
    }

    /// Where the parentheses of `WINDOW name AS (…)` open.
    fn window_called(&self, name: &str) -> usize {
        let is_it = |window: &[(Token, usize)]| {
            let is_name = matches!(&window[0].0, Token::Word(word) if word.value == name);
            is_name && is_keyword(&window[1].0, Keyword::AS) && window[2].0 == Token::LParen
        };
        self.tokens.windows(3).position(is_it).map_or(self.tokens.len(), |place| place + 2)
    }

    /// Is the order of the list that the function at `place` makes of no interest? With a number of elements it is, whatever comes then.
    fn is_sorted(&self, place: usize) -> bool {
        let behind = self.end_of_parentheses(place + 1);
        if matches!(self.tokens.get(behind), Some((Token::LParen, _))) {
            return false;
        }
        let mut depth = 0;
        for before in (1..place).rev() {
            depth -= depth_change(&self.tokens[before].0);
            if depth >= 0 {
                continue;
            }
            depth = 0;
            let name = match &self.tokens[before - 1].0 {
                Token::Word(word) => word.value.to_lowercase(),
                _ => String::new(),
            };
            if ORDER_FREE.contains(&name.as_str()) {
                return true;
            }
            if !name.is_empty() && !ORDER_KEEPING.contains(&name.as_str()) {
                return false;
            }
        }
        false
    }

    /// Does `[LEFT] JOIN` stand there?
    fn is_join(&self, place: usize) -> bool {
        let keywords = [Keyword::JOIN, Keyword::LEFT, Keyword::RIGHT, Keyword::INNER, Keyword::FULL];
        self.tokens.get(place).is_some_and(|(token, _)| keywords.iter().any(|keyword| is_keyword(token, *keyword)))
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
                *last &=
                    ![Keyword::UNION, Keyword::EXCEPT, Keyword::INTERSECT].iter().any(|word| is_keyword(token, *word));
                let is_column = i.checked_sub(1).is_some_and(|before| self.tokens[before].0 == Token::Period);
                let is_limit =
                    [Keyword::LIMIT, Keyword::OFFSET, Keyword::TOP].iter().any(|word| is_keyword(token, *word));
                if is_limit && !is_column && !*last && self.is_number(i + 1) {
                    found.push((
                        token.to_string(),
                        "write ORDER BY before it, with an order in which no two are equal",
                        *at,
                    ));
                }
            }
        }
        found
    }

    fn is_number(&self, place: usize) -> bool {
        matches!(self.tokens.get(place), Some((Token::Number(..), _)))
    }

    /// Does an OVER (… ORDER BY …) stand behind the parentheses that open at `open`?
    fn has_ordered_window(&self, open: usize) -> bool {
        let over = self.end_of_parentheses(open);
        if !matches!(self.tokens.get(over), Some((token, _)) if is_keyword(token, Keyword::OVER)) {
            return false;
        }
        let opens = match self.tokens.get(over + 1) {
            Some((Token::Word(named), _)) => self.window_called(&named.value),
            _ => over + 1,
        };
        let window = self.tokens.get(opens..self.end_of_parentheses(opens)).unwrap_or_default();
        window.iter().any(|(token, _)| is_keyword(token, Keyword::ORDER))
    }
}

/// A function's name without combinators: `groupArrayIf` is `groupArray` of some rows.
fn base(name: &str) -> &str {
    let is_known = |name: &str| {
        FICKLE.iter().any(|(names, _)| names.contains(&name)) || ORDERED.contains(&name) || LISTS.contains(&name)
    };
    let mut shorter = name;
    while !is_known(shorter) {
        match COMBINATORS.iter().find_map(|end| shorter.strip_suffix(end)) {
            Some(rest) => shorter = rest,
            None => return name,
        }
    }
    shorter
}
