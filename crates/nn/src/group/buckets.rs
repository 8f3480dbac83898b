//! Numbers of many tensors in one row, cut into buckets of one size that are sent one after the other.

use gradus_tensor::Tensor;

/// How many words are sent at once: 2 MiB, which the caches of most processors hold.
pub(crate) const BUCKET: usize = 1 << 19;

/// Numbers on their way out, by their bits.
#[derive(Default)]
pub(crate) struct Buckets {
    full: Vec<Vec<u32>>,
    open: Vec<u32>,
    /// Where the numbers of one that came back stood: the place for another's.
    spare: Vec<u32>,
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
            self.close();
        }
        self.open.reserve_exact(BUCKET - self.open.len());
        BUCKET - self.open.len()
    }

    /// The buckets that are full, in their order; after the last tensor the open one too.
    pub(crate) fn ready(&mut self, is_last: bool) -> Vec<Vec<u32>> {
        if self.open.len() == BUCKET || is_last && !self.open.is_empty() {
            self.close();
        }
        std::mem::take(&mut self.full)
    }

    fn close(&mut self) {
        let next = std::mem::take(&mut self.spare);
        self.full.push(std::mem::replace(&mut self.open, next));
    }

    /// Takes the words of a bucket that came back, to use their memory again.
    pub(crate) fn recycle(&mut self, mut words: Vec<u32>) {
        words.clear();
        self.spare = words;
    }
}

/// The same numbers coming back, to the tensors that wait for them.
#[derive(Default)]
pub(crate) struct Unpacked {
    tensors: Vec<Tensor>,
    /// How many of the tensors are full.
    full: usize,
    /// How far the next one is.
    at: usize,
}

impl Unpacked {
    /// The place for the next numbers, as many as it has.
    pub(crate) fn expect(&mut self, tensor: Tensor) {
        self.tensors.push(tensor);
    }

    /// The numbers of the next bucket.
    pub(crate) fn put(&mut self, mut words: &[u32]) {
        while !words.is_empty() {
            let place = &mut self.tensors[self.full].as_mut_slice()[self.at..];
            let (now, later) = words.split_at(place.len().min(words.len()));
            place.iter_mut().zip(now).for_each(|(x, &word)| *x = f32::from_bits(word));
            self.at += now.len();
            words = later;
            if now.len() == place.len() {
                (self.full, self.at) = (self.full + 1, 0);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<Tensor> {
        self.tensors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_over_the_ends_of_buckets() {
        let counts = [3, 0, BUCKET - 4, 2, 2 * BUCKET + 1, 5];
        let number = |i: usize| i as f32 - 1000.5;
        let (mut buckets, mut back, mut sent) = (Buckets::default(), Unpacked::default(), 0);
        for (i, count) in counts.into_iter().enumerate() {
            buckets.put(&(0..count).map(number).collect::<Vec<f32>>());
            buckets.put_nothing(2);
            back.expect(Tensor::zeros([count]));
            back.expect(Tensor::ones([2]));
            let is_last = i + 1 == counts.len();
            for words in buckets.ready(is_last) {
                assert!(words.len() == BUCKET || is_last && words.len() < BUCKET);
                sent += words.len();
                back.put(&words);
                buckets.recycle(words);
            }
        }
        assert_eq!(sent, counts.iter().sum::<usize>() + 12);
        for (pair, count) in back.finish().chunks(2).zip(counts) {
            assert!(pair[0].numel() == count && pair[0].iter().enumerate().all(|(i, x)| x == number(i)));
            assert_eq!(pair[1].to_vec().iter().map(|x| x.to_bits()).collect::<Vec<_>>(), [0x8000_0000; 2]);
        }
    }
}
