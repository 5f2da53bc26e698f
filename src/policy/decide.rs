//! One requester, one ask: a [`Grant`] or a [`Denial`], and nothing in between.
//!
//! The order of the checks is part of what the ledger means: route, method, area, parameters, then the policy's
//! days, the election, the role, the scope. The first that fails is the reason. Its cases are half of the file, which
//! is one piece so that the order is read beside them.

use std::sync::Arc;

use thiserror::Error;

use super::route::{ParameterKind, Route};
use super::set::PolicySet;
use super::template::Match;
use super::{Policy, PolicyRef, RoleRule};
use crate::domain::{
    Action, Ask, ContentCoding, Determination, Format, KodeGanda, MaskPlan, MediaType, Method, OnTokenEnd,
    Party, RowQuota, Tps, Wilayah, day_in_wib,
};
use crate::identity::Requester;

/// Policy's yes, with its plan. Only [`PolicySet::decide`] makes one.
#[derive(Debug)]
pub struct Grant {
    requester: Requester,
    ask: Ask,
    area: Wilayah,
    policy: Arc<Policy>,
    /// Index into the policy's routes.
    route: usize,
    /// Index into the policy's roles.
    role: usize,
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

    /// The plan for a body that the source calls so.
    pub fn plan(&self, media_type: &MediaType) -> MaskPlan {
        let format = self.route().format.of(media_type);
        Policy::plan(self.route(), self.rule(), self.area, format)
    }

    /// The form of the copy, unless the source's media type decides.
    pub fn format(&self) -> Option<&Format> {
        self.route().format.settled()
    }

    /// Essences of the media types that the source may give its body.
    pub fn media_types(&self) -> &[String] {
        self.route().media_types()
    }

