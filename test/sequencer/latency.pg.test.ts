import { afterAll, beforeAll, expect, test } from 'vitest'
import { useDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { append, dropLogSlots, readLedger } from './ledger.ts'
import { type StartedSequencer, startSequencer } from './start-sequencer.ts'

const database = useDatabase()
let sequencer: StartedSequencer

beforeAll(async () => {
  sequencer = startSequencer({ connectionString: database.connectionString })
  await sequencer.untilLeading()
})

afterAll(async () => {
  await sequencer.stop()
  await dropLogSlots(database.connectionString)
})

/**
 * Enough for a server that forgets to wake its sender once in a thousand times: it looks at what is
 * flushed before it prepares to sleep, and what comes between is seen with the next message only.
 */
const appends = 1_200

test('a lone append is sequenced soon, each time', { timeout: 60_000 }, async () => {
  const [listener, writer] = [await database.client(), await database.client()]
  let head = (await readLedger(database.pool)).at(-1)?.position ?? 0n
  let hear = () => {}
  listener.on('notification', ({ payload = '' }) => {
    // The outbox has a position of its own.
    if (!/^\d+$/.test(payload)) return
    head = BigInt(payload)
    hear()
  })
  await listener.query('listen tidemark_log')
  let slowestMs = 0
  for (let i = 0; i < appends; i += 1) {
    const before = head
    const began = performance.now()
    await append(writer, `lone-${i % 10}`)
    await until('its position', () => waitFor(() => head > before), { timeoutMs: 15_000 })
    slowestMs = Math.max(slowestMs, performance.now() - began)
  }
  expect(slowestMs).toBeLessThan(1_000)

  async function waitFor(condition: () => boolean): Promise<boolean> {
    while (!condition()) await new Promise<void>((resolve) => (hear = resolve))
    return true
  }
})
