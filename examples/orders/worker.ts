import { relay } from '../../src/index.ts'
import { runWorkerProcess } from '../harness/worker-process.ts'
import { fulfilmentUnder, publisherUnder } from './controls.ts'
import { integration } from './integration.ts'
import { mails, sendMail } from './mails.ts'
import { orderList } from './order-list.ts'
import { publisherTo } from './publisher.ts'

const control = process.env.ORDERS_BREAK
const destination = JSON.parse(process.env.ORDERS_DESTINATION ?? '')

await runWorkerProcess({
  projections: [orderList],
  processes: [fulfilmentUnder(control)],
  reactors: [mails],
  tasks: [sendMail],
  routes: [integration],
  relays: [
    relay('partners', {
      topics: ['orders.#'],
      from: 'start',
      to: publisherUnder(control, publisherTo(destination)),
    }),
  ],
  sealIntervalMs: 1_000,
})
