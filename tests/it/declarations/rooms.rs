//! The rooms of the code (the folders of `src`) know each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// Which rooms a file knows: what stands behind `crate::` in its code, but for its tests.
fn known(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1)).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

fn read(folder: &Path, room: &str, rooms: &mut Rooms) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let room = if room.is_empty() { name.as_str() } else { room };
        if path.is_dir() {
            if name != "tests" {
                read(&path, room, rooms);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
            let known = known(&fs::read_to_string(&path).unwrap());
            rooms.entry(room.to_owned()).or_default().extend(known.into_iter().filter(|other| other != room));
        }
    }
}

#[test]
fn no_two_rooms_know_each_other() {
    let mut rooms = Rooms::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut rooms);
    rooms.retain(|room, _| room != "lib" && room != "main");
    assert!(rooms.len() > 15 && rooms["jobs"].contains("ledger"), "{rooms:?}");
    // Rooms that know none of those that are left go, until none is left.
    while !rooms.is_empty() {
        let left: BTreeSet<String> = rooms.keys().cloned().collect();
        rooms.retain(|_, known| known.iter().any(|other| left.contains(other)));
        assert!(rooms.len() < left.len(), "these know each other, directly or by way of others: {rooms:#?}");
    }
}
