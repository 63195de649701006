import { describe, expect, test } from 'vitest'
import { leaderLockKey } from '../../src/sequencer/leader-lock.ts'
import { audit } from '../../src/worker/audit.ts'
import { inBackground } from '../sequencer/background.ts'
import { createSealedLog, names, type SealedLog } from '../sequencer/integrity/sealed-log.ts'
import { append, sequenceNow } from '../sequencer/ledger.ts'

async function findingsOf(log: SealedLog, options = {}): Promise<string[]> {
  const { findings } = await audit(log.pool, names, { graceMs: 1, ...options })
  return findings.map(({ kind, position }) => `${kind} ${position ?? '-'}`)
}

const subscribe = (name: string, position: number, kind = 'reactor') => `
  insert into tidemark.subscriptions (kind, name, version, position)
  values ('${kind}', '${name}', 1, ${position});`

describe('an audit', () => {
  test('finds nothing in a log that adds up', async () => {
    await using log = await createSealedLog()
    expect(await audit(log.pool, names)).toEqual({
      head: 12n,
      commits: 5n,
      events: 12n,
      findings: [],
    })
  })

  test('finds nothing in an empty log', async () => {
    await using log = await createSealedLog()
    await log.tamper(/* sql */ `
      delete from tidemark.seals where position > 0; truncate tidemark.commits, tidemark.events;
      update tidemark.sequencer set position = 0;
      update tidemark.seal_head as h set position = 0, hash = s.hash from tidemark.seals as s`)
    expect(await audit(log.pool, names)).toMatchObject({ head: 0n, events: 0n, findings: [] })
  })

  test.for<[string, string, string[]]>([
    [
      'a commit that the ledger lost, which no lag shows',
      'delete from tidemark.commits where position = 8',
      ['ledger-hole 8', 'event-skipped -'],
    ],
    [
      'the end that the ledger lost',
      'delete from tidemark.commits where position > 8',
      ['ledger-hole 9', 'event-skipped -', 'event-skipped -'],
    ],
    ['a whole ledger that is gone', 'truncate tidemark.commits', ['ledger-hole 1', ...skipped(5)]],
    [
      'an event that is gone from the middle of a stream',
      `delete from tidemark.events where stream_id = 'note-0' and version = 2`,
      ['event-missing 4', 'version-missing -'],
    ],
    [
      'the last event of a stream gone',
      `delete from tidemark.events where stream_id = 'note-0' and version = 8`,
      ['event-missing 12'],
    ],
    [
      'the first event of a stream gone',
      `delete from tidemark.events where stream_id = 'note-0' and version = 1`,
      ['event-missing 4', 'version-missing -'],
    ],
    [
      'an event that was slipped into a commit',
      `insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
       select transaction_id, 'other-1', 1, gen_random_uuid(), 'noted', '{}'
       from tidemark.events where stream_id = 'note-0' and version = 8`,
      ['event-added 12'],
    ],
    [
      'an event that was slipped in as an old commit',
      `insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
       values ('3', 'other-1', 1, gen_random_uuid(), 'noted', '{}')`,
      ['event-skipped -'],
    ],
    [
      'an event that was slipped in under a transaction to come',
      `insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
       values ('999999999', 'other-1', 1, gen_random_uuid(), 'noted', '{}')`,
      ['event-skipped -'],
    ],
    [
      'a row of the ledger that promises more',
      'update tidemark.commits set event_count = 2 where position = 9',
      ['ledger-overlap 8', 'event-missing 9'],
    ],
    [
      'a ledger that goes on beyond the sequencer',
      'update tidemark.sequencer set position = 9',
      ['sequencer-differs 10', 'seal-changed 12'],
    ],
    [
      'seals that are gone from the end',
      'delete from tidemark.seals where position > 5',
      ['seal-missing 6'],
    ],
    ['a subscription beyond the log', subscribe('mails', 13), ['subscription-ahead 13']],
    ['a subscription inside a commit', subscribe('mails', 6), ['subscription-inside-commit 6']],
    [
      'a subscription of a version that does not exist',
      subscribe('orders', 4, 'projection'),
      ['subscription-unowned 4'],
    ],
    [
      'a version that nothing reaches',
      `insert into tidemark.projections
         (name, version, state, schema_name, view_schema, definition_hash)
       values ('orders', 1, 'live', 'orders_v1', 'orders', 'x')`,
      ['projection-unsubscribed -'],
    ],
    [
      'a relay beyond the outbox',
      `insert into tidemark.subscriptions (kind, name, version, position) values ('relay', 'r', 1, 99)`,
      ['subscription-ahead 99'],
    ],
    [
      'a message that is gone',
      `delete from tidemark.outbox where insert_id = 3`,
      ['outbox-differs -'],
    ],
    [
      'a commit that the outbox’s ledger lost',
      'delete from tidemark.outbox_commits where position = 8',
      ['outbox-differs -', 'message-skipped -'],
    ],
    [
      'the end that the outbox’s ledger lost',
      'delete from tidemark.outbox_commits where position = 12',
      ['outbox-differs -', 'message-skipped -'],
    ],
    [
      'nothing in an outbox whose front was removed',
      `delete from tidemark.outbox_commits where position <= 7;
       delete from tidemark.outbox as o where not exists (
         select from tidemark.outbox_commits as c where c.transaction_id = o.transaction_id)`,
      [],
    ],
  ])('finds %s', async ([, statements, findings]) => {
    await using log = await createSealedLog()
    await log.tamper(statements)
    expect(await findingsOf(log)).toEqual(findings)
  })

  test('lets subscriptions stand where they can: at ends of commits, and within large ones', async () => {
    await using log = await createSealedLog()
    await log.tamper([0, 4, 7, 8, 12].map((at) => subscribe(`at-${at}`, at)).join(''))
    expect(await findingsOf(log)).toEqual([])
    await log.tamper(subscribe('inside', 6))
    expect(await findingsOf(log, { batchSize: 3 })).toEqual(['subscription-inside-commit 6'])
    expect(await findingsOf(log, { batchSize: 2 })).toEqual([])
  })

  test('names the stream and the version of what is gone, and says what to do', async () => {
    await using log = await createSealedLog()
    await log.tamper(`delete from tidemark.events where stream_id = 'note-0' and version in (2, 3)`)
    const { findings } = await audit(log.pool, names)
    expect(findings).toContainEqual({
      kind: 'version-missing',
      severity: 'error',
      position: null,
      streamId: 'note-0',
      version: 2n,
      message: 'a stream has 6 events and ends at version 8',
      remedy: expect.stringContaining('backup'),
    })
  })

  test('names no more of a kind than it was asked for', async () => {
    await using log = await createSealedLog()
    await log.tamper('truncate tidemark.commits')
    expect(await findingsOf(log, { maxFindings: 2 })).toEqual(['ledger-hole 1', ...skipped(2)])
  })
})

