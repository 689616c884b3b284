//! `~` and `~*`: a pattern is read into a tree, and printed so that PostgreSQL, RE2 (ClickHouse) and Rust mean the same by it.
//! What only one of them has, or means otherwise, is refused.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::rules::pattern_class::Class;

/// Most characters and classes that a pattern can stand for with its repetitions written out: RE2 gives up behind it.
const MOST_PIECES: usize = 1000;
const MOST_DEPTH: usize = 20;
/// PostgreSQL's bound of a repetition.
const MOST_TIMES: u32 = 255;

/// A pattern that all three read alike.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    printed: String,
    regex: Arc<Regex>,
}

impl Pattern {
    /// Reads a pattern of PostgreSQL's.
    ///
    /// # Errors
    /// What it has that the three do not agree on, and what to write.
    pub fn parse(pattern: &str, ignores_case: bool) -> Result<Pattern, String> {
        let mut reader = PatternReader { rest: pattern, ignores_case, depth: 0 };
        let (printed, pieces) = reader.alternatives()?;
        if !reader.rest.is_empty() {
            return Err("a lone ) in the pattern: say it as \\)".to_owned());
        }
        if pieces > MOST_PIECES {
            return Err(format!(
                "the pattern stands for {pieces} characters; at most {MOST_PIECES} are safe on every server"
            ));
        }
        let regex = RegexBuilder::new(&printed).dot_matches_new_line(true).build();
        let regex = regex.map_err(|error| format!("the pattern cannot be compiled: {error}"))?;
        Ok(Pattern { printed, regex: Arc::new(regex) })
    }

    /// As both servers read it.
    pub fn print(&self) -> &str {
        &self.printed
    }

    /// Is it anywhere in the text?
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

struct PatternReader<'p> {
    rest: &'p str,
    ignores_case: bool,
    depth: usize,
}

/// A printed part of the pattern, and the characters and classes that it stands for.
type Printed = (String, usize);

