//! Tables for people: a column is as wide, on a terminal, as the widest thing in it.

use comfy_table::{CellAlignment, Table, presets};

/// Rows of one line each, and lines between them that belong to no column.
#[derive(Debug)]
pub struct TextTable {
    rows: Table,
    /// In order: the text of a line, or `None` for the next row.
    lines: Vec<Option<String>>,
}

impl Default for TextTable {
    fn default() -> TextTable {
        let mut rows = Table::new();
        rows.load_style(presets::NOTHING);
        TextTable { rows, lines: Vec::new() }
    }
}

impl TextTable {
    /// A row below what is there.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.add_row(cells.map(|cell| cell.replace('\n', " ")));
        self.lines.push(None);
    }

    /// A line below what is there.
    pub fn line(&mut self, text: impl Into<String>) {
        self.lines.push(Some(text.into()));
    }

    /// Its lines.
    pub fn lines(self) -> Vec<String> {
        self.lines_with_numbers(&[])
    }

    /// Its lines; these columns stand to the right, as numbers do.
    pub fn lines_with_numbers(mut self, numbers: &[usize]) -> Vec<String> {
        for (place, column) in self.rows.column_iter_mut().enumerate() {
            column.set_padding((0, 1));
            column.set_cell_alignment(if numbers.contains(&place) {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            });
        }
        let mut rows = self.rows.lines().map(|row| row.trim_end().to_owned());
        self.lines.into_iter().map(|text| text.or_else(|| rows.next()).unwrap_or_default()).collect()
    }
}

/// Lines as they are printed.
pub fn printed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = TextTable::default();
        table.row(["key", "tries", "why"]);
        table.row(["東京", "7", "a\nb"]);
        table.line("  below");
        table.row(["", "1000000", ""]);
        let lines = table.lines_with_numbers(&[1]);
        assert_eq!(lines, ["key    tries why", "東京       7 a b", "  below", "     1000000"]);
    }
}
