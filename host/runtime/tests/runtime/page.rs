//! Follows a page of the book.

use std::{fs, path::Path, process::Command};

/// Lays out the files of a page of the book and runs its commands, `rune` among `tools`; gives how many there were. A
/// fence with a path behind its language is that file; in a `console` fence a line with `$` is a command, and the lines
/// below it are all that it prints. What other fences hold, such as Rust, is tested elsewhere.
pub(crate) fn run_page(tools: &Path, top: &Path, page: &str) -> usize {
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut commands = 0;
    for fence in page.split("\n```").skip(1).step_by(2) {
        let (info, text) = fence.split_once('\n').unwrap();
        match info.split_once(' ').unwrap_or((info, "")) {
            ("runefile", "") => fs::write(top.join("Runefile"), text).unwrap(),
            ("rust" | "text" | "toml" | "yaml", "") => {}
            ("c" | "toml", file) => fs::write(top.join(file), text).unwrap(),
            ("console", "") => {
                for part in format!("\n{text}\n").split("\n$ ").skip(1) {
                    let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
                    let output = Command::new("bash")
                        .args(["-c", &format!("{{ {command}; }} 2>&1")])
                        .current_dir(top)
                        .env("PATH", &path)
                        .output()
                        .unwrap();
                    let printed = String::from_utf8(output.stdout).unwrap();
                    // What the compiler says of a build is not what the page is about.
                    if command.contains("rune build") {
                        assert!(output.status.success(), "{printed}");
                    } else {
                        assert_eq!(printed.trim_end(), shown.trim_end(), "{command}");
                    }
                    commands += 1;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    commands
}
