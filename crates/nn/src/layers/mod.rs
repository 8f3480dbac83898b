//! The layers.

mod activation;
mod conv;
mod linear;
mod recurrent;
mod shape;

pub use activation::{Identity, Relu, Sigmoid, Tanh};
pub use conv::{Conv2d, MaxPool2d};
pub use linear::Linear;
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, RecurrentOptions, RecurrentState, Rnn, RnnCell};
pub use shape::Flatten;
