//! The names a file has on its way. The drawing is in [`claim`](mod@super::claim).
//!
//! Only names: nothing here touches a disk.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{End, FileId, SpoolDirs};

/// The longest name a file may have.
const NAME_MAX: usize = 255;
/// The longest thing put behind a dropper's name: `.<file id>.result.json`.
const LONGEST_SUFFIX: usize = 1 + FileId::LEN + ".result.json".len();

/// All names of one file.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) claim: PathBuf,
    pub(super) claim_tmp: PathBuf,
    /// The dropper's file after the rename; `staged_here` when `work/` is on another file system.
    pub(super) staged: PathBuf,
    pub(super) staged_here: PathBuf,
    pub(super) copy_tmp: PathBuf,
    pub(super) document: PathBuf,
    pub(super) resealed_tmp: PathBuf,
    /// Our copy of the sidecar.
    pub(super) sidecar: PathBuf,
    pub(super) sidecar_tmp: PathBuf,
    /// The dropper's sidecar after the rename; `sidecar_here` when `work/` is on another file system.
    pub(super) sidecar_staged: PathBuf,
    pub(super) sidecar_here: PathBuf,
}

/// Where a file ends.
#[derive(Debug)]
pub(super) struct EndPaths {
    pub(super) dir: PathBuf,
    pub(super) document: PathBuf,
    pub(super) document_tmp: PathBuf,
    pub(super) words: PathBuf,
    pub(super) words_tmp: PathBuf,
}

// === impl Paths ===

impl Paths {
    pub(super) fn of(dirs: &SpoolDirs, id: &FileId) -> Self {
        let work = |suffix: &str| dirs.work.join(format!("{id}{suffix}"));
        let here = |suffix: &str| dirs.incoming.join(format!(".{id}{suffix}"));
        Self {
            claim: work(".claim.json"),
            claim_tmp: work(".claim.json.tmp"),
            staged: work(".in"),
            staged_here: here(".in"),
            copy_tmp: work(".copy.tmp"),
            document: work(""),
            resealed_tmp: work(".resealed.tmp"),
            sidecar: work(".sidecar"),
            sidecar_tmp: work(".sidecar.tmp"),
            sidecar_staged: work(".sidecar.in"),
            sidecar_here: here(".sidecar"),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> [&Path; 11] {
        [
            &self.claim,
            &self.claim_tmp,
            &self.staged,
            &self.staged_here,
            &self.copy_tmp,
            &self.document,
            &self.resealed_tmp,
            &self.sidecar,
            &self.sidecar_tmp,
            &self.sidecar_staged,
            &self.sidecar_here,
        ]
    }
}

/// Reads a name in `work/`; `None` if we never made it.
pub(super) fn parse_work(name: &OsStr) -> Option<FileId> {
    const SUFFIXES: [&str; 9] = [
        "",
        ".claim.json",
        ".claim.json.tmp",
        ".in",
        ".copy.tmp",
        ".resealed.tmp",
        ".sidecar",
        ".sidecar.tmp",
        ".sidecar.in",
    ];
    let (id, suffix) = name.to_str()?.split_at_checked(FileId::LEN)?;
    SUFFIXES.contains(&suffix).then(|| id.parse().ok())?
}

/// Reads a hidden name in `incoming/`; `None` if we never made it.
pub(super) fn parse_here(name: &OsStr) -> Option<FileId> {
    let (id, suffix) = name.to_str()?.strip_prefix('.')?.split_at_checked(FileId::LEN)?;
    matches!(suffix, ".in" | ".sidecar").then(|| id.parse().ok())?
}

/// `NAME.json`, the name of a document's sidecar.
pub(super) fn sidecar_name(name: &OsStr) -> OsString {
    let mut sidecar = name.to_owned();
    sidecar.push(".json");
    sidecar
}

/// `NAME.<file id>`, NAME cut so that everything that may follow still fits.
pub(super) fn end_name(name: &OsStr, id: &FileId) -> OsString {
    let bytes = name.as_bytes();
    let room = NAME_MAX - LONGEST_SUFFIX;
    let mut out = OsString::new();
    if bytes.len() <= room {
        out.push(name);
    } else {
        let mut cut = room - 1; // for the '~' that shows it
        if name.to_str().is_some() {
            // Not in the middle of a character: continuation bytes are 0b10xx_xxxx.
            while bytes.get(cut).is_some_and(|byte| byte & 0xC0 == 0x80) {
                cut -= 1;
            }
        }
        out.push(OsStr::from_bytes(bytes.get(..cut).unwrap_or_default()));
        out.push("~");
    }
    out.push(".");
    out.push(id.as_str());
    out
}

/// Where `name` ends.
pub(super) fn end_paths(dirs: &SpoolDirs, end: End, name: &OsStr, id: &FileId) -> EndPaths {
    let (dir, suffix) = match end {
        End::Done => (dirs.done.clone(), ".result.json"),
        End::Rejected => (dirs.rejected.clone(), ".reason.json"),
    };
    let document = end_name(name, id);
    let mut words = document.clone();
    words.push(suffix);
    EndPaths {
        document: dir.join(document),
        document_tmp: dir.join(format!(".{id}.document.tmp")),
        words: dir.join(words),
        words_tmp: dir.join(format!(".{id}.words.tmp")),
        dir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn every_name_we_make_is_recognised_and_nothing_else() {
        let dirs = SpoolDirs::new("/spool".as_ref(), "a");
        let id = FileId::from_bits(42);
        let paths = Paths::of(&dirs, &id);
        let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
        for path in [
            &paths.claim,
            &paths.claim_tmp,
            &paths.staged,
            &paths.copy_tmp,
            &paths.document,
            &paths.resealed_tmp,
            &paths.sidecar,
            &paths.sidecar_tmp,
            &paths.sidecar_staged,
        ] {
            assert_eq!(parse_work(&name(path)), Some(id.clone()));
            assert_eq!(parse_here(&name(path)), None);
        }
        for path in [&paths.staged_here, &paths.sidecar_here] {
            assert_eq!(parse_here(&name(path)), Some(id.clone()));
        }
        for other in ["", "x", "F00000000é1", "F00000000160", "F0000000016.in2", ".F0000000016.tmp"]
        {
            assert_eq!(parse_work(OsStr::new(other)), None, "{other}");
            assert_eq!(parse_here(OsStr::new(other)), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn end_names_fit_and_stay_apart(name in proptest::collection::vec(1_u8.., 1..=255), a: u64, b: u64) {
            let name = OsString::from_vec(name);
            let (a, b) = (FileId::from_bits(a), FileId::from_bits(b));
            let end = end_name(&name, &a);
            prop_assert!(end.len() + ".result.json".len() <= NAME_MAX);
            prop_assert!(end.as_bytes().ends_with(a.as_str().as_bytes()));
            prop_assert_eq!(end == end_name(&name, &b), a == b);
            if name.len() <= 231 {
                prop_assert!(end.as_bytes().starts_with(name.as_bytes()));
            }
        }

        #[test]
        fn text_stays_text(name in "[aé漢😀]{1,255}") {
            let end = end_name(OsStr::new(&name), &FileId::from_bits(7));
            prop_assert!(end.to_str().is_some());
        }
    }
}
