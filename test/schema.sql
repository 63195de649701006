-- What the migrations install, told by the server's catalog: for the eye, and for review of what a
-- change makes of it. Bodies of functions stand in sql/. Rewritten, never edited:
-- UPDATE_SCHEMA=1 npx vitest run test/db/schema.pg.test.ts

create table tidemark.commits (
  "position" bigint not null,
  event_count integer not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  lsn pg_lsn,
  committed_at timestamp with time zone not null,
  constraint commits_pkey PRIMARY KEY ("position"),
  constraint commits_event_count_check CHECK ((event_count > 0)),
  constraint commits_position_check CHECK (("position" >= event_count)),
  constraint commits_transaction_key UNIQUE (incarnation, transaction_id)
);

create table tidemark.events (
  insert_id bigint generated always as identity not null,
  incarnation smallint default 1 not null,
  transaction_id xid8 default pg_current_xact_id() not null,
  stream_id text collate "C" not null,
  version bigint not null,
  event_id uuid not null,
  type text collate "C" not null,
  schema_version smallint default 1 not null,
  data jsonb not null,
  metadata jsonb default '{}'::jsonb not null,
  tags text[] default '{}'::text[] not null,
  recorded_at timestamp with time zone default clock_timestamp() not null,
  constraint events_pkey PRIMARY KEY (incarnation, transaction_id, insert_id),
  constraint events_stream_id_version_key UNIQUE (stream_id, version),
  constraint events_version_check CHECK ((version > 0))
);

create table tidemark.migrations (
  id integer default nextval('tidemark.migrations_id_seq'::regclass) not null,
  name character varying(255) not null,
  run_on timestamp without time zone not null,
  constraint migrations_pkey PRIMARY KEY (id)
);

create table tidemark.projections (
  name text collate "C" not null,
  version integer not null,
  state text not null,
  schema_name text not null,
  view_schema text not null,
  definition_hash text not null,
  created_at timestamp with time zone default now() not null,
  changed_at timestamp with time zone default now() not null,
  constraint projections_pkey PRIMARY KEY (name, version),
  constraint projections_schema_name_key UNIQUE (schema_name),
  constraint projections_state_check CHECK ((state = ANY (ARRAY['building'::text, 'ready'::text, 'live'::text, 'standby'::text, 'retired'::text]))),
  constraint projections_version_check CHECK ((version > 0))
);

create table tidemark.sequencer (
  singleton boolean default true not null,
  "position" bigint default 0 not null,
  lsn pg_lsn,
  slot_name text,
  publication text,
  generation bigint default 0 not null,
  system_identifier bigint not null,
  incarnation smallint default 1 not null,
  mode text default 'wal'::text not null,
  low_incarnation smallint default 1 not null,
  low_xid xid8 default '0'::xid8 not null,
  constraint sequencer_pkey PRIMARY KEY (singleton),
  constraint sequencer_mode_check CHECK ((mode = ANY (ARRAY['wal'::text, 'poll'::text]))),
  constraint sequencer_singleton_check CHECK (singleton)
) with (fillfactor=10);

create table tidemark.sql_objects (
  name text not null,
  hash text not null,
  installed_at timestamp with time zone default now() not null,
  constraint sql_objects_pkey PRIMARY KEY (name)
);

create table tidemark.subscriptions (
  kind text not null,
  name text collate "C" not null,
  version integer not null,
  "position" bigint default 0 not null,
  state text default 'active'::text not null,
  error jsonb,
  owner text,
  updated_at timestamp with time zone default now() not null,
  constraint subscriptions_pkey PRIMARY KEY (kind, name, version),
  constraint subscriptions_kind_check CHECK ((kind = ANY (ARRAY['projection'::text, 'reactor'::text, 'process'::text, 'relay'::text]))),
  constraint subscriptions_position_check CHECK (("position" >= 0)),
  constraint subscriptions_state_check CHECK ((state = ANY (ARRAY['active'::text, 'failed'::text])))
) with (fillfactor=20);

CREATE UNIQUE INDEX projections_live_key ON tidemark.projections USING btree (name) WHERE (state = 'live'::text);

CREATE TRIGGER commits_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.commits FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

CREATE TRIGGER events_guard AFTER INSERT ON tidemark.events REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tidemark.guard_events();

CREATE TRIGGER events_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.events FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

create type tidemark.log_row as (
  "position" bigint,
  insert_id bigint,
  stream_id text,
  version bigint,
  event_id uuid,
  type text,
  schema_version smallint,
  data jsonb,
  metadata jsonb,
  tags text[],
  recorded_at timestamp with time zone
);

