//! The self-test of the simulator's checks: plants one bug at a time in a copy of the client's core and counts the
//! seeds until a check finds it. `planted [--seeds N] [NAME]…`
//!
//! The bugs are the files of `tests/planted`: a sentence, and for each place the lines there are and the lines there
//! shall be. One that is not found is a check that is missing; one that does not fit has to be written anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

struct Plant {
    name: String,
    what: String,
    edits: Vec<(String, String, String)>,
}

fn read(path: &Path) -> Option<Plant> {
    let text = fs::read_to_string(path).ok()?;
    let what = text.lines().next()?.trim_start_matches("# ").to_owned();
    let mut edits = Vec::new();
    for block in text.split("@@ ").skip(1) {
        let (file, lines) = block.split_once('\n')?;
        let side = |mark: char| {
            let lines: Vec<&str> = lines.lines().filter_map(|line| line.strip_prefix(mark)).collect();
            lines.join("\n")
        };
        edits.push((file.trim().to_owned(), side('-'), side('+')));
    }
    Some(Plant { name: path.file_stem()?.to_str()?.to_owned(), what, edits })
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut seeds, mut wanted) = ("300".to_owned(), Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match &*arg {
            "--seeds" => seeds = args.next().unwrap_or(seeds),
            _ => wanted.push(arg),
        }
    }
    let mut plants: Vec<Plant> = fs::read_dir(root.join("tests/planted"))
        .expect("the planted bugs")
        .filter_map(|entry| {
            Some(entry.ok()?.path()).filter(|path| path.extension().is_some_and(|ext| ext == "plant"))
        })
        .filter_map(|path| read(&path))
        .filter(|plant| wanted.is_empty() || wanted.contains(&plant.name))
        .collect();
    plants.sort_by(|a, b| a.name.cmp(&b.name));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let work = target.join("planted");
    if let Err(error) = lay(&root, &work) {
        eprintln!("planted: {}: {error}", work.display());
        return ExitCode::from(2);
    }
    let mut missed = 0;
    for plant in &plants {
        let start = Instant::now();
        let verdict = try_one(&root, &work, plant, &seeds);
        missed += usize::from(!verdict.starts_with("found"));
        println!("{:<26} {verdict} ({:.0?}) {}", plant.name, start.elapsed(), plant.what);
    }
    println!("{} found, {missed} not", plants.len() - missed);
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A workspace of its own with what the swarm needs, so that nothing of the real one is touched.
fn lay(root: &Path, work: &Path) -> std::io::Result<()> {
    copy(&root.join("adapters/sim/src"), &work.join("adapters/sim/src"))?;
    fs::copy(root.join("adapters/sim/Cargo.toml"), work.join("adapters/sim/Cargo.toml"))?;
    fs::create_dir_all(work.join("swarm"))?;
    fs::copy(root.join("tests/src/bin/swarm.rs"), work.join("swarm/main.rs"))?;
    fs::write(
        work.join("swarm/Cargo.toml"),
        "[package]\nname = \"swarm\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \"swarm\"\npath = \
         \"main.rs\"\n\n[dependencies]\nfusee-sim = { path = \"../adapters/sim\" }\nserde_json = { workspace = true, \
         features = [\"std\"] }\nnix = { version = \"0.30\", default-features = false, features = [\"resource\"] }\n",
    )?;
    fs::copy(root.join("Cargo.lock"), work.join("Cargo.lock"))?;
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut kept = String::new();
    let mut skipping = false;
    for line in manifest.lines() {
        let starts = line.split([' ', '.']).next().unwrap_or_default();
        if line.starts_with('[') {
            skipping = line.starts_with("[profile");
        }
        let members = line.starts_with("members");
        skipping |= members;
        if !skipping && (!starts.starts_with("fusee") || starts == "fusee-core") {
            kept.push_str(line);
            kept.push('\n');
        }
        if skipping && !line.starts_with("[profile") && line.trim_end().ends_with(']') {
            skipping = false;
            kept.push_str("members = [\"core\", \"adapters/sim\", \"swarm\"]\n");
        }
    }
    // Most of the time goes into building, and most bugs are found in a few seeds.
    kept.push_str("\n[profile.release]\noverflow-checks = true\nopt-level = 1\n");
    kept.push_str("codegen-units = 16\nincremental = true\n");
    fs::write(work.join("Cargo.toml"), kept)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if fs::read(entry.path())? != fs::read(&target).unwrap_or_default() {
            // Only what differs, so that little is built anew.
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn try_one(root: &Path, work: &Path, plant: &Plant, seeds: &str) -> String {
    if let Err(error) = copy(&root.join("core"), &work.join("core")) {
        return format!("not tried: {error}");
    }
    for (file, old, new) in &plant.edits {
        let path = work.join(file);
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.matches(old).count() != 1 {
            return format!("not tried: {file} has changed");
        }
        if let Err(error) = fs::write(&path, text.replace(old, new)) {
            return format!("not tried: {error}");
        }
    }
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet", "-p", "swarm"])
        .current_dir(work)
        .env("CARGO_TARGET_DIR", work.join("target"))
        .output();
    match built {
        Ok(built) if built.status.success() => {}
        Ok(built) => {
            let errors = String::from_utf8_lossy(&built.stderr).into_owned();
            return format!(
                "does not build: {}",
                errors.lines().find(|line| line.starts_with("error")).unwrap_or("")
            );
        }
        Err(error) => return format!("does not build: {error}"),
    }
    let run = Command::new(work.join("target/release/swarm"))
        .args(["--from", "1", "--seeds", seeds, "--budget", "0", "--lines", "0", "--threads", "1"])
        .output();
    let output = run.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    match output.lines().find_map(|line| line.strip_prefix("FAILED ")) {
        Some(found) => {
            let id = found.split(' ').next().unwrap_or_default();
            let seed = found.split("first ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or("?");
            format!("found by {id} after {seed} seeds")
        }
        None => format!("NOT FOUND in {seeds} seeds"),
    }
}
