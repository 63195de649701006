import type pg from 'pg'
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { createRole } from '../db/create-role.ts'
import { dumpSchema } from '../db/dump-schema.ts'
import { findFaults } from '../sequencer/ledger.ts'
import { useDatabase } from '../support/database.ts'
import { sequence } from './log-fixture.ts'
import { lookalikes, traps } from './traps.ts'

const database = useDatabase()

type Kind = 'append' | 'read' | 'worker'
const kinds: readonly Kind[] = ['append', 'read', 'worker']

/** Connects a new user who has one role of the log, or several, and what the attributes say. */
async function login(...roles: readonly Kind[]): Promise<pg.Client> {
  const user = await createRole(`in role ${roles.map((role) => `tidemark_${role}`).join(', ')}`)
  const url = user.loginTo(database.connectionString)
  const client = await database.client({ connectionString: url, pipeline: true })
  onTestFinished(async () => {
    await client.end()
    await database.pool.query(`drop owned by ${user.name} cascade`)
    await user[Symbol.asyncDispose]()
  })
  return client
}

const noted = `'[{"type": "noted", "data": {}, "tags": ["t"]}]'`

beforeAll(async () => {
  await database.pool.query(/* sql */ `
    select tidemark.append('a-1', 'absent', ${noted}, 'key-1');
    select tidemark.append('a-1', '1', ${noted})`)
  await sequence(database.pool)
  await database.pool.query(/* sql */ `
    select tidemark.seal_events(100);
    select tidemark.save_snapshot(e.stream_id, 'd', 'h', e.version, e.event_id, '{}')
    from tidemark.events as e;
    insert into tidemark.subscriptions (kind, name, version) values ('projection', 'p', 1);
    insert into tidemark.projections
      (name, version, state, schema_name, view_schema, definition_hash)
    values ('p', 1, 'live', 'p_v1', 'p', 'h')`)
})

/** All that a log is: its schema with what is granted, and its rows. */
async function readEverything(): Promise<string> {
  const client = await database.pool.connect()
  try {
    const { rows } = await client.query<{ text: string }>(/* sql */ `
      select string_agg(
        query_to_xml(format('select * from %s as t order by t::text', c.oid::regclass), true, true, '')::text,
        '' order by c.relname) as text
      from pg_class as c
      where c.relnamespace = 'tidemark'::regnamespace and c.relkind = 'r'`)
    return `${await dumpSchema(client, 'tidemark')}${rows[0]?.text}`
  } finally {
    client.release()
  }
}

const eventRow = 'stream_id, version, event_id, type, data'
const event = (version: number, streamId = 'a-1') =>
  `'${streamId}', ${version}, gen_random_uuid(), 'noted', '{}'`

const calls = {
  append: [
    `select tidemark.append('a-1', 'any', ${noted})`,
    `select tidemark.append_stream('a-1', 'any', array[gen_random_uuid()], '{noted}', '{1}', '{1}', '{"{}"}')`,
    `select tidemark.append_streams('{a-1}', '{any}', '{1}', '{a-1}', '{1}', array[gen_random_uuid()],
      '{noted}', '{1}', '{1}', '{"{}"}')`,
    `select tidemark.append_group('{a-1}', '{1}', '{any}', '{1}', null, true, '{1}', '{a-1}', '{1}',
      array[gen_random_uuid()], '{noted}', '{1}', '{1}', '{"{}"}', null)`,
    `select tidemark.append_conditionally('[{"tags": ["x"]}]', null, '{a-1}', '{any}', '{1}', '{a-1}', '{1}',
      array[gen_random_uuid()], '{noted}', '{1}', '{1}', '{"{}"}', null, null)`,
    `select tidemark.save_snapshot('a-1', 'd', 'h', 2, gen_random_uuid(), '{"forged": true}')`,
    `select tidemark.publish('a', '1')`,
  ],
  worker: [
    'select tidemark.take_lead(1)',
    `select tidemark.record_idle(1, '0/1')`,
    'select tidemark.hold_ledger()',
    'select tidemark.begin_incarnation(1, 1)',
    `select tidemark.sequence_commits(1, 2, '{1}', '{3}', '{1}', '{0/1}', '{2026-01-01}')`,
    `select tidemark.sequence_from_table(1, 'x', pg_current_snapshot(), '0/1')`,
    'select tidemark.seal_events(1)',
    `select tidemark.trim_outbox('0 s', 1)`,
  ],
}

