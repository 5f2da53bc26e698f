//! `salinan log verify` for those who wait, and for those who go on another day.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::process::Command;
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::process::{SALINAN, shown};
use crate::support::site::Site;

/// What the command says on a terminal that stands in for standard error.
fn said_on_terminal(site: &Site, arguments: &[&str]) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize { ws_row: 25, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let reading = thread::spawn(move || {
        let (mut ours, mut said) = (File::from(ours), Vec::new());
        // It ends with an error when nobody has the other side any more.
        let _ = ours.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let mut command = Command::new(SALINAN);
    command.args(arguments).current_dir(site.folder.path()).env("TERM", "xterm");
    let status = command.stdout(File::create("/dev/null").unwrap()).stderr(theirs).status().unwrap();
    drop(command);
    assert_eq!(status.code(), Some(0));
    reading.join().unwrap()
}

#[test]
fn a_person_sees_how_far_it_is_and_a_machine_does_not() {
    let site = Site::new();
    let verify = ["log", "verify", "--dir", "ledger"];
    let said = said_on_terminal(&site, &verify);
    assert!(said.contains("1 of 1 entries") && said.contains("/s"), "{said:?}");
    let said = said_on_terminal(&site, &[&verify[..], &["--format", "json"]].concat());
    assert_eq!(said, "");
    let output = site.run(&verify);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("entries"), "{said:?}");
}

/// Enters something, so that there is more to verify.
fn grow(site: &Site, election: &str) {
    let freeze = ["log", "freeze", "--dir", "ledger", "--election", election, "--operator", "KPU Contoh"];
    let output = site.run(&[&freeze[..], &["--reason", "selesai"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
}

#[test]
fn a_verification_is_saved_and_gone_on_from_with_the_same_secret_alone() {
    let site = Site::new();
    fs::write(site.path("seal"), "7a".repeat(32)).unwrap();
    fs::write(site.path("other"), "7b".repeat(32)).unwrap();
    let verify = |more: &str| {
        let more: Vec<&str> = more.split(' ').collect();
        let output = site.run(&[&["log", "verify", "--dir", "ledger"], &more[..]].concat());
        (output.status.code(), shown(&output))
    };
    let (code, said) = verify("--save v.saved --seal seal");
    assert_eq!(code, Some(0), "{said}");
    grow(&site, "pemilu-2019");
    let (code, said) = verify("--from v.saved --save v.saved --seal seal");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("1 entries, not looked at again") && said.contains("agreed at 1 entries"),
        "{said}"
    );
    grow(&site, "pemilu-2024");
    let (code, said) = verify("--from v.saved --seal seal --structures --format json");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"verified_before\":2") && said.contains("\"structures_at\":3"), "{said}");

    // Not what it was sealed as; not by whom; not what it is about.
    let saved = fs::read_to_string(site.path("v.saved")).unwrap();
    fs::write(site.path("forged"), saved.replace("\"size\":2", "\"size\":3")).unwrap();
    fs::write(site.path("note"), site.run(&["log", "checkpoint", "--dir", "ledger"]).stdout).unwrap();
    let cases = [
        ("--from forged --seal seal", "another secret"),
        ("--from v.saved --seal other", "another secret"),
        ("--from note --seal seal", "log verify --save"),
        ("--from missing --seal seal", "missing"),
        ("--from v.saved --seal missing", "openssl rand"),
        ("--from v.saved", "--seal"),
    ];
    for (arguments, why) in cases {
        let (code, said) = verify(arguments);
        assert_eq!(code, Some(2), "{arguments}: {said}");
        assert!(said.contains(why), "{arguments}: {said}");
    }
    let stranger = Site::new();
    fs::write(stranger.path("seal"), "7a".repeat(32)).unwrap();
    fs::copy(site.path("v.saved"), stranger.path("v.saved")).unwrap();
    let output = stranger.run(&["log", "verify", "--dir", "ledger", "--from", "v.saved", "--seal", "seal"]);
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("another ledger"), "{}", shown(&output));
}