create view tidemark.log as
 SELECT c."position" - c.event_count + e.rank AS "position",
    e.stream_id,
    e.version,
    e.type,
    e.data,
    e.metadata,
    e.tags,
    e.event_id,
    e.schema_version,
    e.recorded_at,
    c.committed_at,
    e.incarnation,
    e.transaction_id
   FROM tidemark.commits c
     CROSS JOIN LATERAL ( SELECT events.insert_id,
            events.incarnation,
            events.transaction_id,
            events.stream_id,
            events.version,
            events.event_id,
            events.type,
            events.schema_version,
            events.data,
            events.metadata,
            events.tags,
            events.recorded_at,
            row_number() OVER (ORDER BY events.insert_id) AS rank
           FROM tidemark.events
          WHERE events.incarnation = c.incarnation AND events.transaction_id = c.transaction_id) e;

create view tidemark.streams as
 SELECT stream_id,
    max(version) AS version,
    min(recorded_at) AS first_recorded_at,
    max(recorded_at) AS last_recorded_at
   FROM tidemark.events e
  GROUP BY stream_id;

create function tidemark.append(
  stream_id text,
  expected text,
  events jsonb,
  OUT version bigint,
  OUT token text
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.append_stream(
  stream_id text,
  expected text,
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] DEFAULT NULL::text[],
  OUT conflict boolean,
  OUT version bigint,
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.append_streams(
  stream_ids text[],
  expected text[],
  event_streams integer[],
  event_stream_ids text[],
  event_offsets integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] DEFAULT NULL::text[],
  OUT conflicts boolean[],
  OUT versions bigint[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.begin_incarnation(
  generation bigint,
  system_identifier bigint
)
  returns void
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.expectation_holds(
  expected text,
  actual bigint
)
  returns boolean
  language sql immutable parallel safe;

create function tidemark.guard_events()
  returns trigger
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.publication_fingerprint(
  publication text
)
  returns text
  language sql volatile parallel unsafe;

create function tidemark.raise_log_inconsistent(
  "position" bigint,
  promised bigint,
  held bigint
)
  returns bigint
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_commit_part(
  commit tidemark.commits,
  after bigint,
  max_events integer,
  types text[],
  after_insert_id bigint
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_log(
  after bigint,
  max_events integer,
  types text[] DEFAULT NULL::text[],
  after_insert_id bigint DEFAULT NULL::bigint
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.refuse_change()
  returns trigger
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.sequence_commits(
  generation bigint,
  after bigint,
  incarnations smallint[],
  transaction_ids xid8[],
  event_counts integer[],
  lsns pg_lsn[],
  committed_at timestamp with time zone[],
  low_xid xid8 DEFAULT NULL::xid8,
  channel text DEFAULT NULL::text,
  publication text DEFAULT NULL::text,
  OUT sequenced integer,
  OUT last_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.sequence_from_table(
  generation bigint,
  slot_name text,
  snapshot pg_snapshot,
  lsn pg_lsn,
  channel text DEFAULT NULL::text,
  publication text DEFAULT NULL::text,
  OUT sequenced integer,
  OUT last_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.snapshot_is_visible(
  snapshot pg_snapshot
)
  returns boolean
  language sql volatile parallel unsafe;

create function tidemark.stream_lock_key(
  stream_id text
)
  returns bigint
  language sql stable parallel safe;

create function tidemark.take_lead(
  generation bigint
)
  returns tidemark.sequencer
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

comment on table tidemark.commits is 'The ledger: one row per sequenced transaction, in commit order. Gives each event its position.';
comment on column tidemark.commits."position" is 'Position of the commit''s last event. The commit covers position - event_count + 1 to position.';
comment on column tidemark.commits.committed_at is 'When the transaction committed; when it was sequenced, if that came from the table.';
comment on column tidemark.commits.event_count is 'Number of events in the transaction.';
comment on column tidemark.commits.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.commits.lsn is 'End of the commit record in the WAL. Null when sequenced from the table.';
comment on column tidemark.commits.transaction_id is 'The transaction. Its events are ordered by insert_id.';
comment on table tidemark.events is 'Append-only log of events in insert order. Read it in commit order through tidemark.log.';
comment on column tidemark.events.data is 'What happened.';
comment on column tidemark.events.event_id is 'Identity of the event, a UUID of version 7 by habit.';
comment on column tidemark.events.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.events.insert_id is 'Insert order. Internal: has gaps and becomes visible out of order. Never a checkpoint.';
comment on column tidemark.events.metadata is 'Circumstances: correlationId, causationId, userId and the like.';
comment on column tidemark.events.recorded_at is 'Server''s clock at insert. Not an order: use position.';
comment on column tidemark.events.schema_version is 'Version of the type''s schema that data conforms to.';
comment on column tidemark.events.stream_id is 'Stream, named <category>-<id>.';
comment on column tidemark.events.tags is 'Labels for consistency conditions and look-ups.';
comment on column tidemark.events.transaction_id is 'Transaction that appended the event.';
comment on column tidemark.events.type is 'Event type, past tense, such as order.placed.';
comment on column tidemark.events.version is 'Place in the stream: 1, 2, 3 … without a hole.';
comment on view tidemark.log is 'Events in their one order. Order by position; filter on position for a range.';
comment on type tidemark.log_row is 'What tidemark.read_log returns: an event with its position, or the end of a run.';
comment on table tidemark.projections is 'Versions of each projection. One of them is live: its tables are what the views show.';
comment on column tidemark.projections.changed_at is 'When its state last changed.';
comment on column tidemark.projections.created_at is 'When the version was created.';
comment on column tidemark.projections.definition_hash is 'Hash of the table definitions, to detect that code and database have drifted apart.';
comment on column tidemark.projections.name is 'Name of the projection.';
comment on column tidemark.projections.schema_name is 'Schema that holds the tables of this version.';
comment on column tidemark.projections.state is 'building (catching up), ready (caught up), live (shown), standby (was live, follows), retired.';
comment on column tidemark.projections.version is 'Version, as its definition says.';
comment on column tidemark.projections.view_schema is 'Schema that holds the views on the live version.';
comment on table tidemark.sequencer is 'One row: how far the ledger is written and by which slot.';
comment on column tidemark.sequencer."position" is 'Last position in the ledger.';
comment on column tidemark.sequencer.generation is 'Raised by each leader that begins. Writes of an older one are refused.';
comment on column tidemark.sequencer.incarnation is 'Incarnation of new events.';
comment on column tidemark.sequencer.low_incarnation is 'Incarnation of low_xid. All of the earlier ones is in the ledger.';
comment on column tidemark.sequencer.low_xid is 'Each transaction of low_incarnation below it is finished and, if it appended, in the ledger.';
comment on column tidemark.sequencer.lsn is 'End of the last commit that was sequenced. Commits up to here are not taken from the WAL again.';
comment on column tidemark.sequencer.mode is 'Where commits are taken from: wal or poll.';
comment on column tidemark.sequencer.publication is 'Fingerprint of the publication with which the slot was made.';
comment on column tidemark.sequencer.singleton is 'Always true: there is one row.';
comment on column tidemark.sequencer.slot_name is 'The only replication slot that is trusted.';
comment on column tidemark.sequencer.system_identifier is 'The cluster that the current incarnation belongs to.';
comment on table tidemark.sql_objects is 'Functions, triggers and views as installed, with the hash of their text.';
comment on column tidemark.sql_objects.hash is 'SHA-256 of its text, in hexadecimal.';
comment on column tidemark.sql_objects.installed_at is 'When this text was applied.';
comment on column tidemark.sql_objects.name is 'Path of the object''s file.';
comment on view tidemark.streams is 'Streams with their versions. Reads the whole log unless stream_id is given.';
comment on table tidemark.subscriptions is 'Named, ordered deliveries of the log, each with its checkpoint.';
comment on column tidemark.subscriptions."position" is 'Checkpoint: everything up to this position has been applied.';
comment on column tidemark.subscriptions.error is 'Why the subscription failed: code, message, position and type of the event.';
comment on column tidemark.subscriptions.kind is 'What it drives: projection, reactor, process or relay.';
comment on column tidemark.subscriptions.name is 'Name of what it drives.';
comment on column tidemark.subscriptions.owner is 'Process that last applied a chunk. For people; it decides nothing.';
comment on column tidemark.subscriptions.state is 'active, or failed: a handler threw on each attempt and the subscription stands still.';
comment on column tidemark.subscriptions.updated_at is 'When it last moved or failed.';
comment on column tidemark.subscriptions.version is 'Version of the projection; 1 for other kinds.';

create publication tidemark_log for table tidemark.events (incarnation, transaction_id) insert;