/** Tables of the log that nobody may write but through functions. */
const guarded = [
  'events',
  'event_tags',
  'commits',
  'outbox',
  'outbox_commits',
  'sequencer',
  'seals',
  'seal_head',
  'append_keys',
  'snapshots',
  'sql_objects',
  'migrations',
]

const reads = (relations: readonly string[]) =>
  relations.map((relation) => `select * from tidemark.${relation}`)

/** What no role may do. */
const forAll = [
  ...guarded
    .filter((table) => table !== 'events' && table !== 'outbox')
    .map((table) => `insert into tidemark.${table} select * from tidemark.${table}`),
  ...guarded.flatMap((table) => [
    `delete from tidemark.${table}`,
    `truncate tidemark.${table}`,
    `do 'begin lock table tidemark.${table} in exclusive mode; end'`,
    `drop table tidemark.${table} cascade`,
  ]),
  `insert into tidemark.events (${eventRow}) values (${event(3)})`,
  `insert into tidemark.events (${eventRow}) values (${event(5)})`,
  `insert into tidemark.events (${eventRow}, transaction_id) values (${event(3)}, '3')`,
  `insert into tidemark.events (${eventRow}, insert_id) overriding system value values (${event(3)}, 1)`,
  `copy tidemark.events (${eventRow}) from stdin`,
  `update tidemark.events set type = 'forged'`,
  'update tidemark.events set transaction_id = pg_current_xact_id()',
  'select * from tidemark.events for update',
  'update tidemark.commits set position = position + 1',
  'update tidemark.sequencer set position = 0',
  'update tidemark.seals set sealed_at = now()',
  'update tidemark.seal_head set position = 0',
  `update tidemark.append_keys set fingerprint = ''`,
  `update tidemark.snapshots set state = '{"forged": true}'`,
  `update tidemark.subscriptions set name = 'q'`,
  `update tidemark.projections set schema_name = 'public'`,
  `select nextval('tidemark.events_insert_id_seq')`,
  `select setval('tidemark.events_insert_id_seq', 1)`,
  'set session_replication_role = replica',
  'alter table tidemark.events disable trigger all',
  'alter table tidemark.events disable trigger events_guard',
  'alter table tidemark.events alter column incarnation set default 9',
  'drop trigger events_guard on tidemark.events',
  'drop trigger events_refuse_change on tidemark.events',
  `create trigger t before insert on tidemark.events for each row
    execute function suppress_redundant_updates_trigger()`,
  'create rule r as on insert to tidemark.events do instead nothing',
  'create index on tidemark.events (type)',
  'create table public.child () inherits (tidemark.events)',
  'alter table tidemark.events rename to other',
  `comment on table tidemark.events is 'forged'`,
  'create table tidemark.mine (id integer)',
  'create view tidemark.mine as select 1 as id',
  'create type tidemark.mine as (id integer)',
  `create function tidemark.mine() returns integer language sql as 'select 1'`,
  `create or replace function tidemark.expectation_holds(expected text, actual bigint)
    returns boolean language sql as 'select true'`,
  'alter function tidemark.append_stream security invoker',
  'alter function tidemark.append_stream reset all',
  'drop function tidemark.refuse_change cascade',
  'drop view tidemark.streams',
  'alter schema tidemark rename to mine',
  'drop schema tidemark cascade',
  'alter publication tidemark_log set (publish = $$$$)',
  'drop publication tidemark_log',
  'select tidemark.guard_events()',
]

