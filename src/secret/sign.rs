//! What is told by HTTP is signed as the Standard Webhooks specification 1.0 has it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::digest::Digest;

/// The key of `whsec_` and base64, or of the base64 alone; `None` for what is none or too short.
pub fn webhook_key(secret: &str) -> Option<Vec<u8>> {
    let base64 = secret.strip_prefix("whsec_").unwrap_or(secret);
    STANDARD.decode(base64).ok().filter(|key| key.len() >= 16)
}

/// The header `webhook-signature` of a message with this id, sent at this second since 1970.
pub fn webhook_signature(key: &[u8], id: &str, sent: &str, body: &str) -> String {
    let signed = Digest::keyed(key, format!("{id}.{sent}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(signed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's own test vectors.
        let key = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = webhook_signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(["", "whsec_", "whsec_!", "whsec_c2hvcnQ="].iter().all(|bad| webhook_key(bad).is_none()));
    }
}
