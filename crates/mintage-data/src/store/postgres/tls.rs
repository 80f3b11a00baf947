//! Encryption of connections to PostgreSQL. As with libpq, `prefer` and `require` encrypt without asking who
//! is at the other end; `verify-ca` and `verify-full` ask.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::verify_server_name,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::address::{Address, SslMode};
use crate::Error;

/// How to encrypt, or nothing for connections that are not.
pub(super) fn client_config(address: &Address) -> Result<Option<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match address.sslmode {
        SslMode::Disable => return Ok(None),
        SslMode::Prefer | SslMode::Require => Arc::new(Lenient { inner: None, provider: provider.clone() }),
        SslMode::VerifyCa => {
            let inner = Some(strict(address, &provider)?);
            Arc::new(Lenient { inner, provider: provider.clone() })
        }
        SslMode::VerifyFull => Arc::new(Strict(strict(address, &provider)?)),
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::bad("TLS", error.to_string()))?;
    Ok(Some(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// Who is believed about authority and host.
fn strict(address: &Address, provider: &Arc<CryptoProvider>) -> Result<Authority, Error> {
    let mut roots = RootCertStore::empty();
    let mut trusted = Vec::new();
    let place = match &address.sslrootcert {
        Some(path) => {
            let bad = |error: &dyn std::fmt::Display| Error::bad(path, error.to_string());
            let all = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
            for certificate in all {
                let certificate = certificate.map_err(|e| bad(&e))?;
                trusted.push(certificate.clone());
                roots.add(certificate).map_err(|e| bad(&e))?;
            }
            path.as_str()
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            "the system's certificates"
        }
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let verifier = verifier.map_err(|error| {
        Error::bad(place, error.to_string()).with_hint("name a file of certificates with sslrootcert=…")
    })?;
    Ok(Authority { verifier, trusted })
}

/// Who is believed.
#[derive(Debug)]
struct Authority {
    verifier: Arc<WebPkiServerVerifier>,
    /// The certificates of the file that is named.
    trusted: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Checks the chain and the name. A server that shows a certificate of the file itself, signed by itself, is
    /// believed like one that is signed by it, as libpq does.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // Its time of validity is looked at before its purpose, the name after that.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if is_self_signed(&other) && self.trusted.iter().any(|known| known == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }
}

/// Whether a certificate was refused because it may sign others.
fn is_self_signed(error: &OtherError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

/// A verifier of authority and host.
#[derive(Debug)]
struct Strict(Authority);

impl ServerCertVerifier for Strict {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.verify(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.verifier.supported_verify_schemes()
    }
}

/// A verifier that does not care for the host's name, nor for the authority when there is none to ask.
#[derive(Debug)]
struct Lenient {
    inner: Option<Authority>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::Error::InvalidCertificate;
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is the last thing that is looked at: the chain is good.
            Err(InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
