//! How the engine connects, and what it demands of the server. Must not connect.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::store::{Durability, StoreSettings, Tls};

/// Keepalives and how long what was sent may stay without an answer: a half-open connection is known within 5 s.
const UNANSWERED: Duration = Duration::from_secs(5);

/// How a store in a database opens.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// The address of the database, with user and password: a secret.
    pub url: SecretString,
    /// The schema that holds the tables.
    pub schema: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Certificates of authorities beside the usual ones, as PEM; may be empty.
    pub authorities: String,
    /// What is demanded of the server.
    pub durability: Durability,
    /// How long an append may take before it is given up.
    pub append_deadline: Duration,
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// How long a call that was claimed may be on its way.
    pub call_lasts: Duration,
    /// Slots and claims are measured by the clock of the database; a test with a clock of its own measures by that.
    pub by_database_clock: bool,
    /// How this node is called among others.
    pub node: String,
    /// Where the store stops.
    pub limits: StoreSettings,
}

/// Why the settings are not enough to connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsProblem {
    /// The address can't be read.
    #[error("it is no address of a database, like `postgres://user:password@host/database`")]
    Url,
    /// No protection is asked for on the way to another machine.
    #[error("`tls = \"off\"` is for a socket or a loopback address alone")]
    Plain,
    /// The schema is no plain name.
    #[error("the schema must be a name of lower-case letters, digits and `_`")]
    Schema,
    /// The certificates can't be read.
    #[error("the file holds no certificates in PEM form")]
    Authorities,
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

/// Whether a name of a schema needs no quotes.
fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && name.len() <= 60
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

impl PostgresSettings {
    /// The address as the library takes it, checked: one for each server that it names. Each is tried by itself, since one that
    /// takes connections and answers nothing must not keep the others from being asked.
    ///
    /// # Errors
    /// Says what is wrong, without the address.
    pub fn targets(&self) -> Result<Vec<Config>, SettingsProblem> {
        let whole = self.target()?;
        let (hosts, addresses, ports) = (whole.get_hosts(), whole.get_hostaddrs(), whole.get_ports());
        let servers = hosts.len().max(addresses.len());
        Ok((0..servers)
            .map(|nth| {
                let mut one = of_no_server(&whole);
                match hosts.get(nth) {
                    Some(Host::Tcp(name)) => _ = one.host(name),
                    #[cfg(unix)]
                    Some(Host::Unix(folder)) => _ = one.host_path(folder),
                    None => {}
                }
                addresses.get(nth).map(|address| one.hostaddr(*address));
                // One port may be that of all.
                ports.get(nth).or(ports.first()).map(|port| one.port(*port));
                one
            })
            .collect())
    }

