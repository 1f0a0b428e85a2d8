//! The cases. Each is one function in the file of its kind, which also says what it expects;
//! to add one, write the function and put a `case!` line into the file's list.

mod batches;
mod bot;
mod companies;
mod documents;
mod failing;
mod later;
mod names;
mod orders;
mod portal;
mod races;
mod records;
mod refunds;
mod setup;
mod trouble;
mod units;

use anyhow::{Result, bail};
use futures_util::future::BoxFuture;

use super::bench::Bench;

/// One case.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: letters, digits and dashes.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub about: &'static str,
    run: fn(&Bench) -> BoxFuture<'_, Result<()>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// Tries it.
    pub fn run<'b>(&self, bench: &'b Bench) -> BoxFuture<'b, Result<()>> {
        (self.run)(bench)
    }
}

/// A case of a name, a sentence, and the function that tries it.
macro_rules! case {
    ($name:literal, $function:path, $about:literal) => {
        $crate::conformance::cases::Case {
            name: $name,
            about: $about,
            run: |bench| Box::pin($function(bench)),
        }
    };
}
pub(super) use case;

/// Every case, in the order they are run. Those that spoil the set-up and put it right again
/// come last.
const ALL: &[&[Case]] = &[
    portal::CASES,
    orders::CASES,
    documents::CASES,
    units::CASES,
    companies::CASES,
    later::CASES,
    names::CASES,
    refunds::CASES,
    records::CASES,
    batches::CASES,
    races::CASES,
    failing::CASES,
    bot::CASES,
    trouble::CASES,
    setup::CASES,
];

/// Every case, in the order they are run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    ALL.iter().flat_map(|cases| cases.iter())
}

/// The named cases, or all.
///
/// # Errors
/// When there is none of a name.
pub fn select(names: &[String]) -> Result<Vec<&'static Case>> {
    if let Some(unknown) = names.iter().find(|name| !all().any(|case| case.name == **name)) {
        bail!("there is no case {unknown}: --list names them");
    }
    let wanted = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    Ok(all().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<&str> = all().map(|case| case.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().count() > 50, "the list was not read");
        for case in all() {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert!(case.name.bytes().all(plain), "{}", case.name);
            assert!(case.about.len() > 20 && !case.about.ends_with('.'), "{}", case.about);
        }
    }

    #[test]
    fn a_case_that_is_not_there_is_refused() {
        assert!(select(&["no-such-case".to_owned()]).is_err());
        let one = select(&["order-invoiced".to_owned()]).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(select(&[]).unwrap().len(), all().count());
    }
}
