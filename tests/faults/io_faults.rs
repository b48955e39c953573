//! A disk that fails on command: preloaded (`LD_PRELOAD`) into the real daemon, it counts every call
//! that changes what lies below the watched folders or sends to a server, and can kill the process
//! before or after the n-th, refuse it, write half of it, or write all of them down.
//!
//! Built by the tests with `rustc --crate-type cdylib` (tests/it/fault_support.rs); no part of the package, whose
//! own code forbids `unsafe`. Here it is needed: the functions replace those of the C library. Each does its
//! work with a raw system call, so there is no way back into itself.
//!
//! Environment: `IO_WATCH=dir:dir`, `IO_LOG=file` (a line an action), `IO_KILL_BEFORE=n`, `IO_KILL_AFTER=n`,
//! `IO_TORN=n` (half of the n-th write, then the end), `IO_FAIL=from,count,errno[,kind]` (of the actions of this kind;
//! count 0: for ever, while the file `IO_FAIL_WHILE` exists, if given), `IO_RECORD=file` (with data, for the power-cut model).
//!
//! A recorded action is: kind (1 byte), offset (8), length of path (4), of second path (4), of data (4), then those.
#![allow(unsafe_op_in_unsafe_fn, clippy::missing_safety_doc, non_upper_case_globals)]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicBool, Ordering};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
}

#[cfg(target_arch = "x86_64")]
mod nr {
    pub const WRITE: i64 = 1; pub const LSEEK: i64 = 8;
    pub const PWRITE: i64 = 18; pub const WRITEV: i64 = 20; pub const SENDTO: i64 = 44; pub const SENDMSG: i64 = 46;
    pub const GETPID: i64 = 39; pub const KILL: i64 = 62; pub const FSYNC: i64 = 74; pub const FDATASYNC: i64 = 75;
    pub const FTRUNCATE: i64 = 77; pub const OPENAT: i64 = 257; pub const MKDIRAT: i64 = 258; pub const UNLINKAT: i64 = 263;
    pub const READLINKAT: i64 = 267; pub const FACCESSAT: i64 = 269; pub const SYNC_FILE_RANGE: i64 = 277;
    pub const RENAMEAT2: i64 = 316; pub const LINKAT: i64 = 265;
}
#[cfg(target_arch = "aarch64")]
mod nr {
    pub const WRITE: i64 = 64; pub const LSEEK: i64 = 62;
    pub const PWRITE: i64 = 68; pub const WRITEV: i64 = 66; pub const SENDTO: i64 = 206; pub const SENDMSG: i64 = 211;
    pub const GETPID: i64 = 172; pub const KILL: i64 = 129; pub const FSYNC: i64 = 82; pub const FDATASYNC: i64 = 83;
    pub const FTRUNCATE: i64 = 46; pub const OPENAT: i64 = 56; pub const MKDIRAT: i64 = 34; pub const UNLINKAT: i64 = 35;
    pub const READLINKAT: i64 = 78; pub const FACCESSAT: i64 = 48; pub const SYNC_FILE_RANGE: i64 = 84;
    pub const RENAMEAT2: i64 = 276; pub const LINKAT: i64 = 37;
}

const CWD: c_int = -100;

struct Plan {
    watch: Vec<String>,
    log: c_int,
    record: c_int,
    kill_before: i64,
    kill_after: i64,
    torn: i64,
    fail: Option<(i64, i64, c_int, String)>,
    fail_while: Option<CString>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();
static COUNT: AtomicI64 = AtomicI64::new(0);
static FAILABLE: AtomicI64 = AtomicI64::new(0);
/// One action at a time: the record is the order in which they happened.
static BUSY: AtomicBool = AtomicBool::new(false);

fn plan() -> &'static Plan {
    PLAN.get_or_init(|| {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str| text(name).and_then(|n| n.parse().ok()).unwrap_or(-1);
        let open = |name: &str| match text(name) {
            None => -1,
            Some(path) => {
                let path = CString::new(path).unwrap();
                // O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC
                (unsafe { syscall(nr::OPENAT, CWD, path.as_ptr(), 0o1 | 0o100 | 0o2000 | 0o2000000, 0o600) }) as c_int
            }
        };
        Plan {
            watch: text("IO_WATCH").map(|t| t.split(':').map(str::to_owned).collect()).unwrap_or_default(),
            log: open("IO_LOG"),
            record: open("IO_RECORD"),
            kill_before: number("IO_KILL_BEFORE"),
            kill_after: number("IO_KILL_AFTER"),
            torn: number("IO_TORN"),
            fail: text("IO_FAIL").map(|t| {
                let mut words = t.split(',');
                let mut next = || words.next().and_then(|w| w.parse().ok());
                let (from, count, errno) = (next().unwrap(), next().unwrap(), next().unwrap());
                (from, count, errno as c_int, words.next().unwrap_or("").to_owned())
            }),
            fail_while: text("IO_FAIL_WHILE").map(|t| CString::new(t).unwrap()),
        }
    })
}

