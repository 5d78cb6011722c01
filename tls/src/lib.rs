//! TLS for those that ask others over HTTP: a source of the ledger, or a wallet.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// TLS with the certificates that the platform trusts. Where it has none, as in an empty container, those that browsers trust.
///
/// # Errors
/// The versions of TLS are not to be had from the provider of cryptography.
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match builder.clone().with_platform_verifier() {
        Ok(builder) => builder,
        Err(error) => {
            tracing::debug!("certificates of the platform: {error}");
            let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
            builder.with_root_certificates(roots)
        }
    };
    Ok(builder.with_no_client_auth())
}
