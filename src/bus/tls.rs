//! TLS to the broker: whom we believe, and who we say we are. Never switches a check off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::files::{self, FileError};
use crate::core::mqtt::Broker;

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} contains no {what} in PEM format", path.display())]
    NotThere { what: &'static str, path: PathBuf },
    #[error("cannot use the {what} {}: {source}", path.display())]
    Unusable { what: &'static str, path: PathBuf, source: rustls::Error },
    #[error("this system has no certificate authorities; name some with MQTT_CA_CERTS")]
    NoAuthorities,
    #[error("cannot set up TLS: {0}")]
    Setup(#[source] rustls::Error),
}

const AUTHORITIES: &str = "CA certificates";
const CERTIFICATE: &str = "client certificate";
const KEY: &str = "client key";

/// The configuration for a broker.
pub(super) fn config(broker: &Broker) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match &broker.ca_certs {
        Some(path) => {
            for certificate in certificates(AUTHORITIES, path)? {
                roots.add(certificate).map_err(|source| TlsError::Unusable {
                    what: AUTHORITIES,
                    path: path.clone(),
                    source,
                })?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoAuthorities);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots);
    let config = match &broker.certfile {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let own = certificates(CERTIFICATE, path)?;
            let key_path = broker.keyfile.as_ref().unwrap_or(path);
            let key = PrivateKeyDer::from_pem_slice(&files::read(KEY, key_path)?)
                .map_err(|_| TlsError::NotThere { what: KEY, path: key_path.clone() })?;
            builder.with_client_auth_cert(own, key).map_err(|source| TlsError::Unusable {
                what: CERTIFICATE,
                path: path.clone(),
                source,
            })?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = files::read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| TlsError::NotThere { what, path: path.to_owned() })
}
