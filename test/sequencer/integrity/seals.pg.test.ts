import { describe, expect, test } from 'vitest'
import { logNames } from '../../../src/db/log-names.ts'
import { runSealer } from '../../../src/sequencer/integrity/run-sealer.ts'
import { sealAll } from '../../../src/sequencer/integrity/seal-all.ts'
import { sealRun } from '../../../src/sequencer/integrity/seal-run.ts'
import { verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { migrateOnce } from '../../db/installed-log.ts'
import { until } from '../../support/until.ts'
import { inBackground } from '../background.ts'
import { captureLog } from '../captured-log.ts'
import { append, sequenceNow } from '../ledger.ts'
import { createSealedLog, names, type SealedLog } from './sealed-log.ts'

/** The chain by position, as the seals have it. */
async function readChain({ pool }: SealedLog): Promise<Map<string, string>> {
  const { rows } = await pool.query<{ position: string; hash: string }>(/* sql */ `
    select position::text as position, encode(hash, 'hex') as hash
    from tidemark.seals as s
    order by s.position`)
  return new Map(rows.map((row) => [row.position, row.hash]))
}

/** Takes all seals away and seals again in runs of another size. */
async function sealAnew(log: SealedLog, maxEvents: number): Promise<Map<string, string>> {
  await log.tamper(/* sql */ `
    delete from tidemark.seals where position > 0;
    update tidemark.seal_head as h
    set position = 0, insert_id = null, hash = s.hash
    from tidemark.seals as s`)
  await log.seal(maxEvents)
  return readChain(log)
}

describe('the chain', () => {
  test('is the same at a position however the events were divided into runs', async () => {
    await using log = await createSealedLog()
    const single = await sealAnew(log, 1)
    expect(single.size).toBe(13)
    for (const size of [2, 3, 5, 7, 100]) {
      const chain = await sealAnew(log, size)
      expect(chain.size).toBe(Math.ceil(12 / size) + 1)
      for (const [position, hash] of chain)
        expect(hash, `at ${position}`).toBe(single.get(position))
    }
  })

  test('begins differently in each log, and goes on in a schema of another name', async () => {
    await using log = await createSealedLog()
    const { pool, database } = log
    await migrateOnce(database.connectionString, 'second')
    await append(pool, 'note-1', 3, 'second')
    await sequenceNow(pool, 'second')
    expect(await sealAll(pool, logNames('second'))).toEqual({ sealed: 3n, position: 3n })
    const [first, second] = [
      await verifyLog(pool, names),
      await verifyLog(pool, logNames('second')),
    ]
    expect(second).toMatchObject({ to: 3n, head: 3n, findings: [] })
    expect(second.log).not.toBe(first.log)
  })

  test('depends on no setting of the session', async () => {
    await using log = await createSealedLog()
    const plain = await readChain(log)
    await log.pool.query(/* sql */ `
      do $$ begin
        execute format('alter database %I set timezone = %L', current_database(), 'Asia/Kathmandu');
        execute format('alter database %I set datestyle = %L', current_database(), 'sql, dmy');
        execute format('alter database %I set intervalstyle = %L', current_database(), 'sql_standard');
        execute format('alter database %I set bytea_output = %L', current_database(), 'escape');
        execute format('alter database %I set extra_float_digits = %L', current_database(), '-15');
        execute format('alter database %I set client_encoding = %L', current_database(), 'latin1');
        execute format('alter database %I set search_path = %L', current_database(), 'public');
      end $$`)
    await log.pool.query(/* sql */ `
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`)
    expect(await sealAnew(log, 5)).toEqual(plain)
    expect(await log.faults()).toEqual([])
  })

  test('survives that the tables are copied out as text and in again', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'odd-1', [
      { type: 'noted', data: { n: 1.5, é: '\u2028"\\' }, tags: ['a,b', '', 'NULL'] },
    ])
    await sequenceNow(log.pool)
    await log.seal()
    await log.tamper(/* sql */ `
      create temp table copied as
        select e.*, e.data::text as data_text, e.metadata::text as metadata_text,
          e.tags::text as tags_text, e.recorded_at::text as recorded_at_text
        from tidemark.events as e;
      update tidemark.events as e
      set data = c.data_text::jsonb, metadata = c.metadata_text::jsonb, tags = c.tags_text::text[],
        recorded_at = c.recorded_at_text::timestamptz
      from copied as c
      where c.event_id = e.event_id`)
    expect(await log.faults()).toEqual([])
  })
})

