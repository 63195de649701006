-- Indexes for reading the log by something else than its order (docs/decisions/0011).

-- Partial, so that an event without a correlation id pays nothing. A longer id would not fit on an
-- index page and make the append fail; it is stored, and cannot be read by.
create index events_correlation_id_idx
  on tidemark.events ((metadata ->> 'correlationId'))
  where octet_length(metadata ->> 'correlationId') <= 500;

-- Ranges of pages, not rows: an append pays next to nothing. Rows are never moved, so that ranges of
-- time are ranges of pages, and so are those of ids that begin with the time (UUID version 7).
create index events_recorded_at_idx
  on tidemark.events
  using brin (recorded_at, event_id uuid_minmax_multi_ops)
  with (pages_per_range = 32, autosummarize = on);

create type tidemark.event_key as (
  incarnation smallint,
  transaction_id xid8,
  insert_id bigint
);

comment on type tidemark.event_key is
  'Names an event within the log: its primary key.';
