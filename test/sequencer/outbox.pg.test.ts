import { afterAll, describe, expect, test } from 'vitest'
import type { SequencerMode } from '../../src/sequencer/term-settings.ts'
import { useDatabase } from '../support/database.ts'
import {
  append,
  dropLogSlots,
  findFaults,
  insertEvents,
  publish,
  readLedger,
  untilOutboxSequenced,
  untilSequenced,
} from './ledger.ts'
import { startSequencer } from './start-sequencer.ts'

const database = useDatabase()

afterAll(() => dropLogSlots(database.connectionString))

function start(mode: SequencerMode) {
  return startSequencer({ connectionString: database.connectionString, mode })
}

async function readPositions(): Promise<{ position: string; outbox_position: string }> {
  const { rows } = await database.pool.query(
    'select position::text, outbox_position::text from tidemark.sequencer',
  )
  return rows[0]
}

describe.each(['wal', 'poll'] as const)('in mode %s', (mode) => {
  test('events and messages have positions of their own, dense in each', async () => {
    await using sequencer = start(mode)
    await sequencer.untilLeading()
    const before = await readPositions()
    const onlyMessages = await publish(database.pool, 'both', 3)
    const both = await append(database.pool, `both-${mode}`, 2)
    const onlyEvents = await insertEvents(database.pool, `events-${mode}`, 4)
    const first = await untilOutboxSequenced(database.pool, onlyMessages)
    expect(first).toBe(BigInt(before.outbox_position) + 3n)
    expect(await untilOutboxSequenced(database.pool, both)).toBe(first + 2n)
    expect((await untilSequenced(database.pool, onlyEvents)).position).toBe(
      BigInt(before.position) + 6n,
    )
    expect((await untilSequenced(database.pool, both)).events).toBe(2)
    const ids = (await readLedger(database.pool)).map(({ transactionId }) => transactionId)
    expect(ids).not.toContain(onlyMessages)
    expect(await findFaults(database.pool)).toEqual([])
    await sequencer.stop()
  })

  test('a transaction that is open for long holds up no messages, and its own come when it commits', async () => {
    await using sequencer = start(mode)
    await sequencer.untilLeading()
    const client = await database.client()
    await client.query('begin')
    const open = await publish(client, 'open', 2)
    const position = await untilOutboxSequenced(database.pool, await publish(database.pool, 'free'))
    await client.query('commit')
    expect(await untilOutboxSequenced(database.pool, open)).toBe(position + 2n)
    expect(await findFaults(database.pool)).toEqual([])
    await sequencer.stop()
  })

  test('what was published while nobody led comes first, in the order of its insert', async () => {
    const early = await database.client()
    await early.query('begin')
    await early.query('select pg_current_xact_id()')
    const cause = await publish(database.pool, 'cause')
    const effect = await publish(early, 'effect')
    await early.query('commit')
    await dropLogSlots(database.connectionString)
    await using sequencer = start(mode)
    const after = await untilOutboxSequenced(database.pool, effect)
    expect(after).toBe((await untilOutboxSequenced(database.pool, cause)) + 1n)
    expect(await findFaults(database.pool)).toEqual([])
    await sequencer.stop()
  })
})

test('a leader whose place in the outbox is not the last writes nothing', async () => {
  await untilOutboxSequencedBy('wal')
  const id = await publish(database.pool, 'stale')
  const stale = database.pool.query(
    /* sql */ `
    select tidemark.sequence_commits(
      s.generation, s.position, '{1}', array[$1]::xid8[], '{0}', '{0/1}', array[now()],
      message_counts => '{1}', outbox_after => s.outbox_position - 1)
    from tidemark.sequencer as s`,
    [id],
  )
  await expect(stale).rejects.toMatchObject({ code: 'TM007' })
})

/** Leads for a moment, so that there is something in both ledgers. */
async function untilOutboxSequencedBy(mode: SequencerMode): Promise<void> {
  await using sequencer = start(mode)
  await untilOutboxSequenced(database.pool, await publish(database.pool, 'some'))
  await sequencer.stop()
}
