//! What an answer (or the lack of one) means. Pure: statuses, names and texts in, a class out.
//!
//! The names are those Odoo puts into `error.data.name` (`/jsonrpc`) and `name` (`/json/2`);
//! `odoo-api.md` section 8. Texts decide only where a name is shared by two causes.
//! Not here: sending (`http`) and the frames of the two protocols (`jsonrpc`,
//! `json2`).

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::OdooError;
use crate::domain::reason::NotReady;

/// Longest sentence of Odoo's that is kept, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// Why a call to Odoo has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// Nothing was done; trying again later may help.
    #[error("Odoo is unavailable: {detail}")]
    Unavailable {
        /// What was seen, without bodies.
        detail: String,
        /// What `Retry-After` asked for, in seconds.
        retry_after_s: Option<u64>,
    },
    /// It may or may not have been done: the same call again tells.
    #[error("the outcome of the call is unknown: {detail}")]
    Unknown {
        /// What was seen, without bodies.
        detail: String,
    },
    /// Login, key or rights were refused.
    #[error("Odoo refused: {detail}")]
    Denied {
        /// Odoo's sentence.
        detail: String,
    },
    /// The record called upon does not exist.
    #[error("the record does not exist: {detail}")]
    Missing {
        /// Odoo's sentence.
        detail: String,
    },
    /// The address or the database is not what the configuration says.
    #[error("{detail}")]
    Misconfigured {
        /// One sentence.
        detail: String,
    },
    /// Any other error of Odoo's.
    #[error("Odoo answered {name}: {message}")]
    Fault {
        /// `odoo.exceptions.UserError`, `builtins.ValueError`, …
        name: String,
        /// Odoo's sentence, cut to 300 characters, without the text of the action that raised it.
        message: String,
    },
}

impl RpcError {
    /// The same for a call that writes nothing: there an unknown outcome is no outcome.
    #[must_use]
    pub fn of_a_read(self) -> Self {
        match self {
            Self::Unknown { detail } => Self::Unavailable { detail, retry_after_s: None },
            other => other,
        }
    }
}

/// What an error of running one of our actions means for the account.
impl From<RpcError> for OdooError {
    fn from(error: RpcError) -> Self {
        let reason = match error {
            RpcError::Unavailable { detail, retry_after_s } => {
                return Self::Unavailable { detail, retry_after_s };
            }
            RpcError::Unknown { detail } => return Self::Unknown { detail },
            RpcError::Denied { .. } => NotReady::Denied,
            RpcError::Missing { .. } => NotReady::ActionMissing,
            RpcError::Misconfigured { detail } => NotReady::Misconfigured { detail },
            RpcError::Fault { message, .. } => NotReady::Misconfigured { detail: message },
        };
        Self::NotReady(reason)
    }
}

/// An error Odoo named.
pub(super) fn classify_fault(name: &str, message: &str) -> RpcError {
    let detail = cut(without_source(message));
    match name {
        // A login that was deleted is a missing record too, but it is not ours to look up again.
        "odoo.exceptions.MissingError" if message.contains("res.users(") => {
            RpcError::Denied { detail }
        }
        "odoo.exceptions.MissingError" => RpcError::Missing { detail },
        "odoo.exceptions.AccessDenied"
        | "odoo.exceptions.AccessError"
        | "werkzeug.exceptions.Unauthorized" => RpcError::Denied { detail },
        "werkzeug.exceptions.ServiceUnavailable"
        | "werkzeug.exceptions.TooManyRequests"
        | "psycopg2.pool.PoolError" => unavailable(detail),
        "psycopg2.OperationalError"
            if message.contains("database") && message.contains("does not exist") =>
        {
            RpcError::Misconfigured {
                detail: "Odoo does not know the database: check odoo.database.".to_owned(),
            }
        }
        // Serialization failures that outlived Odoo's own retries, and a database that went
        // away in mid-call: the whole call was rolled back, or nobody can say.
        _ if name.starts_with("psycopg2.") => RpcError::Unknown { detail },
        "builtins.ValueError" if wraps_weather(&detail) => RpcError::Unknown { detail },
        _ => RpcError::Fault { name: cut(name), message: detail },
    }
}

/// A status that is not Odoo's own answer: a proxy's, a page, a wrong address.
pub(super) fn classify_status(status: u16, retry_after_s: Option<u64>) -> RpcError {
    let detail = format!("HTTP {status}");
    match status {
        408 | 429 | 502 | 503 => RpcError::Unavailable { detail, retry_after_s },
        300..=399 => RpcError::Misconfigured {
            detail: format!("{detail}: the address redirects; set odoo.url to where it leads."),
        },
        401 | 403 | 407 => RpcError::Denied { detail },
        404 | 410 => RpcError::Misconfigured {
            detail: format!("{detail}: no Odoo answers there, or it does not know odoo.database."),
        },
        400..=499 => RpcError::Misconfigured {
            detail: format!("{detail}: Odoo did not accept the request."),
        },
        _ => RpcError::Unknown { detail },
    }
}

