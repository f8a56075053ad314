//! Who clears away after a lab whose owner ends without doing so, by SIGKILL say, or holding it in a static.
//!
//! A shell waits for the end of its input. The other end of that pipe is the owner's, and the kernel closes it however
//! the owner ends. Then the shell kills the daemons that are on record (pid and start time) and removes the directory.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::between;
use crate::containers::Containers;
use crate::directory::Directory;
use crate::error::{At, Result};
use crate::process::Process;
use crate::record::Record;
use crate::registry::claim_file;

/// `$1` is the lab's directory, `$2` its claim of ports, `$3` the owner. A word on the input means that all is well; so
/// does another owner in the record, looked at under the lab's lock: then somebody else has already taken over.
/// First it ends the tools that run, which are in its own process group; one at work on a dying site may take minutes.
/// `$4` is the table of rules that may stand between the sites; then come the names of `Containers::names`, if it has any.
/// A daemon that does not end leaves the record, by which the next `up` finds it.
const SCRIPT: &str = r#"
read -r word && exit 0
exec 9>>"$1/lock" || exit 0
flock -w 60 9 || exit 1
grep -qF "\"owner\": \"$3\"" "$1/lab.json" || exit 0
lives() {
    read -r stat < "/proc/$1/stat" || return 1
    set -- "$2" ${stat##*) }
    [ "$1" = "${21}" ] && case $2 in Z | X) return 1 ;; esac
}
trap '' TERM
kill -TERM 0
for file in "$1"/run/*.pid; do
    read -r pid started < "$file" && lives "$pid" "$started" && kill -KILL "$pid"
done 2>/dev/null
[ ! -e "$1/run/between" ] || nft delete table inet "$4"
looks=400
for file in "$1"/run/*.pid; do
    read -r pid started < "$file" || continue
    while lives "$pid" "$started"; do
        looks=$((looks - 1))
        [ $looks -gt 0 ] || exit 1
        sleep 0.05
    done
done 2>/dev/null
for name in ${5:+"$6" "$7"}; do
    while "$5" inspect "$name"; do
        "$5" rm --force "$name" && break
        looks=$((looks - 40))
        [ $looks -gt 0 ] || exit 1
    done
done
[ -z "$5" ] || "$5" network rm "$8"
rm -f "$2"
until rm -rf "$1/made" "$1/data" "$1/run" "$1/etc" "$1/log"; do
    looks=$((looks - 1))
    [ $looks -gt 0 ] || exit 1
    sleep 0.05
done
rm -f "$1/lab.json" "$1/lock"
rmdir "$1"
"#;

/// The guardian of a lab, for as long as this process lives or until it is dismissed.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
    pipe: ChildStdin,
}

impl Guardian {
    /// Posts a guardian that acts when this process ends.
    pub(crate) fn post(directory: &Directory, record: &Record, owner: Process) -> Result<Self> {
        let claim = claim_file(record.first_port);
        let containers = Containers::of(directory, record)?.map(|containers| containers.names());
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "lab-guardian"]).arg(directory.path()).arg(claim).arg(owner.to_text());
        command.arg(between::table(record)).args(containers.into_iter().flatten());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        // A process group of its own: what ends its owner's is not to end it.
        command.process_group(0);
        let mut shell = command.spawn().at("post a guardian over", directory.path())?;
        let pipe = shell.stdin.take().ok_or_else(io::Error::last_os_error);
        Ok(Self { shell, pipe: pipe.at("post a guardian over", directory.path())? })
    }

    /// The process group of the guardian, for tools that are to end when the owner does.
    pub(crate) fn group(&self) -> i32 {
        i32::try_from(self.shell.id()).unwrap_or_default()
    }

    /// Sends the guardian home: the lab is gone, or stays on purpose.
    pub(crate) fn dismiss(mut self) {
        // If it is gone already there is nobody to tell.
        let _ = writeln!(self.pipe, "done");
        drop(self.pipe);
        let _ = self.shell.wait();
    }
}
