//! A class of a pattern: `[a-z]`, `[^[:digit:]_]`, `\w`. All of them are written out as ranges, so that no server's locale counts.

/// Ranges of characters, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACE: &[(char, char)] = &[('\t', '\r'), (' ', ' ')];

impl Class {
    /// `\d`, `\w`, `\s` and their opposites.
    pub fn of_escape(letter: char) -> Option<Class> {
        let ranges = match letter.to_ascii_lowercase() {
            'd' => DIGIT,
            'w' => WORD,
            's' => SPACE,
            _ => return None,
        };
        Some(Class { negated: letter.is_ascii_uppercase(), ranges: ranges.to_vec() })
    }

    /// Reads a class behind its `[`, and takes it off `rest`.
    ///
    /// # Errors
    /// It has no end, or something that the servers read differently.
    pub fn parse(rest: &mut &str) -> Result<Class, String> {
        let mut reader = ClassReader { rest };
        let negated = reader.takes("^");
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut is_first = true;
        while is_first || !reader.takes("]") {
            is_first = false;
            match reader.element()? {
                Element::Ranges(more) => ranges.extend_from_slice(more),
                Element::Char(first) if reader.rest.starts_with('-') && !reader.rest.starts_with("-]") => {
                    reader.takes("-");
                    match reader.element()? {
                        Element::Char(last) if first <= last => ranges.push((first, last)),
                        _ => {
                            return Err(format!(
                                "the range that begins with {first} ends before it, or with no character"
                            ));
                        }
                    }
                }
                Element::Char(c) => ranges.push((c, c)),
            }
        }
        *rest = reader.rest;
        Ok(Class { negated, ranges })
    }

    /// As the servers read it.
    pub fn print(&self, ignores_case: bool) -> String {
        let mut ranges = self.ranges.clone();
        if ignores_case {
            ranges.extend(
                self.ranges.iter().filter_map(|range| other_case(*range, 'a', 'z', |c| c.to_ascii_uppercase())),
            );
            ranges.extend(
                self.ranges.iter().filter_map(|range| other_case(*range, 'A', 'Z', |c| c.to_ascii_lowercase())),
            );
            ranges.sort_unstable();
            ranges.dedup();
        }
        let ranges: String = ranges.into_iter().map(|(first, last)| range(first, last)).collect();
        format!("[{}{ranges}]", if self.negated { "^" } else { "" })
    }
}

/// The part of a range that lies between two letters, in the other case.
fn other_case((first, last): (char, char), a: char, z: char, fold: fn(&char) -> char) -> Option<(char, char)> {
    let (first, last) = (first.max(a), last.min(z));
    (first <= last).then(|| (fold(&first), fold(&last)))
}

fn range(first: char, last: char) -> String {
    let escaped = |c: char| if r"\[]^-&~".contains(c) { format!("\\{c}") } else { c.to_string() };
    if first == last { escaped(first) } else { format!("{}-{}", escaped(first), escaped(last)) }
}

enum Element {
    Char(char),
    Ranges(&'static [(char, char)]),
}

struct ClassReader<'p> {
    rest: &'p str,
}

impl ClassReader<'_> {
    fn element(&mut self) -> Result<Element, String> {
        if self.takes("[:") {
            return self.named();
        }
        if self.rest.starts_with("[.") || self.rest.starts_with("[=") {
            return Err("[. .] and [= =] are of PostgreSQL only: name the characters".to_owned());
        }
        let mut chars = self.rest.chars();
        let first = chars.next().ok_or("a [ in the pattern has no ]")?;
        let escaped = if first == '\\' { chars.next() } else { None };
        self.rest = chars.as_str();
        Ok(match (first, escaped) {
            ('\0', _) => return Err("the pattern has a character 0, which no text of PostgreSQL has".to_owned()),
            ('\\', Some('d')) => Element::Ranges(DIGIT),
            ('\\', Some('w')) => Element::Ranges(WORD),
            ('\\', Some('s')) => Element::Ranges(SPACE),
            ('\\', Some('t')) => Element::Char('\t'),
            ('\\', Some('n')) => Element::Char('\n'),
            ('\\', Some('r')) => Element::Char('\r'),
            ('\\', Some(c)) if c.is_ascii_punctuation() || c == ' ' => Element::Char(c),
            ('\\', _) => {
                return Err("an escape in [ ] that the servers read differently: name the characters".to_owned());
            }
            (c, _) => Element::Char(c),
        })
    }

    /// `[:alpha:]` and its like: of ASCII, as in `COLLATE "C"`.
    fn named(&mut self) -> Result<Element, String> {
        let (name, rest) = self.rest.split_once(":]").ok_or("a [: in the pattern has no :]")?;
        self.rest = rest;
        Ok(Element::Ranges(match name {
            "digit" => DIGIT,
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "upper" => &[('A', 'Z')],
            "lower" => &[('a', 'z')],
            "space" => SPACE,
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            _ => return Err("a [: :] that not every server knows: name the characters".to_owned()),
        }))
    }

    fn takes(&mut self, prefix: &str) -> bool {
        let after = self.rest.strip_prefix(prefix);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}