const forbidden: Readonly<Record<Kind, readonly string[]>> = {
  append: [
    ...calls.worker,
    ...reads(['seals', 'seal_head', 'log', 'streams', 'migrations', 'sql_objects']),
    `insert into tidemark.subscriptions (kind, name, version) values ('reactor', 'r', 1)`,
    'update tidemark.subscriptions set position = 0',
    'delete from tidemark.projections',
    'delete from tidemark.parked_events',
    'update tidemark.subscriptions set revision = 1',
  ],
  read: [
    ...calls.append,
    ...calls.worker,
    ...reads(['append_keys', 'migrations', 'sql_objects']),
    'update tidemark.subscriptions set position = 0',
    `update tidemark.projections set state = 'retired'`,
    'delete from tidemark.subscriptions',
    'delete from tidemark.parked_events',
  ],
  worker: [
    ...calls.append,
    `update tidemark.parked_events set key = ''`,
    ...reads(['append_keys', 'snapshots', 'log', 'streams', 'migrations', 'sql_objects']),
  ],
}

/** Not understood by the server, or about what does not exist. */
const senseless = /^(0A000|42601|42703|42704|42883|42P0[12]|42P1\d)$/

async function codeOf(client: pg.ClientBase, statement: string): Promise<string | undefined> {
  return client.query(statement).then(
    () => undefined,
    ({ code }) => code,
  )
}

describe('what nobody may do', () => {
  test.each(kinds)('is refused to the role %s, and changes nothing', async (kind) => {
    const client = await login(kind)
    const before = await readEverything()
    const carriedOut: string[] = []
    for (const statement of [...forAll, ...forbidden[kind]]) {
      const code = await codeOf(client, statement)
      if (code !== '42501') carriedOut.push(`${code}: ${statement}`)
    }
    expect(carriedOut).toEqual([])
    // Grants of what one does not have are only warned of.
    await client.query('grant select on tidemark.events to public')
    expect(await readEverything()).toBe(before)
  })

  test('makes sense: a superuser is refused none of it for want of a privilege', async () => {
    const client = await database.client()
    const all = [...forAll, ...Object.values(forbidden).flat()].filter(
      (statement) => !/^copy|guard_events\(\)/.test(statement),
    )
    const nonsense: string[] = []
    for (const statement of all) {
      await client.query('begin')
      const code = await codeOf(client, statement)
      if (code === '42501' || senseless.test(code ?? '')) nonsense.push(`${code}: ${statement}`)
      await client.query('rollback')
    }
    await client.end()
    expect(nonsense).toEqual([])
  })
})

