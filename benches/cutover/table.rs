//! Results as a table that can be pasted into a Markdown file.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

/// A line of a table, and what there is to say about it.
pub struct Row {
    pub cells: Vec<String>,
    /// Nothing failed that must not fail.
    pub is_clean: bool,
    pub complaints: Vec<String>,
}

/// The rows below their columns; numbers stand on the right.
pub fn render<'a>(columns: &[&str], rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(columns);
    for row in rows {
        table.add_row(&row.cells);
    }
    for (number, name) in columns.iter().enumerate() {
        let is_name = ["server", "proxy", "way"].contains(name);
        if let (false, Some(column)) = (is_name, table.column_mut(number)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// For instance `12.3 ms`.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// For instance `1.2 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
