//! The clients of a family, as programs to find on a `PATH`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// Where the clients of a family are.
#[derive(Debug)]
pub(super) struct Clients {
    /// A directory of programs which go before this machine's.
    first: Option<PathBuf>,
}

impl Clients {
    pub(super) fn of_machine() -> Self {
        Self { first: None }
    }

    /// A `PATH` on which they are the first.
    pub(super) fn path(&self) -> OsString {
        let usual = tools::path();
        let dirs = self.first.iter().cloned().chain(std::env::split_paths(&usual));
        std::env::join_paths(dirs).unwrap()
    }

    /// One of them, which reads no option file.
    pub(super) fn command(&self, program: &str) -> Command {
        let program = match &self.first {
            Some(dir) => dir.join(program),
            None => tools::require(program).unwrap(),
        };
        let mut command = Command::new(program);
        command.arg("--no-defaults").env("MYSQL_TEST_LOGIN_FILE", "/dev/null");
        command
    }
}

/// The clients of a root directory, made to run outside of it, where the files they are told of
/// are: each starts by the root's own loader, with the root's libraries. The loader goes by the
/// client's name, and so does the process.
pub(super) fn of_root(root: &Path, dir: &Path) -> Clients {
    let mut libraries = fs::read_dir(root.join("usr/lib")).unwrap().flatten().map(|e| e.path());
    let libraries = libraries.find(|path| path.join("libc.so.6").exists()).unwrap();
    let mut files = fs::read_dir(&libraries).unwrap().flatten().map(|e| e.path());
    let is_loader = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"))
    };
    let loader = files.find(is_loader).unwrap();
    let loaders = dir.join("loader");
    fs::create_dir_all(&loaders).unwrap();
    for name in ["mysql", "mysqldump", "mysql_config_editor"] {
        let own = loaders.join(name);
        symlink(&loader, &own).unwrap();
        let script = format!(
            "#!/bin/sh\nexec {} --library-path {} {} \"$@\"\n",
            own.display(),
            libraries.display(),
            root.join("usr/bin").join(name).display()
        );
        let wrapper = dir.join(name);
        fs::write(&wrapper, script).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Clients { first: Some(dir.to_owned()) }
}
