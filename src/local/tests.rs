//! What is accessible, and what is not.

use std::fs;

use crate::local::LocalRoots;

fn roots() -> (tempfile::TempDir, LocalRoots) {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(home.path().join("open/deep")).expect("directories");
    fs::write(home.path().join("secret"), "s").expect("a file");
    fs::write(home.path().join("open/deep/a.txt"), "abc").expect("a file");
    fs::write(home.path().join("open/b.txt"), "b").expect("a file");
    let roots = LocalRoots::open(&[home.path().join("open")]).expect("it is there");
    (home, roots)
}

#[test]
fn paths_are_absolute_below_a_root_or_relative_to_the_first() {
    let (home, roots) = roots();
    let open = home.path().canonicalize().expect("it is there").join("open");
    for path in ["deep/a.txt".to_owned(), "./deep/a.txt".to_owned(), open.join("deep/a.txt").display().to_string()] {
        assert_eq!(roots.place(&path).and_then(|place| Ok(place.content()?.length())).expect("inside"), 3, "{path}");
    }
}

#[test]
fn nothing_outside_is_reached() {
    let (home, roots) = roots();
    let secret = home.path().join("secret").display().to_string();
    for path in [secret.as_str(), "../secret", "deep/../../secret", "/etc/passwd", "/"] {
        let error = roots.place(path).expect_err(path).to_string();
        assert!(error.contains("outside of") && error.contains("hint:"), "{error}");
    }
    let error = LocalRoots::default().place("a").expect_err("no root").to_string();
    assert!(error.contains("--local-root"), "{error}");
    LocalRoots::open(&[home.path().join("nowhere")]).expect_err("no directory");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere() {
    let (home, roots) = roots();
    std::os::unix::fs::symlink(home.path().join("secret"), home.path().join("open/link")).expect("a link");
    std::os::unix::fs::symlink(home.path(), home.path().join("open/up")).expect("a link");
    for path in ["link", "up/secret"] {
        roots.place(path).and_then(|place| place.content()).expect_err(path);
    }
    roots.place("up/new").and_then(|place| place.create(false)).expect_err("outside");
    roots.place("link").and_then(|place| place.create(true)).expect_err("no file");
    let files = roots.place("").and_then(|place| place.files(10)).expect("a list");
    assert_eq!(files.links, 2);
    let paths: Vec<_> = files.paths.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(paths, ["b.txt", "deep/a.txt"]);
    assert_eq!(files.place(&files.paths[1]).content().expect("a file").length(), 3);
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let (home, roots) = roots();
    let names = || {
        let entries = fs::read_dir(home.path().join("open/new")).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let place = roots.place("new/c.txt").expect("inside");
    let mut file = place.create(false).expect("new");
    file.write(b"half").expect("written");
    assert!(names().iter().all(|name| name != "c.txt"), "{:?}", names());
    drop(file);
    assert_eq!(names(), Vec::<String>::new());
    let mut file = place.create(false).expect("new");
    file.write(b"whole").expect("written");
    file.finish().expect("in place");
    assert_eq!(names(), ["c.txt"]);
    let error = place.create(false).expect_err("it exists").to_string();
    assert!(error.contains("overwrite"), "{error}");
    place.create(true).expect("may be replaced");
    assert_eq!(fs::read_to_string(home.path().join("open/new/c.txt")).expect("text"), "whole");
    roots.place("deep").and_then(|place| place.create(true)).expect_err("a directory");
}

#[cfg(unix)]
#[test]
fn a_file_with_several_names_is_not_read() {
    let (home, roots) = roots();
    fs::hard_link(home.path().join("secret"), home.path().join("open/deep/hard")).expect("a link");
    let place = roots.place("deep/hard").expect("inside");
    let error = place.content().expect_err("a link").to_string();
    assert!(error.contains("several names (hard links)") && error.contains("make a copy"), "{error}");
    place.digest().expect_err("a link");
    let files = roots.place("").and_then(|place| place.files(10)).expect("a list");
    assert_eq!((files.paths.len(), files.links), (2, 1));
    // Writing replaces the name, and leaves the file elsewhere as it is.
    let mut file = place.create(true).expect("may be replaced");
    file.write(b"new").expect("written");
    file.finish().expect("in place");
    assert_eq!(fs::read_to_string(home.path().join("secret")).expect("text"), "s");
}

#[cfg(unix)]
#[test]
fn a_file_that_became_a_pipe_is_not_waited_for() {
    let (home, roots) = roots();
    let path = home.path().join("open/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    let place = roots.place("pipe").expect("inside");
    assert!(place.content().expect_err("no file").to_string().contains("is not a file"));
    // As it is between the first look at it and its opening.
    assert!(place.open().expect_err("no file").to_string().contains("it is not a file"));
    place.digest().expect_err("no file");
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let (home, roots) = roots();
    let place = roots.place("late.txt").expect("inside");
    let path = home.path().join("open/late.txt");
    let mut file = place.create(false).expect("new");
    file.write(b"download").expect("written");
    fs::write(&path, "mine").expect("a file");
    let error = file.finish().expect_err("it exists").to_string();
    assert!(error.contains("already exists"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("text"), "mine");
    let left = fs::read_dir(home.path().join("open")).expect("a directory").count();
    assert_eq!(left, 3, "a part is left");
}

#[cfg(unix)]
#[test]
fn what_replaces_a_file_has_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let (home, roots) = roots();
    let path = home.path().join("open/b.txt");
    for mode in [0o600, 0o644, 0o755, 0o444] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
        let mut file = roots.place("b.txt").and_then(|place| place.create(true)).expect("may be replaced");
        file.write(b"new").expect("written");
        let part = fs::read_dir(home.path().join("open")).expect("a directory").flatten();
        let mut part = part.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
        let part = part.next().expect("a part").metadata().expect("metadata").permissions().mode();
        assert_eq!(part & 0o777 & !mode & 0o077, 0, "wider while it is written");
        file.finish().expect("in place");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_folder_of_too_many_files_is_refused() {
    let (_home, roots) = roots();
    roots.place(".").and_then(|place| place.files(1)).expect_err("two files");
}
