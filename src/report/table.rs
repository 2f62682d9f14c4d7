//! Tables for people: no borders, two spaces between columns, numbers to the right. On a narrow
//! terminal the least important columns are cut or left out; in a pipe or a file all are whole.

use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::style::{STRONG, paint};
use super::text::{columns, cut, one_line};

/// Marks the current one of many.
pub const MARK: &str = "●";

/// Spaces between two columns.
const GAP: u16 = 2;

/// A column is cut to no less than this, and left out instead.
const LEAST_COLUMNS: usize = 8;

/// A heading and how the cells below it stand.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    alignment: CellAlignment,
    rank: u8,
}

impl Column {
    /// Text, which may be cut.
    pub fn text(title: &str) -> Self {
        Column {
            title: one_line(title),
            alignment: CellAlignment::Left,
            rank: 0,
        }
    }

    /// Numbers and the like: right-aligned, whole or left out.
    pub fn number(title: &str) -> Self {
        Column {
            alignment: CellAlignment::Right,
            ..Column::text(title)
        }
    }

    /// How readily it is given up on a narrow terminal: the highest rank goes first, of equals the
    /// rightmost; rank 0, which every column has at first, stays whole always.
    pub fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    /// The width to give up `excess` columns: less, or 0 for leaving it out.
    fn shrunk(&self, width: usize, excess: usize) -> usize {
        let left = width.saturating_sub(excess);
        let is_readable = left >= LEAST_COLUMNS.max(columns(&self.title));
        if is_readable && self.alignment == CellAlignment::Left {
            left
        } else {
            0
        }
    }
}

/// One field, with the look it has where colours are wanted.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// The text in this style.
    pub fn styled(style: Style, text: &str) -> Self {
        Cell {
            text: one_line(text),
            style,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::styled(Style::new(), text.as_ref())
    }
}

/// Rows under headings.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: a cell for each column, in their order.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Self {
        let mut cells: Vec<Cell> = cells.into_iter().collect();
        cells.resize_with(self.columns.len(), Cell::default);
        self.rows.push(cells);
        self
    }

    /// The lines of the table, with colours (see [`stdout::print`](super::stdout::print)), within
    /// the width if there is one. Each ends with a line break.
    pub fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width.unwrap_or(usize::MAX));
        let shown: Vec<usize> = (0..widths.len()).filter(|&at| widths[at] > 0).collect();
        let headings: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::styled(STRONG, &column.title))
            .collect();
        let lines = std::iter::once(&headings).chain(&self.rows);

        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        for cells in lines.clone() {
            table.add_row(shown.iter().map(|&at| {
                comfy_table::Cell::new(cut(&cells[at].text, widths[at]))
                    .set_alignment(self.columns[at].alignment)
            }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let taken = table.column_max_content_widths();
        table
            .lines()
            .zip(lines)
            .map(|(line, cells)| {
                let styles = shown.iter().map(|&at| cells[at].style);
                painted(&line, styles.zip(&taken)) + "\n"
            })
            .collect()
    }

    /// The width of each column so that all fit; 0 for those left out.
    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| self.natural_width(at))
            .collect();
        loop {
            let excess = taken(&widths).saturating_sub(width);
            let least_important = (0..widths.len())
                .filter(|&at| widths[at] > 0 && self.columns[at].rank > 0)
                .max_by_key(|&at| (self.columns[at].rank, at));
            match least_important {
                Some(at) if excess > 0 => {
                    widths[at] = self.columns[at].shrunk(widths[at], excess);
                }
                _ => return widths,
            }
        }
    }

    /// What the widest cell of the column takes. A column without any text takes nothing.
    fn natural_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|cells| columns(&cells[at].text));
        let title = columns(&self.columns[at].title);
        match cells.max().unwrap_or(0) {
            0 => 0,
            widest => widest.max(title),
        }
    }
}

/// What columns of these widths take with the gaps between them.
fn taken(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|&&width| width > 0).count();
    widths.iter().sum::<usize>() + shown.saturating_sub(1) * usize::from(GAP)
}

/// The line with each of its fields in its style. Only the text is painted, not the padding.
fn painted<'a>(line: &str, fields: impl Iterator<Item = (Style, &'a u16)>) -> String {
    let mut rest = line;
    let mut painted_line = String::new();
    for (style, width) in fields {
        let field;
        (field, rest) = split_at_column(rest, usize::from(width + GAP));
        let text = field.trim();
        if text.is_empty() || style == Style::new() {
            painted_line += field;
        } else {
            painted_line += &field.replacen(text, &paint(style, text), 1);
        }
    }
    painted_line.trim_end().to_owned()
}

/// Splits behind so many columns.
fn split_at_column(line: &str, wanted: usize) -> (&str, &str) {
    let mut taken = 0;
    let is_behind = |(_, character): &(usize, char)| {
        let is_behind = taken >= wanted;
        taken += columns(character.encode_utf8(&mut [0; 4]));
        is_behind
    };
    let end = line.char_indices().find(is_behind);
    let end = end.map_or(line.len(), |(at, _)| at);
    line.split_at(end)
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::super::style::GOOD;
    use super::*;

    fn releases() -> Table {
        let mut table = Table::new([
            Column::text(""),
            Column::text("RELEASE"),
            Column::text("STATE").rank(1),
            Column::text("REVISION").rank(3),
            Column::number("TOOK").rank(4),
            Column::text("RUNNING").rank(2),
        ]);
        let rows = [
            ["", "20261121090000", "retired", "v1.0", "850 ms", ""],
            [
                MARK,
                "20261122014228",
                "live",
                "国国 feature/long-branch",
                "12.3 s",
                "",
            ],
        ];
        for row in rows {
            table.row(row.map(|text| match text {
                "live" => Cell::styled(GOOD, text),
                _ => Cell::from(text),
            }));
        }
        table
    }

    fn plain(width: Option<usize>) -> String {
        strip_str(&releases().render(width)).to_string()
    }

    #[test]
    fn columns_stand_under_their_headings_and_empty_ones_are_left_out() {
        assert_eq!(
            plain(None),
            "   RELEASE         STATE    REVISION                    TOOK
   20261121090000  retired  v1.0                      850 ms
●  20261122014228  live     国国 feature/long-branch  12.3 s
"
        );
    }

    #[test]
    fn the_least_important_column_is_cut_or_left_out_first() {
        assert_eq!(
            plain(Some(40)),
            "   RELEASE         STATE    REVISION
   20261121090000  retired  v1.0
●  20261122014228  live     国国 featur…
"
        );
        assert_eq!(
            plain(Some(20)),
            "   RELEASE
   20261121090000
●  20261122014228
"
        );
        for width in 17..90 {
            for line in plain(Some(width)).lines() {
                assert!(columns(line) <= width, "{width}: `{line}`");
            }
        }
    }

    #[test]
    fn only_the_text_of_a_cell_is_coloured() {
        let text = releases().render(None);
        assert!(
            text.contains("\x1b[1m\x1b[32mlive\x1b[0m     国国"),
            "{text:?}"
        );
    }

    #[test]
    fn a_name_with_control_characters_stays_in_its_row() {
        let mut table = Table::new([Column::text("NAME"), Column::text("AGE")]);
        table.row(["a\nb\x1b[2J".into(), "1 s ago".into()]);
        let text = table.render(None);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r"a\u{a}b  1 s ago"), "{text:?}");
    }
}
