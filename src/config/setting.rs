//! A setting as data: its key, its form, its bounds, and how it gets into [`Settings`].
//!
//! One table per section (each in its section's file) feeds everything that speaks of settings:
//! loading, `config show`, the list of environment names, the reference in the README. There is
//! no second list to keep in step.

use super::{
    Settings,
    form::{Form, Raw, rate::Classes},
    issuer::TenantMap,
};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Section and name, `listen.port`.
    pub key: &'static str,
    /// What it is, for people.
    pub summary: &'static str,
    /// What may be written.
    pub form: &'static str,
    /// Lowest and highest value, as text.
    pub bounds: fn() -> Option<(String, String)>,
    /// It is never shown, never taken from a flag, and has a twin ending in `_file`.
    pub secret: bool,
    /// Reads a value into the settings.
    pub set: fn(&mut Settings, &Raw) -> Result<(), String>,
    /// The value as text; secrets show nothing.
    pub show: fn(&Settings) -> String,
}

/// Every setting, section by section.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    use super::{audit, auth, certificates, http, limits, listen, mcp, policy, storage, telemetry};
    [
        listen::SETTINGS,
        http::SETTINGS,
        auth::SETTINGS,
        certificates::SETTINGS,
        limits::SETTINGS,
        storage::SETTINGS,
        mcp::SETTINGS,
        policy::SETTINGS,
        audit::SETTINGS,
        telemetry::SETTINGS,
    ]
    .into_iter()
    .flatten()
}

/// The setting with this key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    all().find(|s| s.key == key)
}

impl Setting {
    /// The name in the environment: `MEMGATE_LISTEN__PORT`.
    #[must_use]
    pub fn environment_name(&self) -> String {
        format!("{}{}", super::env::PREFIX, self.key.to_ascii_uppercase().replace('.', "__"))
    }

    /// Whether it is a table in the file: names and values.
    #[must_use]
    pub fn is_table(&self) -> bool {
        [<Classes as Form>::NAME, <TenantMap as Form>::NAME].contains(&self.form)
    }

    /// The key of the file that holds this secret.
    #[must_use]
    pub fn file_key(&self) -> Option<String> {
        self.secret.then(|| format!("{}_file", self.key))
    }
}

/// `setting!(section.field: Form; "what it is")`, or with bounds
/// `setting!(section.field: Form, low..=high; "what it is")`.
macro_rules! setting {
    ($section:ident.$field:ident: $form:ty; $summary:literal) => {
        $crate::config::setting::Setting {
            key: concat!(stringify!($section), ".", stringify!($field)),
            summary: $summary,
            form: <$form as $crate::config::form::Form>::NAME,
            bounds: || None,
            secret: false,
            set: |settings, raw| {
                settings.$section.$field = <$form as $crate::config::form::Form>::read(raw)?;
                Ok(())
            },
            show: |settings| {
                <$form as $crate::config::form::Form>::show(&settings.$section.$field)
            },
        }
    };
    ($section:ident.$field:ident: $form:ty, $bounds:expr; $summary:literal) => {
        $crate::config::setting::Setting {
            bounds: || {
                let bounds = $bounds;
                let show = <$form as $crate::config::form::Form>::show;
                Some((show(bounds.start()), show(bounds.end())))
            },
            set: |settings, raw| {
                let value = <$form as $crate::config::form::Form>::read(raw)?;
                settings.$section.$field = $crate::config::form::within::<$form>(value, &$bounds)?;
                Ok(())
            },
            ..$crate::config::setting::setting!($section.$field: $form; $summary)
        }
    };
}
pub(in crate::config) use setting;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_unique_and_every_default_reads_back_and_is_in_bounds() {
        let mut keys = BTreeSet::new();
        let defaults = Settings::default();
        for setting in all() {
            assert!(keys.insert(setting.key), "{} twice", setting.key);
            let shown = (setting.show)(&defaults);
            if setting.secret || shown == "none" {
                continue;
            }
            let mut again = Settings::default();
            let list = shown.is_empty();
            let read = (setting.set)(&mut again, &Raw::Text(shown.clone()));
            assert!(read.is_ok() || list, "{} = {shown}: {read:?}", setting.key);
            assert_eq!((setting.show)(&again), shown, "{}", setting.key);
        }
    }

    #[test]
    fn every_setting_changes_what_it_names() {
        for setting in all().filter(|s| !s.secret) {
            let mut settings = Settings::default();
            let before = (setting.show)(&settings);
            let Some((low, high)) = (setting.bounds)() else { continue };
            let other = if before == low { high } else { low };
            (setting.set)(&mut settings, &Raw::Text(other.clone())).unwrap();
            assert_eq!((setting.show)(&settings), other, "{}", setting.key);
            let changed = all().filter(|s| (s.show)(&settings) != (s.show)(&Settings::default()));
            assert_eq!(changed.map(|s| s.key).collect::<Vec<_>>(), [setting.key]);
        }
    }
}
