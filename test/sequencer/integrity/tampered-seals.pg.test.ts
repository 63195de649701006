import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { exportCheckpoint } from '../../../src/sequencer/integrity/export-checkpoint.ts'
import { verifyLog } from '../../../src/sequencer/integrity/verify-log.ts'
import { append, sequenceNow } from '../ledger.ts'
import { createSealedLog, names, type SealedLog } from './sealed-log.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

/** Writes the chain anew from position 6 on, over the events as they are now. */
async function rewriteChain(log: SealedLog): Promise<void> {
  await log.tamper(/* sql */ `
    delete from tidemark.seals where position > 5;
    update tidemark.seal_head as h
    set position = 5, insert_id = null, hash = s.hash
    from tidemark.seals as s
    where s.position = 5`)
  await log.seal()
}

describe('finds in the chain', () => {
  test.for<[string, string, string[]]>([
    [
      'a hash that was changed',
      `update tidemark.seals set hash = sha256('x') where position = 10`,
      ['seal-changed 10', 'seal-changed 10'],
    ],
    [
      'the hash of the last seal changed',
      `update tidemark.seals set hash = sha256('x') where position = 12`,
      ['seal-changed 12', 'seal-changed 12'],
    ],
    [
      'a previous hash that was changed',
      `update tidemark.seals set previous_hash = sha256('x') where position = 10`,
      ['seal-changed 5', 'seal-changed 10'],
    ],
    [
      'digests that were changed, while the events are as they were',
      `update tidemark.seals set digests = substr(sha256('x'), 1, 16) where position = 12`,
      ['seal-changed 12'],
    ],
    [
      'an event changed together with its digest',
      `update tidemark.events set data = '7' where stream_id = 'note-1' and version = 2;
       update tidemark.seals as s
       set digests = (
         select string_agg(substr(e.hash, 1, 8), '' order by e.position)
         from tidemark.hash_events(5, 10, null) as e
       )
       where s.position = 10`,
      ['seal-changed 10'],
    ],
    [
      'a seal that was taken out of the middle',
      'delete from tidemark.seals where position = 10',
      ['seal-missing 6'],
    ],
    [
      'the first seal taken out',
      'delete from tidemark.seals where position = 5',
      ['seal-missing 1'],
    ],
    [
      'its beginning taken away',
      'delete from tidemark.seals where position = 0',
      ['seal-missing 0'],
    ],
    [
      'its beginning replaced',
      `update tidemark.seals set hash = sha256('x') where position = 0`,
      ['seal-changed 0'],
    ],
    [
      'its last seals taken away',
      'delete from tidemark.seals where position > 5',
      ['seal-missing 6'],
    ],
    ['all of it taken away', 'truncate tidemark.seals', ['seal-missing 0']],
    [
      'a seal that was moved',
      'update tidemark.seals set position = 11 where position = 10',
      ['seal-missing 6', 'seal-changed 11', 'seal-changed 11'],
    ],
    [
      'a second chain beside it',
      `insert into tidemark.seals (position, event_count, previous_hash, hash, digests)
       select 8, 3, s.hash, sha256('x'), substr(sha256('y'), 1, 24)
       from tidemark.seals as s where s.position = 5`,
      ['run-changed 6', 'seal-changed 8'],
    ],
    [
      'a seal beyond the head',
      `insert into tidemark.seals (position, event_count, previous_hash, hash, digests)
       select 13, 1, s.hash, sha256('x'), substr(sha256('y'), 1, 8)
       from tidemark.seals as s where s.position = 12`,
      ['seal-changed 13', 'ledger-hole 13'],
    ],
    [
      'a head that points elsewhere',
      `update tidemark.seal_head set hash = sha256('x')`,
      ['seal-changed 12'],
    ],
  ])('%s', async ([, statements, faults]) => {
    await using log = await createSealedLog()
    await log.tamper(`alter table tidemark.seals drop constraint seals_previous_hash_key;
      ${statements}`)
    expect(await log.faults()).toEqual(faults)
  })

  test('an event in each of three runs, each by its name', async () => {
    await using log = await createSealedLog()
    await log.tamper(`update tidemark.events set type = 'x' where version in (1, 4, 8)`)
    expect(await log.faults()).toEqual([
      'event-changed 1',
      'event-changed 4',
      'event-changed 5',
      'event-changed 9',
      'event-changed 12',
    ])
  })

  test('what was taken away, also after sealing went on', async () => {
    await using log = await createSealedLog()
    await log.tamper('delete from tidemark.seals where position > 5')
    await append(log.pool, 'late-1', 4)
    await sequenceNow(log.pool)
    await log.seal()
    expect(await log.faults()).toEqual(['seal-missing 6'])
  })
})

