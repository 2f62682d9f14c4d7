//! What a zdd command said at its end: its exit code, its JSON and its words.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::program::Output;

/// The end of a `zdd --json` command.
pub struct Outcome {
    output: Output,
    /// The object on stdout; null when there was none.
    pub json: Value,
}

impl Outcome {
    /// Reads what the command printed.
    pub fn of(output: Output) -> Self {
        let json = serde_json::from_str(&output.stdout).unwrap_or_default();
        Outcome { output, json }
    }

    /// The exit code; -1 when a signal ended the command.
    pub fn exit(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// From start to end.
    pub fn took(&self) -> Duration {
        self.output.took
    }

    /// The command must have ended like this; else everything it said is shown.
    #[track_caller]
    pub fn assert_exit(&self, code: i32) -> &Self {
        assert!(self.exit() == code, "this had to exit {code}:\n{self}");
        self
    }

    /// A field of the JSON, by its pointer (`/error/message`), must be this.
    #[track_caller]
    pub fn assert_field(&self, pointer: &str, wanted: impl Into<Value>) -> &Self {
        let wanted = wanted.into();
        let found = self.json.pointer(pointer);
        assert!(
            found == Some(&wanted),
            "`{pointer}` had to be {wanted}, not {found:?}:\n{self}"
        );
        self
    }

    /// A text must be somewhere in what the command printed.
    #[track_caller]
    pub fn assert_says(&self, text: &str) -> &Self {
        assert!(self.says(text), "this had to say `{text}`:\n{self}");
        self
    }

    /// How long a step took, by the JSON.
    #[track_caller]
    pub fn step_took(&self, name: &str) -> Duration {
        let steps = self.json["steps"].as_array().into_iter().flatten();
        let step = steps.into_iter().find(|step| step["name"] == name);
        let took = step.and_then(|step| step["ms"].as_u64());
        Duration::from_millis(took.unwrap_or_else(|| panic!("no step `{name}`:\n{self}")))
    }

    /// Whether a text is somewhere in what the command printed, on stdout or stderr.
    pub fn says(&self, text: &str) -> bool {
        self.words().contains(text)
    }

    /// A string field of the JSON; empty when it is null or absent.
    pub fn text(&self, pointer: &str) -> &str {
        let field = self.json.pointer(pointer);
        field.and_then(Value::as_str).unwrap_or_default()
    }

    /// Everything it said: stderr without the bars before quoted lines, and all strings of the
    /// JSON, a line each.
    pub fn words(&self) -> String {
        fn collect(value: &Value, words: &mut String) {
            match value {
                Value::String(text) => {
                    words.push_str(text);
                    words.push('\n');
                }
                Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
                Value::Object(fields) => fields.values().for_each(|value| collect(value, words)),
                other => words.push_str(&format!("{other}\n")),
            }
        }
        let lines = self.output.stderr.lines();
        let bare = |line: &str| line.trim_start().trim_start_matches("| ").to_owned() + "\n";
        let mut words: String = lines.map(bare).collect();
        collect(&self.json, &mut words);
        words
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.output.fmt(f)
    }
}
