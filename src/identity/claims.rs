//! The claims of an access token, checked one by one by name, type and form.
//!
//! ```json
//! {"iss": "https://kpu.example", "aud": "salinan", "sub": "saksi-7", "client_id": "partai-7",
//!  "jti": "0197..", "iat": 1750000000, "exp": 1750003600, "role": "partai",
//!  "party": {"election": "pemilu-2024", "number": 7}, "level": "kabkota", "wilayah": ["9901"],
//!  "mandate": "015/SM/VI/2023"}
//! ```
//!
//! Times are whole seconds. `null` is not the same as absent. What goes into the ledger (subject, client,
//! token, mandate, election) may not hold a run of 16 digits: a NIK used as a user name must not reach a
//! record that can never be changed. Claims not named here are passed over, but for `cnf`, which binds the token to its
//! bearer ([`Binding`]).

use serde_json::{Map, Value};

use crate::domain::{Level, Party, Role, Scope, Wilayah};

use super::binding::Binding;
use super::error::IdentityError;
use super::requester::Requester;
use super::verify::IssuerOptions;

/// Most areas in one token, and longest name, in bytes.
const WILAYAH_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;
const ELECTION_BYTES_MAX: usize = 64;
/// Digits of a NIK or NKK.
const PERSONAL_DIGITS: usize = 16;
const UUID_BYTES: usize = 36;
/// The role that acts for a party, and so must name the party and its mandate.
const PARTAI: &str = "partai";
/// The role that reads the ledger alone, and so needs no area.
const AUDITOR: &str = "auditor";

type Claims = Map<String, Value>;

/// The caller's time, and how far the clocks of issuer and proxy may differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) unix_s: u64,
    pub(super) leeway_s: u64,
}

impl Now {
    pub(super) fn is_reached(self, from_s: u64) -> bool {
        from_s <= self.unix_s.saturating_add(self.leeway_s)
    }

    pub(super) fn is_over(self, until_s: u64) -> bool {
        self.unix_s >= until_s.saturating_add(self.leeway_s)
    }
}

/// The issuer that the claims name. Before the signature is checked it says no more than whose keys to try.
pub(super) fn issuer(claims: &Claims) -> Result<&str, IdentityError> {
    text(claims, "iss")
}

/// Checks every claim. `now` is the caller's time and how far clocks may differ. Gives the requester, and from when on
/// the token is good.
pub(super) fn read(
    claims: &Claims,
    options: &IssuerOptions,
    key_id: &str,
    now: Now,
) -> Result<(Requester, u64), IdentityError> {
    let binding = Binding::read(claims)?;
    if options.bound && binding.is_none() {
        return Err(IdentityError::Unbound);
    }
    check_audience(claims, &options.audience)?;
    let (starts_at_s, expires_at_s) = check_times(claims, options.lifetime_max_s, now)?;
    let role: Role =
        text(claims, "role")?.parse().map_err(|_| IdentityError::ClaimShape { claim: "role" })?;
    let party = claims.get("party").map(read_party).transpose()?;
    let mandate = if claims.contains_key("mandate") { Some(name(claims, "mandate")?) } else { None };
    if role.as_str() == PARTAI {
        if party.is_none() {
            return Err(IdentityError::ClaimMissing { claim: "party" });
        }
        if mandate.is_none() {
            return Err(IdentityError::ClaimMissing { claim: "mandate" });
        }
    }
    let requester = Requester {
        subject: name(claims, "sub")?,
        client_id: name(claims, "client_id")?,
        issuer: options.issuer.clone(),
        token_id: name(claims, "jti")?,
        key_id: key_id.to_owned(),
        scope: read_scope(claims, &role)?,
        role,
        party,
        mandate,
        expires_at_s,
        binding,
    };
    Ok((requester, starts_at_s))
}

fn check_audience(claims: &Claims, audience: &str) -> Result<(), IdentityError> {
    let wrong = IdentityError::ClaimShape { claim: "aud" };
    let named = match present(claims, "aud")? {
        Value::String(one) => one == audience,
        Value::Array(all) if !all.is_empty() && all.iter().all(Value::is_string) => {
            all.iter().any(|one| one == audience)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(wrong);
        }
    };
    if named { Ok(()) } else { Err(IdentityError::Audience) }
}

/// Gives the times between which the token is good.
fn check_times(claims: &Claims, lifetime_max_s: u64, now: Now) -> Result<(u64, u64), IdentityError> {
    let (issued, expires) = (seconds(claims, "iat")?, seconds(claims, "exp")?);
    let starts = if claims.contains_key("nbf") { seconds(claims, "nbf")? } else { issued };
    for (claim, from) in [("iat", issued), ("nbf", starts)] {
        if !now.is_reached(from) {
            return Err(IdentityError::Future { claim });
        }
    }
    if expires <= issued || expires - issued > lifetime_max_s {
        return Err(IdentityError::Lifetime { limit_s: lifetime_max_s });
    }
    if now.is_over(expires) {
        return Err(IdentityError::Expired { ago_s: now.unix_s - expires });
    }
    Ok((starts.max(issued), expires))
}

