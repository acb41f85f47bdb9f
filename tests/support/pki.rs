//! A certificate authority of the test's own: certificates for servers and clients, revocation lists, files of them.
//! Never here: a key that is used outside of the tests.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Ecdsa,
    Rsa,
}

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate in two PEM files.
#[derive(Clone, Debug)]
pub struct Pair {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// What a client shows.
pub struct ClientIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    serial: SerialNumber,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the tests' own authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("well-formed parameters");
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a writable folder");
        Self { issuer, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn ca(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Signs a certificate for these names and puts it into files called `stem`.
    pub fn server(&self, stem: &str, names: &[&str], algorithm: Algorithm) -> Pair {
        let pair = self.pair(stem);
        let (chain, key) = self.sign(names, algorithm);
        fs::write(&pair.chain, chain).expect("a writable folder");
        fs::write(&pair.key, key).expect("a writable folder");
        pair
    }

    /// PEM texts of a certificate and its key.
    pub fn sign(&self, names: &[&str], algorithm: Algorithm) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = match algorithm {
            Algorithm::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Algorithm::Rsa => KeyPair::generate_for(&PKCS_RSA_SHA256),
        };
        let key = key.expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("well-formed parameters");
        (certificate.pem() + &self.issuer.pem(), key.serialize_pem())
    }

    pub fn pair(&self, stem: &str) -> Pair {
        let file = |end: &str| self.folder().join(format!("{stem}.{end}.pem"));
        Pair { chain: file("chain"), key: file("key") }
    }

    pub fn client(&self, serial: u64) -> ClientIdentity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("client {serial}"));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = SerialNumber::from(serial);
        params.serial_number = Some(serial.clone());
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("well-formed parameters");
        ClientIdentity { chain: vec![certificate.der().clone()], key: key.serialize_der(), serial }
    }

    /// Writes the list of those that are revoked.
    pub fn revoke(&self, clients: &[&ClientIdentity]) -> PathBuf {
        let revoked = clients.iter().map(|client| RevokedCertParams {
            serial_number: client.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder().join("crl.pem");
        let list = list.signed_by(&self.issuer).expect("well-formed parameters");
        fs::write(&path, list.pem().expect("PEM")).expect("a writable folder");
        path
    }
}

impl ClientIdentity {
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.clone()).expect("PKCS#8")
    }
}

/// As `--set` takes it.
pub fn certificates(pairs: &[&Pair]) -> String {
    let one = |pair: &&Pair| format!("{{ chain = {:?}, key = {:?} }}", pair.chain, pair.key);
    format!("tls.certificate=[{}]", pairs.iter().map(one).collect::<Vec<_>>().join(", "))
}
