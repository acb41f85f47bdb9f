//! Which certificate a client is shown.
//! Never here: what happens when files change.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tidegate::core::config::checked::Config;
use tidegate::net::tls::keeper::Keeper;

use crate::support::client::get;
use crate::support::pki::{Algorithm, Authority, Pair, certificates};
use crate::support::tls::Dialer;
use crate::{door, node};

fn certificate(pair: &Pair) -> Vec<u8> {
    CertificateDer::from_pem_file(&pair.chain).expect("we wrote it").to_vec()
}

/// Accepts any name: here the certificate is looked at by the test.
fn shown(
    authority: &Authority,
    name: &str,
    schemes: Option<Vec<SignatureScheme>>,
    addr: std::net::SocketAddr,
) -> Vec<u8> {
    let verifier = Arc::new(AnyName { schemes });
    let dialer = Dialer::new(authority, name).adjusted(|config| config.dangerous().set_certificate_verifier(verifier));
    dialer.ask(addr, &get("/ping")).1.certificate
}

#[test]
fn the_name_and_the_signatures_decide() {
    let authority = Authority::new();
    let first = authority.server("first", &["first.example", "127.0.0.1"], Algorithm::Ecdsa);
    let rsa = authority.server("rsa", &["shop.example"], Algorithm::Rsa);
    let ecdsa = authority.server("ecdsa", &["shop.example", "www.shop.example"], Algorithm::Ecdsa);
    let wild = authority.server("wild", &["*.shop.example"], Algorithm::Ecdsa);
    let node = node(&[&first, &rsa, &ecdsa, &wild], &[]);
    let check = |name: &str, schemes: Option<&[SignatureScheme]>, expect: &Pair| {
        let got = shown(&authority, name, schemes.map(<[_]>::to_vec), door(&node));
        assert!(got == certificate(expect), "{name} {schemes:?}: not {}", expect.chain.display());
    };
    check("shop.example", None, &ecdsa);
    check("SHOP.example", None, &ecdsa);
    check("shop.example", Some(&[SignatureScheme::RSA_PSS_SHA256]), &rsa);
    check("shop.example", Some(&[SignatureScheme::ECDSA_NISTP256_SHA256]), &ecdsa);
    check("www.shop.example", None, &ecdsa);
    check("img.shop.example", None, &wild);
    check("a.img.shop.example", None, &first);
    check("elsewhere.example", None, &first);
    check("127.0.0.1", None, &first);
}

fn config(overrides: &[String]) -> Config {
    let text = tidegate::core::config::DEFAULTS;
    let variable = |_: &str| Some("known-to-nobody-and-long-enough-for-a-key".to_owned());
    let outside = tidegate::core::config::Outside { variable: &variable, file: &|path| std::fs::read_to_string(path) };
    tidegate::core::config::load_with(text, overrides, &outside).expect("a configuration")
}

#[test]
fn files_that_are_wrong_are_named() {
    let authority = Authority::new();
    let good = authority.server("good", &["shop.example"], Algorithm::Ecdsa);
    let other = authority.server("other", &["shop.example"], Algorithm::Ecdsa);
    let check = |chain: &std::path::Path, key: &std::path::Path, words: &[&str]| {
        let pair = Pair { chain: chain.to_owned(), key: key.to_owned() };
        let config = config(&["tls.listen=127.0.0.1:0".into(), certificates(&[&good, &pair])]);
        let errors = Keeper::load(&config.tls, &config.tls.alpn).err().expect("it is wrong");
        let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(words.iter().all(|word| text.contains(word)) && text.contains("tls.certificate[1]"), "{text}");
        assert!(!text.contains("PRIVATE KEY-----\n"), "{text}");
    };
    let missing = authority.folder().join("missing.pem");
    let empty = authority.folder().join("empty.pem");
    std::fs::write(&empty, "").expect("a writable folder");
    let half = authority.folder().join("half.pem");
    let text = std::fs::read_to_string(&good.chain).expect("we wrote it");
    std::fs::write(&half, &text[..100]).expect("a writable folder");
    check(&missing, &good.key, &["chain", "missing.pem", "No such file"]);
    check(&empty, &good.key, &["chain", "empty.pem", "BEGIN CERTIFICATE"]);
    check(&half, &good.key, &["chain", "half.pem"]);
    check(&good.chain, &missing, &["key", "missing.pem", "No such file"]);
    check(&good.chain, &good.chain, &["key", "PRIVATE KEY"]);
    check(&good.chain, &other.key, &["key", "other.key.pem", "must be the key of the first certificate"]);
}

/// Verifies signatures, whatever the name is.
#[derive(Debug)]
struct AnyName {
    schemes: Option<Vec<SignatureScheme>>,
}

impl rustls::client::danger::ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let all =
            || rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes();
        self.schemes.clone().unwrap_or_else(all)
    }
}
