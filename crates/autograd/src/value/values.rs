//! One value or several: what a function takes or gives.

use crate::value::Value;

/// One value or several of them: `V`, `[V; N]` or `Vec<V>`. Functions that are differentiated take it, checkpoints
/// give it.
pub trait Values<V>: Clone {
    /// As many of something else, arranged alike: `T`, `[T; N]` or `Vec<T>`.
    type Each<T>;

    /// `f` of each value, in order.
    fn each<T>(&self, f: impl FnMut(&V) -> T) -> Self::Each<T>;

    /// `f` of each value, in order, where it gives values again.
    fn map_values(&self, f: impl FnMut(&V) -> V) -> Self;

    /// The values one after the other.
    fn list(&self) -> Vec<V>;
}

impl<V: Value> Values<V> for V {
    type Each<T> = T;

    fn each<T>(&self, mut f: impl FnMut(&V) -> T) -> T {
        f(self)
    }

    fn map_values(&self, mut f: impl FnMut(&V) -> V) -> V {
        f(self)
    }

    fn list(&self) -> Vec<V> {
        vec![self.clone()]
    }
}

impl<V: Value, const N: usize> Values<V> for [V; N] {
    type Each<T> = [T; N];

    fn each<T>(&self, f: impl FnMut(&V) -> T) -> [T; N] {
        self.each_ref().map(f)
    }

    fn map_values(&self, f: impl FnMut(&V) -> V) -> [V; N] {
        self.each(f)
    }

    fn list(&self) -> Vec<V> {
        self.to_vec()
    }
}

impl<V: Value> Values<V> for Vec<V> {
    type Each<T> = Vec<T>;

    fn each<T>(&self, f: impl FnMut(&V) -> T) -> Vec<T> {
        self.iter().map(f).collect()
    }

    fn map_values(&self, f: impl FnMut(&V) -> V) -> Vec<V> {
        self.each(f)
    }

    fn list(&self) -> Vec<V> {
        self.clone()
    }
}
