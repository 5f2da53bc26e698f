//! The plan a policy would give, without a requester: for administrators who try a policy on made-up rows.
//!
//! Nothing can be released by it: a release is opened with a `Grant`, and this makes none.

use thiserror::Error;

use super::{Policy, Route};
use crate::domain::{Level, MaskPlan, Role, Wilayah};

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PreviewError {
    #[error("the policy gives nothing to this role")]
    RoleUnknown,
    #[error("the policy gives to this role at more than one level: {}", words(levels))]
    LevelMissing { levels: Vec<Level> },
    #[error("the policy has no route of this format")]
    FormatUnknown,
}

fn words(levels: &[Level]) -> String {
    levels.iter().map(|level| level.as_str()).collect::<Vec<_>>().join(", ")
}

impl Policy {
    /// The plan for a role, on the first route of the format: `json`, `ndjson`, `json-seq`, `csv`, or `tsv`
    /// for CSV with tabs.
    pub fn preview(
        &self,
        role: &Role,
        level: Option<Level>,
        format: &str,
        within: Wilayah,
    ) -> Result<MaskPlan, PreviewError> {
        let of_role = self.roles.iter().filter(|rule| rule.role == *role);
        let rules: Vec<_> = of_role.filter(|rule| level.is_none_or(|level| rule.level == level)).collect();
        let rule = match rules[..] {
            [] => return Err(PreviewError::RoleUnknown),
            [rule] => rule,
            _ => {
                let levels = rules.iter().map(|rule| rule.level).collect();
                return Err(PreviewError::LevelMissing { levels });
            }
        };
        let wanted = |route| Some((route, Route::format(route).called(format)?));
        let (route, format) = self.routes.iter().find_map(wanted).ok_or(PreviewError::FormatUnknown)?;
        Ok(Self::plan(route, rule, within, format))
    }
}
