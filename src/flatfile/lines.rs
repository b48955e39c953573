//! The line splitter: bytes in, one line at a time out, in one reused buffer.
//!
//! Knows line ends and nothing else: a `"` is a byte like any other, because in tab-separated
//! reports an inch mark opens titles that never close it. The first line end decides: LF (or CRLF)
//! means lines end with LF, a bare CR means they end with CR. A bare CR inside an LF line is a line
//! end only if each part is a complete row; else the line is handed out whole and marked. That is
//! decided once per LF line.
//!
//! Promises constant memory (the longest line), work that is linear in the bytes, the same lines
//! however the source cuts its reads, and an error at a NUL byte or a line over
//! [`MAX_LINE_BYTES`].

use std::io::{ErrorKind, Read};

use memchr::{memchr, memchr_iter, memchr2};

use super::error::{DocumentError, MAX_LINE_BYTES};

const BUFFER_BYTES: usize = 256 * 1024;

/// What documents begin with that are no text in rows, and what they are.
const FORMATS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive (an .xlsx workbook is one, too)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xD0\xCF\x11\xE0", "a workbook of an old Excel (.xls)"),
    (b"%PDF", "a PDF file"),
    (b"\x1F\x8B", "compressed with gzip a second time"),
    (b"BZh", "compressed with bzip2"),
    (b"7z\xBC\xAF", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xB5\x2F\xFD", "compressed with zstd"),
    (b"\xFD7zX", "compressed with xz"),
    (b"<", "an XML or HTML document"),
    (b"{", "a JSON document"),
];

/// Splits what it reads into lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    /// The unread part of `buffer`.
    start: usize,
    end: usize,
    at_end: bool,
    /// The place of `buffer[0]` in the document.
    base: u64,
    /// Lines handed out so far.
    number: u64,
    bare_cr: Option<bool>,
    /// The place in the document up to which a bare CR ends a line: the end of the LF line that
    /// was found to be complete rows.
    cr_ends_until: u64,
    columns: Option<usize>,
    nul: Option<u64>,
    bom: bool,
    /// How many bytes were looked at in search of a line end.
    #[cfg(test)]
    pub(super) looked_at: u64,
}

/// One line, without its end.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Its number, 1 being the document's first.
    pub number: u64,
    /// The place of its first byte in the document.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// There is a bare CR inside.
    pub stray_cr: bool,
}

