//! `claim.json`: what is being taken, under which id.
//!
//! Written before anything is renamed, removed after everything has ended. A file name that is not
//! UTF-8 stands in it as base64. It never holds keys or anything from inside the file.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{FileId, disk};

const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1024 * 1024;

/// The content of `claim.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) id: FileId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    pub(super) claimed_at: String,
    pub(super) sidecar: bool,
    /// The document's length when it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notes: Option<serde_json::Value>,
}

// === impl Record ===

impl Record {
    pub(super) fn new(id: &FileId, name: &OsStr, claimed_at: &str, sidecar: bool) -> Self {
        let text = name.to_str();
        Self {
            version: VERSION,
            id: id.clone(),
            name: text.map(str::to_owned),
            name_base64: text.is_none().then(|| STANDARD.encode(name.as_bytes())),
            claimed_at: claimed_at.to_owned(),
            sidecar,
            bytes: None,
            sha256_base64: None,
            notes: None,
        }
    }

    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a record; `InvalidData` if it was never written to its end, `Unsupported` if it was
    /// written by somebody else, for example a newer version.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let (file, _) = disk::open_regular(path)?;
        let value: serde_json::Value = serde_json::from_reader(io::Read::take(file, MAX_BYTES))
            .map_err(|error| {
                // What the disk says is not what the file says.
                if error.is_io() {
                    io::Error::from(error)
                } else {
                    io::Error::from(io::ErrorKind::InvalidData)
                }
            })?;
        let record = serde_json::from_value(value).ok();
        record
            .filter(|record: &Self| record.version == VERSION)
            .filter(|record| record.dropped_name().is_some())
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// The name the file was dropped under.
    pub(super) fn dropped_name(&self) -> Option<OsString> {
        match (&self.name, &self.name_base64) {
            (Some(text), None) => Some(text.into()),
            (None, Some(encoded)) => STANDARD.decode(encoded).ok().map(OsString::from_vec),
            _ => None,
        }
    }

    /// Keeps the SHA-256 of what was dropped, before our copy becomes something else.
    pub(super) fn set_dropped_sha256(&mut self, sha256: &[u8; 32]) {
        self.sha256_base64 = Some(STANDARD.encode(sha256));
    }

    /// The SHA-256 of what was dropped, if our copy need not be that any more.
    pub(super) fn dropped_sha256(&self) -> Option<[u8; 32]> {
        STANDARD.decode(self.sha256_base64.as_ref()?).ok()?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_is_what_version_1_looks_like() {
        let id = FileId::from_bits(1);
        let record = Record::new(&id, OsStr::new("a\nb"), "now", true);
        assert_eq!(
            String::from_utf8(record.to_bytes().unwrap()).unwrap(),
            "{\"version\":1,\"id\":\"F0000000001\",\"name\":\"a\\nb\",\"claimed_at\":\"now\",\"sidecar\":true}\n"
        );
    }

    #[test]
    fn what_was_cut_off_and_what_is_foreign_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("claim.json");
        let kind = |content: &str| {
            std::fs::write(&path, content).unwrap();
            Record::read(&path).unwrap_err().kind()
        };
        assert_eq!(kind(""), io::ErrorKind::InvalidData);
        assert_eq!(kind("{\"version\":1,\"id\":\"F00"), io::ErrorKind::InvalidData);
        assert_eq!(kind("{\"version\":2}"), io::ErrorKind::Unsupported);
        let two = "{\"version\":2,\"id\":\"F0000000001\",\"name\":\"x\",\"claimed_at\":\"\",\"sidecar\":false}";
        assert_eq!(kind(two), io::ErrorKind::Unsupported);
        assert_eq!(
            kind(&two.replace("\"version\":2", "\"version\":1").replace("name", "nome")),
            io::ErrorKind::Unsupported
        );
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in proptest::collection::vec(1_u8.., 1..=255), sha256: [u8; 32]) {
            let dir = tempfile::tempdir_in("/dev/shm").unwrap();
            let path = dir.path().join("claim.json");
            let name = OsString::from_vec(name);
            let mut record = Record::new(&FileId::from_bits(5), &name, "now", false);
            record.set_dropped_sha256(&sha256);
            std::fs::write(&path, record.to_bytes().unwrap()).unwrap();
            let back = Record::read(&path).unwrap();
            prop_assert_eq!(back.dropped_name(), Some(name));
            prop_assert_eq!(back.dropped_sha256(), Some(sha256));
        }
    }
}
