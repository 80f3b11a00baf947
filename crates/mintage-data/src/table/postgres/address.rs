//! Addresses of servers, `postgres://user:password@host:port/database?sslmode=…`, read as libpq reads them.

use std::{fmt, path::Path, str::FromStr, time::Duration};

use ::postgres::{
    Config,
    config::{Host, SslMode as Negotiation},
};

use crate::Error;

/// What an address may leave open: the variables PGHOST, PGPORT, … of whoever starts the program.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PgDefaults {
    pub host: Option<String>,
    pub port: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: Option<String>,
    pub sslmode: Option<String>,
    pub sslrootcert: Option<String>,
}

/// Without the password.
impl fmt::Debug for PgDefaults {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { host, port, user, password, database, sslmode, sslrootcert } = self;
        f.debug_struct("PgDefaults")
            .field("host", host)
            .field("port", port)
            .field("user", user)
            .field("password", &password.as_ref().map(|_| "…"))
            .field("database", database)
            .field("sslmode", sslmode)
            .field("sslrootcert", sslrootcert)
            .finish()
    }
}

/// Whether and how the connection is encrypted, and the server's certificate checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    /// Encrypted where the server can.
    Prefer,
    /// Encrypted; the certificate is not looked at.
    Require,
    /// The certificate must come from a known authority.
    VerifyCa,
    /// And be made out to the host.
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(Error::bad("sslmode", "is none that is known")
                .with_hint("it is one of disable, prefer, require, verify-ca and verify-full")),
        }
    }
}

/// Where a server is and how to speak with it.
pub(super) struct Address {
    pub config: Config,
    pub sslmode: SslMode,
    /// A file of certificates; `None` stands for those of the system.
    pub sslrootcert: Option<String>,
}

impl Address {
    pub fn parse(source: &str, defaults: &PgDefaults) -> Result<Self, Error> {
        let bad = || {
            Error::bad(redacted(source), "is no address of a PostgreSQL server").with_hint(
                "write postgres://user@host:port/database, and in names and passwords %40 for @, %2F for /, \
                 %3A for :, %3F for ? and %23 for #",
            )
        };
        let (mut sslmode, mut sslrootcert) = (defaults.sslmode.clone(), defaults.sslrootcert.clone());
        let (address, params) = split_params(source);
        // A second @ is one that belongs to a password: what follows the first would be taken for a host.
        if address.matches('@').count() > 1 {
            return Err(bad());
        }
        let mut others = Vec::new();
        for param in params {
            match param.split_once('=') {
                Some(("sslmode", value)) => sslmode = Some(decoded(value)),
                Some(("sslrootcert", value)) => sslrootcert = Some(decoded(value)),
                _ => others.push(param),
            }
        }
        let mark = if others.is_empty() { "" } else { "?" };
        let mut config: Config = format!("{address}{mark}{}", others.join("&")).parse().map_err(|_| bad())?;
        fill(&mut config, defaults)?;
        let mut sslmode = sslmode.as_deref().unwrap_or("prefer").parse()?;
        if sslmode == SslMode::Require && sslrootcert.is_some() {
            // As libpq does: who names an authority wants it asked.
            sslmode = SslMode::VerifyCa;
        }
        if !matches!(config.get_hosts().first(), Some(Host::Tcp(_))) {
            sslmode = SslMode::Disable;
        }
        config.ssl_mode(match sslmode {
            SslMode::Disable => Negotiation::Disable,
            SslMode::Prefer => Negotiation::Prefer,
            _ => Negotiation::Require,
        });
        Ok(Self { config, sslmode, sslrootcert: sslrootcert.filter(|path| path != "system") })
    }

    /// The address for messages: neither user nor password.
    pub fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres://{host}:{port}/{database}")
    }
}

const DEFAULT_PORT: u16 = 5432;
/// Where Debian's server listens for programs of the same machine.
const SOCKETS: &str = "/var/run/postgresql";

/// Adds what the address leaves open.
fn fill(config: &mut Config, defaults: &PgDefaults) -> Result<(), Error> {
    if config.get_ports().is_empty()
        && let Some(port) = &defaults.port
    {
        let bad = |_| Error::bad("PGPORT", "is no port").with_hint("a port is a number up to 65535");
        config.port(port.parse().map_err(bad)?);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
        let socket = Path::new(SOCKETS).join(format!(".s.PGSQL.{port}")).exists();
        config.host(defaults.host.as_deref().unwrap_or(if socket { SOCKETS } else { "localhost" }));
    }
    if config.get_user().is_none() {
        let missing = || {
            Error::bad("PostgreSQL", "the address names no user")
                .with_hint("write postgres://user@host/database, or set PGUSER")
        };
        config.user(defaults.user.as_deref().ok_or_else(missing)?);
    }
    if let Some(password) = defaults.password.as_ref().filter(|_| config.get_password().is_none()) {
        config.password(password);
    }
    if let Some(database) = defaults.database.as_ref().filter(|_| config.get_dbname().is_none()) {
        config.dbname(database);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(15));
    }
    if config.get_application_name().is_none() {
        config.application_name("mintage");
    }
    Ok(())
}

