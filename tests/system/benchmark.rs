//! The benchmark goes on working; what it measures here, in a build for tests, says nothing.

use std::process::Command;

#[test]
fn the_benchmark_measures_every_row_beside_its_bare_server() {
    let program = system_tests::process::program();

    let output = Command::new(program.with_file_name("cordboard-bench"))
        .args(["--rounds", "1", "--sockets", "64", "--idle", "100", "--share", "0.02"])
        .arg("--program")
        .arg(&program)
        .output()
        .expect("the benchmark runs");

    let table = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    for row in ["| 2 |", "| 3 |", "| 3b |", "| 4 |", "| 6 |"] {
        assert!(table.contains(row), "no {row} in:\n{table}\n{errors}");
    }
}
