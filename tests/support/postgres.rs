//! A `PostgreSQL` server for one test: made in a folder of its own, reached by a socket there, gone afterwards.
//!
//! Used by the tests of `src/store` and `src/ledger` as well as those in this folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Who runs the server when the tests run as root, which `PostgreSQL` refuses.
const USER: &str = "nobody";

pub struct TestServer {
    folder: TempDir,
    programs: PathBuf,
    /// The server's port, where it is reached by TCP too.
    port: u16,
    is_root: bool,
}

impl TestServer {
    /// A new server with these settings besides its own; `None`, said aloud, where none is installed.
    pub fn start(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            let told = "SKIPPED: no PostgreSQL server is installed (Debian: postgresql-15)";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{told}\n").as_bytes());
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        // A port is free as long as nobody takes it between here and the start.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder, programs, port, is_root };
        if is_root {
            let id = |flag| number(&Command::new("id").args([flag, USER]).output().unwrap());
            chown(server.folder(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        let data = server.data();
        let data = data.to_str().unwrap();
        server.run(
            "initdb",
            &["-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        );
        let folder = server.folder().to_str().unwrap();
        let own = format!(
            "unix_socket_directories = '{folder}'\nlisten_addresses = '127.0.0.1'\nport = {port}\n\
             shared_buffers = '64MB'\nmax_connections = 60\nautovacuum_naptime = '5s'\n"
        );
        let file = Path::new(data).join("postgresql.conf");
        let shipped = fs::read_to_string(&file).unwrap();
        fs::write(&file, shipped + &own + &settings.join("\n") + "\n").unwrap();
        server.go();
        Some(server)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database by the socket.
    pub fn address(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@:{}/{database}?host={}", self.port, self.folder().display())
    }

    /// Lets the server's own user read a file.
    pub fn hand_over(&self, file: &Path, mode: u32) {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        if self.is_root {
            let owner = fs::metadata(self.data()).unwrap();
            chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
    }

    /// Starts the server, after it was stopped.
    pub fn go(&self) {
        let (data, log) = (self.data(), self.folder().join("log"));
        self.run(
            "pg_ctl",
            &["-D", data.to_str().unwrap(), "-l", log.to_str().unwrap(), "-w", "-t", "60", "start"],
        );
    }

    /// Stops the server as `mode` says: `fast`, or `immediate` as if the power went.
    pub fn stop(&self, mode: &str) {
        self.run("pg_ctl", &["-D", self.data().to_str().unwrap(), "-m", mode, "-w", "stop"]);
    }

    /// Runs SQL as the owner of everything and returns what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let (folder, port) = (self.folder().to_str().unwrap(), self.port.to_string());
        let arguments = [
            "-h",
            folder,
            "-p",
            &port,
            "-U",
            "owner",
            "-d",
            database,
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ];
        let output = self.run("psql", &arguments);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A new database.
    pub fn database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let path = self.programs.join(program);
        let mut command = if self.is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        let output = command.args(arguments).current_dir("/tmp").stdin(std::process::Stdio::null());
        // What a server inherits it keeps open, and whoever reads to the end would wait for it.
        let output = if program == "pg_ctl" {
            let status =
                output.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
            Output { status: status.unwrap(), stdout: Vec::new(), stderr: Vec::new() }
        } else {
            output.output().unwrap()
        };
        let log = fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{log}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() && !std::thread::panicking() {
            self.stop("immediate");
        } else if self.data().join("postmaster.pid").exists() {
            let data = self.data();
            let path = self.programs.join("pg_ctl");
            let mut command = Command::new(if self.is_root { Path::new("runuser") } else { &path });
            if self.is_root {
                command.args(["-u", USER, "--"]).arg(&path);
            }
            let _ =
                command.arg("-D").arg(data).args(["-m", "immediate", "stop"]).current_dir("/tmp").status();
        }
    }
}

/// Where the newest server's programs are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists());
    found.max_by_key(|bin| {
        bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok())
    })
}

fn number(output: &Output) -> u32 {
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
