//! Requests over time, drawn for a terminal: a lane for each kind of answer, a column for each
//! tenth of a second or more, and a line down through all lanes at each mark. It reads the same
//! without colours, for what a lane is stands before it.

use std::time::Duration;

use anstyle::Style;

use super::style::{DIM, STRONG, paint};
use super::time::duration;

/// What a column may stand for, in milliseconds, and how many columns are a round time then.
const SCALES: [(i64, i64); 14] = [
    (100, 10),
    (200, 10),
    (500, 10),
    (1_000, 10),
    (2_000, 10),
    (5_000, 12),
    (10_000, 12),
    (20_000, 15),
    (30_000, 10),
    (60_000, 10),
    (120_000, 15),
    (300_000, 12),
    (600_000, 12),
    (1_800_000, 12),
];

/// The bars, by the share of a column's answers that a lane has; the last one is all of them.
const BARS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// At least one failure in the column.
const FAILED: char = 'x';

/// A request was under way, and its answer came in a later column.
const WAITING: char = '─';

/// Runs down through all lanes.
const MARK: char = '│';

/// What is before the first mark takes such a time and so many columns, or less.
const LEAD_MS: i64 = 2_000;
const LEAD_CELLS: i64 = 4;

/// Labels stand in so many columns, and a blank is behind them.
pub const LABEL_COLUMNS: usize = 10;

/// No picture is narrower, whatever the terminal.
const LEAST_CELLS: usize = 16;

/// Rather than fewer columns with answers in all of them, so many with gaps.
const LIVELY_CELLS: i64 = 30;

/// A kind of answer.
#[derive(Debug, Clone)]
pub struct Lane {
    /// What stands before it.
    pub label: &'static str,
    /// Its look where colours are wanted.
    pub style: Style,
    /// Whether it has to catch the eye however few there are.
    pub is_failure: bool,
}

/// One request. Times are in milliseconds from the first mark on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it was made.
    pub began_ms: i64,
    /// When its answer came.
    pub ended_ms: i64,
    /// The place of its lane.
    pub lane: usize,
}

/// A point in time that matters.
#[derive(Debug, Clone)]
pub struct Mark {
    /// When, in milliseconds; the first one is 0.
    pub at_ms: i64,
    /// What happened.
    pub label: &'static str,
}

/// What is to be drawn.
#[derive(Debug)]
pub struct Timeline {
    /// The lanes, from top to bottom.
    pub lanes: Vec<Lane>,
    /// The requests, oldest first.
    pub moments: Vec<Moment>,
    /// The marks, the first one at 0.
    pub marks: Vec<Mark>,
}

/// A drawn timeline.
#[derive(Debug)]
pub struct Picture {
    /// The lanes and the times below them, with colours, each ending with a line break.
    pub lines: String,
    /// What the signs mean, as far as they were used.
    pub legend: String,
}

/// What a column stands for. Columns are counted from the first mark on, and begin anew at each
/// further one: nothing stands on the wrong side of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scale {
    column_ms: i64,
    /// So many columns from one time below the lanes to the next.
    tick: i64,
    /// How many columns there are before the first mark.
    lead: i64,
    /// The first column after each mark.
    borders: Vec<i64>,
    /// Behind the last column.
    end: i64,
}

impl Timeline {
    /// Draws it so that no line is wider than `width`, if that can be.
    pub fn draw(&self, width: usize) -> Picture {
        let room = width.saturating_sub(LABEL_COLUMNS + 1).max(LEAST_CELLS);
        let scale = self.scale(room - self.marks.len());
        let lanes: Vec<Vec<char>> = (0..self.lanes.len())
            .map(|lane| self.cells(&scale, lane))
            .collect();
        let mut lines = String::new();
        for (lane, cells) in self.lanes.iter().zip(&lanes) {
            let label = format!("{:<LABEL_COLUMNS$} ", format!("  {}", lane.label));
            let drawn = with_marks(cells, lane.style, &scale);
            lines += &(paint(STRONG, label) + drawn.trim_end() + "\n");
        }
        for line in self.axis(&scale, room) {
            lines += &format!("{:LABEL_COLUMNS$} {}\n", "", line.trim_end());
        }
        let legend = legend(&scale, &lanes);
        Picture { lines, legend }
    }

