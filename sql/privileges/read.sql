-- For readers: events in every order, their proof, and how far projections have come. Nothing is
-- written.
revoke all on schema tidemark from tidemark_read;
revoke all on all tables in schema tidemark from tidemark_read;
revoke all on all sequences in schema tidemark from tidemark_read;
revoke all on all functions in schema tidemark from tidemark_read;

grant usage on schema tidemark to tidemark_read;

-- snapshots: the states of long streams. The last two: verify and audit.
grant select
  on
    tidemark.log,
    tidemark.streams,
    tidemark.events,
    tidemark.event_tags,
    tidemark.snapshots,
    tidemark.commits,
    tidemark.sequencer,
    tidemark.at_home,
    tidemark.subscriptions,
    tidemark.parked_events,
    tidemark.process_instances,
    tidemark.projections,
    tidemark.inline_projections,
    tidemark.ordered_jobs,
    tidemark.shed_events,
    tidemark.outbox,
    tidemark.outbox_commits,
    tidemark.parked_messages,
    tidemark.seals,
    tidemark.seal_head
  to tidemark_read;
