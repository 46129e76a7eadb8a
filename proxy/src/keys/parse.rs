//! The list of master keys as it is written down.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use service::Secret;

use super::InvalidKeys;

/// Reads the standard alphabet (the URL-safe one is mapped to it), with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The entries of a list, in order, with ids that are valid and unique.
pub(super) fn entries(list: &Secret) -> Result<Vec<(String, [u8; 32])>, InvalidKeys> {
    let mut keys: Vec<(String, [u8; 32])> = Vec::new();
    let written = list.expose().lines().filter(|line| !line.trim_start().starts_with('#'));
    let written = written.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    for (position, entry) in written.enumerate() {
        let (id, key) = entry_parts(entry, position + 1)?;
        if keys.iter().any(|(known, _)| known == id) {
            return Err(InvalidKeys::Repeated(position + 1));
        }
        keys.push((id.to_owned(), key));
    }
    Ok(keys)
}

fn entry_parts(entry: &str, position: usize) -> Result<(&str, [u8; 32]), InvalidKeys> {
    let (id, key) = entry.split_once(':').ok_or(InvalidKeys::Shape(position))?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let id = id.trim();
    if id.is_empty() || id.len() > 16 || !id.bytes().all(fits) {
        return Err(InvalidKeys::Id(position));
    }
    let key = key.trim().replace('-', "+").replace('_', "/");
    let bytes = LENIENT.decode(key).map_err(|_| InvalidKeys::Length(position))?;
    let bytes = bytes.try_into().map_err(|_| InvalidKeys::Length(position))?;
    Ok((id, bytes))
}
