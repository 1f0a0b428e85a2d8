//! Lists, a page at a time (`ventipay-api.md` 3.3, 4.8): newest first, by cursor. Pure.
//!
//! A cursor is the id of the last object seen; the page only calls it a cursor. The answer's
//! `object` is `list`, which no source shows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::ApiError;

/// Objects on a page unless asked otherwise.
const LIMIT_DEFAULT: usize = 10;

/// Most objects on a page.
const LIMIT_MAX: usize = 200;

/// What a list is asked for. Parameters unknown to us are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    limit: Option<usize>,
    starting_after: Option<String>,
    ending_before: Option<String>,
    status: Vec<String>,
    same: Vec<(String, String)>,
    created_after: Option<Timestamp>,
}

impl Query {
    /// Reads decoded query parameters.
    pub fn read<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, ApiError> {
        let mut query = Self::default();
        for (key, value) in pairs {
            match key {
                "limit" => {
                    let limit = value.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
                    query.limit =
                        Some(limit.ok_or_else(|| ApiError::invalid("limit must be 1 to 200"))?);
                }
                "starting_after" => query.starting_after = Some(value.to_owned()),
                "ending_before" => query.ending_before = Some(value.to_owned()),
                // `status[]=trialing` and `status[0]=…` are the array forms (3.3).
                key if key == "status" || key.starts_with("status[") => {
                    query.status.push(value.to_owned());
                }
                // The filters seen: `customer_id` of subscriptions, `email` and `country` of
                // customers, each exact (3.3). An object without the field is not meant.
                "customer_id" | "email" | "country" => {
                    query.same.push((key.to_owned(), value.to_owned()));
                }
                "created_after" => {
                    let bound = value
                        .parse()
                        .map_err(|_| ApiError::invalid("created_after must be an ISO 8601 time"))?;
                    query.created_after = Some(bound);
                }
                _ => {}
            }
        }
        Ok(query)
    }

    fn wants(&self, object: &Value) -> bool {
        let any = self.status.is_empty();
        let status = any || self.status.iter().any(|status| object["status"] == **status);
        let same = self.same.iter().all(|(key, value)| object[key] == **value);
        // Inclusive: the official client drops what it has seen (4.8).
        let late_enough = self.created_after.is_none_or(|bound| {
            object["created_at"]
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok())
                .is_some_and(|created| created >= bound)
        });
        status && same && late_enough
    }

    /// The page of `newest_first` that is asked for.
    pub fn page<'a>(
        &self,
        newest_first: impl Iterator<Item = &'a Value>,
    ) -> Result<Value, ApiError> {
        let rows: Vec<&Value> = newest_first.filter(|object| self.wants(object)).collect();
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        let at = |cursor: &str| {
            rows.iter()
                .position(|object| object["id"] == *cursor)
                .ok_or_else(|| ApiError::invalid("the cursor names no object of this list"))
        };
        let (from, to) = match (&self.starting_after, &self.ending_before) {
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid("give starting_after or ending_before, not both"));
            }
            (Some(cursor), None) => {
                let from = at(cursor)? + 1;
                (from, (from + limit).min(rows.len()))
            }
            (None, Some(cursor)) => {
                let to = at(cursor)?;
                (to.saturating_sub(limit), to)
            }
            (None, None) => (0, limit.min(rows.len())),
        };
        let (newer, older) = (from > 0, to < rows.len());
        let has_more = if self.ending_before.is_some() { newer } else { older };
        let page = &rows[from..to];
        let cursor = |there: bool, object: Option<&&Value>| match object {
            Some(object) if there => object["id"].clone(),
            _ => Value::Null,
        };
        Ok(json!({
            "object": "list", "data": page, "has_more": has_more,
            "next_cursor": cursor(older, page.last()),
            "previous_cursor": cursor(newer, page.first()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// e5 … e1, a second apart.
    fn rows() -> Vec<Value> {
        (1..=5)
            .rev()
            .map(|n| json!({"id": format!("e{n}"), "created_at": format!("2026-01-05T12:00:0{n}.000Z")}))
            .collect()
    }

    fn ids(pairs: &[(&str, &str)]) -> Result<(Vec<String>, bool), ApiError> {
        let rows = rows();
        let page = Query::read(pairs.iter().copied())?.page(rows.iter())?;
        let ids = page["data"].as_array().unwrap();
        let ids = ids.iter().map(|row| row["id"].as_str().unwrap().to_owned());
        Ok((ids.collect(), page["has_more"].as_bool().unwrap()))
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let page = |pairs: &[(&str, &str)]| ids(pairs).unwrap();
        assert_eq!(page(&[("limit", "2")]), (vec!["e5".into(), "e4".into()], true));
        let second = page(&[("limit", "2"), ("starting_after", "e4")]);
        assert_eq!(second, (vec!["e3".into(), "e2".into()], true));
        let last = page(&[("limit", "2"), ("starting_after", "e2")]);
        assert_eq!(last, (vec!["e1".into()], false));
        let back = page(&[("limit", "2"), ("ending_before", "e2")]);
        assert_eq!(back, (vec!["e4".into(), "e3".into()], true));
    }

    #[test]
    fn a_list_is_filtered_by_statuses_and_by_whose_it_is() {
        let rows = [
            json!({"id": "a", "status": "active", "customer_id": "cus_1"}),
            json!({"id": "b", "status": "trialing", "customer_id": "cus_1"}),
            json!({"id": "c", "status": "trialing", "customer_id": "cus_2"}),
            json!({"id": "d", "status": "unpaid"}),
        ];
        let ids = |pairs: &[(&str, &str)]| {
            let page = Query::read(pairs.iter().copied()).unwrap().page(rows.iter()).unwrap();
            let rows = page["data"].as_array().unwrap().iter();
            rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(ids(&[("status", "trialing")]), "bc");
        assert_eq!(ids(&[("status[]", "trialing"), ("status[]", "active")]), "abc");
        assert_eq!(ids(&[("status[0]", "trialing"), ("customer_id", "cus_1")]), "b");
        assert_eq!(ids(&[("email", "a@b.cl")]), "");
        assert_eq!(ids(&[("unheard", "of")]), "abcd");
    }

    #[test]
    fn created_after_is_inclusive() {
        let from = ids(&[("created_after", "2026-01-05T12:00:04.000Z")]).unwrap();
        assert_eq!(from.0, ["e5", "e4"]);
    }

    #[test]
    fn a_query_that_makes_no_sense_is_refused() {
        for pair in [
            ("limit", "0"),
            ("limit", "201"),
            ("limit", "x"),
            ("created_after", "yesterday"),
            ("starting_after", "e9"),
        ] {
            assert!(ids(&[pair]).is_err(), "{pair:?}");
        }
        assert!(ids(&[("starting_after", "e4"), ("ending_before", "e2")]).is_err());
    }
}