/// A body that is not JSON, under a status that promises a result.
pub(super) fn classify_not_json(body: &[u8]) -> RpcError {
    if body.trim_ascii_start().starts_with(b"<") {
        return unavailable("a page instead of an answer (maintenance?)".to_owned());
    }
    RpcError::Unknown { detail: "the answer is not whole JSON".to_owned() }
}

/// An error of the HTTP client. `sent` says whether the request may have reached Odoo.
pub(super) fn classify_transfer(sent: bool, what: &str) -> RpcError {
    if sent { RpcError::Unknown { detail: what.to_owned() } } else { unavailable(what.to_owned()) }
}

/// Reads `Retry-After`, in seconds or as a date. A date is compared with the answer's own
/// `Date`: both are the server's clock.
pub(super) fn retry_after_s(retry_after: Option<&str>, date: Option<&str>) -> Option<u64> {
    let text = retry_after?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let read =
        |text: &str| -> Option<Timestamp> { Some(rfc2822::parse(text.trim()).ok()?.timestamp()) };
    let wait = read(text)?.duration_since(read(date?)?);
    u64::try_from(wait.as_secs()).ok()
}

/// Whether what `safe_eval` wrapped is a race on a unique name (the same call again finds it), or
/// the database going away or giving up in mid-call: psycopg2's `InterfaceError` (a closed
/// connection), `InternalError` (25P02 among them) and `OperationalError`. Seen as
/// `UniqueViolation('…')`, on 17 as `<class 'psycopg2.errors.UniqueViolation'>: "…"`.
fn wraps_weather(sentence: &str) -> bool {
    let class = sentence.strip_prefix("<class '").unwrap_or(sentence);
    let class = class.split(['(', '\'']).next().unwrap_or_default();
    matches!(
        class.rsplit('.').next().unwrap_or_default(),
        "UniqueViolation"
            | "InterfaceError"
            | "InternalError"
            | "InFailedSqlTransaction"
            | "OperationalError"
            | "QueryCanceled"
            | "AdminShutdown"
            | "PoolError"
    )
}

fn unavailable(detail: String) -> RpcError {
    RpcError::Unavailable { detail, retry_after_s: None }
}

/// `safe_eval` appends the whole text it ran (`… while evaluating\n"…"`): not the operator's.
fn without_source(message: &str) -> &str {
    message.split_once(" while evaluating\n").map_or(message, |(sentence, _source)| sentence)
}

