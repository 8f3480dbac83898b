//! Numbers of many tensors in one row, cut into buckets of one size that are sent one after the other.

use std::vec;

/// How many words are sent at once: 2 MiB, which the caches of most processors hold.
const BUCKET: usize = 1 << 19;

/// Numbers on their way out, by their bits.
#[derive(Default)]
pub(crate) struct Buckets {
    full: Vec<Vec<u32>>,
    open: Vec<u32>,
}

impl Buckets {
    pub(crate) fn put(&mut self, mut numbers: &[f32]) {
        while !numbers.is_empty() {
            let (now, later) = numbers.split_at(self.room().min(numbers.len()));
            self.open.extend(now.iter().map(|x| x.to_bits()));
            numbers = later;
        }
    }

    /// So many numbers that are not there. What is added to them keeps its bits, as it would not with 0: -0 + 0 is 0.
    pub(crate) fn put_nothing(&mut self, mut count: usize) {
        while count > 0 {
            let now = self.room().min(count);
            self.open.resize(self.open.len() + now, (-0.0f32).to_bits());
            count -= now;
        }
    }

    /// What the open bucket still takes; when that is nothing, a new one is opened.
    fn room(&mut self) -> usize {
        if self.open.len() == BUCKET {
            self.full.push(std::mem::take(&mut self.open));
        }
        self.open.reserve_exact(BUCKET - self.open.len());
        BUCKET - self.open.len()
    }

    pub(crate) fn finish(mut self) -> Vec<Vec<u32>> {
        if !self.open.is_empty() {
            self.full.push(self.open);
        }
        self.full
    }
}

/// The same numbers coming back.
pub(crate) struct Unpacked {
    buckets: vec::IntoIter<Vec<u32>>,
    open: Vec<u32>,
    at: usize,
}

impl Unpacked {
    pub(crate) fn new(buckets: Vec<Vec<u32>>) -> Unpacked {
        Unpacked { buckets: buckets.into_iter(), open: Vec::new(), at: 0 }
    }

    /// The next numbers, as many as there is place for.
    pub(crate) fn take(&mut self, mut numbers: &mut [f32]) {
        while !numbers.is_empty() {
            if self.at == self.open.len() {
                self.open = self.buckets.next().expect("as many numbers come back as were put in");
                self.at = 0;
            }
            let count = numbers.len().min(self.open.len() - self.at);
            let (now, later) = numbers.split_at_mut(count);
            now.iter_mut().zip(&self.open[self.at..]).for_each(|(x, &word)| *x = f32::from_bits(word));
            self.at += count;
            numbers = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_over_the_ends_of_buckets() {
        let counts = [3, 0, BUCKET - 4, 2, 2 * BUCKET + 1, 5];
        let number = |i: usize| i as f32 - 1000.5;
        let mut buckets = Buckets::default();
        for count in counts {
            buckets.put(&(0..count).map(number).collect::<Vec<f32>>());
            buckets.put_nothing(2);
        }
        let buckets = buckets.finish();
        let most = buckets.len() - 1;
        assert!(buckets[..most].iter().all(|bucket| bucket.len() == BUCKET));
        let mut back = Unpacked::new(buckets);
        for count in counts {
            let (mut numbers, mut nothing) = (vec![0.0; count], [1.0; 2]);
            back.take(&mut numbers);
            back.take(&mut nothing);
            assert!(numbers.iter().enumerate().all(|(i, &x)| x == number(i)));
            assert_eq!(nothing.map(f32::to_bits), [-0.0f32; 2].map(f32::to_bits));
        }
    }
}