describe('a function with the rights of the owner', () => {
  test('cannot be put on a table of others, where it would call their casts', async () => {
    const client = await login('append', 'read', 'worker')
    await client.query(/* sql */ `
      create type pg_temp.disguise as enum ('a');
      create function pg_temp.unmask(pg_temp.disguise) returns text language plpgsql as $$
        begin
          create table public.reached as select current_user as by;
          return 'a-1';
        end $$;
      create cast (pg_temp.disguise as text) with function pg_temp.unmask(pg_temp.disguise) as implicit;
      create temp table bait (
        insert_id bigint,
        incarnation smallint,
        transaction_id xid8 default pg_current_xact_id(),
        stream_id pg_temp.disguise,
        version bigint,
        tags text[]
      )`)
    const trigger = /* sql */ `
      create trigger t
        after insert on pg_temp.bait
        referencing new table as inserted
        for each statement execute function tidemark.guard_events()`
    const row = `insert into pg_temp.bait (insert_id, incarnation, stream_id, version, tags)
      values (2, 1, 'a', 2, '{forged}')`
    await expect(client.query(trigger)).rejects.toMatchObject({ code: '42501' })

    // Also not by whoever was granted everything that there is.
    const { rows } = await client.query('select current_user as name')
    await database.pool.query(
      `grant execute on all functions in schema tidemark to ${rows[0].name}`,
    )
    await client.query(trigger)
    await expect(client.query(row)).rejects.toMatchObject({ code: '42501' })
    const reached = await database.pool.query(`select to_regclass('public.reached') as reached`)
    expect(reached.rows).toEqual([{ reached: null }])
  })

  test('calls nothing of its caller, who has all names first in its search path', async () => {
    const client = await login('append', 'worker')
    const { rows } = await client.query('select current_user as name')
    await database.pool.query(`grant create on database ${database.name} to ${rows[0].name}`)
    await client.query(`${traps}; ${lookalikes('evil')}; ${lookalikes('pg_temp')}`)
    await client.query('set search_path = evil, pg_temp, pg_catalog')
    await expect(client.query(`select hashtextextended('a', 1)`)).rejects.toThrow(/evil function/)

    const events = `'[{"type": "noted", "data": {"n": 1}, "tags": ["t"]}]'`
    const query = `'{"query": [{"tags": ["x"]}]}'`
    for (const statement of [
      `select * from tidemark.append('trap-1', 'absent', ${events}, 'trap-key', ${query})`,
      `select * from tidemark.append('trap-1', 'absent', ${events}, 'trap-key', ${query})`,
      `select * from tidemark.append(set_config('search_path', 'evil, pg_temp, pg_catalog', false), 'any', ${events})`,
      ...calls.append.map((call) =>
        call.replaceAll('gen_random_uuid()', "'018f3f7e-7b1c-7c3e-8000-000000000009'::uuid"),
      ),
      'select * from tidemark.seal_events(10)',
      `select r.sequenced from tidemark.sequencer as s
        cross join lateral tidemark.sequence_from_table(s.generation, 'x', '1:1000000:', '0/1') as r`,
      'select r.generation from tidemark.sequencer as s cross join lateral tidemark.take_lead(s.generation) as r',
      `select r.sequenced from tidemark.sequencer as s cross join lateral
        tidemark.sequence_commits(s.generation, s.position, '{}', '{}', '{}', '{}', '{}') as r`,
    ]) {
      expect(await codeOf(client, statement), statement).toBeUndefined()
    }
    await expect(client.query('delete from tidemark.events')).rejects.toMatchObject({
      code: '42501',
    })
  })

  test('means the same whatever the caller has set', async () => {
    const client = await login('append')
    await client.query(/* sql */ `
      set array_nulls = off;
      set transform_null_equals = on;
      set bytea_output = 'escape';
      set datestyle = 'sql, dmy'`)
    if (inject('postgres').version < 190_000) {
      await client.query('set standard_conforming_strings = off')
    }
    const append = (streamId: string, expected: string, condition: string) =>
      client.query(`select version from tidemark.append($1, $2, $3, null, $4)`, [
        streamId,
        expected,
        '[{"type": "noted", "data": {}, "id": "018f3f7e-7b1c-7c3e-8000-00000000000a", "schemaVersion": 12}]',
        condition,
      ])
    const { rows } = await database.pool.query(
      `select split_part(tidemark.query_token(), '/', 1) || '/3:3:' as token`,
    )
    const after = `{"query": [{"tags": ["none"]}], "after": "${rows[0].token}"}`
    expect((await append('set-1', 'absent', after)).rows).toEqual([{ version: '1' }])
    expect((await append('set-1', '1', after)).rows).toEqual([{ version: '2' }])
    for (const expected of ['d', '-1', '2d', '']) {
      await expect(append('set-1', expected, after)).rejects.toMatchObject({ code: 'TM005' })
    }
  })
})

const payloads = [
  `'; create table public.reached (); --`,
  `'); create table public.reached (); --`,
  `"; create table public.reached (); --`,
  `$$; create table public.reached (); $$`,
  `\\'; create table public.reached (); --`,
  `\\"}'; create table public.reached (); --`,
  `{"a", 'b'}`,
  '%s %I %L %1$s',
  '$1 :name ?',
  `＇；create table public.reached () ʼ''`,
  '🜨\u202e\u0001\n\t\\',
  `/* */ --`,
  'x'.repeat(3_000),
]