/// A sentence of Odoo's, at most [`DETAIL_CHARS_MAX`] characters.
pub(super) fn cut(text: &str) -> String {
    text.trim().chars().take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a class, so that the tables below read as tables.
    fn class(error: &RpcError) -> &'static str {
        match error {
            RpcError::Unavailable { .. } => "unavailable",
            RpcError::Unknown { .. } => "unknown",
            RpcError::Denied { .. } => "denied",
            RpcError::Missing { .. } => "missing",
            RpcError::Misconfigured { .. } => "misconfigured",
            RpcError::Fault { .. } => "fault",
        }
    }

    #[test]
    fn each_recorded_error_of_odoo_has_its_class() {
        let table = [
            ("odoo.exceptions.AccessDenied", "Access Denied", "denied"),
            (
                "odoo.exceptions.AccessError",
                "You don't have enough access rights to run this action.",
                "denied",
            ),
            ("werkzeug.exceptions.Unauthorized", "Invalid apikey", "denied"),
            (
                "odoo.exceptions.MissingError",
                "Record does not exist or has been deleted.\n(Record: ir.actions.server(999999,), User: 2)",
                "missing",
            ),
            (
                "odoo.exceptions.MissingError",
                "Record does not exist or has been deleted.\n(Record: res.users(99999,), User: 99999)",
                "denied",
            ),
            (
                "psycopg2.OperationalError",
                "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"nodb\" does not exist\n",
                "misconfigured",
            ),
            ("psycopg2.OperationalError", "server closed the connection unexpectedly", "unknown"),
            (
                "psycopg2.errors.SerializationFailure",
                "could not serialize access due to concurrent update",
                "unknown",
            ),
            ("psycopg2.pool.PoolError", "The Connection Pool Is Full", "unavailable"),
            (
                "builtins.ValueError",
                "UniqueViolation('duplicate key value violates unique constraint \"ir_model_data_module_name_uniq_index\"') while evaluating\n\"out = []\"",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "KeyError('protocol') while evaluating\n\"request = 1\"",
                "fault",
            ),
            (
                "psycopg2.errors.QueryCanceled",
                "canceling statement due to statement timeout\n",
                "unknown",
            ),
            (
                "psycopg2.errors.AdminShutdown",
                "terminating connection due to administrator command\n",
                "unknown",
            ),
            ("psycopg2.InterfaceError", "connection already closed", "unknown"),
            (
                "builtins.ValueError",
                "InFailedSqlTransaction('current transaction is aborted\\n') while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "<class 'psycopg2.errors.InFailedSqlTransaction'>: \"current transaction is aborted\n\" while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "InterfaceError('connection already closed') while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "<class 'psycopg2.InterfaceError'>: \"connection already closed\" while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "QueryCanceled('canceling statement due to statement timeout\\n') while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "OperationalError('server closed the connection unexpectedly') while evaluating\n'…'",
                "unknown",
            ),
            (
                "builtins.ValueError",
                "<class 'psycopg2.errors.UniqueViolation'>: \"duplicate key\" while evaluating\n'…'",
                "unknown",
            ),
            ("builtins.ValueError", "KeyError('OperationalError') while evaluating\n'…'", "fault"),
            ("odoo.exceptions.UserError", "Concilia: this action speaks protocol 1", "fault"),
            ("builtins.AttributeError", "The method 'res.partner.nope' does not exist", "fault"),
            ("werkzeug.exceptions.NotFound", "the model 'no.such' does not exist", "fault"),
        ];
        for (name, message, expected) in table {
            assert_eq!(class(&classify_fault(name, message)), expected, "{name}: {message}");
        }
    }

    #[test]
    fn each_status_has_its_class() {
        let table = [
            (429, "unavailable"),
            (502, "unavailable"),
            (503, "unavailable"),
            (408, "unavailable"),
            (500, "unknown"),
            (504, "unknown"),
            (524, "unknown"),
            (301, "misconfigured"),
            (400, "misconfigured"),
            (404, "misconfigured"),
            (410, "misconfigured"),
            (415, "misconfigured"),
            (401, "denied"),
            (403, "denied"),
        ];
        for (status, expected) in table {
            assert_eq!(class(&classify_status(status, None)), expected, "{status}");
        }
    }

    #[test]
    fn the_action_s_own_text_is_not_part_of_the_sentence() {
        let error =
            classify_fault("builtins.ValueError", "KeyError('x') while evaluating\n\"long text\"");
        let RpcError::Fault { message, .. } = error else { panic!("{error:?}") };
        assert_eq!(message, "KeyError('x')");
    }

    #[test]
    fn sentences_are_cut_to_what_is_kept() {
        let error = classify_fault("odoo.exceptions.UserError", &"ñ".repeat(1_000));
        let RpcError::Fault { message, .. } = error else { panic!("{error:?}") };
        assert_eq!(message.chars().count(), 300);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after_s(Some(" 120 "), None), Some(120));
        assert_eq!(retry_after_s(Some("Sun, 06 Nov 1994 08:51:37 GMT"), date), Some(120));
        assert_eq!(retry_after_s(Some("Sun, 06 Nov 1994 08:00:00 GMT"), date), None);
        for bad in ["", "-5", "soon", "Sun, 99 Nov 1994"] {
            assert_eq!(retry_after_s(Some(bad), date), None, "{bad}");
        }
        assert_eq!(retry_after_s(None, date), None);
    }

    #[test]
    fn a_page_is_maintenance_and_half_an_answer_is_unknown() {
        assert_eq!(class(&classify_not_json(b"\n <!DOCTYPE html>")), "unavailable");
        assert_eq!(class(&classify_not_json(b"{\"jsonrpc\": \"2.")), "unknown");
        assert_eq!(class(&classify_not_json(b"")), "unknown");
    }

    #[test]
    fn an_unknown_outcome_of_a_read_is_no_outcome() {
        let error = RpcError::Unknown { detail: "timeout".to_owned() };
        assert_eq!(class(&error.of_a_read()), "unavailable");
    }

    #[test]
    fn what_odoo_refuses_pauses_the_account_with_its_sentence() {
        let not_ready = |error: RpcError| match OdooError::from(error) {
            OdooError::NotReady(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            not_ready(classify_fault("odoo.exceptions.AccessError", "no")),
            NotReady::Denied
        );
        assert_eq!(
            not_ready(classify_fault("odoo.exceptions.MissingError", "gone")),
            NotReady::ActionMissing
        );
        assert_eq!(
            not_ready(classify_fault("odoo.exceptions.UserError", "No journal")),
            NotReady::Misconfigured { detail: "No journal".to_owned() }
        );
    }
}
