//! Which setting counts where several are given.
//!
//! An explicit value wins over a variable, and a variable over the profile. As in the Databricks CLI, a profile that
//! is named explicitly wins over variables: whoever says `--profile prod` does not mean the token that the shell has.

use crate::auth::attribute::Attribute;
use crate::auth::config_file::ConfigFile;
use crate::auth::environment::Environment;
use crate::auth::settings::{Settings, Source};
use crate::error::Error;

/// What an explicitly named profile lacks is not filled in from variables: they belong to another workspace.
const OF_THE_PROFILE: [Attribute; 6] = [
    Attribute::WorkspaceId,
    Attribute::AccountId,
    Attribute::AuthType,
    Attribute::DiscoveryUrl,
    Attribute::TokenAudience,
    Attribute::Cloud,
];

/// What it means that an explicitly named profile does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MissingProfile {
    /// A mistake.
    Refused,
    /// It is about to be made.
    Allowed,
}

/// Completes explicit settings from variables and the configuration file, and adds what in that file may be meant otherwise.
pub(crate) fn resolve(
    mut settings: Settings,
    environment: &Environment,
    missing: MissingProfile,
) -> Result<(Settings, Vec<String>), Error> {
    let lookup = |name: &str| environment.variable(name);
    let is_named = settings.get(Attribute::Profile).is_some();
    settings.fill_from_variables(lookup, |attribute| !is_named || attribute == Attribute::ConfigFile);
    let remarks = fill_from_profile(&mut settings, environment, is_named, missing)?;
    if is_named {
        let groups = settings.groups();
        // Nor with settings of another way of authenticating, which would only contradict the profile's.
        settings.fill_from_variables(lookup, |attribute| match attribute.group() {
            Some(group) => groups.is_empty() || groups.contains(group),
            None => !OF_THE_PROFILE.contains(&attribute),
        });
    }
    Ok((settings, remarks))
}

fn fill_from_profile(
    settings: &mut Settings,
    environment: &Environment,
    is_named: bool,
    missing: MissingProfile,
) -> Result<Vec<String>, Error> {
    let asked = settings.get(Attribute::Profile);
    if asked.is_none() && (!settings.groups().is_empty() || settings.get(Attribute::Host).is_some()) {
        // Somebody who says where to go or who he is does not mean the default profile.
        return Ok(Vec::new());
    }
    let path = environment.expand(settings.get(Attribute::ConfigFile).unwrap_or("~/.databrickscfg"));
    let file = match ConfigFile::load(&path)? {
        Some(file) => file,
        None if is_named => ConfigFile::default(),
        None => return Ok(Vec::new()),
    };
    if missing == MissingProfile::Allowed && asked.is_some_and(|name| !file.has(name)) {
        return Ok(Vec::new());
    }
    let near = || file.near_default(&path);
    let is_asked = asked.is_some();
    let Some(profile) = file.profile(asked, &path)? else { return Ok(near().collect()) };
    let source = Source::Profile(profile.name.to_owned());
    settings.fill(Attribute::Profile, profile.name, source.clone());
    for attribute in Attribute::all() {
        if let Some(value) = attribute.keys().iter().find_map(|key| profile.get(key)) {
            settings.fill(attribute, value, source.clone());
        }
    }
    let is_default = !is_asked && profile.name.eq_ignore_ascii_case("default");
    Ok(profile.remarks(&path).chain(near().filter(|_| is_default)).collect())
}
