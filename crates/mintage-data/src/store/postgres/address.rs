//! Addresses of servers, `postgres://user:password@host:port/database?sslmode=…`, read as libpq reads them.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr, time::Duration};

use ::postgres::{
    Config,
    config::{Host, SslMode as Negotiation},
};

use super::secrets::{decoded, redacted, split_params};
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
    /// Passwords that addresses came with, by the address without it.
    pub known: BTreeMap<String, String>,
    /// Whether `password` is for `host` alone: where an address did not come from whoever starts the program.
    pub only_own_host: bool,
}

/// Without passwords.
impl fmt::Debug for PgDefaults {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { host, port, user, password, database, sslmode, sslrootcert, known, only_own_host } = self;
        f.debug_struct("PgDefaults")
            .field("host", host)
            .field("port", port)
            .field("user", user)
            .field("password", &password.as_ref().map(|_| "…"))
            .field("database", database)
            .field("sslmode", sslmode)
            .field("sslrootcert", sslrootcert)
            .field("known", &known.keys())
            .field("only_own_host", only_own_host)
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
    /// Parses the address of a server; what it leaves open comes from `defaults`.
    ///
    /// # Errors
    /// The address is malformed, names no user where `defaults` has none either, or the port or the `sslmode` is not
    /// valid.
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
        fill(&mut config, source, defaults)?;
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

    /// How long connecting may take in all.
    pub fn patience(&self) -> Duration {
        self.config.get_connect_timeout().copied().filter(|time| !time.is_zero()).unwrap_or(CONNECT_TIMEOUT)
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
/// How long a server may take to answer a greeting, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what is sent may stay without an answer of the other machine.
const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(60);
/// Where Debian's server listens for programs of the same machine.
const SOCKETS: &str = "/var/run/postgresql";

/// Adds what the address leaves open.
fn fill(config: &mut Config, source: &str, defaults: &PgDefaults) -> Result<(), Error> {
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
    if config.get_password().is_none()
        && let Some(password) = defaults.known.get(source).or_else(|| meant_for(config, defaults))
    {
        config.password(password);
    }
    if let Some(database) = defaults.database.as_ref().filter(|_| config.get_dbname().is_none()) {
        config.dbname(database);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    // A server that has gone without a word is noticed within two minutes.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNANSWERED_TIMEOUT);
    }
    config
        .keepalives(true)
        .keepalives_idle(UNANSWERED_TIMEOUT / 4)
        .keepalives_interval(UNANSWERED_TIMEOUT / 8)
        .keepalives_retries(4);
    if config.get_application_name().is_none() {
        config.application_name("mintage");
    }
    Ok(())
}

/// PGPASSWORD, where it is meant for the server that `config` names: for PGHOST, and for any other one only where there
/// is no PGHOST and the address is the user's own.
fn meant_for<'a>(config: &Config, defaults: &'a PgDefaults) -> Option<&'a String> {
    let is_own = |host: &Host| match (host, &defaults.host) {
        (_, None) => !defaults.only_own_host,
        (Host::Tcp(name), Some(own)) => name.eq_ignore_ascii_case(own),
        #[cfg(unix)]
        (Host::Unix(path), Some(own)) => path == Path::new(own),
    };
    defaults.password.as_ref().filter(|_| config.get_hosts().iter().all(is_own))
}

/// The password in an address, if there is one.
pub fn password_of(source: &str) -> Option<String> {
    let any_user = PgDefaults { user: Some("anyone".to_owned()), ..PgDefaults::default() };
    let address = source.starts_with("postgres").then(|| Address::parse(source, &any_user).ok())??;
    address.config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
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
            ..PgDefaults::default()
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
    fn a_password_goes_to_its_own_host_alone() {
        let password = |source: &str, defaults: &PgDefaults| {
            let address = Address::parse(source, defaults).unwrap();
            address.config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let mut defaults = PgDefaults { password: Some("geheim".into()), ..PgDefaults::default() };
        assert_eq!(password("postgres://u@anywhere/d", &defaults).as_deref(), Some("geheim"));
        defaults.only_own_host = true;
        assert_eq!(password("postgres://u@stranger/d", &defaults), None);
        defaults.host = Some("db.example".into());
        assert_eq!(password("postgres://u@db.example/d", &defaults).as_deref(), Some("geheim"));
        defaults.only_own_host = false;
        assert_eq!(password("postgres://u@stranger/d", &defaults), None);
        assert_eq!(password("postgres://u@db.example,stranger/d", &defaults), None);
        defaults.known.insert("postgres://u@stranger/d".into(), "its own".into());
        assert_eq!(password("postgres://u@stranger/d", &defaults).as_deref(), Some("its own"));
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
