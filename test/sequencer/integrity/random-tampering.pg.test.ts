import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { createSealedLog, names } from './sealed-log.ts'

const eventCount = 12

const at = (position: number) => `(stream_id, version) = (
  select stream_id, version from tidemark.log where position = ${position})`

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/** Text that Postgres stores. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .filter((s) => !/[\0\ud800-\udfff]/.test(s))

const json = fc
  .jsonValue({ maxDepth: 2 })
  .map((value) => JSON.stringify(value))
  .filter((s) => !/\\u0000|\\ud[89a-f]/i.test(s))

/** A change of one column, which may be none: the same value again. */
const assignment = fc.oneof(
  json.map((value) => `data = ${literal(value)}`),
  json.map((value) => `metadata = ${literal(value)}`),
  text.map((value) => `type = ${literal(value)}`),
  fc.integer({ min: 1, max: 3 }).map((value) => `schema_version = ${value}`),
  fc
    .integer({ min: -2, max: 2 })
    .map((n) => `recorded_at = recorded_at + ${n} * interval '1 microsecond'`),
  fc.array(text, { maxLength: 3 }).map((tags) => `tags = array[${tags.map(literal)}]::text[]`),
  fc.uuid().map((id) => `event_id = '${id}'`),
  text.map((value) => `stream_id = ${literal(`x-${value}`)}`),
  fc.integer({ min: 50, max: 60 }).map((value) => `version = ${value}`),
)

const position = fc.integer({ min: 1, max: eventCount })

const change = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(assignment, position).map(([set, p]) => update(set, p)) },
  position.map((p) => `delete from tidemark.events where ${at(p)}`),
  fc.tuple(position, fc.integer({ min: -3, max: 40 })).map(([p, id]) => insert(p, id)),
  position.map((p) => `delete from tidemark.commits where position = ${p}`),
  fc.tuple(position, fc.integer({ min: 1, max: 5 })).map(
    ([p, n]) => `update tidemark.commits set event_count = ${n} where position = ${p}
      and position >= ${n}`,
  ),
  fc.tuple(position, position).map(([a, b]) => swapCommits(a, b)),
  fc.tuple(position, position).map(([a, b]) => swapData(a, b)),
)

function update(set: string, p: number): string {
  return `update tidemark.events set ${set} where ${at(p)}`
}

function insert(p: number, insertId: number): string {
  return `insert into tidemark.events
    (insert_id, transaction_id, stream_id, version, event_id, type, data)
    select ${insertId}, transaction_id, 'x-1', 1, gen_random_uuid(), 'noted', '{}'
    from tidemark.events where ${at(p)} on conflict do nothing`
}

function swapCommits(a: number, b: number): string {
  return `update tidemark.commits as c set transaction_id = o.transaction_id
    from tidemark.commits as o where (c.position, o.position) in ((${a}, ${b}), (${b}, ${a}))`
}

function swapData(a: number, b: number): string {
  return `update tidemark.events as e set data = o.data
    from (select * from tidemark.log) as o
    where o.position in (${a}, ${b}) and (e.stream_id, e.version) in (
      select l.stream_id, l.version from tidemark.log as l
      where l.position in (${a}, ${b}) and l.position <> o.position)`
}

/** The log as anybody sees it, in values that compare exactly. */
const picture = /* sql */ `
  select jsonb_agg(to_jsonb(e) order by e.insert_id)::text as events,
    array_agg(e.data::text || e.metadata::text order by e.insert_id)::text as texts,
    (select jsonb_agg(to_jsonb(c) order by c.position)::text from tidemark.commits as c) as commits
  from tidemark.events as e`

test('finds every random change of events and ledger, and nothing where nothing changed', async () => {
  await using log = await createSealedLog()
  const client = await log.database.client()
  await client.query(/* sql */ `
    alter table tidemark.commits drop constraint commits_transaction_key;
    alter table tidemark.events alter insert_id drop identity`)
  const look = async () => (await client.query(picture)).rows[0]
  const untouched = await look()
  await client.query(/* sql */ `
    create table public.kept_events as table tidemark.events;
    create table public.kept_commits as table tidemark.commits`)
  let found = 0
  await fc.assert(
    fc.asyncProperty(change, async (statement) => {
      await client.query(`set session_replication_role = replica; ${statement}`)
      const isChanged = JSON.stringify(await look()) !== JSON.stringify(untouched)
      const { findings } = await verifyLog(log.pool, names)
      await client.query(/* sql */ `
        truncate tidemark.events, tidemark.commits;
        insert into tidemark.events table public.kept_events;
        insert into tidemark.commits table public.kept_commits`)
      expect(
        findings.length > 0,
        JSON.stringify(findings, (_, v) => String(v)),
      ).toBe(isChanged)
      if (isChanged) found += 1
    }),
    { numRuns: 150 },
  )
  expect(found).toBeGreaterThan(50)
  expect(await log.faults()).toEqual([])
})
