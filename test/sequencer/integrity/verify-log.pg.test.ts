import { describe, expect, test } from 'vitest'
import { verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { createSealedLog, names } from './sealed-log.ts'

/** The event at a position, as a condition on the table of events. */
const at = (position: number) => `
  (stream_id, version) = (select stream_id, version from tidemark.log where position = ${position})`

test('finds nothing wrong with a log that nobody touched', async () => {
  await using log = await createSealedLog()
  const result = await verifyLog(log.pool, names)
  expect(result).toMatchObject({ from: 1n, to: 12n, head: 12n, isComplete: true, findings: [] })
  expect(result.log).toMatch(/^[0-9a-f]{64}$/)
})

test('names the event, its stream and what to do', async () => {
  await using log = await createSealedLog()
  await log.tamper(`update tidemark.events set data = '{"n": 7}' where ${at(6)}`)
  const { findings } = await verifyLog(log.pool, names)
  expect(findings).toEqual([
    {
      kind: 'event-changed',
      severity: 'error',
      position: 6n,
      streamId: 'note-1',
      version: 2n,
      message: 'the event at position 6 is not the one that was sealed there',
      remedy: expect.stringContaining('backup'),
    },
  ])
})

describe('finds a change of an event', () => {
  test.for([
    ['its data', `data = '{"n": 1.0}'`],
    ['one character of its metadata', `metadata = '{"userId": "u-2"}'`],
    ['a key added to its metadata', `metadata = metadata || '{"x": null}'`],
    ['its tags', `tags = '{}'`],
    ['one of its tags', `tags = array['a:b', null]`],
    ['tags that look the same when joined', `tags = array['a', 'b']`],
    ['its type', `type = 'noticed'`],
    ['the version of its schema', 'schema_version = 2'],
    ['its identity', 'event_id = gen_random_uuid()'],
    ['when it was recorded, by a microsecond', `recorded_at = recorded_at + '1 microsecond'`],
    ['its stream', `stream_id = 'note-9'`],
    ['its version', 'version = 99'],
  ])('%s', async ([, change]) => {
    await using log = await createSealedLog()
    await log.tamper(`update tidemark.events set ${change} where ${at(6)}`)
    expect(await log.faults()).toEqual(['event-changed 6'])
  })
})

describe('finds that', () => {
  test.for<[string, string, string[]]>([
    [
      'two events were swapped',
      `update tidemark.events as e set data = o.data, metadata = o.metadata
       from tidemark.events as o
       where (e.stream_id, e.version, o.stream_id, o.version) in
         (('note-0', 1, 'note-0', 3), ('note-0', 3, 'note-0', 1))`,
      ['event-changed 1', 'event-changed 3'],
    ],
    [
      'two events of a commit changed places',
      `update tidemark.events set insert_id = -5 where ${at(3)}`,
      ['event-changed 1', 'event-changed 2', 'event-changed 3'],
    ],
    [
      'an event in the middle of a commit is gone',
      `delete from tidemark.events where ${at(6)}`,
      ['event-missing 6'],
    ],
    [
      'the last event of a commit is gone',
      `delete from tidemark.events where ${at(12)}`,
      ['event-missing 12'],
    ],
    [
      'a commit of one event is gone',
      `delete from tidemark.events where ${at(8)}`,
      ['event-missing 8'],
    ],
    [
      'an event was added to a commit',
      `insert into tidemark.events
         (insert_id, transaction_id, stream_id, version, event_id, type, data)
       select 99, transaction_id, 'other-1', 1, gen_random_uuid(), 'noted', '{}'
       from tidemark.events where ${at(10)}`,
      ['event-added 13'],
    ],
    [
      'an event was added in the middle of a commit',
      `insert into tidemark.events
         (insert_id, transaction_id, stream_id, version, event_id, type, data)
       select -1, transaction_id, 'other-1', 1, gen_random_uuid(), 'noted', '{}'
       from tidemark.events where ${at(10)}`,
      // The commit goes on in the next run, and there is where the one too many shows.
      ['event-changed 10', 'event-added 11'],
    ],
    [
      'an event was added as an old commit of its own',
      `insert into tidemark.events
         (insert_id, transaction_id, stream_id, version, event_id, type, data)
       values (99, '3', 'other-1', 1, gen_random_uuid(), 'noted', '{}')`,
      ['event-skipped -'],
    ],
    [
      'an event was added as a commit to come',
      `insert into tidemark.events
         (insert_id, transaction_id, stream_id, version, event_id, type, data)
       values (99, '999999999', 'other-1', 1, gen_random_uuid(), 'noted', '{}')`,
      ['event-skipped -'],
    ],
    [
      'the ledger lost a row',
      'delete from tidemark.commits where position = 8',
      ['ledger-hole 8', 'event-skipped -'],
    ],
    [
      'the ledger lost its last row',
      'delete from tidemark.commits where position = 12',
      ['ledger-hole 10', 'ledger-hole 11', 'event-skipped -'],
    ],
    [
      'the ledger lost everything',
      'truncate tidemark.commits',
      ['ledger-hole 1', 'ledger-hole 6', 'ledger-hole 11', ...Array(5).fill('event-skipped -')],
    ],
    [
      'a row of the ledger promises more',
      'update tidemark.commits set event_count = 2 where position = 9',
      ['ledger-overlap 8', 'event-missing 8'],
    ],
    [
      'a row of the ledger promises less',
      'update tidemark.commits set event_count = 2 where position = 7',
      ['ledger-hole 5', 'event-added 7'],
    ],
    [
      'two rows of the ledger were swapped',
      `update tidemark.commits as c set transaction_id = o.transaction_id
       from tidemark.commits as o where (c.position, o.position) in ((8, 9), (9, 8))`,
      ['event-changed 8', 'event-changed 9'],
    ],
    [
      'the time of a commit was changed',
      `update tidemark.commits set committed_at = committed_at - interval '1 s' where position = 7`,
      ['event-changed 5', 'event-changed 6', 'event-changed 7'],
    ],
  ])('%s', async ([, statements, faults]) => {
    await using log = await createSealedLog()
    await log.tamper(`alter table tidemark.commits drop constraint commits_transaction_key;
      alter table tidemark.events alter insert_id drop identity; ${statements}`)
    expect(await log.faults()).toEqual(faults)
  })
})
