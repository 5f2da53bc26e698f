//! One requester, one ask: a [`Grant`] or a [`Denial`], and nothing in between.
//!
//! The order of the checks is part of what the ledger means: route, method, area, parameters, then the policy's
//! days, the election, the role, the scope. The first that fails is the reason.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use thiserror::Error;

use super::route::{ParameterKind, Route};
use super::set::PolicySet;
use super::template::Match;
use super::{Policy, PolicyRef};
use crate::domain::{Action, Ask, Determination, FieldName, MaskPlan, Method, Party, RowArea, Tps, Wilayah};
use crate::identity::Requester;

/// Western Indonesian Time, by which a policy's days are counted wherever in the country one asks.
const WIB: Offset = Offset::constant(7);

/// Policy's yes, with its plan. Only [`PolicySet::decide`] makes one.
#[derive(Debug)]
pub struct Grant {
    requester: Requester,
    ask: Ask,
    area: Wilayah,
    plan: MaskPlan,
    policy: Arc<Policy>,
    /// Index into the policy's routes.
    route: usize,
}

/// Where a denied ask had got to: what the ledger may say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedAt {
    pub policy: PolicyRef,
    /// The route's template, never the path itself.
    pub route: Arc<str>,
    pub area: Option<Wilayah>,
}

/// Policy's no. The text names no part of the request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denial {
    #[error("no policy has a route for this path")]
    RouteUnknown,
    #[error("the route does not answer this method")]
    MethodNotAllowed { at: DeniedAt, allowed: Vec<Method> },
    #[error("the route does not know one of the parameters")]
    ParameterUnknown { at: DeniedAt },
    #[error("a parameter's value is not of its type or lies outside the asked area")]
    ParameterValue { at: DeniedAt },
    #[error("the parameter that names the area is missing")]
    AreaMissing { at: DeniedAt },
    #[error("the asked area is not an area code")]
    AreaMalformed { at: DeniedAt },
    #[error("the policy has no rule for this role at this level")]
    RoleWithoutRule { at: DeniedAt },
    #[error("the party takes part in another election than the policy's")]
    ElectionMismatch { at: DeniedAt },
    #[error("the asked area lies outside the mandate or above its level")]
    AreaOutsideScope { at: DeniedAt },
    #[error("the policy is not valid yet")]
    PolicyNotYetValid { at: DeniedAt },
    #[error("the policy is no longer valid")]
    PolicyExpired { at: DeniedAt },
}

impl Denial {
    /// A word for the requester and the ledger that stays the same when the wording changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RouteUnknown => "route_unknown",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::ParameterUnknown { .. } => "parameter_unknown",
            Self::ParameterValue { .. } => "parameter_value",
            Self::AreaMissing { .. } => "area_missing",
            Self::AreaMalformed { .. } => "area_malformed",
            Self::RoleWithoutRule { .. } => "role_without_rule",
            Self::ElectionMismatch { .. } => "election_mismatch",
            Self::AreaOutsideScope { .. } => "area_outside_scope",
            Self::PolicyNotYetValid { .. } => "policy_not_yet_valid",
            Self::PolicyExpired { .. } => "policy_expired",
        }
    }

    /// Everything known of the place, but for an unknown route.
    pub fn at(&self) -> Option<&DeniedAt> {
        match self {
            Self::RouteUnknown => None,
            Self::MethodNotAllowed { at, .. }
            | Self::ParameterUnknown { at }
            | Self::ParameterValue { at }
            | Self::AreaMissing { at }
            | Self::AreaMalformed { at }
            | Self::RoleWithoutRule { at }
            | Self::ElectionMismatch { at }
            | Self::AreaOutsideScope { at }
            | Self::PolicyNotYetValid { at }
            | Self::PolicyExpired { at } => Some(at),
        }
    }

    pub fn route_template(&self) -> Option<&str> {
        self.at().map(|at| at.route.as_ref())
    }

    pub fn area(&self) -> Option<Wilayah> {
        self.at().and_then(|at| at.area)
    }

    pub fn policy(&self) -> Option<&PolicyRef> {
        self.at().map(|at| &at.policy)
    }
}

impl Grant {
    pub fn requester(&self) -> &Requester {
        &self.requester
    }

    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// The area asked for, inside the requester's scope.
    pub fn area(&self) -> Wilayah {
        self.area
    }

    pub fn plan(&self) -> &MaskPlan {
        &self.plan
    }

    /// Essences of the media types that the source may give its body.
    pub fn media_types(&self) -> &[String] {
        self.route().media_types()
    }

    pub fn policy(&self) -> &PolicyRef {
        self.policy.reference()
    }

    pub fn determination(&self) -> &Determination {
        self.policy.determination()
    }

    pub fn legal_basis(&self) -> &str {
        self.policy.legal_basis()
    }