/// The password in an address, if there is one.
pub fn password_of(source: &str) -> Option<String> {
    let address =
        source.starts_with("postgres").then(|| Address::parse(source, &PgDefaults::default()).ok())??;
    address.config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// An address without its password; anything else as it is.
pub fn redacted(source: &str) -> String {
    let Some((scheme, _)) = source.split_once("://").filter(|(scheme, _)| scheme.starts_with("postgres"))
    else {
        return source.to_owned();
    };
    let (address, mut params) = split_params(source);
    let rest = &address[scheme.len() + 3..];
    let (user, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => (credentials.split(':').next(), place),
        None => (None, rest),
    };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    params.retain(|param| param.split_once('=').is_some_and(|(key, _)| !decoded(key).contains("password")));
    let mark = if params.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{}{mark}{}", without_odd_port(place), params.join("&"))
}

/// What stands before the parameters, and the parameters. A `?` before the last `@` is part of a password.
fn split_params(source: &str) -> (&str, Vec<&str>) {
    let start = source.rfind('@').unwrap_or(0);
    match source[start..].find('?') {
        Some(at) => (&source[..start + at], source[start + at + 1..].split('&').collect()),
        None => (source, Vec::new()),
    }
}

/// "user:secret" without an `@` looks like a host and a port.
fn without_odd_port(place: &str) -> String {
    let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    match authority.rsplit_once(':') {
        Some((host, port))
            if !port.ends_with(']') && !port.bytes().all(|b| b.is_ascii_digit() || b == b',') =>
        {
            format!("{host}{path}")
        }
        _ => place.to_owned(),
    }
}

/// `%40` back into `@`.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fills_what_is_left_open() {
        let defaults = PgDefaults {
            host: Some("db.example".into()),
            port: Some("6543".into()),
            user: Some("anna".into()),
            password: Some("geheim".into()),
            database: Some("shop".into()),
            sslmode: Some("verify-full".into()),
            sslrootcert: Some("system".into()),
        };
        let open = Address::parse("postgres://", &defaults).unwrap();
        assert_eq!(open.place(), "postgres://db.example:6543/shop");
        assert_eq!((open.config.get_user(), open.sslmode), (Some("anna"), SslMode::VerifyFull));
        assert_eq!((open.config.get_password(), &open.sslrootcert), (Some(&b"geheim"[..]), &None));
        let full =
            Address::parse("postgresql://u:p%40%2F@[::1]:1/d?sslmode=require&connect_timeout=3", &defaults)
                .unwrap();
        assert_eq!(full.config.get_password(), Some(&b"p@/"[..]));
        assert_eq!((full.place().as_str(), full.sslmode), ("postgres://::1:1/d", SslMode::VerifyCa));
        assert!(Address::parse("postgres://u@h/d?sslmode=maybe", &defaults).is_err());
        assert!(!format!("{defaults:?}").contains("geheim"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let addresses = [
            "postgres://anna:geheim@host/db",
            "postgres://anna:geheim",
            "postgres://anna:ge@geheim@host/db?sslmode=require",
            "postgres://anna:ge?geheim@host/db",
            "postgres://anna:ge/geheim@host/db",
            "postgres://anna:ge#geheim@host:x/db",
            "postgres://host/db?user=anna&password=geheim",
            "postgresql://host/db?%70assword=geheim",
            "postgres://anna:geheim@host/db?geheim",
        ];
        for address in addresses {
            assert!(!redacted(address).contains("geheim"), "{}", redacted(address));
            if let Err(error) = Address::parse(address, &PgDefaults::default()) {
                assert!(!format!("{error} {error:?}").contains("geheim"), "{error}");
            }
            let spec = crate::SourceSpec { source: address.into(), ..Default::default() };
            assert!(!format!("{spec:?}").contains("geheim"));
        }
        let whole = "postgres://anna@host:5432/db?sslmode=require";
        assert_eq!(redacted("postgres://anna:x@host:5432/db?sslmode=require"), whole);
        assert_eq!(redacted(whole), whole);
        assert_eq!(redacted("shop.db"), "shop.db");
    }
}