    fn target(&self) -> Result<Config, SettingsProblem> {
        if !is_plain(&self.schema) {
            return Err(SettingsProblem::Schema);
        }
        let mut target: Config = self.url.expose_secret().trim().parse().map_err(|_| SettingsProblem::Url)?;
        if target.get_hosts().is_empty() && target.get_hostaddrs().is_empty() {
            return Err(SettingsProblem::Url);
        }
        if self.tls == Tls::Off && !target.get_hosts().iter().all(is_here) {
            return Err(SettingsProblem::Plain);
        }
        target
            .application_name(format!("freshsignal/{}", self.node))
            .connect_timeout(UNANSWERED)
            .tcp_user_timeout(UNANSWERED)
            .keepalives(true)
            .keepalives_idle(UNANSWERED)
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(2)
            .target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite)
            .ssl_mode(match self.tls {
                Tls::Off => tokio_postgres::config::SslMode::Disable,
                Tls::VerifyFull => tokio_postgres::config::SslMode::Require,
            });
        Ok(target)
    }

    /// What the connection is protected with.
    ///
    /// # Errors
    /// The certificates can't be read.
    pub fn tls_config(&self) -> Result<rustls::ClientConfig, SettingsProblem> {
        let mut roots: rustls::RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        if !self.authorities.is_empty() {
            let read: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(self.authorities.as_bytes()).collect();
            let read = read.map_err(|_| SettingsProblem::Authorities)?;
            let (taken, _) = roots.add_parsable_certificates(read);
            if taken == 0 {
                return Err(SettingsProblem::Authorities);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| SettingsProblem::Tls(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// What an address says beside the servers.
fn of_no_server(whole: &Config) -> Config {
    let mut one = Config::new();
    whole.get_user().map(|user| one.user(user));
    whole.get_password().map(|password| one.password(password));
    whole.get_dbname().map(|name| one.dbname(name));
    whole.get_options().map(|options| one.options(options));
    whole.get_application_name().map(|name| one.application_name(name));
    whole.get_connect_timeout().map(|timeout| one.connect_timeout(*timeout));
    whole.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
    whole.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    whole.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    one.ssl_mode(whole.get_ssl_mode())
        .ssl_negotiation(whole.get_ssl_negotiation())
        .channel_binding(whole.get_channel_binding())
        .keepalives(whole.get_keepalives())
        .keepalives_idle(whole.get_keepalives_idle())
        .target_session_attrs(whole.get_target_session_attrs());
    one
}

/// Whether a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, tls: Tls) -> PostgresSettings {
        PostgresSettings {
            url: SecretString::from(url.to_owned()),
            schema: "freshsignal".to_owned(),
            tls,
            authorities: String::new(),
            durability: Durability::Single,
            append_deadline: Duration::from_secs(2),
            lease: Duration::from_secs(10),
            call_lasts: Duration::ZERO,
            by_database_clock: true,
            node: "n".to_owned(),
            limits: StoreSettings::default(),
        }
    }

    #[test]
    fn an_address_is_read_and_leaves_this_machine_only_under_tls() {
        for here in ["postgres://u:p@127.0.0.1/d", "postgres://u@localhost/d", "host=/run/postgresql user=u"]
        {
            assert!(settings(here, Tls::Off).target().is_ok(), "{here}");
        }
        let away = "postgres://u:p@db-a.example.com,db-b.example.com/d?target_session_attrs=read-write";
        assert!(settings(away, Tls::VerifyFull).target().is_ok());
        assert_eq!(settings(away, Tls::Off).target().unwrap_err(), SettingsProblem::Plain);
        for bad in ["", "mysql://u@h/d", "postgres://"] {
            assert_eq!(settings(bad, Tls::Off).target().unwrap_err(), SettingsProblem::Url, "{bad}");
        }
        for schema in ["", "Fresh", "a b", "a\"; drop", "1a"] {
            let other = PostgresSettings { schema: schema.to_owned(), ..settings(away, Tls::VerifyFull) };
            assert_eq!(other.target().unwrap_err(), SettingsProblem::Schema, "{schema}");
        }
    }

    #[test]
    fn each_server_of_an_address_is_tried_by_itself_with_all_that_it_says() {
        let url = "postgres://u:p@db-a,db-b:6000/d?options=-csearch_path%3Dx";
        let targets = settings(url, Tls::VerifyFull).targets().unwrap();
        let servers: Vec<_> =
            targets.iter().map(|one| (one.get_hosts().to_vec(), one.get_ports().to_vec())).collect();
        let tcp = |name: &str| vec![Host::Tcp(name.to_owned())];
        assert_eq!(servers, [(tcp("db-a"), vec![5432]), (tcp("db-b"), vec![6000])]);
        let whole = settings(url, Tls::VerifyFull).target().unwrap();
        for one in &targets {
            assert_eq!(
                (
                    one.get_password(),
                    one.get_options(),
                    one.get_tcp_user_timeout(),
                    one.get_target_session_attrs()
                ),
                (
                    whole.get_password(),
                    whole.get_options(),
                    whole.get_tcp_user_timeout(),
                    whole.get_target_session_attrs()
                )
            );
        }
        let one_port = settings("host=db-a,db-b port=6000 user=u", Tls::VerifyFull).targets().unwrap();
        assert!(one_port.iter().all(|one| one.get_ports() == [6000]));
    }

    #[test]
    fn no_words_of_the_settings_show_the_password() {
        let secret = settings("postgres://u:hunter2@127.0.0.1/d", Tls::Off);
        assert!(!format!("{secret:?} {:?}", secret.target()).contains("hunter2"));
    }

    #[test]
    fn certificates_that_are_none_are_refused() {
        let bad = PostgresSettings {
            authorities: "none".to_owned(),
            ..settings("postgres://u@h/d", Tls::VerifyFull)
        };
        assert_eq!(bad.tls_config().unwrap_err(), SettingsProblem::Authorities);
        assert!(settings("postgres://u@h/d", Tls::VerifyFull).tls_config().is_ok());
    }
}
