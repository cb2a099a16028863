//! The SHA-256 of what is sent is a part of each request's signature, which servers hold against what they get. It is
//! known already: the SDK need not read everything once more to find it out.

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
};
use aws_sigv4::http_request::SignableBody;

use crate::digest::Digest;

/// Signs a body by its SHA-256.
#[derive(Debug)]
pub(super) struct Body(pub(super) Digest);

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "KnownBody"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(signing) = config.load::<SigV4OperationSigningConfig>() {
            let mut signing = signing.clone();
            signing.signing_options.payload_override = Some(SignableBody::Precomputed(self.0.to_string()));
            config.interceptor_state().store_put(signing);
        }
        Ok(())
    }
}
