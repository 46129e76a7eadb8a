//! The one place that says which settings can change while a program runs.

/// Declares which settings of a configuration as it is written can change while the program runs. Makes of it `LIVE`, their
/// names, and `with_live`, which gives one configuration the live settings of another: no setting can be in one of the
/// two and not in the other.
#[macro_export]
macro_rules! live_settings {
    ($vis:vis $raw:ty: $($first:ident $(. $rest:ident)*),+ $(,)?) => {
        /// The settings that can change while the program runs: `section.key`.
        $vis const LIVE: &[&str] = &[$(concat!(stringify!($first) $(, ".", stringify!($rest))*)),+];

        /// `running`, with the live settings of `new`.
        #[must_use]
        $vis fn with_live(running: &$raw, new: &$raw) -> $raw {
            let mut mixed = running.clone();
            $(mixed.$first$(.$rest)*.clone_from(&new.$first$(.$rest)*);)+
            mixed
        }
    };
}

#[cfg(test)]
mod tests {
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Raw {
        list: Vec<u8>,
        section: Section,
    }

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Section {
        live: String,
        other: u8,
    }

    live_settings!(Raw: list, section.live);

    #[test]
    fn what_is_declared_is_named_and_taken_and_nothing_else() {
        assert_eq!(LIVE, ["list", "section.live"]);
        let new = Raw { list: vec![1], section: Section { live: "new".to_owned(), other: 1 } };
        let mixed = with_live(&Raw::default(), &new);
        assert_eq!(mixed, Raw { list: vec![1], section: Section { live: "new".to_owned(), other: 0 } });
    }
}
