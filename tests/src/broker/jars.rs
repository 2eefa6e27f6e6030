//! The jars of one RocketMQ version: found in the cache, or brought there by Maven.
//!
//! Laws: a version's directory appears in one rename, with the mark `complete` inside; whoever fills it holds a file
//! lock, so that two processes at once fetch once; a directory without the mark is rubbish and is removed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use super::{StartError, Version};

/// What a JVM needs to run a server of one version.
#[derive(Clone, Debug)]
pub(super) struct Jars {
    /// The `java` to run.
    pub(super) java: PathBuf,
    /// All jars, joined for `-cp`.
    pub(super) class_path: OsString,
    /// Where native libraries were unpacked, perhaps none.
    pub(super) native: PathBuf,
}

impl Jars {
    /// From the cache; fills it first when it is empty.
    pub(super) fn ready(version: Version) -> Result<Self, StartError> {
        let java = java()?;
        let home = cache()?.join(version.as_str());
        if !home.join("complete").is_file() {
            fill(version, &home)?;
        }
        let lib = home.join("lib");
        let entries = fs::read_dir(&lib).map_err(StartError::io(format!("read {}", lib.display())))?;
        let mut jars: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        jars.retain(|path| path.extension().is_some_and(|extension| extension == "jar"));
        jars.sort();
        let class_path = std::env::join_paths(&jars)
            .map_err(|error| StartError::Unavailable(format!("{}: {error}", lib.display())))?;
        Ok(Self { java, class_path, native: home.join("native") })
    }
}

fn java() -> Result<PathBuf, StartError> {
    let java = match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let status = Command::new(&java)
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(java),
        Ok(status) => Err(StartError::Unavailable(format!("{} -version: {status}", java.display()))),
        Err(error) => Err(StartError::Unavailable(format!("no Java ({}: {error})", java.display()))),
    }
}

fn cache() -> Result<PathBuf, StartError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("FUSEE_ROCKETMQ_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("fusee-rocketmq")))
        .or_else(|| Some(set("HOME")?.join(".cache/fusee-rocketmq")))
        .ok_or_else(|| {
            StartError::Unavailable("no place for jars: set FUSEE_ROCKETMQ_CACHE or HOME".to_owned())
        })
}

fn fill(version: Version, home: &Path) -> Result<(), StartError> {
    let root = home.parent().expect("the version's directory lies in the cache");
    fs::create_dir_all(root).map_err(StartError::io(format!("make {}", root.display())))?;
    let path = root.join(format!("{version}.lock"));
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(StartError::io(format!("open {}", path.display())))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, error)| StartError::io(format!("lock {}", path.display()))(error.into()))?;
    if home.join("complete").is_file() {
        return Ok(());
    }
    let fresh = root.join(format!("{version}.fetching"));
    for stale in [home, &fresh] {
        if stale.exists() {
            fs::remove_dir_all(stale).map_err(StartError::io(format!("remove {}", stale.display())))?;
        }
    }
    let lib = fresh.join("lib");
    let native = fresh.join("native");
    for directory in [&lib, &native] {
        fs::create_dir_all(directory).map_err(StartError::io(format!("make {}", directory.display())))?;
    }
    fetch(version, &lib)?;
    unpack_rocksdb(&lib, &native);
    fs::write(fresh.join("complete"), "").map_err(StartError::io("mark the jars complete"))?;
    fs::rename(&fresh, home).map_err(StartError::io(format!("name {}", home.display())))
}

fn fetch(version: Version, lib: &Path) -> Result<(), StartError> {
    let pom = concat!(env!("CARGO_MANIFEST_DIR"), "/brokers/pom.xml");
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f", pom, "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", lib.display()))
        .arg(format!("-Drocketmq.version={version}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            StartError::Unavailable(format!("RocketMQ {version} is not cached and there is no mvn: {error}"))
        })?;
    let missing = ["namesrv", "broker", "tools", "remoting"]
        .map(|part| format!("rocketmq-{part}-{version}.jar"))
        .into_iter()
        .find(|jar| !lib.join(jar).is_file());
    if output.status.success() && missing.is_none() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    Err(StartError::Unavailable(format!(
        "mvn could not bring RocketMQ {version} ({}): {tail}",
        output.status
    )))
}

/// Unpacks the 12 MB library of RocksDB once, which a 5.x broker otherwise does at each start. Only a saving: when the
/// JDK has no `jar` tool or the name differs here, the broker unpacks it as usual.
fn unpack_rocksdb(lib: &Path, native: &Path) {
    let name = match std::env::consts::ARCH {
        "x86_64" => "librocksdbjni-linux64.so",
        "aarch64" => "librocksdbjni-linux-aarch64.so",
        _ => return,
    };
    let jars = fs::read_dir(lib).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_rocksdb = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rocketmq-rocksdb-"))
    };
    for jar in jars.filter(is_rocksdb) {
        let mut unpack = Command::new("jar");
        unpack.arg("xf").arg(jar).arg(name).current_dir(native);
        // Whether it worked is seen by the broker, which does it itself when the file is missing.
        let _ = unpack.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
