//! The event store's contract, held by PostgreSQL and SQLite alike, and what only one of
//! them promises.
//!
//! [`contract`], [`work`], [`record`], [`held`], [`gaps`], [`views`], [`verify`], [`replay`] and
//! [`together`] are the contract: each function takes a [`home::Home`], a fresh database of one
//! kind. They run three times: on PostgreSQL as the
//! owner of the tables, on PostgreSQL as the role the worker should have in production
//! (`roles.sql`), and on SQLite. [`postgres`] and [`sqlite`] hold the rest, [`waiting`] what a
//! claim touches, [`laws`] the properties.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

mod contract;
mod gaps;
mod given;
mod held;
mod home;
mod laws;
mod postgres;
mod record;
mod replay;
mod sqlite;
mod together;
mod verify;
mod views;
mod waiting;
mod work;

/// Runs every function of the contract on every kind of database.
macro_rules! hold {
    ($($module:ident::$name:ident,)*) => {
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&crate::home::Home::postgres().await).await;
            })*
        }

        mod on_postgres_as_worker {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&crate::home::Home::postgres_as_worker().await).await;
            })*
        }

        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&crate::home::Home::sqlite().await).await;
            })*
        }
    };
}

hold! {
    contract::a_new_webhook_is_appended_kept_and_due,
    contract::an_event_id_is_known_for_ever,
    contract::answers_come_in_the_order_given,
    contract::one_id_in_two_accounts_is_two_events,
    contract::another_body_under_a_known_id_is_a_fact_once,
    contract::raw_bytes_and_odd_text_come_back_as_they_were,
    contract::the_log_refuses_update_and_delete,
    contract::erased_bytes_leave_the_chain_whole_and_do_not_come_back,
    contract::bytes_that_were_exchanged_are_not_taken_for_the_body,
    contract::a_changed_event_is_found_by_its_chain,
    contract::an_event_that_does_not_read_is_named,
    contract::a_follower_sees_everything_once_in_order,
    contract::a_database_of_a_newer_build_is_refused,
    work::what_is_new_goes_before_what_waits,
    work::a_claimed_stream_is_nobody_elses_until_the_lease_ends,
    work::a_lease_taken_over_leaves_the_old_holder_nothing_to_write,
    work::one_holder_claiming_twice_is_two_holders,
    work::an_arrival_during_a_lease_is_not_lost,
    work::a_stream_at_rest_is_not_due_until_something_comes,
    work::a_step_that_goes_on_keeps_the_claim,
    work::the_next_due_time_counts_leases,
    work::waking_makes_what_waits_due,
    work::waking_reaches_a_stream_that_is_claimed,
    work::a_hundred_thousand_waiting_streams_do_not_slow_a_fresh_one,
    record::facts_of_people_stand_in_order_and_wake_their_streams,
    record::a_new_webhook_goes_before_all_that_people_woke,
    record::how_far_an_odoo_was_shown_the_log_is_kept_for_each_account,
    record::a_fact_that_wakes_nobody_makes_nothing_due,
    record::a_decision_during_a_claim_is_seen_by_it_and_after_it,
    record::a_fact_on_a_condition_is_refused_once_the_stream_has_grown,
    record::a_closing_fact_is_refused_from_a_claim_to_its_release,
    record::a_thousand_facts_at_once_are_recorded_and_no_more,
    record::many_who_record_into_the_same_streams_wait_for_each_other,
    record::streams_are_woken_by_name_at_rest_too,
    record::one_holder_leads_a_role_until_its_lease_ends,
    record::one_of_many_takes_the_lead,
    views::a_list_is_filtered_by_every_word,
    views::pages_follow_each_other_without_a_gap_in_both_directions,
    views::sums_and_counts_agree_with_what_was_told,
    views::the_oldest_of_a_hundred_thousand_that_wait_is_found_at_once,
    views::what_waits_is_found_by_what_it_waits_for,
    views::a_projector_that_was_overtaken_writes_nothing,
    views::views_of_another_shape_are_made_again_and_newer_ones_refused,
    views::views_made_again_are_the_views_that_were_whoever_writes,
    views::a_row_that_somebody_changed_is_named,
    held::what_is_read_again_is_held_and_wakes_nobody,
    held::a_held_stream_is_due_when_it_is_released,
    held::a_stream_that_is_held_under_a_claim_refuses_what_the_claim_found,
    held::a_log_begins_where_its_lowest_position_is,
    verify::a_whole_log_is_found_whole,
    verify::erased_bodies_and_lost_secrets_are_counted_or_refused,
    verify::whatever_is_changed_is_named,
    verify::a_log_that_grows_is_whole_all_the_while,
    replay::an_imported_log_is_the_log_that_was,
    replay::an_imported_log_goes_on_where_it_was,
    replay::an_import_goes_on_after_what_is_there_and_refuses_another_history,
    replay::a_file_that_was_cut_or_changed_is_refused_before_anything_is_written,
    replay::a_file_whose_chain_was_forged_is_refused,
    replay::an_older_log_can_be_held_until_people_saw_what_is_open,
    replay::nothing_is_imported_while_a_worker_is_at_work,
    replay::views_are_rebuilt_on_demand,
    gaps::what_was_never_seen_is_missing,
    gaps::a_database_set_back_in_time_shows_what_it_lost,
    gaps::what_the_broker_no_longer_has_is_not_asked_for_again,
    gaps::each_broker_stream_has_its_own_gaps,
    together::workers_that_admit_the_same_event_at_once_append_it_once,
    together::streams_written_by_many_are_gapless_and_whole,
    together::a_stream_is_claimed_by_one_of_many,
    together::a_follower_among_writers_skips_nothing,
    together::many_processes_may_start_at_once,
}
