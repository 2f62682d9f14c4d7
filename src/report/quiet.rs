//! Progress with `-q`: none, but for warnings and the closing lines.

use super::plain::ready;
use super::stream::Stream;
use super::{Event, Report, style};

/// Says only what somebody must see.
#[derive(Debug)]
pub struct Quiet {
    stream: Stream,
    is_coloured: bool,
}

impl Quiet {
    /// Writes to the stream, with colours only when they are wanted.
    pub fn new(stream: Stream, is_coloured: bool) -> Self {
        Quiet {
            stream,
            is_coloured,
        }
    }
}

impl Report for Quiet {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Warning(_) | Event::Closing(_))
            && let Some(line) = style::line_of(event, false)
        {
            self.stream.write(&ready(&line, self.is_coloured));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;

    #[test]
    fn only_warnings_and_the_closing_lines_are_said() {
        let (mut reader, writer) = io::pipe().unwrap();
        let quiet = Quiet::new(Stream::new(Some(writer.into())), false);
        quiet.started("Building", "hooks/build");
        quiet.event(Event::Output("noise"));
        quiet.note("noise");
        quiet.warning("look here");
        quiet.event(Event::Failed {
            verb: "Failed",
            what: "noise",
        });
        quiet.closing("error: it failed");
        drop(quiet);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "warning: look here\nerror: it failed\n");
    }
}
