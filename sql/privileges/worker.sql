-- For workers: read the log, write ledger and seals by the functions, and move subscriptions and
-- versions of projections, whose identity stays as it is.
revoke all on schema tidemark from tidemark_worker;
revoke all on all tables in schema tidemark from tidemark_worker;
revoke all on all sequences in schema tidemark from tidemark_worker;
revoke all on all functions in schema tidemark from tidemark_worker;

grant usage on schema tidemark to tidemark_worker;

grant select
  on
    tidemark.events,
    tidemark.event_tags,
    tidemark.commits,
    tidemark.sequencer,
    tidemark.at_home,
    tidemark.subscriptions,
    tidemark.parked_events,
    tidemark.process_instances,
    tidemark.projections,
    tidemark.inline_projections,
    tidemark.outbox,
    tidemark.outbox_commits,
    tidemark.parked_messages,
    tidemark.seals,
    tidemark.seal_head
  to tidemark_worker;

grant
  insert,
  update (position, state, error, owner, updated_at, revision, partitions, next_partitions, halt_at),
  delete
  on tidemark.subscriptions
  to tidemark_worker;

grant insert, update (error, attempts), delete
  on tidemark.parked_events
  to tidemark_worker;

grant insert, update (error, attempts, is_retried), delete
  on tidemark.parked_messages
  to tidemark_worker;

grant insert, update (state, reason, position, changed_at)
  on tidemark.process_instances
  to tidemark_worker;

grant insert, update (state, is_indexed, start_position, reset_at, changed_at, tables, event_types, can_be_inline, partitions), delete
  on tidemark.projections
  to tidemark_worker;

grant execute
  on function
    tidemark.take_lead,
    tidemark.record_idle,
    tidemark.hold_ledger,
    tidemark.begin_incarnation,
    tidemark.sequence_commits,
    tidemark.sequence_from_table,
    tidemark.sequence_window,
    tidemark.follow_slot,
    tidemark.explain_polling,
    tidemark.switch_inline,
    tidemark.guard_inline_rows,
    tidemark.publish_messages,
    tidemark.trim_outbox,
    tidemark.seal_events,
    tidemark.trim_inbox
  to tidemark_worker;

grant select, insert, update (result), delete
  on tidemark.once_results
  to tidemark_worker;

grant select, insert, update (enqueued), delete
  on tidemark.job_lanes
  to tidemark_worker;

grant select, insert, delete
  on tidemark.ordered_jobs
  to tidemark_worker;

grant select, insert, update (missed_at), delete
  on tidemark.job_workers
  to tidemark_worker;

grant select, insert, delete
  on tidemark.shed_events
  to tidemark_worker;
