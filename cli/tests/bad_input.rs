//! What a person gets who made a mistake: an exit code, and one message that says what and where.

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use process::{Server, run, said, succeed};

/// The command must end with this code and say all of these.
fn check(data: &Path, arguments: &[&str], code: i32, says: &[&str]) {
    let output = run(data, arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    for part in says {
        assert!(said.contains(part), "{arguments:?} does not say {part:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn a_port_in_use_is_named() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(data.path(), &["serve", "--listen", &address], 1, &[&address, "in use"]);
    check(
        data.path(),
        &["balance", "--listen", &address, "--upstream", "127.0.0.1:1"],
        1,
        &[&address, "another program"],
    );
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let data = tempfile::tempdir().unwrap();
    check(data.path(), &["balance"], 2, &["--upstream"]);
    let balance = ["balance", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1"];
    let check_balance =
        |flags: &[&str], code, said: &[&str]| check(data.path(), &[&balance[..], flags].concat(), code, said);
    check_balance(&["--admin", "0.0.0.0:0"], 1, &["set a token"]);
    check_balance(&["--admin", "127.0.0.1:0", "--admin-token", "short"], 1, &["16 characters"]);
    check_balance(&["--access-log", "/nowhere/access.log"], 1, &["access log"]);
    check_balance(&["--probe-path", "/health", "--probe-expect", "fine"], 2, &["200-299"]);
    check_balance(&["--grace", "soon"], 2, &["number of seconds"]);
    check_balance(&["--upgrade", "maybe"], 2, &["off or on"]);
    check_balance(&["--via", "two words"], 2, &["balancer-1"]);
    check_balance(&["--max-fields", "129"], 2, &["129"]);
    check_balance(&["--hand-over", "/nowhere/socket", "--upstream", "replica"], 1, &["has no port"]);
    check(data.path(), &["balance", "--upstream", "a:1", "--policy", "fastest"], 2, &["fastest"]);
    check(data.path(), &["serve", "--model", "nonsense"], 2, &["nonsense"]);
    check(data.path(), &["load", "--users", "0"], 2, &["0 users"]);
    check(data.path(), &["load", "--run-time", "soon"], 2, &["soon", "60s"]);
    check(data.path(), &["load", "--fail-if", "p99"], 2, &["p99"]);
    check(data.path(), &["train", "--data", "houses.csv"], 2, &["--target"]);
    check(data.path(), &["train", "--target", "price"], 2, &["--data"]);
}

#[test]
fn an_empty_variable_means_what_a_missing_one_means() {
    let data = tempfile::tempdir().unwrap();
    let empty =
        ["MLFLOW_TRACKING_URI", "REGISTERED_MODEL_NAME", "MARTELLO_JOB", "MARTELLO_RETRAIN", "MARTELLO_LOG"];
    let output =
        process::martello(data.path(), &["train"]).envs(empty.map(|name| (name, ""))).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("linear_regression_model"), "{}", said(&output));
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("houses.csv");
    fs::write(&file, "size,price\n1,2\n\u{1b}]0;owned\u{7},3\n").unwrap();
    let output = run(data.path(), &["train", "--data", file.to_str().unwrap(), "--target", "price"]);
    let said = said(&output);
    assert!(said.contains("\\u{1b}]0;owned\\u{7}") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn a_class_for_each_row_is_no_classification() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("people.csv");
    let rows: String = (0..30).map(|i| format!("{i},name{i}\n")).collect();
    fs::write(&file, format!("age,name\n{rows}")).unwrap();
    check(
        data.path(),
        &["train", "--data", file.to_str().unwrap(), "--target", "name"],
        1,
        &["`name`", "class of its own"],
    );
}

#[test]
fn up_trains_nothing_else_than_what_it_is_to_serve() {
    let data = tempfile::tempdir().unwrap();
    check(data.path(), &["up", "--listen", "127.0.0.1:0", "--model-name", "houses"], 1, &["houses"]);
    assert!(!succeed(data.path(), &["registry", "list"]).contains("linear_regression_model"));
}

#[test]
fn a_server_that_is_down_fails_the_load_test_and_the_health_check() {
    let data = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = format!("http://{nobody}");
    check(data.path(), &["load", "--host", &host, "--users", "2", "--run-time", "1s"], 1, &["refused"]);
    check(
        data.path(),
        &["healthcheck", "--address", &nobody.to_string()],
        1,
        &["no health answer", "refused"],
    );
}

#[test]
fn a_data_file_that_cannot_be_read_names_file_and_line() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("houses.csv");
    let path = file.to_str().unwrap();
    let train = ["train", "--data", path, "--target", "price"];
    check(data.path(), &train, 1, &["houses.csv"]);
    let cases = [
        ("", "empty"),
        ("size,price\n", "no row"),
        ("size,price\n1,2\n3\n", "line 3"),
        ("size,price\n1,2\nx,3\n", "line 3"),
        ("size,cost\n1,2\n", "price"),
    ];
    for (content, says) in cases {
        fs::write(&file, content).unwrap();
        check(data.path(), &train, 1, &["houses.csv", says]);
    }
    check(data.path(), &["registry", "show", "houses"], 1, &["houses"]);
}

#[test]
fn a_replica_without_a_model_says_so_and_is_not_healthy() {
    let data = tempfile::tempdir().unwrap();
    let mut replica = Server::start(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
    check(
        data.path(),
        &["healthcheck", "--address", &replica.address],
        1,
        &["503", "\"model_loaded\":false"],
    );
    assert_eq!(replica.terminate(), Some(0));
}

#[test]
fn a_model_file_that_was_changed_is_not_served() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let model = find(data.path(), "model.json").expect("the model's bytes are in the data folder");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();
    let fetched = data.path().join("fetched");
    let fetch = ["registry", "fetch", "models:/linear_regression_model/1", fetched.to_str().unwrap()];
    check(data.path(), &fetch, 1, &["model.json"]);
    let replica = Server::start(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
    check(data.path(), &["healthcheck", "--address", &replica.address], 1, &["503"]);
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .find_map(|path| if path.is_dir() { find(&path, name) } else { path.ends_with(name).then_some(path) })
}

#[test]
fn a_registry_of_an_unknown_kind_is_refused() {
    let data = tempfile::tempdir().unwrap();
    check(data.path(), &["train", "--tracking-uri", "gopher://here"], 1, &["gopher"]);
    fs::write(data.path().join("mlflow.db"), "this is no database, only text that is long enough").unwrap();
    check(data.path(), &["train"], 1, &["mlflow.db"]);
}

#[test]
fn help_says_what_a_command_does_and_what_its_exit_codes_mean() {
    let data = tempfile::tempdir().unwrap();
    assert!(succeed(data.path(), &["--help"]).contains("Start with `martello up`"));
    assert!(succeed(data.path(), &["load", "--help"]).contains("Exit code 0: held"));
    assert!(succeed(data.path(), &["serve", "--help"]).contains("[env: MODEL_STAGE_OR_VERSION="));
}

#[test]
fn a_replica_whose_registry_is_locked_is_unhealthy_until_it_is_free() {
    let data = tempfile::tempdir().unwrap();
    succeed(data.path(), &["train"]);
    let database = data.path().join("mlflow.db");
    let lock = Lock::hold(&database);
    let address = free_address();
    let mut child = process::martello(data.path(), &["serve", "--listen", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    check_until(data.path(), &address, "\"model_loaded\":false");
    drop(lock);
    check_until(data.path(), &address, "");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Asks for the health until the answer is 503 and says this, or, if this is empty, until it is 200.
fn check_until(data: &Path, address: &str, says: &str) {
    loop {
        let output = run(data, &["healthcheck", "--address", address]);
        let healthy = output.status.success();
        if if says.is_empty() { healthy } else { said(&output).contains(says) } {
            return;
        }
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").to_string()
}

/// Another program that writes to the database and does not come to an end.
struct Lock(rusqlite::Connection);

impl Lock {
    fn hold(database: &Path) -> Self {
        let connection = rusqlite::Connection::open(database).expect("the database is there");
        connection.execute_batch("BEGIN EXCLUSIVE").expect("nobody else writes");
        Self(connection)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.execute_batch("ROLLBACK").expect("the transaction is open");
    }
}
