-- What the migrations install, told by the server's catalog: for the eye, and for review of what a
-- change makes of it. Bodies of functions stand in sql/. Rewritten, never edited:
-- UPDATE_SCHEMA=1 npx vitest run test/db/schema.pg.test.ts

create table tidemark.append_keys (
  key text collate "C" not null,
  fingerprint bytea not null,
  versions bigint[] not null,
  incarnation smallint not null,
  transaction_id xid8 default pg_current_xact_id() not null,
  recorded_at timestamp with time zone default clock_timestamp() not null,
  constraint append_keys_pkey PRIMARY KEY (key)
);

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

create table tidemark.event_tags (
  tag text collate "C" not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  insert_id bigint not null,
  constraint event_tags_pkey PRIMARY KEY (tag, incarnation, transaction_id, insert_id)
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

create table tidemark.home (
  singleton boolean default true not null,
  table_id oid not null,
  transaction_id xid8 default pg_current_xact_id() not null,
  constraint home_pkey PRIMARY KEY (singleton),
  constraint home_singleton_check CHECK (singleton)
);

create table tidemark.imports (
  key text collate "C" not null,
  event_count bigint default 0 not null,
  last_fingerprint bytea,
  incarnation smallint,
  transaction_id xid8,
  changed_at timestamp with time zone default clock_timestamp() not null,
  constraint imports_pkey PRIMARY KEY (key),
  constraint imports_event_count_check CHECK ((event_count >= 0))
);

create table tidemark.inbox (
  source text collate "C" not null,
  message_id text collate "C" not null,
  received_at timestamp with time zone default clock_timestamp() not null,
  constraint inbox_pkey PRIMARY KEY (source, message_id),
  constraint inbox_message_id_check CHECK (((octet_length(message_id) >= 1) AND (octet_length(message_id) <= 1000))),
  constraint inbox_source_check CHECK (((octet_length(source) >= 1) AND (octet_length(source) <= 1000)))
);

create table tidemark.inline_debts (
  transaction_id xid8 default pg_current_xact_id() not null,
  first_insert_id bigint not null,
  last_insert_id bigint not null,
  name text collate "C" not null,
  version integer not null,
  constraint inline_debts_pkey PRIMARY KEY (transaction_id, first_insert_id, name),
  constraint inline_debts_refuse TRIGGER DEFERRABLE INITIALLY DEFERRED
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);

create table tidemark.inline_projections (
  name text collate "C" not null,
  version integer not null,
  types text[] not null,
  constraint inline_projections_pkey PRIMARY KEY (name),
  constraint inline_projections_version_fkey FOREIGN KEY (name, version) REFERENCES tidemark.projections(name, version)
);

create table tidemark.inline_registry (
  singleton boolean default true not null,
  revision bigint default 0 not null,
  constraint inline_registry_pkey PRIMARY KEY (singleton),
  constraint inline_registry_singleton_check CHECK (singleton)
);

create table tidemark.job_lanes (
  lane text collate "C" not null,
  enqueued bigint default 0 not null,
  constraint job_lanes_pkey PRIMARY KEY (lane)
) with (fillfactor=50);

create table tidemark.job_workers (
  id text collate "C" not null,
  schema_name text not null,
  lock_key bigint not null,
  owner text not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  missed_at timestamp with time zone,
  constraint job_workers_pkey PRIMARY KEY (id)
);

create table tidemark.migrations (
  id integer default nextval('tidemark.migrations_id_seq'::regclass) not null,
  name character varying(255) not null,
  run_on timestamp without time zone not null,
  constraint migrations_pkey PRIMARY KEY (id)
);

create table tidemark.once_results (
  scope text collate "C" not null,
  key text collate "C" not null,
  result jsonb,
  recorded_at timestamp with time zone default clock_timestamp() not null,
  constraint once_results_pkey PRIMARY KEY (scope, key)
);

create table tidemark.ordered_jobs (
  lane text collate "C" not null,
  sequence bigint generated always as identity not null,
  key text collate "C" not null,
  spec jsonb not null,
  constraint ordered_jobs_pkey PRIMARY KEY (lane, sequence),
  constraint ordered_jobs_key UNIQUE (lane, key)
);

create table tidemark.outbox (
  insert_id bigint generated always as identity not null,
  incarnation smallint default 1 not null,
  transaction_id xid8 default pg_current_xact_id() not null,
  message_id uuid not null,
  topic text collate "C" not null,
  key text collate "C",
  data jsonb not null,
  headers jsonb default '{}'::jsonb not null,
  recorded_at timestamp with time zone default clock_timestamp() not null,
  constraint outbox_pkey PRIMARY KEY (incarnation, transaction_id, insert_id),
  constraint outbox_headers_check CHECK ((jsonb_typeof(headers) = 'object'::text)),
  constraint outbox_topic_check CHECK (((topic ~ '^[^.*#[:space:]]+(\.[^.*#[:space:]]+)*$'::text) AND (octet_length(topic) <= 255)))
);

create table tidemark.outbox_commits (
  "position" bigint not null,
  message_count integer not null,
  incarnation smallint not null,
  transaction_id xid8 not null,
  lsn pg_lsn,
  committed_at timestamp with time zone not null,
  constraint outbox_commits_pkey PRIMARY KEY ("position"),
  constraint outbox_commits_message_count_check CHECK ((message_count > 0)),
  constraint outbox_commits_position_check CHECK (("position" >= message_count)),
  constraint outbox_commits_transaction_key UNIQUE (incarnation, transaction_id)
);

create table tidemark.parked_events (
  kind text not null,
  name text collate "C" not null,
  version integer not null,
  lane text collate "C" not null,
  key text collate "C" not null,
  "position" bigint not null,
  event_id uuid not null,
  type text not null,
  stream_id text collate "C" not null,
  stream_version bigint not null,
  error jsonb,
  attempts integer default 0 not null,
  parked_at timestamp with time zone default clock_timestamp() not null,
  first_partition integer default 0 not null,
  constraint parked_events_pkey PRIMARY KEY (kind, name, version, lane, "position"),
  constraint parked_events_subscription_fkey FOREIGN KEY (kind, name, version, first_partition) REFERENCES tidemark.subscriptions(kind, name, version, partition) ON DELETE CASCADE
);

create table tidemark.parked_messages (
  relay text collate "C" not null,
  "position" bigint not null,
  message_id uuid not null,
  topic text collate "C" not null,
  key text collate "C",
  data jsonb not null,
  headers jsonb not null,
  recorded_at timestamp with time zone not null,
  error jsonb,
  attempts integer default 0 not null,
  is_retried boolean default false not null,
  parked_at timestamp with time zone default clock_timestamp() not null,
  constraint parked_messages_pkey PRIMARY KEY (relay, "position")
);

create table tidemark.process_instances (
  process text collate "C" not null,
  id text collate "C" not null,
  state text not null,
  reason text,
  "position" bigint not null,
  begun_at timestamp with time zone not null,
  changed_at timestamp with time zone not null,
  constraint process_instances_pkey PRIMARY KEY (process, id),
  constraint process_instances_state_check CHECK ((state = ANY (ARRAY['running'::text, 'compensating'::text, 'stuck'::text, 'completed'::text, 'compensated'::text])))
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
  tables jsonb,
  is_indexed boolean default true not null,
  start_position bigint default 0 not null,
  reset_at timestamp with time zone,
  event_types text[],
  can_be_inline boolean default false not null,
  partitions integer default 1 not null,
  constraint projections_pkey PRIMARY KEY (name, version),
  constraint projections_partitions_check CHECK ((partitions > 0)),
  constraint projections_schema_name_key UNIQUE (schema_name),
  constraint projections_start_position_check CHECK ((start_position >= 0)),
  constraint projections_state_check CHECK ((state = ANY (ARRAY['building'::text, 'ready'::text, 'live'::text, 'standby'::text, 'retired'::text]))),
  constraint projections_version_check CHECK ((version > 0))
);

create table tidemark.seal_head (
  singleton boolean default true not null,
  "position" bigint not null,
  hash bytea not null,
  insert_id bigint,
  constraint seal_head_pkey PRIMARY KEY (singleton),
  constraint seal_head_singleton_check CHECK (singleton)
) with (fillfactor=10);

create table tidemark.seals (
  "position" bigint not null,
  event_count integer not null,
  previous_hash bytea,
  hash bytea not null,
  digests bytea not null,
  sealed_at timestamp with time zone default clock_timestamp() not null,
  constraint seals_pkey PRIMARY KEY ("position"),
  constraint seals_digests_check CHECK ((octet_length(digests) = (8 * event_count))),
  constraint seals_event_count_check CHECK (((event_count > 0) OR ("position" = 0))),
  constraint seals_hash_check CHECK ((octet_length(hash) = 32)),
  constraint seals_position_check CHECK (("position" >= event_count)),
  constraint seals_previous_hash_check CHECK (((octet_length(previous_hash) = 32) OR ((previous_hash IS NULL) AND ("position" = 0)))),
  constraint seals_previous_hash_key UNIQUE (previous_hash)
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
  snapshot pg_snapshot,
  poll_reason text,
  outbox_position bigint default 0 not null,
  constraint sequencer_pkey PRIMARY KEY (singleton),
  constraint sequencer_mode_check CHECK ((mode = ANY (ARRAY['wal'::text, 'poll'::text]))),
  constraint sequencer_singleton_check CHECK (singleton)
) with (fillfactor=10);

create table tidemark.shed_events (
  id bigint generated always as identity not null,
  reactor text collate "C" not null,
  positions bigint[] not null,
  events integer default cardinality(positions) not null,
  behind bigint not null,
  shed_at timestamp with time zone default clock_timestamp() not null,
  constraint shed_events_pkey PRIMARY KEY (reactor, id),
  constraint shed_events_positions_check CHECK ((cardinality(positions) > 0))
);

create table tidemark.snapshots (
  stream_id text collate "C" not null,
  decider text collate "C" not null,
  definition_hash text collate "C" not null,
  version bigint not null,
  event_id uuid not null,
  state json not null,
  taken_at timestamp with time zone default clock_timestamp() not null,
  constraint snapshots_pkey PRIMARY KEY (stream_id, decider, definition_hash),
  constraint snapshots_version_check CHECK ((version > 0))
);

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
  revision bigint default 0 not null,
  partition integer default 0 not null,
  partitions integer default 1 not null,
  next_partitions integer,
  halt_at bigint,
  constraint subscriptions_pkey PRIMARY KEY (kind, name, version, partition),
  constraint subscriptions_halt_at_check CHECK ((((halt_at IS NULL) = (next_partitions IS NULL)) AND (halt_at >= "position"))),
  constraint subscriptions_kind_check CHECK ((kind = ANY (ARRAY['projection'::text, 'reactor'::text, 'process'::text, 'route'::text, 'relay'::text]))),
  constraint subscriptions_next_partitions_check CHECK ((next_partitions > 0)),
  constraint subscriptions_partition_check CHECK (((partition >= 0) AND (partition < partitions))),
  constraint subscriptions_position_check CHECK (("position" >= 0)),
  constraint subscriptions_state_check CHECK ((state = ANY (ARRAY['active'::text, 'failed'::text, 'inline'::text])))
) with (fillfactor=20);

CREATE INDEX append_keys_recorded_at_idx ON tidemark.append_keys USING btree (recorded_at);

CREATE INDEX commits_committed_at_idx ON tidemark.commits USING btree (committed_at, "position");

CREATE INDEX events_correlation_id_idx ON tidemark.events USING btree (((metadata ->> 'correlationId'::text))) WHERE (octet_length((metadata ->> 'correlationId'::text)) <= 500);

CREATE INDEX events_recorded_at_idx ON tidemark.events USING brin (recorded_at, event_id uuid_minmax_multi_ops) WITH (pages_per_range='32', autosummarize='on');

CREATE INDEX inbox_received_at_idx ON tidemark.inbox USING btree (received_at);

CREATE INDEX once_results_recorded_at_idx ON tidemark.once_results USING btree (recorded_at);

CREATE INDEX process_instances_open_idx ON tidemark.process_instances USING btree (process, state) WHERE (state = ANY (ARRAY['running'::text, 'compensating'::text, 'stuck'::text]));

