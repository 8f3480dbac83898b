//! Records of TensorFlow's files: a length, its check, the bytes, their check.

/// One record with these bytes.
pub(super) fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &check(&length), bytes, &check(bytes)].concat()
}

/// The checksum CRC-32C, turned and moved, so that sums of data with sums in it stay good ones.
fn check(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
