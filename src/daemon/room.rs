//! Is there room to take files? Looks at the disks under the spool and the state.
//!
//! Below the least free space, or where a disk is mounted read-only, nothing is claimed; what is
//! stored is still delivered. It ends by itself, a quarter above the limit, so that it does not
//! flutter. The journal hears of both, `status` says it meanwhile. An unreadable disk counts as well:
//! whoever uses it next says more than this could.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::config::{Settings, least_free};
use crate::telemetry::events;

/// The disks that taking a file needs.
#[derive(Debug)]
pub(crate) struct Room {
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    dir: PathBuf,
    min_free: Option<u64>,
    /// Why there is no room, while there is none.
    low: Mutex<Option<String>>,
}

/// What a disk says of itself.
#[derive(Debug, Clone, Copy)]
struct Space {
    total: u64,
    free: u64,
    read_only: bool,
}

impl Room {
    /// The disks that the settings name.
    pub(crate) fn of(settings: &Settings) -> Self {
        let place =
            |dir: &Path, min_free| Place { dir: dir.to_owned(), min_free, low: Mutex::default() };
        Self {
            places: vec![
                place(&settings.spool.dir, settings.spool.min_free),
                place(&settings.state.dir, settings.state.min_free),
            ],
        }
    }

    /// Looks. Whether files may be taken.
    pub(crate) fn enough(&self) -> bool {
        // Each is looked at, so that each is reported.
        self.places.iter().filter(|place| !place.enough(space(&place.dir))).count() == 0
    }

    /// Why a file of so many bytes has no room in the spool now, if it has none: copying it would leave
    /// less than the least free space.
    pub(crate) fn lacks(&self, bytes: u64) -> Option<String> {
        let place = self.places.first()?;
        let space = space(&place.dir)?;
        let spare = space.free.saturating_sub(place.limit(space));
        (bytes > spare).then(|| {
            format!("it has {} MiB and the disk has {} MiB to spare", bytes >> 20, spare >> 20)
        })
    }

    /// Room without end.
    #[cfg(test)]
    pub(crate) fn endless() -> Self {
        Self { places: Vec::new() }
    }

    /// What `status` says.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.places
            .iter()
            .filter_map(|place| {
                let low = place.low.lock().unwrap_or_else(PoisonError::into_inner);
                let why = low.as_ref()?;
                Some(format!(
                    "{}: {why}: no file is taken until that is put right",
                    place.dir.display()
                ))
            })
            .collect()
    }
}

impl Place {
    /// The least free space.
    fn limit(&self, space: Space) -> u64 {
        least_free(self.min_free, space.total)
    }

    fn enough(&self, space: Option<Space>) -> bool {
        let Some(space) = space else { return true };
        let limit = self.limit(space);
        let mut low = self.low.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if low.is_some() { limit.saturating_add(limit / 4) } else { limit };
        let why = if space.read_only {
            Some("mounted read-only".to_owned())
        } else if space.free < limit {
            Some(format!(
                "disk nearly full ({} MiB free, {} wanted)",
                space.free >> 20,
                limit >> 20
            ))
        } else {
            None
        };
        match (low.is_some(), &why) {
            (false, Some(why)) => events::disk_low(&self.dir, space.free, why),
            (true, None) => events::disk_back(&self.dir, space.free),
            (true, Some(_)) | (false, None) => {}
        }
        let enough = why.is_none();
        *low = why;
        enough
    }
}

fn space(dir: &Path) -> Option<Space> {
    let found = statvfs(dir).ok()?;
    Some(Space {
        total: found.f_blocks.saturating_mul(found.f_frsize),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn place(min_free: Option<u64>) -> Place {
        Place { dir: "/x".into(), min_free, low: Mutex::default() }
    }

    fn disk(total: u64, free: u64) -> Space {
        Space { total: total * MIB, free: free * MIB, read_only: false }
    }

    #[test]
    fn it_ends_a_quarter_above_where_it_began() {
        let place = place(Some(100 * MIB));
        let seen =
            [100, 99, 100, 124, 125, 101, 99].map(|free| place.enough(Some(disk(9999, free))));
        assert_eq!(seen, [true, false, false, false, true, true, false]);
    }

    #[test]
    fn the_default_fits_small_disks_and_large_ones() {
        assert!(place(None).enough(Some(disk(1_000_000, 256))));
        assert!(!place(None).enough(Some(disk(1_000_000, 255))));
        assert!(place(None).enough(Some(disk(100, 5))));
        assert!(!place(None).enough(Some(disk(100, 4))));
        assert!(place(Some(0)).enough(Some(disk(100, 0))));
    }

    #[test]
    fn read_only_is_no_room_however_much_is_free() {
        let place = place(Some(0));
        let read_only = Space { total: 9, free: 9, read_only: true };
        assert!(!place.enough(Some(read_only)));
        assert!(place.low.lock().unwrap().as_ref().unwrap().contains("read-only"));
        assert!(place.enough(Some(Space { read_only: false, ..read_only })));
        assert!(place.enough(None));
    }
}