CREATE UNIQUE INDEX projections_live_key ON tidemark.projections USING btree (name) WHERE (state = 'live'::text);

CREATE TRIGGER commits_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.commits FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

CREATE TRIGGER event_tags_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.event_tags FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

CREATE TRIGGER events_guard AFTER INSERT ON tidemark.events REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tidemark.guard_events();

CREATE TRIGGER events_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.events FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

CREATE CONSTRAINT TRIGGER inline_debts_refuse AFTER INSERT ON tidemark.inline_debts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tidemark.refuse_inline_debt();

CREATE TRIGGER outbox_guard AFTER INSERT ON tidemark.outbox REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tidemark.guard_outbox();

CREATE TRIGGER outbox_refuse_change BEFORE UPDATE OR TRUNCATE ON tidemark.outbox FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

CREATE TRIGGER seals_refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON tidemark.seals FOR EACH STATEMENT EXECUTE FUNCTION tidemark.refuse_change();

create type tidemark.event_key as (
  incarnation smallint,
  transaction_id xid8,
  insert_id bigint
);

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

create view tidemark.at_home as
 SELECT transaction_id
   FROM tidemark.home h
  WHERE xmin = transaction_id::xid AND tableoid = table_id;

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

create function tidemark.announce_outbox(
  channel text,
  "position" bigint
)
  returns void
  language sql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.append(
  stream_id text,
  expected text,
  events jsonb,
  key text DEFAULT NULL::text,
  condition jsonb DEFAULT NULL::jsonb,
  OUT version bigint,
  OUT token text,
  OUT replayed boolean
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.append_captured(
  stream_id text,
  args text[],
  kind text,
  data jsonb,
  relation text
)
  returns void
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.append_conditionally(
  query jsonb,
  after text,
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
  tags text[],
  key text,
  OUT outcome text,
  OUT conflicts boolean[],
  OUT versions bigint[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.append_fingerprint(
  stream_ids text[],
  types text[],
  schema_versions smallint[],
  data text[],
  tags text[]
)
  returns bytea
  language sql immutable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.append_group(
  stream_ids text[],
  append_streams integer[],
  expected text[],
  counts integer[],
  keys text[],
  patient boolean,
  event_appends integer[],
  event_stream_ids text[],
  event_offsets integer[],
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[],
  OUT outcomes text[],
  OUT versions bigint[],
  OUT replayed_incarnations smallint[],
  OUT replayed_transaction_ids xid8[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.append_key_lock(
  key text
)
  returns bigint
  language sql stable parallel safe;

create function tidemark.append_stream(
  stream_id text,
  expected text,
  event_ids uuid[],
  types text[],
  schema_versions smallint[],
  data text[],
  metadata text[],
  tags text[] DEFAULT NULL::text[],
  key text DEFAULT NULL::text,
  patient boolean DEFAULT true,
  OUT outcome text,
  OUT version bigint,
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

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
  key text DEFAULT NULL::text,
  OUT outcome text,
  OUT conflicts boolean[],
  OUT versions bigint[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.begin_import(
  key text,
  imported bigint,
  stream_ids text[],
  locked text[],
  tags text[],
  OUT versions bigint[],
  OUT recorded_at text
)
  returns record
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.begin_incarnation(
  generation bigint,
  system_identifier bigint
)
  returns void
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.begin_relay(
  name text,
  after bigint
)
  returns void
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.capture_existing(
  raw jsonb,
  args text[],
  relation text
)
  returns boolean
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.capture_row()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.capture_truncate()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.captured_row(
  raw jsonb,
  args text[]
)
  returns jsonb
  language plpgsql immutable parallel safe set search_path=pg_catalog, pg_temp;

create function tidemark.captured_stream(
  raw jsonb,
  args text[],
  relation oid
)
  returns text
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.choose_index(
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone
)
  returns text
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off set enable_bitmapscan=off;

create function tidemark.choose_tag(
  tags text[],
  max_entries integer
)
  returns text
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off set enable_bitmapscan=off;

create function tidemark.condition_holds(
  query jsonb,
  after text,
  tags text[],
  key text DEFAULT NULL::text,
  streams integer DEFAULT 1
)
  returns boolean
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.count_recorded(
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone,
  max_count bigint
)
  returns bigint
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off set enable_bitmapscan=on;

create function tidemark.end_import(
  key text,
  event_count bigint,
  last_fingerprint bytea,
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language sql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.end_ordered_job(
  lane text,
  key text
)
  returns jsonb
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.event_matches(
  type text,
  stream_id text,
  metadata jsonb,
  tags text[],
  recorded_at timestamp with time zone,
  types text[],
  category text,
  all_tags text[],
  correlation_id text,
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone
)
  returns boolean
  language sql immutable parallel unsafe;

create function tidemark.expectation_holds(
  expected text,
  actual bigint
)
  returns boolean
  language sql immutable parallel safe;

create function tidemark.explain_polling(
  reason text
)
  returns void
  language sql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.find_append(
  key text,
  fingerprint bytea,
  OUT outcome text,
  OUT versions bigint[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns SETOF record
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.find_by_index(
  index_name text,
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone
)
  returns SETOF tidemark.event_key
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off;

create function tidemark.find_by_query_item(
  item jsonb,
  after pg_snapshot
)
  returns SETOF tidemark.event_key
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off set plan_cache_mode=force_generic_plan;

create function tidemark.find_event(
  event_id uuid
)
  returns SETOF tidemark.events
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off;

create function tidemark.find_events(
  stream_id text,
  expected text,
  event_ids uuid[],
  OUT version bigint,
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns SETOF record
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.find_period(
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone,
  OUT after bigint,
  OUT last bigint
)
  returns record
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off;

create function tidemark.find_published(
  sequencer tidemark.sequencer,
  snapshot pg_snapshot
)
  returns xid8[]
  language sql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.follow_slot(
  generation bigint,
  slot_name text,
  lsn pg_lsn,
  snapshot pg_snapshot,
  channel text DEFAULT NULL::text,
  publication text DEFAULT NULL::text,
  OUT sequenced integer,
  OUT last_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.guard_events()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.guard_inline_rows()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.guard_outbox()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.hand_over_row()
  returns trigger
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp set TimeZone=UTC set DateStyle=ISO, YMD set IntervalStyle=postgres set bytea_output=hex set extra_float_digits=1;

create function tidemark.hand_over_rows()
  returns trigger
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp set TimeZone=UTC set DateStyle=ISO, YMD set IntervalStyle=postgres set bytea_output=hex set extra_float_digits=1 set row_security=off;

create function tidemark.hash_events(
  after bigint,
  upto bigint,
  after_insert_id bigint
)
  returns TABLE("position" bigint, insert_id bigint, hash bytea)
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.hold_ledger()
  returns bigint
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.lock_appends(
  stream_ids text[],
  keys text[],
  tags text[]
)
  returns void
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.lock_inline_keys(
  versions text[],
  keys text[],
  OUT drawn_before bigint
)
  returns bigint
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.log_extent(
  after bigint,
  max_events integer
)
  returns bigint
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.partition_of(
  key text,
  partitions integer
)
  returns integer
  language sql immutable parallel safe;

create function tidemark.position_at_time(
  at timestamp with time zone
)
  returns bigint
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.publication_fingerprint(
  publication text
)
  returns text
  language sql volatile parallel unsafe;

create function tidemark.publish(
  topic text,
  data jsonb,
  key text DEFAULT NULL::text,
  headers jsonb DEFAULT '{}'::jsonb,
  message_id uuid DEFAULT NULL::uuid
)
  returns uuid
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.publish_messages(
  message_ids uuid[],
  topics text[],
  keys text[],
  data text[],
  headers text[],
  OUT incarnation smallint,
  OUT transaction_id xid8
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.query_token()
  returns text
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.raise_log_inconsistent(
  "position" bigint,
  promised bigint,
  held bigint
)
  returns bigint
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.raise_outbox_inconsistent(
  "position" bigint,
  promised bigint,
  held bigint
)
  returns bigint
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_causes(
  event_id uuid,
  max_events integer
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_commit_part(
  commit tidemark.commits,
  after bigint,
  max_events integer,
  types text[],
  after_insert_id bigint
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_effects(
  event_id uuid,
  max_events integer
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp set enable_seqscan=off;

create function tidemark.read_found(
  index_name text,
  after bigint,
  max_events integer,
  max_entries integer,
  types text[],
  category text,
  tags text[],
  correlation_id text,
  recorded_from timestamp with time zone,
  recorded_to timestamp with time zone,
  after_insert_id bigint
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_inline_debts()
  returns TABLE(debt_of text, debt_version integer, types text[], first_insert_id bigint, last_insert_id bigint, insert_id bigint, stream_id text, version bigint, event_id uuid, type text, schema_version smallint, data jsonb, metadata jsonb, tags text[], recorded_at timestamp with time zone)
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.read_keys(
  keys tidemark.event_key[]
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

create function tidemark.read_matching(
  after bigint,
  max_events integer,
  max_entries integer,
  max_positions integer,
  types text[] DEFAULT NULL::text[],
  category text DEFAULT NULL::text,
  tags text[] DEFAULT NULL::text[],
  correlation_id text DEFAULT NULL::text,
  recorded_from timestamp with time zone DEFAULT NULL::timestamp with time zone,
  recorded_to timestamp with time zone DEFAULT NULL::timestamp with time zone,
  after_insert_id bigint DEFAULT NULL::bigint
)
  returns SETOF tidemark.log_row
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_outbox(
  after bigint,
  max_messages integer,
  topics text[] DEFAULT NULL::text[],
  after_insert_id bigint DEFAULT NULL::bigint
)
  returns TABLE("position" bigint, insert_id bigint, message_id uuid, topic text, key text, data jsonb, headers jsonb, recorded_at timestamp with time zone)
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.read_query(
  query jsonb
)
  returns TABLE("position" bigint, stream_id text, version bigint, event_id uuid, type text, schema_version smallint, data jsonb, metadata jsonb, tags text[], recorded_at timestamp with time zone)
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.receive_message(
  source text,
  message_id text
)
  returns boolean
  language sql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.record_idle(
  generation bigint,
  lsn pg_lsn
)
  returns pg_lsn
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.refuse_change()
  returns trigger
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.refuse_inline_debt()
  returns trigger
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.refuse_schema_version(
  incarnation smallint,
  transaction_id xid8,
  insert_id bigint
)
  returns boolean
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.save_snapshot(
  stream_id text,
  decider text,
  definition_hash text,
  version bigint,
  event_id uuid,
  state text
)
  returns void
  language sql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.seal_events(
  max_events integer,
  OUT sealed integer,
  OUT last_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

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
  message_counts integer[] DEFAULT NULL::integer[],
  outbox_after bigint DEFAULT NULL::bigint,
  OUT sequenced integer,
  OUT last_position bigint,
  OUT last_outbox_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

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
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.sequence_outbox_from_table(
  sequencer tidemark.sequencer,
  snapshot pg_snapshot,
  OUT sequenced integer,
  OUT last_position bigint
)
  returns record
  language sql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.sequence_window(
  generation bigint,
  snapshot pg_snapshot,
  channel text DEFAULT NULL::text,
  OUT sequenced integer,
  OUT last_position bigint
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.settle_inline_debts(
  names text[],
  insert_ids bigint[],
  drawn_before bigint DEFAULT NULL::bigint
)
  returns void
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

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

create function tidemark.stream_version_at_position(
  stream_id text,
  up_to bigint
)
  returns bigint
  language plpgsql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.stream_version_at_time(
  stream_id text,
  at timestamp with time zone
)
  returns bigint
  language sql stable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.stream_versions(
  stream_ids text[]
)
  returns bigint[]
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.switch_inline(
  name text,
  version integer,
  OUT is_done boolean,
  OUT "position" bigint,
  OUT head bigint,
  OUT is_sequenced boolean,
  OUT is_dividing boolean
)
  returns record
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.tag_lock_key(
  tag text
)
  returns bigint
  language sql stable parallel safe;

create function tidemark.tag_lock_keys(
  tags text[]
)
  returns bigint[]
  language plpgsql stable parallel safe set search_path=pg_catalog, pg_temp;

create function tidemark.take_lead(
  generation bigint
)
  returns tidemark.sequencer
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.topic_matches(
  topic text,
  pattern text
)
  returns boolean
  language sql immutable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.topic_regex(
  pattern text
)
  returns text
  language sql immutable parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.trim_inbox(
  before timestamp with time zone,
  max_count integer
)
  returns bigint
  language sql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.trim_outbox(
  older_than interval,
  max_messages integer
)
  returns bigint
  language plpgsql volatile parallel unsafe security definer set search_path=pg_catalog, pg_temp;

create function tidemark.try_lock_tags(
  tags text[]
)
  returns boolean
  language plpgsql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

create function tidemark.write_published(
  sequencer tidemark.sequencer,
  transaction_ids xid8[]
)
  returns bigint
  language sql volatile parallel unsafe set search_path=pg_catalog, pg_temp;

comment on function tidemark.announce_outbox(pg_catalog.text,bigint) is 'Tells who listens how far the outbox is sequenced now.

channel:  where; null for silence
position: the outbox''s last one';
comment on function tidemark.append(pg_catalog.text,pg_catalog.text,pg_catalog.jsonb,pg_catalog.text,pg_catalog.jsonb) is 'Appends events to one stream. For psql and for other languages; raises where append_stream
returns a conflict.

  select * from tidemark.append(''order-1'', ''absent'', ''[{"type": "order.placed", "data": {"cents": 4200}}]'');

stream_id: the stream
expected:  any, absent, present, or the exact version that the writer saw, as text
events:    array of {type, data, schemaVersion?, id?, metadata?, tags?}, at least one
key:       makes the append idempotent: of all appends with one key, one is carried out, and the
           others get its result
condition: {"query": […], "after": "…"}: append only if no event matches the query (see read_query)
           but those that a reader has seen; after is that reader''s tidemark.query_token(), taken in
           the statement that read; without it no event may match
returns:   version: the stream''s version after the call; token: names the transaction to waitFor;
           replayed: whether it had been carried out before
raises:    TM004 the stream is not as expected; TM005 an argument is not valid; TM009 the key belongs
           to an append of other events; TM010 the condition does not hold
locks:     the key, those of the condition (see condition_holds), then the stream, until the end of
           the transaction';
comment on function tidemark.append_captured(pg_catalog.text,pg_catalog.text[],pg_catalog.text,pg_catalog.jsonb,pg_catalog.text) is 'Appends one event of a captured table, in the transaction that changed the row.

Takes no lock on the stream. Whoever changes a row holds it until he ends, so that a stream has one
writer at a time, and a statement may change any number of rows. Where somebody appends to the stream
past the capture, the insert waits for him and the version is read anew. See decision 37.

stream_id: the stream
args:      arguments of the capture''s trigger, from 0: see capture_row
kind:      captured, created, changed or deleted
data:      event data
relation:  the table, with its schema, for the metadata
raises:    TM011 the log was restored or copied here, and no incarnation has begun since
           40001 a transaction of isolation repeatable read or higher lost a race; what guard_events does
locks:     the log, shared';
comment on function tidemark.append_conditionally(pg_catalog.jsonb,pg_catalog.text,pg_catalog.text[],pg_catalog.text[],integer[],pg_catalog.text[],integer[],pg_catalog.uuid[],pg_catalog.text[],smallint[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text) is 'Appends events to many streams under a condition: no event matches a query but those that the writer
has seen (a dynamic consistency boundary, see dcb.events). In one statement of the caller''s transaction.

query:   what the decision depends on, see read_query
after:   what a read of the query gave, see condition_holds; null: no event may match
the others, returns, raises, locks: as append_streams, which see; outcome may also be
         condition failed: nothing was written
locks:   also those of condition_holds, before the streams';
comment on function tidemark.append_fingerprint(pg_catalog.text[],pg_catalog.text[],smallint[],pg_catalog.text[],pg_catalog.text[]) is 'Tells whether two appends are the same: what is appended where. Ids and metadata are left out,
because a retry may make them anew.

stream_ids: per event: its stream
types, schema_versions, data, tags: as in append_stream
returns:    SHA-256';
comment on function tidemark.append_group(pg_catalog.text[],integer[],pg_catalog.text[],integer[],pg_catalog.text[],boolean,integer[],pg_catalog.text[],integer[],pg_catalog.uuid[],pg_catalog.text[],smallint[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[]) is 'Carries out many appends of different writers in one statement and one commit, each with an outcome
of its own, as if one after the other in the order given.

stream_ids:       the streams concerned, each once
append_streams:   per append: which of these streams it is for, counted from 1
expected:         per append: any, absent, present, or the exact version that the writer saw
counts:           per append: how many events it has
keys:             per append: its key or null, as in append_stream; or null for none at all
patient:          whether to wait for other writers; if not, appends to their streams are busy
event_appends:    per event: which append it belongs to, counted from 1
event_stream_ids: per event: its stream''s id
event_offsets:    per event: 1 for the first of its append, 2 for the second …
event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
returns:          per append, as append_stream: outcomes, versions (0 for null) and, where it was
                  replayed, the transaction that appended; incarnation and transaction_id: this
                  transaction, for those appended. An append whose key another one of this call
                  has is busy, and a retry by event ids is a conflict here: do these alone.
raises:           as append_stream, and then nothing of the group is written
locks:            see lock_appends; if not patient those that are free, and at most 256 tags, the
                  appends with further ones being busy';
comment on function tidemark.append_key_lock(pg_catalog.text) is 'Gives the advisory lock on which appends of one key take turns. Taken before the locks of streams.

key:     the key
returns: key of the lock; differs between logs in one database';
comment on table tidemark.append_keys is 'Appends that were given a key, with their results. Old rows may be deleted: their keys then append anew.';
comment on column tidemark.append_keys.fingerprint is 'SHA-256 of what was appended where, without ids and metadata: tells a retry from another append.';
comment on column tidemark.append_keys.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.append_keys.key is 'What the writer calls this append, such as the id of a request.';
comment on column tidemark.append_keys.recorded_at is 'Server''s clock at insert.';
comment on column tidemark.append_keys.transaction_id is 'Transaction that appended, for the token.';
comment on column tidemark.append_keys.versions is 'Version after the append, of each stream in the order of the call.';
comment on function tidemark.append_stream(pg_catalog.text,pg_catalog.text,pg_catalog.uuid[],pg_catalog.text[],smallint[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text,boolean) is 'Appends events to one stream, in one statement of the caller''s transaction.

stream_id:       the stream
expected:        any, absent, present, or the exact version that the writer saw
event_ids:       one UUID per event; this and the arrays below have one length
types:           event types
schema_versions: versions of the types'' schemas
data:            event data, as JSON text
metadata:        metadata, as JSON text
tags:            tags, each as the text of a text[], or null for none at all
key:             makes the append idempotent: of all appends with one key, one is carried out
patient:         whether to wait for another writer of the stream, or of the key
returns:         outcome: appended;
                   conflict: the stream is not as expected, nothing was written;
                   replayed: done before, under the same key or with the same event ids at the
                     same version, nothing was written;
                   key reused: the key belongs to another append, nothing was written;
                   busy: not patient, and another writer is at it, nothing was written;
                 version: the stream''s version after the call; the actual one on a conflict; that
                 after the first append on a replay; null when busy or the key was reused;
                 incarnation and transaction_id: the transaction that appended, for a token
raises:          22P02, 22P05 a value is not valid; 23505 on events_stream_id_version_key when a
                 transaction of isolation repeatable read lost a race
locks:           see lock_appends';
comment on function tidemark.append_streams(pg_catalog.text[],pg_catalog.text[],integer[],pg_catalog.text[],integer[],pg_catalog.uuid[],pg_catalog.text[],smallint[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text) is 'Appends events to many streams, all or none, in one statement of the caller''s transaction.

stream_ids:       the streams, each once
expected:         per stream: any, absent, present, or the exact version that the writer saw
event_streams:    per event: which stream it is for, counted from 1
event_stream_ids: per event: the same stream''s id; given, because picking the n-th of many texts
                  walks over all before it
event_offsets:    per event: 1 for the first of its stream in this call, 2 for the second …
event_ids, types, schema_versions, data, metadata, tags: as in append_stream, for all events
key:              makes the whole append idempotent, as in append_stream
returns:          outcome: appended, conflict, replayed or key reused, as in append_stream;
                  conflicts: per stream, whether its expectation failed; if any did, nothing was
                  written; versions: per stream, the version after the call, the actual one on a
                  conflict; incarnation and transaction_id: the transaction, for a token
raises:           as append_stream; 23505 when a stream is named twice
locks:            see lock_appends';
comment on view tidemark.at_home is 'One row while the log is where it was written; none once it was restored elsewhere.';
comment on function tidemark.begin_import(pg_catalog.text,bigint,pg_catalog.text[],pg_catalog.text[],pg_catalog.text[]) is 'Begins to import a run of events: takes their locks and says where their streams are. The caller
then inserts them and calls end_import, in the same transaction.

key:        the import''s key
imported:   how many events of its source the caller takes for imported
stream_ids: streams of which the events have no versions yet
locked:     all streams of the events, those included
tags:       per event: its tags as the text of a text[], or null; or null for none at all
returns:    versions: of stream_ids, 0 for one without events; null when the import is somewhere
            else: another process carries it on; recorded_at: the server''s clock, as ISO 8601
locks:      the import; see lock_appends';
comment on function tidemark.begin_incarnation(bigint,bigint) is 'Begins a new incarnation: the log has moved to another cluster, where transaction ids begin anew
and mean nothing beside the old ones. Drops the trust in the old cluster''s slot. Until then nothing can
be appended where the log was restored (see guard_events).

generation:        the generation that ends
system_identifier: the cluster that the log is in now
raises:            TM007 another leader has taken over
locks:             event log and outbox exclusively, for a moment, to change a column default';
comment on function tidemark.begin_relay(pg_catalog.text,bigint) is 'Gives a relay its checkpoint, unless it has one. It begins with no message that retention may be removing.

name:  its name
after: position after which it begins, or the first that is left; null: what is published from now on
locks: the outbox''s retention, until the end of the transaction';
comment on function tidemark.capture_existing(pg_catalog.jsonb,pg_catalog.text[],pg_catalog.text) is 'Appends that a row was found, unless the last event of its stream says what the row is. The caller holds
the row, so that nobody else appends to its stream meanwhile.

raw:      the row, by to_jsonb, in a session that writes values as capture_row does
args:     arguments of the capture''s trigger, from 0: see capture_row
relation: the table, with its schema, for the metadata
returns:  whether there was an event to append
raises:   as append_captured
locks:    as append_captured';
comment on function tidemark.capture_row() is 'Appends what became of a row of a captured table. Runs with the rights of the log''s owner, so that who
changes the table need not be allowed to append. What the row was and is it gets as text from hand_over_row,
which fires right before: it runs nothing that belongs to the table''s columns.

argument 0: the category, which begins stream ids and event types
argument 1: schema version of the events
argument 2: columns whose numbers doubles cannot hold, as the text of a text[]
argument 3: columns, except or nothing: which columns argument 4 names
argument 4: columns that are recorded, or that are not, as the text of a text[]
argument 5: columns that were recorded when the capture was installed, as the text of a text[]
argument 6: and all after it: the columns of the key
returns:    null (row trigger)
raises:     55000 nothing was handed over; as append_captured
locks:      as append_captured';
comment on function tidemark.capture_truncate() is 'Appends, before a captured table is truncated, that each of its rows was deleted. hand_over_rows, which fires
right before, says what they are.

arguments: as of capture_row
returns:   null (statement trigger)
raises:    55000 nothing was handed over; as append_captured
locks:     as append_captured';
comment on function tidemark.captured_row(pg_catalog.jsonb,pg_catalog.text[]) is 'Makes of a row what an event of its capture says of it: without the columns that are left out, and with
numbers that doubles cannot hold as texts.

A column that is to be left out and is no longer there may have been renamed. Then nothing is recorded but
the columns that were there when the capture was installed: what is secret does not come out by a rename.

raw:     the row, by to_jsonb
args:    arguments of the capture''s trigger, from 0: see capture_row
returns: the row as it is recorded';
comment on function tidemark.captured_stream(pg_catalog.jsonb,pg_catalog.text[],pg_catalog.oid) is 'Names the stream of a captured row: the category and the key. Of a key of several columns the values are
parted by commas, and a comma or percent sign within a value is written %2C or %25, so that two keys never
have one name. A name over 1,000 bytes, which no stream has, is replaced by its hash.

A key column that is no longer there was renamed, or the key was changed: then it is the primary key that
the table has by now.

raw:      the row, by to_jsonb
args:     arguments of the capture''s trigger, from 0: see capture_row
relation: the table
returns:  id of the stream';
comment on function tidemark.choose_index(integer,pg_catalog.text[],pg_catalog.text,pg_catalog.text[],pg_catalog.text,timestamp with time zone,timestamp with time zone) is 'Chooses the index by which a filtered read of the log finds its events: the first that holds few
entries for its condition. Counts no further than that.

max_entries:    how many entries are few
types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
returns:        correlation, tag, category, type or time; period when there are more events of that time,
                but not so many that it is not worth while to look where they begin and end in the
                log; null when there is none: read the log';
comment on function tidemark.choose_tag(pg_catalog.text[],integer) is 'Chooses, of the tags that events are all to have, the one that the fewest have.

tags:        the tags
max_entries: events of a tag that are counted at most
returns:     the tag; null when more events than that have each of them, or there is none';
comment on table tidemark.commits is 'The ledger: one row per sequenced transaction, in commit order. Gives each event its position.';
comment on column tidemark.commits."position" is 'Position of the commit''s last event. The commit covers position - event_count + 1 to position.';
comment on column tidemark.commits.committed_at is 'When the transaction committed; when it was sequenced, if that came from the table.';
comment on column tidemark.commits.event_count is 'Number of events in the transaction.';
comment on column tidemark.commits.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.commits.lsn is 'End of the commit record in the WAL. Null when sequenced from the table.';
comment on column tidemark.commits.transaction_id is 'The transaction. Its events are ordered by insert_id.';
comment on function tidemark.condition_holds(pg_catalog.jsonb,pg_catalog.text,pg_catalog.text[],pg_catalog.text,integer) is 'Tells whether no event matches a query that a reader has not seen, and keeps it so until the end of
the transaction. Events of this transaction count as seen.

query:   see read_query
after:   the reader''s snapshot, as read_query''s caller got it from query_token; null: no event may match
tags:    tags of the events that are to be appended, as in lock_appends
key:     the key of the append, or null: a retry of an append under a key is let through, because it
         finds its own events, and is told by the key
streams: how many streams the append concerns
returns: whether the condition holds
raises:  TM005 the query or the snapshot is not valid, or the transaction is of isolation repeatable
         read or higher: its own snapshot would hide what was appended since
locks:   the log; the key; one tag of each item, alone, and the tags of the events, shared, in the
         order of the lock keys. The log alone when an item has no tags, and, because the server''s
         lock table is small, instead of more than 256 locks of tags and streams';
comment on function tidemark.count_recorded(timestamp with time zone,timestamp with time zone,bigint) is 'Counts the events of a time, no further than is asked for.

recorded_from, recorded_to: see event_matches
max_count:                  where to stop
returns:                    how many there are, at most max_count';
comment on function tidemark.end_import(pg_catalog.text,bigint,pg_catalog.bytea) is 'Notes that a run of events was imported, in the transaction that did it.

key:              the import''s key
event_count:      how many events of its source are in the log now
last_fingerprint: SHA-256 of the last of them, without id and metadata
returns:          incarnation and transaction_id: this transaction, for a token';
comment on function tidemark.end_ordered_job(pg_catalog.text,pg_catalog.text) is 'Ends a job that keeps its order, so that the next one of its lane may be enqueued.

lane:    its lane
key:     which job of it
returns: what graphile-worker is to be given next; null when the lane has no more, or when the job
         had been ended before
locks:   the lane, until the end of the transaction';
comment on type tidemark.event_key is 'Names an event within the log: its primary key.';
comment on function tidemark.event_matches(pg_catalog.text,pg_catalog.text,pg_catalog.jsonb,pg_catalog.text[],timestamp with time zone,pg_catalog.text[],pg_catalog.text,pg_catalog.text[],pg_catalog.text,timestamp with time zone,timestamp with time zone) is 'Tells whether an event is one of those that a filtered read of the log wants. A condition that is
null wants all. Written so that the planner takes it apart.

type, stream_id, metadata, tags, recorded_at: the event''s
types:          its type is one of them
category:       its stream id begins with this and a hyphen
all_tags:       it has all of them
correlation_id: its metadata has this correlationId
recorded_from:  it was recorded then or later
recorded_to:    it was recorded before
returns:        whether all of that is so';
comment on table tidemark.event_tags is 'Which events have which tag: one row for each tag of an event. Filled with the events.';
comment on column tidemark.event_tags.incarnation is 'The event''s, as in tidemark.events.';
comment on column tidemark.event_tags.insert_id is 'The event''s, as in tidemark.events.';
comment on column tidemark.event_tags.tag is 'A tag of the event.';
comment on column tidemark.event_tags.transaction_id is 'The event''s, as in tidemark.events. Tells what a reader with a snapshot has not seen.';
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
comment on function tidemark.expectation_holds(pg_catalog.text,bigint) is 'Tells whether a stream at a version is as its writer expects.

expected: any, absent, present, or a version as digits
actual:   version of the stream, 0 when it is empty
returns:  whether the expectation holds
raises:   22P02 when expected is none of these';
comment on function tidemark.explain_polling(pg_catalog.text) is 'Notes why the leader polls and does not follow the WAL, for people who ask. Nothing else reads it.

reason: one line
locks:  the sequencer row, until the end of the transaction, unless it says so already';
comment on function tidemark.find_append(pg_catalog.text,pg_catalog.bytea) is 'Finds what an append under a key has done before.

key:         the key
fingerprint: of the append at hand, see append_fingerprint
returns:     no row when the key is new; else outcome: replayed, or key reused when the key belongs
             to another append, and then the rest is null;
             versions, incarnation, transaction_id: what the append gave';
comment on function tidemark.find_by_index(pg_catalog.text,integer,pg_catalog.text[],pg_catalog.text,pg_catalog.text[],pg_catalog.text,timestamp with time zone,timestamp with time zone) is 'Finds the events that match by the one condition that an index is for, in no order, sequenced or not.

index_name: what choose_index returned for max_entries
types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
returns:    the primary keys of the events';
comment on function tidemark.find_by_query_item(pg_catalog.jsonb,pg_catalog.pg_snapshot) is 'Finds the events that match one item of a query.

item:    {types?, tags?}, see read_query
after:   only those that this snapshot does not see, and of this incarnation; null for all
returns: keys of the events';
comment on function tidemark.find_event(pg_catalog.uuid) is 'Finds an event by its id. Of two with one id, which nothing forbids, the one inserted first.

Reads the ranges of the table that ids of this time lie in; for ids that do not begin with the
time it may read all of it.

event_id: the id
returns:  one row, or none';
comment on function tidemark.find_events(pg_catalog.text,pg_catalog.text,pg_catalog.uuid[]) is 'Finds events that an append at an exact version would write, by their ids: a retry of an append that
was carried out, though its answer was lost.

stream_id: the stream
expected:  the version that the writer saw, or absent; with any other no retry can be told
event_ids: ids of the events, in order
returns:   no row unless exactly these events follow that version; else the version of the last
           one, and their incarnation and transaction_id';
comment on function tidemark.find_period(timestamp with time zone,timestamp with time zone) is 'Finds the part of the log that holds all events of a time. Times are no order of the log, but
transaction ids of such events are known to lie in a range, and so are the commits of that range.

recorded_from, recorded_to: see event_matches
returns:                    position before the part, and that of its end; nulls when there is none';
comment on function tidemark.find_published(tidemark.sequencer,pg_catalog.pg_snapshot) is 'Finds the transactions with messages that a snapshot sees and the one before it did not (see
sequence_window, which does the same for events).

sequencer: its row, with the snapshot before
snapshot:  the one that is taken now
returns:   their ids, in no order';
comment on function tidemark.follow_slot(bigint,pg_catalog.text,pg_catalog.pg_lsn,pg_catalog.pg_snapshot,pg_catalog.text,pg_catalog.text) is 'Begins a new generation of the sequencer that follows a slot, made while it polled. Writes a last window
first. The slot''s stream repeats some of what polling wrote; the snapshot of that window tells what (see
sequence_commits).

generation:  the generation that ends
slot_name:   the new slot; all that its exported snapshot sees must be visible by now
lsn:         the slot''s consistent point: the stream begins there
snapshot:    pg_current_snapshot() of the calling statement
channel:     where to announce the new position; null for silence
publication: fingerprint of the publication, taken before the slot was made
returns:     sequenced: how many commits were written; last_position: the last one now
raises:      TM007 another leader has taken over: nothing was written
locks:       the sequencer row, until the end of the transaction';
comment on function tidemark.guard_events() is 'Checks what one statement inserted into the event log, whichever way it came in: versions follow
the ones before, in insert order and without a hole, and rows carry the ids of this transaction.

Looks once per stream, not once per row: versions are unique, so a stream''s new rows are in order
and without a hole when version minus rank is the same for all and the version before exists.

Also writes the tags of the events into tidemark.event_tags, with the owner''s rights, because who
appends need not be allowed to.

And notes for which inline projections the events have to be applied before the transaction commits.

On no other table: with columns of types of their own, whose casts are theirs too, others could run
what they like with the owner''s rights.

returns: null (statement trigger)
locks:   the log and the tags, as lock_appends does
raises:  42501 it was put on another table
         TM011 the log was restored or copied here, and no incarnation has begun since
         TM002 a version leaves a hole or is out of order; TM003 an id is not this transaction''s
         TM005 an inline projection reads the events, and the transaction is of isolation repeatable
         read or higher; 40001 it is, and inline projections have changed since its snapshot
         TM013 an inline projection reads the events, and their ids were drawn before those of events
         that this transaction has applied to it already';
comment on function tidemark.guard_inline_rows() is 'Refuses to write the rows of an inline version outside of a transaction that owes it events: by hand, or
by what is left of an append whose transaction has ended under it. Put on its tables when it becomes
inline the first time.

arguments of the trigger: name and version of the projection
returns: null (statement trigger)
raises:  TM013 with the projection and its version, as JSON, in the detail';
comment on function tidemark.guard_outbox() is 'Checks what one statement inserted into the outbox, whichever way it came in: rows carry the ids of this
transaction, in the order of their insert.

returns: null (statement trigger)
raises:  42501 it was put on another table
         TM011 the log was restored or copied here, and no incarnation has begun since
         TM003 an id is not this transaction''s';
comment on function tidemark.hand_over_row() is 'Hands what became of a row of a captured table over to capture_row, which fires next.

Runs with the rights of who changes the table, because to_jsonb runs casts that a column''s type brings
along: whoever owns the type wrote them, and must not get the rights of the log''s owner by it. So what is
handed over is a text, in a setting of the session that capture_row empties at once. See decision 37.

Texts of times, bytes and numbers do not depend on how the session writes them.

returns: null (row trigger)';
comment on function tidemark.hand_over_rows() is 'Hands all rows of a captured table that is about to be truncated over to capture_truncate, which fires
next. See hand_over_row.

returns: null (statement trigger)
raises:  42501 who truncates the table may not read it, or not all of its rows; 54000 and 53200 they are too
         much for one text';
comment on function tidemark.hash_events(bigint,bigint,bigint) is 'Hashes the events of a range of positions, each by itself. The canonical form that is hashed is
described in docs/integrity.md; `tidemark verify` has a statement of its own for it, because it
trusts no function of the log''s schema.

after:           position after which the range begins
upto:            position where it ends
after_insert_id: insert_id of the event at position after, so that a commit which began before it
                 need not be counted from its start; null when not known
returns:         position, insert_id and hash of each event, in no order. An event that the ledger
                 does not promise has a position like another''s; one that is missing leaves none';
comment on function tidemark.hold_ledger() is 'Keeps the ledger as it is until the end of the transaction: appends go on, their events get positions
afterwards. For a moment in which every subscription can reach one position; use a lock_timeout.

returns: the last position
locks:   the sequencer''s row, shared, against whoever sequences';
comment on table tidemark.home is 'One row: which transaction wrote it. Where another one did, the log was restored or copied there.';
comment on column tidemark.home.singleton is 'Always true: there is one row.';
comment on column tidemark.home.table_id is 'OID of this table in the database in which the row was written.';
comment on column tidemark.home.transaction_id is 'Transaction that wrote the row: in its home also the one that the server says did.';
comment on table tidemark.imports is 'Imports from other systems, and how far they have come. A row may be deleted: its import then begins anew.';
comment on column tidemark.imports.changed_at is 'Server''s clock when it last went on.';
comment on column tidemark.imports.event_count is 'Events of its source that are in the log.';
comment on column tidemark.imports.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.imports.key is 'What the import is called.';
comment on column tidemark.imports.last_fingerprint is 'SHA-256 of the last of them, without id and metadata: tells whether the source is still the same.';
comment on column tidemark.imports.transaction_id is 'Transaction of the last of them, for the token.';
comment on table tidemark.inbox is 'Messages of others that had their effect here. Old rows may be deleted: a message that comes again then counts as new.';
comment on column tidemark.inbox.message_id is 'What its sender calls it.';
comment on column tidemark.inbox.received_at is 'When its effect began.';
comment on column tidemark.inbox.source is 'Where it came from, and for whom: ids are unique within it.';
comment on table tidemark.inline_debts is 'Events inserted by a transaction that it has yet to apply to an inline projection before it may commit.';
comment on column tidemark.inline_debts.first_insert_id is 'The first of the events that one statement inserted.';
comment on column tidemark.inline_debts.last_insert_id is 'The last of them.';
comment on column tidemark.inline_debts.name is 'Name of the projection.';
comment on column tidemark.inline_debts.transaction_id is 'The transaction.';
comment on column tidemark.inline_debts.version is 'Version of the projection.';
comment on table tidemark.inline_projections is 'Projections that appends apply themselves. Changed by tidemark.switch_inline alone.';
comment on column tidemark.inline_projections.name is 'Name of the projection.';
comment on column tidemark.inline_projections.types is 'Event types that nobody may append without applying it.';
comment on column tidemark.inline_projections.version is 'The version that is applied: the live one.';
comment on table tidemark.inline_registry is 'One row, changed with inline_projections: a transaction whose snapshot is older cannot lock it.';
comment on column tidemark.inline_registry.revision is 'Raised with each change.';
comment on column tidemark.inline_registry.singleton is 'Always true: there is one row.';
comment on table tidemark.job_lanes is 'Lanes of which graphile-worker has a job: the first of those in ordered_jobs.';
comment on column tidemark.job_lanes.enqueued is 'How often jobs came while it had some. Whoever adds or ends a job of the lane locks the row by it.';
comment on column tidemark.job_lanes.lane is 'The reactor, and what keeps its order there, such as a stream.';
comment on table tidemark.job_workers is 'Workers that run jobs. Each holds an advisory lock; when that is free for long, others take over its jobs.';
comment on column tidemark.job_workers.id is 'Under which it locks jobs.';
comment on column tidemark.job_workers.lock_key is 'Of the advisory lock that it holds.';
comment on column tidemark.job_workers.missed_at is 'Since when nobody holds its lock, as far as somebody saw. Null: it does.';
comment on column tidemark.job_workers.owner is 'The process, for people.';
comment on column tidemark.job_workers.schema_name is 'Schema of graphile-worker.';
comment on column tidemark.job_workers.started_at is 'When it began.';
comment on function tidemark.lock_appends(pg_catalog.text[],pg_catalog.text[],pg_catalog.text[]) is 'Takes the locks of appends, waiting for other writers. In one order, so that two appends cannot wait
for each other: the log, the keys, the tags, the streams, the last three in the order of the lock
keys. Above 256 streams and tags together the whole log instead of these, because the server''s lock
table is small.

stream_ids: the streams
keys:       the keys of the appends, null for one without
tags:       per event: its tags as the text of a text[], or null; or null for none at all
locks:      as said, until the end of the transaction';
comment on function tidemark.lock_inline_keys(pg_catalog.text[],pg_catalog.text[]) is 'Has those who apply events inline to the same rows take turns, until the end of their transactions: so
that events are applied to a row in the order in which they are committed, and what is read next is
what the one before has left, be it that there is no such row.

Above 256 keys the versions as a whole, because the server''s lock table is small.

versions: the versions that are written, by the schemas of their tables
keys:     what is written of them, each with its version and its part; null for all of it
returns:  the last insert_id that anybody had drawn when the turns were taken: what is inserted in these
          turns has later ones
locks:    the versions, shared or, in place of their keys, alone; then the keys; in the order of the
          lock keys, so that two appends cannot wait for each other';
comment on view tidemark.log is 'Events in their one order. Order by position; filter on position for a range.';
comment on function tidemark.log_extent(bigint,integer) is 'Tells where the run of the log ends that read_log would return.

after:      position after which to read
max_events: how many positions the run covers at most
returns:    end of the run; equal to after when there is nothing to read
raises:     TM006 the ledger does not give every position once';
comment on type tidemark.log_row is 'What tidemark.read_log returns: an event with its position, or the end of a run.';
comment on table tidemark.once_results is 'What was done once, with its result. Old rows may be deleted: what they name is then done anew.';
comment on column tidemark.once_results.key is 'Which effect of it.';
comment on column tidemark.once_results.recorded_at is 'When it was done.';
comment on column tidemark.once_results.result is 'What it gave.';
comment on column tidemark.once_results.scope is 'What the key is unique within: a piece of work, such as one job.';
comment on table tidemark.ordered_jobs is 'Jobs that run one after the other within their lane. Graphile-worker has the first; the others wait for it.';
comment on column tidemark.ordered_jobs.key is 'Names the job, for whoever ends it.';
comment on column tidemark.ordered_jobs.lane is 'What keeps its order: see job_lanes.';
comment on column tidemark.ordered_jobs.sequence is 'Order within the lane.';
comment on column tidemark.ordered_jobs.spec is 'What graphile-worker is given when it is its turn.';
comment on table tidemark.outbox is 'Messages for others, in insert order. Written by tidemark.publish, relayed in commit order, then removed.';
comment on column tidemark.outbox.data is 'What others are to know.';
comment on column tidemark.outbox.headers is 'Circumstances, as texts by name: correlationId, causationId and the like.';
comment on column tidemark.outbox.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.outbox.insert_id is 'Insert order. Internal: has gaps and becomes visible out of order. Never a checkpoint.';
comment on column tidemark.outbox.key is 'Messages of one key are relayed in their order. Null: it depends on no other.';
comment on column tidemark.outbox.message_id is 'Identity of the message: the same at each attempt to relay it.';
comment on column tidemark.outbox.recorded_at is 'Server''s clock at insert. Not an order: use position.';
comment on column tidemark.outbox.topic is 'What it is about, in words with dots between: orders.order.placed.';
comment on column tidemark.outbox.transaction_id is 'Transaction that published the message.';
comment on table tidemark.outbox_commits is 'The outbox''s ledger: one row per sequenced transaction that published, in commit order.';
comment on column tidemark.outbox_commits."position" is 'Position of the commit''s last message. It covers position - message_count + 1 to position.';
comment on column tidemark.outbox_commits.committed_at is 'When the transaction committed; when it was sequenced, if that came from the table.';
comment on column tidemark.outbox_commits.incarnation is 'Which cluster the transaction id belongs to.';
comment on column tidemark.outbox_commits.lsn is 'End of the commit record in the WAL. Null when sequenced from the table.';
comment on column tidemark.outbox_commits.message_count is 'Number of messages in the transaction, without those that were removed.';
comment on column tidemark.outbox_commits.transaction_id is 'The transaction. Its messages are ordered by insert_id.';
comment on table tidemark.parked_events is 'Dead letters: events that a subscription could not apply, and those of the same key behind them.';
comment on column tidemark.parked_events."position" is 'Position of the event in the log.';
comment on column tidemark.parked_events.attempts is 'How often it failed: when it was parked, and when it was retried.';
comment on column tidemark.parked_events.error is 'Why it could not be applied: code and message. Null for an event that waits behind another.';
comment on column tidemark.parked_events.event_id is 'Id of the event.';
comment on column tidemark.parked_events.first_partition is 'Always 0: the row of the subscription that is there however its keys are divided.';
comment on column tidemark.parked_events.key is 'What the event concerns in its lane. Later events of the same key are parked behind it.';
comment on column tidemark.parked_events.kind is 'Kind of the subscription.';
comment on column tidemark.parked_events.lane is 'The part of the subscription that has not applied the event: a table that is folded into, each, batch.';
comment on column tidemark.parked_events.name is 'Name of the subscription.';
comment on column tidemark.parked_events.parked_at is 'When it was parked.';
comment on column tidemark.parked_events.stream_id is 'Stream of the event.';
comment on column tidemark.parked_events.stream_version is 'Version of the event in its stream.';
comment on column tidemark.parked_events.type is 'Type of the event.';
comment on column tidemark.parked_events.version is 'Version of the subscription.';
comment on table tidemark.parked_messages is 'Dead letters of relays: messages that a broker will not take, and those of the same key behind them.';
comment on column tidemark.parked_messages."position" is 'Position of the message in the outbox, which need not have it any more.';
comment on column tidemark.parked_messages.attempts is 'How often it was refused: when it was parked, and when it was retried.';
comment on column tidemark.parked_messages.data is 'What others are to know.';
comment on column tidemark.parked_messages.error is 'Why the broker refused it: code and message. Null for a message that waits behind another.';
comment on column tidemark.parked_messages.headers is 'Its headers.';
comment on column tidemark.parked_messages.is_retried is 'The relay is to try it once more.';
comment on column tidemark.parked_messages.key is 'Later messages of the same key are parked behind it. Null: none are.';
comment on column tidemark.parked_messages.message_id is 'Identity of the message.';
comment on column tidemark.parked_messages.parked_at is 'When it was parked.';
comment on column tidemark.parked_messages.recorded_at is 'When it was published.';
comment on column tidemark.parked_messages.relay is 'Name of the relay.';
comment on column tidemark.parked_messages.topic is 'Its topic.';
comment on function tidemark.partition_of(pg_catalog.text,integer) is 'Tells to which partition a key belongs. The worker computes the same; see src/subscriptions/partitions/hash-text.ts.

key:        a key, such as a stream''s id
partitions: how many there are, from 1
returns:    from 0';
comment on function tidemark.position_at_time(timestamp with time zone) is 'Finds the position that the log had reached at a time: that of the last commit until then, by the
server''s clock.

at:      a time; a commit counts if it was within the millisecond that begins there, because
         languages whose clocks have milliseconds read its time as that
returns: the position, 0 when the log was empty';
comment on table tidemark.process_instances is 'How the instances of processes are doing. Written with what they answer, which their streams hold in full.';
comment on column tidemark.process_instances."position" is 'Position of the event that it was told last.';
comment on column tidemark.process_instances.begun_at is 'When the event that began it was recorded.';
comment on column tidemark.process_instances.changed_at is 'When the event that it was told last was recorded.';
comment on column tidemark.process_instances.id is 'What its events name the instance by. Its stream is process:<process>-<id>.';
comment on column tidemark.process_instances.process is 'Name of the process.';
comment on column tidemark.process_instances.reason is 'Why it failed.';
comment on column tidemark.process_instances.state is 'stuck: a command was given up, or a compensation refused. completed, compensated: over, for ever.';
comment on table tidemark.projections is 'Versions of each projection. One of them is live: its tables are what the views show.';
comment on column tidemark.projections.can_be_inline is 'Whether its definition does without positions, which events do not have while they are appended.';
comment on column tidemark.projections.changed_at is 'When its state last changed.';
comment on column tidemark.projections.created_at is 'When the version was created.';
comment on column tidemark.projections.definition_hash is 'Hash of the table definitions, to detect that code and database have drifted apart.';
comment on column tidemark.projections.event_types is 'Event types that it reads. Null for a version that no worker has looked at since it was made.';
comment on column tidemark.projections.is_indexed is 'Whether its secondary indexes and foreign keys are made: for a version that is rebuilt, at the end.';
comment on column tidemark.projections.name is 'Name of the projection.';
comment on column tidemark.projections.partitions is 'Into how many parts its keys are to be divided. While it is built they may be others.';
comment on column tidemark.projections.reset_at is 'When it was last emptied, to be built anew; null: never.';
comment on column tidemark.projections.schema_name is 'Schema that holds the tables of this version.';
comment on column tidemark.projections.start_position is 'Its rows come from the events after this position alone; 0: from the whole log.';
comment on column tidemark.projections.state is 'building (catching up), ready (caught up), live (shown), standby (was live, follows), retired.';
comment on column tidemark.projections.tables is 'Its tables as they were made: columns, types, nullability and keys. Null for versions made before.';
comment on column tidemark.projections.version is 'Version, as its definition says.';
comment on column tidemark.projections.view_schema is 'Schema that holds the views on the live version.';
comment on function tidemark.publication_fingerprint(pg_catalog.text) is 'Identifies a publication as it stands: any change of it, even one that was undone, changes this.
What was appended while it published less is in the WAL but not in the stream, so a slot is
trusted only while the publication is the one it was made with.

publication: its name
returns:     the row versions that make it up; null when it does not exist';
comment on function tidemark.publish(pg_catalog.text,pg_catalog.jsonb,pg_catalog.text,pg_catalog.jsonb,pg_catalog.uuid) is 'Publishes one message: writes it into the outbox, in the caller''s transaction. It is relayed once that has
committed. Made for psql, other languages and triggers.

    select tidemark.publish(''orders.order.placed'', ''{"orderId": "7"}'', ''order-7'');

topic:      what it is about, in words with dots between
data:       what others are to know, at most 1 MiB with the headers
key:        messages of one key are relayed in their order; null: it depends on no other
headers:    circumstances: an object with texts
message_id: its identity, by which receivers know a message that comes twice; default: a new one
returns:    the message''s id
raises:     TM005 data is null, the message is too large, or a header is not a text
            23514 the topic is not words with dots between; TM011 see guard_outbox';
comment on function tidemark.publish_messages(pg_catalog.uuid[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[],pg_catalog.text[]) is 'Publishes messages: writes them into the outbox, in the caller''s transaction. They are relayed once
that has committed, in the order given here. Programs call this; tidemark.publish is for people.

message_ids, topics, keys, data, headers: one element per message; data and headers are JSON as text;
         a null key: the message depends on no other; null headers: none at all
returns: incarnation and transaction_id: this transaction
raises:  23514 a topic is not words with dots between, or headers are no object; what guard_outbox does';
comment on function tidemark.query_token() is 'Says what this statement sees, for the condition of an append.

returns: <incarnation>.<run of the server>/<pg_snapshot>. Whoever is outside of this transaction takes
         none of its events for seen: those which it writes from now on are not, and the snapshot cannot
         tell them apart. Another run may have lost what this statement sees, and give its transaction
         ids to others.';
comment on function tidemark.raise_log_inconsistent(bigint,bigint,bigint) is 'Stops a reader that found another number of events than the ledger promises. Nothing may be
skipped and nothing made up, so there is no way on but to find out what happened.

position: end of the run of positions in question
promised: events that the ledger promises for the run
held:     events that the table holds
returns:  never
raises:   TM006';
comment on function tidemark.raise_outbox_inconsistent(bigint,bigint,bigint) is 'Stops a reader that found another number of messages than the outbox''s ledger promises. See
raise_log_inconsistent.

position: end of the run of positions in question
promised: messages that the ledger promises for the run
held:     messages that the table holds
returns:  never
raises:   TM006';
comment on function tidemark.read_causes(pg_catalog.uuid,integer) is 'Follows metadata.causationId from an event back to its root: to where it names no event of the log.

event_id:   the event
max_events: events to return at most
returns:    the event and its causes, the root last; no row when there is no such event';
comment on function tidemark.read_commit_part(tidemark.commits,bigint,integer,pg_catalog.text[],bigint) is 'Reads part of one large commit. See read_log, whose parameters and result these are.

commit: the commit that covers the position after read_commit_part.after';
comment on function tidemark.read_effects(pg_catalog.uuid,integer) is 'Follows metadata.causationId from an event to all that it caused, directly or not, among the events
of its correlation: those with the same metadata.correlationId, or with the event''s own id there
when it has none.

event_id:   the event
max_events: events to return at most; those caused more directly come in first
returns:    the event and its effects in the order of the log; no row when there is no such event';
comment on function tidemark.read_found(pg_catalog.text,bigint,integer,integer,pg_catalog.text[],pg_catalog.text,pg_catalog.text[],pg_catalog.text,timestamp with time zone,timestamp with time zone,bigint) is 'Reads a page of the log through an index. See read_matching, whose parameters and result these are.

Brings what it finds into the order of the log, by a look-up in the ledger for each event. Not by a
join of the planner''s choice: that may be of the whole ledger.

index_name: what choose_index returned for max_entries';
comment on function tidemark.read_inline_debts() is 'Reads what this transaction has appended and has yet to apply to inline projections.

returns: for each debt a row with debt_of, debt_version, the types that the version is said to read,
         and the first and last insert_id of the events; then the events, in their order, as they are
         stored, each once';
comment on function tidemark.read_keys(tidemark.event_key[]) is 'Reads events by their keys.

Positions are counted from the event before among the given ones, so that a commit of any size is
gone through once, in its index.

keys:    the events
returns: the events in the order of the log; those that are not sequenced yet come last, by
         insert_id, and have no position';
comment on function tidemark.read_log(bigint,integer,pg_catalog.text[],bigint) is 'Reads the log in its one order: a run of events after a position, then one row that ends the run.

A run holds whole commits, so that a reader never applies half a commit, except where one commit
alone is larger than max_events; that one is read in parts.

after:           position after which to read
max_events:      how many positions the run covers at most
types:           event types to return, null for all; positions are those of the whole log
after_insert_id: within a commit read in parts: insert_id of the row that ended the part before,
                 so that the rows before it need not be counted again; null when not known
returns:         events, ascending by position; then a row with a null stream_id whose position
                 is the end of the run (equal to after when there is nothing to read) and whose
                 insert_id is the after_insert_id for the next call
raises:          TM006 the table and the ledger disagree';
comment on function tidemark.read_matching(bigint,integer,integer,integer,pg_catalog.text[],pg_catalog.text,pg_catalog.text[],pg_catalog.text,timestamp with time zone,timestamp with time zone,bigint) is 'Reads the sequenced events that match, in the order of the log: a page of them after a position,
then one row that ends the page.

Goes through an index when one holds few entries for a condition, else through the log. One call
does a bounded piece of work, so that a page may hold fewer events although more follow.

after:           position after which to read
max_events:      events of the page at most, 1 or more
max_entries:     index entries to bring in order at most; with 0 an index only tells that there is
                 nothing
max_positions:   positions to go through at most where no index is used, 1 or more
types, category, tags, correlation_id, recorded_from, recorded_to: see event_matches
after_insert_id: insert_id of the row that ended the page before; null when not known
returns:         events, ascending by position; then a row with a null stream_id: all up to its
                 position has been read, its insert_id is the after_insert_id for the next call, and
                 its type the index that was used, null for the log
raises:          TM006 the table and the ledger disagree';
comment on function tidemark.read_outbox(bigint,integer,pg_catalog.text[],bigint) is 'Reads the outbox in its one order: a run of messages after a position, then one row that ends the run.

after:           position after which to read
max_messages:    how many positions the run covers at most
topics:          patterns (see topic_matches) of which a message has to match one; null for all
after_insert_id: insert_id of the row that ended the run before, so that the rows of a large commit
                 need not be counted again; null when not known
returns:         messages, ascending by position; then a row without an id whose position is the end of
                 the run (equal to after when there is nothing to read) and whose insert_id is the
                 after_insert_id for the next call
raises:          TM006 the table and the ledger disagree';
comment on function tidemark.read_query(pg_catalog.jsonb) is 'Reads the events that match a query, as this statement''s snapshot has them, sequenced or not.

query:   array of items {types?, tags?}: an event matches an item when its type is one of the types,
         if given, and it has all of the tags; it matches the query when it matches an item. An
         item without tags goes through all events of its types
returns: the events: sequenced ones by position, then the others in insert order';
comment on function tidemark.receive_message(pg_catalog.text,pg_catalog.text) is 'Notes that a message of others has its effect in this transaction.

source:     where it came from, and for whom
message_id: what its sender calls it
returns:    false when it had its effect before: then there is nothing to do
locks:      the message, until the end of the transaction: whoever has the same one waits, and is told
            false, or true when this transaction is rolled back
raises:     40001 within repeatable read, when the message had its effect after the snapshot';
comment on function tidemark.record_idle(bigint,pg_catalog.pg_lsn) is 'Records how far the WAL was read while the log was idle, so that the slot may be confirmed for that. No
slot is confirmed for more than what is recorded here: one that is was made by somebody else, and lacks
what it was not there for.

generation: the leader''s generation
lsn:        every commit that ends here or before is in the ledger, or has no events
returns:    what is recorded now; null when another leader has taken over';
comment on function tidemark.refuse_change() is 'Refuses update, delete and truncate of an append-only table, for its owner too.

returns: never
raises:  TM001 the table is append-only';
comment on function tidemark.refuse_inline_debt() is 'Refuses to commit events that were not applied to a projection which every append has to apply.

returns: null (deferred row trigger)
raises:  TM013 with the projection and its version, as JSON, in the detail';
comment on function tidemark.refuse_schema_version(smallint,pg_catalog.xid8,bigint) is 'Stops a statement that reads stored events by itself at one in another shape than it was written for.

incarnation, transaction_id, insert_id: of the event, which has a position
returns: never
raises:  TM012';
comment on function tidemark.save_snapshot(pg_catalog.text,pg_catalog.text,pg_catalog.text,bigint,pg_catalog.uuid,pg_catalog.text) is 'Keeps a decider''s state. Does nothing when the stream has no such event, or a newer state is kept.

stream_id:       the stream
decider:         name of the decider
definition_hash: of the code that made the state
version:         version of the stream after which the state was taken
event_id:        the event of that version; a state of events that were never committed, or of a
                 log that was restored to before them, is not kept
state:           the state, as JSON text
returns:         nothing
raises:          22P02 the state is not JSON
locks:           the rows of the stream in snapshots';
comment on function tidemark.seal_events(integer) is 'Seals the next run of sequenced events: continues the hash chain by their hashes and writes one
row with where it has come to. What the chain is at a position depends on the log alone, not on
how it was divided into runs, so that a seal that was lost with a crash is written again the same.

max_events: how many events the run covers at most; 10,000 if it is more
returns:    sealed: events of the run, 0 when there are none; null when another session is sealing;
            last_position: position of the last seal now; null when another session is sealing
raises:     TM006 the table and the ledger disagree: nothing was written
            23505 on seals_previous_hash_key: the chain would fork
locks:      the row of seal_head, until the end of the transaction; nothing else waits for it';
comment on table tidemark.seal_head is 'One row: the last seal. Who seals locks it, so that the chain cannot fork.';
comment on column tidemark.seal_head."position" is 'Position of the last seal.';
comment on column tidemark.seal_head.hash is 'Hash of the last seal.';
comment on column tidemark.seal_head.insert_id is 'insert_id of the last sealed event, so that a large commit need not be counted from its start.';
comment on column tidemark.seal_head.singleton is 'Always true: there is one row.';
comment on table tidemark.seals is 'The hash chain over all events in the order of their positions, one row per run of events.';
comment on column tidemark.seals."position" is 'Position of the run''s last event. The row at 0 begins the chain.';
comment on column tidemark.seals.digests is 'First 8 bytes of the SHA-256 of each event, one after the other: to name the one that changed.';
comment on column tidemark.seals.event_count is 'Number of events in the run. It covers position - event_count + 1 to position.';
comment on column tidemark.seals.hash is 'The chain''s hash at the position. At 0 it is random: the identity of the log.';
comment on column tidemark.seals.previous_hash is 'Hash of the seal before. Null at position 0.';
comment on column tidemark.seals.sealed_at is 'Server''s clock when the run was sealed. For people: the chain does not cover it.';
comment on function tidemark.sequence_commits(bigint,bigint,smallint[],pg_catalog.xid8[],integer[],pg_catalog.pg_lsn[],timestamp with time zone[],pg_catalog.xid8,pg_catalog.text,pg_catalog.text,integer[],bigint) is 'Writes a run of commits into the ledger, and into the outbox''s, in the order in which the WAL delivered them. Only the
commits that a plain snapshot sees are written, and of those only the ones before the first that
it does not see yet: the WAL can deliver a commit before it is visible, while a synchronous
standby lags, and nobody may see a position without its events. A commit that polling wrote, while
the slot was made, is passed over: the sequencer''s snapshot sees it.

generation:      the leader''s generation
after:           position that the leader believes to be the last
incarnations, transaction_ids, event_counts, lsns, committed_at: one element per commit; lsns are
                 the ends of the commit records, ascending
low_xid:         new value of sequencer.low_xid, null to leave it
channel:         where to announce the new position; null for silence
publication:     the publication that the commits came through; null when they came otherwise
message_counts:  messages of each commit; null when none has any. A commit without events has a 0 in
                 event_counts, one without messages in these
outbox_after:    position of the outbox that the leader believes to be the last; null: not compared
returns:         sequenced: how many commits the ledger has now; last_position: the last one now;
                 last_outbox_position: that of the outbox
raises:          TM007 another leader has taken over: nothing was written
                 TM008 the publication has changed since the slot was made: nothing was written
                 23505 on commits_transaction_key: the commit is in the ledger already
locks:           the sequencer row, until the end of the transaction';
comment on function tidemark.sequence_from_table(bigint,pg_catalog.text,pg_catalog.pg_snapshot,pg_catalog.pg_lsn,pg_catalog.text,pg_catalog.text) is 'Begins a new generation of the sequencer on a new slot, or without one by polling, and continues the
ledger, and the outbox''s, exactly from the tables: commits that the snapshot sees and the ledger does not have are written
now, in the order of their last insert_id; all others follow in the slot''s stream, or in the next
window (see sequence_window).

Insert ids of one window respect causality: who saw a commit drew a later one. So each stream''s
versions, and whatever followed from what, keep their order.

generation: the generation that ends
slot_name:  the new slot; null: the sequencer polls from now on
snapshot:   the snapshot exported with the slot, or a plain one; everything it sees must be visible by now
lsn:        the slot''s consistent point: the stream begins there; null without a slot
channel:    where to announce the new position; null for silence
publication: fingerprint of the publication, taken before the slot was made
returns:    sequenced: how many rows both ledgers have got; last_position: the last one of events now
raises:     TM007 another leader has taken over: nothing was written
locks:      the sequencer row, until the end of the transaction';
comment on function tidemark.sequence_outbox_from_table(tidemark.sequencer,pg_catalog.pg_snapshot) is 'Continues the outbox''s ledger from the table, as sequence_from_table, which calls it, does for events.
The caller holds the sequencer''s row.

sequencer: its row
snapshot:  everything that it sees, and the ledger does not have, is written
returns:   sequenced: how many commits were written; last_position: the outbox''s last one now';
comment on function tidemark.sequence_window(bigint,pg_catalog.pg_snapshot,pg_catalog.text) is 'Writes into the ledger, and into the outbox''s, what a snapshot sees and the one before it does not, in the order of the last
insert_id of each transaction (see sequence_from_table). Never waits for a long transaction, and costs
no more while there is one: a transaction that the snapshot before saw under way is looked up by its
id, all others begin at its end.

generation: the leader''s generation
snapshot:   pg_current_snapshot() of the calling statement
channel:    where to announce the new position; null for silence
returns:    sequenced: how many rows both ledgers have got; last_position: the last one of events now
raises:     TM007 another leader has taken over: nothing was written
locks:      the sequencer row, until the end of the transaction, when there is something to write';
comment on table tidemark.sequencer is 'One row: how far the ledger is written and by which slot.';
comment on column tidemark.sequencer."position" is 'Last position in the ledger.';
comment on column tidemark.sequencer.generation is 'Raised by each leader that begins. Writes of an older one are refused.';
comment on column tidemark.sequencer.incarnation is 'Incarnation of new events.';
comment on column tidemark.sequencer.low_incarnation is 'Incarnation of low_xid. All of the earlier ones is in the ledger.';
comment on column tidemark.sequencer.low_xid is 'Each transaction of low_incarnation below it is finished and, if it appended, in the ledger.';
comment on column tidemark.sequencer.lsn is 'Each commit of the WAL that ends here or before is in the ledger or has no events. Confirmed at most.';
comment on column tidemark.sequencer.mode is 'Where commits are taken from: wal or poll.';
comment on column tidemark.sequencer.outbox_position is 'Last position in the outbox''s ledger.';
comment on column tidemark.sequencer.poll_reason is 'Mode poll: why the leader does not follow the WAL. Null in mode wal.';
comment on column tidemark.sequencer.publication is 'Fingerprint of the publication with which the slot was made.';
comment on column tidemark.sequencer.singleton is 'Always true: there is one row.';
comment on column tidemark.sequencer.slot_name is 'The only replication slot that is trusted.';
comment on column tidemark.sequencer.snapshot is 'What polling wrote: all that this snapshot sees is in the ledger. Null once the WAL repeats none of it.';
comment on column tidemark.sequencer.system_identifier is 'The cluster that the current incarnation belongs to.';
comment on function tidemark.settle_inline_debts(pg_catalog.text[],bigint[],bigint) is 'Notes that this transaction has applied events to inline projections, or is about to, before it may
commit.

names:        the projections, one element per debt
insert_ids:   the first insert_id of each debt
drawn_before: what lock_inline_keys gave when the turns of the rows were taken; null when no row is
              written
raises:       TM013 a debt was settled already, so that its events would be applied twice; or this
              transaction has inserted nothing in its turns: it comes after those who had their turns
              before, and its events before theirs, in a ledger that follows insert ids';
comment on table tidemark.shed_events is 'Events that reactors passed over under load, a chunk in a row. Written with the checkpoint that passes them.';
comment on column tidemark.shed_events.behind is 'Positions between the reactor and the head of the log at that moment.';
comment on column tidemark.shed_events.events is 'How many they are.';
comment on column tidemark.shed_events.id is 'In the order of the log, for each reactor.';
comment on column tidemark.shed_events.positions is 'Positions of the events, ascending.';
comment on column tidemark.shed_events.reactor is 'Name of the reactor.';
comment on column tidemark.shed_events.shed_at is 'When it passed them over.';
comment on function tidemark.snapshot_is_visible(pg_catalog.pg_snapshot) is 'Tells whether a plain snapshot taken now sees every transaction that the given one sees. A slot''s
snapshot can be ahead: it knows commits that still wait for a synchronous standby.

snapshot: the snapshot of a new slot
returns:  whether nothing is missing yet';
comment on table tidemark.snapshots is 'States of deciders at a version of their stream. A cache: any row may be deleted.';
comment on column tidemark.snapshots.decider is 'Name of the decider.';
comment on column tidemark.snapshots.definition_hash is 'Hash of the decider''s version, event types and initial state. Code of another hash ignores the row.';
comment on column tidemark.snapshots.event_id is 'The event of that version. If the stream has another one there, the row is ignored.';
comment on column tidemark.snapshots.state is 'The state, as the decider encodes it.';
comment on column tidemark.snapshots.stream_id is 'The stream.';
comment on column tidemark.snapshots.taken_at is 'When it was taken, by the server''s clock.';
comment on column tidemark.snapshots.version is 'Version of the stream after which the state was taken.';
comment on table tidemark.sql_objects is 'Functions, triggers and views as installed, with the hash of their text.';
comment on column tidemark.sql_objects.hash is 'SHA-256 of its text, in hexadecimal.';
comment on column tidemark.sql_objects.installed_at is 'When this text was applied.';
comment on column tidemark.sql_objects.name is 'Path of the object''s file.';
comment on function tidemark.stream_lock_key(pg_catalog.text) is 'Gives the advisory lock on which writers of one stream take turns. Two streams may share a key:
then their writers wait for each other, which costs time and never correctness.

stream_id: the stream
returns:   key of the lock; differs between logs in one database';
comment on function tidemark.stream_version_at_position(pg_catalog.text,bigint) is 'Finds the version that a stream had at a position of the log: that of its last event at or before
it. Halves the stream, so that it costs some twenty look-ups in a stream of a million events.

stream_id: the stream
up_to:     a position of the log; events that are not sequenced yet come after every position
returns:   the version, 0 when the stream has no event up to there';
comment on function tidemark.stream_version_at_time(pg_catalog.text,timestamp with time zone) is 'Finds the version that a stream had at a time: that of the event before the first one which was
recorded later. Reads the stream up to there.

stream_id: the stream
at:        a time; an event counts if it was recorded within the millisecond that begins there,
           because languages whose clocks have milliseconds read its time as that
returns:   the version, 0 when the stream had no event yet';
comment on function tidemark.stream_versions(pg_catalog.text[]) is 'Says at which versions streams are, as of a snapshot of its own: called after the locks of the streams
were granted, it sees whoever held them before.

stream_ids: the streams
returns:    their versions, in the same order; 0 for one without events';
comment on view tidemark.streams is 'Streams with their versions. Reads the whole log unless stream_id is given.';
comment on table tidemark.subscriptions is 'Named, ordered deliveries of the log, each with its checkpoint.';
comment on column tidemark.subscriptions."position" is 'Checkpoint: everything up to this position has been applied.';
comment on column tidemark.subscriptions.error is 'Why the subscription failed: code, message, position and type of the event.';
comment on column tidemark.subscriptions.halt_at is 'No part goes beyond this position until then.';
comment on column tidemark.subscriptions.kind is 'What it drives: projection, reactor, process, route or relay. Positions of a relay are the outbox''s.';
comment on column tidemark.subscriptions.name is 'Name of what it drives.';
comment on column tidemark.subscriptions.next_partitions is 'Into how many they are to be divided, once each part stands at halt_at.';
comment on column tidemark.subscriptions.owner is 'Process that last applied a chunk. For people; it decides nothing.';
comment on column tidemark.subscriptions.partition is 'Which part of its keys the row is about, from 0.';
comment on column tidemark.subscriptions.partitions is 'Into how many parts its keys are divided now, by their hash: the same in each of so many rows.';
comment on column tidemark.subscriptions.revision is 'Raised whenever somebody else than its owner changes what it applied; the owner then begins anew.';
comment on column tidemark.subscriptions.state is 'active; failed: it stands still, error says why; inline: appends apply it themselves.';
comment on column tidemark.subscriptions.updated_at is 'When it last moved or failed.';
comment on column tidemark.subscriptions.version is 'Version of the projection; 1 for other kinds.';
comment on function tidemark.switch_inline(pg_catalog.text,integer) is 'Has appends apply a version of a projection from now on, in place of the version before if there is
one, which follows the log again; or has none applied by appends. Nothing is lost or repeated: it happens
while no append is under way, when each event has its position and the version has applied them all.
Call it again, in the same transaction, until it says so; meanwhile appends wait.

name:     the projection
version:  the version to apply, which is live by then; null: none
returns:  is_done: whether it is so now, once this transaction commits; position: how far the version
          has come, null for none; head: how far the log is sequenced; is_sequenced: whether all of it is;
          is_dividing: whether its number of partitions is about to change, which is waited for
raises:   TM014 there is no such version that is live, active and without parked events, or it is not known what
          it reads, or its definition does not say that it can be inline; 25001 the transaction is not of isolation read committed
locks:    the log, alone: set a lock_timeout; then the subscription';
comment on function tidemark.tag_lock_key(pg_catalog.text) is 'Gives the advisory lock of a tag. Who appends an event with the tag holds it shared, who appends
under a condition on the tag holds it alone, until the end of the transaction: so a condition never
misses an event that is on its way. Two tags may share a key, which costs time and never correctness.

tag:     the tag
returns: key of the lock; differs between logs in one database';
comment on function tidemark.tag_lock_keys(pg_catalog.text[]) is 'Gives the advisory locks of the tags of events.

tags:    per event: its tags as the text of a text[], or null
returns: keys of the locks, each once, in ascending order';
comment on function tidemark.take_lead(bigint) is 'Begins a new generation of the sequencer on the slot that it trusts already, so that writes of the
leader before, should it still run, are refused.

generation: the generation that ends
returns:    the sequencer row
raises:     TM007 another leader has taken over';
comment on function tidemark.topic_matches(pg_catalog.text,pg_catalog.text) is 'Tells whether a topic is one of those that a pattern stands for.

topic:   such as orders.order.placed
pattern: such as orders.*.placed (one word) or orders.# (any number of words, also none)
returns: whether it is';
comment on function tidemark.topic_regex(pg_catalog.text) is 'Turns a pattern of topics into a regular expression for a topic with a dot before it. In a pattern * stands
for one word, # for any number of words, also none, as in AMQP''s topic exchanges.

pattern: such as orders.*.placed or orders.#
returns: a regular expression';
comment on function tidemark.trim_inbox(timestamp with time zone,integer) is 'Forgets messages that had their effect before a time, the oldest first. They count as new when they
come again.

before:    the time
max_count: how many at most
returns:   how many
locks:     the rows; those that somebody else is deleting are left to them';
comment on function tidemark.trim_outbox(interval,integer) is 'Removes messages from the front of the outbox that every relay has passed and that are old enough, with
their rows of the ledger. A commit that is larger than max_messages is removed in parts, its row of the
ledger made smaller; no position changes.

older_than:   messages of commits in the ledger for less stay
max_messages: how many are removed at most
returns:      how many were
locks:        the outbox''s retention, until the end of the transaction; nothing when somebody else has it';
comment on function tidemark.try_lock_tags(pg_catalog.text[]) is 'Takes the locks of the tags of events that are to be appended, unless somebody appends under a
condition on one of them.

tags:    per event: its tags as the text of a text[], or null
returns: whether all are held; some may be when not. More than 256 never are: see lock_appends
locks:   the tags, shared, until the end of the transaction';
comment on function tidemark.write_published(tidemark.sequencer,pg_catalog.xid8[]) is 'Writes transactions of one window into the outbox''s ledger, in the order of their last insert_id. The
caller holds the sequencer''s row.

sequencer:       its row
transaction_ids: of the current incarnation, each once
returns:         the outbox''s last position now';

create publication tidemark_log for table tidemark.events (incarnation, transaction_id) insert;

create publication tidemark_log for table tidemark.outbox (incarnation, transaction_id) insert;

grant select on table tidemark.append_keys to tidemark_append;
grant select on table tidemark.at_home to tidemark_append;
grant select on table tidemark.at_home to tidemark_read;
grant select on table tidemark.at_home to tidemark_worker;
grant select on table tidemark.commits to tidemark_append;
grant select on table tidemark.commits to tidemark_read;
grant select on table tidemark.commits to tidemark_worker;
grant select on table tidemark.event_tags to tidemark_append;
grant select on table tidemark.event_tags to tidemark_read;
grant select on table tidemark.event_tags to tidemark_worker;
grant select on table tidemark.events to tidemark_append;
grant select on table tidemark.events to tidemark_read;
grant select on table tidemark.events to tidemark_worker;
grant select on table tidemark.inline_projections to tidemark_append;
grant select on table tidemark.inline_projections to tidemark_read;
grant select on table tidemark.inline_projections to tidemark_worker;
grant delete, insert, select, update (enqueued) on table tidemark.job_lanes to tidemark_worker;
grant delete, insert, select, update (missed_at) on table tidemark.job_workers to tidemark_worker;
grant select on table tidemark.log to tidemark_read;
grant delete, insert, select, update (result) on table tidemark.once_results to tidemark_append;
grant delete, insert, select, update (result) on table tidemark.once_results to tidemark_worker;
grant delete, insert, select on table tidemark.ordered_jobs to tidemark_worker;
grant select on table tidemark.ordered_jobs to tidemark_read;
grant select (incarnation), select (transaction_id) on table tidemark.outbox to tidemark_append;
grant select on table tidemark.outbox to tidemark_read;
grant select on table tidemark.outbox to tidemark_worker;
grant select on table tidemark.outbox_commits to tidemark_append;
grant select on table tidemark.outbox_commits to tidemark_read;
grant select on table tidemark.outbox_commits to tidemark_worker;
grant delete, insert, select, update (attempts), update (error) on table tidemark.parked_events to tidemark_worker;
grant select on table tidemark.parked_events to tidemark_append;
grant select on table tidemark.parked_events to tidemark_read;
grant delete, insert, select, update (attempts), update (error), update (is_retried) on table tidemark.parked_messages to tidemark_worker;
grant select ("position"), select (attempts), select (error), select (is_retried), select (key), select (message_id), select (parked_at), select (relay), select (topic) on table tidemark.parked_messages to tidemark_append;
grant select on table tidemark.parked_messages to tidemark_read;
grant insert, select, update ("position"), update (changed_at), update (reason), update (state) on table tidemark.process_instances to tidemark_worker;
grant select on table tidemark.process_instances to tidemark_append;
grant select on table tidemark.process_instances to tidemark_read;
grant delete, insert, select, update (can_be_inline), update (changed_at), update (event_types), update (is_indexed), update (partitions), update (reset_at), update (start_position), update (state), update (tables) on table tidemark.projections to tidemark_worker;
grant select on table tidemark.projections to tidemark_append;
grant select on table tidemark.projections to tidemark_read;
grant select on table tidemark.seal_head to tidemark_read;
grant select on table tidemark.seal_head to tidemark_worker;
grant select on table tidemark.seals to tidemark_read;
grant select on table tidemark.seals to tidemark_worker;
grant select on table tidemark.sequencer to tidemark_append;
grant select on table tidemark.sequencer to tidemark_read;
grant select on table tidemark.sequencer to tidemark_worker;
grant delete, insert, select on table tidemark.shed_events to tidemark_worker;
grant select on table tidemark.shed_events to tidemark_append;
grant select on table tidemark.shed_events to tidemark_read;
grant select on table tidemark.snapshots to tidemark_append;
grant select on table tidemark.snapshots to tidemark_read;
grant select on table tidemark.streams to tidemark_read;
grant delete, insert, select, update ("position"), update (error), update (halt_at), update (next_partitions), update (owner), update (partitions), update (revision), update (state), update (updated_at) on table tidemark.subscriptions to tidemark_worker;
grant select on table tidemark.subscriptions to tidemark_append;
grant select on table tidemark.subscriptions to tidemark_read;
grant usage on schema tidemark to tidemark_append;
grant usage on schema tidemark to tidemark_read;
grant usage on schema tidemark to tidemark_worker;
grant execute on function tidemark.append(text,text,jsonb,text,jsonb) to tidemark_append;
revoke execute on function tidemark.append(text,text,jsonb,text,jsonb) from public;
grant execute on function tidemark.append_conditionally(jsonb,text,text[],text[],integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[],text) to tidemark_append;
revoke execute on function tidemark.append_conditionally(jsonb,text,text[],text[],integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[],text) from public;
grant execute on function tidemark.append_group(text[],integer[],text[],integer[],text[],boolean,integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[]) to tidemark_append;
revoke execute on function tidemark.append_group(text[],integer[],text[],integer[],text[],boolean,integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[]) from public;
grant execute on function tidemark.append_stream(text,text,uuid[],text[],smallint[],text[],text[],text[],text,boolean) to tidemark_append;
revoke execute on function tidemark.append_stream(text,text,uuid[],text[],smallint[],text[],text[],text[],text,boolean) from public;
grant execute on function tidemark.append_streams(text[],text[],integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[],text) to tidemark_append;
revoke execute on function tidemark.append_streams(text[],text[],integer[],text[],integer[],uuid[],text[],smallint[],text[],text[],text[],text) from public;
grant execute on function tidemark.begin_incarnation(bigint,bigint) to tidemark_worker;
revoke execute on function tidemark.begin_incarnation(bigint,bigint) from public;
revoke execute on function tidemark.capture_row() from public;
revoke execute on function tidemark.capture_truncate() from public;
grant execute on function tidemark.explain_polling(text) to tidemark_worker;
revoke execute on function tidemark.explain_polling(text) from public;
grant execute on function tidemark.follow_slot(bigint,text,pg_lsn,pg_snapshot,text,text) to tidemark_worker;
revoke execute on function tidemark.follow_slot(bigint,text,pg_lsn,pg_snapshot,text,text) from public;
revoke execute on function tidemark.guard_events() from public;
grant execute on function tidemark.guard_inline_rows() to tidemark_worker;
revoke execute on function tidemark.guard_inline_rows() from public;
revoke execute on function tidemark.guard_outbox() from public;
grant execute on function tidemark.hold_ledger() to tidemark_worker;
revoke execute on function tidemark.hold_ledger() from public;
grant execute on function tidemark.lock_inline_keys(text[],text[]) to tidemark_append;
revoke execute on function tidemark.lock_inline_keys(text[],text[]) from public;
grant execute on function tidemark.publish(text,jsonb,text,jsonb,uuid) to tidemark_append;
revoke execute on function tidemark.publish(text,jsonb,text,jsonb,uuid) from public;
grant execute on function tidemark.publish_messages(uuid[],text[],text[],text[],text[]) to tidemark_append;
grant execute on function tidemark.publish_messages(uuid[],text[],text[],text[],text[]) to tidemark_worker;
revoke execute on function tidemark.publish_messages(uuid[],text[],text[],text[],text[]) from public;
grant execute on function tidemark.read_inline_debts() to tidemark_append;
revoke execute on function tidemark.read_inline_debts() from public;
grant execute on function tidemark.receive_message(text,text) to tidemark_append;
revoke execute on function tidemark.receive_message(text,text) from public;
grant execute on function tidemark.record_idle(bigint,pg_lsn) to tidemark_worker;
revoke execute on function tidemark.record_idle(bigint,pg_lsn) from public;
revoke execute on function tidemark.refuse_inline_debt() from public;
grant execute on function tidemark.save_snapshot(text,text,text,bigint,uuid,text) to tidemark_append;
revoke execute on function tidemark.save_snapshot(text,text,text,bigint,uuid,text) from public;
grant execute on function tidemark.seal_events(integer) to tidemark_worker;
revoke execute on function tidemark.seal_events(integer) from public;
grant execute on function tidemark.sequence_commits(bigint,bigint,smallint[],xid8[],integer[],pg_lsn[],timestamp with time zone[],xid8,text,text,integer[],bigint) to tidemark_worker;
revoke execute on function tidemark.sequence_commits(bigint,bigint,smallint[],xid8[],integer[],pg_lsn[],timestamp with time zone[],xid8,text,text,integer[],bigint) from public;
grant execute on function tidemark.sequence_from_table(bigint,text,pg_snapshot,pg_lsn,text,text) to tidemark_worker;
revoke execute on function tidemark.sequence_from_table(bigint,text,pg_snapshot,pg_lsn,text,text) from public;
grant execute on function tidemark.sequence_window(bigint,pg_snapshot,text) to tidemark_worker;
revoke execute on function tidemark.sequence_window(bigint,pg_snapshot,text) from public;
grant execute on function tidemark.settle_inline_debts(text[],bigint[],bigint) to tidemark_append;
revoke execute on function tidemark.settle_inline_debts(text[],bigint[],bigint) from public;
grant execute on function tidemark.switch_inline(text,integer) to tidemark_worker;
revoke execute on function tidemark.switch_inline(text,integer) from public;
grant execute on function tidemark.take_lead(bigint) to tidemark_worker;
revoke execute on function tidemark.take_lead(bigint) from public;
grant execute on function tidemark.trim_inbox(timestamp with time zone,integer) to tidemark_append;
grant execute on function tidemark.trim_inbox(timestamp with time zone,integer) to tidemark_worker;
revoke execute on function tidemark.trim_inbox(timestamp with time zone,integer) from public;
grant execute on function tidemark.trim_outbox(interval,integer) to tidemark_worker;
revoke execute on function tidemark.trim_outbox(interval,integer) from public;
