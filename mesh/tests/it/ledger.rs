//! The ledger: one suite of behaviours, run against each form of the store.

mod accounting;
mod commits;
mod concurrency;
mod epochs;
mod logs;
mod memory_faults;
mod random;
mod redis_faults;
mod redis_limits;
mod shared;
mod subject;

/// Makes one test of each behaviour for each form of the store.
macro_rules! conformance {
    ($($file:ident: $($behaviour:ident),+;)+) => {
        conformance!(@form in_memory, crate::ledger::subject::Kind::Memory { partitions: 1 }; $($file: $($behaviour),+;)+);
        conformance!(@form in_memory_of_16, crate::ledger::subject::Kind::Memory { partitions: 16 }; $($file: $($behaviour),+;)+);
        conformance!(@form on_redis, crate::ledger::subject::Kind::Redis; $($file: $($behaviour),+;)+);
    };
    (@form $form:ident, $kind:expr; $($file:ident: $($behaviour:ident),+;)+) => {
        mod $form {
            $(mod $file {
                $(#[tokio::test]
                async fn $behaviour() {
                    Box::pin(crate::ledger::$file::$behaviour($kind)).await;
                })+
            })+
        }
    };
}

conformance! {
    commits:
        all_parts_of_a_commit_become_visible,
        a_record_written_and_deleted_in_one_commit_is_gone,
        a_conflict_writes_nothing_and_keeps_the_sequence,
        a_resent_commit_is_applied_once_and_answered_alike,
        a_resent_commit_whose_requirement_it_removed_is_answered_alike,
        a_fenced_writer_writes_nothing,
        a_fence_lets_later_node_epochs_pass,
        a_fence_is_never_lowered,
        a_fence_holds_in_its_partition_only,
        an_older_process_of_a_node_is_fenced_by_the_newer,
        a_new_node_epoch_joins_the_current_epoch,
        records_expire,
        a_record_may_change_its_time_to_live,
        pages_follow_the_order_of_the_index,
        a_page_leaves_out_records_that_expired,
        partitions_do_not_mix,
        an_unknown_partition_is_an_error;
    epochs:
        the_first_look_begins_an_epoch_that_stays,
        an_emptied_store_tells_every_writer,
        a_lost_tail_is_found_out_by_its_writer,
        a_lost_first_commit_is_found_out,
        renewal_begins_an_epoch_with_the_commit,
        a_resent_renewal_renews_once,
        another_writer_learns_the_new_epoch,
        a_writer_without_epoch_joins_only_with_its_first_commit,
        a_writer_that_starts_over_begins_an_epoch,
        late_copies_of_old_commits_disturb_nobody,
        a_store_that_went_back_in_time_begins_a_later_epoch;
    logs:
        positions_increase_and_entries_keep_their_order,
        a_commit_without_events_answers_the_end,
        a_read_is_limited_and_goes_on,
        an_empty_log_reads_as_empty,
        a_waiting_read_wakes_on_commit,
        a_waiting_read_ends_on_time,
        a_waiting_read_of_the_oldest_wakes_on_commit,
        waiting_reads_follow_each_other_without_a_gap,
        a_reader_of_another_epoch_is_told_at_once,
        a_waiting_reader_learns_a_new_epoch,
        time_trims_and_the_reader_is_told,
        bytes_trim_and_the_reader_is_told,
        the_newest_entry_stays_however_large,
        a_trimmed_log_that_is_empty_can_be_waited_on,
        a_place_beyond_the_end_is_not_waited_at;
    accounting:
        accounting_is_read_in_order_and_trimmed_up_to_a_place,
        accounting_survives_trimming_of_the_log_and_new_epochs,
        accounting_goes_with_an_emptied_store;
    shared:
        a_lease_gets_a_higher_epoch_at_each_start,
        a_lease_is_renewed_under_its_epoch,
        a_lease_taken_by_another_process_is_lost,
        a_lapsed_lease_stays_listed_until_removed,
        a_removed_lease_is_lost,
        removal_of_an_old_epoch_leaves_the_lease,
        an_emptied_store_takes_a_lease_as_it_is,
        a_home_is_set_by_comparison,
        a_record_is_written_once,
        a_record_written_once_can_be_forgotten_by_its_value,
        a_record_written_once_expires,
        a_record_written_once_is_replaced_by_comparison,
        a_replaced_record_expires_when_it_would_have,
        the_oldest_of_too_many_records_go,
        presence_counts_each_listener_until_it_expires,
        one_at_a_time_holds_and_the_next_learns_the_note;
    concurrency:
        eight_writers_share_a_partition,
        one_of_many_wins_a_home,
        one_of_many_writes_once;
    random:
        random_commits_agree_with_a_model;
}