impl<R: Read> Lines<R> {
    /// Reads the first bytes: a UTF-8 byte order mark is skipped, UTF-16 is refused.
    pub(super) fn new(source: R) -> Result<Self, DocumentError> {
        let mut lines = Self {
            source,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            at_end: false,
            base: 0,
            number: 0,
            bare_cr: None,
            cr_ends_until: 0,
            columns: None,
            nul: None,
            bom: false,
            #[cfg(test)]
            looked_at: 0,
        };
        while lines.end < 4 && !lines.at_end {
            lines.fill()?;
        }
        let head = lines.buffer.get(..lines.end.min(4)).unwrap_or_default();
        match head {
            [0xEF, 0xBB, 0xBF, ..] => {
                lines.bom = true;
                lines.start = 3;
            }
            [0xFF, 0xFE, 0, 0] | [0, 0, 0xFE, 0xFF] => return Err(DocumentError::Utf16("UTF-32")),
            [0xFF, 0xFE, ..] => return Err(DocumentError::Utf16("UTF-16 (little-endian)")),
            [0xFE, 0xFF, ..] => return Err(DocumentError::Utf16("UTF-16 (big-endian)")),
            _ => {}
        }
        if let Some((_, what)) = FORMATS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(DocumentError::OtherFormat(what));
        }
        Ok(lines)
    }

    /// The document began with a UTF-8 byte order mark.
    pub(super) fn has_bom(&self) -> bool {
        self.bom
    }

    /// How many cells a complete row has; needed to tell stray CRs from line ends.
    pub(super) fn set_columns(&mut self, columns: usize) {
        self.columns = Some(columns);
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.base.saturating_add(u64::try_from(self.end).unwrap_or(u64::MAX))
    }

    /// The next line; none at the end.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, DocumentError> {
        let mut stray = false;
        // Relative to `start`, which moves when the buffer is refilled.
        let mut searched = 0;
        let (length, skip) = loop {
            let rest = self.buffer.get(self.start..self.end).unwrap_or_default();
            let unsearched = rest.get(searched..).unwrap_or_default();
            let found = memchr2(b'\n', b'\r', unsearched);
            #[cfg(test)]
            {
                let looked_at = found.map_or(unsearched.len(), |at| at + 1);
                self.looked_at += u64::try_from(looked_at).unwrap_or(u64::MAX);
            }
            let Some(found) = found else {
                if self.at_end {
                    if rest.is_empty() {
                        return Ok(None);
                    }
                    break (rest.len(), rest.len());
                }
                searched = rest.len();
                self.fill()?;
                continue;
            };
            let at = searched + found;
            if rest.get(at) == Some(&b'\n') {
                self.bare_cr.get_or_insert(false);
                break (at, at + 1);
            }
            match rest.get(at + 1) {
                Some(b'\n') => {
                    self.bare_cr.get_or_insert(false);
                    break (at, at + 2);
                }
                None if !self.at_end => {
                    searched = at;
                    self.fill()?;
                }
                _ if self.place(self.start + at) < self.cr_ends_until
                    || *self.bare_cr.get_or_insert(true)
                    || at + 1 == rest.len() =>
                {
                    break (at, at + 1);
                }
                _ => {
                    stray = true;
                    searched = at + 1;
                }
            }
        };
        self.finish(length, skip, stray).map(Some)
    }

    fn finish(
        &mut self,
        length: usize,
        skip: usize,
        stray: bool,
    ) -> Result<Line<'_>, DocumentError> {
        self.number = self.number.saturating_add(1);
        let number = self.number;
        let offset = self.place(self.start);
        let start = self.start;
        let mut bytes = self.buffer.get(start..start + length).unwrap_or_default();
        let mut taken = skip;
        let mut stray_cr = false;
        if stray {
            while let [head @ .., b'\r'] = bytes {
                bytes = head;
            }
            let first = memchr(b'\r', bytes);
            stray_cr = first.is_some();
            if let (Some(first), Some(columns)) = (first, self.columns) {
                let complete = |part: &[u8]| memchr_iter(b'\t', part).count() + 1 == columns;
                #[cfg(test)]
                {
                    self.looked_at += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                }
                if bytes.split(|&b| b == b'\r').all(complete) {
                    let end = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.cr_ends_until = offset.saturating_add(end);
                    bytes = bytes.get(..first).unwrap_or_default();
                    taken = first + 1;
                    stray_cr = false;
                }
            }
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Err(DocumentError::LineTooLong { line: number });
        }
        let after = offset.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        if self.nul.is_some_and(|nul| nul < after) {
            return Err(DocumentError::Nul { line: number });
        }
        self.start = start + taken;
        Ok(Line { number, offset, bytes, stray_cr })
    }

    /// The place in the document of a byte of `buffer`.
    fn place(&self, at: usize) -> u64 {
        self.base.saturating_add(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// Reads once more, making room first.
    fn fill(&mut self) -> Result<(), DocumentError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base = self.place(self.start);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end > MAX_LINE_BYTES + 1 {
            return Err(DocumentError::LineTooLong { line: self.number.saturating_add(1) });
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = loop {
            match self.source.read(room) {
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(DocumentError::Read(error)),
            }
        };
        if read == 0 {
            self.at_end = true;
        }
        if self.nul.is_none()
            && let Some(at) = memchr(0, room.get(..read).unwrap_or_default())
        {
            let at = u64::try_from(self.end + at).unwrap_or(u64::MAX);
            self.nul = Some(self.base.saturating_add(at));
        }
        self.end += read;
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out at most `sizes[i % n]` bytes at the i-th read.
    pub(in super::super) struct Dribble<'a> {
        pub(in super::super) bytes: &'a [u8],
        pub(in super::super) sizes: &'a [usize],
        pub(in super::super) turn: usize,
    }

    impl Read for Dribble<'_> {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            let size = self.sizes.get(self.turn % self.sizes.len().max(1)).copied().unwrap_or(7);
            self.turn += 1;
            let n = size.max(1).min(room.len()).min(self.bytes.len());
            room[..n].copy_from_slice(&self.bytes[..n]);
            self.bytes = &self.bytes[n..];
            Ok(n)
        }
    }

    fn split(source: impl Read) -> Result<Vec<Vec<u8>>, DocumentError> {
        let mut lines = Lines::new(source)?;
        let mut all = Vec::new();
        while let Some(line) = lines.next_line()? {
            all.push(line.bytes.to_vec());
            assert_eq!(usize::try_from(line.number), Ok(all.len()));
        }
        Ok(all)
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        split(bytes).unwrap().into_iter().map(|l| String::from_utf8(l).unwrap()).collect()
    }

    #[test]
    fn the_three_line_ends_with_and_without_a_last_one() {
        for text in
            ["a\tb\nc\td\n", "a\tb\nc\td", "a\tb\r\nc\td\r\n", "a\tb\r\nc\td\r", "a\tb\rc\td\r"]
        {
            assert_eq!(texts(text.as_bytes()), ["a\tb", "c\td"], "{text:?}");
        }
        assert_eq!(texts(b"a\n\n\nb"), ["a", "", "", "b"]);
        assert_eq!(texts(b"a\r\r\nb\r\r\n"), ["a", "", "b", ""]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn a_quote_is_a_byte_like_any_other() {
        assert_eq!(texts(b"\"a\nb\"\"\nc\n"), ["\"a", "b\"\"", "c"]);
    }

    #[test]
    fn marks_at_the_start() {
        assert_eq!(texts(b"\xEF\xBB\xBFa\n"), ["a"]);
        assert!(matches!(split(&b"\xFF\xFEa\0"[..]), Err(DocumentError::Utf16(_))));
        assert!(matches!(split(&b"\xFE\xFF\0a"[..]), Err(DocumentError::Utf16(_))));
    }

    #[test]
    fn a_stray_cr_is_a_line_end_only_between_complete_rows() {
        let read = |bytes: &'static [u8]| {
            let mut lines = Lines::new(bytes).unwrap();
            lines.next_line().unwrap();
            lines.set_columns(2);
            let mut all = Vec::new();
            while let Some(line) = lines.next_line().unwrap() {
                all.push((String::from_utf8(line.bytes.to_vec()).unwrap(), line.stray_cr));
            }
            all
        };
        assert_eq!(
            read(b"a\tb\nc\td\re\tf\rg\th\ni\tj\n"),
            [("c\td", false), ("e\tf", false), ("g\th", false), ("i\tj", false)]
                .map(|(t, s)| (t.to_owned(), s))
        );
        assert_eq!(read(b"a\tb\nc\td\re\nf\tg\n")[0], ("c\td\re".to_owned(), true));
        assert_eq!(read(b"a\tb\r\nc\td\r\r\n"), [("c\td".to_owned(), false)]);
    }

    #[test]
    fn audit_04_stray_crs_are_looked_at_a_bounded_number_of_times() {
        let rows = 100_000_u64;
        let mut bytes = b"a\tb\n".to_vec();
        for row in 0..rows {
            // In LF lines of up to 60,000 rows.
            bytes.extend(if row % 60_000 == 59_999 { b"c\td\n" } else { b"c\td\r" });
        }
        for end in [&b""[..], b"\n", b"e\r\n", b"\r\re\tf\n"] {
            let bytes = [&bytes[..], end].concat();
            let mut lines = Lines::new(&bytes[..]).unwrap();
            lines.next_line().unwrap();
            lines.set_columns(2);
            let mut count = 0;
            while let Some(line) = lines.next_line().unwrap() {
                assert!(line.stray_cr || line.bytes == b"c\td", "{count}");
                count += 1;
            }
            assert!(count > 60_000, "{count}");
            let size = u64::try_from(bytes.len()).unwrap();
            assert!(lines.looked_at < 4 * size, "{} of {size} bytes", lines.looked_at);
        }
    }

    #[test]
    fn case_r27_other_formats_are_called_by_their_name() {
        for (bytes, word) in [
            (&b"PK\x03\x04\x14\0\0\0"[..], "ZIP"),
            (b"%PDF-1.7\n", "PDF"),
            (b"<?xml version=\"1.0\"?>", "XML"),
            (b"{\"errors\":[]}", "JSON"),
        ] {
            let error = split(bytes).unwrap_err();
            assert_eq!(error.code(), "document-format");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert_eq!(texts(b"PK\n7z\n%\n"), ["PK", "7z", "%"]);
    }

    #[test]
    fn nul_and_endless_lines_are_named_by_line() {
        assert!(matches!(split(&b"a\nb\nc\0\n"[..]), Err(DocumentError::Nul { line: 3 })));
        let mut long = b"a\n".to_vec();
        long.resize(2 + MAX_LINE_BYTES, b'x');
        assert_eq!(split(&long[..]).unwrap().len(), 2);
        long.extend(b"xx\n");
        assert!(matches!(split(&long[..]), Err(DocumentError::LineTooLong { line: 2 })));
        long.resize(10 * MAX_LINE_BYTES, b'x');
        assert!(matches!(split(&long[..]), Err(DocumentError::LineTooLong { line: 2 })));
    }

    #[test]
    fn a_failing_source_fails_the_document() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("tampered"))
            }
        }
        let error = split((&b"a\nb\n"[..]).chain(Broken)).unwrap_err();
        assert!(matches!(error, DocumentError::Read(e) if e.to_string() == "tampered"));
    }

    proptest! {
        #[test]
        fn reads_may_be_cut_anywhere(
            text in "[a\t\"\r\n]{0,60}",
            sizes in prop::collection::vec(1usize..9, 1..5),
        ) {
            let dribble = Dribble { bytes: text.as_bytes(), sizes: &sizes, turn: 0 };
            prop_assert_eq!(split(dribble).unwrap(), split(text.as_bytes()).unwrap());
        }

        #[test]
        fn agrees_with_the_csv_crate(text in "([a\"é ]{0,4}[\t\n]){0,30}") {
            let mut oracle = csv::ReaderBuilder::new()
                .quoting(false)
                .delimiter(b'\t')
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let theirs: Vec<Vec<Vec<u8>>> = oracle
                .byte_records()
                .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                .collect();
            let ours: Vec<Vec<Vec<u8>>> = split(text.as_bytes())
                .unwrap()
                .into_iter()
                .filter(|line| !line.is_empty())
                .map(|line| line.split(|&b| b == b'\t').map(<[u8]>::to_vec).collect())
                .collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