describe('a signed checkpoint', () => {
  test('is agreed with by a log that nobody touched, and that went on', async () => {
    await using log = await createSealedLog()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    expect(signed).toMatchObject({ position: '12', hash: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([])
    await append(log.pool, 'late-1', 4)
    await sequenceNow(log.pool)
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([])
    await log.seal()
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([])
  })

  test('finds a chain that was written anew, which nothing else does', async () => {
    await using log = await createSealedLog()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    await log.tamper(`update tidemark.events set data = '7' where version = 5`)
    await rewriteChain(log)
    expect(await log.faults()).toEqual([])
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([
      'checkpoint-differs 12',
    ])
    const from = { from: 11n, checkpoint: { signed, publicKey } }
    expect(await log.faults(from)).toEqual(['checkpoint-differs 12'])
  })

  test('is still agreed with when seals were lost and written again in other runs', async () => {
    await using log = await createSealedLog()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    await log.tamper(/* sql */ `
      delete from tidemark.seals where position > 0;
      update tidemark.seal_head as h
      set position = 0, insert_id = null, hash = s.hash
      from tidemark.seals as s`)
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([])
    await log.seal(7)
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([])
  })

  test('finds a log that ends before it', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 4)
    await sequenceNow(log.pool)
    await log.seal()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    await log.tamper(/* sql */ `
      delete from tidemark.events where stream_id = 'late-1';
      delete from tidemark.commits where position > 12;
      delete from tidemark.seals where position > 12;
      update tidemark.sequencer set position = 12;
      update tidemark.seal_head as h set position = 12, hash = s.hash
      from tidemark.seals as s where s.position = 12`)
    expect(await log.faults()).toEqual([])
    expect(await log.faults({ checkpoint: { signed, publicKey } })).toEqual([
      'checkpoint-differs 13',
    ])
  })

  test('finds that it is of another log', async () => {
    await using log = await createSealedLog()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    await log.tamper(/* sql */ `
      update tidemark.seals set hash = sha256('x') where position = 0;
      delete from tidemark.seals where position > 0;
      update tidemark.seal_head set position = 0, insert_id = null, hash = sha256('x')`)
    await log.seal()
    expect(await log.faults()).toEqual([])
    const { findings } = await verifyLog(log.pool, names, { checkpoint: { signed, publicKey } })
    expect(findings).toMatchObject([
      { kind: 'checkpoint-differs', message: expect.stringContaining('another log') },
    ])
  })

  test('proves nothing under another key, and nothing is verified then', async () => {
    await using log = await createSealedLog()
    const signed = await exportCheckpoint(log.pool, names, privateKey)
    const other = generateKeyPairSync('ed25519').publicKey
    for (const [checkpoint, key] of [
      [signed, other],
      [{ ...signed, position: '5' }, publicKey],
      [{}, publicKey],
    ] as const) {
      const verification = verifyLog(log.pool, names, {
        checkpoint: { signed: checkpoint, publicKey: key },
      })
      await expect(verification).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' })
    }
  })

  test('is not made of a chain without a beginning', async () => {
    await using log = await createSealedLog()
    await log.tamper('delete from tidemark.seals where position = 0')
    const made = exportCheckpoint(log.pool, names, privateKey)
    await expect(made).rejects.toMatchObject({ code: 'LOG_DAMAGED' })
  })
})