fn path_of(fd: c_int) -> Option<String> {
    if fd < 3 { return None }
    let name = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut buffer = [0_u8; 1024];
    let n = unsafe { syscall(nr::READLINKAT, CWD, name.as_ptr(), buffer.as_mut_ptr(), buffer.len()) };
    if n <= 0 { return None }
    Some(String::from_utf8_lossy(&buffer[..n as usize]).into_owned())
}

fn at(dir: c_int, path: *const c_char) -> String {
    let text = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
    if text.starts_with('/') || dir == CWD { return text }
    format!("{}/{text}", path_of(dir).unwrap_or_default())
}

fn watched(path: &str) -> bool {
    plan().watch.iter().any(|dir| path.starts_with(dir.as_str()))
}

fn put(fd: c_int, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = unsafe { syscall(nr::WRITE, fd, rest.as_ptr(), rest.len()) };
        if n <= 0 { return }
        rest = &rest[n as usize..];
    }
}

fn die() -> ! {
    unsafe {
        let me = syscall(nr::GETPID);
        syscall(nr::KILL, me, 9);
    }
    loop { std::hint::spin_loop() }
}

/// `state/store/db` and the like: never a name that was dropped.
fn class(path: &str) -> String {
    let Some(base) = plan().watch.iter().find(|dir| path.starts_with(dir.as_str())) else { return "net".into() };
    let top = base.rsplit('/').next().unwrap_or("");
    let rest = path[base.len()..].trim_start_matches('/');
    let mut words: Vec<&str> = rest.split('/').collect();
    let leaf = words.pop().unwrap_or("");
    let suffix = leaf.rsplit_once('.').map_or("", |(_, s)| s);
    let leaf = if leaf == "db" || leaf == "conf" { leaf.to_owned() } else if leaf.starts_with("snap") { "snap".into() } else { format!("*.{suffix}") };
    format!("{top}/{}/{leaf}", words.join("/"))
}

struct Action<'a> { kind: &'static str, code: u8, path: String, second: String, data: &'a [u8], offset: i64 }

/// Does one action under the plan: `full` or, for a torn write, `half`.
fn act(action: Action<'_>, full: impl Fn() -> c_long, half: impl Fn() -> c_long) -> c_long {
    let plan = plan();
    while BUSY.swap(true, Ordering::Acquire) { std::thread::yield_now() }
    let n = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
    if plan.log >= 0 {
        put(plan.log, format!("{n} {} {}\n", action.kind, class(&action.path)).as_bytes());
    }
    if n == plan.kill_before { die() }
    if let Some((from, count, errno, kind)) = &plan.fail {
        let meant = match kind.as_str() {
            "" => action.code != b'n',
            "sync" => action.code == b's' || action.code == b'D',
            other => class(&action.path).starts_with(other),
        };
        let on = plan.fail_while.as_ref().is_none_or(|p| unsafe { syscall(nr::FACCESSAT, CWD, p.as_ptr(), 0) } == 0);
        if meant && on {
            let m = FAILABLE.fetch_add(1, Ordering::SeqCst) + 1;
            if m >= *from && (*count == 0 || m < from + count) {
                if plan.log >= 0 { put(plan.log, b"failed\n") }
                BUSY.store(false, Ordering::Release);
                unsafe { *__errno_location() = *errno };
                return -1;
            }
        }
    }
    if n == plan.torn { half(); die() }
    let result = full();
    let errno = unsafe { *__errno_location() };
    if result >= 0 && plan.record >= 0 && action.code != b'n' {
        let data = if action.data.is_empty() { action.data } else { &action.data[..result as usize] };
        let mut bytes = vec![action.code];
        bytes.extend(action.offset.to_le_bytes());
        for part in [action.path.as_bytes(), action.second.as_bytes(), data] { bytes.extend((part.len() as u32).to_le_bytes()) }
        for part in [action.path.as_bytes(), action.second.as_bytes(), data] { bytes.extend(part) }
        put(plan.record, &bytes);
    }
    if n == plan.kill_after { die() }
    BUSY.store(false, Ordering::Release);
    unsafe { *__errno_location() = errno };
    result
}

unsafe fn writes(fd: c_int, buffer: *const c_void, length: usize, offset: i64, call: impl Fn(usize) -> c_long) -> isize {
    let Some(path) = path_of(fd) else { return call(length) as isize };
    if path.starts_with("socket:") { return sends(fd, length, || call(length)) as isize }
    if !watched(&path) { return call(length) as isize }
    let at = if offset >= 0 { offset } else { syscall(nr::LSEEK, fd, 0_i64, 1) };
    let data = std::slice::from_raw_parts(buffer.cast::<u8>(), length);
    act(Action { kind: "write", code: b'w', path, second: String::new(), data, offset: at }, || call(length), || call(length / 2)) as isize
}

