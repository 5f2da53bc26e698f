//! Decides who gets what: a checked requester and a parsed ask go in, a [`Grant`] or a [`Denial`] comes out.
//!
//! Policies are TOML files, one policy a file (`docs/policy.md`). [`PolicySet::load`] reads and checks all of
//! them and either gives a set without a single known problem or every problem of every file.
//! [`PolicySet::decide`] is the only maker of a [`Grant`], and a release cannot be opened without one.
//!
//! What always holds: what no policy names is denied, be it a route, a method, a parameter, a role or a field.
//! No two routes of a set answer the same path. Nothing here prints or keeps text of a request.
//! Deliberately absent: files are read at [`PolicySet::load`] and at no other time; no clock is read.

mod check;
mod decide;
mod error;
mod extras;
mod format;
mod paths;
mod preview;
mod role;
mod route;
mod set;
mod template;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use serde::Serialize;

use crate::domain::{Determination, Digest, Format, Level, MaskPlan, PolicyLine, Role, RowArea, Wilayah};

pub use decide::{Denial, DeniedAt, Grant};
pub use error::PolicyError;
pub use format::BodyFormat;
pub use preview::PreviewError;
pub use role::RoleRule;
pub use route::{ParameterKind, Route};
pub use set::PolicySet;

/// Name and content of the file that decided: what the ledger holds of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyRef {
    pub name: String,
    /// SHA-256 of the file's bytes, as `sha256sum` prints it.
    pub digest: Digest,
}

/// One checked file.
#[derive(Debug)]
pub struct Policy {
    reference: PolicyRef,
    determination: Determination,
    valid: Validity,
    legal_basis: String,
    approved_by: String,
    routes: Vec<Route>,
    roles: Vec<RoleRule>,
}

/// First and last day, both included, as days of Western Indonesian Time (WIB, UTC+7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub from: Date,
    pub until: Date,
}

impl Policy {
    pub fn reference(&self) -> &PolicyRef {
        &self.reference
    }

    pub fn name(&self) -> &str {
        &self.reference.name
    }

    pub fn digest(&self) -> Digest {
        self.reference.digest
    }

    /// How the record names it.
    pub fn line(&self) -> PolicyLine {
        (self.reference.name.clone(), self.determination.version.clone(), self.reference.digest)
    }

    pub fn determination(&self) -> &Determination {
        &self.determination
    }

    pub fn validity(&self) -> Validity {
        self.valid
    }

    pub fn legal_basis(&self) -> &str {
        &self.legal_basis
    }

    pub fn approved_by(&self) -> &str {
        &self.approved_by
    }

    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub fn roles(&self) -> &[RoleRule] {
        &self.roles
    }

    /// Where the rule for a role at a level stands.
    fn role(&self, role: &Role, level: Level) -> Option<usize> {
        self.roles.iter().position(|rule| rule.role == *role && rule.level == level)
    }

    /// The orders of one rule for one area, for a body that the route takes in this form.
    fn plan(route: &Route, rule: &RoleRule, within: Wilayah, format: Format) -> MaskPlan {
        MaskPlan {
            format,
            fields: rule.fields.clone(),
            row_area: RowArea { field: route.row_area.clone(), within, outside: route.outside },
            kode_ganda: rule.kode_ganda.clone(),
            sweep: rule.sweep.clone(),
        }
    }
}