    pub fn route_template(&self) -> &str {
        self.route().template()
    }

    /// The copy's fields and what was done to each, as the ledger holds them: (`usia`, `age(2024-02-14)`).
    /// Dropped fields are not among them.
    pub fn given(&self) -> Vec<(FieldName, String)> {
        let left = self.plan.fields.iter().filter(|rule| rule.action != Action::Drop);
        left.map(|rule| (rule.emitted().clone(), rule.action.to_string())).collect()
    }

    fn route(&self) -> &Route {
        &self.policy.routes()[self.route]
    }
}

impl PolicySet {
    /// Decides one ask at one time. Everything that no policy allows by name is denied.
    pub fn decide(&self, requester: Requester, ask: Ask, now_unix_s: u64) -> Result<Grant, Denial> {
        let (policy, index, area_in_path) = self.find_route(&ask)?;
        let route = &policy.routes()[index];
        let at = |area| DeniedAt { policy: policy.reference().clone(), route: route.template().into(), area };
        if !route.methods.contains(&ask.method()) {
            return Err(Denial::MethodNotAllowed { at: at(None), allowed: route.methods.clone() });
        }
        let area = match (area_in_path, route.wilayah_parameter()) {
            (PathArea::Malformed, _) => return Err(Denial::AreaMalformed { at: at(None) }),
            (PathArea::Text(text), _) => text.parse::<Wilayah>(),
            (PathArea::None, name) => {
                let text = name.and_then(|name| ask.parameter(name));
                text.ok_or_else(|| Denial::AreaMissing { at: at(None) })?.parse()
            }
        };
        let area = area.map_err(|_| Denial::AreaMalformed { at: at(None) })?;
        let at = || at(Some(area));
        for (name, value) in ask.parameters() {
            if route.wilayah_parameter() == Some(name) {
                continue;
            }
            let known = route.parameters.iter().find(|(known, _)| known == name);
            let (_, kind) = known.ok_or_else(|| Denial::ParameterUnknown { at: at() })?;
            if !kind.accepts(value, &area) {
                return Err(Denial::ParameterValue { at: at() });
            }
        }
        let today = day_in_wib(now_unix_s);
        if today < policy.valid.from {
            return Err(Denial::PolicyNotYetValid { at: at() });
        }
        if today > policy.valid.until {
            return Err(Denial::PolicyExpired { at: at() });
        }
        let other_election = |party: &Party| party.election != policy.determination().election;
        if requester.party.as_ref().is_some_and(other_election) {
            return Err(Denial::ElectionMismatch { at: at() });
        }
        let level = requester.scope.level;
        let rule = policy.role(&requester.role, level).ok_or_else(|| Denial::RoleWithoutRule { at: at() })?;
        // A kecamatan's mandate does not reach its kabupaten, even were the kabupaten in the list.
        if area.level() < level || !requester.scope.covers(&area) {
            return Err(Denial::AreaOutsideScope { at: at() });
        }
        let plan = MaskPlan {
            format: route.format.clone(),
            fields: rule.fields.clone(),
            row_area: RowArea { field: route.row_area.clone(), within: area },
        };
        Ok(Grant { requester, ask, area, plan, policy: Arc::clone(policy), route: index })
    }

    /// The one route that answers the path. Where none does but for a malformed area, that route, so that the
    /// requester learns what is wrong.
    fn find_route<'a>(&self, ask: &'a Ask) -> Result<(&Arc<Policy>, usize, PathArea<'a>), Denial> {
        let mut near = None;
        for policy in self.shared() {
            for (index, route) in policy.routes().iter().enumerate() {
                match route.template.read_path(ask.segments()) {
                    Match::Yes(Some(text)) => return Ok((policy, index, PathArea::Text(text))),
                    Match::Yes(None) => return Ok((policy, index, PathArea::None)),
                    Match::Malformed if near.is_none() => near = Some((policy, index, PathArea::Malformed)),
                    Match::Malformed | Match::No => {}
                }
            }
        }
        near.ok_or(Denial::RouteUnknown)
    }
}

/// What the path says of the area.
enum PathArea<'a> {
    None,
    Malformed,
    Text(&'a str),
}

impl ParameterKind {
    fn accepts(self, value: &str, area: &Wilayah) -> bool {
        match self {
            Self::Wilayah => value.parse().is_ok_and(|inner: Wilayah| area.contains(&inner)),
            Self::Tps => value.parse().is_ok_and(|tps: Tps| area.contains_tps(&tps)),
            Self::Number => (1..=9).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit()),
        }
    }
}

/// A time that no calendar holds lies after every policy.
fn day_in_wib(unix_s: u64) -> Date {
    let time = i64::try_from(unix_s).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or(Date::MAX, |time| WIB.to_datetime(time).date())
}
