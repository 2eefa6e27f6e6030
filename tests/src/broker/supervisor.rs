//! The shell that owns the JVMs of one cluster.
//!
//! Laws:
//! - When its standard input ends (the owner closed it, or died in whatever way) it kills every process it started,
//!   waits for them, and removes the cluster's directory. So nothing outlives a test run, not even one killed with
//!   SIGKILL in the middle of a start: a process is in the shell's list before the owner hears of it.
//! - It is the parent of the JVMs and reaps them only when told to, so a process id it gave out is never reused.
//! - It sits in a process group of its own: a Ctrl-C in the terminal reaches the owner alone, and the shell sees its
//!   pipe close.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Requests come as lines `verb argument`, each is answered by one line. SIGPIPE is ignored, for an owner that died
/// between a request and its answer must not take the shell with it.
const SCRIPT: &str = r#"
dir=$1; pids=; keep=
trap '' PIPE
trap : INT TERM HUP
mkdir "$dir" || exit 1
echo up
while read -r verb arg; do
  case $verb in
    start) sh "$dir/$arg/run" </dev/null >>"$dir/$arg/out.log" 2>&1 &
           pids="$pids $!"; echo $! ;;
    stop)  kill -STOP "$arg" && echo ok || echo gone ;;
    cont)  kill -CONT "$arg" && echo ok || echo gone ;;
    kill)  kill -KILL "$arg"; wait "$arg"
           left=; for pid in $pids; do [ "$pid" = "$arg" ] || left="$left $pid"; done; pids=$left
           echo ok ;;
    keep)  keep=yes; echo ok ;;
    *)     echo "what is $verb" ;;
  esac
done
[ -z "$pids" ] || kill -KILL $pids
wait
if [ "$keep" ]; then rm -rf "$dir"/*/store "$dir"/*/tmp; else rm -rf "$dir"; fi
"#;

/// A process the supervisor started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pid(u32);

/// The owner's end of the shell.
#[derive(Debug)]
pub(super) struct Supervisor {
    directory: PathBuf,
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
    shell: Mutex<Child>,
}

impl Supervisor {
    /// Starts the shell, which makes `directory`.
    pub(super) fn start(directory: PathBuf) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "fusee-brokers"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Inheriting it would keep a pipe of the test run open until the last JVM is gone.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let talk = shell.stdin.take().zip(shell.stdout.take().map(BufReader::new));
        let this = Self { directory, talk: Mutex::new(talk), shell: Mutex::new(shell) };
        match this.answer(None)?.as_str() {
            "up" => Ok(this),
            _ => Err(io::Error::other(format!("could not make {}", this.directory.display()))),
        }
    }

    /// The cluster's directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs the script `run` in the subdirectory `name`.
    pub(super) fn spawn(&self, name: &str) -> io::Result<Pid> {
        let answer = self.answer(Some(&format!("start {name}")))?;
        answer.parse().map(Pid).map_err(|_| io::Error::other(format!("start {name}: {answer}")))
    }

    /// SIGKILL, and waits until the process is gone.
    pub(super) fn kill(&self, pid: Pid) -> io::Result<()> {
        self.expect_ok(&format!("kill {}", pid.0))
    }

    /// SIGSTOP.
    pub(super) fn pause(&self, pid: Pid) -> io::Result<()> {
        self.expect_ok(&format!("stop {}", pid.0))
    }

    /// SIGCONT.
    pub(super) fn resume(&self, pid: Pid) -> io::Result<()> {
        self.expect_ok(&format!("cont {}", pid.0))
    }

    /// From now on the logs stay when the cluster goes.
    pub(super) fn keep_logs(&self) -> io::Result<()> {
        self.expect_ok("keep")
    }

    /// The shell's own process id.
    pub(super) fn id(&self) -> u32 {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    fn expect_ok(&self, request: &str) -> io::Result<()> {
        match self.answer(Some(request))?.as_str() {
            "ok" => Ok(()),
            other => Err(io::Error::other(format!("{request}: {other}"))),
        }
    }

    fn answer(&self, request: Option<&str>) -> io::Result<String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, from) = talk.as_mut().ok_or_else(|| io::Error::other("the supervisor is closed"))?;
        if let Some(request) = request {
            to.write_all(format!("{request}\n").as_bytes())?;
        }
        let mut line = String::new();
        match from.read_line(&mut line)? {
            0 => Err(io::Error::other("the supervisor is gone")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Closing the pipe is the order to clear up; the shell's end is the proof that it is done.
        *self.talk.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = shell.wait() {
            eprintln!("the supervisor of {} cannot be waited for: {error}", self.directory.display());
        }
    }
}

impl Pid {
    /// Whether the process has not ended yet; one that nobody waited for counts as ended.
    pub(super) fn is_alive(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0));
        let state = match stat {
            Ok(stat) => stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next()),
            Err(_) if Path::new("/proc/self/stat").exists() => None,
            Err(_) => {
                let ps = Command::new("ps").args(["-o", "stat=", "-p", &self.0.to_string()]).output();
                ps.ok().and_then(|ps| String::from_utf8_lossy(&ps.stdout).trim_start().chars().next())
            }
        };
        state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    /// The number.
    pub(super) fn number(self) -> u32 {
        self.0
    }
}
