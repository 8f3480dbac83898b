//! Short lists that stay where they are made.

/// One item for each of an operation's inputs or outputs: on the stack up to three of them.
///
/// A `SmallVec` is filled item by item and then moved, and the wide loads of the move wait for the narrow stores before
/// them; with a handful of lists an operation, small tensors feel it.
pub(crate) struct List<T> {
    few: [T; 3],
    many: Vec<T>,
    len: usize,
}

impl<T: Copy> List<T> {
    /// The items from number 0 to `len - 1`. `filler` stands in the places beyond.
    #[inline(always)]
    pub(crate) fn new(len: usize, filler: T, item: impl Fn(usize) -> T) -> List<T> {
        let (mut few, mut many) = ([filler; 3], Vec::new());
        if len <= few.len() {
            for (k, place) in few.iter_mut().enumerate().take(len) {
                *place = item(k);
            }
        } else {
            many = (0..len).map(item).collect();
        }
        List { few, many, len }
    }

    #[inline(always)]
    pub(crate) fn as_slice(&self) -> &[T] {
        self.few.get(..self.len).unwrap_or(&self.many)
    }
}
