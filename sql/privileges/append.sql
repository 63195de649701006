-- For applications: append by the functions, and read what they decide on and wait for. Nothing is
-- written but what the functions write.
revoke all on schema tidemark from tidemark_append;
revoke all on all tables in schema tidemark from tidemark_append;
revoke all on all sequences in schema tidemark from tidemark_append;
revoke all on all functions in schema tidemark from tidemark_append;

grant usage on schema tidemark to tidemark_append;

-- append_keys: a command under a key that was executed before. The last four: tokens.
grant select
  on
    tidemark.events,
    tidemark.event_tags,
    tidemark.snapshots,
    tidemark.append_keys,
    tidemark.commits,
    tidemark.sequencer,
    tidemark.at_home,
    tidemark.subscriptions,
    tidemark.parked_events,
    tidemark.projections,
    tidemark.inline_projections
  to tidemark_append;

grant execute
  on function
    tidemark.append,
    tidemark.append_stream,
    tidemark.append_streams,
    tidemark.append_group,
    tidemark.append_conditionally,
    tidemark.read_inline_debts,
    tidemark.settle_inline_debts,
    tidemark.save_snapshot
  to tidemark_append;
