import { describe, expect, test } from 'vitest'
import { type VerifyProgress, verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { until } from '../../support/until.ts'
import { inBackground } from '../background.ts'
import { append, sequenceNow } from '../ledger.ts'
import { createSealedLog, names, sealAll } from './sealed-log.ts'

describe('a part of the log', () => {
  test('begins and ends with the runs that have its first and last position', async () => {
    await using log = await createSealedLog()
    for (const [from, to, first, last] of [
      [1n, 1n, 1n, 5n],
      [5n, 6n, 1n, 10n],
      [6n, 10n, 6n, 10n],
      [11n, 12n, 11n, 12n],
      [7n, 99n, 6n, 12n],
      [13n, 99n, 0n, 0n],
    ] as const) {
      const result = await verifyLog(log.pool, names, { from, to })
      expect(result, `from ${from} to ${to}`).toMatchObject({ from: first, to: last, findings: [] })
    }
  })

  test('tells nothing of what lies outside of it', async () => {
    await using log = await createSealedLog()
    await log.tamper(`update tidemark.events set data = '7' where version = 1`)
    expect(await log.faults({ to: 5n })).toEqual(['event-changed 1', 'event-changed 5'])
    expect(await log.faults({ from: 6n })).toEqual([])
    await log.tamper(`update tidemark.seals set hash = sha256('x') where position = 5`)
    expect(await log.faults({ from: 6n })).toEqual(['seal-changed 5'])
    expect(await log.faults({ from: 11n })).toEqual([])
  })

  test.for([
    [0n, undefined],
    [-1n, undefined],
    [5n, 4n],
  ])('from %s to %s is refused', async ([from, to]) => {
    await using log = await createSealedLog()
    const options = { from: from as bigint, ...(to === undefined ? {} : { to }) }
    await expect(verifyLog(log.pool, names, options)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('a verification', () => {
  test('of an empty log finds nothing wrong', async () => {
    await using log = await createSealedLog()
    await log.tamper(/* sql */ `
      delete from tidemark.seals where position > 0; truncate tidemark.commits, tidemark.events;
      update tidemark.sequencer set position = 0;
      update tidemark.seal_head as h set position = 0, hash = s.hash from tidemark.seals as s`)
    expect(await verifyLog(log.pool, names)).toMatchObject({
      from: 0n,
      to: 0n,
      hash: null,
      head: 0n,
      findings: [],
    })
  })

  test('tells how far it has come, and where to go on when it is stopped', async () => {
    await using log = await createSealedLog()
    const stop = new AbortController()
    const seen: VerifyProgress[] = []
    const verification = verifyLog(log.pool, names, {
      signal: stop.signal,
      onProgress: (progress) => {
        seen.push(progress)
        if (progress.position === 10n) stop.abort()
      },
    })
    await expect(verification).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
      message: 'verify was stopped at position 10 of 12 with nothing wrong: go on with --from 11',
    })
    expect(seen.map(({ position, head }) => [position, head])).toEqual([
      [5n, 12n],
      [10n, 12n],
    ])
    expect(await verifyLog(log.pool, names, { from: 11n })).toMatchObject({ from: 11n, to: 12n })
  })

  test('ends early when it has found enough, and says so', async () => {
    await using log = await createSealedLog()
    await log.tamper(`update tidemark.events set schema_version = 9 where version <> 2`)
    const result = await verifyLog(log.pool, names, { maxFindings: 1 })
    expect(result).toMatchObject({ to: 5n, isComplete: false })
    expect(await verifyLog(log.pool, names)).toMatchObject({ to: 12n, isComplete: true })
  })

  test('trusts no function, operator or view that somebody put in its way', async () => {
    await using log = await createSealedLog()
    await log.tamper(/* sql */ `
      update tidemark.events set data = '7' where version = 2;
      create schema evil;
      create function evil.sha256(bytea) returns bytea language sql
        as $$ select pg_catalog.sha256('x') $$;
      create function evil.trunc(numeric) returns numeric language sql as $$ select 0.0 $$;
      create or replace function tidemark.hash_events(after bigint, upto bigint, after_insert_id bigint)
        returns table ("position" bigint, insert_id bigint, hash bytea) language sql
        as $$ select 1::bigint, 1::bigint, pg_catalog.sha256('x') $$;
      do $do$ begin
        execute format('alter database %I set search_path = evil, pg_catalog', current_database());
      end $do$;
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`)
    await until('the pool to know that its connections are gone', () => log.pool.totalCount === 0)
    const fooled = await log.pool.query(`select sha256('a') = sha256('b') as is_fooled`)
    expect(fooled.rows).toEqual([{ is_fooled: true }])
    expect(await log.faults()).toEqual(['event-changed 2', 'event-changed 6'])
  })

  test('gives no false alarm while events are appended, sequenced and sealed', async () => {
    await using log = await createSealedLog()
    let written = 0
    const writing = async (signal: AbortSignal) => {
      while (!signal.aborted) {
        await Promise.all([append(log.pool, 'busy-1', 3), append(log.pool, 'busy-2', 1)])
        await sequenceNow(log.pool)
        if (written % 3 === 0) await sealAll(log.pool, 4)
        written += 1
      }
    }
    await using writer = inBackground(writing)
    const heads = new Set<bigint>()
    while (heads.size < 12) {
      const { findings, head } = await verifyLog(log.pool, names)
      expect(findings).toEqual([])
      heads.add(head)
    }
    await writer.stop()
    expect(written).toBeGreaterThan(heads.size / 2)
  })
})
