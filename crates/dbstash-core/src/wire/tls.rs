//! TLS, by rustls: nothing of it is in memory unless it is used.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dialogue::Tls;

/// Encrypts a connection to `host`; the error is a sentence.
pub(super) async fn over(
    socket: TcpStream,
    host: &str,
    tls: &Tls,
) -> Result<TlsStream<TcpStream>, String> {
    let config = config(tls)?;
    let name = tls.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("{name:?} is no name that a certificate could be for"))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    connecting.map_err(|error| match reason(&error) {
        Some(reason) => reason,
        None => format!("the TLS handshake failed: {error} (perhaps this port does not speak TLS)"),
    })
}

fn config(tls: &Tls) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let verifier = Verifier::new(tls, Arc::clone(&provider))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let Some((certificate, key)) = &tls.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| format!("no private key can be read from {}: {e}", key.display()))?;
    builder.with_client_auth_cert(chain, secret).map_err(|e| {
        format!("{} and {} do not go together: {e}", certificate.display(), key.display())
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fail = |e| format!("no certificate can be read from {}: {e}", file.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(fail)?
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    if found.is_empty() {
        return Err(format!("there is no certificate in {}", file.display()));
    }
    Ok(found)
}

/// What a broken connection means, if TLS is why.
pub(super) fn reason(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            CertificateError::UnknownIssuer => {
                "the server's certificate is from an authority that is not trusted here: name the \
                 authority's file (cacert)"
                    .to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the server's certificate is for another name: {bad} (sni names the right one)"
                )
            }
            bad if bad.to_string().contains("CaUsedAsEndEntity") => {
                "the server's certificate is one of an authority itself, or self-signed: name its \
                 own file (cacert)"
                    .to_owned()
            }
            bad => format!("the server's certificate is not valid: {bad}"),
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "the server asks for a client certificate (certificate required): name its files \
              (cert and key)"
            .to_owned(),
        rustls::Error::AlertReceived(alert) => {
            format!("the server ended the TLS connection: {alert:?}; see its log")
        }
        rustls::Error::InvalidMessage(_) => {
            "what the server answers is not TLS: perhaps this port does not speak it".to_owned()
        }
        other => format!("TLS failed: {other}"),
    })
}

/// Whom we trust. Signatures are checked of everyone.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// The certificates that were named: a server that has one of them itself is the one that was meant.
    named: Vec<CertificateDer<'static>>,
    /// Checks all others; `None` takes any.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        if tls.unverified {
            return Ok(Self { provider, named: Vec::new(), chain: None });
        }
        let mut roots = RootCertStore::empty();
        let mut named = Vec::new();
        if let Some(file) = &tls.authorities {
            named = certificates(file)?;
            for certificate in &named {
                let fail = |e| format!("{}: {e}", file.display());
                roots.add(certificate.clone()).map_err(fail)?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(
                "this machine trusts no certificate authority: install ca-certificates, or \
                        name the authority's file"
                    .to_owned(),
            );
        }
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = chain.build().map_err(|e| e.to_string())?;
        Ok(Self { provider, named, chain: Some(chain) })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.chain {
            Some(chain) if !self.named.contains(end_entity) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
