//! Parameters of a query or form (RFC 6749 section 3.1): empty counts as omitted, unknown is ignored, twice is an error.

use http::header::CONTENT_TYPE;

use super::OAuthRequest;
use super::error::{ErrorCode, OAuthError};

/// More parameters than this are an error; the protocol has about a dozen.
const MAX_PARAMETERS: usize = 64;

/// Decoded parameters in the order sent, without the empty ones.
#[derive(Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::decode(query.unwrap_or_default().as_bytes())
    }

    /// Decodes a form body and refuses repeated parameters.
    pub(super) fn of_form(request: &OAuthRequest) -> Result<Self, OAuthError> {
        expect_type(request, "application/x-www-form-urlencoded")?;
        let form = Self::decode(&request.body);
        form.none_repeated()?;
        Ok(form)
    }

    fn decode(encoded: &[u8]) -> Self {
        // One more than allowed is kept, so that too many are seen.
        let pairs = url::form_urlencoded::parse(encoded)
            .filter(|(_, value)| !value.is_empty())
            .take(MAX_PARAMETERS + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self(pairs.collect())
    }

    /// The value of a parameter, the first one if it is repeated.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub(super) fn required(
        &self,
        name: &str,
        reason: &'static str,
        description: &'static str,
    ) -> Result<&str, OAuthError> {
        self.value(name).ok_or_else(|| OAuthError::invalid_request(reason, description))
    }

    /// Whether the parameter was sent more than once.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.0.iter().filter(|(known, _)| known == name).count() > 1
    }

    /// Refuses repeated parameters, known or not.
    pub(super) fn none_repeated(&self) -> Result<(), OAuthError> {
        if self.0.len() > MAX_PARAMETERS {
            return Err(OAuthError::invalid_request(
                "too_many_parameters",
                "send only the parameters of the protocol",
            ));
        }
        if self.0.iter().any(|(name, _)| self.repeats(name)) {
            return Err(OAuthError::invalid_request("repeated_parameter", "send each parameter only once"));
        }
        Ok(())
    }
}

/// Checks the media type of a body, whatever its parameters.
pub(super) fn expect_type(request: &OAuthRequest, wanted: &'static str) -> Result<(), OAuthError> {
    let sent = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let description = if wanted == "application/json" {
        "send a body of type application/json"
    } else {
        "send a body of type application/x-www-form-urlencoded"
    };
    Err(OAuthError::new(ErrorCode::UnsupportedMediaType, "media_type", description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_omitted_and_twice_is_refused() {
        let parameters = Parameters::of_query(Some("a=1&b=&c=%20x&b=2"));
        assert_eq!(parameters.value("a"), Some("1"));
        assert_eq!(parameters.value("b"), Some("2"));
        assert_eq!(parameters.value("c"), Some(" x"));
        assert!(parameters.none_repeated().is_ok());
        assert!(Parameters::of_query(Some("x=1&x=1")).none_repeated().is_err());
        assert!(Parameters::of_query(Some(&"y=1&".repeat(100))).none_repeated().is_err());
    }
}
