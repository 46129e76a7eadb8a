//! A certificate authority for one run, and certificates for loopback signed by it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::{
    scratch::Scratch,
    trouble::{Outcome, While},
};

/// Signs certificates that clients trust once they are given [`Authority::file`].
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    scratch: Scratch,
}

/// A certificate and its key as PEM files, valid for `localhost`, `127.0.0.1` and `::1`.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

impl Authority {
    /// Makes a new authority and writes its certificate to a directory of its own.
    ///
    /// # Errors
    /// When keys cannot be made or files not be written.
    pub fn new() -> Outcome<Self> {
        Self::keeping(Scratch::new("certificates")?)
    }

    /// The same, with its files in a directory inside `folder`.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn within(folder: &Path) -> Outcome<Self> {
        Self::keeping(Scratch::within(folder, "certificates")?)
    }

    fn keeping(scratch: Scratch) -> Outcome<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "MCP Edge test authority");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2045, 1, 1);
        let key = KeyPair::generate().while_doing("make the authority's key")?;
        let certificate = params.self_signed(&key).while_doing("sign the authority's certificate")?;
        scratch.write("ca.pem", certificate.pem())?;
        Ok(Self { certificate, issuer: Issuer::new(params, key), scratch })
    }

    /// The authority's certificate, PEM: what a client must trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The file that holds [`Authority::pem`].
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// Issues a new certificate into `NAME.pem` and `NAME.key`; an old one of that name is replaced.
    ///
    /// # Errors
    /// When keys cannot be made or files not be written.
    pub fn issue(&self, name: &str) -> Outcome<CertificateFiles> {
        self.issue_with(name, |_| ())
    }

    /// The same, with something else about it.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn issue_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Outcome<CertificateFiles> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).while_doing("name a certificate")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2045, 1, 1);
        change(&mut params);
        let key = KeyPair::generate().while_doing("make a key")?;
        let certificate = params.signed_by(&key, &self.issuer).while_doing("sign a certificate")?;
        Ok(CertificateFiles {
            cert_file: self.scratch.write(&format!("{name}.pem"), certificate.pem())?,
            key_file: self.scratch.write(&format!("{name}.key"), key.serialize_pem())?,
        })
    }
}
