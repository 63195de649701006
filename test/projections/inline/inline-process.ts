// Switches what is inline, or appends what is, in a process of its own, which dies at a failpoint.
import pg from 'pg'
import { onFailpoint } from '../../../src/core/failpoint.ts'
import { transaction } from '../../../src/db/transaction.ts'
import { createStore } from '../../../src/index.ts'
import { Added, byFoldAndBatch, Removed } from '../levels.ts'

const { DATABASE_URL = '', ACTION = '', FAILPOINT, REACH = '1' } = process.env
let left = Number(REACH)
onFailpoint((name) => {
  if (name !== FAILPOINT) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
})

const versions = [1, 2].map((version) => ({ ...byFoldAndBatch('sums'), version }))
await using store = await createStore({
  connectionString: DATABASE_URL,
  events: [Added, Removed],
  inline: versions,
})
const [streamId, key] = [`killed-${process.pid}`, 'a']
const events = [Added({ key, amount: 1_000 }), Removed({ key, amount: 1_000 })]

async function appendWithin(): Promise<void> {
  const pool = new pg.Pool({ connectionString: DATABASE_URL })
  await transaction(pool, (tx) => store.append(streamId, events, { tx }))
  await pool.end()
}

/** Says what is known to be in the log, until it is killed. */
async function appendForEver(writer: number): Promise<never> {
  for (let amount = 1; ; amount += 1) {
    const id = crypto.randomUUID()
    process.stdout.write(`began ${id}\n`)
    const changes = [{ ...Added({ key: `k${amount % 3}`, amount }), id }, Removed({ key, amount })]
    await store.append(`${streamId}-${writer}`, changes)
    process.stdout.write(`ended ${id}\n`)
  }
}

const actions: Readonly<Record<string, () => Promise<unknown>>> = {
  inline: () => store.setMode('sums', 'inline'),
  async: () => store.setMode('sums', 'async'),
  promote: () => store.promote('sums'),
  rollback: () => store.rollback('sums'),
  append: () => store.append(streamId, events),
  group: () => Promise.all([1, 2, 3].map((n) => store.append(`${streamId}-${n}`, events))),
  many: () => store.appendMany([1, 2].map((n) => ({ streamId: `${streamId}-${n}`, events }))),
  within: appendWithin,
  import: () =>
    store.importEvents(
      events.map((event) => ({ streamId, event })),
      { key: streamId },
    ),
  forEver: () => Promise.all([1, 2, 3].map(appendForEver)),
}
await actions[ACTION]?.()
