//! The probe's requests, as a record keeps them: the text of a JSON list, on one line. Whoever
//! reads records to list them skips it; only who draws the cutover takes it apart.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Context, Result};

/// How many releases keep their samples.
pub const RELEASES_WITH_SAMPLES: usize = 5;

/// A list of samples, or an empty one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Samples(Box<RawValue>);

impl Samples {
    /// The samples as text.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn of(samples: &[impl Serialize]) -> Result<Samples> {
        let text = to_raw_value(samples).context("cannot write the probe's requests down")?;
        Ok(Samples(text))
    }

    /// The samples, taken apart. None when they are not what is asked for: a picture is no reason
    /// to fail.
    pub fn read<T: DeserializeOwned>(&self) -> Vec<T> {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Samples::default()
    }
}

impl Default for Samples {
    fn default() -> Self {
        let none: &[()] = &[];
        Samples(to_raw_value(none).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Samples) -> bool {
        self.0.get() == other.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{Record, State};

    fn record() -> Record {
        Record::new("20261122014228".parse().unwrap(), 1, State::Live)
    }

    #[test]
    fn samples_stay_on_one_line_of_an_indented_record() {
        let mut record = record();
        record.samples = Samples::of(&[1, 22, 333]).unwrap();
        let text = serde_json::to_string_pretty(&record).unwrap();
        assert!(text.contains("\n  \"samples\": [1,22,333],\n"), "{text}");
        let again: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(again, record);
        assert_eq!(again.samples.read::<u64>(), [1, 22, 333]);
    }

    #[test]
    fn a_record_without_samples_has_an_empty_list() {
        let text = serde_json::to_string(&record()).unwrap();
        assert!(text.contains("\"samples\":[]"), "{text}");
        let older = text.replace(",\"samples\":[]", "");
        let older: Record = serde_json::from_str(&older).unwrap();
        assert!(older.samples.is_empty());
    }

    #[test]
    fn what_is_no_list_of_samples_is_none() {
        for text in ["null", "7", "[\"a\"]", "{\"deep\":[[[]]]}"] {
            let samples: Samples = serde_json::from_str(text).unwrap();
            assert!(samples.read::<u64>().is_empty(), "{text}");
        }
    }
}
