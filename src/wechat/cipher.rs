//! AES in CBC mode as WeChat uses it, with the padding taken off by hand: WeChat pads callbacks to 32
//! bytes, which no library expects of a cipher with blocks of 16.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::Decryptor;

/// The length of a block, of an initialisation vector, and of an AES-128 key.
pub(super) const BLOCK_BYTES: usize = 16;

/// Base64 that minds neither missing `=` nor spare bits: EncodingAESKey comes without the one and
/// with the others set.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decrypts in place and takes off padding to blocks of 16; `None` where the key is not the one.
pub(super) fn open_128<'a>(
    key: &[u8; 16],
    iv: &[u8; BLOCK_BYTES],
    bytes: &'a mut [u8],
) -> Option<&'a [u8]> {
    let cipher = Decryptor::<Aes128>::new(key.into(), iv.into());
    unpadded(cipher.decrypt_padded::<NoPadding>(bytes).ok()?, BLOCK_BYTES)
}

/// Decrypts in place and takes off padding to blocks of 32; `None` where the key is not the one.
pub(super) fn open_256<'a>(
    key: &[u8; 32],
    iv: &[u8; BLOCK_BYTES],
    bytes: &'a mut [u8],
) -> Option<&'a [u8]> {
    let cipher = Decryptor::<Aes256>::new(key.into(), iv.into());
    unpadded(cipher.decrypt_padded::<NoPadding>(bytes).ok()?, 2 * BLOCK_BYTES)
}

/// What PKCS#7 padding to `block` bytes was put behind; `None` where there is none.
fn unpadded(bytes: &[u8], block: usize) -> Option<&[u8]> {
    let length = usize::from(*bytes.last()?);
    let (text, padding) = bytes.split_at_checked(bytes.len().checked_sub(length)?)?;
    let is_padding = padding.iter().all(|&byte| usize::from(byte) == length);
    ((1..=block).contains(&length) && is_padding).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_between_one_byte_and_a_block() {
        let padded = |text: usize, padding: u8| {
            [vec![b'x'; text], vec![padding; usize::from(padding)]].concat()
        };
        for padding in 1..=32 {
            let bytes = padded(40, padding);
            assert_eq!(unpadded(&bytes, 32).map(<[u8]>::len), Some(40), "{padding}");
            assert_eq!(unpadded(&bytes, 16).is_some(), padding <= 16, "{padding}");
        }
        assert_eq!(unpadded(&padded(40, 33), 32), None);
        assert_eq!(unpadded(&[3, 3], 32), None);
        assert_eq!(unpadded(&[7, 2, 3, 3], 32), None);
        assert_eq!(unpadded(&[7, 0], 32), None);
        assert_eq!(unpadded(&[], 32), None);
    }
}
