//! Group names, checked once, where a member starts (Java: `Validators.checkGroup`).

use fusee_core::ids::Group;

use crate::error::StartError;

/// The checked name, unless it is the placeholder that Java reserves for this kind of member.
pub(crate) fn check(name: &str, reserved: &str) -> Result<Group, StartError> {
    if name == reserved {
        return Err(StartError::ReservedGroup(name.into()));
    }
    Group::new(name).map_err(|why| StartError::Group { name: name.chars().take(128).collect(), why })
}