const uuid = '018f3f7e-7b1c-7c3e-8000-00000000000b'

/** Functions that the role may call, by parameter: its type and a value that is all right. */
const functions: Readonly<Record<string, Readonly<Record<string, readonly [string, unknown]>>>> = {
  append: {
    stream_id: ['text', 'p-1'],
    expected: ['text', 'any'],
    events: ['jsonb', [{ type: 'noted', data: {} }]],
    key: ['text', 'k'],
    condition: ['jsonb', { query: [{ tags: ['none'] }] }],
  },
  append_stream: {
    stream_id: ['text', 'p-1'],
    expected: ['text', 'any'],
    event_ids: ['uuid[]', [uuid]],
    types: ['text[]', ['noted']],
    schema_versions: ['smallint[]', [1]],
    data: ['text[]', ['{}']],
    metadata: ['text[]', ['{}']],
    tags: ['text[]', ['{t}']],
    key: ['text', 'k'],
  },
  append_streams: {
    stream_ids: ['text[]', ['p-1']],
    expected: ['text[]', ['any']],
    event_streams: ['integer[]', [1]],
    event_stream_ids: ['text[]', ['p-1']],
    event_offsets: ['integer[]', [1]],
    event_ids: ['uuid[]', [uuid]],
    types: ['text[]', ['noted']],
    schema_versions: ['smallint[]', [1]],
    data: ['text[]', ['{}']],
    metadata: ['text[]', ['{}']],
    tags: ['text[]', ['{t}']],
    key: ['text', 'k'],
  },
  append_group: {
    stream_ids: ['text[]', ['p-1']],
    append_streams: ['integer[]', [1]],
    expected: ['text[]', ['any']],
    counts: ['integer[]', [1]],
    keys: ['text[]', ['k']],
    patient: ['boolean', true],
    event_appends: ['integer[]', [1]],
    event_stream_ids: ['text[]', ['p-1']],
    event_offsets: ['integer[]', [1]],
    event_ids: ['uuid[]', [uuid]],
    types: ['text[]', ['noted']],
    schema_versions: ['smallint[]', [1]],
    data: ['text[]', ['{}']],
    metadata: ['text[]', ['{}']],
    tags: ['text[]', ['{t}']],
  },
  append_conditionally: {
    query: ['jsonb', [{ tags: ['none'] }]],
    after: ['text', '1/3:3:'],
    stream_ids: ['text[]', ['p-1']],
    expected: ['text[]', ['any']],
    event_streams: ['integer[]', [1]],
    event_stream_ids: ['text[]', ['p-1']],
    event_offsets: ['integer[]', [1]],
    event_ids: ['uuid[]', [uuid]],
    types: ['text[]', ['noted']],
    schema_versions: ['smallint[]', [1]],
    data: ['text[]', ['{}']],
    metadata: ['text[]', ['{}']],
    tags: ['text[]', ['{t}']],
    key: ['text', 'k'],
  },
  publish: {
    topic: ['text', 'orders.order.placed'],
    data: ['jsonb', { n: 1 }],
    key: ['text', 'k'],
    headers: ['jsonb', {}],
    message_id: ['uuid', uuid],
  },
  publish_messages: {
    message_ids: ['uuid[]', [uuid]],
    topics: ['text[]', ['orders']],
    keys: ['text[]', ['k']],
    data: ['text[]', ['{}']],
    headers: ['text[]', ['{}']],
  },
  lock_inline_keys: { versions: ['text[]', []], keys: ['text[]', []] },
  read_inline_debts: {},
  receive_message: { source: ['text', 'shop'], message_id: ['text', 'm-1'] },
  settle_inline_debts: {
    names: ['text[]', []],
    insert_ids: ['bigint[]', []],
    drawn_before: ['bigint', 0],
  },
  save_snapshot: {
    stream_id: ['text', 'a-1'],
    decider: ['text', 'd'],
    definition_hash: ['text', 'h'],
    version: ['bigint', 1],
    event_id: ['uuid', uuid],
    state: ['text', '{}'],
  },
  trim_inbox: { before: ['timestamptz', '2020-01-01'], max_count: ['integer', 10] },
}

