import { z } from 'zod'
import { reactor, task } from '../../src/index.ts'
import { OrderCancelled, OrderPlaced, OrderShipped } from './order.ts'

/** What the mail server has sent, in its order. No key keeps a mail from being there twice. */
export const createMails = /* sql */ `
  create table public.mails (
    sent bigint generated always as identity,
    order_id text not null,
    kind text not null
  )`

/** Sends a mail once, however often the job runs: that it is sent is written with the mail. */
export const sendMail = task('send-mail', {
  payload: z.object({ orderId: z.string(), kind: z.enum(['confirmed', 'shipped', 'cancelled']) }),
  run: async ({ orderId, kind }, { once, job }) => {
    await once('mail', async (tx) => {
      await tx.query('insert into public.mails (order_id, kind) values ($1, $2)', [orderId, kind])
    })
    // The mail is on its way, and the job fails all the same: the next attempt must not send it again.
    if (job.attempt === 1 && isUnlucky(orderId)) throw new Error('the mail server hung up')
  },
})

/** Every eighth order. */
function isUnlucky(orderId: string): boolean {
  return Buffer.from(orderId).reduce((sum, byte) => sum + byte, 0) % 8 === 0
}

/**
 * Tells the customer, by choreography: it knows events and nothing of the process that leads to them. In the
 * order of the order's events, so that nobody hears of a parcel before the order is confirmed.
 */
export const mails = reactor('mails', {
  events: [OrderPlaced, OrderShipped, OrderCancelled],
  from: 'start',
  on: {
    'order.placed': ({ data: { orderId } }) => inOrder(orderId, 'confirmed'),
    'order.shipped': ({ data: { orderId } }) => inOrder(orderId, 'shipped'),
    'order.cancelled': ({ data: { orderId } }) => inOrder(orderId, 'cancelled'),
  },
})

function inOrder(orderId: string, kind: 'confirmed' | 'shipped' | 'cancelled') {
  return sendMail({ orderId, kind }, { order: 'stream' })
}