impl PatternReader<'_> {
    fn alternatives(&mut self) -> Result<Printed, String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(format!("the pattern's groups are nested more than {MOST_DEPTH} deep"));
        }
        let (mut printed, mut pieces) = self.branch()?;
        while self.takes("|") {
            let (next, more) = self.branch()?;
            printed = format!("{printed}|{next}");
            pieces = pieces.saturating_add(more);
        }
        self.depth -= 1;
        Ok((printed, pieces))
    }

    fn branch(&mut self) -> Result<Printed, String> {
        let (mut printed, mut pieces) = (String::new(), 0_usize);
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let (piece, size, repeatable) = self.piece()?;
            let (times, most) = self.repetition(repeatable)?;
            printed.push_str(&piece);
            printed.push_str(&times);
            pieces = pieces.saturating_add(size.saturating_mul(most));
        }
        Ok((printed, pieces))
    }

    /// One character, class, anchor or group, and whether it can be repeated.
    fn piece(&mut self) -> Result<(String, usize, bool), String> {
        let first = self.next().unwrap_or_default();
        Ok(match first {
            '^' => ("^".to_owned(), 1, false),
            '$' => ("$".to_owned(), 1, false),
            '.' => (".".to_owned(), 1, true),
            '[' => (Class::parse(&mut self.rest)?.print(self.ignores_case), 1, true),
            '(' => {
                let (printed, size) = self.group()?;
                (format!("(?:{printed})"), size.max(1), true)
            }
            '\\' => (self.escaped()?, 1, true),
            '*' | '+' | '?' => return Err(format!("{first} repeats nothing: say it as \\{first}")),
            '{' => return Err("{ begins a repetition of nothing: say it as \\{".to_owned()),
            '\0' => return Err("the pattern has a character 0, which no text of PostgreSQL has".to_owned()),
            c => (self.literal(c), 1, true),
        })
    }

    fn group(&mut self) -> Result<Printed, String> {
        if self.rest.starts_with('?') && !self.takes("?:") {
            return Err(
                "look-around, flags and names of groups differ between the servers: only ( ) and (?: ) are read"
                    .to_owned(),
            );
        }
        let group = self.alternatives()?;
        if self.takes(")") { Ok(group) } else { Err("a ( in the pattern has no )".to_owned()) }
    }

    fn escaped(&mut self) -> Result<String, String> {
        let c = self.next().ok_or("the pattern ends with \\: say it as \\\\")?;
        if let Some(class) = Class::of_escape(c) {
            return Ok(class.print(self.ignores_case));
        }
        let literal = match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            c if c.is_ascii_punctuation() || c == ' ' => c,
            c => return Err(format!("\\{c} means other things to other servers, or nothing: say what it stands for")),
        };
        Ok(self.literal(literal))
    }

    fn literal(&self, c: char) -> String {
        if self.ignores_case && c.is_ascii_alphabetic() {
            return format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase());
        }
        if r"\.^$|()[]{}*+?".contains(c) { format!("\\{c}") } else { c.to_string() }
    }

    /// What follows a piece: how it is printed, and how many times the piece is written out at most.
    fn repetition(&mut self, repeatable: bool) -> Result<(String, usize), String> {
        let (printed, most) = match self.rest.chars().next() {
            Some(c @ ('*' | '+' | '?')) => {
                self.next();
                (c.to_string(), 1)
            }
            Some('{') => {
                self.next();
                self.bounds()?
            }
            _ => return Ok((String::new(), 1)),
        };
        if !repeatable {
            return Err("^ and $ cannot be repeated".to_owned());
        }
        // A repetition that takes as little as it can finds the same texts.
        self.takes("?");
        if self.rest.starts_with(['*', '+', '?', '{']) {
            return Err("a repetition of a repetition: put the inner one in ( )".to_owned());
        }
        Ok((printed, most))
    }

    fn bounds(&mut self) -> Result<(String, usize), String> {
        let wrong =
            || format!("a repetition is {{m}}, {{m,}} or {{m,n}}, up to {MOST_TIMES}; a brace of its own is \\{{");
        let (bounds, rest) = self.rest.split_once('}').ok_or_else(wrong)?;
        self.rest = rest;
        let number = |text: &str| {
            let is_number = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u32>().ok().filter(|times| is_number && *times <= MOST_TIMES).ok_or_else(wrong)
        };
        let (least, most) = match bounds.split_once(',') {
            None => (number(bounds)?, Some(number(bounds)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        match most {
            Some(most) if most < least => Err(wrong()),
            Some(most) => Ok((format!("{{{least},{most}}}"), most.max(1) as usize)),
            None => Ok((format!("{{{least},}}"), least as usize + 1)),
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn takes(&mut self, prefix: &str) -> bool {
        let after = self.rest.strip_prefix(prefix);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_three_agree_on_is_printed_alike() {
        for (pattern, printed) in [
            (r"^[A-Z]{5}$", "^[A-Z]{5,5}$"),
            (r"a.b|c*?", "a.b|c*"),
            (r"(a|b)+(?:c)?", "(?:a|b)+(?:c)?"),
            (r"\d\.\w", r"[0-9]\.[0-9A-Z_a-z]"),
            (r"[^]a-]", r"[^\]a\-]"),
            (r"[[:digit:]x]", "[0-9x]"),
            (r"x{2,}}", r"x{2,}\}"),
            ("", ""),
        ] {
            assert_eq!(Pattern::parse(pattern, false).unwrap().print(), printed, "{pattern}");
        }
        assert_eq!(Pattern::parse("a1[b-d]", true).unwrap().print(), "[aA]1[B-Db-d]");
    }

    #[test]
    fn what_they_do_not_agree_on_is_refused() {
        for pattern in [
            r"\b",
            r"\y",
            r"\m",
            r"\Z",
            r"(a)\1",
            "(?=a)",
            "(?i)a",
            "(?P<n>a)",
            "***=a",
            "[[.a.]]",
            "[[=a=]]",
            r"\u0041",
            r"\pL",
            "a{,3}",
            "^*",
            "a)",
            "(a",
            "[a",
            "[z-a]",
            "a**",
            "a{2}{3}",
            "a{256}",
            "a\\",
            "{",
            "[a\\D]",
            "(a{100}){100}",
            "[[:word:]]",
            "\0",
        ] {
            assert!(Pattern::parse(pattern, false).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(&"(".repeat(10_000), false).is_err());
    }

    #[test]
    fn a_pattern_is_looked_for_anywhere() {
        let pattern = Pattern::parse("^a.[^b]$", false).unwrap();
        assert!(pattern.is_in("a\né") && !pattern.is_in("xa\né") && !pattern.is_in("a\nb"));
        assert!(Pattern::parse("s", true).is_ok_and(|s| s.is_in("xS") && !s.is_in("ſ")));
    }
}
