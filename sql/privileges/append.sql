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
    tidemark.shed_events,
    tidemark.process_instances,
    tidemark.projections,
    tidemark.inline_projections,
    tidemark.outbox_commits
  to tidemark_append;

-- What status counts by.
grant select (incarnation, transaction_id)
  on tidemark.outbox
  to tidemark_append;

-- What status counts and parked list shows, without what is in the messages.
grant select (relay, position, message_id, topic, key, error, attempts, is_retried, parked_at)
  on tidemark.parked_messages
  to tidemark_append;

grant execute
  on function
    tidemark.append,
    tidemark.append_stream,
    tidemark.append_streams,
    tidemark.append_group,
    tidemark.append_conditionally,
    tidemark.publish_messages,
    tidemark.publish,
    tidemark.lock_inline_keys,
    tidemark.read_inline_debts,
    tidemark.settle_inline_debts,
    tidemark.save_snapshot,
    tidemark.receive_message,
    tidemark.trim_inbox
  to tidemark_append;

-- What is done once is whoever's transaction it is done in.
grant select, insert, update (result), delete
  on tidemark.once_results
  to tidemark_append;
