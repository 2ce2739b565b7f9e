//! The parameters of a call in the Query protocol.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::region::ApiError;

/// The parameters by name; lists are `Name.1`, `Name.2` in EC2 and `Name.member.1` in Auto Scaling.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads form-encoded parameters, of the address or of the body.
    pub(super) fn parse(forms: &[&[u8]]) -> Self {
        let pairs = forms.iter().flat_map(|form| form_urlencoded::parse(form));
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// # Errors
    ///
    /// `ValidationError` when it is missing.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| {
            ApiError::validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// # Errors
    ///
    /// `ValidationError` when it is there but no number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| text.parse().map_err(|_| ApiError::validation(format!("Value ({text}) for parameter {name} is invalid.")));
        self.text(name).map(parse).transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The values `prefix.1`, `prefix.2`, ... in order.
    pub(super) fn list(&self, prefix: &str) -> Vec<String> {
        (1..).map_while(|index| self.0.get(&format!("{prefix}.{index}")).cloned()).collect()
    }

    /// The filters `prefix.N.Name` with their values `prefix.N.<values>.M`.
    pub(super) fn filters(&self, prefix: &str, values: &str) -> Vec<(String, Vec<String>)> {
        (1..)
            .map_while(|index| {
                let name = self.0.get(&format!("{prefix}.{index}.Name"))?;
                Some((name.clone(), self.list(&format!("{prefix}.{index}.{values}"))))
            })
            .collect()
    }
}