    /// The finest scale that fits and leaves few columns without an answer.
    fn scale(&self, room: usize) -> Scale {
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        let gap = self.usual_gap();
        let mut found: Option<Scale> = None;
        for (column_ms, tick) in SCALES {
            let scale = self.scale_of(column_ms, tick);
            if scale.cells() > room {
                continue;
            }
            if found.is_some() && scale.cells() < LIVELY_CELLS {
                break;
            }
            found = Some(scale);
            // A little late is not a column without an answer.
            if gap <= column_ms + column_ms / 4 {
                break;
            }
        }
        // What is longer still is seen as a whole, without times below.
        let cells = (room - LEAD_CELLS - 2).max(1);
        found.unwrap_or_else(|| self.scale_of(self.end_ms() / cells + 1, i64::MAX))
    }

    fn scale_of(&self, column_ms: i64, tick: i64) -> Scale {
        let began = self.moments.iter().map(|moment| moment.began_ms).min();
        let lead = began.unwrap_or(0).div_euclid(column_ms).saturating_neg();
        let mut borders = vec![0];
        let mut end = 0;
        let ends = self.marks.iter().skip(1).map(|mark| mark.at_ms);
        let mut since = 0;
        for until in ends.chain([self.end_ms()]) {
            end += (until - since - 1).div_euclid(column_ms).max(0) + 1;
            borders.push(end);
            since = until;
        }
        borders.truncate(self.marks.len());
        Scale {
            column_ms,
            tick,
            lead: lead.clamp(0, LEAD_CELLS.max(LEAD_MS / column_ms)),
            borders,
            end,
        }
    }

    /// When the last thing happened.
    fn end_ms(&self) -> i64 {
        let moments = self.moments.iter().map(|moment| moment.ended_ms);
        let marks = self.marks.iter().map(|mark| mark.at_ms);
        moments.chain(marks).max().unwrap_or(0).max(1)
    }

    /// The median time between two answers.
    fn usual_gap(&self) -> i64 {
        let ends = self.moments.iter().map(|moment| moment.ended_ms);
        let ends: Vec<i64> = ends.filter(|&at| at >= -LEAD_MS).collect();
        let mut gaps: Vec<i64> = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().unwrap_or(0)
    }

    /// The column that a time lies in; what is at its end is still in it.
    fn column(&self, scale: &Scale, at_ms: i64) -> i64 {
        let passed = self.marks.iter().filter(|mark| mark.at_ms < at_ms).count();
        let (mark, border) = match passed.checked_sub(1) {
            Some(last) => (self.marks[last].at_ms, scale.borders[last]),
            None => (0, 0),
        };
        border + (at_ms - mark - 1).div_euclid(scale.column_ms)
    }

    /// What a lane shows, column by column.
    fn cells(&self, scale: &Scale, lane: usize) -> Vec<char> {
        let place = |at_ms| scale.place(self.column(scale, at_ms));
        let (mut own, mut all) = (vec![0; scale.width()], vec![0; scale.width()]);
        let mut is_waiting = vec![false; scale.width()];
        for moment in &self.moments {
            let Some(ended) = place(moment.ended_ms) else {
                continue;
            };
            all[ended] += 1;
            if moment.lane != lane {
                continue;
            }
            own[ended] += 1;
            if moment.ended_ms - moment.began_ms >= scale.column_ms {
                let began = place(moment.began_ms + 1).unwrap_or(0);
                is_waiting[began..ended].fill(true);
            }
        }
        let cell = |place: usize| match own[place] {
            0 if is_waiting[place] => WAITING,
            0 => ' ',
            _ if self.lanes[lane].is_failure => FAILED,
            count => bar(count, all[place]),
        };
        (0..scale.width()).map(cell).collect()
    }