fn read_scope(claims: &Claims, role: &Role) -> Result<Scope, IdentityError> {
    let level = text(claims, "level")?;
    let level = Level::ALL.into_iter().find(|known| known.as_str() == level);
    let level = level.ok_or(IdentityError::ClaimShape { claim: "level" })?;
    let wrong = IdentityError::ClaimShape { claim: "wilayah" };
    let codes = present(claims, "wilayah")?.as_array().ok_or(wrong)?;
    if codes.len() > WILAYAH_MAX || (codes.is_empty() && role.as_str() != AUDITOR) {
        return Err(IdentityError::AreaCount { limit: WILAYAH_MAX });
    }
    let mut wilayah = Vec::with_capacity(codes.len());
    for code in codes {
        let area: Wilayah = code.as_str().and_then(|code| code.parse().ok()).ok_or(wrong)?;
        if area.level() != level_of_areas(level) {
            return Err(IdentityError::AreaLevel);
        }
        wilayah.push(area);
    }
    Ok(Scope { level, wilayah })
}

/// The country has no code of its own: a token at national level lists provinces.
fn level_of_areas(level: Level) -> Level {
    match level {
        Level::Nasional | Level::Provinsi => Level::Provinsi,
        Level::Kabkota => Level::Kabkota,
        Level::Kecamatan => Level::Kecamatan,
        Level::Desa => Level::Desa,
    }
}

fn read_party(claim: &Value) -> Result<Party, IdentityError> {
    let wrong = IdentityError::ClaimShape { claim: "party" };
    let members = claim.as_object().filter(|members| members.len() == 2).ok_or(wrong)?;
    let election = members.get("election").and_then(Value::as_str).ok_or(wrong)?;
    let number = members.get("number").and_then(Value::as_u64).ok_or(wrong)?;
    let number = u16::try_from(number).ok().filter(|&number| number > 0).ok_or(wrong)?;
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if !(1..=ELECTION_BYTES_MAX).contains(&election.len()) || !election.bytes().all(is_word) {
        return Err(wrong);
    }
    if holds_personal_number(election) {
        return Err(IdentityError::PersonalNumber { claim: "party" });
    }
    Ok(Party { election: election.to_owned(), number })
}

/// 1 to 128 printable ASCII characters.
pub(super) fn is_name(name: &str) -> bool {
    let is_printable = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (1..=NAME_BYTES_MAX).contains(&name.len()) && is_printable
}

/// A name without a personal number in it.
fn name(claims: &Claims, claim: &'static str) -> Result<String, IdentityError> {
    let name = text(claims, claim)?;
    if !is_name(name) {
        return Err(IdentityError::ClaimShape { claim });
    }
    if holds_personal_number(name) {
        return Err(IdentityError::PersonalNumber { claim });
    }
    Ok(name.to_owned())
}

/// Whether 16 digits follow one another, single separators between them not counted. A UUID at the end, which
/// many issuers use as `sub` and `jti`, is not looked at: by chance some hold that many digits.
fn holds_personal_number(name: &str) -> bool {
    let head = name.len().checked_sub(UUID_BYTES).filter(|&at| uuid::Uuid::try_parse(&name[at..]).is_ok());
    let mut digits = 0;
    let mut after_digit = false;
    for byte in name[..head.unwrap_or(name.len())].bytes() {
        if byte.is_ascii_digit() {
            digits += 1;
            after_digit = true;
        } else if after_digit && !byte.is_ascii_alphanumeric() {
            after_digit = false;
        } else {
            digits = 0;
            after_digit = false;
        }
        if digits >= PERSONAL_DIGITS {
            return true;
        }
    }
    false
}

fn present<'a>(claims: &'a Claims, claim: &'static str) -> Result<&'a Value, IdentityError> {
    claims.get(claim).ok_or(IdentityError::ClaimMissing { claim })
}

fn text<'a>(claims: &'a Claims, claim: &'static str) -> Result<&'a str, IdentityError> {
    present(claims, claim)?.as_str().ok_or(IdentityError::ClaimShape { claim })
}

/// A time in whole seconds since 1970.
fn seconds(claims: &Claims, claim: &'static str) -> Result<u64, IdentityError> {
    present(claims, claim)?.as_u64().ok_or(IdentityError::ClaimShape { claim })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_number_is_found_however_it_is_punctuated() {
        let cases = [
            ("saksi-7", false),
            ("9901014512900003", true),
            ("saksi-9901014512900003", true),
            ("99.0101.451290.0003", true),
            ("990101 451290 0003", true),
            ("990101-451290-0003x", true),
            ("990101451290000", false),
            ("990101451290000x3", false),
            ("123456--7890123456", false),
            ("11111111-2222-3333-4444-555555555555", false),
            ("realm:11111111-2222-3333-4444-555555555555", false),
            ("9901014512900003-11111111-2222-3333-4444-555555555555", true),
            ("11111111222233334444555555555555", true),
            ("015/SM/DPC-7/VI/2023", false),
        ];
        for (name, found) in cases {
            assert_eq!(holds_personal_number(name), found, "{name}");
        }
    }
}
