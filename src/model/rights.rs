//! What may be done with an asset: said of it, or of its collection.

use jiff::ToSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::description::{MOST, check_text, day, moment};
use crate::error::{Error, Result};

/// What may be said of consent.
const CONSENTS: [&str; 3] = ["given", "refused", "not needed"];

/// What may be done with an asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rights {
    /// The license's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Until when only editors see it: a day, or a time with its offset from UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embargo_until: Option<String>,
    /// When the right to show it ends; a day, a month or a year is meant to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Countries where it may be shown (ISO 3166-1 alpha-2); none named: everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub territories: Vec<String>,
    /// Whether those in it have agreed: `given`, `refused`, `not needed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
}

/// For whom something is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub now: i64,
    /// From which country they look; none: that is not asked.
    pub territory: Option<String>,
}

impl Rights {
    pub(super) fn is_unsaid(&self) -> bool {
        *self == Self::default()
    }

    /// When the embargo ends, in milliseconds since 1970-01-01 UTC.
    pub fn embargo_ms(&self) -> Option<i64> {
        self.embargo_until.as_deref().and_then(|text| moment(text).ok())
    }

    /// When the right to show it ends (ms).
    pub fn expires_ms(&self) -> Option<i64> {
        self.expires.as_deref().and_then(|text| end_of(text).ok())
    }

    /// Whether those in it have refused.
    pub fn is_refused(&self) -> bool {
        self.consent.as_deref().is_some_and(|c| c.trim().eq_ignore_ascii_case("refused"))
    }

    /// Whether it may be shown in a country.
    pub fn holds_in(&self, territory: &str) -> bool {
        self.territories.is_empty() || self.territories.iter().any(|t| t.trim().eq_ignore_ascii_case(territory))
    }

    /// Whether it may be shown to whoever is no editor.
    pub fn allow(&self, to: &Audience) -> bool {
        self.embargo_ms().is_none_or(|until| until <= to.now)
            && self.expires_ms().is_none_or(|end| end > to.now)
            && !self.is_refused()
            && to.territory.as_deref().is_none_or(|territory| self.holds_in(territory))
    }

    /// Why it may not be shown at a time (ms), in a word each.
    pub fn against(&self, now: i64) -> Vec<&'static str> {
        let all = [
            (self.embargo_ms().is_some_and(|until| until > now), "embargo"),
            (self.expires_ms().is_some_and(|end| end <= now), "expired"),
            (self.is_refused(), "refused"),
        ];
        all.into_iter().filter_map(|(is, word)| is.then_some(word)).collect()
    }

    /// What holds of an asset of a collection that says this: the collection's where the asset says nothing; of two
    /// embargoes the later, of two ends the earlier.
    pub fn under(&self, collection: &Self) -> Self {
        let stricter = |own: &Option<String>, other: &Option<String>, is_later: bool| {
            let ms = |text: &String| if is_later { moment(text) } else { end_of(text) }.ok();
            match (own, other) {
                (Some(a), Some(b)) if (ms(b) > ms(a)) == is_later => Some(b.clone()),
                (Some(a), _) => Some(a.clone()),
                (None, other) => other.clone(),
            }
        };
        Self {
            license: self.license.clone().or_else(|| collection.license.clone()),
            embargo_until: stricter(&self.embargo_until, &collection.embargo_until, true),
            expires: stricter(&self.expires, &collection.expires, false),
            territories: match self.territories.is_empty() {
                true => collection.territories.clone(),
                false => self.territories.clone(),
            },
            consent: self.consent.clone().or_else(|| collection.consent.clone()),
        }
    }

    /// Refuses what makes no sense, with the field's name.
    pub fn check(&self) -> Result<()> {
        let dates = [("embargo_until", &self.embargo_until), ("expires", &self.expires)];
        for (name, date) in dates.into_iter().filter_map(|(name, date)| Some((name, date.as_ref()?))) {
            moment(date).map_err(|e| Error::invalid(format!("rights.{name}: {e}")))?;
        }
        if self.territories.len() > MOST {
            let n = self.territories.len();
            return Err(Error::invalid(format!("rights.territories has {n} entries: {MOST} at most")));
        }
        let is_country = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        if let Some(text) = self.territories.iter().find(|text| !is_country(text.trim())) {
            return Err(Error::invalid(format!("rights.territories: '{text}' is no country"))
                .hint("two letters (ISO 3166-1 alpha-2), such as ES or MX"));
        }
        // A word that nobody knows would count as no refusal.
        if let Some(text) = &self.consent
            && !CONSENTS.iter().any(|known| text.trim().eq_ignore_ascii_case(known))
        {
            return Err(Error::invalid(format!("rights.consent: '{text}' is not one of {}", CONSENTS.join(", "))));
        }
        self.license.as_ref().map_or(Ok(()), |text| check_text("rights.license", text))
    }
}

