//! `cordboard admin … add` and `change`, with the real program, on `SQLite` and on `PostgreSQL`.

use std::process::Command;

use mesh::testing::postgres::PostgresServer;
use serde_json::Value;
use system_tests::process::program;
use tempfile::TempDir;

struct Directory {
    folder: TempDir,
    database: String,
}

impl Directory {
    /// With the demo directory in it.
    fn demo(database: impl FnOnce(&TempDir) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let directory = Self { database: database(&folder), folder };
        let file = directory.folder.path().join("demo.toml");
        let demo = Command::new(program()).args(["admin", "demo-directory"]).output().unwrap();
        std::fs::write(&file, demo.stdout).unwrap();
        directory.must(&["import", file.to_str().unwrap()]);
        directory
    }

    fn run(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program());
        command.arg("admin").args(args).args(["--database", &self.database]);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn must(&self, args: &[&str]) -> String {
        self.run(args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    fn refused(&self, args: &[&str]) -> String {
        self.run(args).err().unwrap_or_else(|| panic!("{args:?} was not refused"))
    }

    fn shown(&self, kind: &str, id: &str) -> Value {
        serde_json::from_str(&self.must(&[kind, "show", id, "--json"])).unwrap()
    }
}

fn everything_is_added_and_changed(directory: &Directory) {
    for args in [
        &["tariffs", "add", "Cheap", "currency=USD", "rate=voice::0.01,conferencing::0.02"][..],
        &["products", "add", "Desk", "conferencing=true", "rating=Cheap,INCOMING:Cheap"],
        &["roles", "add", "viewer", "call_control=read"],
        &["resellers", "add", "North", "login=north", "password_hash=HASH"],
        &["customers", "add", "Harbour", "reseller=North", "credit_limit=100"],
        &[
            "accounts",
            "add",
            "701",
            "--customer",
            "Harbour",
            "name=Eve",
            "product=Desk",
            "credit_limit=10",
        ],
        &[
            "accounts",
            "add",
            "702",
            "--customer",
            "Harbour",
            "name=Sam",
            "product=Desk",
            "credit_limit=10",
        ],
        &[
            "hunt-groups",
            "add",
            "770",
            "--customer",
            "Harbour",
            "name=Desk",
            "queue=Desk",
            "agents=701,702",
        ],
        &["applications", "add", "menu", "--customer", "Harbour", "account=701"],
        &["numbers", "add", "12065557700", "--customer", "Harbour"],
        &["numbers", "add", "12065557701", "--customer", "Harbour", "to=account:702"],
        &["users", "add", "second", "super_user=true", "password_hash=HASH"],
    ] {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$lGxY0BjSxZrctx4zDgVQ8g$aXR8zuZ+LDP1kx2DurGgO2cBG6iiOUuPHulOZK825Lw";
        let args: Vec<String> = args.iter().map(|arg| arg.replace("HASH", hash)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert!(directory.must(&args).contains("added"), "{args:?}");
    }
    assert_eq!(directory.shown("account", "701")["customer"], "Harbour");
    assert_eq!(directory.shown("account", "702")["numbers"][0], "12065557701");
    assert_eq!(directory.shown("number", "12065557700")["leads_to"], "nothing yet");
    assert_eq!(directory.shown("reseller", "North")["customers"], 1);
    assert_eq!(directory.shown("product", "Desk")["rating"][1], "INCOMING:Cheap");

    for args in [
        &["accounts", "change", "701", "name=Eva", "numbers+=12065557702"][..],
        &["customers", "change", "Harbour", "credit_limit=250"],
        &["hunt-groups", "change", "770", "agents-=702"],
        &["numbers", "change", "12065557701", "to=application:menu"],
        &["users", "change", "second", "must_change_password=true"],
        &["users", "change", "101", "role=viewer"],
        &["tariffs", "change", "Cheap", "rate+=voice:44:0.3"],
    ] {
        let told = directory.must(args);
        assert!(told.contains("as asked for") && !told.contains("as before"), "{args:?}: {told}");
    }
    let told = directory.must(&["customers", "change", "Harbour", "credit_limit=250"]);
    assert!(told.contains("as before"), "{told}");
    let account = directory.shown("account", "701");
    assert_eq!((&account["name"], &account["numbers"][0]), (&"Eva".into(), &"12065557702".into()));
    assert_eq!(directory.shown("hunt-group", "770")["agents"].as_array().unwrap().len(), 1);
    assert_eq!(directory.shown("application", "menu")["access_numbers"][0], "12065557701");
    assert_eq!(directory.shown("user", "second")["must_change_password"], true);
    assert_eq!(directory.shown("user", "account:1")["role"], "viewer");
}

#[test]
fn every_kind_is_added_and_changed_on_sqlite() {
    let directory = Directory::demo(|folder| {
        format!("sqlite://{}", folder.path().join("directory.db").display())
    });

    everything_is_added_and_changed(&directory);
}

#[tokio::test]
async fn every_kind_is_added_and_changed_on_postgresql() {
    let server = PostgresServer::start().await;
    let directory = Directory::demo(|_folder| server.create("directory"));

    everything_is_added_and_changed(&directory);

    let keys = directory.must(&["keys", "list"]);
    assert_eq!(keys.lines().count(), 1, "no service has made a key yet: {keys}");
    assert!(directory.must(&["keys", "rotate"]).contains("signs in"));
    assert!(directory.must(&["keys", "list"]).contains("signing"));
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let directory = Directory::demo(|folder| {
        format!("sqlite://{}", folder.path().join("directory.db").display())
    });
    let account = ["accounts", "add", "701", "--customer", "EasyMobile"];
    let with = |keys: &[&'static str]| [&account[..], keys].concat();

    for (args, told) in [
        (
            vec!["accounts", "add", "101", "--customer", "EasyMobile"],
            "the account `101` exists already",
        ),
        (vec!["accounts", "add", "799"], "give `--customer NAME`"),
        (with(&["name"]), "`name` must be KEY=VALUE"),
        (with(&["nam=Eve"]), "unknown field `nam`"),
        (with(&["name=Eve"]), "missing field"),
        (with(&["name=Eve", "product=Nothing", "credit_limit=1"]), "there is no product `Nothing`"),
        (with(&["name=Eve", "product=Office line", "credit_limit=much"]), "credit_limit"),
        (with(&["blocked=perhaps"]), "it is `true` or `false`"),
        (vec!["account", "change", "101", "balance=0"], "kept by accounting"),
        (vec!["account", "change", "1010", "name=Eve"], "did you mean"),
        (vec!["numbers", "change", "101", "to=sky"], "`account:ID`"),
    ] {
        let error = directory.refused(&args);
        let is_told =
            error.contains(told) || told.contains("an account") && error.contains("already");
        assert!(is_told, "{args:?}: {error}");
    }
    assert!(directory.refused(&["account", "show", "701"]).contains("there is no account"));
}
