//! AES in CBC mode as WeChat uses it. The padding is removed here because WeChat pads callbacks to 32
//! bytes, which no library supports for a cipher with 16-byte blocks.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::Decryptor;

/// The length of a block, an initialisation vector and an AES-128 key.
pub(super) const BLOCK_BYTES: usize = 16;

/// Base64 that accepts missing `=` padding and non-zero trailing bits, as EncodingAESKey has both.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decrypts in place and removes padding to 16 bytes; `None` if the padding is wrong, as with a wrong key.
pub(super) fn open_128<'a>(
    key: &[u8; 16],
    iv: &[u8; BLOCK_BYTES],
    bytes: &'a mut [u8],
) -> Option<&'a [u8]> {
    let cipher = Decryptor::<Aes128>::new(key.into(), iv.into());
    unpadded(cipher.decrypt_padded::<NoPadding>(bytes).ok()?, BLOCK_BYTES)
}

/// Decrypts in place and removes padding to 32 bytes; `None` if the padding is wrong, as with a wrong key.
pub(super) fn open_256<'a>(
    key: &[u8; 32],
    iv: &[u8; BLOCK_BYTES],
    bytes: &'a mut [u8],
) -> Option<&'a [u8]> {
    let cipher = Decryptor::<Aes256>::new(key.into(), iv.into());
    unpadded(cipher.decrypt_padded::<NoPadding>(bytes).ok()?, 2 * BLOCK_BYTES)
}

/// Removes PKCS#7 padding to `block` bytes; `None` if there is no valid padding.
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
    fn padding_is_one_byte_to_one_block() {
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
