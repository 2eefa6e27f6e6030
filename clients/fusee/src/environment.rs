//! Where name servers come from when the program does not say: the environment, in a fixed order.
//!
//! Law: only [`ClientBuilder::from_env`](crate::ClientBuilder::from_env) reads the environment; nothing below does.

use fusee_core::ids::Address;

use crate::error::ConfigError;

/// Asked in this order; the first one that is set and not empty counts.
const VARIABLES: [&str; 4] =
    ["FUSEE_NAMESRV", "NAMESRV_ADDR", "ROCKETMQ_NAMESRV_ADDR", "PYROCKETMQ_NAMESRV_ADDR"];

/// What is used when none is set: a name server on this machine, at its usual port.
const DEFAULT: &str = "127.0.0.1:9876";

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The program said so.
    Program,
    /// This environment variable.
    Variable(&'static str),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Program => f.write_str("given by the program"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The name servers that the environment names, with the variable they came from.
pub(crate) fn name_servers(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Vec<Address>, Origin), ConfigError> {
    for name in VARIABLES {
        if let Some(text) = variable(name).filter(|text| !text.trim().is_empty()) {
            let origin = Origin::Variable(name);
            return Ok((addresses(&text, origin)?, origin));
        }
    }
    Ok((addresses(DEFAULT, Origin::Default)?, Origin::Default))
}

/// Addresses of a list that is separated by semicolons, as Java's are, or commas; each once.
pub(crate) fn addresses(list: &str, origin: Origin) -> Result<Vec<Address>, ConfigError> {
    let mut found = Vec::new();
    for text in list.split([';', ',']).map(str::trim).filter(|text| !text.is_empty()) {
        let address =
            Address::new(text).map_err(|why| ConfigError::Address { text: text.into(), why, origin })?;
        if !found.contains(&address) {
            found.push(address);
        }
    }
    if found.is_empty() { Err(ConfigError::NoNameServer) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use fusee_core::error::NameError;

    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<(Vec<String>, Origin), ConfigError> {
        let lookup = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        name_servers(lookup).map(|(found, origin)| (found.iter().map(ToString::to_string).collect(), origin))
    }

    #[test]
    fn the_first_variable_that_says_something_counts() {
        let default = (vec!["127.0.0.1:9876".to_owned()], Origin::Default);
        assert_eq!(read(&[]), Ok(default));
        let set = [("PYROCKETMQ_NAMESRV_ADDR", "d:4"), ("ROCKETMQ_NAMESRV_ADDR", "c:3")];
        assert_eq!(read(&set), Ok((vec!["c:3".to_owned()], Origin::Variable("ROCKETMQ_NAMESRV_ADDR"))));
        let set = [("FUSEE_NAMESRV", "  "), ("NAMESRV_ADDR", "b:2; b:3,b:2;")];
        assert_eq!(
            read(&set),
            Ok((vec!["b:2".to_owned(), "b:3".to_owned()], Origin::Variable("NAMESRV_ADDR")))
        );
    }

    #[test]
    fn a_bad_address_is_refused_with_where_it_came_from() {
        let error = read(&[("NAMESRV_ADDR", "good:1;bad")]).expect_err("no port");
        let origin = Origin::Variable("NAMESRV_ADDR");
        assert_eq!(error, ConfigError::Address { text: "bad".into(), why: NameError::Port, origin });
        assert!(error.to_string().contains("NAMESRV_ADDR"), "{error}");
        assert_eq!(read(&[("NAMESRV_ADDR", ";;")]), Err(ConfigError::NoNameServer));
    }
}
