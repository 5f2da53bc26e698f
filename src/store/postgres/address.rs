//! Where a server is and how it may be spoken to: `postgres://salinan@db.example:5432/ledger`.
//!
//! A password never stands in an address, and what leaves this machine leaves by TLS: there is no mode that falls
//! back to plain text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

const PORT: u16 = 5_432;

/// Why an address is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("it does not begin with `postgres://`")]
    Scheme,
    #[error("it names no user")]
    User,
    #[error("a password stands in it, which belongs in a file")]
    Password,
    #[error("it names no host")]
    Host,
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error("it names no database")]
    Database,
    #[error("after `?` only `sslmode` and `host` may stand, each once")]
    Parameter,
    #[error("`sslmode` is `verify-full` or `disable`, nothing in between")]
    Mode,
    #[error("`sslmode=disable` is for this machine alone")]
    Plain,
}

/// A server, a database of it, and the role to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub user: String,
    /// A name or an IP address; or a folder that holds the server's socket.
    pub host: String,
    pub port: u16,
    pub database: String,
    /// Whether to speak by TLS and check who answers. Without it the server is on this machine.
    pub is_verified: bool,
}

impl Address {
    /// Whether the host is a folder with the server's socket.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or(AddressError::Scheme)?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (server, database) = rest.split_once('/').ok_or(AddressError::Database)?;
        let (user, server) = server.rsplit_once('@').ok_or(AddressError::User)?;
        if user.contains(':') {
            return Err(AddressError::Password);
        }
        if !is_word(user) {
            return Err(AddressError::User);
        }
        if !is_word(database) {
            return Err(AddressError::Database);
        }
        let (mut host, port) = split_port(server)?;
        let mut mode = None;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) if mode.is_none() => mode = Some(value),
                Some(("host", folder)) if host.is_empty() && folder.starts_with('/') => host = folder,
                _ => return Err(AddressError::Parameter),
            }
        }
        if host.is_empty() || host.contains('%') {
            return Err(AddressError::Host);
        }
        let is_here = host.starts_with('/')
            || host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_verified = match mode {
            None => !is_here,
            Some("verify-full") => true,
            Some("disable") if is_here => false,
            Some("disable") => return Err(AddressError::Plain),
            Some(_) => return Err(AddressError::Mode),
        };
        if is_verified && host.starts_with('/') {
            return Err(AddressError::Mode);
        }
        Ok(Self {
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            database: database.to_owned(),
            is_verified,
        })
    }
}

/// `name`, `name:5432`, `[::1]` or `[::1]:5432`.
fn split_port(server: &str) -> Result<(&str, u16), AddressError> {
    let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(AddressError::Host)?)),
        None => server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| AddressError::Port))?;
    if port == 0 { Err(AddressError::Port) } else { Ok((host, port)) }
}

/// A name that means the same whether or not one undoes percent escapes.
fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, database, .. } = self;
        if self.is_socket() {
            write!(f, "postgres://{user}@:{port}/{database}?host={host}")
        } else if host.contains(':') {
            write!(f, "postgres://{user}@[{host}]:{port}/{database}")
        } else {
            write!(f, "postgres://{user}@{host}:{port}/{database}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_this_machine_is_never_plain() {
        let cases = [
            ("postgres://salinan@db.example/ledger", Ok(true)),
            ("postgres://salinan@db.example:6432/ledger?sslmode=verify-full", Ok(true)),
            ("postgres://salinan@192.0.2.7/ledger", Ok(true)),
            ("postgres://salinan@[2001:db8::7]:5432/ledger", Ok(true)),
            ("postgres://salinan@db.example/ledger?sslmode=disable", Err(AddressError::Plain)),
            ("postgres://salinan@192.0.2.7/ledger?sslmode=disable", Err(AddressError::Plain)),
            ("postgres://salinan@localhost.example/ledger?sslmode=disable", Err(AddressError::Plain)),
            ("postgres://salinan@db.example/ledger?sslmode=prefer", Err(AddressError::Mode)),
            ("postgres://salinan@db.example/ledger?sslmode=require", Err(AddressError::Mode)),
            ("postgres://salinan@localhost/ledger?sslmode=prefer", Err(AddressError::Mode)),
            ("postgres://salinan@localhost/ledger", Ok(false)),
            ("postgres://salinan@localhost/ledger?sslmode=verify-full", Ok(true)),
            ("postgres://salinan@127.0.0.1:5433/ledger?sslmode=disable", Ok(false)),
            ("postgresql://salinan@[::1]/ledger", Ok(false)),
            ("postgres://salinan@/ledger?host=/run/postgresql", Ok(false)),
            ("postgres://salinan@/ledger?host=/run/postgresql&sslmode=verify-full", Err(AddressError::Mode)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>().map(|address| address.is_verified), expected, "{text}");
        }
    }

    #[test]
    fn an_address_names_everything_once_and_no_password() {
        let cases = [
            ("mysql://salinan@localhost/ledger", AddressError::Scheme),
            ("ledger.sqlite", AddressError::Scheme),
            ("postgres://localhost/ledger", AddressError::User),
            ("postgres://@localhost/ledger", AddressError::User),
            ("postgres://salinan:secret@localhost/ledger", AddressError::Password),
            ("postgres://sal%69nan@localhost/ledger", AddressError::User),
            ("postgres://salinan@localhost", AddressError::Database),
            ("postgres://salinan@localhost/", AddressError::Database),
            ("postgres://salinan@localhost/a/b", AddressError::Database),
            ("postgres://salinan@/ledger", AddressError::Host),
            ("postgres://salinan@local%68ost/ledger", AddressError::Host),
            ("postgres://salinan@localhost:0/ledger", AddressError::Port),
            ("postgres://salinan@localhost:x/ledger", AddressError::Port),
            ("postgres://salinan@localhost/ledger?options=-c", AddressError::Parameter),
            ("postgres://salinan@localhost/ledger?host=/run", AddressError::Parameter),
            ("postgres://salinan@/ledger?host=other.example", AddressError::Parameter),
            ("postgres://salinan@localhost/l?sslmode=disable&sslmode=disable", AddressError::Parameter),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
        }
        for text in [
            "postgres://salinan@db.example:5432/ledger",
            "postgres://salinan@[::1]:5433/ledger",
            "postgres://salinan@:5432/ledger?host=/run/postgresql",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }
}
