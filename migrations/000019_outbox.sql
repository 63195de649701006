-- The outbox: a second log under the same sequencer, of messages for others. It is trimmed once they are relayed.

create table tidemark.outbox (
  insert_id bigint generated always as identity,
  incarnation smallint not null default 1,
  transaction_id xid8 not null default pg_current_xact_id(),
  message_id uuid not null,
  topic text collate "C" not null,
  key text collate "C",
  data jsonb not null,
  headers jsonb not null default '{}',
  recorded_at timestamptz not null default clock_timestamp(),
  constraint outbox_pkey primary key (incarnation, transaction_id, insert_id),
  constraint outbox_topic_check check (topic ~ '^[^.*#[:space:]]+(\.[^.*#[:space:]]+)*$' and octet_length(topic) <= 255),
  constraint outbox_headers_check check (jsonb_typeof(headers) = 'object')
);

do $$
begin
  execute format(
    'alter table tidemark.outbox alter column incarnation set default %s',
    (select incarnation from tidemark.sequencer)
  );
end
$$;

comment on table tidemark.outbox is
  'Messages for others, in insert order. Written by tidemark.publish, relayed in commit order, then removed.';
comment on column tidemark.outbox.insert_id is
  'Insert order. Internal: has gaps and becomes visible out of order. Never a checkpoint.';
comment on column tidemark.outbox.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.outbox.transaction_id is
  'Transaction that published the message.';
comment on column tidemark.outbox.message_id is
  'Identity of the message: the same at each attempt to relay it.';
comment on column tidemark.outbox.topic is
  'What it is about, in words with dots between: orders.order.placed.';
comment on column tidemark.outbox.key is
  'Messages of one key are relayed in their order. Null: it depends on no other.';
comment on column tidemark.outbox.data is
  'What others are to know.';
comment on column tidemark.outbox.headers is
  'Circumstances, as texts by name: correlationId, causationId and the like.';
comment on column tidemark.outbox.recorded_at is
  'Server''s clock at insert. Not an order: use position.';

create table tidemark.outbox_commits (
  position bigint not null,
  message_count integer not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  lsn pg_lsn,
  committed_at timestamptz not null,
  constraint outbox_commits_pkey primary key (position),
  constraint outbox_commits_transaction_key unique (incarnation, transaction_id),
  constraint outbox_commits_message_count_check check (message_count > 0),
  constraint outbox_commits_position_check check (position >= message_count)
);

comment on table tidemark.outbox_commits is
  'The outbox''s ledger: one row per sequenced transaction that published, in commit order.';
comment on column tidemark.outbox_commits.position is
  'Position of the commit''s last message. It covers position - message_count + 1 to position.';
comment on column tidemark.outbox_commits.message_count is
  'Number of messages in the transaction, without those that were removed.';
comment on column tidemark.outbox_commits.incarnation is
  'Which cluster the transaction id belongs to.';
comment on column tidemark.outbox_commits.transaction_id is
  'The transaction. Its messages are ordered by insert_id.';
comment on column tidemark.outbox_commits.lsn is
  'End of the commit record in the WAL. Null when sequenced from the table.';
comment on column tidemark.outbox_commits.committed_at is
  'When the transaction committed; when it was sequenced, if that came from the table.';

alter table tidemark.sequencer add column outbox_position bigint not null default 0;

comment on column tidemark.sequencer.outbox_position is
  'Last position in the outbox''s ledger.';

-- It takes the counts of messages too now.
drop function if exists tidemark.sequence_commits(
  bigint, bigint, smallint[], xid8[], integer[], pg_lsn[], timestamptz[], xid8, text, text
);

alter table tidemark.subscriptions
  drop constraint subscriptions_kind_check,
  add constraint subscriptions_kind_check
    check (kind in ('projection', 'reactor', 'process', 'route', 'relay'));

comment on column tidemark.subscriptions.kind is
  'What it drives: projection, reactor, process, route or relay. Positions of a relay are the outbox''s.';

create table tidemark.parked_messages (
  relay text collate "C" not null,
  position bigint not null,
  message_id uuid not null,
  topic text collate "C" not null,
  key text collate "C",
  data jsonb not null,
  headers jsonb not null,
  recorded_at timestamptz not null,
  error jsonb,
  attempts integer not null default 0,
  is_retried boolean not null default false,
  parked_at timestamptz not null default clock_timestamp(),
  constraint parked_messages_pkey primary key (relay, position)
);

comment on table tidemark.parked_messages is
  'Dead letters of relays: messages that a broker will not take, and those of the same key behind them.';
comment on column tidemark.parked_messages.relay is
  'Name of the relay.';
comment on column tidemark.parked_messages.position is
  'Position of the message in the outbox, which need not have it any more.';
comment on column tidemark.parked_messages.message_id is
  'Identity of the message.';
comment on column tidemark.parked_messages.topic is
  'Its topic.';
comment on column tidemark.parked_messages.key is
  'Later messages of the same key are parked behind it. Null: none are.';
comment on column tidemark.parked_messages.data is
  'What others are to know.';
comment on column tidemark.parked_messages.headers is
  'Its headers.';
comment on column tidemark.parked_messages.recorded_at is
  'When it was published.';
comment on column tidemark.parked_messages.error is
  'Why the broker refused it: code and message. Null for a message that waits behind another.';
comment on column tidemark.parked_messages.attempts is
  'How often it was refused: when it was parked, and when it was retried.';
comment on column tidemark.parked_messages.is_retried is
  'The relay is to try it once more.';
comment on column tidemark.parked_messages.parked_at is
  'When it was parked.';
