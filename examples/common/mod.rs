//! What several examples use: options, a progress bar, pictures; what those of the book's chapters share. Not an example
//! itself.

#![allow(dead_code, reason = "each example uses a part of it")]

pub(crate) mod args;
pub(crate) mod book;
pub(crate) mod by_hand;
pub(crate) mod chart;
pub(crate) mod csv;
pub(crate) mod dates;
pub(crate) mod field;
pub(crate) mod grammar;
pub(crate) mod grid;
pub(crate) mod heat;
pub(crate) mod learning;
pub(crate) mod legend;
pub(crate) mod letters;
pub(crate) mod nets;
pub(crate) mod picture;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod recurrent;
pub(crate) mod seq2seq;
pub(crate) mod texts;
pub(crate) mod words;