// The tests' append publishes a message with each event.
describe('an event, or a message, without a position', () => {
  test('is found when no sequencer came in time', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 2)
    const { findings } = await audit(log.pool, names, { graceMs: 20 })
    const waiting = { kind: 'event-waiting', streamId: 'late-1', version: 1n }
    expect(findings).toMatchObject([
      { ...waiting, severity: 'warning' },
      { kind: 'message-waiting', severity: 'warning' },
    ])
  })

  test('is an error while a worker leads, and leaves it without', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 2)
    const leader = await log.database.client()
    await leader.query('select pg_advisory_lock($1)', [leaderLockKey(names.schema)])
    const { findings } = await audit(log.pool, names, { graceMs: 20 })
    expect(findings).toMatchObject([
      { kind: 'event-waiting', severity: 'error' },
      { kind: 'message-waiting', severity: 'error' },
    ])
  })

  test('is given the time of grace', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 2)
    const auditing = audit(log.pool, names, { graceMs: 1_000 })
    await sequenceNow(log.pool)
    expect((await auditing).findings).toEqual([])
  })

  test('is none of its business while the transaction is open, however old the row is', async () => {
    await using log = await createSealedLog()
    const open = await log.database.client()
    await open.query('begin')
    await append(open, 'late-1', 1)
    await append(log.pool, 'late-2', 1)
    await sequenceNow(log.pool)
    expect(await findingsOf(log)).toEqual([])
    await open.query('commit')
    expect(await findingsOf(log)).toEqual(['event-waiting -', 'message-waiting -'])
    await sequenceNow(log.pool)
    expect(await findingsOf(log)).toEqual([])
  })

  test('that commits during the audit is left to the next one', async () => {
    await using log = await createSealedLog()
    const open = await log.database.client()
    await append(log.pool, 'late-2', 1)
    await open.query('begin')
    await append(open, 'late-1', 1)
    const auditing = audit(log.pool, names, { graceMs: 1_000 })
    await open.query('commit')
    await sequenceNow(log.pool)
    await append(log.pool, 'late-1', 1)
    expect((await auditing).findings).toEqual([])
  })

  test('is no false alarm while events are appended and sequenced', async () => {
    await using log = await createSealedLog()
    await using writer = inBackground(async (signal) => {
      while (!signal.aborted) {
        await Promise.all([append(log.pool, 'busy-1', 2), append(log.pool, 'busy-2', 1)])
        await sequenceNow(log.pool)
      }
    })
    const heads = new Set<bigint>()
    while (heads.size < 10) {
      const { head, findings } = await audit(log.pool, names, { graceMs: 200 })
      expect(findings).toEqual([])
      heads.add(head)
    }
    await writer.stop()
  })
})

function skipped(count: number): string[] {
  return Array.from({ length: count }, () => 'event-skipped -')
}
