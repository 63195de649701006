/** What `tidemark init` writes. It runs as it is. */
export const configTemplate = `// The command line \`tidemark\` reads this file. Node runs TypeScript by itself, without checking it.
import { bigint, defineConfig, event, projection, table, text, uuid } from 'tidemark'
import { z } from 'zod'

// Events are facts, in the past tense. Your application imports the same definitions:
//   await using store = await createStore({ connectionString, events: [OrderPlaced, OrderPaid] })
//   await store.append(\`order-\${orderId}\`, OrderPlaced({ orderId, cents: 4200 }))
export const OrderPlaced = event('order.placed').v(
  1,
  z.object({ orderId: z.uuid(), cents: z.int() }),
)
export const OrderPaid = event('order.paid').v(1, z.object({ orderId: z.uuid() }))

// A projection reduces events to rows: one row for each key. Read them as \`select * from
// orders.order_list\`, or typed, with \`store.query(orders)\`. Changing tables or reducers? Raise the
// version, then run \`tidemark rebuild orders\` and \`tidemark promote orders\`.
export const orders = projection('orders', {
  version: 1,
  events: [OrderPlaced, OrderPaid],
  tables: {
    order_list: table({ order_id: uuid().primaryKey(), status: text(), cents: bigint() }),
  },
}).fold('order_list', {
  key: (event) => ({ order_id: event.data.orderId }),
  on: {
    'order.placed': (_row, event) => ({ status: 'open', cents: BigInt(event.data.cents) }),
    'order.paid': (row) => row && { ...row, status: 'paid' },
  },
})

export default defineConfig({
  connectionString: process.env.DATABASE_URL ?? 'postgres://postgres@localhost:5432/postgres',
  // The schema of the log; one database can hold several.
  // schema: 'tidemark',
  projections: [orders],
  // Reactors turn events into jobs, tasks run them: see \`reactor\` and \`task\`.
  reactors: [],
  tasks: [],
  // worker: { batchSize: 1000, jobConcurrency: 5 },
})
`
