//! Packages outside this workspace: tests that our crates can be used there as they promise.

use crate::workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A package outside the workspace that depends on some of its crates by path.
struct Stranger {
    name: &'static str,
    crates: &'static [&'static str],
    build_script: Option<&'static str>,
    main: &'static str,
}

/// Needs no libtorch, neither to build nor to run.
const AUGMENT: Stranger = Stranger {
    name: "stranger-augment",
    crates: &["augment"],
    build_script: None,
    main: include_str!("../strangers/augment.rs"),
};

/// Its build script is the one that a final package needs: it tells the binary where libtorch is.
const SSL_CORE: Stranger = Stranger {
    name: "stranger-ssl-core",
    crates: &["ssl-core", "torch", "train"],
    build_script: Some(include_str!("../strangers/build.rs")),
    main: include_str!("../strangers/ssl_core.rs"),
};

impl Stranger {
    /// Writes the package into an empty folder, with this workspace's profiles and locked versions,
    /// so that it builds offline and shares what is built already.
    fn write(&self, root: &Path, folder: &Path) -> Result<()> {
        let ours = fs::read_to_string(root.join("Cargo.toml"))?;
        let dependencies = self
            .crates
            .iter()
            .map(|c| format!("{c} = {{ path = {:?} }}\n", root.join("crates").join(c)));
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{}\n{}",
            self.name,
            dependencies.collect::<String>(),
            profiles(&ours)
        );
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(folder.join("src/main.rs"), self.main)?;
        if let Some(script) = self.build_script {
            fs::write(folder.join("build.rs"), script)?;
        }
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
            .context("no Cargo.lock in the workspace")?;
        Ok(())
    }

    /// Builds and runs the package; gives what it printed.
    fn run(&self, target: &Path, prepare: impl FnOnce(&mut Command)) -> Result<String> {
        let folder = tempfile::tempdir()?;
        self.write(&workspace::root(), folder.path())?;
        let mut cargo = workspace::cargo();
        cargo
            .args(["run", "--quiet", "--offline", "--target-dir"])
            .arg(target)
            .current_dir(folder.path());
        prepare(&mut cargo);
        workspace::output(&mut cargo)
    }
}

/// The tables of a manifest that set profiles.
fn profiles(manifest: &str) -> String {
    let mut keep = false;
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            keep = line.starts_with("[profile");
        }
        if keep {
            text += line;
            text += "\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{AUGMENT, SSL_CORE, profiles};
    use crate::workspace;

    #[test]
    fn augment_alone_needs_no_libtorch() {
        // A folder of its own: what the workspace has built must not help it.
        let target = workspace::target().expect("a target folder").join("strangers");
        let said = AUGMENT.run(&target, |cargo| {
            cargo.env("LIBTORCH", "/nowhere");
        });
        assert_eq!(said.expect("it builds and runs").trim(), "augmented");
    }

    #[test]
    fn ssl_core_trains_elsewhere() {
        // In the workspace's own target folder, where libtorch's bindings are built already.
        let target = workspace::target().expect("a target folder");
        let said = SSL_CORE.run(&target, |_| {});
        assert_eq!(said.expect("it builds and runs").trim(), "trained");
    }

    #[test]
    fn profiles_are_copied() {
        let manifest = "[package]\nname = \"x\"\n[profile.dev]\nopt-level = 1\n[lints]\na = 1\n[profile.dev.package]\n\"*\" = 2\n";
        assert_eq!(
            profiles(manifest),
            "[profile.dev]\nopt-level = 1\n[profile.dev.package]\n\"*\" = 2\n"
        );
    }
}
