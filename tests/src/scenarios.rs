//! All scenarios. A file here is a sentence; it exports what it needs (`NEEDS`), where it runs (`DRIVERS`) and its
//! script (`run`).

use crate::scenario::Scenario;

macro_rules! scenarios {
    (quick: $($quick:ident),*; slow: $($slow:ident),*;) => {
        $(mod $quick;)*
        $(mod $slow;)*

        /// In the order of the table.
        pub const ALL: &[Scenario] = &[
            $(scenarios!(@one $quick, false),)*
            $(scenarios!(@one $slow, true),)*
        ];
    };
    (@one $name:ident, $slow:literal) => {
        Scenario {
            name: stringify!($name),
            needs: $name::NEEDS,
            slow: $slow,
            drivers: $name::DRIVERS,
            run: |env| Box::pin($name::run(env)),
        }
    };
}

scenarios! {
    quick:
        a_message_comes_back_as_it_was_sent,
        every_connect_function_gives_the_same_client,
        sends_start_on_the_call_and_keep_their_order,
        threads_and_tasks_share_a_producer,
        unreachable_name_server_is_an_error_in_bounded_time,
        name_server_that_is_none_is_an_error_in_bounded_time,
        one_right_name_server_is_enough,
        unknown_topic_is_refused_when_brokers_create_none,
        unknown_topic_is_created_when_brokers_create_it,
        illegal_names_are_refused_before_anything_is_sent,
        message_over_the_limit_is_refused_and_one_at_the_limit_is_not,
        broker_that_answers_nonsense_makes_no_liar,
        busy_broker_is_tried_again,
        closing_ends_every_send,
        dropping_an_admitted_send_does_not_unsend_it,
        dropping_a_held_send_never_sends_it,
        runtime_dropped_under_the_client,
        what_is_read_equals_the_store,
        seeking_goes_to_begin_end_offset_and_time,
        a_committed_offset_is_where_the_group_goes_on,
        a_paused_queue_gives_nothing_until_it_is_resumed,
        a_cancelled_poll_loses_nothing,
        a_server_that_goes_away_is_left_without_loss,
        brokers_are_reached_through_an_address_map,
        signed_requests_pass_and_others_are_refused,
        a_rotated_secret_counts_from_the_next_request,
        what_administrators_ask_is_answered_in_its_types,
        secured_connections_carry_everything,
        a_certificate_for_another_name_passes_only_by_that_name,
        an_expired_certificate_is_refused;
    slow:
        broker_killed_with_sends_in_flight,
        paused_broker_leaves_the_outcome_unknown,
        sends_go_on_when_the_name_server_is_gone,
        name_servers_may_die_in_turn,
        a_reader_goes_on_after_its_broker_was_killed,
        sends_go_to_the_other_broker_when_one_is_dead,
        lost_replies_and_requests_of_sends_make_no_liar,
        lost_pulls_skip_and_repeat_nothing,
        a_lost_offset_query_never_becomes_a_number,
        a_lost_commit_is_an_error_and_the_next_one_holds,
        lost_heartbeats_disturb_nobody,
        a_slow_narrow_sliced_line_costs_time_only,
        a_line_that_swallows_everything_ends_no_send_in_a_lie,
        whoever_is_not_who_they_should_be_is_refused,
        a_secret_changed_at_the_broker_is_taken_up_without_a_restart;
}
