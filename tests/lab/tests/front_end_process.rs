//! The stand-in as a process: what it answered survives its death, and programs do the drivers' work.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::{Seen, until};

/// Ends with its owner, whatever becomes of the test.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(setup: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_front-end"))
            .arg(setup)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was built");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().trim_start_matches("http://").trim_end_matches("/RPC2").to_owned();
        Self { child, address }
    }

    fn kill(&mut self) {
        self.child.kill().expect("ours");
        self.child.wait().expect("ours");
    }

    /// A call; the whole answer.
    fn call(&self, method: &str, arguments: &str) -> String {
        let session = "<param><value><string>oneadmin:opennebula</string></value></param>";
        let body = format!(
            "<methodCall><methodName>{method}</methodName><params>{session}{arguments}</params></methodCall>"
        );
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("POST /RPC2 HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn wait_for(&self, id: i32, what: &str) {
        let seen = until(what, Duration::from_secs(60), Path::new("nowhere"), || {
            let vm = self.call("one.vm.info", &int(id));
            Ok(Seen::when(vm.contains(what), || vm.clone()))
        });
        seen.expect("it gets there");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn int(value: i32) -> String {
    format!("<param><value><int>{value}</int></value></param>")
}

fn text(value: &str) -> String {
    format!("<param><value><string>{value}</string></value></param>")
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("front-end-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("among the temporary files");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a folder of ours");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const MACHINE: &str = "NAME=vm\nCPU=1\nMEMORY=64\nDISK=[IMAGE=disk]\nDISK=[TYPE=fs,SIZE=16]\n";
const DISK: &str = "NAME=disk\nTYPE=OS\nSOURCE=\"one/one-7\"\nFORMAT=raw\nSIZE=64\n";

/// Goal: a killed front-end comes back with all that it had answered, and goes on with what was under way. Method: kill it
/// while a program of ours holds up the start of a VM; start it again; the VM gets to RUNNING.
#[test]
fn a_killed_front_end_comes_back_with_what_it_had_answered() {
    let folder = Folder::new("killed");
    let gate = folder.0.join("gate");
    let told = folder.0.join("told");
    let hook = folder.write(
        "hook",
        &format!(
            "#!/bin/sh\necho \"$1 $2 $3\" >>{told}\ncat >>{told}\ni=0\nwhile [ \"$1\" = deploy ] && [ ! -e {gate} ] && [ $i -lt 600 ]; do\n\
             sleep 0.1; i=$((i+1))\ndone\n",
            told = told.display(),
            gate = gate.display()
        ),
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("ours");
    let state = folder.0.join("state.xml");
    let setup = serde_json::json!({ "state": state, "hook_program": hook, "site": "b", "release": "7.4.0" });
    let setup = folder.write("setup.json", &setup.to_string());

    let mut first = Process::start(&setup);
    assert!(first.call("one.system.version", "").contains("<string>7.4.0</string>"));
    assert!(first.call("one.image.allocate", &format!("{}{}", text(DISK), int(1))).contains("<boolean>1"));
    let hold = "<param><value><boolean>0</boolean></value></param>";
    assert!(first.call("one.vm.allocate", &format!("{}{hold}", text(MACHINE))).contains("<boolean>1"));
    first.wait_for(0, "LCM_STATE&gt;2&lt;");
    let image = first.call("one.image.info", &int(0));
    first.kill();
    assert!(TcpStream::connect(&first.address).is_err(), "it is gone");

    fs::write(&gate, "").expect("a folder of ours");
    let second = Process::start(&setup);
    let without_date = |answer: &str| answer.split_once("<?xml").map(|(_, body)| body.to_owned());
    assert_eq!(without_date(&second.call("one.image.info", &int(0))), without_date(&image));
    second.wait_for(0, "LCM_STATE&gt;3&lt;");
    let told = fs::read_to_string(&told).expect("the program was run");
    assert!(told.starts_with("prolog 0 vm"), "{told}");
    assert!(
        told.contains("\"rbd\":\"one/one-7-0-0\"") && told.contains("\"cloned_from\":\"one/one-7\""),
        "{told}"
    );
    assert!(told.contains("\"rbd\":\"one/one-sys-0-1\""), "{told}");
}

#[test]
fn a_driver_that_fails_leaves_the_vm_where_oned_leaves_it() {
    let folder = Folder::new("failing");
    let hook = folder.write("hook", "#!/bin/sh\necho no hypervisor >&2\nexec test \"$1\" != deploy\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).expect("ours");
    let setup = folder.write("setup.json", &serde_json::json!({ "hook_program": hook }).to_string());
    let oned = Process::start(&setup);
    let hold = "<param><value><boolean>0</boolean></value></param>";
    oned.call("one.vm.allocate", &format!("{}{hold}", text("NAME=vm\nCPU=1\nMEMORY=64\n")));
    oned.wait_for(0, "LCM_STATE&gt;36&lt;");
    assert!(oned.call("one.vm.info", &int(0)).contains("no hypervisor"));
    assert!(oned.call("one.vm.recover", &format!("{}{}", int(0), int(3))).contains("<boolean>1"));
    oned.wait_for(0, "&lt;STATE&gt;6&lt;");
}