describe('sealing', () => {
  test('finds nothing to do in an empty log, and in one that is sealed', async () => {
    await using log = await createSealedLog()
    expect(await sealRun(log.pool, names, 5)).toEqual({ sealed: 0, position: 12n })
    expect(await sealAll(log.pool, names)).toEqual({ sealed: 0n, position: 12n })
  })

  test('leaves alone what has no position yet', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    expect(await sealAll(log.pool, names)).toEqual({ sealed: 0n, position: 12n })
    await sequenceNow(log.pool)
    expect(await sealAll(log.pool, names)).toEqual({ sealed: 3n, position: 15n })
    expect(await log.faults()).toEqual([])
  })

  test('goes through one large commit part by part', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'large-1', 2_500)
    await append(log.pool, 'large-2', 1)
    await sequenceNow(log.pool)
    await log.seal(100)
    expect(await log.faults()).toEqual([])
    expect(await sealAnew(log, 10_000)).toMatchObject({ size: 2 })
    expect(await log.faults()).toEqual([])
  })

  test('covers 10,000 events in a run at most, whatever is asked for', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'large-1', 10_001)
    await sequenceNow(log.pool)
    expect(await sealRun(log.pool, names, 1_000_000)).toEqual({ sealed: 10_000, position: 10_012n })
  })

  test('steps aside while another session seals, and goes on from where that has come to', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 6)
    await sequenceNow(log.pool)
    const other = await log.database.client()
    await other.query('begin')
    const first = await other.query('select * from tidemark.seal_events(4)')
    expect(first.rows[0]).toEqual({ sealed: 4, last_position: '16' })
    expect(await sealRun(log.pool, names, 5)).toBeUndefined()
    await other.query('commit')
    expect(await sealRun(log.pool, names, 5)).toEqual({ sealed: 2, position: 18n })
    expect(await log.faults()).toEqual([])
  })

  test('that was cut off leaves nothing, and is done again the same', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 6)
    await sequenceNow(log.pool)
    const other = await log.database.client()
    await other.query('begin; select * from tidemark.seal_events(4)')
    await log.pool.query(/* sql */ `
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'test client' and datname = current_database()`)
    await until('the lock of the session that is gone', async () => {
      const run = await sealRun(log.pool, names, 4)
      return run?.position === 16n
    })
    expect(await log.faults()).toEqual([])
  })

  test('by many at once leaves one chain', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'large-1', 500)
    await sequenceNow(log.pool)
    const results = await Promise.all(
      Array.from({ length: 4 }, (_, n) => sealAll(log.pool, names, { maxEvents: 3 + n })),
    )
    expect(results.reduce((sum, { sealed }) => sum + sealed, 0n)).toBe(500n)
    expect(new Set(results.map(({ position }) => position))).toEqual(new Set([512n]))
    expect(await log.faults()).toEqual([])
  })

  test('refuses a fork, even by hand', async () => {
    await using log = await createSealedLog()
    const fork = log.pool.query(/* sql */ `
      insert into tidemark.seals (position, event_count, previous_hash, hash, digests)
      select s.position + 1, s.event_count, s.previous_hash, sha256('x'), s.digests
      from tidemark.seals as s
      where s.position = 10`)
    await expect(fork).rejects.toMatchObject({
      code: '23505',
      constraint: 'seals_previous_hash_key',
    })
  })

  test.for<[string, string]>([
    ['update', `update tidemark.seals set sealed_at = now()`],
    ['delete', 'delete from tidemark.seals'],
    ['truncate', 'truncate tidemark.seals'],
  ])('what was sealed refuses %s', async ([, statement]) => {
    await using log = await createSealedLog()
    await expect(log.pool.query(statement)).rejects.toMatchObject({ code: 'TM001' })
  })

  test('does not seal a commit that lost an event, and says so', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    await sequenceNow(log.pool)
    await log.tamper(`delete from tidemark.events where stream_id = 'late-1' and version = 2`)
    await expect(sealAll(log.pool, names)).rejects.toMatchObject({
      code: 'LOG_INCONSISTENT',
      message: 'the ledger promises 3 events up to position 15, the table holds 2',
    })
    expect(await log.faults()).toEqual(['event-missing 15'])
  })

  test('does not seal a commit that won an event', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    await sequenceNow(log.pool)
    await log.tamper(/* sql */ `
      insert into tidemark.events (transaction_id, stream_id, version, event_id, type, data)
      select transaction_id, 'late-2', 1, gen_random_uuid(), 'noted', '{}'
      from tidemark.events where stream_id = 'late-1' and version = 2`)
    await expect(sealAll(log.pool, names)).rejects.toMatchObject({ code: 'LOG_INCONSISTENT' })
    expect(await log.faults()).toEqual(['event-added 15'])
  })
})

describe('a sealer in the background', () => {
  test('seals what comes, logs what it cannot seal, and stops when asked', async () => {
    await using log = await createSealedLog()
    const captured = captureLog()
    await using sealer = inBackground((signal) =>
      runSealer({ pool: log.pool, names, logger: captured, intervalMs: 5, maxEvents: 2 }, signal),
    )
    await append(log.pool, 'late-1', 5)
    await sequenceNow(log.pool)
    await until('the new events to be sealed', async () => {
      const run = await sealRun(log.pool, names, 1)
      return run?.sealed === 0 && run.position === 17n
    })
    await log.tamper('update tidemark.sequencer set position = 18')
    await until('the fault in the log', (saw) => {
      saw(captured.lines)
      return captured.lines.some((line) => line.message.startsWith('the ledger promises 1 events'))
    })
    await sealer.stop()
    expect(await log.faults()).toEqual(['ledger-hole 18'])
  })
})
