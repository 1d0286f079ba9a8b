//! Names of what the driver makes: one's own are known by them after a restart of the process, and
//! those of another application on the same Asterisk are not, whatever its name.

/// A name that begins so, and that nothing else has.
pub(super) fn fresh(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::now_v7().simple())
}

/// True for a name that [`fresh`] has made with this prefix: one of another prefix that only begins
/// with it has more behind it.
pub(super) fn is_fresh(name: &str, prefix: &str) -> bool {
    let unique = name.strip_prefix(prefix);
    unique.is_some_and(|it| it.len() == 32 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_application_are_no_names_of_another() {
        let prefixes = ["cordboard-", "cordboard-2-", "cordboard-snoop-", "cordboard-snoop-snoop-"];

        for prefix in prefixes {
            let name = fresh(prefix);

            let owners: Vec<_> = prefixes.into_iter().filter(|it| is_fresh(&name, it)).collect();
            assert_eq!(owners, [prefix]);
        }
        assert!(!is_fresh("cordboard-lobby", "cordboard-"));
    }
}
