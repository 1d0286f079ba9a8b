//! Rules of the source tree that no compiler checks.

use std::path::{Path, PathBuf};

const SERVICES: [&str; 6] = ["auth", "edge", "callcontrol", "conference", "notifier", "switch"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_service_depends_on_another() {
    for service in SERVICES {
        let manifest = std::fs::read_to_string(root().join(service).join("Cargo.toml")).unwrap();
        for other in SERVICES.into_iter().filter(|other| *other != service) {
            let depends = manifest.lines().any(|line| {
                line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "))
            });
            assert!(!depends, "{service} depends on {other}");
        }
    }
}

#[test]
fn cargo_run_alone_runs_the_program() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let default = metadata["workspace_default_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap();

    let of_default = packages.iter().filter(|package| default.contains(&package["id"]));
    let targets = of_default.flat_map(|package| package["targets"].as_array().unwrap());
    let programs = targets.filter(|target| target["kind"] == serde_json::json!(["bin"]));
    let names: Vec<_> = programs.map(|target| target["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cordboard"]);
}

#[test]
fn domains_see_no_transport_and_no_store() {
    for service in SERVICES {
        let folder = root().join(service).join("src/domain");
        let mut found = Vec::new();
        if folder.is_dir() {
            sources(&folder, &mut found);
        }
        for path in found {
            let text = std::fs::read_to_string(&path).unwrap();
            for foreign in
                ["tonic::", "redis::", "tokio::net", "hyper::", "tungstenite::", "sqlx::"]
            {
                assert!(!text.contains(foreign), "{} sees {foreign}", path.display());
            }
        }
    }
}

#[test]
fn no_source_file_is_above_five_hundred_lines() {
    let mut found = Vec::new();
    for folder in SERVICES.into_iter().chain(["mesh", "proto", "phones", "cordboard", "tests"]) {
        sources(&root().join(folder), &mut found);
    }
    for path in found {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
}

#[test]
fn generated_references_are_current() {
    let committed = |name: &str| {
        std::fs::read_to_string(root().join("docs/reference").join(name)).unwrap_or_default()
    };
    let printed = |task: &str| {
        let program = system_tests::process::program();
        let output = std::process::Command::new(program).args(["admin", task]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };

    assert!(
        committed("api.md") == printed("api-reference"),
        "run: cargo run -- admin api-reference > docs/reference/api.md"
    );
    assert!(
        committed("states.md") == printed("state-table"),
        "run: cargo run -- admin state-table > docs/reference/states.md"
    );
    assert!(
        committed("metrics.md") == printed("metrics"),
        "run: cargo run -- admin metrics > docs/reference/metrics.md"
    );
    assert!(
        committed("configuration.md") == printed("config"),
        "run: cargo run -- admin config > docs/reference/configuration.md"
    );
}
