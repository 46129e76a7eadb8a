//! The certificate we show: its end, its name, its chain.

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
    crypto::aws_lc_rs,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use service::Clock;
use url::{Host, Url};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Config;
use service::probe::{Finding, Trial, causes};

/// How near the end is worth a warning: what renews by itself does so a month before, as a rule.
const SOON_DAYS: i64 = 14;
const DAY: i64 = 86_400;

/// How long a certificate still is good.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Life {
    Good { days: i64 },
    Soon { days: i64 },
    Over { days: i64 },
    NotYet,
    Malformed,
}

/// The certificate in `tls.cert_file`.
pub(super) fn probe(config: &Config, ca_file: Option<&Path>, clock: &dyn Clock) -> Finding {
    let Some(files) = &config.tls else {
        let trial = Trial::new("certificate", "looked for tls.cert_file");
        return trial.skip("TLS ends in front of the proxy; see public-url for the certificate shown there");
    };
    let trial = Trial::new("certificate", format!("checked {}", files.cert.display()));
    let chain = CertificateDer::pem_file_iter(&files.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => return trial.fail(causes(&error), "Put a PEM chain there, leaf first."),
    };
    let Some((leaf, others)) = chain.split_first() else {
        return trial.fail("it holds no certificate", "Put a PEM chain there, leaf first.");
    };
    let renew = "Renew it; the proxy takes a new file by itself.";
    let life = life(leaf, clock);
    match life {
        Life::Over { days } => return trial.fail(format!("it ended {days} days ago"), renew),
        Life::NotYet => return trial.fail("it is not valid yet", "Check this machine's clock, or renew it."),
        Life::Malformed => return trial.fail("it cannot be parsed", renew),
        Life::Good { .. } | Life::Soon { .. } => {}
    }
    let Some(name) = server_name(&config.server.public_url) else {
        return trial.skip("server.public_url has no host to compare with");
    };
    if !is_for(leaf, &name) {
        let host = name.to_str();
        let advice = format!("Get one whose subject alternative names hold {host}: clients refuse this one.");
        return trial.fail(format!("it is not for {host}, the host of server.public_url"), advice);
    }
    match (verify(leaf, others, &name, ca_file, clock), life) {
        (Err(Untrusted::Unknown), _) => trial.warn(
            "it is for the right host and good for now, but no authority this machine trusts has signed it",
            "If it is of a public authority, its chain is incomplete: add the intermediate certificates to the file. If of a private one, name that by --ca-file.",
        ),
        (Err(Untrusted::Other(said)), _) => trial.fail(said, "Put the whole chain into the file, leaf first, and renew what has ended."),
        (Ok(()), Life::Soon { days }) => trial.warn(format!("it ends in {days} days"), renew),
        (Ok(()), Life::Good { days }) => trial.ok(format!("chain and host are right, and it ends in {days} days")),
        (Ok(()), Life::Over { .. } | Life::NotYet | Life::Malformed) => trial.fail("it is not good now", renew),
    }
}

/// How long `certificate` still is good.
pub(super) fn life(certificate: &[u8], clock: &dyn Clock) -> Life {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Life::Malformed };
    let now = i64::try_from(clock.unix()).unwrap_or(i64::MAX);
    let (begins, ends) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    let days = (ends - now).div_euclid(DAY);
    if now < begins {
        Life::NotYet
    } else if ends <= now {
        Life::Over { days: (now - ends) / DAY }
    } else if days < SOON_DAYS {
        Life::Soon { days }
    } else {
        Life::Good { days }
    }
}

fn server_name(public_url: &str) -> Option<ServerName<'static>> {
    match Url::parse(public_url).ok()?.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::IpAddress(std::net::IpAddr::V4(address).into())),
        Host::Ipv6(address) => Some(ServerName::IpAddress(std::net::IpAddr::V6(address).into())),
    }
}

fn is_for(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(leaf).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// Why a chain is not believed.
enum Untrusted {
    /// It leads to nobody we know.
    Unknown,
    Other(String),
}

fn verify(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    ca_file: Option<&Path>,
    clock: &dyn Clock,
) -> Result<(), Untrusted> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            roots.add_parsable_certificates(
                read.map_err(|error| Untrusted::Other(format!("--ca-file: {}", causes(&error))))?,
            );
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    // None can be made of no authorities at all.
    let verifier = verifier.map_err(|_| Untrusted::Unknown)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(clock.unix()));
    match verifier.verify_server_cert(leaf, others, name, &[], now) {
        Ok(_) => Ok(()),
        // A bad signature: we know one of that name, which has other keys.
        Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Err(Untrusted::Unknown),
        Err(error) => Err(Untrusted::Other(causes(&error))),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use service::ManualClock;

    use super::*;

    /// Noon of 2026-01-01.
    const NOW: u64 = 1_767_268_800;

    fn certificate(begins: (i32, u8, u8), ends: (i32, u8, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["*.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(begins.0, begins.1, begins.2);
        params.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn the_end_of_a_certificate_is_seen_coming() {
        let clock = ManualClock::at(NOW);
        let cases = [
            ((2026, 2, 1), Life::Good { days: 30 }),
            ((2026, 1, 8), Life::Soon { days: 6 }),
            ((2025, 12, 31), Life::Over { days: 1 }),
        ];
        for (ends, expected) in cases {
            assert_eq!(life(&certificate((2025, 1, 1), ends), &clock), expected);
        }
        assert_eq!(life(&certificate((2026, 1, 2), (2026, 2, 1)), &clock), Life::NotYet);
        assert_eq!(life(b"rubbish", &clock), Life::Malformed);
    }

    #[test]
    fn a_wildcard_is_for_one_label() {
        let leaf = certificate((2025, 1, 1), (2027, 1, 1));
        let name = |url| server_name(url).unwrap();
        assert!(is_for(&leaf, &name("https://mcp.example.com")));
        assert!(!is_for(&leaf, &name("https://a.mcp.example.com")));
        assert!(!is_for(&leaf, &name("https://127.0.0.1:8443")));
    }
}
