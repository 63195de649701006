import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const charge = z.object({ orderId: z.string(), cents: z.int().positive() })

export const PaymentCharged = event('payment.charged').v(1, charge)
export const PaymentRefunded = event('payment.refunded').v(1, charge)

export const paymentEvents = [PaymentCharged, PaymentRefunded] as const

interface Charge {
  readonly orderId: string
  readonly cents: number
}

/**
 * The account of the shop at its bank. Asked twice it charges twice: that it is asked once is what the process
 * and the log promise.
 */
export const Payment = decider('payment', {
  events: paymentEvents,
  initial: () => null,
  evolve: { 'payment.charged': () => null, 'payment.refunded': () => null },
  commands: {
    charge: (_, { card, ...charge }: Charge & { card: string }) =>
      card === 'stolen' ? reject('card-refused') : PaymentCharged(charge),
    refund: (_, charge: Charge) => PaymentRefunded(charge),
  },
})
