//! LIKE and ILIKE: a pattern is resolved once, into characters, `_` and `%`.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Like {
    parts: Vec<Part>,
    /// ILIKE: ASCII letters have no case.
    pub ignores_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Char(char),
    One,
    Any,
}

impl Like {
    /// Reads a pattern with its escape character, if it has one.
    ///
    /// # Errors
    /// An escape character is the last one.
    pub fn parse(pattern: &str, escape: Option<char>, ignores_case: bool) -> Result<Like, String> {
        let fold = |c: char| if ignores_case { c.to_ascii_lowercase() } else { c };
        let mut parts = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                c if Some(c) == escape => match chars.next() {
                    Some(literal) => Part::Char(fold(literal)),
                    None => return Err(format!("the pattern ends with its escape character {c}: double it")),
                },
                '_' => Part::One,
                '%' if parts.last() == Some(&Part::Any) => continue,
                '%' => Part::Any,
                c => Part::Char(fold(c)),
            });
        }
        Ok(Like { parts, ignores_case })
    }

    /// The pattern with `\` as its escape character, as both servers read it.
    pub fn print(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Any => out.push('%'),
                Part::One => out.push('_'),
                Part::Char(c) => {
                    if matches!(c, '%' | '_' | '\\') {
                        out.push('\\');
                    }
                    out.push(*c);
                }
            }
        }
        out
    }

    /// Does the whole text fit?
    pub fn fits(&self, text: &str) -> bool {
        let mut parts = self.parts.as_slice();
        let mut rest = text;
        // Where to go on when the newest `%` has to take one character more.
        let mut retry: Option<(&[Part], &str)> = None;
        loop {
            let next = rest.chars().next();
            match (parts.split_first(), next) {
                (Some((Part::Any, after)), _) => {
                    retry = Some((after, rest));
                    parts = after;
                    continue;
                }
                (Some((part, after)), Some(c)) if self.takes(*part, c) => {
                    (parts, rest) = (after, &rest[c.len_utf8()..]);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((after, from)) = retry else { return false };
            let Some(c) = from.chars().next() else { return false };
            let from = &from[c.len_utf8()..];
            retry = Some((after, from));
            (parts, rest) = (after, from);
        }
    }

    fn takes(&self, part: Part, c: char) -> bool {
        match part {
            Part::Char(wanted) if self.ignores_case => wanted == c.to_ascii_lowercase(),
            Part::Char(wanted) => wanted == c,
            Part::One | Part::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        Like::parse(pattern, Some('\\'), false).unwrap().fits(text)
    }

    #[test]
    fn percent_and_underscore_are_characters_not_bytes() {
        for (text, pattern) in
            [("", "%"), ("é", "_"), ("😀x", "_x"), ("a\nb", "a%b"), ("aab", "%ab"), ("a%", r"a\%"), ("abcabd", "%ab_")]
        {
            assert!(like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("", "_"), ("abc", "a\\%"), ("ab", "b%"), ("A", "a"), ("abcab", "%abc")] {
            assert!(!like(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(Like::parse("a!%b", Some('!'), false).unwrap().print(), r"a\%b");
        assert_eq!(Like::parse(r"a\b", Some('\\'), false).unwrap().print(), "ab");
        assert_eq!(Like::parse(r"a\b%%", None, false).unwrap().print(), r"a\\b%");
        assert!(Like::parse("a\\", Some('\\'), false).is_err());
        let ilike = Like::parse("SÉ", Some('\\'), true).unwrap();
        assert!(ilike.fits("sÉ") && !ilike.fits("ſÉ") && !ilike.fits("sé"));
    }
}