/// When a right ends (ms): a day, a month or a year is meant to its end.
pub fn end_of(expires: &str) -> Result<i64> {
    let Ok(first) = day(expires) else { return moment(expires) };
    let next = match expires.trim().split('-').count() {
        1 => first.checked_add(1.year()),
        2 => first.checked_add(1.month()),
        _ => first.tomorrow(),
    };
    let end = next.and_then(|next| next.at(0, 0, 0, 0).to_zoned_datetime(jiff::tz::TimeZone::UTC));
    end.map(|end| end.timestamp().as_millisecond()).map_err(|e| Error::invalid(format!("'{expires}' is no date: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(json: &str) -> Rights {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_collections_rights_hold_where_the_asset_says_nothing_and_the_stricter_time_wins() {
        let collection = rights(
            r#"{"license": "CC BY", "embargo_until": "2030-01-01", "expires": "2031", "territories": ["ES"], "consent": "refused"}"#,
        );
        assert_eq!(Rights::default().under(&collection), collection);
        let asset = rights(
            r#"{"license": "Own", "embargo_until": "2029-01-01", "expires": "2030-06-01", "territories": ["CU", "MX"], "consent": "given"}"#,
        );
        let both = rights(
            r#"{"license": "Own", "embargo_until": "2030-01-01", "expires": "2030-06-01", "territories": ["CU", "MX"], "consent": "given"}"#,
        );
        assert_eq!(asset.under(&collection), both);
        // Whichever way they stand.
        let (times, stricter) = (rights(r#"{"embargo_until": "2040", "expires": "2050"}"#), asset.under(&collection));
        assert_eq!(times.under(&collection).embargo_until.as_deref(), Some("2040"));
        assert_eq!(times.under(&stricter).expires.as_deref(), Some("2030-06-01"));
    }

    #[test]
    fn what_is_shown_follows_time_consent_and_country() {
        let at = |text: &str, territory: Option<&str>| Audience {
            now: moment(text).unwrap(),
            territory: territory.map(str::to_owned),
        };
        let r = rights(r#"{"embargo_until": "2030-01-01", "expires": "2030-02-01", "territories": ["es"]}"#);
        assert!(!r.allow(&at("2029-12-31", None)) && r.allow(&at("2030-01-01", None)));
        assert!(r.allow(&at("2030-02-01", Some("ES"))) && !r.allow(&at("2030-01-15", Some("FR"))));
        assert!(!r.allow(&at("2030-02-02", None)));
        let ends = |text: &str| end_of(text).unwrap();
        assert_eq!(ends("2030-02"), moment("2030-03-01").unwrap());
        assert_eq!((ends("2030"), ends("2030-12-31")), (moment("2031").unwrap(), moment("2031").unwrap()));
        for wrong in [r#"{"consent": "denied"}"#, r#"{"territories": ["Spain"]}"#] {
            assert!(rights(wrong).check().is_err(), "{wrong}");
        }
        assert!(!rights(r#"{"consent": "Refused"}"#).allow(&at("2030-01-01", None)));
    }
}