/// Only what goes to a TCP port counts: the journal and systemd hear by datagrams, the CLI by a unix socket.
unsafe fn sends(fd: c_int, length: usize, call: impl Fn() -> c_long) -> c_long {
    unsafe extern "C" { fn getpeername(fd: c_int, address: *mut u8, length: *mut c_uint) -> c_int; }
    let (mut address, mut size) = ([0_u8; 128], 128);
    let errno = *__errno_location();
    let tcp = length > 8 && getpeername(fd, address.as_mut_ptr(), &raw mut size) == 0
        && matches!(u16::from_ne_bytes([address[0], address[1]]), 2 | 10);
    *__errno_location() = errno;
    if !tcp { return call() }
    act(Action { kind: "send", code: b'n', path: String::new(), second: String::new(), data: &[], offset: 0 }, &call, &call)
}

fn simple(kind: &'static str, code: u8, path: String, second: String, offset: i64, call: impl Fn() -> c_long) -> c_int {
    if !watched(&path) && !watched(&second) { return call() as c_int }
    act(Action { kind, code, path, second, data: &[], offset }, &call, &call) as c_int
}

fn on_fd(kind: &'static str, code: u8, fd: c_int, offset: i64, call: impl Fn() -> c_long) -> c_int {
    simple(kind, code, path_of(fd).unwrap_or_default(), String::new(), offset, call)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, b: *const c_void, n: usize) -> isize {
    writes(fd, b, n, -1, |n| syscall(nr::WRITE, fd, b, n))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, b: *const c_void, n: usize, at: i64) -> isize {
    writes(fd, b, n, at, |n| syscall(nr::PWRITE, fd, b, n, at))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, b: *const c_void, n: usize, at: i64) -> isize { pwrite(fd, b, n, at) }
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece { base: *const c_void, length: usize }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const Piece, count: c_int) -> isize {
    match path_of(fd) {
        Some(path) if path.starts_with("socket:") => sends(fd, 9, || syscall(nr::WRITEV, fd, pieces, count)) as isize,
        // A short write is allowed: the caller comes again with the rest.
        Some(path) if watched(&path) && count > 0 => {
            let all = std::slice::from_raw_parts(pieces, count as usize);
            let piece = all.iter().find(|p| p.length > 0).unwrap_or(&all[0]);
            write(fd, piece.base, piece.length)
        }
        _ => syscall(nr::WRITEV, fd, pieces, count) as isize,
    }
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn send(fd: c_int, b: *const c_void, n: usize, flags: c_int) -> isize {
    sends(fd, n, || syscall(nr::SENDTO, fd, b, n, flags, 0_usize, 0_usize)) as isize
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendmsg(fd: c_int, message: *const c_void, flags: c_int) -> isize {
    sends(fd, 9, || syscall(nr::SENDMSG, fd, message, flags)) as isize
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int { on_fd("fsync", b's', fd, 0, || syscall(nr::FSYNC, fd)) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int { on_fd("fdatasync", b's', fd, 0, || syscall(nr::FDATASYNC, fd)) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sync_file_range(fd: c_int, at: i64, n: i64, flags: c_uint) -> c_int {
    on_fd("sync_file_range", b'r', fd, at, || syscall(nr::SYNC_FILE_RANGE, fd, at, n, flags))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, n: i64) -> c_int { on_fd("truncate", b't', fd, n, || syscall(nr::FTRUNCATE, fd, n)) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, n: i64) -> c_int { ftruncate(fd, n) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat2(a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_uint) -> c_int {
    simple("rename", b'm', at(a, from), at(b, to), 0, || syscall(nr::RENAMEAT2, a, from, b, to, flags))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat(a: c_int, from: *const c_char, b: c_int, to: *const c_char) -> c_int { renameat2(a, from, b, to, 0) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int { renameat2(CWD, from, CWD, to, 0) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    simple("unlink", b'u', at(dir, path), String::new(), 0, || syscall(nr::UNLINKAT, dir, path, flags))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int { unlinkat(CWD, path, 0) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(a: c_int, from: *const c_char, b: c_int, to: *const c_char, flags: c_int) -> c_int {
    simple("link", b'l', at(a, from), at(b, to), 0, || syscall(nr::LINKAT, a, from, b, to, flags))
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    simple("mkdir", b'd', at(CWD, path), String::new(), 0, || syscall(nr::MKDIRAT, CWD, path, mode))
}
// The C functions take the mode as a variable argument; on both machines it is in the register of a fourth one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let call = || syscall(nr::OPENAT, dir, path, flags, mode);
    // O_CREAT, or O_TRUNC
    if flags & (0o100 | 0o1000) == 0 { return call() as c_int }
    let code = if flags & 0o1000 == 0 { b'c' } else { b'C' };
    simple("open", code, at(dir, path), String::new(), 0, call)
}
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int { openat(dir, path, flags, mode) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int { openat(CWD, path, flags, mode) }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int { openat(CWD, path, flags, mode) }

