import pg from 'pg'
import { createStore, type InstanceSummary, migrate } from '../../src/index.ts'
import { type Chance, chance } from '../harness/chance.ts'
import type { Run } from '../harness/main.ts'
import { checkAudit, checkSeals } from '../harness/proof.ts'
import type { Outcome } from '../harness/report.ts'
import { untilSettled } from '../harness/settled.ts'
import { Workers } from '../harness/workers.ts'
import { checkOrderList } from './check-list.ts'
import { checkCharges, checkEnds, checkRefunds, checkReverseOrder } from './check-orders.ts'
import { checkStock } from './check-stock.ts'
import { checkTimers } from './check-timers.ts'
import { checkMails, checkMessages, countDuplicates } from './check-told.ts'
import type { Control } from './controls.ts'
import { runCustomer } from './customer.ts'
import { fulfilment } from './fulfilment.ts'
import { createMails } from './mails.ts'
import { startReceiver } from './receiver.ts'
import { ofType, type Records, readRecords, type ShopStore, shopEvents } from './records.ts'
import { fillShelves, makeTrouble } from './trouble.ts'

const products = ['book', 'chair', 'desk', 'globe', 'lamp', 'pen', 'vase', 'watch']
const carriers = ['north', 'south', 'west']

/** How long nothing may happen while orders are still under way. */
const stallMs = 30_000

/** Opens the shop, lets customers and chaos loose on it, and checks everything when all is quiet again. */
export async function runOrders(run: Run<Control>): Promise<Outcome> {
  const { connectionString, seed, signal } = run
  const random = chance(`orders ${seed}`)
  await migrate({ connectionString })
  await using store = await createStore({ connectionString, events: shopEvents })
  await using pool = openPool(connectionString)
  await pool.query(createMails)
  await using receiver = await startReceiver(process.env.AMQP_URL)
  await using workers = new Workers({
    program: new URL('./worker.ts', import.meta.url),
    count: run.workers,
    env: {
      DATABASE_URL: connectionString,
      ORDERS_BREAK: run.break ?? '',
      ORDERS_DESTINATION: JSON.stringify(receiver.destination),
    },
    chance: random.named('workers'),
  })
  await workers.begun()
  const taken = await runTraffic(run, store, random)
  signal.throwIfAborted()
  workers.calm()
  const unsettled = await untilSettled(store, { pool, stallMs, signal })
  await receiver.drained()
  const records = await readRecords(store)
  const instances = await store.processes.list({
    process: fulfilment.name,
    maxInstances: 1_000_000,
  })
  return {
    did: {
      ...figures(records, instances),
      [`messages received by ${receiver.destination.kind}`]: receiver.received.length,
      'of them more than once': countDuplicates(receiver.received),
      'worker processes started': workers.started,
      'of them killed (SIGKILL)': workers.killed,
    },
    checks: [
      checkEnds(records, taken),
      checkReverseOrder(records),
      checkCharges(records),
      checkRefunds(records),
      await checkStock(store, records, products),
      checkTimers(records, instances),
      await checkOrderList(store, records),
      await checkMails(pool, records),
      checkMessages(receiver.received, records),
      { invariant: 'nothing is stuck, failed or left over', looked: 1, faults: unsettled },
      {
        invariant: 'a worker ends only when it is killed',
        looked: workers.killed,
        faults: workers.faults,
      },
      await checkSeals(store),
      await checkAudit(store),
    ],
  }
}

/** Has customers shop for so many seconds. @returns the orders that the shop has taken. */
async function runTraffic(
  { clients, seconds, signal }: Run<Control>,
  store: ShopStore,
  random: Chance,
): Promise<ReadonlySet<string>> {
  const shop = { store, products, carriers }
  const trouble = { ...shop, chance: random.named('trouble') }
  await fillShelves(trouble)
  const taken = new Set<string>()
  const over = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)])
  const customers = Array.from({ length: clients }, (_, index) => {
    const name = `c${index + 1}`
    return runCustomer({ ...shop, name, chance: random.named(name), taken }, over)
  })
  await Promise.all([makeTrouble(trouble, over), ...customers])
  return taken
}

function figures({ events }: Records, instances: readonly InstanceSummary[]) {
  const reasons = Map.groupBy(instances, ({ reason }) => reason)
  reasons.delete(null)
  const byReason = [...reasons].map(([reason, some]) => [`cancelled: ${reason}`, some.length])
  return {
    'orders placed': ofType(events, 'order.placed').length,
    'orders shipped': ofType(events, 'order.shipped').length,
    ...Object.fromEntries(byReason),
    'times that a carrier went down': ofType(events, 'carrier.went-down').length,
    charges: ofType(events, 'payment.charged').length,
    refunds: ofType(events, 'payment.refunded').length,
    'reservations released': ofType(events, 'stock.released').length,
    'parcels recalled': ofType(events, 'carrier.parcel-recalled').length,
  }
}

function openPool(connectionString: string): pg.Pool & AsyncDisposable {
  const pool = new pg.Pool({ connectionString, max: 2 })
  pool.on('error', () => {})
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.end() })
}
