//! What README says a host needs, against the program and the units themselves.

use std::path::Path;

/// Since which systemd there is what the units say. What is older than 219 counts as always there.
const SINCE: &[(&str, u32)] = &[
    ("After", 0),
    ("Also", 0),
    ("AmbientCapabilities", 229),
    ("CapabilityBoundingSet", 0),
    ("ConfigurationDirectory", 235),
    ("Description", 0),
    ("DevicePolicy", 0),
    ("Documentation", 0),
    ("ExecPaths", 248),
    ("ExecReload", 0),
    ("ExecStart", 0),
    ("FileDescriptorName", 227),
    ("Group", 0),
    ("KeyringMode", 235),
    ("LimitCORE", 0),
    ("LimitNOFILE", 0),
    ("ListenStream", 0),
    ("LoadCredentialEncrypted", 250),
    ("LockPersonality", 235),
    ("LogExtraFields", 236),
    ("MemoryDenyWriteExecute", 231),
    ("MemoryHigh", 231),
    ("MemoryMax", 231),
    ("MemorySwapMax", 232),
    ("NoExecPaths", 248),
    ("NoNewPrivileges", 0),
    ("NotifyAccess", 0),
    ("OnFailure", 0),
    ("PrivateDevices", 0),
    ("PrivateIPC", 248),
    ("PrivateMounts", 239),
    ("PrivateTmp", 0),
    ("PrivateUsers", 232),
    ("ProcSubset", 247),
    ("ProtectClock", 245),
    ("ProtectControlGroups", 232),
    ("ProtectHome", 0),
    ("ProtectHostname", 242),
    ("ProtectKernelLogs", 244),
    ("ProtectKernelModules", 232),
    ("ProtectKernelTunables", 232),
    ("ProtectProc", 247),
    ("ProtectSystem", 0),
    ("ReadWritePaths", 231),
    ("RemoveIPC", 232),
    ("RemoveOnStop", 0),
    ("Requires", 0),
    ("Restart", 0),
    ("RestartPreventExitStatus", 0),
    ("RestartSec", 0),
    ("RestrictAddressFamilies", 0),
    ("RestrictNamespaces", 233),
    ("RestrictRealtime", 231),
    ("RestrictSUIDSGID", 242),
    ("SocketGroup", 0),
    ("SocketMode", 0),
    ("SocketUser", 0),
    ("StartLimitIntervalSec", 230),
    ("StateDirectory", 235),
    ("StateDirectoryMode", 235),
    ("SystemCallArchitectures", 0),
    ("SystemCallErrorNumber", 0),
    ("SystemCallFilter", 0),
    ("SyslogIdentifier", 0),
    ("TasksMax", 227),
    ("TimeoutAbortSec", 243),
    ("TimeoutStartSec", 0),
    ("TimeoutStopSec", 0),
    ("Type", 0),
    ("UMask", 0),
    ("User", 0),
    ("WantedBy", 0),
    ("Wants", 0),
    ("WatchdogSec", 0),
    ("WatchdogSignal", 240),
];

/// What an older systemd ignores with a warning, and we get by without.
const OPTIONAL: &[&str] = &["RestartMaxDelaySec", "RestartSteps"];

fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The number that README gives for this: "glibc 2.34 or newer".
fn said(what: &str) -> String {
    let readme = std::fs::read_to_string(project("README.md")).unwrap();
    let before = format!("{what} ");
    let after = readme.split(&before).skip(1);
    let mut numbers = after.filter_map(|rest| rest.split_once(" or newer")).map(|(n, _)| n);
    let number = numbers.find(|n| n.chars().all(|c| c.is_ascii_digit() || c == '.'));
    number.unwrap_or_else(|| panic!("README does not say which {what}")).to_owned()
}

#[test]
fn readme_names_the_glibc_that_the_program_asks_for() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_odoo-spoold")).unwrap();
    // Names of symbol versions stand in the table of dynamic strings, each between two zeros.
    let newest = bytes
        .split(|byte| *byte == 0)
        .filter_map(|text| std::str::from_utf8(text).ok()?.strip_prefix("GLIBC_"))
        .filter_map(|version| {
            let (major, minor) = version.split_once('.')?;
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        })
        .max()
        .unwrap();
    assert_eq!(said("glibc"), format!("{}.{}", newest.0, newest.1));
}

#[test]
fn readme_names_the_systemd_that_the_units_ask_for() {
    let mut newest = 0;
    for unit in [
        "systemd/odoo-spoold.service",
        "systemd/odoo-spoold-failed.service",
        "systemd/odoo-spoold.socket",
    ] {
        let text = std::fs::read_to_string(project(unit)).unwrap();
        for line in text.lines().filter(|line| !line.starts_with(['#', '['])) {
            let Some((name, _)) = line.split_once('=') else { continue };
            if OPTIONAL.contains(&name) {
                continue;
            }
            let since = SINCE.iter().find(|(known, _)| *known == name);
            let (_, since) =
                since.unwrap_or_else(|| panic!("{unit}: since when is there {name}=?"));
            newest = newest.max(*since);
        }
    }
    assert_eq!(said("systemd"), newest.to_string());
}
