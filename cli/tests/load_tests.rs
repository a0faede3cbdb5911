//! What `martello load` leaves behind, however it ends.

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{Server, martello, run, said, succeed};
use serde_json::Value;

fn serving(data: &Path) -> Server {
    succeed(data, &["train"]);
    Server::start(data, &["serve", "--listen", "127.0.0.1:0"])
}

fn load<'a>(host: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    // A busy machine must not make a test of files a test of the machine.
    [&["load", "--host", host, "--wait", "0.05", "--max-lateness", "60000"], more].concat()
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("the report is there")).expect("the report is JSON")
}

#[test]
fn ctrl_c_in_the_middle_leaves_the_whole_report() {
    let data = tempfile::tempdir().unwrap();
    let replica = serving(data.path());
    let host = format!("http://{}", replica.address);
    let path = |name: &str| data.path().join(name).display().to_string();
    let (report, page, log) = (path("report.json"), path("report.html"), path("run.hlog"));
    let files = ["--json", &report, "--html", &page, "--csv", &path("run"), "--hdr", &log];
    let arguments = load(&host, &[&["--users", "20", "--run-time", "1h"][..], &files].concat());
    let mut child = martello(data.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // The first second is in the log when its line is.
    while !fs::read_to_string(&log).unwrap_or_default().contains("{\"second\"") {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("stopped early, 0 failed"), "{}", said(&output));
    let written = json(Path::new(&report));
    assert_eq!(written["stopped_early"], true);
    assert!(fs::read_to_string(&page).unwrap().contains("stopped early"));
    for suffix in ["_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv"] {
        assert!(fs::metadata(path(&format!("run{suffix}"))).unwrap().len() > 0);
    }
    let merged = path("merged.json");
    let output = run(data.path(), &["load", "merge", &log, &log, "--json", &merged]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let requests = |file: &str| json(Path::new(file))["total"]["requests"].as_u64().unwrap();
    assert_eq!(requests(&merged), 2 * requests(&report));
}

#[test]
fn a_full_disk_is_said_and_the_other_files_are_written() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let replica = serving(data.path());
    let host = format!("http://{}", replica.address);
    let page = data.path().join("report.html").display().to_string();
    let short = ["--users", "5", "--run-time", "1s", "--html", &page];
    let output = run(data.path(), &load(&host, &[&short[..], &["--json", "/dev/full"]].concat()));
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("/dev/full") && text.contains("No space left"), "{text}");
    assert!(text.contains("verdict"), "{text}");
    assert!(fs::read_to_string(&page).unwrap().contains("</html>"));
    // A log that cannot even begin is told before the test and not after it.
    let output = run(data.path(), &load(&host, &["--users", "5", "--hdr", "/dev/full"]));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("No space left") && !said(&output).contains("verdict"),
        "{}",
        said(&output)
    );
}

#[test]
fn more_users_than_descriptors_or_ports_are_refused_with_the_numbers() {
    let data = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_martello");
    let shell = |line: &str| Command::new("sh").args(["-c", line]).output().expect("there is a shell");
    let check = |output: &Output, numbers: [&str; 2]| {
        let text = said(output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(numbers.iter().all(|number| text.contains(number)) && !text.contains("panicked"), "{text}");
    };
    let output = shell(&format!("ulimit -n 300; exec {binary} load --users 1000"));
    check(&output, ["1000 users", "limit is 300"]);
    // Ports belong to a network: one of our own, where we may make it, has as few as we like.
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    let alone = format!("unshare --net sh -c 'echo 40000 40099 > {range} && exec {binary} load --users 150'");
    let output = shell(&alone);
    if said(&output).contains("unshare") || said(&output).contains(range) {
        eprintln!("skipped: no network of its own can be made here: {}", said(&output));
    } else {
        check(&output, ["150 users", "there are 100"]);
    }
    drop(data);
}

#[test]
fn what_makes_no_sense_is_a_usage_error_that_says_what_would() {
    let data = tempfile::tempdir().unwrap();
    let scenario = data.path().join("scenario.json");
    fs::write(&scenario, "{\"requests\": [\n  {\"path\": \"/\", \"wieght\": 3}\n]}").unwrap();
    let scenario = scenario.display().to_string();
    let no_log = data.path().join("none.hlog");
    fs::write(&no_log, "latencies\n").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["load", "--shape", "circle"], "staircase 500..10000"),
        (&["load", "--rate", "often"], "poisson 500"),
        (&["load", "--wait", "2,1"], "the lower end first"),
        (&["load", "--host", "ftp://x"], "http://127.0.0.1:8000"),
        (&["load", "--scenario", &scenario], "line 2, column"),
        (&["load", "--max-response-head", "1"], "must be at least"),
        (&["load", "--rate", "5", "--shape", "5 for 1s"], "cannot be used with"),
        (&["load", "merge", no_log.to_str().unwrap()], "line 1"),
    ];
    for (arguments, says) in cases {
        let output = run(data.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn shapes_rates_and_several_targets_are_what_they_say() {
    let data = tempfile::tempdir().unwrap();
    let (one, two) = (serving(data.path()), serving(data.path()));
    let hosts = format!("http://{},http://{}", one.address, two.address);
    let file = data.path().join("report.json").display().to_string();
    let more =
        ["--shape", "4 for 1s, 8 for 2s", "-r", "100", "--json", &file, "--only-summary", "--headless"];
    let output = run(data.path(), &load(&hosts, &more));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stderr.is_empty() || !said(&output).contains(" req/s "), "{}", said(&output));
    let report = json(Path::new(&file));
    let users: Vec<&Value> = report["steps"].as_array().unwrap().iter().map(|step| &step["users"]).collect();
    assert_eq!(users, [4, 8]);
    assert_eq!(report["host"], hosts.as_str());
    let output = run(data.path(), &load(&hosts, &["--rate", "constant 100", "-t", "2s", "--json", &file]));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(json(Path::new(&file))["total"]["requests"], 200);
}