/** Values of a parameter's type that carry a payload. */
function disguises(type: string, parameter: string, payload: string): readonly unknown[] {
  if (type === 'text') return [payload, `{${JSON.stringify(payload)}}`]
  if (type === 'text[]')
    return [[payload], [`{${JSON.stringify(payload)}}`], [JSON.stringify(payload)]]
  if (type !== 'jsonb') return []
  const event = { type: 'noted', data: {} }
  if (parameter === 'events') {
    return [
      payload,
      [payload],
      { [payload]: payload },
      ...['type', 'id', 'schemaVersion', 'data'].map((name) => [{ ...event, [name]: payload }]),
      [{ ...event, metadata: { [payload]: payload }, tags: [payload], [payload]: payload }],
    ]
  }
  const query = [{ types: [payload], tags: [payload] }]
  if (parameter === 'query') return [payload, [payload], query, [{ [payload]: [payload] }]]
  return [payload, { query }, { query, after: payload }, { query: payload, after: '1/3:3:' }]
}

function callOf(name: string, values: Readonly<Record<string, unknown>>): pg.QueryConfig {
  const parameters = Object.entries(functions[name] ?? {})
  const list = parameters.map(([parameter, [type]], i) => `${parameter} => $${i + 1}::${type}`)
  return {
    text: `select * from tidemark.${name}(${list.join(', ')})`,
    values: parameters.map(([parameter, [type, usual]]) => {
      const value = parameter in values ? values[parameter] : usual
      return type === 'jsonb' ? JSON.stringify(value) : value
    }),
  }
}

describe('SQL in a parameter', () => {
  test('is tried with every function that the role may call, and every parameter', async () => {
    const { rows } = await database.pool.query(/* sql */ `
      select p.proname as name, p.proargnames[:p.pronargs] as parameters
      from pg_proc as p
      where p.pronamespace = 'tidemark'::regnamespace
        and p.prosecdef
        and has_function_privilege('tidemark_append', p.oid, 'execute')
      order by p.proname`)
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(functions).toSorted())
    for (const { name, parameters } of rows) {
      const missing = parameters.filter(
        (parameter: string) => !(parameter in (functions[name] ?? {})),
      )
      // The only one that may be left out, and is true or false.
      expect(missing, name).toEqual(name === 'append_stream' ? ['patient'] : [])
    }
  })

  test.each(Object.keys(functions))('of %s is a text like any other', async (name) => {
    const client = await login('append')
    let tried = 0
    for (const [parameter, [type]] of Object.entries(functions[name] ?? {})) {
      for (const payload of payloads) {
        for (const value of disguises(type, parameter, payload)) {
          const [, code] = await Promise.all([
            client.query('begin'),
            client.query(callOf(name, { [parameter]: value })).then(
              () => 'done',
              (error) => error.code,
            ),
            client.query('rollback'),
          ])
          tried += 1
          // Refused as a value, or not at all; never as a statement.
          expect(code, `${parameter}: ${JSON.stringify(value)}`).toMatch(
            /^(done|22\w{3}|2350[25]|23514|54000|TM\w{3})$/,
          )
        }
      }
    }
    const texts = Object.values(functions[name] ?? {}).filter(([type]) => /^(text|json)/.test(type))
    expect(tried).toBeGreaterThanOrEqual(payloads.length * 2 * texts.length)
    const reached = await database.pool.query(`select to_regclass('public.reached') as reached`)
    expect(reached.rows).toEqual([{ reached: null }])
  })

  const titled = payloads.map((payload) => [payload.slice(0, 40), payload] as const)

  test.each(titled)('comes back as it was written: %j', async (_, payload) => {
    const client = await login('append')
    await client.query('begin')
    const name = payload.slice(0, 200)
    await client.query(
      callOf('append_stream', {
        stream_id: name,
        types: [name],
        data: [JSON.stringify({ [name]: payload })],
        metadata: [JSON.stringify({ [name]: payload })],
        tags: [`{"${name.replaceAll(/["\\]/g, '\\$&')}"}`],
        key: name,
      }),
    )
    const { rows } = await client.query(
      /* sql */ `
      select k.key, e.stream_id, e.type, e.data, e.metadata, e.tags
      from tidemark.events as e
      join tidemark.append_keys as k using (transaction_id)
      where e.stream_id = $1`,
      [name],
    )
    const content = { [name]: payload }
    expect(rows).toEqual([
      { key: name, stream_id: name, type: name, data: content, metadata: content, tags: [name] },
    ])
    await client.query('rollback')
  })
})