    /// The marks by name, and times between them where there is room.
    fn axis(&self, scale: &Scale, room: usize) -> Vec<String> {
        let width = scale.width() + scale.borders.len();
        let blank = " ".repeat(width.max(room));
        let mut axis = vec![blank.clone()];
        for (mark, &border) in self.marks.iter().zip(&scale.borders) {
            let passed = scale.borders.iter().filter(|&&other| other < border);
            let column = scale.place(border).unwrap_or(scale.width()) + passed.count();
            let line = axis.len() - 1;
            if !write(&mut axis[line], column, mark.label) {
                let mut line = blank.clone();
                // At the right end it ends below its mark.
                let _ = write(&mut line, column, mark.label)
                    || write(
                        &mut line,
                        (column + 1).saturating_sub(mark.label.len()),
                        mark.label,
                    );
                axis.push(line);
            }
        }
        let times = &mut axis[0];
        write(times, 0, &of_milliseconds(-scale.lead * scale.column_ms));
        let step = scale.column_ms.saturating_mul(scale.tick);
        for tick in 1..=self.end_ms() / step {
            let cell = self.column(scale, tick * step + 1);
            let passed = scale.borders.iter().filter(|&&border| border <= cell);
            if let Some(place) = scale.place(cell) {
                let time = format!("+{}", of_milliseconds(tick * step));
                write(times, place + passed.count(), &time);
            }
        }
        let end = format!("+{}", of_milliseconds(self.end_ms()));
        write(times, width.saturating_sub(end.len()), &end);
        axis
    }
}

impl Scale {
    fn cells(&self) -> i64 {
        self.lead + self.end
    }

    fn width(&self) -> usize {
        usize::try_from(self.cells()).unwrap_or(0)
    }

    /// The place of a column, when it is drawn.
    fn place(&self, column: i64) -> Option<usize> {
        let place = usize::try_from(self.lead + column).ok()?;
        (place < self.width()).then_some(place)
    }
}

/// What the signs mean, as far as they are there.
fn legend(scale: &Scale, lanes: &[Vec<char>]) -> String {
    let mut cells = lanes.iter().flatten();
    let has_shares = cells
        .clone()
        .any(|cell| BARS[..BARS.len() - 1].contains(cell));
    let has_waiting = cells.any(|&cell| cell == WAITING);
    let has_blanks = (0..scale.width()).any(|place| lanes.iter().all(|lane| lane[place] == ' '));
    let mut legend = format!("one column is {}", of_milliseconds(scale.column_ms));
    for (is_there, meaning) in [
        (has_shares, "a bar's height is its share of the answers"),
        (has_waiting, "─ is waiting for an answer"),
        (has_blanks, "blank where nothing was asked"),
    ] {
        if is_there {
            legend += &format!("; {meaning}");
        }
    }
    legend
}

/// Writes an ASCII label into a line of labels, if it touches no other there. Returns whether it
/// was written.
fn write(line: &mut String, column: usize, label: &str) -> bool {
    let end = column + label.len();
    let around = column.saturating_sub(2)..(end + 2).min(line.len());
    let is_free = end <= line.len() && line[around].trim().is_empty();
    if is_free {
        line.replace_range(column..end, label);
    }
    is_free
}

/// The cells with the marks between them.
fn with_marks(cells: &[char], style: Style, scale: &Scale) -> String {
    let mut text = String::new();
    let mut piece = String::new();
    let end_piece = |text: &mut String, piece: &mut String| {
        let drawn = piece.trim_end();
        if !drawn.is_empty() {
            *text += &paint(style, drawn);
        }
        *text += &piece[drawn.len()..];
        piece.clear();
    };
    for (column, cell) in (-scale.lead..).zip(cells.iter().map(Some).chain([None])) {
        if scale.borders.contains(&column) {
            end_piece(&mut text, &mut piece);
            text += &paint(DIM, MARK);
        }
        piece.extend(cell);
    }
    end_piece(&mut text, &mut piece);
    text
}

/// Part of a whole column, or all of it; never nothing.
fn bar(count: usize, all: usize) -> char {
    let most = BARS.len() - 1;
    if count == all {
        BARS[most]
    } else {
        BARS[(count * most).div_ceil(all) - 1]
    }
}

fn of_milliseconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    match ms.unsigned_abs() {
        0 => "0 s".to_owned(),
        length => format!("{sign}{}", duration(Duration::from_millis(length))),
    }
}

#[cfg(test)]
mod tests;
