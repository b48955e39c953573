//! Why a file in `incoming/` may not be read, and the command that lets it be read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

const OWNER_READ: u32 = 0o400;
const GROUP_READ: u32 = 0o040;

/// What helps the next ones.
const LATER: &str = "for later ones let the dropper write with umask 002 and the spool's group, or set a default ACL";

/// Who this process is to a file.
#[derive(Debug)]
struct Me {
    uid: u32,
    groups: Vec<u32>,
}

impl Me {
    fn new() -> Self {
        let mut groups = vec![rustix::process::getegid().as_raw()];
        let others = rustix::process::getgroups().unwrap_or_default();
        groups.extend(others.into_iter().map(rustix::process::Gid::as_raw));
        Self { uid: rustix::process::geteuid().as_raw(), groups }
    }
}

/// What helps against a file that may not be read; `folder` is `incoming/` as it is.
pub(super) fn advice(file: &Metadata, folder: Option<&Metadata>) -> Option<String> {
    let drop = folder.map(Metadata::gid);
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let this = advise(&Me::new(), (file.uid(), file.gid(), file.mode()), drop, &groups)?;
    Some(format!("{this}; {LATER}"))
}

fn advise(
    me: &Me,
    (uid, gid, mode): (u32, u32, u32),
    drop: Option<u32>,
    groups: &str,
) -> Option<String> {
    if uid == me.uid {
        return (mode & OWNER_READ == 0)
            .then(|| "its mode keeps its own user out: chmod u+r FILE".to_owned());
    }
    let name = |gid: u32| group_name(groups, gid).unwrap_or_else(|| gid.to_string());
    if me.groups.contains(&gid) {
        // Otherwise it is an access list or the mount that keeps us out.
        return (mode & GROUP_READ == 0)
            .then(|| format!("its group {} may not read it: chmod g+r FILE", name(gid)));
    }
    let wanted = drop.filter(|drop| me.groups.contains(drop)).or(me.groups.first().copied())?;
    Some(format!(
        "it belongs to group {}: chgrp {} FILE && chmod g+r FILE",
        name(gid),
        name(wanted)
    ))
}

/// The name of a local group, as `/etc/group` has it.
fn group_name(groups: &str, gid: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn night_p12_the_advice_looks_at_owner_group_and_mode() {
        let groups = "root:x:0:\nodoo-spoold:x:990:\nodoo-spoold-drop:x:991:odoo-spoold\n";
        let me = Me { uid: 990, groups: vec![990, 991] };
        let told = |file| advise(&me, file, Some(991), groups).unwrap_or_default();
        let chgrp = "it belongs to group root: chgrp odoo-spoold-drop FILE && chmod g+r FILE";
        assert_eq!(told((0, 0, 0o100_600)), chgrp);
        assert_eq!(told((0, 0, 0o100_640)), chgrp);
        assert_eq!(
            told((0, 991, 0o100_600)),
            "its group odoo-spoold-drop may not read it: chmod g+r FILE"
        );
        assert_eq!(
            told((1000, 1000, 0o100_660)),
            "it belongs to group 1000: chgrp odoo-spoold-drop FILE && chmod g+r FILE"
        );
        assert_eq!(told((990, 991, 0o100_200)), "its mode keeps its own user out: chmod u+r FILE");
        assert_eq!(told((0, 991, 0o100_640)), "");
    }
}