describe('arguments that contradict each other', () => {
  const two = {
    event_ids: [uuid, uuid],
    types: ['n', 'n'],
    data: ['1', '1'],
    metadata: ['{}', '{}'],
  }
  const both = { ...two, schema_versions: [1, 1], tags: null, key: null }
  const streams = { ...both, stream_ids: ['p-1'], event_streams: [1, 1] }

  test.each<[string, string, Record<string, unknown>, string | undefined]>([
    ['more ids than types', 'append_stream', { event_ids: [uuid, uuid] }, '23502'],
    ['more types than ids', 'append_stream', { types: ['a', 'b'] }, '23502'],
    ['no stream', 'append_stream', { stream_id: null }, '23502'],
    ['no data', 'append_stream', { data: [null] }, '23502'],
    ['a version of a type that cannot be', 'append_stream', { schema_versions: [null] }, '23502'],
    [
      'a hole',
      'append_streams',
      { ...streams, event_stream_ids: ['p-1', 'p-1'], event_offsets: [1, 3] },
      'TM002',
    ],
    [
      'a version twice',
      'append_streams',
      { ...streams, event_stream_ids: ['p-1', 'p-1'], event_offsets: [1, 1] },
      '23505',
    ],
    [
      'a wrong order',
      'append_streams',
      { ...streams, event_stream_ids: ['p-1', 'p-1'], event_offsets: [2, 1] },
      'TM002',
    ],
    [
      'version 0',
      'append_streams',
      { ...streams, event_stream_ids: ['p-1', 'p-1'], event_offsets: [0, 1] },
      '23514',
    ],
    [
      'a hole in another stream',
      'append_streams',
      { event_stream_ids: ['a-1'], event_offsets: [50] },
      'TM002',
    ],
    ['an old version of another stream', 'append_streams', { event_stream_ids: ['a-1'] }, '23505'],
    ['a stream that is not listed', 'append_streams', { event_streams: [7] }, '23502'],
    ['a hole in a group', 'append_group', { event_offsets: [2], keys: null }, 'TM002'],
    [
      'another stream in a group',
      'append_group',
      { event_stream_ids: ['a-1'], keys: null },
      '23505',
    ],
    [
      'an append that is not in the group',
      'append_group',
      { event_appends: [7], keys: null },
      undefined,
    ],
  ])('cannot give a log with %s', async (_, name, values, code) => {
    const client = await login('append')
    const before = await database.pool.query('select * from tidemark.events')
    const call = callOf(name, values)
    expect(
      await client.query(call).then(
        () => undefined,
        (error) => error.code,
      ),
    ).toBe(code)
    const after = await database.pool.query('select * from tidemark.events')
    expect(after.rows).toEqual(before.rows)
  })

  test('leave a log that adds up', async () => {
    await sequence(database.pool)
    expect(await findFaults(database.pool)).toEqual([])
  })
})
