//! Expressions that chance makes: of every kind, one in another, always the same ones.

/// A generator whose numbers are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.below(from.len())].to_owned()
    }
}

pub fn expressions(number: usize) -> Vec<String> {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    (0..number).map(|_| truth(&mut chance, 4)).collect()
}

fn truth(chance: &mut Chance, depth: usize) -> String {
    let of = |chance: &mut Chance| match chance.below(4) {
        0 => [text(chance, depth - 1), text(chance, depth - 1), text(chance, depth - 1)],
        1 => [moment(chance, depth - 1), moment(chance, depth - 1), moment(chance, depth - 1)],
        _ => [number(chance, depth - 1), number(chance, depth - 1), number(chance, depth - 1)],
    };
    if depth == 0 {
        return chance.pick(&[
            "b",
            "TRUE",
            "FALSE",
            "i > j",
            "n <= m",
            "t = v",
            "dt < du",
            "b IS NULL",
            "NULL::boolean",
        ]);
    }
    let sub = |chance: &mut Chance| truth(chance, depth - 1);
    match chance.below(13) {
        0 => format!("({} AND {})", sub(chance), sub(chance)),
        1 => format!("({} OR {})", sub(chance), sub(chance)),
        2 => format!("(NOT {})", sub(chance)),
        3 => format!(
            "({} {})",
            sub(chance),
            chance.pick(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS UNKNOWN", "IS NOT UNKNOWN"])
        ),
        4 => {
            let [x, low, high] = of(chance);
            format!("({x} {}BETWEEN {low} AND {high})", chance.pick(&["", "NOT "]))
        }
        5 => {
            let [x, a, b] = of(chance);
            format!("({x} {}IN ({a}, {b}, NULL))", chance.pick(&["", "NOT "]))
        }
        6 => {
            let [a, b, _] = of(chance);
            format!("({a} {} {b})", chance.pick(&["IS DISTINCT FROM", "IS NOT DISTINCT FROM"]))
        }
        7 => format!(
            "({} {} '{}')",
            text(chance, depth - 1),
            chance.pick(&["LIKE", "ILIKE", "NOT LIKE"]),
            chance.pick(&["a%", "_", "%b%", "%\\_%", "é%", "A_"])
        ),
        8 => format!(
            "({} {} '{}')",
            text(chance, depth - 1),
            chance.pick(&["~", "!~", "~*"]),
            chance.pick(&["^a", "[^a-z]", "^.?$", "é|ß", "\\s$", "(a|b){1,2}"])
        ),
        9 => format!("CASE WHEN {} THEN {} ELSE {} END", sub(chance), sub(chance), sub(chance)),
        _ => {
            let [a, b, _] = of(chance);
            format!("({a} {} {b})", chance.pick(&["=", "<>", "<", "<=", ">", ">="]))
        }
    }
}

fn number(chance: &mut Chance, depth: usize) -> String {
    if depth == 0 {
        return chance.pick(&[
            "i",
            "j",
            "n",
            "m",
            "r",
            "0",
            "1",
            "-3",
            "2.5",
            "0.001",
            "1449",
            "NULL",
            "\"Odd \"\"\\Name\"",
        ]);
    }
    let sub = |chance: &mut Chance| number(chance, depth - 1);
    match chance.below(16) {
        0 => format!("({} + {})", sub(chance), sub(chance)),
        1 => format!("({} - {})", sub(chance), sub(chance)),
        2 => format!("({} * {})", sub(chance), sub(chance)),
        3 => format!(
            "({} % {})",
            sub(chance),
            chance.pick(&["3", "0.7", "NULLIF(j, 0)", "NULLIF(n, 0)", "NULLIF(i - 1, 0)"])
        ),
        4 => format!(
            "({} / {})",
            chance.pick(&["i", "j", "(i + j)", "LENGTH(t)", "(i * 3)"]),
            chance.pick(&["2", "-7", "NULLIF(j, 0)", "NULLIF(i % 2, 0)"])
        ),
        5 => format!(
            "round({} / {}, {})",
            sub(chance),
            chance.pick(&["3", "0.7", "NULLIF(j, 0)", "NULLIF(n, 0)"]),
            chance.below(11)
        ),
        6 => format!("round({}, {})", sub(chance), chance.pick(&["0", "1", "2", "-1", "-3", "4"])),
        7 => format!("{}({})", chance.pick(&["abs", "-", "+"]), sub(chance)),
        8 => format!("COALESCE({}, {})", sub(chance), sub(chance)),
        9 => format!("NULLIF({}, {})", sub(chance), sub(chance)),
        10 => format!("{}({}, {}, {})", chance.pick(&["GREATEST", "LEAST"]), sub(chance), sub(chance), sub(chance)),
        11 => format!("CASE WHEN {} THEN {} ELSE {} END", truth(chance, depth - 1), sub(chance), sub(chance)),
        12 => format!("LENGTH({})", text(chance, depth - 1)),
        13 => format!(
            "({} - {})",
            chance.pick(&["dt", "du", "(dt + 7)"]),
            chance.pick(&["du", "DATE '2024-02-29'", "ts::date"])
        ),
        14 => format!("({})::{}", sub(chance), chance.pick(&["bigint", "numeric(20, 2)", "numeric", "int"])),
        _ => format!(
            "EXTRACT({} FROM {})",
            chance.pick(&["YEAR", "MONTH", "DAY", "DOW", "WEEK"]),
            chance.pick(&["dt", "ts", "tz"])
        ),
    }
}

fn text(chance: &mut Chance, depth: usize) -> String {
    if depth == 0 {
        return chance.pick(&["t", "v", "c", "'a'", "'B'", "'é'", "''", "'AL  '", "e::text", "NULL"]);
    }
    let sub = |chance: &mut Chance| text(chance, depth - 1);
    match chance.below(8) {
        0 => format!("({} || {})", sub(chance), sub(chance)),
        1 => format!("{}({})", chance.pick(&["UPPER", "LOWER", "TRIM", "ltrim", "rtrim"]), sub(chance)),
        2 => format!("COALESCE({}, {})", sub(chance), sub(chance)),
        3 => format!("NULLIF({}, {})", sub(chance), sub(chance)),
        4 => format!("{}({}, {})", chance.pick(&["GREATEST", "LEAST"]), sub(chance), sub(chance)),
        5 => format!("CASE WHEN {} THEN {} ELSE {} END", truth(chance, depth - 1), sub(chance), sub(chance)),
        _ => text(chance, 0),
    }
}

fn moment(chance: &mut Chance, depth: usize) -> String {
    if depth == 0 {
        return chance.pick(&[
            "dt",
            "du",
            "ts",
            "tz",
            "DATE '2024-02-29'",
            "CURRENT_DATE",
            "TIMESTAMP '1970-01-01 00:00:00.5'",
        ]);
    }
    let sub = |chance: &mut Chance| moment(chance, depth - 1);
    match chance.below(8) {
        0 => format!(
            "({} + INTERVAL '{}')",
            sub(chance),
            chance.pick(&["1 month", "-1 month", "1 year 2 days", "0.5 seconds", "-25 hours"])
        ),
        1 => format!("({} - INTERVAL '{}')", moment(chance, 0), chance.pick(&["1 month", "400 months", "40 days"])),
        2 => format!("COALESCE({}, {})", sub(chance), sub(chance)),
        3 => format!("{}({}, {})", chance.pick(&["GREATEST", "LEAST"]), sub(chance), sub(chance)),
        4 => format!("CASE WHEN {} THEN {} ELSE {} END", truth(chance, depth - 1), sub(chance), sub(chance)),
        5 => format!("({} + {})", chance.pick(&["dt", "du"]), chance.pick(&["1", "-40", "366"])),
        6 => format!("{}::{}", chance.pick(&["dt", "ts", "tz"]), chance.pick(&["date", "timestamp", "timestamptz"])),
        _ => moment(chance, 0),
    }
}
