//! The clients of a server's version, as programs to find on a `PATH`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::tools;

/// Where the clients are.
#[derive(Debug)]
pub(crate) struct Clients {
    /// A directory of programs which go before this machine's.
    first: Option<PathBuf>,
}

impl Clients {
    pub(crate) fn of_machine() -> Self {
        Self { first: None }
    }

    /// The clients of a root directory, by their paths in it, made to run outside of it, where the
    /// files they are told of are: each starts by the root's own loader, with the root's
    /// libraries. The loader goes by the client's name, and so does the process.
    pub(crate) fn of_root(root: &Path, programs: &[PathBuf], dir: &Path) -> Self {
        let mut libraries = fs::read_dir(root.join("usr/lib")).unwrap().flatten().map(|e| e.path());
        let libraries = libraries.find(|path| path.join("libc.so.6").exists()).unwrap();
        let mut files = fs::read_dir(&libraries).unwrap().flatten().map(|e| e.path());
        let is_loader = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"))
        };
        let loader = files.find(is_loader).unwrap();
        let loaders = dir.join("loader");
        fs::create_dir_all(&loaders).unwrap();
        for program in programs {
            let name = program.file_name().unwrap();
            let own = loaders.join(name);
            symlink(&loader, &own).unwrap();
            // A program that looks for another one beside itself has to find it here.
            let script = format!(
                "#!/bin/sh\nexec {} --argv0 \"$0\" --library-path {} {} \"$@\"\n",
                own.display(),
                libraries.display(),
                root.join(program.strip_prefix("/").unwrap_or(program)).display()
            );
            let wrapper = dir.join(name);
            tools::write_program(&wrapper, &script);
        }
        Self { first: Some(dir.to_owned()) }
    }

    /// A `PATH` on which they are the first.
    pub(crate) fn path(&self) -> OsString {
        let usual = tools::path();
        let dirs = self.first.iter().cloned().chain(std::env::split_paths(&usual));
        std::env::join_paths(dirs).unwrap()
    }

    /// One of them, unless it is this machine's.
    pub(crate) fn own(&self, program: &str) -> Option<PathBuf> {
        let own = self.first.as_ref()?.join(program);
        own.exists().then_some(own)
    }
}