    /// Codings that the copy may leave in when it is asked for in one.
    pub fn codings(&self) -> &[ContentCoding] {
        self.route().codings()
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

    /// How many rows the requester's party may take in a period.
    pub fn quota(&self) -> Option<RowQuota> {
        self.rule().quota
    }

    /// What becomes of the copy when the requester's token ends meanwhile.
    pub fn on_token_end(&self) -> OnTokenEnd {
        self.rule().on_token_end
    }

    pub fn route_template(&self) -> &str {
        self.route().template()
    }

    /// The copy's fields and what was done to each, as the ledger holds them: (`nik`, `mask(6,0)`), or, for one that leaves
    /// under another name, (`usia`, `age(2024-02-14) of tanggal_lahir`).
    /// Dropped fields are not among them.
    pub fn given(&self) -> Vec<(String, String)> {
        let left = self.rule().fields.iter().filter(|rule| rule.action != Action::Drop);
        let told = left.map(|rule| match &rule.emit_as {
            Some(_) => (rule.emitted().to_string(), format!("{} of {}", rule.action, rule.path)),
            None => (rule.path.to_string(), rule.action.to_string()),
        });
        let added =
            self.rule().kode_ganda.iter().map(|added| (KodeGanda::NAME.to_owned(), added.to_string()));
        told.chain(added).collect()
    }

    fn route(&self) -> &Route {
        &self.policy.routes()[self.route]
    }

    fn rule(&self) -> &RoleRule {
        &self.policy.roles()[self.role]
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
        let today = day_in_wib(now_unix_s.saturating_mul(1_000));
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
        let role = policy.role(&requester.role, level).ok_or_else(|| Denial::RoleWithoutRule { at: at() })?;
        // A kecamatan's mandate does not reach its kabupaten, even were the kabupaten in the list.
        if area.level() < level || !requester.scope.covers(&area) {
            return Err(Denial::AreaOutsideScope { at: at() });
        }
        Ok(Grant { requester, ask, area, policy: Arc::clone(policy), route: index, role })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Level, Scope};

    /// 2023-07-01 12:00 in WIB.
    const NOON_S: u64 = 1_688_187_600;

    const POLICY: &str = r#"
[policy]
name = "contoh"
dataset = "dpt"
election = "pemilu-2024"
stage = "dpt"
version = "1"
valid_from = 2023-06-21
valid_until = 2024-12-31
legal_basis = "UU 7/2017"
approved_by = "KPU Contoh"

[[route]]
path = "/dpt/{wilayah}.csv"
methods = ["GET"]
format = "csv"
media_types = ["text/csv"]
row_area = "kode_tps"
[route.parameters]
tps = "tps"
kelurahan = "wilayah"
halaman = "number"

[[route]]
path = "/dpt"
methods = ["GET", "HEAD"]
wilayah_parameter = "wilayah"
format = "ndjson"
media_types = ["application/x-ndjson"]
row_area = "kode_tps"

[[role]]
role = "partai"
level = "kabkota"
kode_ganda = { of = "nik" }
[role.fields]
nik = { action = "mask", first = 6 }
tanggal_lahir = { action = "age", at = 2024-02-14, as = "usia" }
alamat = "drop"

[[role]]
role = "partai"
level = "kecamatan"
[role.fields]
nama = "keep"

[[role]]
role = "kpu"
level = "nasional"
[role.fields]
nama = "keep"
"#;

    fn set() -> PolicySet {
        set_of(POLICY)
    }

    fn set_of(policy: &str) -> PolicySet {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contoh.toml");
        std::fs::write(&path, policy).unwrap();
        PolicySet::load(&[path]).unwrap()
    }

    fn requester(role: &str, level: Level, areas: &[&str], election: Option<&str>) -> Requester {
        Requester {
            subject: "saksi-1".to_owned(),
            client_id: "partai-7".to_owned(),
            issuer: "https://kpu.example".to_owned(),
            token_id: "t-1".to_owned(),
            key_id: "k-1".to_owned(),
            role: role.parse().unwrap(),
            party: election.map(|election| Party { election: election.to_owned(), number: 7 }),
            scope: Scope { level, wilayah: areas.iter().map(|area| area.parse().unwrap()).collect() },
            mandate: None,
            expires_at_s: NOON_S + 60,
            binding: None,
        }
    }

    fn party() -> Requester {
        requester("partai", Level::Kabkota, &["9901"], Some("pemilu-2024"))
    }

    fn ask(line: &str) -> Ask {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Ask::read(method, path, query).unwrap()
    }

    fn outcome(decided: &Result<Grant, Denial>) -> (&str, Option<&str>) {
        match decided {
            Ok(grant) => (grant.route_template(), Some(grant.area.as_str())),
            Err(denial) => (denial.code(), None),
        }
    }

    #[test]
    fn what_is_asked_decides() {
        let set = set();
        let csv = "/dpt/{wilayah}.csv";
        let cases = [
            ("GET /dpt/9901.csv", csv, Some("9901")),
            ("GET /dpt/99.01.csv", csv, Some("9901")),
            ("GET /dpt/990101.csv", csv, Some("990101")),
            ("GET /dpt/9901.CSV", "route_unknown", None),
            ("GET /dpt/9901.json", "route_unknown", None),
            ("GET /dpt/9901.csv/x", "route_unknown", None),
            ("HEAD /dpt/9901.csv", "method_not_allowed", None),
            ("HEAD /dpt?wilayah=9901", "/dpt", Some("9901")),
            ("GET /dpt?wilayah=9901", "/dpt", Some("9901")),
            ("GET /dpt", "area_missing", None),
            ("GET /dpt?Wilayah=9901", "area_missing", None),
            ("GET /dpt?wilayah=", "area_malformed", None),
            ("GET /dpt?wilayah=990", "area_malformed", None),
            ("GET /dpt?wilayah=9901011001001", "area_malformed", None),
            ("GET /dpt/990.csv", "area_malformed", None),
            ("GET /dpt/x9901.csv", "area_malformed", None),
            ("GET /dpt/9901..csv", "area_malformed", None),
            ("GET /dpt/9901014512900003.csv", "area_malformed", None),
            ("GET /dpt/9901.csv?tps=9901011001001&halaman=2", csv, Some("9901")),
            ("GET /dpt/9901.csv?tps=9902011001001", "parameter_value", None),
            ("GET /dpt/9901.csv?tps=9901", "parameter_value", None),
            ("GET /dpt/9901.csv?kelurahan=9901011001", csv, Some("9901")),
            ("GET /dpt/9901.csv?kelurahan=99", "parameter_value", None),
            ("GET /dpt/990101.csv?kelurahan=9901", "parameter_value", None),
            ("GET /dpt/9901.csv?halaman=", "parameter_value", None),
            ("GET /dpt/9901.csv?halaman=-1", "parameter_value", None),
            ("GET /dpt/9901.csv?halaman=9901014512900003", "parameter_value", None),
            ("GET /dpt/9901.csv?nik=990101", "parameter_unknown", None),
            ("GET /dpt/9901.csv?TPS=9901011001001", "parameter_unknown", None),
            ("GET /dpt?wilayah=9901&tps=9901011001001", "parameter_unknown", None),
            ("GET /dpt/9902.csv", "area_outside_scope", None),
            ("GET /dpt/99.csv", "area_outside_scope", None),
        ];
        for (line, expected, area) in cases {
            let decided = set.decide(party(), ask(line), NOON_S);
            assert_eq!(outcome(&decided), (expected, area), "{line}");
        }
    }

    #[test]
    fn who_asks_decides() {
        use Level::{Desa, Kabkota, Kecamatan, Nasional, Provinsi};
        let set = set();
        let now = Some("pemilu-2024");
        let cases = [
            (
                "a party in its kecamatan",
                requester("partai", Kecamatan, &["990101"], now),
                "990101",
                "granted",
            ),
            (
                "another kecamatan",
                requester("partai", Kecamatan, &["990102"], now),
                "990101",
                "area_outside_scope",
            ),
            (
                "the kabupaten above",
                requester("partai", Kecamatan, &["990101"], now),
                "9901",
                "area_outside_scope",
            ),
            (
                "a list above the level",
                requester("partai", Kecamatan, &["9901"], now),
                "9901",
                "area_outside_scope",
            ),
            ("inside such a list", requester("partai", Kecamatan, &["9901"], now), "990101", "granted"),
            ("one of two areas", requester("partai", Kabkota, &["9902", "9901"], now), "9901", "granted"),
            ("no area", requester("partai", Kabkota, &[], now), "9901", "area_outside_scope"),
            ("no party", requester("partai", Kabkota, &["9901"], None), "9901", "granted"),
            (
                "another election",
                requester("partai", Kabkota, &["9901"], Some("pemilu-2019")),
                "9901",
                "election_mismatch",
            ),
            (
                "a role without a rule",
                requester("auditor", Kabkota, &["9901"], None),
                "9901",
                "role_without_rule",
            ),
            (
                "a level without a rule",
                requester("partai", Provinsi, &["99"], now),
                "9901",
                "role_without_rule",
            ),
            (
                "a level below",
                requester("partai", Desa, &["9901011001"], now),
                "9901011001",
                "role_without_rule",
            ),
            ("the whole country in parts", requester("kpu", Nasional, &["98", "99"], None), "99", "granted"),
        ];
        for (name, requester, area, expected) in cases {
            let decided = set.decide(requester, ask(&format!("GET /dpt/{area}.csv")), NOON_S);
            let code = decided.as_ref().map_or_else(Denial::code, |_| "granted");
            assert_eq!(code, expected, "{name}");
        }
    }

    #[test]
    fn days_begin_at_midnight_in_western_indonesia() {
        let set = set();
        let cases = [
            ("2023-06-20 23:59:59 WIB", 1_687_280_399, "policy_not_yet_valid"),
            ("2023-06-21 00:00:00 WIB", 1_687_280_400, "granted"),
            ("2024-12-31 23:59:59 WIB", 1_735_664_399, "granted"),
            ("2025-01-01 00:00:00 WIB", 1_735_664_400, "policy_expired"),
            ("1970", 0, "policy_not_yet_valid"),
            ("no calendar", u64::MAX, "policy_expired"),
        ];
        for (name, now_s, expected) in cases {
            let decided = set.decide(party(), ask("GET /dpt/9901.csv"), now_s);
            assert_eq!(decided.as_ref().map_or_else(Denial::code, |_| "granted"), expected, "{name}");
        }
    }

    #[test]
    fn a_grant_holds_all_that_the_release_and_the_ledger_need() {
        let set = set();
        let grant = set.decide(party(), ask("GET /dpt/990101.csv?halaman=2"), NOON_S).unwrap();
        let given: Vec<String> =
            grant.given().iter().map(|(name, action)| format!("{name} {action}")).collect();
        let expected =
            ["nik mask(6,0)", "usia age(2024-02-14) of tanggal_lahir", "kode_ganda kode_ganda(nik)"];
        assert_eq!(given, expected);
        let plan = grant.plan(&MediaType::read("text/csv").unwrap());
        assert_eq!(plan.fields.len(), 3, "a dropped field is an order too");
        assert_eq!(plan.row_area.within.as_str(), "990101");
        assert_eq!(plan.row_area.field.as_str(), "kode_tps");
        assert_eq!(grant.media_types(), ["text/csv"]);
        assert_eq!(grant.policy().name, "contoh");
        assert_eq!(grant.policy().digest, crate::domain::Digest::of(POLICY.as_bytes()));
        assert_eq!(grant.determination().election, "pemilu-2024");
        assert_eq!(grant.legal_basis(), "UU 7/2017");
        assert_eq!(grant.ask().path_and_query(), "/dpt/990101.csv?halaman=2");
        assert_eq!(grant.requester().subject, "saksi-1");
    }

    #[test]
    fn the_delimiter_is_the_policys_or_else_what_the_media_type_says() {
        let cases: [(&str, &str, Option<u8>, &[(&str, u8)]); 6] = [
            ("", r#"["text/csv"]"#, Some(b','), &[("text/csv; charset=utf-8", b',')]),
            ("", r#"["text/tab-separated-values"]"#, Some(b'\t'), &[("text/tab-separated-values", b'\t')]),
            (
                "",
                r#"["text/csv", "text/tab-separated-values", "text/plain"]"#,
                None,
                &[("text/csv", b','), ("TEXT/Tab-Separated-Values", b'\t'), ("text/plain", b',')],
            ),
            ("delimiter = \";\"", r#"["text/csv"]"#, Some(b';'), &[("text/csv", b';')]),
            (
                "delimiter = \";\"",
                r#"["text/csv", "text/tab-separated-values"]"#,
                Some(b';'),
                &[("text/csv", b';'), ("text/tab-separated-values", b';')],
            ),
            ("delimiter = \"\\t\"", r#"["text/csv"]"#, Some(b'\t'), &[("text/csv", b'\t')]),
        ];
        let delimiter = |format: &Format| match format {
            Format::Csv { delimiter, .. } => Some(*delimiter),
            _ => None,
        };
        for (more, media_types, settled, of) in cases {
            let policy = POLICY.replacen(
                "media_types = [\"text/csv\"]",
                &format!("media_types = {media_types}\n{more}"),
                1,
            );
            let set = set_of(&policy);
            let grant = set.decide(party(), ask("GET /dpt/9901.csv"), NOON_S).unwrap();
            assert_eq!(grant.format().and_then(delimiter), settled, "{more} {media_types}");
            for (media_type, expected) in of {
                let plan = grant.plan(&MediaType::read(media_type).unwrap());
                assert_eq!(delimiter(&plan.format), Some(*expected), "{more} {media_types} {media_type}");
            }
        }
    }

    #[test]
    fn a_denial_knows_its_place_and_repeats_nothing_of_the_request() {
        let set = set();
        let denial = set.decide(party(), ask("GET /dpt/9902.csv"), NOON_S).unwrap_err();
        assert_eq!(denial.route_template(), Some("/dpt/{wilayah}.csv"));
        assert_eq!(denial.area().map(|area| area.as_str().to_owned()).as_deref(), Some("9902"));
        assert_eq!(denial.policy().map(|policy| policy.name.as_str()), Some("contoh"));
        let lines = ["GET /dpt/9901014512900003.csv", "GET /dpt/9901.csv?nik=9901014512900003"];
        for line in lines {
            let denial = set.decide(party(), ask(line), NOON_S).unwrap_err();
            assert!(!format!("{denial} {denial:?}").contains("45129"), "{line}");
        }
        let method = set.decide(party(), ask("HEAD /dpt/9901.csv"), NOON_S).unwrap_err();
        assert!(matches!(method, Denial::MethodNotAllowed { allowed, .. } if allowed == [Method::Get]));
    }

    #[test]
    fn the_shipped_policies_answer_one_url_by_role() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let set = PolicySet::load(&[folder]).unwrap();
        // 2026-11-22
        let now_s = 1_795_305_600;
        let fields = |requester| {
            let grant = set.decide(requester, ask("GET /dpt/990101.csv"), now_s).unwrap();
            grant.given().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            fields(requester("bawaslu", Level::Kabkota, &["9901"], None)),
            ["nama", "jenis_kelamin", "usia", "alamat", "rt", "rw", "keterangan"]
        );
        assert_eq!(
            fields(party()),
            ["nik", "nama", "jenis_kelamin", "usia", "kecamatan", "kelurahan", "tps"]
        );
        let old = set.decide(party(), ask("GET /2018/dpt/9901.csv"), now_s);
        assert_eq!(outcome(&old).0, "election_mismatch");
    }
}
