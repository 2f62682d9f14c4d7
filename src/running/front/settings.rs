//! Reading the settings of other programs.
