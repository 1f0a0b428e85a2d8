//! The stream webhooks are kept in: what it should be, and how it is made or brought up to
//! date.
//!
//! Not here: whether an existing one may be used at all ([`crate::judge`]); what is dangerous
//! about a stream is never changed by this program, only refused.

use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use concilia_shared::broker::SUBJECT_ALL;
use concilia_shared::config::Nats;

/// Longest message the stream takes, headers included, in bytes: the broker's own default
/// limit, four times the longest body.
const MESSAGE_BYTES_MAX: i32 = 1024 * 1024;

const DAY: Duration = Duration::from_hours(24);

/// A century: JetStream counts nanoseconds in 63 bits, 292 years.
const AGE_DAYS_MAX: u32 = 36_525;

/// The stream this program makes (`design.md`, section NATS).
pub fn wanted(nats: &Nats) -> Config {
    let max_age_days = u32::try_from(nats.max_age_days).unwrap_or(u32::MAX).min(AGE_DAYS_MAX);
    Config {
        name: nats.stream.clone(),
        description: Some("Verified Ventipay webhooks, exactly as signed.".to_owned()),
        subjects: vec![SUBJECT_ALL.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        // Full means an error to the publisher, never the deletion of what nobody consumed.
        discard: DiscardPolicy::New,
        max_bytes: nats.max_bytes,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_age: DAY * max_age_days,
        max_message_size: MESSAGE_BYTES_MAX,
        num_replicas: nats.replicas,
        deny_delete: true,
        deny_purge: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

/// `existing` with the settings that may be changed on a living stream, or `None` when they
/// are right already.
pub fn brought_up_to_date(existing: &Config, wanted: &Config) -> Option<Config> {
    let fits = existing.max_message_size <= 0 || existing.max_message_size >= MESSAGE_BYTES_MAX;
    let updated = Config {
        max_bytes: wanted.max_bytes,
        max_age: wanted.max_age,
        max_message_size: if fits { existing.max_message_size } else { MESSAGE_BYTES_MAX },
        allow_atomic_publish: true,
        deny_delete: true,
        deny_purge: true,
        ..existing.clone()
    };
    let right = existing.max_bytes == updated.max_bytes
        && existing.max_age == updated.max_age
        && fits
        && existing.allow_atomic_publish
        && existing.deny_delete
        && existing.deny_purge;
    (!right).then_some(updated)
}

/// The stream as it is, made if there is none.
pub async fn look_or_make(context: &Context, wanted: &Config) -> Result<Info, String> {
    let made = match context.get_stream(&wanted.name).await {
        Ok(stream) => return Ok(stream.cached_info().clone()),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                context.create_stream(wanted).await
            }
            _ => return Err(format!("stream {} cannot be looked at: {error}", wanted.name)),
        },
    };
    match made {
        Ok(_) => {
            tracing::info!(stream = wanted.name, "made the stream");
        }
        // Another ingress was faster: what it made is looked at below.
        Err(error) if already_there(&error.kind()) => {}
        Err(error) => return Err(format!("stream {} cannot be made: {error}", wanted.name)),
    }
    // Asked again, because the answer to making it does not say which server leads it.
    let stream = context.get_stream(&wanted.name).await;
    match stream {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => Err(format!("stream {} cannot be looked at: {error}", wanted.name)),
    }
}

fn already_there(error: &CreateStreamErrorKind) -> bool {
    matches!(error, CreateStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

/// Changes on the living stream what may be changed and differs.
pub async fn update(context: &Context, existing: &Config, wanted: &Config) -> Result<(), String> {
    let Some(updated) = brought_up_to_date(existing, wanted) else {
        return Ok(());
    };
    match context.update_stream(&updated).await {
        Ok(_) => {
            tracing::info!(
                stream = updated.name,
                max_bytes = updated.max_bytes,
                max_age_s = updated.max_age.as_secs(),
                "updated the stream"
            );
            Ok(())
        }
        Err(error) => Err(format!("stream {} cannot be updated: {error}", updated.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_left_alone() {
        let wanted = wanted(&Nats::default());
        let richer = Config {
            description: Some("ours".to_owned()),
            max_message_size: -1,
            num_replicas: 3,
            ..wanted.clone()
        };
        assert_eq!(brought_up_to_date(&wanted, &wanted), None);
        assert_eq!(brought_up_to_date(&richer, &wanted), None);
    }

    #[test]
    fn limits_and_guards_are_brought_up_to_date_and_nothing_else() {
        let wanted = wanted(&Nats::default());
        let existing = Config {
            max_bytes: 1,
            max_age: Duration::from_secs(1),
            max_message_size: 1,
            allow_atomic_publish: false,
            deny_delete: false,
            deny_purge: false,
            description: None,
            discard: DiscardPolicy::Old,
            ..wanted.clone()
        };
        let expected = Config { description: None, discard: DiscardPolicy::Old, ..wanted.clone() };
        assert_eq!(brought_up_to_date(&existing, &wanted), Some(expected));
    }

    #[test]
    fn an_age_without_end_does_not_overflow() {
        let nats = Nats { max_age_days: u64::MAX, ..Nats::default() };
        assert!(i64::try_from(wanted(&nats).max_age.as_nanos()).is_ok());
    }
}
