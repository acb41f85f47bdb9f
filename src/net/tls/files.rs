//! PEM files as the operator gives them, and what is said when one is not what it should be.
//! Never here: a key in a message.

use std::path::Path;

use rustls::pki_types::pem::PemObject;

use crate::core::bounds::TLS_FILE_BYTES_MAX;
use crate::core::config::ConfigError;

/// What is wrong with a file that the configuration names.
pub(super) fn complaint(key: &str, path: &Path, need: impl Into<String>, cure: &str) -> ConfigError {
    let value = Some(format!("\"{}\"", path.display()));
    ConfigError { key: key.to_owned(), value, need: need.into(), cure: cure.to_owned() }
}

/// # Errors
/// It cannot be read, or is far too long for what it should be.
pub(super) fn read(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    let cure = "it must be there, and the user of the server must be allowed to read it";
    let bytes =
        std::fs::read(path).map_err(|error| complaint(key, path, format!("must be readable: {error}"), cure))?;
    if bytes.len() > TLS_FILE_BYTES_MAX {
        let need = format!("must have at most {TLS_FILE_BYTES_MAX} bytes, has {}", bytes.len());
        return Err(complaint(key, path, need, "is it the right file?"));
    }
    Ok(bytes)
}

/// Every item of one kind in a file; never none.
///
/// # Errors
/// The file cannot be read, is no PEM, or has no such item. `what` names the item: `CERTIFICATE`.
pub(super) fn items<T: PemObject>(key: &str, path: &Path, what: &str) -> Result<Vec<T>, ConfigError> {
    let text = read(key, path)?;
    let items = T::pem_slice_iter(&text).collect::<Result<Vec<T>, _>>();
    match items {
        Ok(items) if !items.is_empty() => Ok(items),
        Ok(_) => Err(complaint(key, path, format!("must have a part -----BEGIN {what}-----"), "is it the right file?")),
        Err(error) => {
            Err(complaint(key, path, format!("must be PEM: {error}"), "an encrypted or half-written file is none"))
        }
    }
}
