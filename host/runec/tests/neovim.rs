//! The language server in an editor that people use: Neovim, without a screen.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::{fs, path::Path, process::Command};

const BROKEN: &str = "\
FROM runicos/base
CAPABILITY<F32[4]>  RAND numbers
PROC_BLOCK runicos/normalise normal
OUT   SERIAL
RUN numbers normal serial
";

const SEEN: &str = "\
diagnostic 3:12 R0105 there is no block `runicos/normalise`
completed PROC_BLOCK runicos/normalize normal
diagnostics 0
renamed CAPABILITY<F32[4]>  RAND noise
renamed RUN noise normal serial
formatted FROM runicos/base
formatted CAPABILITY<F32[4]> RAND noise
formatted PROC_BLOCK runicos/normalize normal
formatted OUT SERIAL
formatted RUN noise normal serial
hover **noise** (capability RAND)
";

#[test]
fn neovim_shows_completes_renames_and_formats() {
    if Command::new("nvim").arg("--version").output().is_err() {
        eprintln!("skipped: there is no nvim here");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("neovim");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Runefile"), BROKEN).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testsuite/editors/neovim.lua");
    let output = Command::new("nvim")
        .args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c"])
        .arg(format!(
            "luafile {}",
            script.canonicalize().unwrap().display()
        ))
        .arg("Runefile")
        .current_dir(&folder)
        .env("RUNEC", env!("CARGO_BIN_EXE_runec"))
        .env("XDG_STATE_HOME", &folder)
        .env("XDG_CACHE_HOME", &folder)
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{seen}{said}");
    assert_eq!(seen, SEEN, "{said}");
}
